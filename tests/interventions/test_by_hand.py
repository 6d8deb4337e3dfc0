"""Interventions equal to the same written by hand in nnsight; skipped where it is not installed.

benchmarks/by_hand.py says how its environment is made.
"""

import importlib.util
from itertools import product
from pathlib import Path

import pytest

from saegrid.base.words import Site

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "by_hand.py"
CASES = list(
    product(["gpt2", "llama"], ["ReLU", "TopK"], [Site(0, "R"), Site(1, "A"), Site(0, "M")])
)


@pytest.fixture(scope="module")
def by_hand():
    reason = "nnsight is not installed: the head of benchmarks/by_hand.py says how"
    pytest.importorskip("nnsight", reason=reason)
    spec = importlib.util.spec_from_file_location("by_hand", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("model, gate, site", CASES, ids=str)
def test_changes_are_those_written_by_hand(by_hand, model, gate, site, tmp_path):
    kinds = []
    for kind, apart, effect, tokens in by_hand.compare(model, gate, site, tmp_path):
        assert apart <= 1e-5 < 0.5 < effect, kind
        assert tokens == ("same" if kind == "clamp" else "-")
        kinds.append(kind)
    assert kinds == ["clamp", "scale", "add", "ablate"]
