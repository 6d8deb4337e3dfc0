"""Sites of a checkpoint as plain hooks of the library's own model see them, on one row at a time.

Nothing here knows the product's families: modules are named once more, by hand.
"""

from pathlib import Path

import numpy as np
import torch
import transformers

USUAL = {
    "blocks": "model.layers",
    "Z": "self_attn.o_proj",
    "A": "self_attn.o_proj",
    "I": "mlp",
    "N": "mlp.down_proj",
    "M": "mlp.down_proj",
}
SANDWICH = {"A": "post_attention_layernorm", "M": "post_feedforward_layernorm"}
ENCODER = {
    "blocks": "encoder.layer",
    "Z": "attention.output.dense",
    "A": "attention.output.dense",
    "H": "attention.output.LayerNorm",
    "I": "intermediate",
    "N": "output.dense",
    "M": "output.dense",
}
GPT = {
    "blocks": "transformer.h",
    "Z": "attn.c_proj",
    "A": "attn.c_proj",
    "N": "mlp.c_proj",
    "M": "mlp.c_proj",
}
PLACES: dict[str, dict[str, str]] = {
    "bert": ENCODER,
    "roberta": ENCODER,
    "distilbert": {
        "blocks": "transformer.layer",
        "Z": "attention.out_lin",
        "A": "attention.out_lin",
        "H": "sa_layer_norm",
        "I": "ffn",
        "N": "ffn.lin2",
        "M": "ffn.lin2",
    },
    "gemma2": SANDWICH,
    "gemma3": SANDWICH,
    "gemma3_text": SANDWICH,
    "olmo2": SANDWICH,
    "olmo3": SANDWICH,
    "gpt2": GPT,
    "gpt_neo": {**GPT, "Z": "attn.attention.out_proj", "A": "attn.attention.out_proj"},
    "gptj": {
        **GPT,
        **dict.fromkeys("ZA", "attn.out_proj"),
        **dict.fromkeys("NM", "mlp.fc_out"),
    },
    "gpt_neox": {
        "blocks": "gpt_neox.layers",
        **dict.fromkeys("ZA", "attention.dense"),
        **dict.fromkeys("NM", "mlp.dense_4h_to_h"),
    },
    "opt": {
        "blocks": "model.decoder.layers",
        **dict.fromkeys("ZA", "self_attn.out_proj"),
        "I": "fc1",
        **dict.fromkeys("NM", "fc2"),
    },
    "phi": {**dict.fromkeys("ZA", "self_attn.dense"), **dict.fromkeys("NM", "mlp.fc2")},
    "mixtral": {"N": "", "M": "mlp"},
    "qwen3_moe": {"N": "", "M": "mlp"},
}
"""Modules of a block where they are not Llama's: of Z, I and N the input, of others the output."""
ENCODERS = ("bert", "roberta", "distilbert")
PARALLEL = ("gptj", "phi", "cohere", "cohere2")


def network(folder: Path, kind: str) -> torch.nn.Module:
    """The library's model of a checkpoint, with attention by plain products."""
    head = transformers.AutoModel if kind in ENCODERS else transformers.AutoModelForCausalLM
    return head.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def plain_sites(
    model: torch.nn.Module, kind: str, ids: np.ndarray, places: dict[str, str] | None = None
) -> dict[tuple[int, str], torch.Tensor]:
    """The activations (position, channel) of one row of ids, by layer and position.

    places: modules by position, in the place of those known by hand.
    """
    places = places or {**USUAL, **PLACES.get(kind, {})}
    behind = kind in ENCODERS or not getattr(model.config, "do_layer_norm_before", True)
    if kind == "opt" and behind:
        places["H"] = "self_attn_layer_norm"
    x: dict[tuple[int, str], torch.Tensor] = {}

    def show(at, inside):
        def hook(module, inputs, output):
            seen = inputs[0] if inside else output[0] if isinstance(output, tuple) else output
            x[at] = seen.reshape(len(ids), -1).clone()

        return hook

    blocks, handles = model.get_submodule(places["blocks"]), []
    for layer, block in enumerate(blocks):
        for position in "BRZAHINM":
            if position in "BR":
                part = block
            elif places.get(position):
                part = block.get_submodule(places[position])
            else:
                continue
            hook = show((layer, position), position in "BZIN")
            handles.append(part.register_forward_hook(hook))
    with torch.inference_mode():
        model(torch.from_numpy(ids)[None])
    for handle in handles:
        handle.remove()
    parallel = kind in PARALLEL or getattr(model.config, "use_parallel_residual", False)
    if not behind and not parallel:
        factor = getattr(model.config, "residual_multiplier", 1.0)
        for layer in range(len(blocks)):
            x[layer, "H"] = x[layer, "B"] + factor * x[layer, "A"]
    return x
