"""Tables of what a model wrote, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.codes.sparse import from_pairs
from saegrid.interventions.written import examples, latents, panel, prompts, sampled, spread, texts

SIDES = ["prompt", "prompt", "plain", "plain", "plain"]


def corpus():
    """Two samples of a prompt and one of another: BOS, a word of the prompt, three tokens drawn."""
    ends = [True, False, False, False, False]
    items = pa.table(
        {
            "id": ["a-1", "a-2", "b-1"],
            "edited": ["one two", "one two", "three"],
            "group": pa.array([0, 0, 1], pa.int32()),
            "theme": ["x", "x", "y"],
        }
    )
    tokens = pa.table(
        {
            "row": np.repeat(np.arange(3), 5).astype(np.int32),
            "item": np.repeat(np.arange(3), 5).astype(np.int32),
            "token_id": np.array([0, 9, 4, 5, 6] * 2 + [0, 8, 4, 1, 6], np.int32),
            "text": ["<s>", "p", " a", " b", " c"] * 3,
            "side": pa.array(SIDES * 3).dictionary_encode(),
            "special": np.array(ends * 2 + [True, False, False, True, False]),
        }
    )
    return items, tokens


def codes_of(*entries, d_sae=4):
    feature, token, value = (np.array(column) for column in zip(*entries, strict=True))
    captured = np.array([2, 3, 4, 7, 8, 9, 12, 14])
    return from_pairs(feature, token, value.astype(np.float32), captured, d_sae)


def test_a_prompt_with_several_samples_counts_once():
    x, y, every = prompts(*corpus(), "theme", [8]).to_pylist()
    assert (x["theme"], x["prompts"], x["words"], x["tokens"], x["texts"]) == ("x", 1, 2, 1, 2)
    assert (x["drawn"], x["drawn_mean"], x["special"], x["unknown"]) == (6, 3.0, 0, 0.0)
    assert (y["drawn"], y["special"], y["unknown"], y["tokens_a_word"]) == (2, 1, 1.0, 1.0)
    assert (every["theme"], every["prompts"], every["words"]) == ("all", 2, 3)
    assert (every["words_mean"], every["unknown"], every["drawn"]) == (1.5, 0.5, 8)
    assert prompts(*corpus(), None, []).num_rows == 1
    rows = panel(prompts(*corpus(), "theme", []))
    assert rows[0] == {
        **{"theme": "x", "href": "report.html", "prompts": 1, "words on average": 2.0},
        **{"texts": 2, "tokens written": 6},
    }


def test_the_first_prompt_of_each_theme_is_an_example():
    items, tokens = corpus()
    position = pa.array(np.tile(np.arange(5), 3), pa.int32())
    one, other = examples(items, tokens.append_column("position", position), "theme")
    assert one == {"id": "a-1", "theme": "x", "prompt": "one two", "tokens": [" a", " b", " c"]}
    assert (other["id"], other["tokens"]) == ("b-1", [" a", " b", " c"]), "special ones too"


def test_features_are_drawn_from_each_part_of_the_densities():
    n = np.arange(1, 41)
    table = pa.table({"feature": n - 1, "n_active": n, "density": n / 100.0})
    drawn = sampled(table, 4, 2, 5, seed=0)
    assert drawn["stratum"].to_pylist() == [1, 1, 2, 2, 3, 3, 4, 4]
    active = drawn["n_active"].to_numpy()
    assert (np.diff(active) > 0).all() and active[0] >= 5
    for number in range(4):
        assert (5 + 9 * number <= active[2 * number : 2 * number + 2]).all()
    assert sampled(table, 4, 2, 5, seed=0).equals(drawn)
    assert not sampled(table, 4, 2, 5, seed=1).equals(drawn)
    assert sampled(table, 3, 2, 40, seed=0)["n_active"].to_pylist() == [40]


def test_a_text_counts_by_its_strongest_token():
    items, tokens = corpus()
    codes = codes_of((2, 2, 1.0), (2, 4, 3.0), (2, 8, 2.0), (2, 14, 3.0), (1, 7, 9.0))
    one, other, third = texts(codes, tokens, items, [2], 3, 1, "theme").to_pylist()
    assert [r["id"] for r in (one, other, third)] == ["a-1", "b-1", "a-2"]
    assert (one["activation"], one["tokens"], one["center"]) == (3.0, [" b", " c"], 1)
    assert one["activations"] == [0.0, 3.0] and one["prompt"] == [False, False]
    assert other["activations"] == [None, 3.0], "a special token is not captured"
    assert texts(codes, tokens, items, [2, 1], 1, 9, None).to_pylist()[1] == {
        **{"feature": 1, "rank": 0, "item": 1, "id": "a-2", "theme": None, "activation": 9.0},
        **{"center": 2, "tokens": ["<s>", "p", " a", " b", " c"]},
        **{"activations": [None, None, 9.0, 0.0, 0.0]},
        **{"prompt": [True, True, False, False, False]},
    }


def test_prompts_are_taken_from_each_theme_in_turn():
    items = pa.table(
        {"group": pa.array([0, 0, 1, 2, 3], pa.int32()), "theme": ["x", "x", "x", "y", "y"]}
    )
    assert spread(items, "theme", 3) == [0, 3, 2]
    assert spread(items, "theme", 9) == [0, 3, 2, 4] and spread(items, None, 2) == [0, 2]


def test_exact_zeros_are_counted():
    sizes = latents(codes_of((0, 2, 1.0), (3, 4, 0.5), (3, 7, 4.0)))
    assert (sizes["zeros"], sizes["active"], sizes["l0"]) == (8 * 4 - 3, 3, pytest.approx(3 / 8))
    assert sizes["largest"] == 4.0 and sum(sizes["counts"]) == 3
    bins = [sizes["edges"][at] for at, count in enumerate(sizes["counts"]) if count]
    assert bins == [0.5, 1.0, 4.0]
