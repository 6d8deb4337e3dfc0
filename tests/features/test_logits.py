"""Logit effects, and reading the unembedding."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from saegrid.features.logits import SCHEMA, logit_effects, model_logit_effects
from saegrid.models.tensors import Rows, tensor_files, tensor_rows
from toys import save, toy_llama

UNEMBEDDING = np.array([[1, 0], [0, 1], [2, 0], [-1, -1]], np.float32)
TOKENS = ["a", "b", "c", "d"]


def effects(directions, norm=None, features=None, **how) -> list[tuple]:
    directions = np.asarray(directions, np.float32)
    features = range(len(directions)) if features is None else features
    table = logit_effects(directions, UNEMBEDDING, norm, features, TOKENS, **how)
    assert table.schema == SCHEMA
    return [tuple(row.values()) for row in table.to_pylist()]


def test_one_direction():
    assert effects([[1, 0]], features=[7], n=2) == [
        (7, "top", 0, "c", 2, 2.0),
        (7, "top", 1, "a", 0, 1.0),
        (7, "bottom", 0, "d", 3, -1.0),
        (7, "bottom", 1, "b", 1, 0.0),
    ]


def test_the_gain_of_the_norm_is_folded_in():
    assert effects([[1, 1]], np.array([1, 10], np.float32), n=1) == [
        (0, "top", 0, "b", 1, 10.0),
        (0, "bottom", 0, "d", 3, -11.0),
    ]


def test_the_mean_is_taken_off_before_the_gain():
    # [3, 1] without its mean is [1, -1]; times the gain [1, 2].
    assert effects([[3, 1]], np.array([1, 2], np.float32), n=4, centre=True)[:4] == [
        (0, "top", 0, "c", 2, 2.0),
        (0, "top", 1, "a", 0, 1.0),
        (0, "top", 2, "d", 3, 1.0),
        (0, "top", 3, "b", 1, -2.0),
    ]


def test_ties_go_to_the_smaller_token():
    rows = effects([[0, 1]], n=4)
    assert [row[4] for row in rows] == [1, 0, 2, 3, 3, 0, 2, 1]


def test_the_order_of_features_stays_and_few_tokens_give_few_rows():
    rows = effects([[1, 0], [0, 1], [1, 1]], features=[9, 2, 4], n=10)
    assert [row[0] for row in rows] == [9] * 8 + [2] * 8 + [4] * 8
    assert effects(np.zeros((0, 2)), n=3) == []
    assert effects([[1, 0]], n=0) == []


def test_a_token_without_a_string_is_shown_by_its_id():
    table = logit_effects(np.eye(1, 2, dtype=np.float32), UNEMBEDDING, None, [0], ["a"], n=1)
    assert table["token"].to_pylist() == ["#2", "#3"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 70))
def test_the_same_bytes_for_any_block_and_equal_to_float64(seed, n_features, block):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n_features, 24)).astype(np.float32)
    matrix = rng.standard_normal((60, 24)).astype(np.float32).round(1)
    matrix[30:] = matrix[:30]  # every token has an equal
    gain = rng.random(24).astype(np.float32)
    names = [str(i) for i in range(60)]
    given = (directions, matrix, gain, range(n_features), names)
    found = logit_effects(*given, n=5)
    assert found.equals(logit_effects(*given, n=5, block=(1, block)))
    assert found.equals(logit_effects(*given, n=5, block=(2, 7)))
    exact = ((directions.astype(np.float64) * gain) @ matrix.T.astype(np.float64)).round(12)
    ids = found["token_id"].to_numpy().reshape(n_features, 2, 5)
    np.testing.assert_array_equal(ids[:, 0], np.argsort(-exact, axis=1, kind="stable")[:, :5])
    np.testing.assert_array_equal(ids[:, 1], np.argsort(exact, axis=1, kind="stable")[:, :5])
    got = found["effect"].to_numpy().reshape(n_features, 2, 5)
    np.testing.assert_allclose(got[:, 0], -np.sort(-exact, axis=1)[:, :5], rtol=1e-6)


def test_a_feature_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(3)
    directions = rng.standard_normal((40, 33)).astype(np.float32)
    matrix = rng.standard_normal((500, 33)).astype(np.float32)
    names = [str(i) for i in range(500)]
    together = logit_effects(directions, matrix, None, range(40), names)
    parts = [logit_effects(directions[i : i + 1], matrix, None, [i], names) for i in range(40)]
    assert together.equals(pa.concat_tables(parts).combine_chunks())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (np.ones((2, 2)), UNEMBEDDING, None, [0]),
            "directions must be (feature, d_model) for 1 features; got (2, 2).",
        ),
        (
            (np.ones((1, 3)), UNEMBEDDING, None, [0]),
            "unembedding must be (vocab, 3), as wide as the directions; got (4, 2).",
        ),
        (
            (np.ones((1, 2)), UNEMBEDDING, np.ones(3), [0]),
            "norm_weight must be (2,); got (3,).",
        ),
        (
            (np.array([[1, np.nan]]), UNEMBEDDING, None, [5]),
            "The direction of feature 5 times the gain is not finite.",
        ),
        (
            (np.ones((1, 2)), np.array([[1, np.inf]]), None, [5]),
            "The unembedding of tokens 0 to 1 must be finite.",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        logit_effects(*arguments, TOKENS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_rows_are_those_of_torch(tmp_path, dtype):
    torch.manual_seed(0)
    saved = torch.randn(7, 5).to(dtype)
    saved[0, :3] = torch.tensor([0.0, -0.0, float("inf")])
    save_file({"other": torch.ones(3), "w": saved}, tmp_path / "model.safetensors")
    rows = Rows(tmp_path / "model.safetensors", "w")
    assert rows.shape == (7, 5)
    np.testing.assert_array_equal(rows[:], saved.float().numpy())
    np.testing.assert_array_equal(rows[2:4], saved[2:4].float().numpy())
    np.testing.assert_array_equal(rows[np.array([6, 1])], saved[[6, 1]].float().numpy())


def test_tensors_of_a_model_in_parts(tmp_path):
    save_file({"a": torch.ones(2, 2)}, tmp_path / "part-1.safetensors")
    save_file({"b": torch.zeros(3, 2)}, tmp_path / "part-2.safetensors")
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    files = tensor_files(tmp_path)
    assert list(files) == ["a", "b"]
    assert tensor_rows(files, "b").shape == (3, 2)
    with pytest.raises(ValueError, match=r"^The model holds no tensor 'c'\. Tensors: a, b\.$"):
        tensor_rows(files, "c")
    (tmp_path / "part-2.safetensors").unlink()
    with pytest.raises(ValueError) as error:
        tensor_files(tmp_path)
    expected = "model.safetensors.index.json names part-2.safetensors, which is not there."
    assert str(error.value).startswith(f"{tmp_path}: {expected}")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError) as error:
        tensor_files(tmp_path)
    whole, index = "model.safetensors", "model.safetensors.index.json"
    assert str(error.value) == f"{tmp_path} must hold {whole} or {index}; it holds neither."
    path = tmp_path / whole
    save_file({"a": torch.ones(4, 2)}, path)
    with pytest.raises(ValueError, match=r"has no tensor 'b'\. Tensors: a\.$"):
        Rows(path, "b")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match="the file is truncated: its header promises"):
        Rows(path, "a")


def llama(folder, tied: bool, d_mlp: int = 4) -> None:
    """The tensors of a model that are on the linear path."""
    config = {
        "model_type": "llama",
        "hidden_size": 2,
        "intermediate_size": d_mlp,
        "num_hidden_layers": 1,
        "vocab_size": 4,
        "max_position_embeddings": 8,
        "tie_word_embeddings": tied,
    }
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {
        "model.embed_tokens.weight": torch.tensor(UNEMBEDDING),
        "model.norm.weight": torch.tensor([1.0, 10.0]),
    }
    if not tied:
        tensors["lm_head.weight"] = -torch.tensor(UNEMBEDDING)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(("tied", "top", "effect"), [(True, "b", 10.0), (False, "d", 11.0)])
def test_effects_of_a_model(tmp_path, tied, top, effect):
    llama(tmp_path, tied)
    found = model_logit_effects(np.ones((1, 2), np.float32), [3], tmp_path, TOKENS, n=1)
    assert found.to_pylist()[0] == {
        "feature": 3,
        "side": "top",
        "rank": 0,
        "token": top,
        "token_id": TOKENS.index(top),
        "effect": effect,
    }


def test_hidden_neurons_have_no_linear_path(tmp_path):
    """Nor where they are as many as the channels of the stream."""
    llama(tmp_path, tied=True)
    found = model_logit_effects(np.ones((1, 4), np.float32), [3], tmp_path, TOKENS, position="N")
    assert (found.num_rows, found.schema) == (0, SCHEMA)
    for position in "NZI":
        found = model_logit_effects(
            np.ones((1, 2), np.float32), [3], tmp_path, TOKENS, position=position
        )
        assert found.num_rows == 0
    with pytest.raises(ValueError, match="as wide as the directions"):
        model_logit_effects(np.ones((1, 3), np.float32), [3], tmp_path, TOKENS)


def test_agrees_with_a_real_model(shared_data):
    """A small step along a direction changes the logits as the effects say, up to the norm."""
    from transformers import AutoModelForCausalLM

    folder = shared_data / "stories260K-hf"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    d_model = model.config.hidden_size
    direction = np.random.default_rng(0).standard_normal((1, d_model)).astype(np.float32)
    names = [str(i) for i in range(model.config.vocab_size)]
    table = model_logit_effects(direction, [0], folder, names, n=len(names))
    effect = np.empty(len(names))
    top = table.slice(0, len(names))
    effect[top["token_id"].to_numpy()] = top["effect"].to_numpy()
    gain, head = model.model.norm.weight, model.lm_head.weight
    with torch.no_grad():
        # A norm that divides by one: logits are then linear in the stream.
        expected = head @ (gain * torch.tensor(direction[0], dtype=torch.float64))
    np.testing.assert_allclose(effect, expected.numpy(), rtol=1e-6, atol=1e-6)
    assert table.slice(len(names))["token_id"].to_pylist() == top["token_id"].to_pylist()[::-1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_untrained_model_has_the_unembedding_that_was_drawn(tmp_path, dtype):
    """Not that of the checkpoint whose architecture it has."""
    from saegrid.models import untrained
    from saegrid.models.load import load

    folder = save(toy_llama(seed=1), tmp_path)
    model = {"path": str(folder), "weights": "random", "seed": 5, "dtype": dtype}
    network = load(model).model
    direction = np.random.default_rng(0).standard_normal((1, 32)).astype(np.float32)
    names = [str(i) for i in range(network.config.vocab_size)]
    drawn = untrained.tensors(model)
    table = model_logit_effects(direction, [0], folder, names, n=3, drawn=drawn)
    gain, head = network.model.norm.weight.double(), network.lm_head.weight.double()
    expected = (head @ (gain * torch.tensor(direction[0], dtype=torch.float64))).numpy()
    assert table["token_id"].to_pylist()[:3] == np.argsort(-expected)[:3].tolist()
    np.testing.assert_allclose(table["effect"].to_numpy()[:3], np.sort(expected)[::-1][:3], 1e-5)
    trained = model_logit_effects(direction, [0], folder, names, n=3)
    assert not trained.equals(table)
