"""Texts that are made from the code: the schema, tables in the documents, the groups of the SLURM
profile.

A block of a document stands between `<!-- NAME -->` and `<!-- end -->`, and is what the function of
that name in `BLOCKS` returns. A new block is one function and one line below.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

from saegrid.config.schema import schema_text
from saegrid.stages import load

BLOCKS = {
    "stages": "saegrid.stages.written.tables:stages",
    "recipes": "saegrid.stages.written.tables:recipes",
    "families": "saegrid.stages.written.tables:families",
    "formats": "saegrid.stages.written.tables:formats",
    "examples": "saegrid.stages.written.tables:examples",
    "registries": "saegrid.stages.written.tables:registries",
    "analyses": "saegrid.stages.written.tables:analyses",
    "figures": "saegrid.stages.written.tables:figures",
    "keys": "saegrid.stages.written.keys:keys",
    "refusals": "saegrid.stages.written.refusals:refusals",
    "errors": "saegrid.stages.written.refusals:errors",
}
"""Functions without arguments that return the Markdown of a block, by its name."""
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.S)
"""A block of a document: its opening line, its name and its last line."""


def documents(root: str | Path = ".") -> Iterator[Path]:
    """The documents of the repository that people read: Markdown files at its top, of the configs
    and in docs/."""
    for folder in (Path(root), Path(root) / "config", Path(root) / "docs"):
        yield from sorted(folder.glob("*.md"))


def block(name: str) -> str:
    """The Markdown of a block; ValueError where no function writes one of that name."""
    if name not in BLOCKS:
        raise ValueError(f"No block is named {name!r}. Known: {', '.join(BLOCKS)}.")
    return str(resolve_name(BLOCKS[name])())


def groups() -> str:
    """The groups of profiles/slurm/config.yaml: jobs that SLURM starts as one."""
    stages = [stage for stage in load().values() if stage.needs.group]
    return "".join(f"  - {stage.name}={stage.needs.group}\n" for stage in stages)


def renewed(root: str | Path = ".") -> dict[str, str]:
    """Text by path of the files that are made from the code, whole or in part."""
    profile = Path(root) / "profiles/slurm/config.yaml"
    texts = {
        str(Path(root) / "config/schema.json"): schema_text(),
        str(profile): re.sub(
            r"(?<=\ngroups:\n)(  - .*\n)+", lambda _: groups(), profile.read_text()
        ),
    }
    for path in documents(root):
        text = path.read_text()
        if BLOCK.search(text):
            texts[str(path)] = BLOCK.sub(lambda m: f"{m[1]}{block(m[2])}{m[3]}", text)
    return texts
