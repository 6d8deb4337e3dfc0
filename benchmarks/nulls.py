"""Family-wise rates of the tests on real cells, on data sets in which there is nothing to find.

Labels are exchanged as each contrast's scheme does, by a matrix that is independent of that of the
test; the share of data sets with a discovery at .05 is printed for every contrast and form of its
test, over each cell and over all together. Beside them, on the same data sets, textbook tests with
Bonferroni's correction, and flips and exchanges of single texts in the place of whole originals.

    python benchmarks/nulls.py results/minilm/headlines L3R-8x L3M-8x --split train
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from clustered import by_formula, kept, null_maxima, per_text  # noqa: E402
from saegrid.base import io  # noqa: E402
from saegrid.codes.sparse import read_features  # noqa: E402
from saegrid.evidence import contrast, discovery, exchange, maxima, nuisances, texts  # noqa: E402
from saegrid.evidence.discovery import Bases, Question  # noqa: E402
from saegrid.evidence.nuisances import Numbers, basis, ending_of, replaced, word_of  # noqa: E402

CONTRASTS = ("k1", "k2", "k3", "k3g", "k4")
PLAN = {"label": "meanGrade", "high": 2.0, "low": 0.6, "same_high": 2.0, "same_low": 1.0}
NULLS = "nulls"


def read(folder: Path) -> texts.Texts:
    """The texts of a corpus."""
    tables = (io.read_table(folder / f"{name}.parquet") for name in ("items", "tokens", "spans"))
    return texts.texts(*tables)


def sides_of(corpus: texts.Texts, folder: Path) -> dict[str, Numbers]:
    """Form and ending of the words of both sides; frequencies are counts in the corpus."""
    spans, labels = io.read_table(folder / "spans.parquet"), corpus.labels
    words = {
        "edited": [word_of(edit) for edit in labels["edit"]],
        "original": [
            word_of(replaced(a, b))
            for a, b in zip(labels["original"], labels["edited"], strict=True)
        ],
    }
    folded = [word.casefold() for text in labels["original"] for word in text.split()]
    known, counts = np.unique(folded, return_counts=True)
    count = dict(zip(known, np.log1p(counts), strict=True))
    of_side = {}
    for side, own in words.items():
        rows = np.array(spans["side"].to_pylist()) == side
        item = spans["item"].to_numpy()[rows]
        place = {
            name: spans[name].to_numpy()[rows] for name in spans.column_names if name != "side"
        }
        number = {}
        for name, value in (
            ("n_tokens", place["edit_stop"] - place["edit_start"]),
            ("position", place["edit_start"] - place["start"]),
            ("length", place["stop"] - place["start"]),
        ):
            number[name] = np.full(corpus.n, np.nan)
            number[name][item] = value
        of_side[side] = Numbers(
            frequency=np.array([count.get(word.casefold(), 0.0) for word in own]),
            **number,
            capital=np.array([float(word[:1].isupper()) for word in own]),
            surprisal=np.full(corpus.n, np.nan),
            ending=np.array([ending_of(word) for word in own]),
        )
    return of_side


def asked(name: str, corpus: texts.Texts, chosen: np.ndarray, folder: Path, b: int) -> Question:
    """A contrast with its permutations and all nuisances but surprisal."""
    design = contrast.read(name)[0].design(corpus, chosen, PLAN)
    numbers = sides_of(corpus, folder)
    groups = [group for group in nuisances.GROUPS if group != "surprisal"]
    own, _ = basis(design, numbers["edited"], numbers["original"], groups)
    return discovery.question(name, design, Bases(nuisances=own), b, 0, "discovery")


def rate(largest: list[np.ndarray], nulls: list[np.ndarray]) -> float:
    """Share of data sets with a discovery over all cells."""
    threshold = maxima.threshold(np.max(largest, axis=0), 0.05)
    return float((np.max(nulls, axis=0) >= threshold).mean())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder of a corpus in results")
    parser.add_argument("cells", nargs="+")
    parser.add_argument("--split", help="the texts of this split alone")
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--nulls", type=int, default=1000)
    parser.add_argument("--contrasts", nargs="+", default=CONTRASTS)
    options = parser.parse_args()
    corpus = read(options.corpus)
    chosen = np.ones(corpus.n, bool)
    if options.split:
        chosen = np.array([one == options.split for one in corpus.labels["split"]])
    print(f"{options.nulls:,} null data sets, {options.permutations:,} permutations\n")
    print("| contrast | form | " + " | ".join([*options.cells, "all"]) + " |")
    print("|---" * (len(options.cells) + 3) + "|", flush=True)
    for name in options.contrasts:
        began = time.process_time()
        question = asked(name, corpus, chosen, options.corpus, options.permutations)
        rows: dict[str, list[float]] = {}
        joint: dict[str, tuple[list, list]] = {}
        for cell in options.cells:
            codes = read_features(options.corpus / "cells" / cell / "features.safetensors")
            pooled = kept(discovery.sides(codes, corpus, question.design))
            found = discovery.discover([question], {name: pooled}, 0)
            for variant in (*discovery.VARIANTS,):
                key = f"{name}/{variant}" if variant else name
                if key in found.maxima:
                    nulls = null_maxima(question, pooled, options.nulls, variant)
                    words = discovery.VARIANTS[variant].partition(" (")[0]
                    rows.setdefault(words, []).append(rate([found.maxima[key]], [nulls]))
                    one = joint.setdefault(words, ([], []))
                    one[0].append(found.maxima[key])
                    one[1].append(nulls)
            if question.design.scheme == exchange.WITHIN:
                continue
            alone = per_text(question)
            wrong = discovery.discover([alone], {name: pooled}, 0).maxima[name]
            if question.design.scheme == exchange.FLIPS:
                firing = pooled.firing()
                deviation = np.sqrt(np.asarray(firing.multiply(firing).sum(axis=1))).ravel()
                other = discovery.question("n", question.design, Bases(), options.nulls, 9, NULLS)
                wrong, nulls = (
                    largest_of(firing, one.scores(), deviation) for one in (alone, other)
                )
            else:
                nulls = null_maxima(question, pooled, options.nulls)
            rows.setdefault("single texts exchanged (wrong)", []).append(rate([wrong], [nulls]))
            if question.is_classes:
                for words, value in by_formula(question, pooled, options.nulls).items():
                    rows.setdefault(f"{words}, Bonferroni (wrong)", []).append(value)
        for words, values in rows.items():
            together = f"{rate(*joint[words]):.3f}" if words in joint else ""
            cells = " | ".join(f"{value:.3f}" for value in values)
            print(f"| {name} | {words} | {cells} | {together} |", flush=True)
        print(f"{name}: {time.process_time() - began:.0f} s", file=sys.stderr)


def largest_of(firing, scores: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(column,) largest sums of flips, in units of the deviation of independent ones."""
    out = np.zeros(scores.shape[1])
    for start in range(0, firing.shape[0], 500):
        sums = np.abs(firing[start : start + 500] @ scores)
        sums /= deviation[start : start + 500, None]
        np.maximum(out, sums.max(axis=0), out=out)
    return out


if __name__ == "__main__":
    main()
