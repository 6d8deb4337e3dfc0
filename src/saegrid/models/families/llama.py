"""The family of Llama, and of models with the same names of parts: Mistral, Qwen 2 and 3."""

from collections.abc import Mapping
from typing import Any

from saegrid.models import Family, Sizes, Unembedding


def sizes(config: Mapping[str, Any]) -> Sizes:
    """The sizes of a model by its config.json."""
    return Sizes(
        n_layers=config["num_hidden_layers"],
        d_model=config["hidden_size"],
        d_mlp=config["intermediate_size"],
        d_vocab=config["vocab_size"],
        context=config["max_position_embeddings"],
    )


def unembedding(config: Mapping[str, Any]) -> Unembedding:
    """The final RMS norm and head; the head is the embedding if config.json ties them."""
    tied = config.get("tie_word_embeddings", False)
    unembed = "model.embed_tokens.weight" if tied else "lm_head.weight"
    return Unembedding("model.norm.weight", None, unembed, "rms")


FAMILY = Family(
    name="llama",
    blocks="layers",
    attention="self_attn.o_proj",
    mlp="mlp.down_proj",
    residual_sum=True,
    causal=True,
    prefix="model.",
    sizes=sizes,
    unembedding=unembedding,
)
