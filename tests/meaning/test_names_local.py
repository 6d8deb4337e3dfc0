"""Names from a causal model in a folder: a tiny random Llama, and one that writes stories."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from naming import draws, material, tiny_llama
from saegrid.base.errors import CheckpointError
from saegrid.meaning.names.chosen import donors
from saegrid.meaning.names.local import NO, YES, Local, content
from saegrid.meaning.names.namer import Case, Context
from saegrid.meaning.names.run import run
from saegrid.meaning.names.run import subject_of as subject

CONTEXTS = [Context("the cat sat", 4, 7), Context("a hat", 2, 5)]


@pytest.fixture(scope="module")
def drawn():
    return draws(material(), n=3, n_shown=4, n_scored=6)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("llama"))


def reference(folder, prompt, text):
    """Log-probability of a text after a prompt, token by token."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder).eval()
    ids, total = tokenizer(prompt).input_ids, 0.0
    for token in tokenizer(text, add_special_tokens=False).input_ids:
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double()
        total += float(logits.log_softmax(-1)[token])
        ids = [*ids, token]
    return total


def test_it_takes_the_likelier_answer_and_continues_greedily(tiny, drawn, tmp_path):
    namer = Local(str(tmp_path), tiny)
    case = Case("cat", "detection", CONTEXTS)
    (verdicts,) = namer.judge([case])
    for context, verdict in zip(CONTEXTS, verdicts, strict=True):
        prompt = namer.judging(case._replace(contexts=[context])).prompt
        assert "On which of these words" in prompt and prompt.endswith("Answer yes or no:")
        yes, no = (reference(tiny, prompt, text) for text in (YES, NO))
        assert verdict.value == (yes > no)
    one = subject(0, drawn[0], None)
    (name,) = namer.name([one])
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny)
    model = LlamaForCausalLM.from_pretrained(tiny).eval()
    ids = tokenizer(namer.naming(one).prompt).input_ids
    start = len(ids)
    for _ in range(20):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert name.value == tokenizer.decode(ids[start:], skip_special_tokens=True).strip()[:200]


def test_answers_are_kept_and_the_model_is_read_only_where_one_is_missing(tiny, drawn, tmp_path):
    lines = []
    first = run(drawn, donors(np.arange(3)), Local(str(tmp_path), tiny), "local", lines.extend)
    assert first.names["name"].null_count == 0
    # 3 names, and by two names each of 10 contexts of detection and 6 of fuzzing.
    assert lines[0].startswith("names: 99 calls to local at most")
    namer = Local(str(tmp_path), tiny)
    namer._load = None
    again = run(drawn, donors(np.arange(3)), namer, "local", lines.extend)
    assert lines[1] == "names: 0 calls to local at most"
    assert again.names.equals(first.names) and again.contexts.equals(first.contexts)
    for path in tmp_path.rglob("*.json"):
        assert tiny not in path.read_text(), "its content counts, not where it lies"


def test_a_prompt_that_is_too_long_keeps_its_end(tiny, tmp_path):
    namer = Local(str(tmp_path), tiny, context=16)
    (verdicts,) = namer.judge([Case("cat", "detection", CONTEXTS)])
    assert all(verdict.value in (True, False) for verdict in verdicts)


def test_its_content_decides_and_code_of_its_own_is_never_run(tiny, tmp_path):
    assert content(tiny) == content(tiny)
    with pytest.raises(CheckpointError):
        content(str(tmp_path))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        shutil.copy(Path(tiny) / name, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoModelForCausalLM": "code.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text("raise SystemExit('run')")
    assert content(str(tmp_path)) != content(tiny)
    with pytest.raises(ValueError):
        Local(str(tmp_path / "answers"), str(tmp_path))._load()


@pytest.mark.slow
def test_a_model_of_stories_answers_and_is_scored(shared_data, drawn, tmp_path):
    """It is no instruct model: that its names say nothing is what the null is for."""
    namer = Local(str(tmp_path), str(shared_data / "stories260K-hf"))
    result = run(drawn, donors(np.arange(3)), namer, "local")
    assert result.names["name"].null_count == 0
    for task in ("detection", "fuzzing"):
        assert all(0 <= value <= 1 for value in result.names[task].to_pylist())
