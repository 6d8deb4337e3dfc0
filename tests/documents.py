"""The documents of the repository: their blocks of code and their links."""

import re
from pathlib import Path
from typing import NamedTuple

from saegrid.stages.written import documents

ROOT = Path(__file__).resolve().parents[1]
NAMED = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "config", "docs")
"""Documents and folders of documents, for `affected`."""
MADE = {"config/five.yaml", "config/gpu.yaml", "config/humor-hub.yaml"}
"""Configs that a reader writes, by the text before a command; those of `saegrid new` beside."""
ALIKE = {"bash": "sh", "": "text"}
"""Kinds of blocks by another spelling; without one it is what a program prints."""
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.M)


class Block(NamedTuple):
    """A fenced block of a document."""

    document: str
    """Path from the repository."""
    line: int
    """Line of its fence, from 1."""
    kind: str
    """The words behind the fence."""
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def texts() -> dict[str, str]:
    """The text of each document by its path from the repository."""
    return {str(path.relative_to(ROOT)): path.read_text() for path in documents(ROOT)}


def blocks(kind: str | None = None) -> list[Block]:
    """The blocks of all documents, or those of one kind."""
    every = [
        Block(name, text.count("\n", 0, m.start()) + 1, ALIKE.get(m[1], m[1]), m[2])
        for name, text in texts().items()
        for m in FENCE.finditer(text)
    ]
    return [block for block in every if kind in (None, block.kind)]


def written() -> set[str]:
    """Paths of configs that a reader has: those of `MADE`, and what `saegrid new` writes."""
    paths = set(MADE)
    for block in blocks("sh"):
        for line in re.findall(r"^saegrid new .*$", block.text, re.M):
            named = re.search(r"--name (\w+)", line) or re.search(r"--texts (\w+)\.", line)
            paths.add(f"config/{named[1]}.yaml")
    return paths


def without_code(text: str) -> str:
    """A document without its blocks and spans of code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a document, as hosts of code make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}
