"""Rebuild toy_words.csv from the embedded world's topics: python resources/gender/rebuild.py"""

import csv
from pathlib import Path

import yaml

HERE = Path(__file__).parent
TOPICS = HERE.parent / "toy/topics.yaml"
COLUMNS = ("Word", "Category")
"""As in the published list of gendered words, so that one config reads both."""


def rows() -> list[dict[str, str]]:
    """Every word of a topic, behind the blank with which the model knows it from texts."""
    topics = yaml.safe_load(TOPICS.read_text(encoding="utf-8"))["topics"]
    return [
        {"Word": f" {word}", "Category": topic} for topic, words in topics.items() for word in words
    ]


if __name__ == "__main__":
    with (HERE / "toy_words.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())
