"""A look at a language model: its family, sizes, tokenizer and memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.errors import CheckpointError, ConfigError, size
from saegrid.base.tensors import header
from saegrid.command.proposal.hub import describing, fetch, look_up
from saegrid.command.proposal.places import expanded, is_local, missing, written
from saegrid.config.models import Model
from saegrid.models import Family, Sizes, family_of, read_config, sizes_of
from saegrid.models.files import CONFIG, check_config, model_files
from saegrid.models.hub import TOKENIZER
from saegrid.models.memory import needed
from saegrid.stages.mistakes.model import Facts
from saegrid.text import older, tokenizer

SHARE = 0.6
"""Share of the machine's memory that a model may take."""
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}
SHORT = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
USUAL_MB = 6000
"""Megabytes of the forward pass where a config says nothing."""


class Seen(NamedTuple):
    """A model as it was seen."""

    path: str
    """Folder or name on the hub, as the config has it."""
    revision: str | None
    folder: Path
    """Folder that holds config.json, and the tokenizer where there is one."""
    config: dict[str, Any]
    family: Family
    sizes: Sizes
    stored: int
    """Bytes of the weights, 0 where they are not known."""
    dtype: str
    """Number type of the weights: F32, BF16 and so on."""
    encoder: tokenizer.Encoder
    tokenizer: tuple[str, str | None] | None
    """Folder or name, and commit, of a tokenizer that is not the model's own."""

    @property
    def facts(self) -> Facts:
        """The facts by which the mistakes of a study are looked for."""
        return Facts(self.folder, self.config, self.sizes)

    def bytes_in(self, dtype: str) -> int:
        """Bytes of the weights in another number type."""
        return self.stored // BYTES.get(self.dtype, 4) * BYTES[SHORT[dtype]]


class Arithmetic(NamedTuple):
    """The number type of the forward pass, and the reason for it."""

    dtype: str
    why: str
    memory_mb: int | None
    """Megabytes of the forward pass, where the usual ones would make it slower; None: these."""


def look(
    name: str, root: Path, revision: str | None = None, other: str | None = None
) -> tuple[Seen, list[str]]:
    """Look at a model, and say where it lies if that is not plain.

    Args:
        name: folder of a checkpoint, or a name on the hub.
        root: the repository of saegrid.
        revision: commit on the hub; None: the present one.
        other: folder or name of a tokenizer that is not the model's own.

    Raises:
        ConfigError, CheckpointError: it is no model that is read, or has no tokenizer.
    """
    remarks: list[str] = []
    if is_local(name):
        name, folder, remark = _local(name)
        remarks += remark
        path, commit = written(name, root), None
    elif name.count("/") > 1:
        raise ConfigError(
            f"--model: {name} is no folder: {missing(name)} A name on the hub is owner/name."
        )
    else:
        repository = look_up(name, revision)
        folder = fetch(repository, describing(repository))
        path, commit = repository.name, repository.commit
        remarks.append(f"{path} on the hub, at its commit {commit[:12]}")
    config = _config(folder)
    family = family_of(config)
    stored, dtype = _stored(folder) if commit is None else _stored_on_hub(repository.files, config)
    beside = _other_tokenizer(other, root) if other else None
    encoder = _encoder(beside[0] if beside else folder, path)
    named = beside[1:] if beside else None
    seen = Seen(
        path, commit, folder, config, family, sizes_of(config), stored, dtype, encoder, named
    )
    return seen, remarks


def _local(name: str) -> tuple[str, Path, list[str]]:
    """The folder with config.json: the one that is named, or the only one right below it."""
    folder = expanded(name)
    if folder.is_file():
        name, folder = str(Path(name).parent), folder.parent
    if (folder / CONFIG).is_file():
        return name, folder, []
    below = sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
    below += sorted(path.parent for path in folder.glob(f"snapshots/*/{CONFIG}"))
    if len(below) != 1:
        several = f"; one of {', '.join(path.name for path in below)} may be meant" if below else ""
        raise ConfigError(
            f"--model: {name} must be a folder that holds {CONFIG} and *.safetensors; there is no "
            f"{CONFIG} in it{several}."
        )
    inner = below[0].relative_to(folder)
    return f"{name.rstrip('/')}/{inner}", below[0], [f"the model lies one folder below, in {inner}"]


def _config(folder: Path) -> dict[str, Any]:
    """The facts of config.json; ConfigError and CheckpointError for models that are not read."""
    try:
        config = read_config(folder)
        check_config(folder, config)
        sizes_of(config)
    except (CheckpointError, FileNotFoundError):
        raise
    except KeyError as problem:
        raise ConfigError(
            f"--model: {folder / CONFIG} lacks the key {problem.args[0]!r}: this is no language "
            "model, or a part of one."
        ) from None
    except (ValueError, TypeError) as problem:
        raise ConfigError(f"--model: {folder / CONFIG}: {problem}") from None
    return config


def _stored(folder: Path) -> tuple[int, str]:
    """Bytes and number type of the weights in a folder."""
    bytes_of: dict[str, int] = {}
    for path in model_files(folder):
        for entry in header(path).entries.values():
            bytes_of[entry.dtype] = bytes_of.get(entry.dtype, 0) + entry.stop - entry.start
    return sum(bytes_of.values()), max(bytes_of, key=lambda name: bytes_of[name], default="F32")


def _stored_on_hub(files: dict[str, int], config: dict[str, Any]) -> tuple[int, str]:
    """Bytes and number type of the weights of a model on the hub, as far as they are known."""
    total = sum(n for name, n in files.items() if name.endswith(".safetensors") and "/" not in name)
    said = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return total, SHORT.get(said.removeprefix("torch."), "F32")


def _other_tokenizer(name: str, root: Path) -> tuple[Path, str, str | None]:
    """The folder of a tokenizer, and its name and commit for the config."""
    if is_local(name):
        return expanded(name), written(name, root), None
    repository = look_up(name)
    files = [name for name in TOKENIZER if name in repository.files]
    if not files:
        raise ConfigError(f"--tokenizer: {repository.name} has no tokenizer (tokenizer.json).")
    return fetch(repository, files), repository.name, repository.commit


def _encoder(folder: Path, path: str) -> tokenizer.Encoder:
    """The tokenizer in a folder; ConfigError where there is none."""
    if not (folder / "tokenizer.json").is_file() and not older.present(folder):
        raise ConfigError(
            f"--model: {path} has no tokenizer (tokenizer.json): name the folder or the hub's name "
            "of its tokenizer with --tokenizer."
        )
    try:
        return tokenizer.load(folder)
    except (ValueError, OSError) as problem:
        raise ConfigError(f"--model: {str(problem).removeprefix('tokenizer: ')}") from None


def memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def arithmetic(seen: Seen, total: int) -> Arithmetic:
    """The number type of the forward pass: float32 where it fits into memory, else 16 bits.

    total: bytes of the machine's memory.
    """
    if not seen.stored:
        return Arithmetic("float32", "exact; how large the model is is not known yet", None)
    short = {"F16": "float16"}.get(seen.dtype, "bfloat16")
    for dtype in ("float32", short):
        wanted = needed(seen.bytes_in(dtype))
        if wanted <= SHARE * total:
            exact = "exact arithmetic" if dtype == "float32" else "float32 would not fit"
            why = f"{exact}; {size(seen.bytes_in(dtype))} of weights, {size(total)} of memory"
            more = int(wanted / 1e6) + 1 if wanted > USUAL_MB * 1e6 else None
            return Arithmetic(dtype, why, more)
    why = f"{size(seen.bytes_in(short))} of weights, {size(total)} of memory: block by block"
    return Arithmetic(short, why, None)


def section(seen: Seen, numbers: Arithmetic) -> dict[str, Any]:
    """The model of a config, without what is as by default."""
    section: dict[str, Any] = {"path": seen.path}
    if seen.revision:
        section["revision"] = seen.revision
    if seen.tokenizer:
        section["tokenizer"] = seen.tokenizer[0]
        if seen.tokenizer[1]:
            section["tokenizer_revision"] = seen.tokenizer[1]
    if numbers.dtype != Model(path=seen.path).dtype:
        section["dtype"] = numbers.dtype
    return section


def described(seen: Seen) -> Iterator[str]:
    """Describe a model, a line each."""
    sizes = seen.sizes
    kind = seen.config.get("model_type")
    known = "" if not seen.family.outlined else ", worked out from its structure"
    yield (
        f"{seen.path}: {kind}{known}, {sizes.n_layers} layers (0 to {sizes.n_layers - 1}), d_model "
        f"{sizes.d_model:,}, rows of {sizes.context:,} tokens at most"
    )
    if seen.stored:
        yield f"weights of {size(seen.stored)}, stored as {seen.dtype}"
    yield f"tokenizer: {seen.encoder.describe()}"
