"""Names of places in a model in configs of checkpoints, and the sites that they mean.

TransformerLens names hook points (`blocks.3.hook_resid_post`), Hugging Face modules
(`model.layers.3.mlp`, whose output is meant where no `.input` follows). A name that means different
places in different models is a site only where the model's own name tells which.
"""

import re

from saegrid.base.words import Site

SUFFIXES = {
    "A": "hook_attn_out",
    "M": "hook_mlp_out",
    "R": "hook_resid_post",
    "N": "mlp.hook_post",
    "Z": "attn.hook_z",
    "I": "mlp.hook_in",
    "B": "hook_resid_pre",
    "H": "hook_resid_mid",
}
"""Suffix after `blocks.{layer}.` for each position (llama-scope.md 1.4)."""
NORMALIZED = "ln2.hook_normalized"
HOOKS = {suffix: position for position, suffix in SUFFIXES.items()} | {
    "hook_in": "B",
    "hook_out": "R",
    "hook_mlp_in": "H",
    NORMALIZED: "I",
    "attn.o.hook_in": "Z",
}
"""Position of each suffix; those of SUFFIXES first, then other names of the same places."""

MODULES = {
    "": ("R", "B"),
    **dict.fromkeys(("self_attn", "attn", "attention"), ("A", "")),
    **dict.fromkeys(
        ("self_attn.o_proj", "self_attn.out_proj", "self_attn.dense", "attn.c_proj"), ("A", "Z")
    ),
    **dict.fromkeys(("attn.out_proj", "attn.attention.out_proj", "attention.dense"), ("A", "Z")),
    "mlp": ("M", "I"),
    **dict.fromkeys(("mlp.down_proj", "mlp.c_proj", "mlp.dense_4h_to_h"), ("M", "N")),
    **dict.fromkeys(("mlp.fc_out", "mlp.fc2"), ("M", "N")),
    **dict.fromkeys(("ln_2", "pre_feedforward_layernorm"), ("I", "")),
    "post_feedforward_layernorm": ("M", ""),
    "post_attention_layernorm": ("A", ""),
}
"""Positions of a module's output and input, by its name in a block."""
BEHIND = ("post_attention_layernorm", "post_feedforward_layernorm")
"""Modules of a block that normalise what attention and MLP write, in models of NORMS_BEHIND."""

LAYER_NORM = re.compile(
    r"gpt-?2|gpt-?neo|gpt-?j|pythia|\bopt-\d|tiny-?stories|\bsolu-|\bgelu-|attn-only|santacoder"
    r"|\bphi-[12]|stablelm"
)
RMS_NORM = re.compile(
    r"llama|mistral|mixtral|qwen|gemma|phi-?3|olmo-?[23]|olmoe|smollm|\byi-|deepseek|gpt-oss"
)
"""Models with one norm or the other, by their names in lower case."""
NORMS_BEHIND = re.compile(r"gemma-?[23](?!b)|olmo-?[23](?!b)")
"""Models that normalise what attention and MLP write before it is added to the stream."""

GEMMA = re.compile(r"gemma")
"""Models whose norms divide by sqrt(mean square + 1e-6) before they multiply, which is known of
these alone."""

HOOK = re.compile(r"blocks\.(\d+)\.(\S+)")
MODULE = re.compile(
    r"(?:(?:model|language_model|transformer|gpt_neox|decoder|encoder|bert|roberta)\.)*"
    r"(?:layers|layer|h)\.(\d+)((?:\.\w+)*?)(?:\.(input|output))?"
)


def hook_of(site: Site, normalised: bool = False) -> str:
    """The hook point's name of a site: L15R is `blocks.15.hook_resid_post`.

    normalised: that of `before_gain`, for the stream in the middle of a block.
    """
    return f"blocks.{site.layer}.{NORMALIZED if normalised else SUFFIXES[site.position]}"


def site_of(name: str, model: str = "") -> Site | None:
    """The site that the name of a hook point or of a module means.

    None for a place that is no site, or for a name that the model has to explain and does not. The
    residual stream before a block is the one after the block before it; of the first block it is
    the embeddings.

    Args:
        name: `blocks.3.hook_resid_pre`, `model.layers.3.mlp`, `hook_embed` and the like.
        model: name of the model, as checkpoints give it; empty where they do not.
    """
    model = model.lower()
    if name == "hook_embed":  # elsewhere positions are added before the first block
        return Site(0, "B") if RMS_NORM.search(model) else None
    if match := HOOK.fullmatch(name):
        return _stream(int(match[1]), _of_hook(match[2], model))
    if match := MODULE.fullmatch(name):
        return _stream(int(match[1]), _of_module(match[2][1:], match[3] == "input", model))
    return None


def before_gain(name: str, model: str = "") -> Site | None:
    """The stream whose normalised numbers a hook point has before the norm's gain; None for others.

    They are no site, and are what `fronts.RMS_NORM` makes of that one.

    Args:
        name: `blocks.3.ln2.hook_normalized`, or another hook point.
        model: name of the model.
    """
    match = HOOK.fullmatch(name)
    normalized = match is not None and match[2] == NORMALIZED
    return Site(int(match[1]), "H") if normalized and GEMMA.search(model.lower()) else None


def _stream(layer: int, position: str) -> Site | None:
    if position == "B" and layer > 0:
        return Site(layer - 1, "R")
    return Site(layer, position) if position else None


def _of_hook(suffix: str, model: str) -> str:
    """The position that a suffix of TransformerLens means, empty for none.

    What its RMSNorm gives to ln2.hook_normalized lacks the norm's scale, so that it is no site, see
    `before_gain`; what its LayerNorm gives is the MLP's input.
    """
    if suffix == NORMALIZED and not LAYER_NORM.search(model):
        return ""
    return HOOKS.get(suffix, "")


def _of_module(name: str, is_input: bool, model: str) -> str:
    """The position of a module's output, or input, in a model; empty for none."""
    position = MODULES.get(name, ("", ""))[is_input]
    behind = bool(NORMS_BEHIND.search(model))
    known = bool(LAYER_NORM.search(model) or RMS_NORM.search(model))
    if position in ("A", "M") and not is_input:
        # Where a norm follows, what is added to the stream is the norm's output alone.
        if name in BEHIND and not behind:
            return "I" if known and name == "post_attention_layernorm" else ""
        return position if known and behind == (name in BEHIND) else ""
    return position
