"""Rebuild toy_words.csv from the embedded world's topics: python resources/gender/rebuild.py"""

import csv
from pathlib import Path

import yaml

HERE = Path(__file__).parent
TOPICS = HERE.parent / "toy/topics.yaml"
COLUMNS = ("word", "text", "topic", "form")


def rows() -> list[dict[str, str]]:
    """Every word of a topic: itself, as the model reads it in a text (behind a blank), its topic,
    and whether it is a noun or a gerund (the last four of each list)."""
    topics = yaml.safe_load(TOPICS.read_text(encoding="utf-8"))["topics"]
    return [
        {
            "word": word,
            "text": f" {word}",
            "topic": topic,
            "form": "gerund" if number >= len(words) - 4 else "noun",
        }
        for topic, words in topics.items()
        for number, word in enumerate(words)
    ]


if __name__ == "__main__":
    with (HERE / "toy_words.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())
