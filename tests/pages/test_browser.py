import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from saegrid.codes.sparse import Features
from saegrid.features.histogram import BINS, Histogram
from saegrid.features.statistics import STATISTICS, registered
from saegrid.pages.browser import shown
from saegrid.pages.browser.page import CHUNK, TOKENS, neuronpedia, page

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import pageworld
from reading import Document

import further


@pytest.fixture(scope="module")
def world():
    return pageworld.world()


@pytest.fixture(scope="module")
def text(world):
    return page(**world)


@pytest.fixture(scope="module")
def document(text):
    return Document(text)


def examples_of(world, feature, group):
    table = world["top_tokens"] if group == "top" else world["examples"]
    rows = [row for row in table.to_pylist() if row["feature"] == feature]
    return rows if group == "top" else [row for row in rows if row["group"] == group]


def groups_of(body):
    start = 0
    for name, n in zip(body["x"][::2], body["x"][1::2], strict=True):
        yield name, range(start, start + n)
        start += n


def test_labels_in_the_results_are_in_the_index(world, text):
    labelled = page(**world, labels={7: "hair <b>"})
    assert Document(labelled).open("index")["labels"] == {"7": "hair <b>"}
    assert page(**world, labels={}) == text and "hair <b>" not in labelled


def test_same_arguments_same_bytes(world, text):
    assert page(**pageworld.world()) == text
    shuffled = {**world["cell_facts"]}
    shuffled = dict(reversed(shuffled.items()))
    assert (
        Document(page(**{**world, "cell_facts": shuffled})).scripts["index"]
        == (Document(text).scripts["index"])
    )


def test_corpus_text_is_never_markup(document, text):
    assert document.metas["saegrid-spec"] == pageworld.SPEC
    strings = document.open("index")["strings"]
    assert set(pageworld.NASTY) <= set(strings)
    # The only scripts are ours: the index, the chunks and the program.
    assert text.count("</script>") == text.count("<script") == len(document.scripts) - 1
    assert " <!--" not in text
    assert "</script>" not in document.text
    assert not {"b", "i"} & set(document.tags)


def test_nothing_is_fetched(text):
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML", text)


def test_windows_are_the_given_ones(world, document):
    head = document.open("index")
    strings, ids = head["strings"], head["columns"]["feature"]
    bodies = document.chunks("f")
    assert ids == world["features"]["feature"].to_pylist()
    assert len(bodies) == len(ids)
    n = 0
    for feature, body in zip(ids, bodies, strict=True):
        for name, places in groups_of(body):
            wanted = examples_of(world, feature, name)
            assert len(places) == len(wanted)
            for i, row in zip(places, wanted, strict=True):
                assert [strings[code] for code in body["t"][i]] == row["window_tokens"]
                assert np.float32(body["a"][i]) == np.float32(row["activation"])
                assert strings[body["w"][i]] == row["word"]
                assert (body["p"][i], body["c"][i]) == (row["position"], row["center"])
                shade = dict(zip(body["z"][i][::2], body["z"][i][1::2], strict=True))
                for j, value in enumerate(row["window_activations"]):
                    assert (int(body["f"][i][j]) & shown.UNCAPTURED > 0) == (value is None)
                    found = shade.get(row["position"] - row["center"] + j, 0)
                    assert abs(found / 255 * body["s"] - (value or 0)) <= body["s"] / 255
                    assert (found > 0) == bool(value)
                n += 1
    assert n == len(world["top_tokens"]) + len(world["examples"])


def test_rows_hold_the_full_text_and_its_activations(world, document):
    strings = document.open("index")["strings"]
    rows, tokens, values = document.chunks("r"), world["tokens"].to_pydict(), world["values"]
    captured = set(values.token.tolist())
    for number, codes, flags in rows:
        index_ = [t for t, row in enumerate(tokens["row"]) if row == number]
        assert [strings[code] for code in codes] == [tokens["text"][t] for t in index_]
        for t, flag in zip(index_, flags, strict=True):
            assert int(flag) == (
                shown.SPECIAL * tokens["special"][t]
                + shown.IN_EDIT * tokens["in_edit"][t]
                + shown.UNCAPTURED * (t not in captured)
            )
    feature = world["features"]["feature"][0].as_py()
    body = document.chunks("f")[0]
    active, data = values.of(feature)
    for i, place in enumerate(body["r"]):
        start = tokens["row"].index(rows[place][0])
        length = len(rows[place][1])
        wanted = {int(t) - start: v for t, v in zip(active, data, strict=True)}
        wanted = {p: v for p, v in wanted.items() if 0 <= p < length}
        assert body["z"][i][::2] == sorted(wanted)
        for p, shade in zip(body["z"][i][::2], body["z"][i][1::2], strict=True):
            assert abs(shade / 255 * body["s"] - wanted[p]) <= body["s"] / 255


def test_items_are_stored_once_with_their_labels(world, document):
    items = document.chunks("i")
    numbers = [body[0] for body in items]
    assert numbers == sorted(set(numbers))
    assert items[0][1:] == [
        str(1000 + numbers[0]),
        f"the original <i>{numbers[0]}</i>",
        [["meanGrade", str(numbers[0] / 10) if numbers[0] else "0"]],
    ]
    assert Document(page(**{**world, "items": None})).chunks("i")[0] == [numbers[0]]


def test_features_without_logit_effects(world):
    ids, logits = world["features"]["feature"].to_pylist(), world["logits"]
    half = logits.filter(pa.array(logits["feature"].to_numpy() % 2 == 0))
    bodies = Document(page(**{**world, "logits": half})).chunks("f")
    shown_ = set(half["feature"].to_pylist())
    assert 0 < len(shown_) < len(set(logits["feature"].to_pylist()))
    assert [("l" in body) for body in bodies] == [feature in shown_ for feature in ids]
    empty = Document(page(**{**world, "logits": logits.slice(0, 0)})).chunks("f")
    assert empty == Document(page(**{**world, "logits": None})).chunks("f")


def test_blocks_change_no_byte(world, text, monkeypatch):
    monkeypatch.setattr("saegrid.pages.browser.bodies.BLOCK", 7)
    assert page(**world) == text


def test_items_without_labels_and_items_that_are_not_known(world):
    items = world["items"].select(["item", "id", "original"])
    listed = Document(page(**{**world, "items": items.slice(0, 5)})).chunks("i")
    assert listed[0][1:] == [items["id"][0].as_py(), items["original"][0].as_py(), []]
    assert [len(body) for body in listed] == [4 if body[0] < 5 else 1 for body in listed]


def test_histogram_by_hand():
    tokens = shown.Tokens(
        row=np.zeros(6, int),
        special=np.array([1, 0, 0, 0, 0, 0], bool),
        in_edit=np.array([1, 1, 1, 1, 0, 1], bool),
        group=np.zeros(6, int),
        item=np.array([0, 0, 0, 0, 0, 1]),
        text=pa.array([""] * 6),
    )
    features = pa.table({"feature": [2], "n_active": [3], "max_activation": np.float32([1.25])})
    indptr = np.array([0, 0, 0, 6])
    data = np.float32([9, 0.25, 0.75, 1.25, 9, 9])  # special, counted x 3, not in the edit, dropped
    values = Features(data, np.arange(6), indptr, np.arange(6))
    masked = shown.masked_tokens(tokens, np.array([True, False]))
    bars = shown.histograms(features, values, masked)
    assert np.flatnonzero(bars.counts[0]).tolist() == [0, 25, 49]
    assert bars.edges[0, [0, -1]].tolist() == [0.25, 1.25]
    with pytest.raises(ValueError) as error:
        shown.histograms(features, values, shown.masked_tokens(tokens, None))
    assert str(error.value) == (
        "Feature 2 must have n_active = 3 non-zero masked activations; the matrix has 4. "
        "Make features.parquet, features.safetensors, tokens and selection from the same run."
    )


def test_histogram_of_plain_text_counts_all_tokens_but_special_ones():
    tokens = shown.Tokens(
        row=np.zeros(4, int),
        special=np.array([1, 0, 0, 0], bool),
        in_edit=np.zeros(4, bool),
        group=np.zeros(4, int),
        item=np.array([0, 0, 0, 1]),
        text=pa.array([""] * 4),
    )
    features = pa.table({"feature": [0], "n_active": [2], "max_activation": np.float32([0.75])})
    data = np.float32([9, 0.25, 0.75, 9])  # special, counted x 2, dropped
    values = Features(data, np.arange(4), np.array([0, 4]), np.arange(4))
    masked = shown.masked_tokens(tokens, np.array([True, False]))
    bars = shown.histograms(features, values, masked)
    assert bars.counts.sum() == 2
    assert bars.edges[0, [0, -1]].tolist() == [0.25, 0.75]


def test_a_page_knows_whether_its_texts_have_edits(world, document):
    assert document.open("index")["facts"]["has_edits"] is True
    assert "counted tokens" in document.text and "in the edit" in document.text
    plain = Document(page(**pageworld.world(edits=False)))
    assert plain.open("index")["facts"]["has_edits"] is False
    assert "masked tokens" not in plain.text and "in the edit" not in plain.text


def test_histogram_counts_sum_to_n_active(world, document):
    sums = [sum(body["h"]) for body in document.chunks("f")]
    assert sums == world["features"]["n_active"].to_pylist()
    assert {len(body["h"]) for body in document.chunks("f")} == {50}


def test_distinct_words_and_headlines(world, document):
    columns, strings = document.open("index")["columns"], document.open("index")["strings"]
    for k, feature in enumerate(columns["feature"]):
        top = examples_of(world, feature, "top")
        words = [row["word"].strip().lower() or row["word"] for row in top]
        flat = columns["words"][k]
        counted = {strings[c]: n for c, n in zip(flat[::2], flat[1::2], strict=True)}
        assert counted == {word: words.count(word) for word in words}
        assert columns["n_words"][k] == len(set(words))
        assert columns["n_headlines"][k] == len({row["item"] // 2 for row in top})
        assert list(counted.values()) == sorted(counted.values(), reverse=True)
        for row in top:  # every shown token can be searched
            spelt = [*counted, *(strings[c] for c in columns["terms"][k])]
            assert any(row["token"].strip().lower() in term.lower() for term in spelt)


def test_features_are_summed_up_by_their_tokens(world, document):
    """The commonest tokens of all firings that n_active counts, not of those shown."""
    columns, strings = document.open("index")["columns"], document.open("index")["strings"]
    tokens, kept = world["tokens"].to_pydict(), world["selection"]["kept"].to_pylist()
    n_active = world["features"]["n_active"].to_pylist()
    for k, feature in enumerate(columns["feature"]):
        index = world["values"].of(feature)[0].tolist()
        fires = [i for i in index if tokens["in_edit"][i] and not tokens["special"][i]]
        texts = [tokens["text"][i] for i in fires if kept[tokens["item"][i]]]
        assert len(texts) == n_active[k]
        counted = Counter(text.strip() or text for text in texts)
        flat = columns["tokens"][k]
        found = [(strings[c], n) for c, n in zip(flat[::2], flat[1::2], strict=True)]
        expected = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        assert found == expected[:TOKENS]


def test_badges_and_logit_effects(world, document):
    columns, strings = document.open("index")["columns"], document.open("index")["strings"]
    assert columns["badges"][:3] == [
        [["meaning", "meaning: kids 17/20"]],
        [
            ["form", 'form: starts with "c" 19/20'],
            ["share", "nearest concept: kids 3/20, not beyond chance"],
        ],
        [["coherent", "coherent: near words 14/20, p 0.01"]],
    ]
    body = document.chunks("f")[0]
    given_ = [row for row in world["logits"].to_pylist() if row["feature"] == columns["feature"][0]]
    for side, sign in (("top", 1), ("bottom", -1)):
        assert [strings[code] for code in body["l"][side][::2]] == [
            row["token"] for row in given_ if row["side"] == side
        ]
        assert body["l"][side][1::2] == [sign * round(1 - r / 10, 1) for r in range(10)]


def test_every_statistic_is_on_the_page(monkeypatch):
    """Its column with six digits, and what is said of it; a further one needs no line of a page."""
    monkeypatch.setattr("saegrid.features.statistics.STATISTICS", {})
    bare = Document(page(**pageworld.world())).open("index")
    assert bare["statistics"] == []
    monkeypatch.undo()
    for names in (list(STATISTICS), [*STATISTICS, *further.FURTHER]):
        made = pageworld.world()
        head = Document(page(**made)).open("index")
        assert head["statistics"] == [one.shown() for one in registered()]
        assert [one["name"] for one in head["statistics"]] == names
        assert head["columns"].keys() - bare["columns"].keys() == set(names)
        assert head["columns"].keys() >= bare["columns"].keys()
        for name in names:
            for number, shown_ in zip(
                made["features"][name].to_pylist(), head["columns"][name], strict=True
            ):
                assert shown_ == (None if number is None else float(f"{number:.6g}"))
        further.register(monkeypatch)
    assert head["statistics"][-1] == {
        "name": "planted_share",
        "heading": "planted share",
        "words": "share below half the largest",
        "form": "percent",
    }


def test_size_and_chunks_of_many_features():
    made = pageworld.tiled(pageworld.world(n_features=256, n_items=300, vocabulary=5000), 2)
    n = len(made["features"])
    shown_ = (len(made["top_tokens"]) + len(made["examples"])) / n
    text = page(**made)
    size = len(text.encode()) / n
    print(f"{size:.0f} bytes a feature at {shown_:.0f} windows a feature")
    assert shown_ > 25
    assert size < 3500
    assert len(Document(text).open("f0")) == CHUNK


def test_page_without_active_features(world):
    empty = {name: world[name].slice(0, 0) for name in ("features", "top_tokens", "examples")}
    none = world["values"]._replace(
        data=np.float32([]), indices=np.int32([]), indptr=np.zeros(513, int)
    )
    made = {**world, **empty, "values": none, "concepts": None, "logits": None}
    assert Document(page(**made)).open("index")["columns"]["feature"] == []


def test_histograms_of_a_source_stand_where_codes_are_a_part(world, document):
    """Bars and numbers are those of the source; shares are of what the codes hold."""
    own = {**world, "features": world["features"].set_column(
        1, "n_active", pa.array([7] * len(world["features"]), pa.int64()))}  # fmt: skip
    n = len(world["features"])
    edges = np.tile(np.linspace(0.5, 3, BINS + 1), (n, 1))
    bars = Histogram(edges, np.tile([7] + [0] * (BINS - 1), (n, 1)))
    shown_page = Document(page(**own, bars=bars))
    index, bodies = shown_page.open("index"), shown_page.chunks("f")
    assert index["columns"]["n_active"] == [7] * n
    assert index["columns"]["n_seen"] == world["features"]["n_active"].to_pylist()
    assert all(body["h"] == [7] + [0] * (BINS - 1) and body["e"] == [0.5, 3] for body in bodies)
    assert "n_seen" not in document.open("index")["columns"]


def test_features_without_examples_keep_their_numbers(world):
    made = {**world, "examples": None, "top_tokens": world["top_tokens"].slice(0, 20)}
    bodies = Document(page(**made)).chunks("f")
    assert bodies[0]["x"] == ["top", 20]
    assert bodies[-1]["x"] == []
    assert sum(bodies[-1]["h"]) == world["features"]["n_active"][-1].as_py()


def test_uncaptured_and_missing_numbers_become_null(world):
    features = world["features"].set_column(
        world["features"].column_names.index("density_context"),
        "density_context",
        pa.array(np.full(len(world["features"]), np.nan)),
    )
    columns = Document(page(**{**world, "features": features})).open("index")["columns"]
    assert set(columns["density_context"]) == {None}


def test_errors_name_what_does_not_fit(world):
    facts = {k: v for k, v in world["cell_facts"].items() if k not in ("corpus", "spec")}
    with pytest.raises(ValueError) as error:
        page(**{**world, "cell_facts": facts})
    assert str(error.value) == (
        "The facts of a cell's page must hold study, corpus, cell, model, site, sae, d_sae, "
        "n_tokens, n_masked, spec; corpus, spec missing. Add what is missing where the facts are "
        "made."
    )
    feature = world["features"]["feature"][0].as_py()
    with pytest.raises(ValueError) as error:
        page(**{**world, "features": world["features"].slice(1)})
    assert str(error.value) == (
        f"An example shows feature {feature}, which features.parquet does not list; make features, "
        "top tokens and examples from the same cell."
    )
    top = world["top_tokens"]
    moved = top.set_column(
        top.column_names.index("token_index"),
        "token_index",
        pa.array(top["token_index"].to_numpy() + 9),
    )
    with pytest.raises(ValueError) as error:
        page(**{**world, "top_tokens": moved})
    assert str(error.value) == (
        "A window leaves its row: token_index, center and row of an example must agree with "
        "tokens.parquet; make them from the same corpus."
    )


def test_published_numbers_are_told(world):
    top = world["top_tokens"]
    labels = pa.array([1216] * len(top), pa.int32())
    head = Document(page(**{**world, "top_tokens": top.append_column("label", labels)})).open(
        "index"
    )
    assert head["columns"]["badges"][0][0] == ["share", "published as 1216"]


@pytest.mark.parametrize(
    "p, none, other",
    [
        (0.001, "too few for meaning", "not the verdict"),
        (0.3, "not beyond chance", "not beyond chance"),
    ],
)
def test_a_concept_that_does_not_hold_is_said_to_be_none(world, p, none, other):
    """A form stands with the rows that have it: a word or a piece, the first or the last place."""
    share = "nearest concept: kids 17/20, "
    expected = {
        "none": [["share", share + none]],
        "word": [["form", "form: so 5/20"], ["share", share + other]],
        "position": [["form", "form: so 7/20"], ["share", share + other]],
        "ending": [["form", "form: so 3/20"], ["share", share + other]],
    }
    for kind, badges in expected.items():
        row = world["concepts"].to_pylist()[0] | {"kind": kind, "p_maxt": 0.9, "q": p}
        row["label"] = None if kind == "none" else "so"
        made = {**world, "concepts": pa.Table.from_pylist([row])}
        assert Document(page(**made)).open("index")["columns"]["badges"][0] == badges


def test_rows_that_are_no_evidence_are_said(world):
    row = world["concepts"].to_pylist()[0] | {"kind": "none", "label": None, "p_maxt": 0.01}
    made = {**world, "concepts": pa.Table.from_pylist([row | {"n_piece": 4}])}
    (badge,) = Document(page(**made)).open("index")["columns"]["badges"][0]
    assert badge == ["share", "nearest concept: kids 17/20, 4 by a piece of other words too"]


@pytest.mark.parametrize("name", [None, 3, "", "alone", "a/b/c", "a/b?x=<b>", "javascript:a/b"])
def test_names_that_are_not_on_neuronpedia_have_no_link(name):
    assert neuronpedia(name) is None
    assert neuronpedia("gpt2-small/6-res-jb").format(feature=7) == (
        "https://www.neuronpedia.org/gpt2-small/6-res-jb/7"
    )
