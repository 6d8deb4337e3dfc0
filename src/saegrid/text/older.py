"""Reading a tokenizer that has no tokenizer.json: transformers makes it from its older files."""

import json
from pathlib import Path

import tokenizers

OLDER = ("vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model")
"""Files of tokenizers that have no tokenizer.json."""
SENTENCEPIECE = ("tokenizer.model", "spiece.model")
"""Older files that need packages of their own."""


def present(folder: Path) -> list[str]:
    """The older files that a folder holds."""
    return [name for name in OLDER if (folder / name).is_file()]


def load(folder: Path) -> tokenizers.Tokenizer:
    """The tokenizer that transformers makes from the older files of a folder, without the network.

    Raises:
        ValueError: there is no class named, a file or a package is missing, or the vocabulary that
            comes out is not that of the files.
    """
    held = present(folder)
    if not _kind(folder):
        raise ValueError(
            f"tokenizer: {folder} holds {' and '.join(held)} and no tokenizer.json, and nothing "
            "says of which class they are. Name it as tokenizer_class in tokenizer_config.json, "
            "such as GPT2Tokenizer, or save the tokenizer with transformers, which writes "
            "tokenizer.json."
        )
    if ("vocab.json" in held) != ("merges.txt" in held):
        lacking = "merges.txt" if "vocab.json" in held else "vocab.json"
        raise ValueError(f"tokenizer: {folder / lacking} is missing beside {held[0]}. Fetch it.")
    from transformers import AutoTokenizer  # slow to import, and of no use to newer tokenizers

    try:
        converted = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_fast=True
        )
        text = converted.backend_tokenizer.to_str()
    except Exception as problem:  # whatever a class raises
        first = str(problem).strip().partition("\n")[0]
        more = (
            " Install sentencepiece and protobuf, which these files need, or save the tokenizer "
            "where they are installed."
            if set(held) & set(SENTENCEPIECE)
            else " Save it with transformers, which writes tokenizer.json."
        )
        raise ValueError(
            f"tokenizer: {folder} holds {' and '.join(held)}, of which transformers cannot make a "
            f"tokenizer: {first}.{more}"
        ) from problem
    tokenizer = tokenizers.Tokenizer.from_str(text)
    _check(folder, tokenizer)
    return tokenizer


def _kind(folder: Path) -> str | None:
    """The class of a tokenizer, or the type of the model that it belongs to."""
    for name, key in (("tokenizer_config.json", "tokenizer_class"), ("config.json", "model_type")):
        path = folder / name
        if path.is_file() and (kind := json.loads(path.read_text(encoding="utf-8")).get(key)):
            return str(kind)
    return None


def _check(folder: Path, tokenizer: tokenizers.Tokenizer) -> None:
    """ValueError where a tokenizer has another vocabulary than the files beside it."""
    if (folder / "vocab.json").is_file():
        wanted = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    elif (folder / "vocab.txt").is_file():
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        wanted = {token: number for number, token in enumerate(lines)}
    else:
        return
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    wrong = next((token for token, number in wanted.items() if vocabulary.get(token) != number), "")
    if wrong or not wanted:
        what = f"the token {wrong!r} differs" if wrong else "it has no token"
        raise ValueError(
            f"tokenizer: {folder}: its vocabulary cannot be read: {what}. Check tokenizer_class, "
            "or save the tokenizer with transformers, which writes tokenizer.json."
        )
