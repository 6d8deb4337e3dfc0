"""Folders on this machine, or copies of repositories on the Hugging Face hub."""

from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

from saegrid.models.files import CONFIG, INDEX, WHOLE, index_names

TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"),
    *("chat_template.jinja", "added_tokens.json"),
    *("vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model"),
)
"""Files of a tokenizer, those of older ones last."""
WEIGHTS = (CONFIG, WHOLE, INDEX)
"""Files of a model; those that the index names are fetched with it."""


def tokenizer_of(model: Mapping[str, Any]) -> tuple[str, str | None]:
    """Name and commit of a model's tokenizer: its own repository's where it has one.

    model: path, revision, tokenizer and tokenizer_revision, as in the config.
    """
    named = model.get("tokenizer")
    if named and named != model["path"]:
        return named, model.get("tokenizer_revision")
    return model["path"], model.get("revision")


def tokenizer_folder(model: Mapping[str, Any]) -> Path:
    """The folder of a model's tokenizer; raises as `folder` does."""
    return folder(*tokenizer_of(model), TOKENIZER)


def folder(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The folder `name`, or that of a model on the hub with its files of these patterns.

    What the hub's cache holds already is not fetched again. HF_ENDPOINT and HF_HUB_OFFLINE count.

    Raises:
        FileNotFoundError: neither a folder nor a model that can be had; says what to check.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        fetched = _fetched(name, revision, patterns)
        if INDEX in patterns and (fetched / INDEX).is_file() and not (fetched / WHOLE).is_file():
            names = map(escape, index_names(fetched / INDEX))
            fetched = _fetched(name, revision, [*patterns, *names])
    except Exception as problem:
        raise FileNotFoundError(
            f"model.path: {name!r} (revision {revision}) is no folder, and the hub did not give "
            f"it: {problem}. Check the name and the network, log in (hf auth login) for a gated "
            "model, or name a local folder."
        ) from problem
    return fetched


def _fetched(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    import huggingface_hub  # slow to import, and of no use to a local study

    return Path(
        huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(patterns))
    )
