"""The section on a published study: its numbers, the same formulas here, and the corrected ones."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from saegrid.pages.browser import probed_published as module

KNOWN = yaml.safe_load(
    (Path(__file__).parents[2] / "resources/gender/published.yaml").read_text(encoding="utf-8")
)
FACTS = {
    "model": "a small one",
    "vectors": ["mean", "last", "padded"],
    "sites": ["L0N", "L0M"],
    "cells": ["L0M-frozen", "L0M-seed0", "L0M-seed1"],
    "frozen": {"L0M-frozen": "decoder", "L0M-seed0": "none", "L0M-seed1": "none"},
    "published": KNOWN,
}


def selectivity(cell, representation, convention, protocol, task_test, control_test):
    return {
        "cell": cell,
        "representation": representation,
        "convention": convention,
        "protocol": protocol,
        "task_train": 1.0,
        "task_test": task_test,
        "control_train": 1.0,
        "control_test": control_test,
        "selectivity": task_test - control_test - 0.01,
    }


def tables():
    rows = [
        selectivity(None, "x", "padded", "published", 0.7, 0.45),
        selectivity(None, "x", "mean", "published", 0.1, 0.1),
        selectivity(None, "x", "mean", "types", 0.8, 0.5),
        selectivity("L0M-seed0", "codes", "padded", "published", 0.5, 0.52),
        selectivity("L0M-seed1", "codes", "padded", "published", 0.2, 0.2),
        selectivity("L0M-frozen", "codes", "padded", "published", 0.3, 0.3),
        selectivity("L0M-seed0", "codes", "mean", "types", 0.7, 0.5),
    ]
    at_m = pa.Table.from_pylist(rows)
    summary = [
        {
            "cell": cell,
            "representation": representation,
            "convention": convention,
            "test": test,
            "rule": rule,
            "units": 64,
            "significant": significant,
            "expected": 64e-5,
            "none": 0.99936,
            "two_or_more": 2e-7,
        }
        for cell, representation in ((None, "x"), ("L0M-seed0", "codes"))
        for convention, test, rule, significant in (
            ("padded", "welch", "alpha", 7),
            ("mean", "exchange", "max-T", 3),
        )
    ]
    return {
        module.SELECTIVITY: [at_m.slice(0, 0), at_m],
        module.UNITS: [pa.Table.from_pylist(summary).slice(0, 0), pa.Table.from_pylist(summary)],
    }


def rows_of(facts=FACTS):
    table = next(b for b in module.section(facts, tables()).blocks if not isinstance(b, str))
    return {row["words"]: row for row in table.rows}


def test_each_number_stands_beside_the_same_formula_and_the_corrected_one():
    rows = rows_of()
    row = rows["shuffled labels, other words"]
    published = (row["published_x"], row["published_sae"])
    assert published == ("0.449", "0.462")
    assert (row["same_x"], row["same_sae"]) == ("0.450", "0.520")
    assert (row["right_x"], row["right_sae"]) == ("0.500", "0.500")
    assert rows["selectivity, one control"]["same_sae"] == "−0.020"
    assert rows["selectivity, one control"]["published_x"] == "+0.256"
    mean = rows["selectivity, mean over controls"]
    assert (mean["same_x"], mean["right_x"]) == ("+0.240", "+0.290")
    welch = rows["units with Welch's p below 1e-5"]
    assert (welch["published_x"], welch["same_x"], welch["right_sae"]) == ("9", "7", "3")
    assert rows["of these by chance"]["same_x"] == "0.00064"


def test_a_number_whose_table_is_absent_has_no_row():
    rows = rows_of()
    assert "logistic regression, explained deviance" not in rows
    assert "accuracy on other words" not in rows  # its corrected number is one of the probes


def test_a_model_without_padded_rows_is_told_of():
    one = module.section(FACTS | {"vectors": ["mean"]}, tables())
    assert "the vector is mean (this model can have no padded rows)" in one.blocks[0]


@pytest.mark.parametrize("change", [{"published": None}, {"cells": []}])
def test_nothing_is_said_where_there_is_nothing_to_compare(change):
    assert module.section(FACTS | change, tables()) is None


def test_the_published_numbers_agree_with_each_other_and_with_their_file(shared_data):
    """Selectivity is the difference of accuracies, chance follows from the units."""
    import json

    file = shared_data / "gender-words-312/published_results.json"
    known, numbers = json.loads(file.read_text()), KNOWN["numbers"]
    for side, name in (("x", "raw"), ("sae", "sae")):
        probe = known["linear_probe"]
        assert numbers["task_test"][side] == probe[f"gender_{name}"]["test"]
        assert numbers["control_train"][side] == probe[f"control_{name}"]["train"]
        assert numbers["selectivity"][side] == round(probe[f"selectivity_{name}"], 4)
        n = numbers["units"][side]
        assert numbers["none"][side] == pytest.approx((1 - 1e-5) ** n, abs=5e-6)
        assert numbers["expected"][side] == pytest.approx(n * 1e-5, abs=5e-5)
    welch = known["welch_t_test"]
    assert numbers["significant"]["x"] == len(welch["significant_mlp_neurons"])
    assert numbers["significant"]["sae"] == len(welch["significant_sae_features"])
