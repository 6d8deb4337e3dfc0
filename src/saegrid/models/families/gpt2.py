"""The family of GPT-2."""

from collections.abc import Mapping
from typing import Any

from saegrid.models import Family, Sizes, Unembedding


def sizes(config: Mapping[str, Any]) -> Sizes:
    """The sizes of a model by its config.json."""
    return Sizes(
        n_layers=config["n_layer"],
        d_model=config["n_embd"],
        d_mlp=config.get("n_inner") or 4 * config["n_embd"],
        d_vocab=config["vocab_size"],
        context=config["n_positions"],
    )


def unembedding(config: Mapping[str, Any]) -> Unembedding:
    """The final layer norm and head; the head is the embedding unless config.json unties them."""
    tied = config.get("tie_word_embeddings", True)
    unembed = "transformer.wte.weight" if tied else "lm_head.weight"
    return Unembedding("transformer.ln_f.weight", "transformer.ln_f.bias", unembed, "layer")


FAMILY = Family(
    name="gpt2",
    blocks="h",
    attention="attn.c_proj",
    mlp="mlp.c_proj",
    residual_sum=True,
    causal=True,
    prefix="transformer.",
    sizes=sizes,
    unembedding=unembedding,
)
