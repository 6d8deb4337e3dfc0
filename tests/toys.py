"""Tiny random models of each family, and tokens tables, for tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import transformers

from cases import Cases
from saegrid.base.registry import pick
from saegrid.base.words import SIDES
from saegrid.models import FAMILIES, family_of
from saegrid.models.load import Loaded

# Toys are too small for more, and tests run side by side.
torch.set_num_threads(1)


def _loaded(model: torch.nn.Module, source: str) -> Loaded:
    facts = model.config.to_dict()
    family = family_of(facts)
    ready = model.eval().requires_grad_(False)
    return Loaded(ready, family, family.sizes(facts), source)


def toy_llama(
    layers: int = 2,
    d: int = 32,
    vocab: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    mlp: int | None = None,
    context: int = 64,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    kind: str = "llama",
    **settings,
) -> Loaded:
    """A random model with Llama's names; kind: llama, mistral, qwen2 or qwen3."""
    config = transformers.AutoConfig.for_model(
        kind,
        hidden_size=d,
        intermediate_size=mlp or 3 * d,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=d // heads,
        vocab_size=vocab,
        max_position_embeddings=context,
        initializer_range=0.2,
        pad_token_id=None,
        bos_token_id=1,
        eos_token_id=2,
        **settings,
    )
    return _loaded(_made(transformers.AutoModelForCausalLM, config, seed, dtype), f"toy {kind}")


def toy_gpt2(
    layers: int = 2, d: int = 32, vocab: int = 64, context: int = 64, seed: int = 0
) -> Loaded:
    """A random GPT-2."""
    config = transformers.GPT2Config(
        n_embd=d,
        n_layer=layers,
        n_head=4,
        vocab_size=vocab,
        n_positions=context,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=1,
    )
    return _loaded(_made(transformers.AutoModelForCausalLM, config, seed), "toy gpt2")


def toy_bert(
    layers: int = 2, d: int = 32, vocab: int = 64, context: int = 64, seed: int = 0
) -> Loaded:
    """A random BERT encoder."""
    config = transformers.BertConfig(
        hidden_size=d,
        intermediate_size=3 * d,
        num_hidden_layers=layers,
        num_attention_heads=4,
        vocab_size=vocab,
        max_position_embeddings=context,
        initializer_range=0.2,
    )
    return _loaded(_made(transformers.AutoModel, config, seed), "toy bert")


NAMES = {pick(FAMILIES, kind, "model family").name for kind in FAMILIES}
"""Names of the families."""
TOYS = Cases(
    "model family",
    "tests/toys.py",
    {
        "llama": toy_llama,
        "gpt2": toy_gpt2,
        "bert": toy_bert,
    },
)
"""A toy of each family: a function of layers, d, vocab, context and seed; of a family of several
kinds of `kind` too."""


def _made(kind, config, seed: int, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = kind.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    return made.to(dtype)


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
