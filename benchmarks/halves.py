"""Discoveries between random halves of one set of texts, in which there is nothing to find.

Every class of a column is cut by seeds; texts that belong together stay together. Printed: the
seeds whose search finds a feature, of firing alone and with the nuisances projected out.

    python benchmarks/halves.py results/compare-clickbait-factual/texts L3R-sae
"""

import argparse
from pathlib import Path

import numpy as np

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.evidence import maxima, nuisance_table, planning, search, texts
from saegrid.evidence.questions import Corpus
from saegrid.stages.tests import Settings

VARIANTS = {"label": "statistic", "label/nuisances": "statistic_nuisances"}


def main() -> None:
    """Print the number of seeds with a discovery, by class."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="results of the tests on a corpus")
    parser.add_argument("cell")
    parser.add_argument("--column", default="split", help="column that holds the classes")
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    tables = (io.read_table(asked.folder / f"{n}.parquet") for n in ("items", "tokens", "spans"))
    corpus = texts.texts(*tables)
    features = read_features(asked.folder / "cells" / asked.cell / "features.safetensors")
    known = nuisance_table.read(io.read_table(asked.folder / "nuisances.parquet"), corpus.n)
    classes = np.array(corpus.labels[asked.column], object)
    for name in sorted({one for one in classes if one is not None}):
        hits = np.zeros((asked.seeds, len(VARIANTS)), bool)
        for seed in range(asked.seeds):
            half = np.random.default_rng(seed).integers(0, 2, corpus.cluster.max() + 1)
            label = [
                "ab"[half[c]] if classes[i] == name else None for i, c in enumerate(corpus.cluster)
            ]
            cut = corpus._replace(labels={**corpus.labels, "half": label})
            settings = Settings(contrasts=["label"], label="half", share=0.5, seed=seed)
            head = {"study": "halves", "main": "texts", "names": ["texts"], "holdouts": []}
            plan = planning.checked_plan(
                {**head, "grade": None, "tests": settings.model_dump(mode="json")}, [cut]
            )
            found = search.search(plan, {"texts": features}, {"texts": Corpus(cut, *known)})
            hits[seed] = [
                (maxima.adjusted(found.table[of].to_numpy(), found.maxima[key]) <= 0.05).any()
                for key, of in VARIANTS.items()
            ]
        alone, without = hits.sum(axis=0)
        print(f"{name}: {alone} of {asked.seeds} seeds; with nuisances out {without}", flush=True)


if __name__ == "__main__":
    main()
