"""Clusters of a made corpus: its topics come back, with the words that their features fire on."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from naming import TOPICS, WORDS, corpus
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes.material import Activations
from saegrid.evidence.texts import texts
from saegrid.meaning.clusters import named
from saegrid.meaning.clusters.rows import Cell, by_decoder, by_firing, most_active, of_codes
from saegrid.meaning.clusters.site import Named, of_site
from saegrid.meaning.clusters.tables import DEFINITIONS, SCHEMAS
from saegrid.meaning.clusters.units import activations_of, density_of, units
from saegrid.stages.clusters import RELATIONS, TABLES, UNITS, Settings

QUICK = {"label": "topic", "draws": 20, "nulls": 2, "intervals": 20, "permutations": 19, "k": 4}
N = 120
"""Texts that are kept."""


class World:
    """Plain texts with features that fire on the words of their topics."""

    def __init__(self, samples=1):
        self.tokens, self.features, _ = corpus(paired=False)
        n = max(self.tokens["item"].to_pylist()) + 1
        self.n, self.topic = n, [TOPICS[item % len(TOPICS)] for item in range(n)]
        # Samples of an original are of one topic: texts 0, 4, 8 and so on.
        group = [item % 4 + 4 * (item // (4 * samples)) for item in range(n)]
        self.items = pa.table(
            {"item": range(n), "group": group, "topic": self.topic, "same": ["a"] * n,
             "other": [str(item // 2 % 3) for item in range(n)], "size": [1.0] * n}
        )  # fmt: skip
        first = np.flatnonzero(np.diff(self.tokens["row"].to_numpy(), prepend=-1))
        stop = np.diff(np.append(first, self.tokens.num_rows))
        zeros = np.ones(n, int)
        self.spans = pa.table(
            {"item": range(n), "side": ["plain"] * n, "row": range(n), "start": zeros,
             "stop": stop, "edit_start": zeros, "edit_stop": zeros}
        )  # fmt: skip

    def units(self, unit="text", label="topic", kept=None):
        kept = np.arange(self.n) < N if kept is None else kept
        of = texts(self.items, self.tokens, self.spans)
        return units(of, kept, self.features.token, self.tokens, unit, label)

    def tables(self, unit="text", concepts=None, **more):
        x = np.random.default_rng(0).normal(size=(len(self.features.token), 6)).astype(np.float32)
        of = self.units(unit)
        named_by = Named(
            named.Words.of(self.tokens), {"L1R-8x": concepts or {}}, {"namer": "lexical"}, ""
        )
        settings = Settings(**(QUICK | more)).model_dump(mode="json")
        cells = [Cell("L1R-8x", self.features)]
        return of_site(of, [Activations(x, self.features.token)], cells, named_by, settings)


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def tables(world):
    return world.tables(features=[])


def row_of(tables, representation, variant="specific"):
    (row,) = (
        row
        for row in tables["clusterings"]
        if (row["representation"], row["variant"]) == (representation, variant)
    )
    return row


def test_codes_give_the_topics_back_and_noise_does_not(tables):
    codes, x = row_of(tables, "codes"), row_of(tables, "x")
    assert codes["k"] == 4 and codes["ari"] == pytest.approx(1) and codes["ari_p"] == 1 / 20
    assert abs(x["ari"]) < 0.05 and x["ari_p"] > 0.05
    assert codes["ari_over_x"] == pytest.approx(codes["ari"] - x["ari"])
    assert codes["ari_over_x_low"] > 0.9
    assert row_of(tables, "codes", "as many")["k"] == 4


def test_clusters_are_named_by_the_words_of_their_features(tables):
    rows = [row for row in tables["clusters"] if row["representation"] == "codes"]
    assert sorted(row["label"] for row in rows) == sorted(TOPICS)
    for row in rows:
        (feature,) = row["columns"]
        assert TOPICS[feature] == row["label"] and row["n_label"] == row["n"] == 30
        assert set(row["name"].split(", ")) <= set(WORDS[row["label"]])
        assert all(set(text.split()) & set(WORDS[row["label"]]) for text in row["texts"])
    assert all("name" not in r for r in tables["clusters"] if r["representation"] == "x")


def test_a_concept_that_most_features_share_is_the_name(world):
    concept = {"kind": "meaning", "concept": "topics.animals"}
    rows = world.tables(concepts={0: concept}, features=[])["clusters"]
    assert [r["name"] for r in rows if r["columns"] == [0] and r["cell"]] == ["topics.animals"]
    assert named.shared([1, 2], {1: concept}) is None
    assert named.shared([1, 2, 3], {1: concept, 2: concept}) == concept


def test_tables_have_their_columns_and_definitions(tables):
    for name, schema in SCHEMAS.items():
        assert pa.Table.from_pylist(tables[name], schema).num_rows == len(tables[name])
        assert {key for row in tables[name] for key in row} <= set(schema.names)
    assert set(DEFINITIONS) <= {n for schema in SCHEMAS.values() for n in schema.names}
    assert tuple(SCHEMAS) == TABLES
    members = [row for row in tables["members"] if row["variant"] == "specific"]
    assert len(members) == 2 * N


def test_a_cell_that_is_silent_has_no_clusters(world, monkeypatch, capsys):
    monkeypatch.setattr(world, "features", world.features.select(np.array([4, 4])))
    tables = world.tables(features=["firing"])
    assert {row["representation"] for row in tables["clusterings"]} == {"x"}
    assert "L1R-8x: 0 features fire on enough texts, no clusters" in capsys.readouterr().out


def test_the_stage_knows_the_names_of_the_library():
    from saegrid.meaning.clusters import rows
    from saegrid.meaning.clusters import units as of

    assert tuple(rows.RELATIONS) == RELATIONS and tuple(of.UNITS) == UNITS


def test_samples_of_an_original_are_one_text():
    world = World(samples=3)
    of = world.units("original")
    assert of.n == 40 and len(np.unique(of.original)) == 40
    alone = world.units("text")
    codes, parts = (of_codes(u, world.features, "idf").columns.toarray() for u in (of, alone))
    for unit in range(0, 40, 9):
        own = np.flatnonzero(alone.original == of.original[unit])
        assert len(own) == 3 and codes[unit].tolist() == parts[own].max(axis=0).tolist()
    x = np.arange(2.0 * len(world.features.token)).reshape(-1, 2).astype(np.float32)
    means = activations_of(of, [Activations(x, world.features.token)])
    tokens = of.view.token[of.view.item == 7]
    at = np.searchsorted(world.features.token, tokens)
    assert means[7] == pytest.approx(x[at].astype(float).mean(axis=0))
    assert world.tables("original", features=[])["clusterings"][0]["n"] == 40


def test_densities_are_shares_of_the_tokens(world):
    of = world.units(kept=np.arange(480) < 100)
    inside = np.isin(world.features.token, of.view.token).sum()
    fires = [np.isin(world.features.of(f)[0], of.view.token).sum() for f in range(5)]
    assert density_of(of, world.features) == pytest.approx(np.array(fires) / inside)
    assert of.n == 100 and of.left_out == 0


def test_firings_have_cosines_and_features_form_clusters(world):
    of, ids = world.units(), np.array([0, 2, 3])
    rows = by_firing(Cell("L1R-8x", world.features), ids, of)
    assert sparse.issparse(rows)
    assert (rows @ rows.T).toarray() == pytest.approx(np.eye(3)), "they never fire together"
    assert most_active(of, world.features, 1.0, 2).tolist() == sorted(
        np.argsort(-density_of(of, world.features), kind="stable")[:2].tolist()
    )
    found = world.tables(features=["firing"], feature_ks=[2], dense=1.0)["clusterings"]
    (row,) = (r for r in found if r["of"] == "features")
    assert (row["n"], row["k"], row["representation"]) == (4, 2, "firing")


def test_directions_are_read_from_the_sae(world, monkeypatch):
    class Opened:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def decoder_rows(self, ids):
            return np.eye(5)[ids]

    monkeypatch.setattr("saegrid.saes.reference.open_sae", lambda folder: Opened())
    rows = by_decoder(Cell("c", world.features, "saes/c/cfg.json"), np.array([4, 1]), world.units())
    assert rows.tolist() == np.eye(5)[[4, 1]].tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": "topics"}, "'topics' must be a column of the items that holds texts."),
        ({"label": "size"}, "'size' must be a column of the items that holds texts."),
        ({"label": "same"}, "'same' has one value, 'a', in all 120 texts, so that nothing can"),
        ({"label": "other", "unit": "original"}, "'other' differs between texts of one original"),
    ],
)
def test_a_label_that_does_not_fit_is_one_sentence(change, words):
    with pytest.raises(Unusable) as error:
        World(samples=3).units(**change)
    assert str(error.value).startswith("analyses.clusters.label: ") and words in str(error.value)
