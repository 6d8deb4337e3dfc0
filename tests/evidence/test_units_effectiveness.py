"""The combined metric: by hand, its bands, and five dictionaries of known quality."""

from functools import cache

import numpy as np
import pytest
from scipy import sparse, stats

from saegrid.evidence.probes.problem import folds
from saegrid.evidence.units import curves
from saegrid.evidence.units.effectiveness import (
    ABOVE,
    BELOW,
    WITHIN,
    band,
    effectiveness,
    place,
    pooled,
    unexplained,
)
from saegrid.metrics.baselines.dictionary import largest_products

TEXTS, CHANNELS, LATENTS, ACTIVE, LABELS = 400, 48, 48, 4, 6


def test_by_hand():
    auc, full, fvu = np.full(21, 0.7), np.full(21, 0.9), np.full(21, 0.2)
    one = effectiveness(auc, full, fvu)
    assert one.value == pytest.approx(0.5 * 0.8) and one.low == one.high == pytest.approx(0.4)
    assert effectiveness(np.full(21, 0.3), full, np.full(21, 1.5)).value == 0
    assert effectiveness(np.full(21, 0.4), full, fvu).value == pytest.approx(-0.25 * 0.8)
    assert effectiveness(np.full(21, 1.0), full, fvu).value == pytest.approx(1.25 * 0.8)


def test_it_is_not_defined_where_x_does_not_tell():
    full = np.linspace(0.45, 0.65, 41)
    full[0] = 0.55
    one = effectiveness(np.full(41, 0.9), full, np.zeros(41))
    assert np.isnan(one.value) and "x does not tell the classes apart: AUROC 0.550" in one.reason


def test_unexplained_by_hand_and_with_weights_of_draws():
    rng = np.random.default_rng(0)
    x = rng.normal(1e4, 1, (50, 6))
    x_hat = x + rng.normal(0, 0.5, x.shape)
    weight = np.column_stack([np.ones(50), rng.integers(0, 3, 50)]).astype(np.float32)
    found = unexplained(x, x_hat, weight)
    for column in (0, 1):
        rows = np.repeat(np.arange(50), weight[:, column].astype(int))
        total = ((x[rows] - x[rows].mean(0)) ** 2).sum()
        assert found[column] == pytest.approx(((x - x_hat)[rows] ** 2).sum() / total, rel=1e-9)
    assert unexplained(x, np.tile(x.mean(0), (50, 1)), weight)[0] == pytest.approx(1)
    assert np.isnan(unexplained(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 1)))[0])


def test_a_band_holds_another_seed_nineteen_times_of_twenty():
    rng = np.random.default_rng(0)
    inside = [
        place(values[3], band(values[:3])) == WITHIN for values in rng.normal(0.5, 0.1, (4000, 4))
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.01)
    three = band([0.4, 0.5, 0.6])
    wide = stats.t.ppf(0.975, 2) * 0.1 * np.sqrt(4 / 3)
    assert (three.low, three.high) == pytest.approx((0.5 - wide, 0.5 + wide))
    assert place(2.0, three) == ABOVE and place(-1.0, three) == BELOW
    assert band([0.4, 0.5]) is None and band([0.4, 0.5, float("nan")]) is None
    sd, df = pooled([[1.0, 3.0], [5.0, 5.0, 5.0]])
    assert sd == pytest.approx(np.sqrt(2 / 3)) and df == 3
    assert band([0.4, 0.5, 0.6], sd, df).sd == sd


# --- five dictionaries of known quality ---------------------------------------------------------

KNOWN = ["true", "noisy", "mixed", "half", "random"]
"""From best to worst: each is a worse account of the latents than the one before."""


def orthonormal(rng):
    return np.linalg.qr(rng.normal(size=(CHANNELS, CHANNELS)))[0][:LATENTS]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def dictionaries(true, rng):
    """Directions: the true ones; with noise; turned by 45 degrees in pairs; half of them; random
    ones."""
    pairs = true.reshape(-1, 2, CHANNELS)
    return {
        "true": true,
        "noisy": unit(true + rng.normal(0, 0.5 / np.sqrt(CHANNELS), true.shape)),
        "mixed": unit(np.concatenate([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]])),
        "half": np.where((np.arange(LATENTS) % 2 == 0)[:, None], true, 0),
        "random": unit(rng.normal(size=true.shape)),
    }


def coded(x, rows):
    """Codes and reconstruction by the largest products, at a gain without bias."""
    z = largest_products(x, rows.astype(np.float32), 2 * ACTIVE)
    raw = z @ rows
    return z, raw * (np.einsum("td,td", x, raw) / np.einsum("td,td", raw, raw))


@cache
def measured():
    """Mean over labels of E(1), E(5), their first factors, and 1 - FVU, by dictionary."""
    rng = np.random.default_rng(0)
    true = orthonormal(rng)
    on = np.argsort(rng.random((TEXTS, LATENTS)), axis=1) < ACTIVE
    x = (on * rng.uniform(1, 2, on.shape)) @ true + rng.normal(0, 0.1, (TEXTS, CHANNELS))
    type = np.arange(TEXTS)
    weight = curves.drawn(type, 20, 0)
    of = {name: coded(x, rows) for name, rows in dictionaries(true, rng).items()}
    # A random rotation, all of whose channels are features, and lose nothing.
    turned = x @ orthonormal(rng).T
    of["turned"] = np.maximum(np.hstack([turned, -turned]), 0), x
    fvu = {name: unexplained(x, x_hat, weight) for name, (_, x_hat) in of.items()}
    out = {name: [] for name in of}
    for label in range(LABELS):
        y = on[:, label] * 1.0
        problem = curves.problem_of(y, type, folds(type, y, 4, 0, "readout"))
        full = curves.curve(x, problem, [1], weight).values[-1]
        for name, (z, _) in of.items():
            auc = curves.curve(sparse.csc_matrix(z), problem, [1, 5], weight).values[:2]
            ours = [effectiveness(one, full, fvu[name]) for one in auc]
            assert all(not one.reason and one.low <= one.value <= one.high for one in ours)
            first = (auc[:, 0] - 0.5) / (full[0] - 0.5)
            out[name].append([*(one.value for one in ours), *first])
    return {name: (*np.mean(rows, axis=0), 1 - fvu[name][0]) for name, rows in out.items()}


def order(column, names=KNOWN):
    """Names by a column of `measured`, best first."""
    return sorted(names, key=lambda name: -measured()[name][column])


@pytest.mark.parametrize("column", [0, 1])
def test_the_metric_orders_five_dictionaries_as_it_should(column):
    assert order(column) == KNOWN
    values = [measured()[name][column] for name in KNOWN]
    assert values[0] > 0.9 and values[-1] < 0.25
    assert values[0] - values[1] > 0.1 and values[2] - values[3] > 0.3


def test_neither_factor_alone_orders_them_as_well():
    # Of five features random directions tell more labels than half of the true ones.
    assert order(3).index("random") < order(3).index("half")
    # The error hardly tells noise in every direction from features mixed in pairs.
    noisy, mixed = (measured()[name][4] for name in ("noisy", "mixed"))
    assert abs(noisy - mixed) < 0.03
    # And it puts a rotation that loses nothing before the truth.
    assert order(4, [*KNOWN, "turned"])[0] == "turned"


def test_what_the_metric_does_not_see():
    """A rotation with all channels active is no dictionary, and yet E(5) puts it second, and E(1)
    beside mixed features: nothing in the metric asks for sparse codes, so L0 stands beside it."""
    assert order(1, [*KNOWN, "turned"])[1] == "turned"
    turned, mixed, half = (measured()[name][0] for name in ("turned", "mixed", "half"))
    assert abs(turned - mixed) < 0.1 and turned - half > 0.3
