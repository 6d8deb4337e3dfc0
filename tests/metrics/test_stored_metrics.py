"""SAEs judged on a store: as on the same text in tables, and on no more of it than is needed."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch

from saegrid.base import io
from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.metrics import measure
from saegrid.metrics.baselines.table import baselines_of
from saegrid.metrics.measure import metrics_of
from saegrid.metrics.metric import NO_ROWS, MetricsError
from saegrid.metrics.sources import Captured, Stored, files
from saegrid.models.forward import capture
from saegrid.models.load import load
from saegrid.models.tiles import Rows
from saegrid.store import stream
from saegrid.store.manifest import read_manifest, write_facts
from saegrid.store.stream import StoreStream
from saegrid.text import tokenizer
from saegrid.text.split import held_out
from stores import TOKENIZER, column, make, make_model, words, write_texts
from subjects import random_sae, written

SITE, SHARE, SEED = "L1R", 0.3, 5
SHORT = words(90, longest=10)
LONG = words(40, seed=1, longest=90)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model")) | {"tokenizer": str(TOKENIZER)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory, model):
    """Makes stores of lists of texts; the facts file of one."""

    def fill(texts, **told):
        folder = tmp_path_factory.mktemp("store")
        source = write_texts(tmp_path_factory.mktemp("texts"), texts)
        manifest = make(folder, model, source, [SITE], **{"shard_tokens": 120, **told})
        write_facts(manifest, [folder / f"{SITE}.json"], "")
        return folder / f"{SITE}.json"

    return fill


@pytest.fixture(scope="module")
def store(filled):
    return filled(SHORT)


def rows_of_texts(texts, length=32):
    """Ids of the rows of each text, as the model reads them."""
    encoder = tokenizer.load(TOKENIZER)
    before, body = [s.id for s in encoder.prefix], length - 1
    assert len(before) == 1 and not encoder.suffix
    ids = [encoder.encode([text]).ids.tolist() for text in texts]
    return [[before + one[i : i + body] for i in range(0, len(one), body)] for one in ids]


@pytest.fixture(scope="module")
def tables(tmp_path_factory, store):
    """The activations of the store in files, with a table of tokens, a row a text."""
    rows = [row for (row,) in rows_of_texts(SHORT)]
    special = np.concatenate([np.arange(len(row)) == 0 for row in rows])
    row = np.repeat(np.arange(len(rows)), list(map(len, rows))).astype(np.int32)
    tokens = pa.table(
        {
            "row": row,
            "group": row,
            "token_id": np.concatenate(rows).astype(np.int32),
            "special": special,
        }
    )
    x = column(store.parent, SITE)
    return Captured(written(tmp_path_factory.mktemp("x"), x, np.flatnonzero(~special), 2), tokens)


@pytest.fixture
def settings(model):
    return {
        "cell": f"{SITE}-8x",
        "corpus": "tales",
        "split": {"share": SHARE, "seed": SEED},
        "metrics": {"tokens": 10_000, "rows": 64, "seed": 0},
        "model": model,
        "threads": 1,
    }


def cut(settings, **chosen):
    return {**settings, "metrics": {**settings["metrics"], **chosen}}


SAE = random_sae(d=32, m=160, k=9)


# --- the same as in tables -----------------------------------------------------------------------


def test_numbers_are_those_of_the_same_text_in_tables(store, tables, settings):
    found = metrics_of(SAE, Stored(store), settings, 2000)
    assert found == metrics_of(SAE, tables, settings, 2000)
    assert found["metrics"]["ce_spliced"]["value"] > 0
    assert found["tokens"]["held_out"] > 100


def test_baselines_are_those_of_the_same_text_in_tables(store, tables, tmp_path):
    chosen = {"tokens": 10_000, "fit": 10_000, "ranks": [5], "seed": 0}
    settings = {
        "splits": [{"share": SHARE, "seed": SEED}, {"share": 0.5, "seed": 0}],
        "metrics": {**chosen, "baselines": ["pca", "random"]},
    }
    cells = [tmp_path / "metrics.json"]
    io.write_json(cells[0], {"metrics": {"l0": {"value": 3.0}}, "d_sae": 64})
    expected = baselines_of(tables, settings, cells)
    assert baselines_of(Stored(store), settings, cells).equals(expected)
    few = {**settings, "metrics": {**settings["metrics"], "tokens": 50, "fit": 100}}
    table = baselines_of(Stored(store), few, cells)
    assert set(table["n"].to_pylist()) == {50} and set(table["n_learned"].to_pylist()) == {100}


def test_either_kind_is_opened_by_one_function(store, tables, tmp_path):
    assert isinstance(files([store], []), Stored)
    path = tmp_path / "tokens.parquet"
    io.write_table(path, tables.tokens)
    found = files(tables.paths, path)
    assert isinstance(found, Captured)
    assert found.split(SHARE, SEED, 1, 1).measured.tolist()


# --- what is held out ----------------------------------------------------------------------------


def test_the_training_never_saw_what_is_measured(store):
    """All that its stream holds out, in its order, and nothing else."""
    of_training = StoreStream.of(store, hold_out=SHARE, seed=SEED)
    given = Stored(store).split(SHARE, SEED, 10**9, 10**9)
    held = np.concatenate(list(of_training.held_out()))
    assert widen(given.x[given.measured]).tobytes() == held.tobytes()
    assert len(given.learned) == of_training.n_train
    assert len(given.learned) + len(given.measured) == given.x.shape[0]


def test_the_mean_is_that_of_the_trainings_moments(store, settings, monkeypatch):
    means = []
    monkeypatch.setattr(measure, "LEARNED", 200)
    monkeypatch.setattr(stream, "SAMPLE", 200)
    monkeypatch.setattr(
        measure, "measure", lambda subject, *_: means.append(subject.mean) or ({}, {})
    )
    metrics_of(SAE, Stored(store), settings, 2000)
    _, expected, _ = StoreStream.of(store, hold_out=SHARE, seed=SEED).moments()
    np.testing.assert_allclose(means[0], expected, rtol=1e-12)


def test_no_more_shards_are_read_than_are_needed(store, settings, tmp_path, monkeypatch):
    """The first ones have all; the others need not even be there."""
    monkeypatch.setattr(measure, "LEARNED", 50)
    copy = shutil.copytree(store.parent, tmp_path / "store")
    shards = read_manifest(copy).shards
    assert len(shards) > 4
    for number in range(2, len(shards)):
        (copy / SITE / f"{number:05}.safetensors").unlink()
    few = cut(settings, tokens=20, rows=3)
    cropped, whole = (metrics_of(SAE, Stored(p), few, 2000) for p in (copy / store.name, store))
    assert cropped == whole
    given = Stored(copy / store.name).split(SHARE, SEED, 20, 50)
    assert len(given.measured) >= 20 and len(given.learned) == 50
    assert given.x.shape[0] <= sum(shard.entries for shard in shards[:2])
    row = column(store.parent, SITE, "row")
    assert given.learned.tolist() == np.flatnonzero(~held_out(row, SHARE, SEED))[:50].tolist()


def test_baselines_are_measured_on_the_tokens_of_the_sae(store):
    """However many an SAE's mean and baselines learn from."""
    given = [Stored(store).split(SHARE, SEED, 20, n) for n in (1, 50, 10**9)]
    rows = [one.measured.tolist() for one in given]
    assert rows[0] == rows[1] == rows[2]
    assert [len(one.learned) for one in given[:2]] == [1, 50]
    every = Stored(store).split(SHARE, SEED, 10**9, 1).measured.tolist()
    assert 20 <= len(rows[0]) < len(every) and rows[0] == every[: len(rows[0])]


def test_nothing_held_out_is_told(store):
    n = len(column(store.parent, SITE))
    with pytest.raises(MetricsError) as error:
        Stored(store).split(0.0, SEED, 10, 10)
    assert f"L1R.json: of {n} tokens 0 are held out where 0 of the rows are" in str(error.value)


# --- rows for the model --------------------------------------------------------------------------


@pytest.mark.parametrize("told", [{}, {"cut": "truncate"}, {"max_length": 12}], ids=str)
def test_rows_are_those_that_the_model_saw(filled, model, told):
    """Their ids, and bit by bit the activations that the store has of them."""
    store, length = filled(LONG, **told), told.get("max_length", 32)
    found = Stored(store).text(SHARE, SEED, 10**6, 0, model)
    rows = rows_of_texts(LONG, length)
    assert max(map(len, rows)) > 2, "texts of several rows"
    if told.get("cut") == "truncate":
        rows = [several[:1] for several in rows]
    apart = np.flatnonzero(held_out(np.arange(len(LONG)), SHARE, SEED))
    expected = [row for text in apart for row in rows[text]]
    cuts = [found.ids[a:b].tolist() for a, b in zip(found.starts, found.starts[1:], strict=False)]
    assert cuts == expected
    assert found.special.tolist() == [at == 0 for row in expected for at in range(len(row))]
    assert found.chosen.tolist() == list(range(len(expected)))
    wanted = np.flatnonzero(~found.special)
    with torch.inference_mode():
        site = Site.parse(SITE)
        x = capture(load(model), Rows(found.ids, found.starts), wanted, [site])[site]
    given = Stored(store).split(SHARE, SEED, 10**9, 10**9)
    assert x.numpy().tobytes() == np.ascontiguousarray(given.x[given.measured]).tobytes()


def test_some_rows_are_a_seeded_sample_of_the_first_shards(filled, model):
    source = Stored(filled(LONG, shard_tokens=500))
    every = source.text(SHARE, SEED, 10**6, 0, model)
    one, again, other = (source.text(SHARE, SEED, 5, seed, model) for seed in (0, 0, 1))
    assert len(one.chosen) == 5
    assert 5 < len(one.starts) - 1 < len(every.starts) - 1
    assert one.ids.tolist() == every.ids[: len(one.ids)].tolist()
    assert one.chosen.tolist() == again.chosen.tolist() != other.chosen.tolist()
    assert source.text(SHARE, SEED, 0, 0, model) == NO_ROWS
    assert source.text(0.0, SEED, 5, 0, model) == NO_ROWS


@pytest.mark.parametrize(
    ("told", "because"),
    [
        ({"choice": "last"}, "the store has choice last and norm none: only where it has all"),
        ({"choice": "mean"}, "the store has choice mean and norm none"),
        ({"norm": "layer"}, "the store has choice all and norm layer"),
        ({"max_characters": 60}, "the store does not tell where rows begin in texts that were cut"),
    ],
)
def test_without_the_models_own_rows_there_is_no_cross_entropy(filled, settings, told, because):
    found = metrics_of(SAE, Stored(filled(SHORT, **told)), cut(settings, tokens=40), 2000)
    for name in ("ce_original", "ce_spliced", "ce_zero", "ce_recovered", "kl"):
        assert found["metrics"][name]["value"] is None
        assert found["metrics"][name]["because"].startswith(because)
    assert found["metrics"]["fvu"]["value"] > 0


def test_texts_that_are_truncated_at_a_character_are_whole_rows(filled, settings):
    store = filled(LONG, max_characters=60, cut="truncate")
    found = metrics_of(SAE, Stored(store), settings, 2000)
    assert found["metrics"]["kl"]["value"] > 0


def test_means_over_texts_are_no_tokens_own(filled, model):
    """Other choices keep the token ids of their entries."""
    settings = {"cell": f"{SITE}-8x", "corpus": "c", "split": {"share": SHARE, "seed": SEED}}
    settings |= {"metrics": {"tokens": 500, "rows": 0, "seed": 0}, "model": model, "threads": 1}
    for choice, there in (("mean", False), ("all", True)):
        source = Stored(filled(SHORT, choice=choice))
        given = source.split(SHARE, SEED, 500, 500)
        assert (given.ids is not None) == there
        sae = random_sae(given.x.shape[1])
        found = metrics_of(sae, source, settings, 2000)["metrics"]
        assert (found["null_top_token_share"]["value"] is not None) == there
        chosen = {"tokens": 500, "fit": 500, "ranks": [4], "seed": 0, "baselines": ["neurons"]}
        told = {"splits": [{"share": SHARE, "seed": SEED}], "metrics": chosen}
        rows = baselines_of(source, told, []).to_pylist()
        assert all((row["top_token_share"] is not None) == there for row in rows), choice
