"""Published features among those of a cell: a made-up cell, its pages by the published rules."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from displayed import page, pages_of, row, write
from saegrid.codes.sparse import Features, from_pairs
from saegrid.features.density import density
from saegrid.features.examples import top_tokens
from saegrid.meaning.dashboards import Places, read_dashboards
from saegrid.meaning.published import (
    ITSELF,
    SCHEMA,
    best,
    compared,
    countable,
    named,
    panel,
    said_of,
    summed_up,
    verdict,
    verdicts,
)

LENGTH, ROWS, FEATURES = 32, 24, 200
KEPT = np.ones(ROWS, bool)


def corpus(shift: int = 0) -> tuple[pa.Table, pa.Table]:
    """Packed rows of BOS and tokens of which 3 to 28 are the edit of an item; all texts differ.

    shift: tokens of other ids, as another layout of the same texts has them.
    """
    n = ROWS * LENGTH
    position = np.tile(np.arange(LENGTH), ROWS)
    tokens = pa.table(
        {
            "row": np.repeat(np.arange(ROWS, dtype=np.int32), LENGTH),
            "position": position.astype(np.int32),
            "token_id": np.arange(n, dtype=np.int32) + shift,
            "text": [f" w{i}" for i in range(n)],
            "side": ["edited"] * n,
            "group": np.repeat(np.arange(ROWS, dtype=np.int32), LENGTH),
            "item": np.where(position, np.repeat(np.arange(ROWS), LENGTH), -1).astype(np.int32),
            "special": position == 0,
            "in_edit": (position >= 3) & (position < 29),
        }
    )
    return tokens, pa.table({"item": range(ROWS), "id": [f"h{i}" for i in range(ROWS)]})


def cell(seed: int) -> Features:
    """Activations that bfloat16 can hold, so that many are equal; some features are silent, some
    have fewer tokens than a page shows rows."""
    rng = np.random.default_rng(seed)
    tokens, _ = corpus()
    captured = np.flatnonzero(~tokens["special"].to_numpy())
    share = rng.choice([0.0, 0.01, 0.05, 0.3], FEATURES, p=[0.1, 0.3, 0.4, 0.2])
    z = rng.integers(1, 64, (len(captured), FEATURES)) / 16
    at, feature = np.nonzero(rng.random(z.shape) < share)
    return from_pairs(feature, captured[at], z[at, feature], captured, FEATURES)


def published(codes: Features, folder: Path) -> tuple[pa.Table, pa.Table, list[Any]]:
    """Numbers and top tokens of a cell, and its pages, read back from their file."""
    tokens, items = corpus()
    numbers = density(codes, tokens, KEPT, "packed")
    top = top_tokens(codes, numbers, tokens, KEPT, 0.001, 20, (5, 5), "packed", True)
    path = write(folder / "pages.jsonl", pages_of(top, numbers, tokens, items))
    return numbers, top, read_dashboards([path])


def among(codes: Features, numbers: pa.Table, pages: Any, shift: int = 0, **more: Any) -> pa.Table:
    tokens, items = corpus(shift)
    counts = countable(tokens, KEPT, codes, "packed", (5, 5), edges=True)
    return compared(pages, Places(tokens, items), codes, numbers, counts, {}, **more)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shift", [0, 5000])
def test_every_page_leads_to_the_feature_it_shows(tmp_path: Path, seed: int, shift: int) -> None:
    """By the ids of the windows; in other ids by token and headline."""
    codes = cell(seed)
    numbers, top, pages = published(codes, tmp_path)
    truth = dict(zip(top["label"].to_pylist(), top["feature"].to_pylist(), strict=True))
    assert len(truth) == len(pages) > 150
    assert sum(label != feature for label, feature in truth.items()) > 100  # labels are no ids
    table = among(codes, numbers, pages, shift)
    assert table.schema == SCHEMA
    first = best(table)
    lit = [one for one in first if one["n_shown"]]
    assert {one["label"]: one["feature"] for one in lit} == {
        one["label"]: truth[one["label"]] for one in lit
    }
    assert len(lit) > 0.9 * len(pages)
    for one in lit:
        assert one["verdict"] == "same"
        assert one["n_shared"] == one["n_found"] == one["n_shown"]
        assert one["n_active"] == one["n_active_published"]
        assert one["max_activation"] == one["max_published"]
        assert one["place"] == one["label"] % 64


def test_numbers_of_candidates_by_brute_force(tmp_path: Path) -> None:
    codes = cell(7)
    numbers, _, pages = published(codes, tmp_path)
    tokens, _ = corpus()
    z = np.zeros((tokens.num_rows, FEATURES))
    for feature in range(FEATURES):
        at, values = codes.of(feature)
        z[at, feature] = values
    masked = tokens["in_edit"].to_numpy()
    position = tokens["position"].to_numpy()
    may = masked & (position > 5) & (position < LENGTH - 5)
    shown = {one.label: [r for r in one.rows if r.activation] for one in pages}
    rows = among(codes, numbers, pages).to_pylist()
    for one in rows:
        own = z[:, one["feature"]]
        batch = np.arange(one["label"] // 64 * 64, min(one["label"] // 64 * 64 + 64, FEATURES))
        sums = (z[:, batch] * masked[:, None]).sum(axis=0)
        assert one["masked_sum"] == sums[one["feature"] - batch[0]]
        assert one["place"] == int((sums > one["masked_sum"]).sum()) or np.sum(
            sums == one["masked_sum"]) > 1  # fmt: skip
        assert one["n_active"] == int((own[masked] > 0).sum())
        listed = sorted(own[may & (own > 0)], reverse=True)[:20]
        theirs = [r.ids[r.center] for r in shown[one["label"]]]
        reached = sum(own[token] >= listed[-1] for token in theirs) if listed else 0
        assert one["n_shared"] == reached
    labels = [one["label"] for one in rows]
    assert max(labels.count(label) for label in set(labels)) <= 64
    for one, other in pairwise(rows):
        if one["label"] == other["label"]:
            assert one["n_shared"] >= other["n_shared"] and other["rank"] == one["rank"] + 1


def test_another_cell_has_none(tmp_path: Path) -> None:
    """Its features share what chance gives."""
    _, _, pages = published(cell(0), tmp_path)
    other = cell(99)
    tokens, _ = corpus()
    numbers = density(other, tokens, KEPT, "packed")
    found = [one["verdict"] for one in best(among(other, numbers, pages)) if one["n_shown"] > 9]
    assert found.count("same") == 0
    assert found.count("none") > 0.9 * len(found)


def test_verdicts() -> None:
    assert [verdict(n, 20, 0) for n in (20, 18, 17, 10, 9, 0)] == [
        "same", "same", "near", "near", "none", "none",
    ]  # fmt: skip
    assert [verdict(20, 20, further) for further in (-3, -2, 2, 3)] == [
        "near", "same", "same", "near",
    ]  # fmt: skip
    assert [verdict(n, 7, 0) for n in (7, 6, 4, 3)] == ["same", "near", "near", "none"]
    assert verdict(0, 0, 0) == "none"


def test_a_batch_without_an_active_feature(tmp_path: Path) -> None:
    """And one that the SAE does not have: no candidate, no error."""
    codes = cell(0)
    tokens, _ = corpus()
    numbers = density(codes, tokens, KEPT, "packed")
    rows = [row([40, 41, 42], [0, 1.0, 0], 1)]
    path = write(tmp_path / "pages", [page(640, rows), page(6400, rows)])
    table = among(codes, numbers, read_dashboards([path])).to_pylist()
    assert [(one["label"], one["feature"], one["verdict"]) for one in table] == [
        (640, None, "none"), (6400, None, "none"),
    ]  # fmt: skip
    assert (table[0]["shown"], table[0]["n_found"]) == ("w41", 1)
    table[0] |= {"concept": "food", "feature": 3, "ours": "animals 20/20"}  # another feature's
    summary = summed_up({"L3R-32x": pa.Table.from_pylist(table, schema=SCHEMA)}, "headlines")
    assert panel(summary) == {}
    (line,) = named(summary)
    assert "href" not in line and line["we say"] == "–"
    assert verdicts(summary) == [
        {"page": "L3R-32x", "features": 2, "same": 0, "near": 0, "none": 2}
    ]


def test_what_is_shown(tmp_path: Path) -> None:
    codes = cell(0)
    numbers, top, pages = published(codes, tmp_path)
    lit = next(one for one in pages if all(r.activation for r in one.rows) and one.label % 64)
    said = lit._replace(said={"concept": "food <b>", "count": "12/20", "words": "[ham]"})
    others = [one for one in pages if one.label != lit.label]
    truth = dict(zip(top["label"].to_pylist(), top["feature"].to_pylist(), strict=True))[lit.label]
    table = among(codes, numbers, [said, *others])
    (own,) = panel(table)[truth]
    assert own["published as"] == str(lit.label)  # a name, not a number to be rounded
    assert (own["verdict"], own["tokens shared"]) == ("same", "20 of 20")
    assert (own["the source says"], own["words there"]) == ("food <b>", "[ham]")
    (line,) = named(summed_up({"L3R-32x": table}, "headlines"))
    assert line["href"] == f"headlines/cells/L3R-32x/features.html#{truth}"
    assert (line["feature"], line["verdict"]) == (f"L3R-32x #{lit.label}", "same")
    assert len(line["words of its rows"].split(", ")) == 20
    # A cell that is made from the page has nothing to judge.
    itself = among(codes, numbers, [said, *others], itself=True)
    assert set(itself["verdict"].to_pylist()) == {ITSELF}
    assert list(panel(itself)) == [truth]
    assert "verdict" not in panel(itself)[truth][0]
    summary = summed_up({"L3R-32x": itself}, "headlines")
    assert verdicts(summary) == []


def test_what_we_say_is_the_verdict_with_its_rows() -> None:
    """A concept that does not hold stands in brackets."""
    every = ("feature", "kind", "label", "concept", "n_concept", "n_shown", "n_ending")
    rows = [
        (4, "none", None, "animals", 3, 5, 1),
        (5, "meaning", "animals", "animals", 4, 5, 1),
        (6, "ending", 'ends with "ing"', "food", 2, 5, 4),
        (7, "none", None, "food", 0, 5, 0),
    ]
    table = pa.Table.from_pylist([dict(zip(every, row, strict=True)) for row in rows])
    assert said_of(table) == {
        4: "(animals 3/5)",
        5: "animals 4/5",
        6: 'ends with "ing" 4/5',
    }
