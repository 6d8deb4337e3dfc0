"""Tiny random models of each family, and tokens tables, for tests."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import transformers

from cases import Cases
from saegrid.base.words import SIDES
from saegrid.models import family_of
from saegrid.models.load import Loaded

# Toys are too small for more, and tests run side by side.
torch.set_num_threads(1)


SMALL = {
    "layers": "num_hidden_layers",
    "d": "hidden_size",
    "mlp": "intermediate_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "context": "max_position_embeddings",
}
"""Keys of a toy's sizes in most families."""
KEYS = {
    "gpt2": dict(
        SMALL, layers="n_layer", d="n_embd", mlp="n_inner", heads="n_head", context="n_positions"
    ),
    "gptj": dict(
        SMALL, layers="n_layer", d="n_embd", mlp="n_inner", heads="n_head", context="n_positions"
    ),
    "gpt_neo": dict(SMALL, layers="num_layers", heads="num_heads"),
    "opt": dict(SMALL, mlp="ffn_dim"),
    "distilbert": dict(SMALL, layers="n_layers", d="dim", mlp="hidden_dim", heads="n_heads"),
}
"""Keys where a kind of model has others."""
GROUPED = ("gemma", "llama", "mistral", "mixtral", "olmo", "phi", "qwen", "stablelm", "granite")
"""Beginnings of the kinds whose heads share keys and values."""
TURNED = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5}
PLAIN = ["bert", "distilbert", "gpt2", "llama", "mistral", "olmo", "olmo2", "opt", "phi3", "qwen2"]
SETTINGS: dict[str, dict] = {
    **{kind: {} for kind in PLAIN},
    "gemma": {"head_dim": 6},
    "gemma2": {
        "head_dim": 6,
        "query_pre_attn_scalar": 6,
        "sliding_window": 4,
        "attn_logit_softcapping": 2.0,
        "final_logit_softcapping": 3.0,
    },
    "gemma3_text": {"head_dim": 6, "query_pre_attn_scalar": 6, "sliding_window": 4},
    "qwen3": {"head_dim": 12},
    "qwen3_moe": {
        "head_dim": 12,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "norm_topk_prob": True,
    },
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "gpt_neo": {"window_size": 4},
    "gptj": {"rotary_dim": 4},
    "gpt_neox": {"rope_parameters": TURNED},
    "phi": {"rope_parameters": TURNED},
    "stablelm": {"rope_parameters": TURNED},
    "granite": {
        "embedding_multiplier": 3.0,
        "logits_scaling": 4.0,
        "residual_multiplier": 0.5,
        "attention_multiplier": 0.3,
    },
    "cohere": {"logit_scale": 0.25, "use_qk_norm": True},
    "cohere2": {"logit_scale": 0.25, "sliding_window": 4},
    "olmo3": {"sliding_window": 4},
    "smollm3": {"no_rope_layer_interval": 2},
    "roberta": {"pad_token_id": 1},
}
"""The kinds, with settings that tell each from its relatives."""


def toy(
    kind: str,
    layers: int = 2,
    d: int = 32,
    vocab: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    mlp: int | None = None,
    context: int = 64,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    **settings,
) -> Loaded:
    """A random model of a kind, by the `model_type` of its config.json."""
    keys = KEYS.get(kind, SMALL)
    sizes = {"layers": layers, "d": d, "mlp": mlp or 3 * d, "heads": heads, "context": context}
    if kind.startswith(GROUPED):
        sizes["kv_heads"] = kv_heads
    own = {keys[size]: value for size, value in sizes.items()} | SETTINGS.get(kind, {})
    if kind == "gpt_neo":
        own["attention_types"] = [[["global", "local"], (layers + 1) // 2]]
    ends = {"pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
    facts = {"vocab_size": vocab, "initializer_range": 0.2} | ends | own | settings
    if kind == "opt":
        facts["init_std"] = facts.pop("initializer_range")
    config = transformers.AutoConfig.for_model(kind, **facts)
    family = family_of(config.to_dict() | {"model_type": kind})
    head = transformers.AutoModelForCausalLM if family.causal else transformers.AutoModel
    model = _made(head, config, seed, family.kernel).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return Loaded(model, family, family.sizes(config.to_dict()), f"toy {kind}")


def toy_llama(kind: str = "llama", d: int = 32, heads: int = 4, **settings) -> Loaded:
    """A random model with Llama's names; kind: llama, mistral, qwen2, qwen3 or another."""
    return toy(kind, d=d, heads=heads, **{"head_dim": d // heads} | settings)


def toy_gpt2(**settings) -> Loaded:
    """A random GPT-2."""
    return toy("gpt2", **{"mlp": None} | settings)


def toy_bert(**settings) -> Loaded:
    """A random BERT encoder."""
    return toy("bert", **settings)


def _gemma3(**settings) -> Loaded:
    """The language model of a random Gemma 3 that reads images too."""
    return toy("gemma3_text", **settings)


NAMES = ("bert", "gpt2", "llama")
"""One kind of each make, by which the laws of a capture are tested; all kinds are tested in
tests/models/test_families.py."""
TOYS = Cases(
    "model family",
    "tests/toys.py",
    {kind: partial(toy, kind) for kind in SETTINGS}
    | {"llama": toy_llama, "gpt2": toy_gpt2, "bert": toy_bert, "gemma3": _gemma3},
)
"""A toy of each kind: a function of layers, d, vocab, context and seed, and settings of its
config.json."""


def _made(head, config, seed: int, kernel: str | None) -> torch.nn.Module:
    """A random model, whose norms scale and shift by random numbers too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = head.from_config(config, dtype=torch.float32, attn_implementation=kernel)
        for parameter in made.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn(len(parameter))
    return made


def save(model: Loaded, folder: Path) -> Path:
    """The model as a checkpoint in `folder`."""
    model.model.save_pretrained(folder)
    return folder


def random_rows(lengths: Sequence[int], vocab: int = 64, seed: int = 0) -> list[list[int]]:
    """Rows of random token ids."""
    generator = np.random.default_rng(seed)
    return [generator.integers(3, vocab, n).tolist() for n in lengths]


def tokens_table(
    rows: Sequence[Sequence[int]],
    sides: Sequence[str] | None = None,
    edits: Sequence[tuple[int, int]] | None = None,
) -> tuple[pa.Table, pa.Table]:
    """The tokens and spans tables of rows; the first token of each is special.

    sides: of each row, by default plain. edits: positions of each row's edit (start, stop).
    """
    sides = sides or ["plain"] * len(rows)
    edits = edits or [(0, 0)] * len(rows)
    lengths = [len(ids) for ids in rows]
    row = np.repeat(np.arange(len(rows)), lengths)
    position = np.concatenate([np.arange(n) for n in lengths])
    side = np.array(sides)[row]
    start, stop = np.array(edits)[row].T
    table = pa.table(
        {
            "row": row.astype(np.int32),
            "position": position.astype(np.int32),
            "token_id": np.concatenate([np.array(ids) for ids in rows]).astype(np.int32),
            "text": [f"t{i}" for i in np.concatenate([np.array(ids) for ids in rows])],
            "side": pa.array(side.tolist()).dictionary_encode(),
            "group": row.astype(np.int32),
            "item": np.where(side == "original", -1, row).astype(np.int32),
            "special": position == 0,
            "in_edit": (side == "edited") & (start <= position) & (position < stop),
        }
    )
    assert set(sides) <= set(SIDES)
    spans = pa.table(
        {
            "item": np.arange(len(rows)).astype(np.int32),
            "side": pa.array(list(sides)).dictionary_encode(),
            "row": np.arange(len(rows)).astype(np.int32),
            "start": np.ones(len(rows), np.int32),
            "stop": np.array(lengths, np.int32),
            "edit_start": np.array([a for a, _ in edits], np.int32),
            "edit_stop": np.array([b for _, b in edits], np.int32),
        }
    )
    return table, spans
