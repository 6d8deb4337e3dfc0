"""CPU seconds of reading a corpus and of judging features by word lists.

    python benchmarks/tables.py [--headlines train.csv]

Headlines are those of the toy study, written many times over, unless a file in the format of
Humicroedit is named. Targets: 10,000 headlines in 2 s, 20,000 features in 1 s.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from saegrid.features.topics import judge

from saegrid.text.corpora.items import items

TOY = Path(__file__).resolve().parents[1] / "resources/toy/headlines.csv"
ROWS, FEATURES, TARGETS = 10_000, 20_000, {"headlines": 2, "features": 1}


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


def shown() -> tuple[pa.Table, dict[str, list[str]]]:
    """Top tokens of made-up features, and lists of their words."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}ing" for i in range(4000)])
    table = pa.table(
        {
            "feature": np.repeat(np.arange(FEATURES, dtype=np.int32), 20),
            "example_rank": np.tile(np.arange(20), FEATURES),
            "item": rng.integers(0, 600, 20 * FEATURES),
            "word": words[rng.integers(0, len(words), 20 * FEATURES)],
        }
    )
    return table, {f"topic {i}": words[i::10].tolist() for i in range(10)}


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
    table, lists = shown()
    start = time.process_time()
    n = judge(table, lists).num_rows
    took["features"] = n, time.process_time() - start
    for name, (n, seconds) in took.items():
        print(f"{n:,} {name}: {seconds:.2f} s of CPU; target {TARGETS[name]} s")


if __name__ == "__main__":
    main()
