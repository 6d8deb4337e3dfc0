"""Clamped features: targets and controls by hand, log-probabilities against plain arithmetic."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saegrid.base.words import Site
from saegrid.codes.sparse import from_pairs
from saegrid.interventions.clamped import (
    Target,
    arms_of,
    clamped_texts,
    deltas,
    log_probabilities,
    on_tokens,
    surprisal,
    table,
    targets,
)
from saegrid.interventions.live import live
from subjects import random_sae
from toys import toy_llama

TOKEN_ID = np.array([5, 6, 5, 7, 8, 6, 5, 9])
ONE = Target(3, 9, (5, 6), 0.5, 2.0)
TWO = Target(4, 8, (7,), 0.5, 1.5)


def codes():
    """Feature 0: mostly on id 5; 1: spread; 2: on 7 and 8; 3: on 5 once; 4: on 9, once."""
    entries = [
        *((0, 0, 4.0), (0, 2, 3.0), (0, 1, 1.0)),
        *((1, 3, 1.0), (1, 4, 1.0), (1, 7, 1.0)),
        *((2, 3, 2.0), (2, 4, 1.0), (2, 7, 0.5)),
        *((3, 6, 9.0), (3, 5, 9.0), (3, 4, 9.0)),
        (4, 7, 1.0),
    ]
    feature, token, value = (np.array(column) for column in zip(*entries, strict=True))
    return from_pairs(feature, token, value.astype(np.float32), np.arange(8), 5)


def subject():
    return toy_llama(), live(replace(random_sae(32, 128, 5), site=Site(0, "R")))


def test_the_tokens_of_a_feature_are_those_that_it_is_most_active_on():
    ids, total = on_tokens(codes(), TOKEN_ID, 0)
    assert (ids.tolist(), total.tolist()) == ([5, 6], [7.0, 1.0])


def test_a_control_is_as_dense_and_silent_on_the_targets(monkeypatch):
    monkeypatch.setattr("saegrid.interventions.clamped.TARGETS", 1)
    (first,) = targets(codes(), TOKEN_ID, [0], 1, 1)
    assert first == (0, 1, (5,), 7 / 8, 4.0), "3 is active on 5, 4 is rarer"
    both = targets(codes(), TOKEN_ID, [0, 2], 2, 1)
    assert [(one.feature, one.control) for one in both] == [(0, 1), (2, 3)]
    assert [one.feature for one in targets(codes(), TOKEN_ID, [2, 0], 1, 1)] == [0]
    assert targets(codes(), TOKEN_ID, [0, 1, 2, 3], 4, 2) == [], "nobody is left who is as dense"


def test_arms_push_equally_far_to_both_sides():
    _, sae = subject()
    arms = arms_of(sae, [ONE], 1.5)
    assert [arm.name for arm in arms][::2] == ["high", "zero", "low"]
    assert [arm.value for arm in arms][::2] == [3.0, 0.0, -3.0]
    norms = sae.rows([3, 9]).norm(dim=1).tolist()
    assert arms[1].value * norms[1] == pytest.approx(arms[0].value * norms[0])


def test_changes_of_log_probabilities_are_those_of_the_edited_stream_by_hand():
    """x + (c - z) v at the site, then what follows it: the same numbers without any of the code."""
    model, sae = subject()
    arms, prompt = arms_of(sae, [ONE, TWO], 2.0), [1, 20, 30, 40]
    base, delta, kl = deltas(model, sae, arms, [prompt])
    plain = log_probabilities(model, [prompt])[0]
    for place, arm in enumerate(arms):
        row = sae.rows([arm.feature])

        def edited(module, inputs, output, row=row, arm=arm):
            x = output if isinstance(output, torch.Tensor) else output[0]
            z = sae.value(x[0], [arm.feature])
            new = x + (arm.value - z) * row
            return torch.cat([x[:, :1], new[:, 1:]], 1)  # BOS is left alone

        handle = model.blocks[0].register_forward_hook(edited)
        moved = log_probabilities(model, [prompt])[0]
        handle.remove()
        ids = list(arm.target.ids)
        want = (moved - plain)[1:, ids].mean()
        assert delta[0, place] == pytest.approx(float(want), abs=1e-5)
        assert base[0, place] == pytest.approx(float(plain[1:, ids].mean()))
        assert kl[0, place] > -1e-9
    rows = table(arms, (base, delta, kl), str, 4.0).to_pylist()
    assert [(row["feature"], row["arm"]) for row in rows[:3]] == [
        *((3, "high"), (3, "zero"), (3, "low"))
    ]
    assert rows[0]["specificity"] == pytest.approx(delta[0, 0] - delta[0, 1])
    assert (rows[0]["push"], rows[0]["targets"]) == (1.0, ["5", "6"])
    assert np.isnan(rows[0]["error"]), "one text has no spread"


def test_texts_share_their_noise_and_part_where_an_arm_makes_them():
    model, sae = subject()
    arms = arms_of(sae, [ONE, TWO], 8.0)
    prompts = {"a": [1, 20, 30], "b": [1, 9, 8, 7, 6]}
    how = {"new_tokens": 6, "temperature": 1.0, "seed": 0, "ends": []}
    texts = clamped_texts(model, sae, arms, prompts, how, lambda ids: "".join(f"{i}," for i in ids))
    rows = texts.to_pylist()
    assert len(rows) == 2 * 2 * (1 + 6)
    plain = {row["id"]: row["tokens"] for row in rows if row["arm"] == "none"}
    for row in rows:
        n = row["parts"]
        assert row["tokens"][:n] == plain[row["id"]][:n] and len(row["tokens"]) == 6
        assert n == 6 or row["tokens"][n] != plain[row["id"]][n]
        assert (row["arm"] != "none") or n == 6
        assert row["target"] == [t in ("5,", "6,") for t in row["tokens"]] or row["feature"] == 4
    assert any(row["parts"] < 6 for row in rows)
    ids = [int(token[:-1]) for token in plain["a"]]
    known = log_probabilities(model, [prompts["a"] + ids])[0]
    want = -np.mean([float(known[2 + k, token]) for k, token in enumerate(ids)])
    (first, *_) = [row["surprisal"] for row in rows if (row["id"], row["arm"]) == ("a", "none")]
    assert first == pytest.approx(want)
    assert np.isnan(surprisal(model, prompts["a"], []))
