"""The whole pipeline on a world where every answer is known (known answers D5 and D7 ii).

The model's blocks add next to nothing, so that the residual stream of any layer is the embedding;
an embedding is the sum of the directions of its word's concepts; the SAE's encoder holds these
directions under chosen ids, among 500 directions of noise.
"""

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from pipeline import checkout, run
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from saegrid.base import io
from saegrid.base.words import Site
from saegrid.saes.formats.sae_lens import config, write_sae_lens

pytestmark = pytest.mark.workflow

TOPICS = {
    "food": ["cake", "bread", "cheese", "soup", "candy", "honey", "pasta", "carrot"],
    "animals": ["cat", "dog", "cow", "goat", "camel", "horse", "pony", "cobra"],
    "clothing": ["hat", "coat", "sock", "cap", "shirt", "cloak", "pants", "dress"],
}
FRAME = [
    "mayor",
    "senate",
    "visits",
    "opens",
    "the",
    "in",
    "after",
    "vote",
    "law",
    "treaty",
    "bank",
]
FOOD, C, EVERY = 37, 100, 129
"""Ids of the planted features: food, a first letter, and any word of a topic."""
ANIMALS, CLOTHING = 400, 64
D, D_SAE = 64, 512
AXES = {"food": 3, "animals": 4, "clothing": 5, "c": 7, "topic": 9}


def embedding(vocabulary):
    """(word, D): one axis a concept, and a little of a word's own in the upper half."""
    x = np.zeros((len(vocabulary), D), np.float32)
    own = np.random.default_rng(0).normal(0, 0.02, (len(vocabulary), D // 2))
    x[:, D // 2 :] = own
    for topic, words in TOPICS.items():
        for word in words:
            x[vocabulary[word], [AXES[topic], AXES["topic"]]] = 1
    for word, number in vocabulary.items():
        x[number, AXES["c"]] = word.startswith("c")
    return x


def write_model(folder):
    words = ["<s>", *FRAME, *(w for words in TOPICS.values() for w in words)]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<s>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(folder)
    sizes = {"hidden_size": D, "intermediate_size": D, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "vocab_size": len(words), "max_position_embeddings": 64}
    heads |= {"bos_token_id": 0, "eos_token_id": 0}
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**sizes, **heads, tie_word_embeddings=True))
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.from_numpy(embedding(vocabulary)))
        for block in model.model.layers:
            # Not quite nothing: a site that has no effect is refused when the model is loaded.
            block.self_attn.o_proj.weight.mul_(1e-3)
            block.mlp.down_proj.weight.mul_(1e-3)
    model.save_pretrained(folder)


def write_sae(folder):
    rng = np.random.default_rng(1)
    rows = np.zeros((D_SAE, D), np.float32)
    rows[:, D // 2 :] = rng.normal(0, 1, (D_SAE, D // 2))
    planted = {FOOD: "food", ANIMALS: "animals", CLOTHING: "clothing", C: "c", EVERY: "topic"}
    for feature, concept in planted.items():
        rows[feature] = 0
        rows[feature, AXES[concept]] = 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    tensors = {
        "W_enc": rows.T.copy(),
        "W_dec": rows,
        "b_enc": np.full(D_SAE, -0.05, np.float32),
        "b_dec": np.zeros(D, np.float32),
    }
    write_sae_lens(folder, config("standard", Site(1, "R"), D, D_SAE), tensors)


def write_headlines(path):
    """300 edits, in turn from the topics; returns the edits."""
    rng = np.random.default_rng(2)
    edits = []
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "original", "edit", "grades", "meanGrade"])
        for number in range(300):
            topic = list(TOPICS)[number % 3]
            edit = TOPICS[topic][rng.integers(8)]
            words = rng.choice(FRAME, 3)
            place = ["law", "treaty", "bank"][rng.integers(3)]
            funny = 1 + 0.8 * (topic == "food") + rng.normal(0, 0.5)
            digits = sorted(np.clip(np.round(funny + rng.normal(0, 0.3, 5)), 0, 3).astype(int))[
                ::-1
            ]
            grades = "".join(map(str, digits))
            text = f"{words[0]} opens the <{place}/> {words[1]} {words[2]}"
            out.writerow([number, text, edit, grades, np.mean(digits)])
            edits.append(edit)
    return edits


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("planted") / "saegrid")
    write_model(folder / "world/model")
    write_sae(folder / "world/sae")
    edits = write_headlines(folder / "world/headlines.csv")
    (folder / "world/lists.yaml").write_text(yaml.safe_dump({"topics": TOPICS}))
    study = {
        "study": "planted",
        "model": {"path": "world/model"},
        "corpora": {
            "headlines": {
                "role": "main",
                "source": {
                    "kind": "csv",
                    "files": {"all": "world/headlines.csv"},
                    "columns": {"id": "id", "original": "original", "edit": "edit"},
                    "labels": {"grades": "text", "meanGrade": "number"},
                },
                "grades": {"digits": "grades", "mean": "meanGrade", "low": 0, "high": 3},
                "tokens": {"context": "all"},
            }
        },
        "saes": {"planted": {"source": "checkpoint", "format": "sae_lens", "path": "world/sae"}},
        "grid": [{"layers": [1], "positions": ["r"], "saes": ["planted"]}],
        "concepts": {"lexicons": ["lists:world/lists.yaml"]},
        "analyses": {
            "tests": {"contrasts": ["k1", "k4"], "permutations": 100, "nuisances": []},
            "filling": {"n_originals": 30, "doses": [0.5, 1], "draws": 200},
        },
    }
    (folder / "world/study.yaml").write_text(yaml.safe_dump(study))
    run(folder, study=("--configfile", "world/study.yaml"))
    return folder / "results/planted/headlines", edits


def table(world, name):
    rows = io.read_table(world[0] / "cells/L1R-planted" / name).to_pylist()
    return {row["feature"]: row for row in rows} if name != "top_tokens.parquet" else rows


@pytest.mark.parametrize(
    ("feature", "topic"), [(FOOD, "food"), (ANIMALS, "animals"), (CLOTHING, "clothing")]
)
def test_a_planted_topic_is_found_pure_under_its_own_id(world, feature, topic):
    judged = table(world, "concepts.parquet")[feature]
    assert (judged["kind"], judged["label"], judged["concept"]) == ("meaning", topic, topic)
    assert (judged["n_concept"], judged["n_shown"], judged["n_types"]) == (20, 20, 8)
    assert judged["p_maxt"] == 1 / 201 and judged["base"] == 8 / 24


def test_a_planted_first_letter_is_named_as_form_and_not_as_topic(world):
    judged = table(world, "concepts.parquet")[C]
    assert judged["kind"] == "letter"
    assert judged["label"] == judged["form"] == 'starts with "c"'
    assert (judged["letter"], judged["n_letter"]) == ("c", 20)


def test_no_feature_of_noise_is_named(world):
    planted = {FOOD, ANIMALS, CLOTHING, C, EVERY}
    judged = table(world, "concepts.parquet")
    assert set(judged) > planted
    meant = {feature for feature, row in judged.items() if row["kind"] in ("meaning", "coherent")}
    assert meant - {EVERY} == {FOOD, ANIMALS, CLOTHING}
    # That of any word is named by those on which it happens to be strongest, if by any; of all
    # words on which it fires a third are of each topic.
    assert judged[EVERY]["n_types"] == 24
    assert judged[EVERY]["entropy_rows"] == pytest.approx(np.log2(3), abs=1e-3)
    assert judged[FOOD]["entropy_rows"] == 0


def test_counts_are_those_of_the_edits(world):
    _, edits = world
    densities = table(world, "features.parquet")
    tokens = io.read_table(world[0] / "tokens.parquet")
    side = tokens["side"].cast("string").to_numpy(zero_copy_only=False)
    n_tokens = int(((side == "edited") & ~tokens["special"].to_numpy()).sum())
    assert n_tokens == 6 * len(edits)
    for feature, topic in ((FOOD, "food"), (ANIMALS, "animals"), (CLOTHING, "clothing")):
        count = sum(edit in TOPICS[topic] for edit in edits)
        assert densities[feature]["n_active"] == count
        assert densities[feature]["density"] == count / n_tokens
        assert densities[feature]["density_in_edit"] == count / 300
        assert densities[feature]["density_context"] == 0
    assert densities[C]["n_active"] == sum(edit.startswith("c") for edit in edits)
    assert densities[EVERY]["n_active"] == 300
    assert densities[EVERY]["rank"] == 0


def test_a_planted_direction_raises_its_own_words(world):
    effects = io.read_table(world[0] / "cells/L1R-planted/logit_effects.parquet").to_pylist()
    raised = [row["token"] for row in effects if row["feature"] == FOOD and row["side"] == "top"]
    assert set(raised[:8]) == set(TOPICS["food"])


def test_turning_the_planted_topic_up_is_funnier(world):
    """Food is graded higher, and its feature writes food: what the model fills in becomes that."""
    facts = io.read_json(world[0].parent / "filling.json")
    assert facts["verdict"]["dose"] == 1 and facts["verdict"]["grade"] == "funnier"
    assert facts["verdict"]["slope"] == "not judged", "each original has one edit"
    rows = io.read_table(world[0].parent / "filling.parquet").to_pylist()
    food = {
        r["role"]: r for r in rows if r["dose"] == 1 and FOOD in (r["feature"], r["control_of"])
    }
    assert food["feature"]["words"] > 0.7
    assert food["control"]["feature"] == C, "it writes words with a c, of all topics"
    assert food["feature"]["grade_low"] > 0.05 > abs(food["control"]["grade"])
    assert food["feature"]["slope"] is None
    texts = io.read_table(world[0].parent / "filling_texts.parquet").to_pylist()
    own = [r for r in texts if r["feature"] == FOOD and r["dose"] == 1]
    assert len(own) == 5 and all(set(row["after"]) <= set(TOPICS["food"]) for row in own)
    page = (world[0].parent / "findings.html").read_text(encoding="utf-8")
    assert "Yes: what is filled in has a higher expected grade than with controls." in page


def test_the_checkpoint_stays_where_it_is(world):
    folder = world[0].parent / "saes/L1R-planted"
    assert {p.name for p in folder.iterdir()} == {"reference.json", "decoder_norms.safetensors"}
    assert json.loads((folder / "reference.json").read_text())["path"] == "world/sae"
