"""A cell from codes to tables: the parts are disjoint, the same input gives the same tables."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
import torch

from saegrid.base.words import Site
from saegrid.codes.encode import encode
from saegrid.interventions import choice, choice_table, dose, headline
from saegrid.interventions.live import InterventionError, live
from saegrid.interventions.prompts import PARTS, split
from saegrid.interventions.steering import neutral_texts, steer_cell
from saegrid.models.forward import capture
from saegrid.models.tiles import rows_of
from saegrid.stages.steering import Settings
from saegrid.text.tokenizer import Encoder
from subjects import sae_of
from toys import tokens_table, toy_bert, toy_llama

D, VOCAB, SITE = 32, 64, Site(0, "R")
WORDS = ["<unk>", "<s>", "</s>", *(f"w{chr(97 + i // 26)}{chr(97 + i % 26)}x" for i in range(61))]
SMALL = Settings(
    features=2, doses=[0.5, 1.0], choose_prompts=3, dose_prompts=2, prompts=2, texts=3, length=4,
    text_length=8, new=5, seeds=2, common=1.0, template="wacx {words}",
).model_dump()  # fmt: skip


def tokenizer():
    made_of = tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, "<unk>")
    model = tokenizers.Tokenizer(made_of)
    model.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    model.add_special_tokens(["<s>", "</s>"])
    return Encoder(model, (), (), {})


@pytest.fixture(scope="module")
def world():
    """Texts of words that come in pairs, and an SAE whose features are pairs of words."""
    rng, model = np.random.default_rng(0), toy_llama()
    rows = [[1, *rng.integers(3, VOCAB, 9).tolist()] for _ in range(240)]
    table, _ = tokens_table(rows)
    texts = [" " + WORDS[i] for i in table["token_id"].to_numpy()]
    table = table.set_column(table.column_names.index("text"), "text", pa.array(texts))
    token = np.flatnonzero(~table["special"].to_numpy().astype(bool))
    x = capture(model, rows_of(table), token, [SITE])[SITE].numpy()
    ids = table["token_id"].to_numpy()[token]
    means = np.array([x[(ids == 2 * f + 3) | (ids == 2 * f + 4)].mean(0) for f in range(30)])
    w = means - x.mean(0)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    bias = -np.quantile(x @ w.T, 0.97, axis=0)
    sae = replace(sae_of(w, bias, w, np.zeros(D)), site=SITE)
    return model, sae, encode(x, token, sae.encoder), table, x, token


def run(world, **settings):
    model, sae, features, table, x, token = world
    return steer_cell(model, live(sae), features, table, x, token, tokenizer(), SMALL | settings)


def test_a_cell_is_steered(world):
    result = run(world)
    assert result.choice.schema == choice.SCHEMA and result.doses.schema == dose.SCHEMA
    assert result.texts.schema == dose.TEXTS and result.summary.schema == headline.SCHEMA
    rows = result.choice.to_pylist()
    groups = {
        name: [r["feature"] for r in rows if name in r["groups"]] for name in choice_table.GROUPS
    }
    assert all(len(groups[name]) == 2 for name in ("own", "lens", "meaning")) and groups["random"]
    best = sorted(rows, key=lambda r: -r["own"])[:2]
    assert {r["feature"] for r in best} == set(groups["own"])
    doses = result.doses.to_pylist()
    assert {r["part"] for r in doses} == {"dose", "report"}
    assert {r["arm"] for r in doses} == {"feature", "control", "means", "prompt"}
    assert {r["n_texts"] for r in doses} == {4}
    assert set(result.facts) >= {"gain", "own", "summary gain", "counts"}


def test_the_same_input_gives_the_same_tables(world):
    first, second = run(world), run(world)
    for a, b in zip(first[:4], second[:4], strict=True):
        assert a.equals(b)
    other = run(world, seed=1)
    assert not first.texts.equals(other.texts)


def test_prompts_of_the_parts_are_different_texts(world):
    texts = run(world).texts.to_pylist()
    begun = {p: {r["before"] for r in texts if r["part"] == p} for p in ("dose", "report")}
    assert len(begun["dose"]) == len(begun["report"]) == 2
    assert not begun["dose"] & begun["report"]
    parts = split(world[3], 0, 4, 1)
    for number, name in enumerate(PARTS):
        others = {n for other in PARTS[number + 1 :] for n in parts[other].numbers}
        assert not others & set(parts[name].numbers)


def test_neutral_texts_are_not_those_of_the_prompts(world):
    part = split(world[3], 0, 4, 1)["report"]
    neutral = neutral_texts(part, 2, 3, 8)
    assert neutral == [row[:8] for row in part.rows[2:5]]
    assert neutral_texts(part, 2, 3, 100) == part.rows[2:5]


def test_what_cannot_be_steered_is_refused_in_a_sentence(world):
    model, sae, features, table, x, token = world
    with pytest.raises(InterventionError, match=r"^analyses\.steering: 5001 texts of 4 tokens"):
        run(world, choose_prompts=5001)
    with pytest.raises(InterventionError, match="toy bert cannot generate: a bert model does not"):
        steer_cell(toy_bert(), live(sae), features, table, x, token, tokenizer(), SMALL)
    with pytest.raises(InterventionError, match="0 fire on whole content words; two are needed"):
        text = pa.array(["·" for _ in range(table.num_rows)])
        dots = table.set_column(table.column_names.index("text"), "text", text)
        steer_cell(model, live(sae), features, dots, x, token, tokenizer(), SMALL)
    assert torch.get_num_threads() == 1
