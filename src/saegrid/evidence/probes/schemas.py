"""The tables of the probes of a site."""

import pyarrow as pa

TEXT, NUMBER, COUNT = pa.string(), pa.float64(), pa.int32()
PLACE = [("convention", TEXT), ("representation", TEXT), ("cell", TEXT)]


def _numbers(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, NUMBER) for name in names]


PROBES = pa.schema(
    [
        *PLACE, ("method", TEXT), ("k", COUNT),
        *_numbers("auc", "low", "high", "chance", "accuracy", "fitted", "validation"),
        *_numbers("n_nonzero", "explained", "penalty"),
        ("converged", pa.bool_()), ("n_units", COUNT), ("n", COUNT), ("n_types", COUNT),
        ("note", TEXT),
    ]
)  # fmt: skip
"""One row a method of `LINEAR`, or a number k of chosen units (k_sparse).

auc: mean over the folds, with the middle 95 % where word types are drawn again; chance: the same
where labels are shuffled between types, mean of the shuffles; accuracy: of the texts that were not
fitted, `fitted` of those that were; validation: AUROC inside the training folds; n_nonzero,
penalty: means over the folds; explained: explained deviance of the texts that were not fitted;
note: why there is no such probe."""
SELECTIVITY = pa.schema(
    [
        *PLACE, ("protocol", TEXT),
        *_numbers("task_train", "task_test", "control_train", "control_test"),
        *_numbers("selectivity", "low", "high"), ("n_controls", COUNT),
        *_numbers("recurring", "control_seen", "converged", "penalty"),
        ("counts", pa.list_(COUNT)), ("edges", pa.list_(NUMBER)), ("note", TEXT),
    ]
)  # fmt: skip
"""One row a control task, see `controls.Selectivity`; selectivity is the mean over the controls,
low and high their middle 95 %, counts and edges their histogram."""
LENGTHS = pa.schema(
    [
        *PLACE, ("n", COUNT), ("orders", COUNT),
        *_numbers("uniform", "entropy", "bits", "least", "most", "compression", "saved"),
        *_numbers("surplus", "shuffled"),
        ("ends", pa.list_(COUNT)), ("blocks", pa.list_(NUMBER)),
    ]
)  # fmt: skip
"""One row a description of the texts, see `description`: bits of all labels by the uniform code, by
their entropy, by the online code (mean, least and most over the orders of the texts) and with
shuffled labels; compression uniform / bits, saved 1 - bits / entropy; ends and bits of the blocks
of the first order."""
PRESERVED = pa.schema(
    [
        ("convention", TEXT), ("cell", TEXT), ("part", TEXT),
        *_numbers("auc", "low", "high", "difference", "difference_low", "difference_high"),
        *_numbers("chance", "fvu", "s_model", "s_sae", "delta", "delta_low", "delta_high"),
    ]
)  # fmt: skip
"""One row a cell and part of x = x_hat + error: x, x_hat, codes, error.

auc: of L2 probes; difference: less that of x, paired; chance: with shuffled labels. fvu:
|x - x_hat|^2 / |x - mean x|^2, and delta selectivity (`preserved.Delta`), on the row of x_hat."""
GAINS = pa.schema(
    [
        ("convention", TEXT), ("representation", TEXT), ("cell", TEXT),
        *_numbers("without", "without_low", "without_high", "with", "with_low", "with_high"),
        *_numbers("gain", "gain_low", "gain_high"),
        ("n_taken", COUNT), ("n_folds", COUNT), ("n_without", COUNT), ("n_with", COUNT),
        ("chosen_without", TEXT), ("chosen_with", TEXT),
    ]
)  # fmt: skip
"""One row a set of probes that is added to those without an SAE, see `quiver`: codes of a cell, of
all cells (cell null), or codes in random directions, a null. n_taken: folds in which one of these
was taken; chosen: probes, fold by fold."""
SCHEMAS = {
    "probes": PROBES,
    "selectivity": SELECTIVITY,
    "lengths": LENGTHS,
    "preserved": PRESERVED,
    "gains": GAINS,
}
"""Tables of a site by name."""
