"""Decoders without negative numbers, as those of NMF."""

import numpy as np
import pytest

from planting import quick
from recipes import QUICK
from saegrid.saes.training import RECIPES
from saegrid.saes.training.loop import world_of
from saegrid.saes.training.settings import parse
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array


@pytest.mark.parametrize("recipe", RECIPES)
def test_decoders_can_be_kept_from_negative_numbers(recipe):
    found = {flag: quick(recipe, non_negative=flag) for flag in (False, True)}
    lows = {flag: trained.tensors["W_dec"].min() for flag, trained in found.items()}
    assert lows[False] < 0 <= lows[True]
    np.testing.assert_array_less(0.1, np.linalg.norm(found[True].tensors["W_dec"], axis=1))


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_row_is_zero_from_the_start_where_tokens_lie_below_their_mean(recipe):
    """Sparse positive tokens: most are below the mean in every dimension."""
    rng = np.random.default_rng(0)
    x = (rng.random((4000, 16)) < 0.04) * rng.uniform(1, 3, (4000, 16))
    run = Run(recipe, QUICK[recipe] | {"non_negative": True, "init": "data"}, 4)
    state = State(run, world_of(of_array(x.astype(np.float32), 0.1, 0), 0))
    rows = state.parameters[state.recipe.decoder].detach()
    assert (rows >= 0).all() and (rows.norm(dim=1) > 0).all()


def test_parts_that_are_not_negative_are_found():
    """Each token a sum of four of 48 parts of three dimensions each, as NMF's."""
    rng = np.random.default_rng(0)
    parts = np.zeros((48, 32))
    for part in parts:
        part[rng.choice(32, 3, replace=False)] = rng.uniform(0.5, 1, 3)
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    chosen = np.argsort(rng.random((20_000, 48)), axis=1)[:, :4]
    x = np.einsum("tk,tkd->td", rng.uniform(1, 3, chosen.shape), parts[chosen]).astype(np.float32)
    trained = quick("topk", x, k=4, steps=400, non_negative=True)
    rows = trained.tensors["W_dec"]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert (parts @ rows.T).max(axis=1).mean() > 0.95


def test_whitened_rows_cannot_be_kept_from_negative_numbers():
    with pytest.raises(ValueError, match="non_negative and whiten of the recipe topk exclude"):
        parse("topk", {"non_negative": True, "whiten": "zca"})
    with pytest.raises(ValueError, match="non_negative of the recipe topk must be true or false"):
        parse("topk", {"non_negative": 1})
