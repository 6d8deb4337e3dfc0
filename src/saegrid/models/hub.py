"""Folders on this machine, or copies of repositories on the Hugging Face hub."""

from collections.abc import Sequence
from pathlib import Path

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")
"""Files of a tokenizer."""
WEIGHTS = ("config.json", "*.safetensors", "*.safetensors.index.json")
"""Files of a model."""


def folder(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The folder `name`, or that of a model on the hub with its files of these patterns.

    What the hub's cache holds already is not fetched again. HF_ENDPOINT and HF_HUB_OFFLINE count.

    Raises:
        FileNotFoundError: neither a folder nor a model that can be had; says what to check.
    """
    if Path(name).is_dir():
        return Path(name)
    import huggingface_hub  # slow to import, and of no use to a local study

    try:
        fetched = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=list(patterns)
        )
    except Exception as problem:
        raise FileNotFoundError(
            f"model.path: {name!r} (revision {revision}) is no folder, and the hub did not give "
            f"it: {problem}. Check the name and the network, log in (hf auth login) for a gated "
            "model, or name a local folder."
        ) from problem
    return Path(fetched)
