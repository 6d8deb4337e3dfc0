"""Activations of tiny checkpoints at TransformerLens' hooks, without processing of weights.

python lens_side.py FOLDER OUT.npz: every folder in FOLDER is a checkpoint named by its kind, and
FOLDER/ids.npy holds one row of token ids. OUT.npz has an array for each `kind/layer/hook`, and
for a kind that cannot be loaded its reason under `kind/refused`.
"""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedTokenizerFast

HOOKS = (
    "hook_resid_pre",
    "attn.hook_z",
    "hook_attn_out",
    "hook_resid_mid",
    "ln2.hook_out",
    "mlp.hook_post",
    "hook_mlp_out",
    "hook_resid_post",
)
ENCODERS = {f"{name}Model": f"{name}ForMaskedLM" for name in ("Bert", "Roberta", "DistilBert")}


def tokenizer(folder: Path, size: int) -> PreTrainedTokenizerFast:
    """A tokenizer that is asked for and never used; it lies in `folder`, where it is read again."""
    words = {f"t{number}": number for number in range(size)}
    ends = {f"{name}_token": f"t{number}" for number, name in enumerate(("pad", "bos", "eos"))}
    made = Tokenizer(WordLevel(words, unk_token="t0"))
    PreTrainedTokenizerFast(tokenizer_object=made, **ends).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def hooked(folder: Path, ids: np.ndarray, words: PreTrainedTokenizerFast) -> dict[str, np.ndarray]:
    """The activations (position, channel) of the row, by layer and hook."""
    (kind,) = AutoConfig.from_pretrained(folder).architectures
    headless = kind in ENCODERS
    # An encoder is known with its head alone, whose numbers no hook sees.
    model = TransformerBridge.boot_transformers(
        str(folder),
        device="cpu",
        dtype=torch.float32,
        tokenizer=words,
        hf_config_overrides={"architectures": [ENCODERS[kind]]} if headless else None,
        hf_model=AutoModelForMaskedLM.from_pretrained(folder) if headless else None,
    )
    with torch.inference_mode():
        _, cache = model.run_with_cache(torch.from_numpy(ids)[None])
    found = {}
    for layer in range(model.cfg.n_layers):
        for hook in HOOKS:
            name = f"blocks.{layer}.{hook}"
            if name in cache:
                found[f"{layer}/{hook}"] = cache[name].reshape(len(ids), -1).numpy()
    return found


def main() -> None:
    """Write the arrays of all checkpoints."""
    folder, out = map(Path, sys.argv[1:])
    ids, arrays = np.load(folder / "ids.npy"), {}
    words = tokenizer(out.with_suffix(".tokenizer"), 64)
    for checkpoint in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            found = hooked(checkpoint, ids, words)
        except Exception as problem:  # each kind of model fails in its own way
            found = {"refused": np.array(f"{type(problem).__name__}: {problem}"[:200])}
        arrays |= {f"{checkpoint.name}/{name}": value for name, value in found.items()}
    np.savez(out, **arrays)


if __name__ == "__main__":
    main()
