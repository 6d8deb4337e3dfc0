"""Search by prompts: planted activations with known ranks, and a study against plain formulas."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

import saegrid
from saegrid.base.words import Cell, Site
from saegrid.codes.sparse import from_pairs, read_features
from saegrid.interventions.search import SearchError, by_prompt
from saegrid.interventions.search.encoded import Encoded
from saegrid.interventions.search.files import Cells, Place
from saegrid.interventions.search.known import LEAST, known
from saegrid.interventions.search.prompts import Prompts, activations_of, as_rows, read_prompts
from saegrid.interventions.search.ranking import Query, queries
from saegrid.models.hooks import reading
from saegrid.models.tiles import Rows
from saegrid.saes.sizes import Sae
from saegrid.text import tokenizer
from searching import CELLS, MODEL, TEXTS, write_study
from toys import save, toy


def corpus(counts, n=1000):
    """Codes on a corpus of n tokens: feature f fires on counts[f] tokens with 1, 2, 3 and so on."""
    feature = np.repeat(np.arange(len(counts)), counts)
    token = np.concatenate([np.arange(count) for count in counts])
    return from_pairs(feature, token, token + np.float32(1), np.arange(n), len(counts))


def test_p99_and_idf_by_their_formulas():
    one = known(corpus([200, 100, 20, 19, 0]), np.arange(5))
    assert one.n_active.tolist() == [200, 100, 20, 19, 0]
    assert one.p99[:3].tolist() == [198, 99, 20] and np.isnan(one.p99[3:]).all()
    assert one.idf[:3].tolist() == pytest.approx(np.log([5, 10, 50]).tolist())
    assert one.specificity.tolist() == pytest.approx([0.8, 0.9, 0.98, 0.981, 1])
    assert LEAST == 20 and known(corpus([19]), np.array([0]), 1).p99.tolist() == [19]


def test_known_of_some_features_is_that_of_all():
    codes = corpus([50, 0, 30, 200])
    some = known(codes, np.array([2, 3]))
    for part, whole in zip(some, known(codes, np.arange(4)), strict=True):
        assert part.tobytes() == whole[[2, 3]].tobytes()


# --- ranks of planted activations -----------------------------------------------------------------

PROMPTS = Prompts(
    Rows(np.arange(8), np.array([0, 4, 8])),
    np.array([0] * 4 + [1] * 4),
    np.array([0, 1, 2, 3] * 2),
    np.array([True, False, False, False] * 2),
    ["<s>", "The", " dog", " eats", "<s>", "The", " cat", " eats"],
)


@pytest.fixture
def planted(monkeypatch):
    """Two cells. The first: 0 fires on "The" of both prompts, strongly; 1 on dog, strongly for
    it, among few; 2 on dog, weakly for it; 3 never fires on the corpus. The second: 0 on eats."""
    first = [(0, 1, 90), (0, 5, 90), (1, 2, 45), (1, 3, 9), (2, 2, 50), (3, 2, 7)]
    second = [(0, 3, 100), (0, 7, 40)]
    numbers = {"L0R-a": corpus([100, 50, 100, 0]), "L1R-a": corpus([200])}

    def encoded(cells, prompts, x, threads, indices, least):
        for cell, several in (("L0R-a", first), ("L1R-a", second)):
            feature, token, z = (np.array(column) for column in zip(*several, strict=True))
            ids, place = np.unique(feature, return_inverse=True)
            yield Encoded(
                cell, ids, place, token, z.astype(np.float32), known(numbers[cell], ids, least)
            )

    monkeypatch.setattr(by_prompt, "encoded", encoded)
    monkeypatch.setattr(by_prompt, "read_prompts", lambda *_: PROMPTS)
    monkeypatch.setattr(by_prompt, "activations_of", lambda *_: {})
    monkeypatch.setattr(by_prompt, "size_of", lambda *_: SIZE)
    monkeypatch.setattr(Cells, "weighed", lambda cells: cells)
    places = [Place(cell, MODEL / "x", MODEL / "x", MODEL) for cell in numbers]
    return Cells(MODEL / "x" / "x", places, {"path": str(MODEL)})


SIZE = Sae(64, 512, 4, 12)


def ranks(table):
    return [(row["cell"], row["feature"]) for row in table.to_pylist()]


def test_a_prompt_is_ranked_by_activation_over_p99_times_idf(planted):
    outcome = by_prompt.by_prompt([Query("The dog eats")], planted)
    scores = {
        ("L0R-a", 0): 90 / 99 * np.log(10),
        ("L0R-a", 1): 45 / 50 * np.log(20),
        ("L0R-a", 2): 50 / 99 * np.log(10),
        ("L1R-a", 0): 100 / 198 * np.log(5),
    }
    assert ranks(outcome.table) == sorted(scores, key=lambda one: -scores[one])
    for row in outcome.table.to_pylist():
        assert row["score"] == pytest.approx(scores[row["cell"], row["feature"]])
    first = outcome.table.to_pylist()[0]
    assert (first["feature"], first["token"], first["position"], first["value"]) == (
        *(1, " dog", 2), 45
    )  # fmt: skip
    assert (first["n_active"], first["p99"], first["kind"]) == (50, 50, "prompt")
    assert outcome.unknown == 1


def test_a_pair_takes_off_what_fires_on_both(planted):
    outcome = by_prompt.by_prompt([Query("The dog eats", ("The cat eats",))], planted)
    rows = {(row["cell"], row["feature"]): row for row in outcome.table.to_pylist()}
    assert ranks(outcome.table)[:2] == [("L0R-a", 1), ("L0R-a", 2)]
    assert rows["L0R-a", 0]["score"] == 0 and rows["L0R-a", 0]["value_without"] == 90
    assert rows["L1R-a", 0]["score"] == pytest.approx(60 / 198 * np.log(5))
    assert rows["L0R-a", 1]["value_without"] == 0 and rows["L0R-a", 1]["kind"] == "pair"


def test_tokens_have_their_own_features_and_specials_none(planted):
    outcome = by_prompt.by_prompt([Query("The dog eats")], planted, each=2)
    rows = outcome.tokens.to_pylist()
    assert [(r["position"], r["cell"], r["feature"], r["rank"]) for r in rows] == [
        (0, None, None, None),
        (1, "L0R-a", 0, 0),
        (2, "L0R-a", 1, 0),
        (2, "L0R-a", 2, 1),
        (3, "L1R-a", 0, 0),
        (3, "L0R-a", 1, 1),
    ]
    assert [r["special"] for r in rows[:2]] == [True, False]


# --- a study --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return saegrid.open(write_study(tmp_path_factory.mktemp("results")))


def test_a_text_of_the_corpus_has_its_stored_codes(study):
    """To the last bit, whatever prompts run beside it."""
    cells, table = study.searched(), study.token_table
    for texts in ([TEXTS[7]], ["A dog", TEXTS[7], TEXTS[40]]):
        prompts = read_prompts(texts, cells.model)
        x = activations_of(prompts, cells.model, [Cell.parse(cell).site for cell in CELLS])
        where = texts.index(TEXTS[7])
        row = np.flatnonzero((prompts.prompt == where) & ~prompts.special)
        own = table.index[(table["item"] == 7) & ~table["special"]].to_numpy()
        assert prompts.rows.ids[row].tolist() == table["token_id"][own].tolist()
        for one in by_prompt.encoded(cells, prompts, x):
            stored = read_features(
                study.corpus_folder / "cells" / one.cell / "features.safetensors"
            )
            kept = np.isin(one.token, row)
            got = {
                (int(one.features[p]), int(own[np.searchsorted(row, t)])): z
                for p, t, z in zip(one.place[kept], one.token[kept], one.z[kept], strict=True)
            }
            at = np.flatnonzero(np.isin(stored.indices, own))
            expected = dict(
                zip(
                    zip(stored.owners()[at].tolist(), stored.indices[at].tolist(), strict=True),
                    stored.data[at],
                    strict=True,
                )
            )
            assert got == expected and len(got) > 3


def test_the_study_by_plain_formulas(study):
    """Scores of a pair of corpus texts, from the stored codes alone."""
    asked = [Query(TEXTS[7], (TEXTS[9], TEXTS[11]))]
    rows = by_prompt.by_prompt(asked, study.searched(), 8).table.to_pylist()
    table, expected = study.token_table, {}
    for cell in CELLS:
        codes = read_features(study.corpus_folder / "cells" / cell / "features.safetensors")
        for feature in range(codes.d_sae):
            index, values = codes.of(feature)
            if len(values) < LEAST:
                continue
            p99 = np.sort(values)[int(np.ceil(0.99 * len(values))) - 1].astype(float)
            idf = np.log(len(codes.token) / len(values))
            item = table["item"].to_numpy()[index]
            z = [float(values[item == i].max(initial=0)) for i in (7, 9, 11)]
            if z[0] > 0:
                expected[cell, feature] = (z[0] - (z[1] + z[2]) / 2) / p99 * idf
    best = sorted(expected, key=lambda one: -expected[one])[:8]
    assert [(row["cell"], row["feature"]) for row in rows] == best
    for row in rows:
        assert row["score"] == pytest.approx(expected[row["cell"], row["feature"]])


def test_the_same_bytes_for_any_batch_of_prompts(study):
    asked = [*queries(TEXTS[:3], by="prompt"), Query("A cat sees a dog", ("A pizza",))]
    cells = study.searched()
    together = by_prompt.by_prompt(asked, cells)
    for number, query in enumerate(asked):
        alone = by_prompt.by_prompt([query], cells)
        for one, other in ((alone.table, together.table), (alone.tokens, together.tokens)):
            part = other.filter(pc.equal(other["query"], number)).drop_columns("query")
            assert plain(part) == plain(one.drop_columns("query"))


def plain(table):
    return pa.Table.from_pylist(table.to_pylist()).to_pydict()


def test_an_encoder_model_is_as_good(tmp_path):
    """A search generates nothing: activations are those of the model's own hooks."""
    model = toy("bert")
    folder, site = save(model, tmp_path / "bert"), Site(1, "R")
    ids = np.array([1, 5, 9, 2, 1, 7, 2])
    special = np.isin(ids, [1, 2])
    prompts = Prompts(
        Rows(ids, np.array([0, 4, 7])), np.repeat([0, 1], [4, 3]), ids, special, [""] * 7
    )
    x = activations_of(prompts, {"path": str(folder), "dtype": "float32"}, [site])[site]
    seen = []
    with torch.no_grad(), reading(model, {site: lambda x: seen.append(x[0])}):
        model.hidden(torch.from_numpy(ids[None, :4]))
        model.hidden(torch.from_numpy(ids[None, 4:]))
    expected = torch.cat([seen[0][1:3], seen[1][1:2]]).numpy()
    assert x == pytest.approx(expected, abs=1e-5)


def test_from_python(study):
    assert study.find("dog", top=3)["kind"].tolist() == ["word"] * 3
    table = study.find("The dog eats a pizza", without=["The dog eats a judge"], top=4)
    assert table["kind"].tolist() == ["pair"] * 4 and table["score"].is_monotonic_decreasing
    assert set(study.find("A judge", cells=["L2A-b"])["cell"]) == {"L2A-b"}
    with pytest.raises(saegrid.study.NotThere, match="has no cell 'L2A-c'"):
        study.find("dog", cells=["L2A-c"])


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_prompt_of_no_tokens_is_one_sentence(study, text):
    with pytest.raises(SearchError, match="has no token of its own"):
        study.find(text, by="prompt")


def test_a_prompt_that_is_too_long_is_one_sentence(study):
    with pytest.raises(SearchError, match=r"takes at most 256\. Shorten it"):
        study.find("dog " * 300, by="prompt")


def test_rows_are_those_of_the_corpus():
    encoder = tokenizer.load(MODEL)
    prompts = as_rows([" The dog ", "A cat"], encoder, 256, "toy")
    assert [prompts.special[prompts.prompt == n].sum() for n in (0, 1)] == [
        len(encoder.prefix) + len(encoder.suffix)
    ] * 2
    kept = ~prompts.special & (prompts.prompt == 0)
    assert "".join(text for text, own in zip(prompts.text, kept, strict=True) if own) == "The dog"


def test_cells_without_weights_or_a_model_are_one_sentence(study, tmp_path):
    cells = study.searched()
    bare = cells._replace(places=[place._replace(sae=tmp_path) for place in cells.places])
    with pytest.raises(SearchError, match="none of these has its weights"):
        by_prompt.by_prompt([Query("A dog")], bare)
    with pytest.raises(SearchError, match=r"no config\.json that names it"):
        by_prompt.by_prompt([Query("A dog")], cells._replace(model={}))
