"""Statistics: what is registered is a column, and its numbers are those of a plain loop."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pytest

import further
from saegrid.base.words import SIDES
from saegrid.codes import sparse
from saegrid.codes.sparse import Features, from_pairs
from saegrid.features import statistics
from saegrid.features.density import density, facts, schema
from saegrid.features.statistics import STATISTICS, Statistic, registered, starts
from saegrid.features.statistics.mean_activation import mean

FORMS = get_args(get_type_hints(Statistic)["form"])
VALUES, COUNTS = [0.5, 1.0, 1.5, 4.0], [3, 1]
"""Activations of two features, of three tokens and of one."""
KNOWN = {
    "mean_activation": [1.0, 4.0],
}
"""The number that each registered statistic gives for both features, worked out by hand."""


def by_feature(values: np.ndarray, counts: np.ndarray) -> Iterator[np.ndarray]:
    """The activations of each feature."""
    return iter(np.split(values, np.cumsum(counts)[:-1]))


def random_entries(seed: int, features: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Activations and their numbers, as a statistic is given them."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 30, features)
    return rng.gamma(2, 0.5, counts.sum()).astype(np.float32), counts


def random_cell(d_sae: int = 40, n: int = 400) -> tuple[Features, pa.Table, np.ndarray]:
    """Features of tokens of which a third is in edits, and which items are kept."""
    rng = np.random.default_rng(5)
    position = np.tile(np.arange(10, dtype=np.int32), n // 10)
    row = np.repeat(np.arange(n // 10, dtype=np.int32), 10)
    side = pa.DictionaryArray.from_arrays(np.full(n, SIDES.index("edited"), np.int8), list(SIDES))
    tokens = {"row": row, "position": position, "token_id": row, "text": ["t"] * n, "side": side}
    more = {"group": row, "item": row, "special": position == 0, "in_edit": position % 3 == 1}
    captured = np.flatnonzero(position > 0)
    active = rng.random((len(captured), d_sae)) < rng.random(d_sae) ** 4 / 2
    at, feature = np.nonzero(active)
    values = (0.1 + rng.gamma(2, 0.5, len(at))).astype(np.float32)
    features = from_pairs(feature, captured[at], values, captured, d_sae)
    return features, pa.table({**tokens, **more}), rng.random(n // 10) < 0.8


# --- what is registered -------------------------------------------------------------------------


def test_statistics_are_registered_by_their_names_and_say_what_they_are() -> None:
    found = registered()
    assert [one.name for one in found] == list(STATISTICS)
    for one in found:
        assert one.heading and one.words and one.form in FORMS
        assert one.shown().keys() == {"name", "heading", "words", "form"}
    for names in (schema(found).names, [one.heading for one in found]):
        assert len(set(names)) == len(names)


def test_the_columns_and_their_order() -> None:
    own = ["feature", "n_active", "density", "density_in_edit", "density_context"]
    assert schema(registered()).names == [*own, "max_activation", *STATISTICS, "rank"]
    assert {schema(registered()).field(name).type for name in STATISTICS} == {pa.float64()}


def without_answer() -> str:
    """The sentence on statistics without a known answer, or answers of none; or nothing."""
    wrong = sorted(STATISTICS.keys() ^ KNOWN.keys())
    return (
        f"{', '.join(wrong)}: each statistic of STATISTICS, and no other, has its known answer in "
        "KNOWN of tests/features/test_statistics.py."
        if wrong
        else ""
    )


def test_every_statistic_has_a_known_answer() -> None:
    assert not without_answer(), without_answer()


def test_a_statistic_without_a_known_answer_is_named_with_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(STATISTICS, "lost", "saegrid.features.statistics.lost:STATISTIC")
    assert without_answer().startswith("lost: ")
    assert str(Path(__file__).relative_to(Path(__file__).parents[2])) in without_answer()


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name: str) -> None:
    (one,) = [one for one in registered() if one.name == name]
    assert one.numbers(np.float32(VALUES), np.array(COUNTS)).tolist() == KNOWN[name]


@pytest.mark.parametrize("name", STATISTICS)
def test_a_feature_has_the_same_number_alone(name: str) -> None:
    """The other features of a range decide nothing."""
    (one,) = [one for one in registered() if one.name == name]
    values, counts = random_entries(1)
    whole = one.numbers(values, counts)
    alone = [one.numbers(v, np.array([len(v)]))[0] for v in by_feature(values, counts)]
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole, alone)


# --- each statistic -----------------------------------------------------------------------------


def test_starts_by_hand() -> None:
    assert starts(np.array([3, 1, 2])).tolist() == [0, 3, 4]
    assert starts(np.array([7])).tolist() == [0]


def test_mean_activation() -> None:
    values, counts = random_entries(2)
    wanted = [sum(map(float, v)) / len(v) for v in by_feature(values, counts)]
    np.testing.assert_allclose(mean(values, counts), wanted, rtol=1e-14)


# --- statistics that are registered later -------------------------------------------------------


@pytest.mark.parametrize("entries", [1, 50, 1 << 22])
def test_a_further_statistic_is_a_column(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, tokens, kept = random_cell()
    before, told = density(features, tokens, kept), facts(features, tokens, kept)
    further.register(monkeypatch)
    monkeypatch.setattr(sparse, "ENTRIES", entries)
    table = density(features, tokens, kept)
    assert table.schema == schema(registered())
    assert table.column_names[-3:] == ["planted_median", "planted_share", "rank"]
    assert table.drop_columns(list(further.FURTHER)) == before
    assert facts(features, tokens, kept) == told
    counts = kept[tokens["item"].to_numpy()] & tokens["in_edit"].to_numpy()
    n_missing = 0
    for row in table.to_pylist():
        index, data = features.of(row["feature"])
        wanted = further.expected(data[counts[index]])
        n_missing += wanted["planted_share"] is None
        for name, number in wanted.items():
            assert row[name] == (None if number is None else pytest.approx(number, rel=1e-14))
    assert 0 < n_missing == table["planted_share"].null_count < table.num_rows < features.d_sae


def test_a_silent_cell_has_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    features, tokens, kept = random_cell()
    further.register(monkeypatch)
    table = density(features, tokens, np.zeros_like(kept))
    assert (table.num_rows, table.schema) == (0, schema(registered()))


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda values, counts: np.zeros(len(values)), "shape (6,)"),
        (lambda values, counts: 1.0, "shape ()"),
        (lambda values, counts: np.array([1.0, np.inf, np.nan]), "an infinite one"),
    ],
)
def test_a_statistic_that_gives_other_numbers_is_named(function, got) -> None:
    one = Statistic("wrong", "wrong", "wrong", "number", function)
    with pytest.raises(ValueError) as error:
        one.numbers(np.ones(6, np.float32), np.array([3, 2, 1]))
    assert str(error.value) == (
        "The statistic wrong must give 3 numbers, one a feature, each finite or NaN; got "
        f"{got}. Mend the function in its file."
    )


def test_a_statistic_cannot_change_what_the_next_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sorts(values, counts):
        values.sort()
        return values[starts(counts)]

    one = Statistic("sorted", "sorted", "sorted", "number", sorts)
    monkeypatch.setattr("saegrid.features.density.registered", lambda: [one])
    with pytest.raises(ValueError, match="read-only"):
        density(*random_cell())


def test_an_entry_that_leads_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATISTICS, "lost", "saegrid.features.statistics.lost:STATISTIC")
    with pytest.raises(ModuleNotFoundError, match=r"statistics\.lost"):
        statistics.registered()


@pytest.mark.parametrize(
    ("document", "heading"),
    [("CONTRIBUTING.md", "A new statistic"), ("docs/adding.md", "A statistic, step by step")],
)
def test_the_example_of_the_guide_is_a_statistic(document: str, heading: str) -> None:
    """It runs, gives what it says, and the linters have nothing against it as it stands."""
    root = Path(__file__).parents[2]
    section = (root / document).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    code = re.search(r"```python[ a-z]*\n(.*?)```", section, re.S)[1]
    names: dict = {}
    exec(code, names)
    name = "--stdin-filename", "src/saegrid/features/statistics/min_activation.py", "-"
    for options in (("check", "--no-cache", "--quiet"), ("format", "--check", "--no-cache")):
        command = [sys.executable, "-m", "ruff", *options, *name]
        done = subprocess.run(command, input=code, cwd=root, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
    values = np.array([3, 1, 2, 5], np.float32)
    assert names["STATISTIC"].of(values, np.array([3, 1])).tolist() == [1, 5]
