"""Texts of two classes: which they are, the vector of each, and its descriptions."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from saegrid.base import io
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes import labelled
from saegrid.evidence.probes.convention import Rows, lasts, means
from saegrid.evidence.probes.vectors import captured
from toys import tokens_table

SETTINGS = {
    "corpus": "words",
    "label": "gender",
    "classes": None,
    "type": None,
    "folds": 2,
    "seed": 0,
    "carried": False,
}


def corpus(labels, rows, texts=None):
    """Items, tokens and spans of plain texts; the first token of each row is special."""
    n = len(labels)
    texts = texts or [f"Word{i}" for i in range(n)]
    tokens, spans = tokens_table(rows)
    items = pa.table(
        {
            "item": pa.array(range(n), pa.int32()),
            "id": [str(i) for i in range(n)],
            "edited": texts,
            "group": pa.array(range(n), pa.int32()),
            "gender": labels,
            "lemma": [text.split()[-1] for text in texts],
        }
    )
    return items, tokens, spans


def of(labels, rows=None, kept=None, unknown=(), texts=None, **settings):
    rows = rows or [[1, 10 + i, 20 + i] for i in range(len(labels))]
    kept = np.ones(len(labels), bool) if kept is None else np.array(kept)
    return labelled.words(corpus(labels, rows, texts), kept, unknown, SETTINGS | settings)


def test_words_have_classes_types_tokens_and_folds(tmp_path):
    texts = [f"{'THE' if i % 2 else 'the'} word{i // 2}" for i in range(24)]
    labels = ["f", "f", "m", "m"] * 6
    rows = [[1, 5, 6, 7][: 2 + i % 3] for i in range(24)]
    table, facts = of(labels, rows, texts=texts)
    io.write_table(tmp_path / "texts.parquet", table)
    words = labelled.read_words(str(tmp_path / "texts.parquet"))
    assert words.classes == ("f", "m") and facts["classes"] == ["f", "m"]
    assert words.y.tolist() == [0, 0, 1, 1] * 6
    # `THE word3` and `the word3` are one type, and types are in one fold.
    assert len(set(words.type.tolist())) == 12
    assert all(len(set(words.fold[words.type == t].tolist())) == 1 for t in set(words.type))
    assert words.n_tokens.tolist() == [1 + i % 3 for i in range(24)]
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    expected = [list(range(s + 1, s + len(r))) for s, r in zip(starts, rows, strict=True)]
    assert table["token"].to_pylist() == expected
    assert {*words.fold.tolist()} == {0, 1} and facts["left_out"] == {}


def test_classes_that_are_named_leave_other_texts_out_and_the_last_is_predicted():
    labels = ["m", "f", "x", "m"] * 6
    table, _ = of(labels, classes=["m", "f"])
    assert {*zip(table["label"].to_pylist(), table["y"].to_pylist(), strict=True)} == {
        ("m", 0.0),
        ("f", 1.0),
    }
    assert table.num_rows == 18


def test_texts_that_are_not_kept_are_left_out():
    labels = ["m", "f"] * 8
    table, _ = of(labels, kept=[i > 3 for i in range(16)])
    assert table["item"].to_pylist() == list(range(4, 16))


def test_words_of_unknown_tokens_alone_are_left_out_and_told():
    labels = ["m", "f"] * 8
    rows = [[1, 10 + i, 20 + i] for i in range(16)]
    rows[3], rows[4] = [1, 3, 3], [1, 3, 9]
    rows[6] = [1]
    table, facts = of(labels, rows, unknown=[3])
    assert facts["left_out"] == {"no token": ["Word6"], "unknown tokens only": ["Word3"]}
    assert 4 in table["item"].to_pylist() and table.num_rows == 14


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"labels": ["f"] * 16}, "analyses.readout.label: gender must have two classes; in words"),
        (
            {"labels": ["f", "m", "x"] * 5},
            "analyses.readout.label: gender must have two classes; in words it has 3 ('f', 'm'",
        ),
        (
            {"labels": ["f"] * 15 + ["m"]},
            "analyses.readout.label: gender 'm' has 1 word type in words; at least 2 are needed",
        ),
        (
            {"labels": ["f", "m"] * 8, "classes": ["f", "M"]},
            "analyses.readout.classes: no text of words has gender 'M'; there are 'f', 'm'.",
        ),
        (
            {"labels": ["f", "m"] * 8, "unknown": range(10, 60)},
            "corpora.words: the tokenizer spells none of 16 labelled texts ('Word0', 'Word1'",
        ),
        (
            {"labels": ["f", "m"] * 4},
            "analyses.readout.folds: 2 folds are too many for 8 word types, 4 of 8 texts in one",
        ),
    ],
)
def test_texts_that_cannot_answer_are_refused_in_one_sentence(arguments, words):
    with pytest.raises(Unusable) as problem:
        of(**arguments)
    assert str(problem.value).startswith(words)


def test_mean_and_last_by_hand():
    x = np.arange(20, dtype=np.float32).reshape(10, 2)
    rows = Rows(x, np.array([1, 2, 5, 6, 7, 9]), np.array([0, 2, 5, 6]))
    assert means(rows).tolist() == [[3, 4], [12, 13], [18, 19]]
    assert lasts(rows).tolist() == [[4, 5], [14, 15], [18, 19]]


def test_means_do_not_depend_on_how_many_tokens_are_read_at_a_time(monkeypatch):
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 9, 50)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    x = rng.standard_normal((400, 3)).astype(np.float32)
    rows = Rows(x, np.sort(rng.choice(400, indptr[-1], replace=False)), indptr)
    whole = means(rows)
    monkeypatch.setattr("saegrid.evidence.probes.convention.BLOCK", 5)
    assert np.array_equal(means(rows), whole)
    pieces = np.split(x[rows.place].astype(np.float64), indptr[1:-1])
    assert np.allclose(whole, [piece.mean(axis=0) for piece in pieces], rtol=1e-15)


def test_a_token_that_was_not_captured_is_one_sentence(tmp_path):
    table, _ = of(["m", "f"] * 8)
    token = np.arange(47)  # the last token of the last text is missing
    x = np.zeros((47, 2), np.float32)
    io.write_tensors(tmp_path / "x.safetensors", {"x": x, "token": token})
    with pytest.raises(Unusable, match=r"corpora.words.tokens.context: 1 of 32 tokens of the"):
        captured(table, [str(tmp_path / "x.safetensors")], "words")


class Files:
    """Inputs of a job of a site."""

    def __init__(self, vectors, codes):
        self.vectors, self.codes = vectors, codes


def test_descriptions_of_a_site_and_its_cells(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((12, 4)).astype(np.float32)
    z = sparse.random(12, 9, 0.3, format="csr", random_state=2, dtype=np.float32)
    io.write_tensors(tmp_path / "x.safetensors", {"x/mean": x})
    names = ("data", "indices", "indptr")
    parts = {f"codes/mean/{name}": getattr(z, name) for name in names}
    cell = {"d_sae": np.array([9]), "x_hat/mean": 0.9 * x, **parts}
    paths = []
    for number in range(2):
        paths.append(str(tmp_path / f"{number}.safetensors"))
        io.write_tensors(paths[-1], cell)
    settings = {
        "site": "L0R",
        "cells": ["L0R-a", "L0R-b"],
        "vectors": ["mean"],
        "representations": ["x", "pca", "codes", "random"],
        "seed": 0,
    }
    files = Files(str(tmp_path / "x.safetensors"), paths)
    every = list(labelled.described(files, settings))
    # Random directions stand once for a width.
    assert [(one.representation, one.cell) for one in every] == [
        ("x", None),
        ("pca", None),
        ("codes", "L0R-a"),
        ("random", "L0R-a"),
        ("codes", "L0R-b"),
    ]
    raw, components, codes, random, _ = every
    assert np.array_equal(raw.columns, x.astype(np.float64)) and raw.x_hat is None
    assert np.array_equal(codes.columns.toarray(), z.toarray().astype(np.float64))
    assert np.array_equal(codes.x_hat, (0.9 * x).astype(np.float32))
    k = round(z.nnz / 12)
    assert random.columns.shape == (12, 9) and 0 < random.columns.getnnz(axis=1).max() <= k
    split = labelled.Split(np.arange(8), np.arange(8, 12))
    fitted = components.columns(split)[:8]
    # Uncorrelated on the texts that they are fitted on, the largest variance first.
    covariance = fitted.T @ fitted
    assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
    assert (np.diff(np.diag(covariance)) <= 0).all()
    chosen = settings | {"representations": ["codes"]}
    assert [one.cell for one in labelled.described(files, chosen)] == ["L0R-a", "L0R-b"]
