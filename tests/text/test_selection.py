import csv
import operator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saegrid.text.corpora.items import items
from saegrid.text.selection import COMPARATORS, SIBLINGS, report, selection


def table(means: list[float | None], splits: list[str] | None = None) -> pa.Table:
    return pa.table(
        {
            "item": pa.array(range(len(means)), pa.int32()),
            "split": splits or ["train"] * len(means),
            "grades": ["00000"] * len(means),
            "meanGrade": pa.array(means, pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def humicroedit(shared_data: Path) -> pa.Table:
    folder = shared_data / "humicroedit"
    names = {"train": "train", "dev": "dev", "test": "test", "funlines": "train_funlines"}
    source = {
        "kind": "csv",
        "files": {split: str(folder / f"{name}.csv") for split, name in names.items()},
        "columns": {"id": "id", "original": "original", "edit": "edit"},
        "labels": {"grades": "text", "meanGrade": "number"},
    }
    return items(source).table


@pytest.mark.parametrize(
    ("split", "total", "at_least", "above"),
    [
        ("train", 9652, 630, 322),
        ("dev", 2419, 145, 84),
        ("test", 3024, 182, 88),
        ("funlines", 8248, 1079, 484),
    ],
)
def test_published_counts(
    humicroedit: pa.Table, split: str, total: int, at_least: int, above: int
) -> None:
    equal = at_least - above
    for comparator, kept in {
        "ge": at_least,
        "gt": above,
        "eq": equal,
        "ne": total - equal,
        "lt": total - at_least,
        "le": total - above,
    }.items():
        said = report(humicroedit, "meanGrade", comparator, 2.0, [split])
        assert (said["kept"], said["total"]) == (kept, total)


def test_both_counts_are_reported(humicroedit: pa.Table) -> None:
    assert report(humicroedit, "meanGrade", "ge", 2, ["train"]) == {
        "column": "meanGrade",
        "comparator": "ge",
        "value": 2.0,
        "splits": ["train"],
        "kept": 630,
        "total": 9652,
        "percent": pytest.approx(6.527, abs=5e-4),
        "sibling": {
            "comparator": "gt",
            "kept": 322,
            "total": 9652,
            "percent": pytest.approx(3.336, abs=5e-4),
        },
    }


def test_the_mask_example_is_kept_under_ge_only(humicroedit: pa.Table) -> None:
    (item,) = (
        row["item"] for row in humicroedit.select(["item", "id"]).to_pylist() if row["id"] == "5963"
    )
    kept = {
        comparator: selection(humicroedit, "meanGrade", comparator, 2.0)["kept"][item].as_py()
        for comparator in ("ge", "gt")
    }
    assert kept == {"ge": True, "gt": False}


def test_the_complement_stays(humicroedit: pa.Table) -> None:
    chosen = selection(humicroedit, "meanGrade", "ge", 2.0, ["train"])
    assert chosen.schema == pa.schema({"item": pa.int32(), "kept": pa.bool_()})
    assert chosen["item"].equals(humicroedit["item"])
    assert sum(chosen["kept"].to_pylist()) == 630


def test_agrees_with_a_plain_reading_of_the_file(shared_data: Path, humicroedit: pa.Table) -> None:
    with (shared_data / "humicroedit" / "dev.csv").open(encoding="utf-8", newline="") as file:
        means = {row["id"]: float(row["meanGrade"]) for row in csv.DictReader(file)}
    for comparator in COMPARATORS:
        kept = selection(humicroedit, "meanGrade", comparator, 1.4, ["dev"])["kept"].to_pylist()
        ids = {n for n, k in zip(humicroedit["id"].to_pylist(), kept, strict=True) if k}
        assert ids == {n for n, m in means.items() if getattr(operator, comparator)(m, 1.4)}


def test_no_filter_keeps_all() -> None:
    items_ = table([0.0, 3.0])
    assert selection(items_)["kept"].to_pylist() == [True, True]
    assert report(items_) == {
        "column": None,
        "comparator": None,
        "value": None,
        "splits": None,
        "kept": 2,
        "total": 2,
        "percent": 100.0,
        "sibling": None,
    }


def test_a_filter_that_keeps_nothing_is_told_with_the_range_of_the_label():
    with pytest.raises(ValueError) as error:
        report(table([0.5, 2.0, None]), "meanGrade", "ge", 99)
    assert str(error.value) == (
        "filter: meanGrade ge 99 keeps none of the 3 items, whose meanGrade reaches from 0.5 to 2, "
        "so that there is nothing to count. Mend comparator, value or splits."
    )


def test_splits_alone() -> None:
    items_ = table([0.0, 3.0, 2.0], ["train", "dev", "train"])
    assert selection(items_, splits=["train"])["kept"].to_pylist() == [True, False, True]
    assert selection(items_, splits=[])["kept"].to_pylist() == [False] * 3
    assert report(items_, splits=[])["percent"] == 0.0


def test_numbers_are_compared_as_numbers() -> None:
    # As text "10.0" would come before "2.0"; a third of a grade is no short decimal.
    means = [10.0, 2.0, 2.066666666666667, 2.07, 1.9999999999999998, 0.1 + 0.2]
    kept = {
        c: selection(table(means), "meanGrade", c, 2.0)["kept"].to_pylist() for c in COMPARATORS
    }
    assert kept["ge"] == [True, True, True, True, False, False]
    assert kept["gt"] == [True, False, True, True, False, False]
    assert kept["eq"] == [False, True, False, False, False, False]


def test_a_missing_label_is_never_kept() -> None:
    for comparator in COMPARATORS:
        assert not selection(table([None]), "meanGrade", comparator, 2.0)["kept"][0].as_py()


@given(st.lists(st.floats(0, 3)), st.floats(0, 3), st.sampled_from(sorted(COMPARATORS)))
def test_a_comparator_and_its_opposite_share_the_items(
    means: list[float], value: float, comparator: str
) -> None:
    opposite = {"ge": "lt", "lt": "ge", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}[comparator]
    kept, rest = (
        selection(table(means), "meanGrade", how, value)["kept"].to_pylist()
        for how in (comparator, opposite)
    )
    assert [not k for k in kept] == rest
    assert SIBLINGS[SIBLINGS[comparator]] == comparator


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("meanGrad", "ge", 2.0),
            "filter.column: 'meanGrad' is no label; a filter compares a number. "
            "Did you mean 'meanGrade'? Number labels: meanGrade.",
        ),
        (
            ("grades", "ge", 2.0),
            "filter.column: 'grades' is not a number label; a filter compares a number. "
            "Number labels: meanGrade.",
        ),
        (
            ("meanGrade", "gte", 2.0),
            "filter.comparator: 'gte' is unknown. Did you mean 'gt'? "
            "Known: ge, gt, le, lt, eq, ne.",
        ),
        (
            ("meanGrade", "ge", 2.0, ["trian"]),
            "filter.splits: the corpus has no split 'trian'. Did you mean 'train'? Splits: train.",
        ),
    ],
)
def test_messages(arguments: tuple[object, ...], message: str) -> None:
    for function in (selection, report):
        with pytest.raises(ValueError) as raised:
            function(table([2.0]), *arguments)
        assert str(raised.value) == message
