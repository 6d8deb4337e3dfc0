"""The tables of the probes of a site, on a world with one planted latent."""

import numpy as np
import pytest

from readouts import SETTINGS, N, tables
from saegrid.evidence.probes.schemas import SCHEMAS


def rows(name, **wanted):
    """The rows of a table of site L0M."""
    every = tables("L0M")[name].to_pylist()
    return [row for row in every if all(row[key] == value for key, value in wanted.items())]


def one(name, **wanted):
    (row,) = rows(name, **wanted)
    return row


def test_tables_have_their_columns_and_a_row_for_each_method_and_number_of_units():
    made = tables("L0M")
    assert {name: table.schema.names for name, table in made.items()} == {
        name: schema.names for name, schema in SCHEMAS.items()
    }
    labels = [(row["method"], row["k"]) for row in rows("probes", representation="x")]
    assert labels == [*((name, None) for name in SETTINGS["methods"]), *(("k_sparse", k) for k in
                      SETTINGS["ks"])]  # fmt: skip
    fitted = {row["method"] for row in rows("probes", representation="pca")}
    assert fitted == {"l2", "k_sparse"}


def test_the_planted_latent_is_told_by_one_unit_of_the_cell_that_has_it_and_by_no_other():
    own = one("probes", cell="L0M-8x", representation="codes", method="k_sparse", k=1)
    assert (own["auc"], own["low"], own["high"], own["accuracy"]) == (1, 1, 1, 1)
    assert own["n_nonzero"] == 1 and own["n_units"] == 16
    without = one("probes", cell="L0M-frozen", representation="codes", method="l2", k=None)
    assert without["low"] < 0.5 < without["high"] or without["auc"] < 0.6
    for row in rows("probes", method="l2", k=None):
        assert abs(row["chance"] - 0.5) < 0.2
        assert row["n"] == row["n_types"] == N


def test_a_refused_probe_has_its_reason_and_no_number_and_one_that_can_be_fitted_has():
    refused = one("probes", representation="x", method="unpenalised")
    assert "'Singular matrix'" in refused["note"]
    assert refused["auc"] is refused["converged"] is refused["explained"] is None
    fitted = one("probes", representation="random", method="unpenalised")
    assert fitted["note"] is None and fitted["auc"] is not None


def test_selectivities_come_with_their_histogram_and_say_what_they_cannot_measure():
    for row in rows("selectivity"):
        assert sum(row["counts"]) == row["n_controls"] == SETTINGS["controls"]
        assert row["low"] <= row["selectivity"] <= row["high"]
    own = one("selectivity", cell="L0M-8x", representation="codes", protocol="types")
    assert own["task_test"] > 0.95 and own["selectivity"] > 0.3
    assert own["recurring"] == 0 and "cannot measure" in own["note"]
    none = one("selectivity", cell="L0M-frozen", representation="codes", protocol="types")
    assert none["low"] < 0 < none["high"]
    assert not rows("selectivity", representation="pca")


def test_labels_cost_few_bits_where_the_latent_is_and_all_of_them_elsewhere():
    own = one("lengths", cell="L0M-8x", representation="codes")
    assert own["uniform"] == own["n"] == N
    assert own["bits"] < N / 2 < N <= own["shuffled"] * 1.02
    assert own["least"] <= own["bits"] <= own["most"]
    assert own["compression"] == pytest.approx(N / own["bits"])
    assert len(own["ends"]) == len(own["blocks"])
    assert one("lengths", cell="L0M-frozen")["bits"] > 0.95 * N


def test_a_cell_that_has_the_latent_keeps_it_and_one_that_has_not_leaves_it_in_the_error():
    kept = {row["part"]: row for row in rows("preserved", cell="L0M-8x")}
    assert list(kept) == ["x", "x_hat", "codes", "error"]
    assert kept["x"]["difference"] == 0
    assert kept["x_hat"]["auc"] > 0.99 > 0.75 > kept["error"]["auc"]
    assert kept["x_hat"]["fvu"] < 0.5
    lost = {row["part"]: row for row in rows("preserved", cell="L0M-frozen")}
    assert lost["x_hat"]["difference_high"] < -0.1
    assert lost["error"]["auc"] > 0.9
    assert lost["x_hat"]["delta"] == pytest.approx(
        lost["x_hat"]["s_sae"] - lost["x_hat"]["s_model"]
    )
    assert lost["x_hat"]["delta_high"] < 0
    assert lost["error"]["fvu"] is None


def test_sets_gain_by_no_codes_that_know_what_x_knows_and_nulls_stand_beside():
    every = rows("gains")
    assert [(row["representation"], row["cell"]) for row in every] == [
        ("codes", "L0M-8x"), ("codes", "L0M-frozen"), ("random", "L0M-8x"), ("codes", None),
    ]  # fmt: skip
    for row in every:
        assert row["gain"] == pytest.approx(row["with"] - row["without"])
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        assert len(row["chosen_with"].split(", ")) == row["n_folds"] == 3
        assert abs(row["gain"]) < 0.05
    assert every[3]["n_with"] > every[0]["n_with"] > every[0]["n_without"]


def test_a_site_without_cells_has_no_codes_and_the_other_tables():
    made = tables("L0N")
    assert made["preserved"].num_rows == made["gains"].num_rows == 0
    (row,) = (r for r in made["probes"].to_pylist() if r["method"] == "l2")
    assert 0.2 < row["auc"] < 0.8
    assert np.isfinite(row["penalty"])
