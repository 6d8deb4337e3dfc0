"""The summary of the cells on several corpora."""

import pyarrow as pa
import pytest

from saegrid.base import io
from saegrid.base.digest import digest
from saegrid.features.summary import StaleCell, best_features, by_corpus, summary, with_shares

CELLS = ("L2R-8x", "L10A-8x")
CORPORA = [("up", "main"), ("down", "holdout"), ("plain", "reference")]
FILES = ("features.parquet", "concepts.parquet")


def largest(table):
    """A further number of a cell."""
    return table["density"].to_pylist()[0]


def write(root, corpus, cell, densities, l0):
    """The tables of a cell; its specs are corpus and cell."""
    folder = root / corpus / "cells" / cell
    folder.mkdir(parents=True)
    spec = f"{corpus} {cell}"
    facts = {"l0": l0, "n_tokens": 1000, "n_masked": 500}
    facts |= {"median_density": sum(densities) / 2, "max_density": densities[0]}
    io.write_table(folder / FILES[0], pa.table({"density": densities}), spec, facts)
    kinds = {"up": ["none", "token", "letter"], "down": ["meaning", "meaning", "coherent"]}
    rows = [{"kind": kind, "concept": "food"} for kind in kinds.get(corpus, [])]
    rows = rows or [{"kind": "meaning", "concept": name} for name in ("jobs", "food", "jobs")]
    numbered = [{"feature": 7 - n, "share_low": 0.5, **row} for n, row in enumerate(rows)]
    io.write_table(folder / FILES[1], pa.Table.from_pylist(numbered), spec)
    return dict.fromkeys(FILES, digest(spec))


@pytest.fixture
def world(tmp_path):
    """Digests by corpus and cell; densities 0.4 and 0.1 times one, two, three."""
    return {
        corpus: {
            cell: write(tmp_path, corpus, cell, [0.4 / n, 0.1 / n], l0=float(10 * n + layer))
            for layer, cell in enumerate(CELLS)
        }
        for n, (corpus, _) in enumerate(CORPORA, 1)
    }


def table_of(tmp_path, world, columns=()):
    main = summary(tmp_path / "up/cells", world["up"], [0.15], columns)
    others = {corpus: world[corpus] for corpus in ("plain", "down")}  # as a spec has them
    return by_corpus(main, tmp_path, CORPORA, others, [0.15], columns).to_pylist()


def test_the_numbers_of_a_cell_stand_together_in_the_order_of_the_corpora(tmp_path, world):
    rows = table_of(tmp_path, world)
    expected = [(cell, *corpus) for cell in CELLS for corpus in CORPORA]
    assert [(row["cell"], row["corpus"], row["role"]) for row in rows] == expected
    assert [row["l0"] for row in rows] == [10, 20, 30, 11, 21, 31]
    assert [row["n_above_0.15"] for row in rows] == 2 * [1, 1, 0]
    numbers = ("n_judged", "n_meaning", "n_coherent", "n_form", "n_concepts", "concepts")
    numbers += ("best_features",)
    assert [tuple(row[name] for name in numbers) for row in rows] == 2 * [
        (3, 0, 0, 2, 0, [], []),
        (3, 2, 1, 0, 1, ["food"], [6]),
        (3, 3, 0, 0, 2, ["food", "jobs"], [6, 5]),
    ]  # fmt: skip


def test_the_best_feature_of_a_concept_has_the_highest_lower_end():
    rows = [
        {"feature": feature, "kind": kind, "concept": concept, "share_low": low}
        for feature, kind, concept, low in [
            (9, "meaning", "food", 0.4), (3, "meaning", "food", 0.6), (2, "meaning", "food", 0.6),
            (1, "word", "food", 0.9), (8, "meaning", "body", 0.1), (4, "none", None, None),
        ]
    ]  # fmt: skip
    assert list(best_features(rows).items()) == [("body", 8), ("food", 2)]


def test_shares_are_those_of_masked_tokens(tmp_path, world):
    """Half of the tokens are masked: a density of 0.4 is a share of 0.8 of them."""
    rows = table_of(tmp_path, world)[:2]
    assert [row["max_share"] for row in rows] == pytest.approx([0.8, 0.4])
    assert [row["median_share"] for row in rows] == pytest.approx([0.5, 0.25])
    none = {"median_density": None, "max_density": None, "n_tokens": 0, "n_masked": 0}
    assert with_shares(none) == none | {"median_share": None, "max_share": None}


def test_a_number_that_a_corpus_lacks_is_null(tmp_path, world):
    """A table that only the main corpus has, or only one more."""
    column = ("largest", "test_summary:largest", "extra.parquet")
    for corpus in ("up", "down"):
        for cell in CELLS:
            path = tmp_path / corpus / "cells" / cell / "extra.parquet"
            io.write_table(path, pa.table({"density": [float(len(corpus))]}), "extra")
            world[corpus][cell]["extra.parquet"] = digest("extra")
    rows = table_of(tmp_path, world, [column])
    assert [row["largest"] for row in rows] == 2 * [2.0, 4.0, None]


def test_a_stale_table_of_any_corpus_is_refused(tmp_path, world):
    world["plain"]["L10A-8x"]["concepts.parquet"] = digest("another spec")
    with pytest.raises(
        StaleCell, match=r"plain/cells/L10A-8x/concepts\.parquet was made with other"
    ):
        table_of(tmp_path, world)
