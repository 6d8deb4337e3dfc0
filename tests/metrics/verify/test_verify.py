"""Known numbers of checkpoints: the right weights pass, doctored ones are refused by name.

A tiny random Llama and SAEs in Llama Scope's layout; what they must give is computed here in
float64 from the formulas of their authors (llama-scope.md 1.5), without the library.
"""

import copy
import dataclasses
import json
import re
import shutil
from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
import torch
import yaml

from asking import STUDY, cell_at, config, files, inputs, jobs_of, plan_of, spec
from checkpoints import D_MODEL, D_SAE, hyperparams, llama_scope, llama_scope_tensors, to_bits
from saegrid.base import io
from saegrid.base.words import Site
from saegrid.metrics.verify import VerifyError, run
from saegrid.metrics.verify.decoder import check_decoder
from saegrid.metrics.verify.expected import Counts, Decoder, Norms, read
from saegrid.metrics.verify.golden import meets
from saegrid.metrics.verify.norms import check_norms
from saegrid.metrics.verify.run import OFF, verify
from saegrid.metrics.verify.text import Text, join, sample, sentence
from saegrid.models.families import llama
from saegrid.models.load import ModelError
from saegrid.saes.reference import import_sae
from saegrid.stages.stage import At
from toys import save, toy_llama

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "resources/expected/llama-3.1-8b.yaml"
TOKENIZER = ROOT / "resources/toy/model"
SENTENCE = "mayor opens new bridge with circus clown and wins court case over stolen bread"
LAYERS = 4
CELL, NORM, THRESHOLD = "L2R-3x", 7.0, 2.5
FACTS = hyperparams(
    hook_point_in="blocks.2.hook_resid_post",
    hook_point_out="blocks.2.hook_resid_post",
    dataset_average_activation_norm={"in": NORM, "out": NORM},
    jump_relu_threshold=THRESHOLD,
)


def stored(values):
    """The numbers, rounded to bfloat16."""
    return (to_bits(values).astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def tokenizer():
    return tokenizers.Tokenizer.from_file(str(TOKENIZER / "tokenizer.json"))


def made_model():
    """A random model whose BOS has a huge norm, and whose A is smaller than its M."""
    vocab = tokenizer().get_vocab_size()
    loaded = toy_llama(layers=LAYERS, d=D_MODEL, vocab=vocab, mlp=D_MODEL)
    with torch.no_grad():
        loaded.body.embed_tokens.weight[0] *= 300
        for block in loaded.blocks:
            block.input_layernorm.weight.fill_(2.0)
            block.post_attention_layernorm.weight.fill_(1.5)
            block.self_attn.o_proj.weight *= 0.25
    return loaded


def activations(model, ids):
    """x (token, d_model) float64 of one row at every site, read by hooks of this test."""
    whole, found = copy.deepcopy(model).double(), {}

    def keep(name):
        def hook(module, inputs, output):
            x = output[0] if isinstance(output, tuple) else output
            found[name] = x[0].numpy()

        return hook

    for number, block in enumerate(whole.model.layers):
        block.self_attn.register_forward_hook(keep(f"L{number}A"))
        block.mlp.register_forward_hook(keep(f"L{number}M"))
        block.register_forward_hook(keep(f"L{number}R"))
    with torch.no_grad():
        whole(torch.tensor([ids]))
    return found


def reference(x, tensors, facts):
    """L0 (token,) and mean squared error, as the authors define them."""
    average = facts["dataset_average_activation_norm"]
    s_in, s_out = (sqrt(D_MODEL) / average[side] for side in ("in", "out"))
    raw = {name: stored(values) for name, values in tensors.items()}
    decoder = raw["decoder.weight"] * s_in / s_out
    n = np.sqrt((decoder**2).sum(axis=0))
    pre = n * (x @ raw["encoder.weight"].T + raw["encoder.bias"] / s_in)
    f = np.where(pre > facts["jump_relu_threshold"], pre, 0)
    x_hat = f @ (decoder / n).T + raw["decoder.bias"] / s_out
    return (f > 0).sum(axis=1), ((x - x_hat) ** 2).mean()


def rows():
    """Token ids of some headlines, BOS before each."""
    texts = (ROOT / "resources/toy/headlines.csv").read_text().splitlines()[1:41]
    encode = tokenizer().encode
    return [[0, *encode(t.split(",")[1][:60], add_special_tokens=False).ids] for t in texts]


def tokens_table(bos_special=True):
    ids = rows()
    return pa.table(
        {
            "row": np.concatenate([[n] * len(r) for n, r in enumerate(ids)]),
            "position": np.concatenate([np.arange(len(r)) for r in ids]),
            "token_id": np.concatenate(ids),
            "special": np.concatenate([[bos_special] + [False] * (len(r) - 1) for r in ids]),
        }
    )


def expectations(model, tensors):
    """The file of expected numbers of this world."""
    ids = tokenizer().encode(SENTENCE, add_special_tokens=False).ids
    counts, error = reference(activations(model, [0, *ids])["L2R"][1:], tensors, FACTS)
    of_rows = [activations(model, row) for row in rows()]
    norms = {}
    for layer in range(LAYERS):
        for position in "AMR":
            x = np.concatenate([row[f"L{layer}{position}"][1:] for row in of_rows])
            norms.setdefault(position, {})[layer] = float(np.linalg.norm(x, axis=1).mean())
    decoder = stored(tensors["decoder.weight"])
    directions = (decoder / np.linalg.norm(decoder, axis=0)).T
    top3 = {
        f: {int(c): round(float(directions[f, c]), 3) for c in np.argsort(-directions[f])[:3]}
        for f in (3, 17)
    }
    golden = {
        "cell": CELL,
        "d_sae": D_SAE,
        "text": SENTENCE,
        "l0": {"value": counts.tolist(), "near": 0, "near_share": 1, "most": 0, "mean": 0.01},
        "mse": {"value": float(error), "tolerance": float(error) / 1000},
        "source": "float64",
    }
    return {
        "golden": [golden],
        "norms": {"factor": 2.0, "tokens": 200, "source": "float64", "value": norms},
        "decoder_top3": {"tolerance": 0.002, "source": "float64", "value": {CELL: top3}},
    }


class World:
    """Model, SAE and expectations of a test on disk, to be doctored and verified."""

    def __init__(self, folder, model, expected):
        self.folder, self.model = folder, copy.deepcopy(model)
        self.expected = copy.deepcopy(expected)
        self.tensors = llama_scope_tensors()
        self.facts, self.bos, self.bos_special = dict(FACTS), "auto", True
        self.what = {"golden": [CELL], "decoder": [CELL]}
        self.sites = [f"L{layer}{position}" for layer in range(LAYERS) for position in "AMR"]
        self.expect(lambda expected: None)

    def expect(self, change):
        """Write the expected numbers, changed."""
        change(self.expected)
        (self.folder / "expected.yaml").write_text(yaml.safe_dump(self.expected))

    def verify(self, memory_mb=1000):
        save(self.model, self.folder / "model")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / name, self.folder / "model" / name)
        checkpoint = llama_scope(self.folder / "sae", tensors=self.tensors, **self.facts)
        files = [self.folder / "saes" / CELL / name for name in ("reference.json", "n.safetensors")]
        files[1] = files[1].with_name("decoder_norms.safetensors")
        import_sae({"format": "llama_scope", "path": str(checkpoint)}, CELL, *files)
        io.write_table(self.folder / "tokens.parquet", tokens_table(self.bos_special))
        model = {"path": str(self.folder / "model"), "tokenizer": None, "revision": None}
        model |= {"bos": self.bos, "dtype": "float32", "device": "cpu"}
        settings = {"expected": str(self.folder / "expected.yaml"), "model": model, "threads": 1}
        settings |= {**self.what, "norms": self.sites}
        return verify(settings, self.folder, files, [self.folder / "tokens.parquet"], memory_mb)

    def refusal(self):
        with pytest.raises(VerifyError) as refused:
            self.verify()
        return str(refused.value)


@pytest.fixture(scope="module")
def made():
    model = made_model()
    return model, expectations(model.model, llama_scope_tensors())


@pytest.fixture
def world(made, tmp_path):
    return World(tmp_path, *made)


# --- the right weights ---------------------------------------------------------------------------


def test_the_right_weights_pass_and_their_numbers_are_written(world, made):
    (world.folder / ".verify-killed").mkdir()
    found = world.verify()
    golden = made[1]["golden"][0]
    assert found["verified"] is True
    facts = {fact["name"]: fact for fact in found["facts"]}
    assert len(facts) == len(found["facts"]) == 2 + 2 + len(world.sites)
    assert all(fact["passed"] for fact in facts.values())
    assert facts[f"{CELL}: L0"]["value"] == golden["l0"]["value"]
    assert min(golden["l0"]["value"]) > 0
    assert max(golden["l0"]["value"]) < D_SAE
    assert facts[f"{CELL}: error"]["value"] == pytest.approx(golden["mse"]["value"], rel=1e-5)
    for name, fact in facts.items():
        assert set(fact) == {
            *("name", "value", "expected", "tolerance", "n", "definition", "source", "passed")
        }, name
    # A sample of the rows and all of them differ, but not much.
    ratios = [facts[f"{s}: norm"]["value"] / facts[f"{s}: norm"]["expected"] for s in world.sites]
    assert np.allclose(ratios, 1, atol=0.25)
    assert not [path.name for path in world.folder.iterdir() if path.name.startswith(".verify")]
    json.dumps(found, allow_nan=False)


def test_a_model_that_does_not_fit_in_memory_gives_the_same(world):
    whole = world.verify(memory_mb=10**6)
    assert world.verify(memory_mb=0) == whole


def test_nothing_is_verified_without_a_file(tmp_path):
    assert verify({"expected": None}, tmp_path) == {"verified": False, "because": OFF, "facts": []}


# --- doctored SAEs -------------------------------------------------------------------------------


def test_a_threshold_in_other_units(world):
    s_in = sqrt(D_MODEL) / NORM
    world.facts["jump_relu_threshold"] = THRESHOLD * s_in
    found = world.refusal()
    assert f"{CELL}: L0 of the golden sentence must have the mean" in found
    assert f"come out right where the threshold is divided by s_in = {s_in:.4g}" in found
    assert "1 of" in found or "2 of" in found


def test_decoder_norms_folded_into_the_encoder_already(world):
    norms = np.linalg.norm(stored(world.tensors["decoder.weight"]), axis=0)
    world.tensors["encoder.weight"] = world.tensors["encoder.weight"] * norms[:, None]
    world.tensors["encoder.bias"] = world.tensors["encoder.bias"] * norms
    # bfloat16 rounds the products, so that a count may be off by one.
    world.expect(lambda e: e["golden"][0]["l0"].update(near=1, most=1, mean=0.2))
    found = world.refusal()
    assert "come out right where the gate leaves out the norms of the decoder" in found


def test_a_decoder_that_was_normalised(world):
    decoder = world.tensors["decoder.weight"]
    world.tensors["decoder.weight"] = decoder / (2 * np.linalg.norm(decoder, axis=0))
    found = world.refusal()
    assert "So few are active where the norms of the decoder are missing from the gate" in found


def test_a_decoder_that_is_not_the_encoders(world):
    decoder = world.tensors["decoder.weight"]
    other = np.random.default_rng(5).normal(size=decoder.shape)
    norms = np.linalg.norm(stored(decoder), axis=0) / np.linalg.norm(other, axis=0)
    world.tensors["decoder.weight"] = other * norms
    found = world.refusal()
    assert "2 of 2 known numbers do not come out" in found
    assert f"{CELL}: the largest entries of the decoder direction of feature 3 must be" in found
    assert "Get the checkpoint anew from its repository." in found
    world.what["decoder"] = []
    found = world.refusal()
    assert f"{CELL}: the error of the reconstruction of the golden sentence must be" in found


def test_an_sae_of_another_size(world):
    world.expect(lambda e: e["golden"][0].update(d_sae=32768))
    assert f"{CELL}: the SAE must have 32768 features; it has {D_SAE}." in world.refusal()


# --- doctored models and hooks -------------------------------------------------------------------


def test_swapped_hooks(world, monkeypatch):
    capture, other = run._capture, {"A": "M", "M": "A"}

    def swapped(*arguments):
        x = capture(*arguments)
        return {s: x[s._replace(position=other.get(s.position, s.position))] for s in x}

    monkeypatch.setattr(run, "_capture", swapped)
    found = world.refusal()
    assert "A and M look swapped: each has the norms that the other should have." in found
    assert "L2R: the mean norm" not in found
    assert "L0 of the golden sentence" not in found


def test_names_of_parts_that_are_swapped(world, monkeypatch):
    """They are noticed before any norm is measured: a block reaches them in the wrong order."""
    swapped = dataclasses.replace(llama.LLAMA, attention="mlp.down_proj", mlp="self_attn.o_proj")
    monkeypatch.setattr(llama, "LLAMA", swapped)
    with pytest.raises(ModelError, match="must reach the positions of block 0 in the order"):
        world.verify()


def test_bos_counted_as_text(world):
    world.bos_special = False
    found = world.refusal()
    assert "L1R: the mean norm of" in found
    assert "(id 0 at position 0): BOS is counted as text." in found


def test_rows_without_bos(world):
    world.bos = False
    assert f"{CELL}: BOS must open the golden sentence" in world.refusal()


def test_weights_that_were_scaled(world):
    with torch.no_grad():
        world.model.body.embed_tokens.weight *= 3
        for block in world.model.blocks:
            block.self_attn.o_proj.weight *= 3
            block.mlp.down_proj.weight *= 3
    found = world.refusal()
    assert "All sites are off by about the same factor, 3" in found
    assert found.count("the mean norm of") == len(world.sites)


def test_a_norm_folded_into_weights_but_left_in_place(world):
    with torch.no_grad():
        for block in world.model.blocks:
            gain, attention = block.input_layernorm.weight, block.self_attn
            for part in (attention.q_proj, attention.k_proj, attention.v_proj):
                part.weight *= gain
            gain = block.post_attention_layernorm.weight
            for part in (block.mlp.gate_proj, block.mlp.up_proj):
                part.weight *= gain
    found = world.refusal()
    assert "a norm folded into them" in found
    assert found.count("the mean norm of") > 0


def test_another_tokenizer(world, made):
    world.expect(lambda e: e["golden"][0]["l0"]["value"].append(5))
    n = len(made[1]["golden"][0]["l0"]["value"]) + 1
    found = world.refusal()
    assert f"must have {n} tokens beside BOS; it has {n - 1}. The tokenizer is not" in found


# --- parts ---------------------------------------------------------------------------------------


def test_swapped_positions_within_a_factor_of_two():
    """At layer 15 A and M are 1.7 apart: the factor alone would let them pass."""
    norms = read(SHIPPED).norms
    text = Text(*(np.arange(6),) * 3, np.zeros(6, bool))

    def problems(a, m):
        return [
            fact.problem
            for fact in check_norms(
                norms, {Site(15, "A"): np.full(6, a), Site(15, "M"): np.full(6, m)}, text
            )
            if fact.problem
        ]

    assert problems(3.11, 5.28) == []
    assert problems(2.5, 4.0) == []
    assert len(problems(5.28, 3.11)) == 1
    assert problems(5.28, 3.11)[0].startswith("A and M look swapped")


@pytest.mark.parametrize(
    ("counts", "passes"),
    [
        ([10, 20, 30, 40, 50], True),
        ([12, 18, 32, 38, 50], True),
        # One token in five may be off by more than two ...
        ([10, 20, 30, 40, 54], True),
        ([10, 20, 30, 44, 46], False),
        # ... but by no more than five.
        ([10, 20, 30, 40, 56], False),
        # All near, and all to one side.
        ([12, 22, 32, 42, 52], False),
    ],
)
def test_each_tolerance_of_the_counts_refuses_alone(counts, passes):
    expected = Counts(value=[10, 20, 30, 40, 50], near=2, near_share=0.8, most=5, mean=1.5)
    assert meets(np.array(counts), expected) is passes


def test_a_larger_entry_than_the_published_three_is_refused():
    row = np.array([[0.5, 0.6, 0.1, 0.2, 0.3, 0.4]])
    row /= np.linalg.norm(row)
    decoder = SimpleNamespace(d_sae=1, d_model=6)
    sae = SimpleNamespace(decoder=decoder, decoder_rows=lambda features: row[features])
    largest = {c: round(float(row[0, c]), 3) for c in (1, 0, 5)}
    others = {c: round(float(row[0, c]), 3) for c in (1, 0, 4)}

    def problem(told):
        expected = Decoder(tolerance=0.001, value={"L1R-8x": {0: told}}, source="")
        return check_decoder(expected, "L1R-8x", sae)[0].problem

    assert problem(largest) == ""
    assert f"they are 1: {largest[1]:+.3f}, 0: {largest[0]:+.3f}, 5:" in problem(others)
    assert "it is 1 x 6" in problem({9: 0.5})


def test_no_bos_is_told_from_bos_that_is_counted():
    norms = Norms(factor=2, tokens=10, value={"R": {1: 1.0}}, source="")
    text = Text(np.arange(40) // 10, np.arange(40) % 10, np.arange(40), np.zeros(40, bool))
    x = np.where(text.position == 0, 90.0, 1.0)
    (fact,) = check_norms(norms, {Site(1, "R"): x}, text)
    assert "no BOS opens the rows" in fact.problem
    same = text._replace(token_id=np.where(text.position == 0, 7, text.token_id))
    (fact,) = check_norms(norms, {Site(1, "R"): x}, same)
    assert "(id 7 at position 0): BOS is counted as text" in fact.problem


def test_a_sample_is_of_whole_rows_and_evenly_spread():
    table = tokens_table()
    found = sample(table, 100)
    n_rows = table["row"].to_numpy()[-1] + 1
    assert 80 <= (~found.special).sum() <= 160
    assert found.position[0] == 0
    assert (np.diff(found.row) >= 0).all()
    assert found.row[-1] + 1 < n_rows
    everything = sample(table, 10**6)
    assert np.array_equal(everything.token_id, table["token_id"].to_numpy())


def test_rows_of_texts_are_joined():
    from saegrid.text import tokenizer as library

    encoder = library.load(TOKENIZER)
    one, two = sentence(encoder, "a circus"), sentence(encoder, SENTENCE)
    both = join([one, two])
    assert both.row.tolist() == [0] * len(one.row) + [1] * len(two.row)
    assert both.plain().special.sum() == 0
    assert both.table()["side"].to_pylist() == ["plain"] * len(both.row)


def test_a_wrong_file_names_its_keys(tmp_path):
    path = tmp_path / "expected.yaml"
    path.write_text("norms: {factor: 0.5, tokens: 10, value: {}, source: x}\ngolde: []\n")
    with pytest.raises(ValueError, match=r"expected numbers cannot be read") as error:
        read(path)
    assert "norms.factor" in str(error.value)
    assert "golde" in str(error.value)


# --- the shipped numbers -------------------------------------------------------------------------


def test_the_shipped_numbers_are_those_of_the_specification():
    expected = read(SHIPPED)
    (golden,) = expected.golden
    assert (golden.cell, golden.d_sae, len(golden.l0.value)) == ("L15R-8x", 32768, 36)
    assert np.mean(golden.l0.value) == pytest.approx(47.19, abs=0.005)
    assert golden.l0.value[:3] == [12, 29, 30]
    assert golden.mse.value == 0.0080
    assert all(sorted(layers) == list(range(7, 32)) for layers in expected.norms.value.values())
    assert expected.norms.at(Site(15, "R")) == 10.81
    # Gates that leave out the norms give a mean of 22 to 30, no gate about 1000.
    assert golden.l0.mean < 47.19 - 30


@pytest.mark.parametrize(("name", "sites"), [("humor", 75), ("published", 14)])
def test_what_is_verified_of_the_shipped_studies(name, sites):
    study = config(name)
    plan = plan_of(study)
    known = read(SHIPPED).decoder_top3.value
    assert plan.verified.golden == ["L15R-8x"]
    assert plan.verified.decoder == sorted(known)
    assert len(plan.verified.norms) == sites
    # The published grid is without L15R-8x, which is imported all the same.
    imported = plan.graph.stages["import_sae"].only["cell"](plan)
    assert re.fullmatch(imported, "L15R-8x")
    saes = {at.cell for _, at in saes_verified(plan)}
    assert saes == {"L15R-8x", *known}
    # A study with checkpoints waits for the file whether it verifies them or not.
    off = plan_of({**study, "verify": {}})
    for one in (plan, off):
        facts = [f"{plan.root}/verified.json"]
        assert files(one, "verify_checkpoint.facts") == facts
        for stage, at in (("capture", At(plan.main)), ("encode", cell_at(plan.main, "L7R-32x"))):
            assert inputs(one, stage, "verified", at) == facts
    assert [inputs(off, "verify_checkpoint", name) for name in ("saes", "model", "tokens")] == [
        [],
        [],
        [],
    ]
    assert json.loads(spec(off, "verify_checkpoint"))["expected"] is None


def saes_verified(plan):
    """Outputs and places of the SAEs that a verification reads, checkpoints at hand or not."""
    plan.saes.folder = lambda cell: None
    stage = plan.graph.stages["verify_checkpoint"]
    return plan.graph.sources(stage, "saes", STUDY)


def test_a_study_that_trains_its_saes_verifies_nothing():
    plan = plan_of({**config(), "verify": {"expected": str(SHIPPED)}})
    assert inputs(plan, "capture", "verified", At(plan.main)) == []
    assert inputs(plan, "encode", "verified", cell_at(plan.main, "L1R-8x")) == []
    stages = {job.stage.name for job in jobs_of(plan)}
    assert "encode" in stages and "verify_checkpoint" not in stages


def test_the_golden_sentence_has_36_tokens(shared_data):
    from saegrid.text import tokenizer as library

    (golden,) = read(SHIPPED).golden
    text = sentence(library.load(shared_data / "llama3-tokenizer"), golden.text)
    assert text.token_id[0] == 128000
    assert len(text.plain().row) == len(golden.l0.value)


def test_the_decoder_entries_are_those_of_the_published_pages(shared_data):
    import gzip

    folder = shared_data / "published-dashboards"
    with gzip.open(folder / "features_4_pages.jsonl.gz", "rt") as file:
        pages = [json.loads(line) for line in file]
    pages += json.loads((folder / "named_features.json").read_text())
    shown = {
        (f"L{p['layer']}{p['position']}-{p['expansion']}x", p["label"]): {
            entry["index"]: float(entry["value"]) for entry in p["neuron_alignment"]
        }
        for p in pages
    }
    told = read(SHIPPED).decoder_top3.value
    assert sum(map(len, told.values())) == 16
    for cell, features in told.items():
        for feature, channels in features.items():
            assert shown[cell, feature] == channels, (cell, feature)
