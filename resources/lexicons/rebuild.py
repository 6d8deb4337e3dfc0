"""Make wordnet.tsv.gz from the files of WordNet 3.0.

    apt-get install wordnet-base                    # Debian's package, here 1:3.0-37
    python resources/lexicons/rebuild.py            # from /usr/share/wordnet
    python resources/lexicons/rebuild.py FOLDER     # from another folder
    python resources/lexicons/rebuild.py FOLDER --out build/wordnet.tsv.gz

The same files give the same bytes: order is that of WordNet, and the head of the gzip file holds
neither a date nor a name. `README.md` beside explains the lines.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
FOLDER = "/usr/share/wordnet"
FILES = tuple(f"{kind}.{pos}" for pos in ("noun", "verb") for kind in ("index", "data"))
EXCEPTIONS = ("noun.exc", "verb.exc")
PARENTS = ("@", "@i")
"""Pointers of WordNet to a hypernym, and from an instance to its class."""
NAME = "*"
"""Mark of a sense in which the word is written with a capital."""
NAMES = {
    number: f"{pos}.{name}"
    for first, pos, names in (
        (
            3,
            "noun",
            "Tops act animal artifact attribute body cognition communication event feeling food "
            "group location motive object person phenomenon plant possession process quantity "
            "relation shape state substance time",
        ),
        (
            29,
            "verb",
            "body change cognition communication competition consumption contact creation emotion "
            "motion perception possession social stative weather",
        ),
    )
    for number, name in enumerate(names.split(), first)
}
"""Names of the lexicographers' files by their number (manual page lexnames(5WN))."""
HEAD = """\
WordNet 3.0, a selection: nouns and verbs of one word, their senses, and the synsets above these.
Source: Debian's package wordnet-base 1:3.0-37. Made by resources/lexicons/rebuild.py of saegrid;
README.md beside it explains the lines. The notice of WordNet, which stays with every copy:

"""
NOTICE = HERE / "WORDNET-LICENSE"


def rows(path: Path) -> Iterator[list[str]]:
    """The fields of each line of a file but those of its licence."""
    with path.open(encoding="latin-1") as file:
        yield from (line.partition("|")[0].split() for line in file if not line.startswith("  "))


class Synset(NamedTuple):
    """A synset of WordNet."""

    file: int
    """Number of its lexicographer's file."""
    parents: list[str]
    """Offsets of the synsets right above it."""
    words: set[str]
    """Its words as they are written there, capitals and all."""


def read_synsets(folder: Path, pos: str) -> dict[str, Synset]:
    """The synsets of nouns or verbs by offset."""
    synsets = {}
    for fields in rows(folder / f"data.{pos}"):
        at = 4 + 2 * int(fields[3], 16)  # words and their lexical ids come before pointers
        pointers = [fields[i : i + 3] for i in range(at + 1, at + 1 + 4 * int(fields[at]), 4)]
        parents = [
            target for symbol, target, kind in pointers if symbol in PARENTS and kind == pos[0]
        ]
        synsets[fields[0]] = Synset(int(fields[1]), parents, set(fields[4:at:2]))
    return synsets


def read_senses(folder: Path, pos: str) -> dict[str, list[str]]:
    """The offsets of the senses, in WordNet's order, of each lemma that is one word."""
    return {
        fields[0]: fields[-int(fields[2]) :]
        for fields in rows(folder / f"index.{pos}")
        if "_" not in fields[0]
    }


def above(synsets: dict[str, Synset], offsets: set[str]) -> set[str]:
    """Some synsets, and all above them."""
    reached, new = set(offsets), set(offsets)
    while new:
        new = {parent for offset in new for parent in synsets[offset].parents} - reached
        reached |= new
    return reached


def table(folder: Path) -> str:
    """The lines of the table."""
    lines = [f"l\t{name}" for name in NAMES.values()]
    place = {number: i for i, number in enumerate(NAMES)}
    words, number = [], 0
    for pos in ("noun", "verb"):
        synsets, senses = read_synsets(folder, pos), read_senses(folder, pos)
        needed = sorted(above(synsets, {offset for own in senses.values() for offset in own}))
        numbers = {offset: i for i, offset in enumerate(needed, number)}
        number += len(needed)
        for offset in needed:
            parents = " ".join(str(numbers[parent]) for parent in synsets[offset].parents)
            lines.append(f"s\t{place[synsets[offset].file]}\t{parents}")
        for word, own in sorted(senses.items()):
            marks = ["" if word in synsets[offset].words else NAME for offset in own]
            listed = (f"{numbers[o]}{mark}" for o, mark in zip(own, marks, strict=True))
            words.append(f"{pos[0]}\t{word}\t{' '.join(listed)}")
    for letter, name in zip("pi", EXCEPTIONS, strict=True):
        words += [
            f"{letter}\t{form}\t{' '.join(lemmas)}"
            for form, *lemmas in sorted(rows(folder / name))
            if "_" not in form
        ]
    head = (HEAD + NOTICE.read_text(encoding="utf-8")).splitlines()
    return "\n".join([*(f"# {line}".rstrip() for line in head), *lines, *words]) + "\n"


def write(path: Path, text: str) -> None:
    """Write a text, packed, without a date and a name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.encode())


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(FOLDER))
    parser.add_argument("--out", type=Path, default=HERE / "wordnet.tsv.gz")
    args = parser.parse_args()
    lacking = [name for name in (*FILES, *EXCEPTIONS) if not (args.folder / name).is_file()]
    if lacking:
        sys.exit(
            f"{args.folder} lacks {', '.join(lacking)}. Install Debian's package wordnet-base "
            f"(apt-get install wordnet-base), whose files lie in {FOLDER}, or name their folder: "
            "python resources/lexicons/rebuild.py FOLDER."
        )
    write(args.out, table(args.folder))


if __name__ == "__main__":
    main()
