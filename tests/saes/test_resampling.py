"""Resampling of dead features, as in Towards Monosemanticity."""

from itertools import islice

import numpy as np
import pytest
import torch

from planting import X
from recipes import QUICK
from saegrid.saes.training.adam import Adam
from saegrid.saes.training.loop import world_of
from saegrid.saes.training.recipe import Moment
from saegrid.saes.training.recipes import relu_l1
from saegrid.saes.training.settings import parse
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array


def test_resampling_comes_at_the_published_steps():
    """25k, 50k, 75k and 100k of 200k steps; features silent for 12,500."""
    s = parse("relu_l1", {"steps": 200_000})
    due = [n for n in range(0, 200_000, 500) if relu_l1.is_due(n, 200_000, s)]
    assert due == [25_000, 50_000, 75_000, 100_000]
    assert s.resample_silent * 200_000 == 12_500
    assert (s.resample_sample, s.resample_norm) == (819_200, 0.2)


def test_dead_features_are_pointed_at_the_token_that_is_explained_worst():
    """Two kinds of tokens; one is explained, so all of the odds are the other's."""
    good, bad = torch.eye(4)[0], torch.eye(4)[1] * 3
    sample = torch.stack([good] * 50 + [bad] * 50)
    p = {
        "W_enc": torch.stack([good * 2, -torch.ones(4), -torch.ones(4)]),
        "b_enc": torch.tensor([-1.0, -0.5, -0.5]),
        "W_dec": torch.stack([good, torch.eye(4)[2], torch.eye(4)[3]]),
        "b_dec": torch.zeros(4),
    }
    optimiser = Adam(p, 0.9, 0.999)
    for moments in optimiser.moments.values():
        for moment in moments:
            moment.fill_(7.0)
    s = parse("relu_l1", {"steps": 16, "batch": 10})
    idle = torch.tensor([0, 500, 500])
    for step in (1, 3):
        moment = Moment(step, 16, 0, idle, optimiser, lambda n, seed: sample)
        relu_l1.after(p, moment, s)
        assert idle.tolist() == [0, 500, 500], "not due"
    relu_l1.after(p, Moment(2, 16, 0, idle, optimiser, lambda n, seed: sample), s)
    assert idle.tolist() == [0, 0, 0]
    direction = torch.eye(4)[1]
    torch.testing.assert_close(p["W_dec"], torch.stack([good, direction, direction]))
    # The living encoder row has norm 2, so that new ones have 0.4.
    torch.testing.assert_close(p["W_enc"][1:], 0.4 * torch.stack([direction, direction]))
    torch.testing.assert_close(p["b_enc"], torch.tensor([-1.0, 0.0, 0.0]))
    for name in ("W_enc", "b_enc", "W_dec"):
        for moment in optimiser.moments[name]:
            assert (moment[0] == 7).all() and (moment[1:] == 0).all()
    assert all((moment == 7).all() for moment in optimiser.moments["b_dec"])


def test_resampling_goes_as_the_square_of_the_loss():
    """Losses 1 and 3: nine of ten new features are pointed at the second kind."""
    sample = torch.cat([torch.eye(2)[:1]] * 500 + [torch.eye(2)[1:] * 3**0.5] * 500)
    n = 4000
    p = {"W_enc": torch.zeros(n, 2), "b_enc": -torch.ones(n), "W_dec": torch.zeros(n, 2)}
    p |= {"b_dec": torch.zeros(2)}
    moment = Moment(2, 16, 5, torch.full((n,), 10**6), Adam(p, 0.9, 0.9), lambda n, seed: sample)
    relu_l1.after(p, moment, parse("relu_l1", {"steps": 16, "batch": 100}))
    assert float(p["W_dec"][:, 1].mean()) == pytest.approx(0.9, abs=0.02)


def test_resampling_wakes_features():
    """Features that nothing activates have no gradient; resampled, they find something to do."""
    stream, silent, alive = of_array(X, 0.1, 0), slice(0, 64), {}
    for times in (0, 4):
        state = State(
            Run("relu_l1", QUICK["relu_l1"] | {"steps": 160, "resamplings": times}, 4),
            world_of(stream, 0),
        )
        with torch.no_grad():
            state.parameters["b_enc"][silent] = -20.0
        for batch in islice(stream.batches(256, 0, 0), 160):
            state.learn(torch.from_numpy(batch * np.float32(state.scale)))
        alive[times] = int((state.idle[silent] < 5000).sum())
    assert alive[0] == 0 and alive[4] > 32, alive
