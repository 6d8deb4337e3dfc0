"""CPU seconds of reading a corpus and of judging features by their concepts.

    python benchmarks/tables.py [--headlines train.csv]

Headlines are those of the toy study, written many times over, unless a file in the format of
Humicroedit is named. Features fire on 60 of 10,000 edits, with 26 concepts and 200 dealt lexicons.
Targets: 10,000 headlines in 2 s, 20,000 features in 3 s.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from saegrid.meaning import enrichment
from saegrid.meaning.concepts import Rule, judge
from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.meaning.vocabulary import Concept, Vocabulary
from saegrid.text.corpora.items import items

TOY = Path(__file__).resolve().parents[1] / "resources/toy/headlines.csv"
ROWS, FEATURES, TARGETS = 10_000, 20_000, {"headlines": 2, "features": 3}
TYPES, CONCEPTS, FIRES, PERMUTATIONS = 4_000, 26, 60, 200


def many(path: Path) -> None:
    """Write the toy's headlines until there are enough, under ids of their own."""
    with TOY.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        for n in range(ROWS):
            out.writerow({**rows[n % len(rows)], "id": n})


def read(path: Path) -> int:
    """Read headlines as items; how many there are."""
    columns = {"id": "id", "original": "original", "edit": "edit"}
    labels = {"grades": "text", "meanGrade": "number"}
    source = {"kind": "csv", "files": {"all": str(path)}, "columns": columns, "labels": labels}
    grades = {"digits": "grades", "mean": "meanGrade", "low": 0, "high": 3}
    return items(source, grades=grades).table.num_rows


def fires() -> tuple[Fired, Occurrences, Vocabulary, list[str]]:
    """Made-up features on made-up edits, the words of these and their tokens."""
    rng = np.random.default_rng(0)
    type_ = rng.integers(0, TYPES, ROWS).astype(np.int32)
    names = [f"word{number}ing" for number in range(TYPES)]
    said, never = [names[one] for one in type_], np.zeros(ROWS, bool)
    of = Occurrences(np.arange(ROWS), np.arange(ROWS), said, never, never)
    member = rng.random((TYPES, CONCEPTS)) < 0.05
    concepts = [Concept(f"topic {i}", f"topic {i}", "lists") for i in range(CONCEPTS)]
    category = np.where(member.any(axis=1), member.argmax(axis=1), -1)
    at = rng.integers(0, ROWS, (FEATURES, FIRES)).ravel()
    value = -np.sort(-rng.random((FEATURES, FIRES)), axis=1).ravel().astype(np.float32)
    fired = Fired(np.repeat(np.arange(FEATURES), FIRES), at, value, at)
    return fired, of, Vocabulary(type_, names, concepts, member, category, None), said


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--headlines", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.headlines or Path(folder) / "headlines.csv"
        if given.headlines is None:
            many(path)
        start = time.process_time()
        n = read(path)
        took = {"headlines": (n, time.process_time() - start)}
    made = fires()
    start = time.process_time()
    n = judge(*made, enrichment.deals(TYPES, PERMUTATIONS, 0), Rule()).concepts.num_rows
    took["features"] = n, time.process_time() - start
    for name, (n, seconds) in took.items():
        print(f"{n:,} {name}: {seconds:.2f} s of CPU; target {TARGETS[name]} s")


if __name__ == "__main__":
    main()
