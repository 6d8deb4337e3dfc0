"""A family that is worked out from the structure of a model, for architectures without a row.

Sizes come from the usual keys of config.json. The parts of a block are found when the model is
loaded: its attention's and its MLP's last linear map. `models.check` decides whether they are what
they should be: R must be the sum, and norm and head must turn it into the model's own logits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from saegrid.models import Family, Keys

LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
D_MODEL = ("hidden_size", "n_embd", "d_model", "dim")
D_MLP = ("intermediate_size", "n_inner", "ffn_dim", "hidden_dim", "ffn_hidden_size")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
ATTENTION, MLP = ("attn", "attention"), ("mlp", "ffn", "feed_forward", "feedforward")
LINEAR = ("Linear", "Conv1D")


def outline(config: Mapping[str, Any]) -> Family | None:
    """The family of an architecture that the library of models knows; None where it does not, or
    where config.json lacks a size."""
    kind = str(config.get("model_type", ""))
    if not _is_in_library(kind):
        return None
    layers, d_model, d_mlp, heads, context = (
        _first(config, names) for names in (LAYERS, D_MODEL, D_MLP, HEADS, CONTEXT)
    )
    if not (layers and d_model and heads and context):
        return None
    keys = Keys(layers, d_model, d_mlp or D_MLP[0], heads, context, four=True)
    return Family(
        name=kind,
        blocks="",
        attention="",
        mlp="",
        flat=True,
        kernel=None,
        outlined=True,
        keys=keys,
        last=None,
    )


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if config.get(name) is not None), "")


def _is_in_library(kind: str) -> bool:
    """Return True if the library has a file for models of this type; it is not imported for it."""
    library = find_spec("transformers")
    name = kind.replace("-", "_")
    if library is None or library.origin is None or not name.isidentifier():
        return False
    return (Path(library.origin).parent / "models" / name / f"modeling_{name}.py").is_file()


def worked_out(family: Family, body: Any, n_layers: int, d_model: int) -> Family | None:
    """The family with the parts of a model without its head; None where they are not found."""
    for blocks, module in body.named_modules():
        if type(module).__name__ != "ModuleList" or len(module) != n_layers:
            continue
        attention = _part(module[0], ATTENTION, d_model)
        mlp = _part(module[0], MLP, d_model)
        if attention and mlp:
            return replace(family, blocks=blocks, attention=attention[1], mlp=mlp[1], enters=mlp[0])
    return None


def _part(block: Any, names: tuple[str, ...], d_model: int) -> tuple[str, str] | None:
    """The child of a block with one of these names, and its last linear map to the stream."""
    for child, module in block.named_children():
        maps = [name for name, width in _maps(module) if width == d_model]
        if any(name in child.lower() for name in names) and maps:
            return child, f"{child}.{maps[-1]}"
    return None


def _maps(module: Any) -> Iterator[tuple[str, int]]:
    """The linear maps of a module in order: their names, and their widths of output."""
    for name, part in module.named_modules():
        if type(part).__name__.endswith(LINEAR):
            yield name, getattr(part, "out_features", None) or part.nf
