"""Health lights: the eight runs of S2.8 by the words of S2.9, and both readings."""

import numpy as np
import pytest

from saegrid.metrics.lights import BY_NUMBER, BY_SHAPE, COLOURS, TARGETS, lights
from saegrid.metrics.reconstruction import r2_source
from saegrid.metrics.sparsity import gini_of_active

NAMES = ("mse", "r2", "density", "dead", "gini", "mean", "p95", "max", "active")
# S2.8: l1 and top-k, then the columns above; m = 2560, d = 640.
RUNS = """
0.01 none | 1.216102 .870708 .509961 0 .137218 2.14e-05 .076240 .141617 1305.5
0.01 50 | 3.162238 .663802 .019531 .558203 .721964 .001157 .093612 .246488 50
0.01 100 | 2.746137 .708040 .039063 .297266 .558246 6.87e-05 .094237 .231513 100
0.01 150 | 2.502766 .733915 .058594 .157813 .464368 -.001207 .088437 .204162 150
0 150 | 2.504317 .733750 .058594 .159766 .466106 -.001287 .091594 .222134 150
1e-4 150 | 2.485643 .735735 .058594 .156250 .465576 .000681 .089262 .196716 150
3e-4 150 | 2.505286 .733647 .058594 .157422 .460323 -.001639 .087275 .201504 150
1e-3 150 | 2.487264 .735563 .058594 .159766 .459733 -.000975 .085557 .215711 150
"""
ROWS = {
    run: tuple(map(float, told.split()))
    for run, told in (line.split(" | ") for line in RUNS.strip().splitlines())
}
M = 2560
GREEN = dict.fromkeys(("density", "dead rate", "Gini"), "good green")
# By the words of S2.9: high is red; a dead rate of 0 is "low ~0", which is no defect; what lies
# between two ranges is amber. 0.722 is high by the test that S2.9 itself names.
EXPECTED = dict.fromkeys(ROWS, GREEN) | {
    "0.01 none": {"density": "high red", "dead rate": "low amber", "Gini": "between amber"},
    "0.01 50": {"density": "between amber", "dead rate": "high red", "Gini": "high red"},
    "0.01 100": {**GREEN, "dead rate": "between amber"},
}
COSINES = ("cosine, mean", "cosine, p95", "cosine, max")


def values(row):
    """The metrics that the lights read, by name."""
    given = dict(zip(NAMES, row, strict=True))
    return {
        "density": given["density"],
        "dead_rate": given["dead"],
        "gini": given["gini"],
        **{f"decoder_cosine_{name}": given[name] for name in ("mean", "p95", "max")},
    }


@pytest.mark.parametrize("run", ROWS)
def test_the_eight_runs_get_the_lights_of_s29(run):
    found = {light.name: f"{light.state} {light.colour}" for light in lights(values(ROWS[run]))}
    assert found == EXPECTED[run] | dict.fromkeys(COSINES, "good green")


def test_every_light_that_is_not_green_says_what_to_do():
    for row in ROWS.values():
        for light in lights(values(row)):
            assert bool(light.advice) == (light.colour != "green"), light


@pytest.mark.parametrize(
    ("metric", "value", "state"),
    [
        ("density", 0.0099, "low"),
        ("density", 0.01, "between"),
        ("density", 0.02, "good"),
        ("density", 0.1, "good"),
        ("density", 0.11, "between"),
        ("density", 0.3, "between"),
        ("density", 0.31, "high"),
        ("dead_rate", 0.0, "low"),
        ("dead_rate", 0.05, "good"),
        ("dead_rate", 0.2, "good"),
        ("dead_rate", 0.3, "between"),
        ("dead_rate", 0.3001, "high"),
        ("gini", 0.0, "low"),
        ("gini", 0.2, "good"),
        ("gini", 0.6, "good"),
        ("gini", 0.65, "between"),
        ("gini", 0.99, "high"),
        ("decoder_cosine_mean", -0.01, "good"),
        ("decoder_cosine_mean", 0.25, "between"),
        ("decoder_cosine_mean", 0.5, "high"),
        ("decoder_cosine_p95", 0.5, "good"),
        ("decoder_cosine_p95", 0.55, "between"),
        ("decoder_cosine_p95", 0.61, "high"),
        ("decoder_cosine_max", 0.5, "good"),
        ("decoder_cosine_max", 1.0, "high"),
    ],
)
def test_the_ends_of_the_ranges(metric, value, state):
    (found,) = [light for light in lights({metric: value}) if light.metric == metric]
    assert (found.state, found.colour == "green") == (state, state == "good")


def test_what_was_not_measured_is_amber_and_says_so():
    for light in lights({"density": None}, BY_NUMBER):
        assert (light.state, light.colour, light.value) == ("unknown", "amber", None)


def test_identities_of_the_eight_runs():
    """D13: mean(x^2) is one number, dead features are whole, density * m = mean active."""
    for mse, r2, density, dead, *_, active in ROWS.values():
        assert mse / (1 - r2) == pytest.approx(9.405876, rel=2e-5)
        assert r2_source(mse, 9.405876) == pytest.approx(r2, abs=2e-6)
        assert dead * M == pytest.approx(round(dead * M), abs=2e-3)
        assert density * M == pytest.approx(active, abs=2e-3)


# --- the second reading ------------------------------------------------------------------------


def test_the_second_reading_agrees_at_the_shape_that_the_first_was_made_for():
    """m = 2560, d = 640, 4,000 tokens: density is L0 / m, dead rates are compared at their n."""
    for run in list(ROWS)[3:]:
        given = dict(zip(NAMES, ROWS[run], strict=True))
        null = {"p95": 0.0650, "max": 0.20}
        found = lights(
            {
                "l0": given["active"],
                "dead_rate_at_exposure": given["dead"],
                "gini_of_active": gini_of_active(given["gini"], given["dead"]),
                "decoder_cosine_mean": given["mean"],
                "decoder_cosine_p95_above_null": (given["p95"] - null["p95"]) / (1 - null["p95"]),
                "decoder_cosine_max_above_null": (given["max"] - null["max"]) / (1 - null["max"]),
            },
            BY_SHAPE,
        )
        assert {light.colour for light in found} == {"green"}, run


@pytest.mark.parametrize(
    ("l0", "state"),
    [(25, "low"), (50, "between"), (51.2, "good"), (256, "good"), (300, "between"), (800, "high")],
)
def test_l0_is_judged_whatever_the_width(l0, state):
    """Density 0.02 to 0.1 at m = 2560 is L0 51.2 to 256 (C2)."""
    for m in (512, 131072):
        found = lights({"l0": l0, "density": l0 / m}, BY_SHAPE)
        assert [light.state for light in found if light.metric == "l0"] == [state]


def test_the_same_l0_at_another_width_has_another_first_light():
    wide = lights({"density": 100 / 131072})
    narrow = lights({"density": 100 / 2560})
    assert [light.colour for light in (wide[0], narrow[0])] == ["red", "green"]


def test_dead_features_alone_do_not_make_the_gini_of_the_others():
    """G = dead + (1 - dead) * G of the active: a share of dead features raises the whole alone."""
    from saegrid.metrics.sparsity import gini

    usage = np.concatenate([np.zeros(60), np.arange(1, 41)])
    assert gini(usage) == pytest.approx(0.6 + 0.4 * gini(usage[60:]), abs=1e-9)
    assert gini_of_active(gini(usage), 0.6) == pytest.approx(gini(usage[60:]), abs=1e-9)
    assert gini_of_active(0.0, 1.0) is None


def test_tables_are_whole():
    for table in (BY_NUMBER, BY_SHAPE):
        assert len({limits.name for limits in table}) == len(table) == 6
        for limits in table:
            assert limits.words and limits.bottom <= limits.top
    assert COLOURS == ("green", "amber", "red")


@pytest.mark.parametrize(
    ("values", "colours"),
    [
        ({"l0": 299, "r2": 0.65, "dead_rate": 0.0}, ["green"] * 3),
        ({"l0": 300.5, "r2": 0.64, "dead_rate": 0.021}, ["red"] * 3),
        ({"l0": 20, "r2": 0.9, "dead_rate": 0.015}, ["green", "green", "amber"]),
        ({"l0": 20, "r2": None, "dead_rate": 0.01}, ["green", "amber", "green"]),
    ],
)
def test_targets_of_the_scaling_recipe(values, colours):
    found = lights(values, TARGETS)
    assert [light.colour for light in found] == colours
    assert all(light.advice for light in found if light.colour != "green" and light.value)
