"""The location of an SAE: a folder of this study, a folder elsewhere, or a commit on the hub.

A checkpoint that stays where it is gets a `reference.json` and its decoder's norms beside it, so
that encoding never reads the decoder. One from the hub is fetched when it is opened, into a cache
that deletes what is not being read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.digest import content_digest
from saegrid.base.errors import CheckpointError
from saegrid.base.io import (
    read_header,
    read_json,
    read_tensors,
    write_json,
    write_tensors,
)
from saegrid.base.paths import expand
from saegrid.base.registry import pick
from saegrid.base.tensors import hollow, not_finite, widen
from saegrid.base.words import Cell
from saegrid.saes.cache import Cache, Lease, name_of
from saegrid.saes.cache.download import Remote, describe, describe_if_there
from saegrid.saes.checkpoint import Format, Reading
from saegrid.saes.formats import FORMATS
from saegrid.saes.sae import SAE

REFERENCE, NORMS = "reference.json", "decoder_norms.safetensors"
AGAIN = (
    "Give the same snakemake command again: it imports the checkpoint as it is now, and makes "
    "again what came from it."
)
LISTED = 20
"""Files of a folder that a message lists at most."""
WHERE = ("path", "repo", "folder", "revision")
HOW = ("file", "writes", "centred", "input_scale", "ignore")
"""Settings of an SAE's section that decide how its files are read (`Reading`)."""


@dataclass(frozen=True)
class OpenSAE(SAE):
    """An SAE whose files stay while it is open: to the end of a `with`, or of the object."""

    lease: Lease = field(kw_only=True, repr=False, compare=False)
    """Lease of the checkpoint's folder."""
    last: bool = field(default=False, kw_only=True, repr=False, compare=False)
    """True if no later stage of its cell reads the checkpoint."""

    def __enter__(self) -> "OpenSAE":
        return self

    def __exit__(self, problem: object, *_: object) -> None:
        self.lease.release(spent=self.last and problem is None)


def open_sae(folder: str | Path, last: bool = False) -> OpenSAE:
    """The SAE of a cell's folder `saes/{cell}/`: trained here, or a reference.

    Keep the SAE, not its encoder alone, for as long as weights are read: they are mapped, and a
    checkpoint from the hub may be deleted when nobody has it open.

    Args:
        folder: where the cell's SAE lies.
        last: this is the last stage of the cell that reads it; when its `with` has ended well, a
            checkpoint from the hub is the first to go when room is needed.

    Raises:
        CheckpointError: the checkpoint or its sidecar is missing, changed or not understood.
    """
    folder = Path(folder)
    if not (folder / REFERENCE).is_file():
        return _held(pick(FORMATS, "sae_lens", "format").open(folder), Lease(folder), last)
    reference = read_json(folder / REFERENCE)
    form = pick(FORMATS, reference["format"], "format")
    with ExitStack() as stack:
        lease = stack.enter_context(resolve(reference))
        content = content_of(lease.folder, files_of(reference, lease.folder))
        norms = _read_norms(folder / NORMS, lease.folder, content)
        reading = Reading.of(reference, Cell.parse(folder.name).site)
        sae = form.open(lease.folder, norms=norms, reading=reading)
        opened = _held(sae, lease, last)
        stack.pop_all()
    return opened


def _held(sae: SAE, lease: Lease, last: bool) -> OpenSAE:
    values = {value.name: getattr(sae, value.name) for value in fields(SAE)}
    return OpenSAE(**values, lease=lease, last=last)


def import_sae(
    sae: Mapping[str, Any],
    cell: str,
    reference: str | Path,
    norms: str | Path,
    spec: str = "",
) -> SAE:
    """Check a checkpoint, measure its decoder's norms once, write reference and norms.

    Args:
        sae: its format, and `path` (variables are allowed and kept), or `repo`, `folder` and
            `revision` on the hub; `file`, `writes`, `centred`, `input_scale` and `ignore` where
            they are set (`Reading`).
        cell: the cell it is meant for; its site must be the checkpoint's own.
        reference: reference.json, to be written.
        norms: decoder_norms.safetensors, to be written beside it.
        spec: the job's spec.
    """
    form = pick(FORMATS, sae["format"], "format")
    reading = Reading.of(sae, Cell.parse(cell).site)
    with resolve(sae) as lease:
        folder = lease.folder
        files = files_of(sae, folder)
        opened = form.open(folder, reading=reading)
        _same_site(opened, folder / files[0], reading, cell)
        _check_finite(opened, folder / files[-1])
        content = content_of(folder, files)
        measured = {"norm": opened.decoder.norms.astype(np.float32)}
    where = {key: sae[key] for key in (*WHERE, *HOW) if sae.get(key) is not None}
    facts = {"format": sae["format"], **where, "content": content, "facts": dict(opened.facts)}
    write_tensors(norms, measured, spec, {"content": content})
    write_json(reference, facts, spec)
    return opened


def described(reference: str | Path) -> str:
    """One line: how the checkpoint of a reference.json is read, and what was folded."""
    known = read_json(reference)
    facts = {"format": known["format"], **known["facts"]}
    return "; ".join(
        _told(name, _plain(value)) for name, value in facts.items() if value is not None
    )


def on_neuronpedia(reference: str | Path | None) -> str | None:
    """Model and source on Neuronpedia that the config of a checkpoint names; None where it names
    none, or there is no reference.json."""
    return read_json(reference)["facts"].get("neuronpedia") if reference else None


AS_CONFIG = "as the config says"
"""The place of an SAE whose files name none."""


def _told(name: str, value: str) -> str:
    """A fact of a checkpoint for a reader; facts of formats keep the names of their files."""
    if name == "hook" and value == AS_CONFIG:
        return "its files name no place in the model, so it is read where the study's config says"
    if name == "gate" and value.startswith("above "):
        low, _, high = value.removeprefix("above ").removesuffix(" by feature").partition(" to ")
        own = f"its own threshold, between {low} and {high}" if high else low
        return f"a feature fires where its value before the gate is above {own}"
    if name == "gate":
        return f"those features fire that are {value}"
    if name == "folded":
        return f"changed as it was read: {value or 'nothing'}"
    return f"{name} {value}"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def look(sae: Mapping[str, Any], cell: str) -> SAE:
    """The SAE of a checkpoint on disk as its facts and headers describe it; no weight is read.

    Its numbers mean nothing. Arguments as of `import_sae`, which raises the same for it.
    """
    form = pick(FORMATS, sae["format"], "format")
    with resolve(sae) as lease, hollow():
        # Norms of any shape will do, since nothing is multiplied by them.
        reading = Reading.of(sae, Cell.parse(cell).site)
        opened = form.open(lease.folder, norms=np.ones(()), reading=reading)
        facts = lease.folder / form.files[0]
        _same_site(opened, facts, reading, cell)
        if not _is_finite(opened):
            raise CheckpointError(
                f"{facts}: a threshold, norm or scale in it is NaN or infinite. Fetch it again."
            )
    return opened


def _is_finite(sae: SAE) -> bool:
    """Return True if all numbers read so far are finite: all but the encoder rows."""
    encoder = sae.encoder
    parts = [encoder.scale, encoder.bias, sae.b_dec, sae.decoder.norms]
    parts += [] if encoder.threshold is None else [encoder.threshold]
    parts += [] if sae.skip is None else [widen(sae.skip)]
    return all(np.isfinite(part).all() for part in parts)


def _check_finite(sae: SAE, path: Path) -> None:
    """CheckpointError names the file and the tensor that holds NaN or infinity."""
    if not _is_finite(sae):
        name = not_finite(path) if path.suffix == ".safetensors" else None
        where = f"the tensor {name!r} holds" if name else "its tensors and facts together give"
        raise CheckpointError(f"{path}: {where} NaN or infinity. Fetch it again.")


def files_of(reference: Mapping[str, Any], folder: str | Path | None = None) -> tuple[str, ...]:
    """The files of a checkpoint in its folder; the last one is that of the weights.

    With `folder` those are among them that the format reads where the folder holds them.
    """
    form = pick(FORMATS, reference["format"], "format")
    more = [name for name in form.optional if folder and (Path(folder) / name).is_file()]
    return (*form.files[:-1], *more, reference.get("file") or form.files[-1])


def _check_files(folder: Path, reference: Mapping[str, Any]) -> None:
    """CheckpointError where a folder lacks a file of its format; names the format that it has."""
    for name in files_of(reference):
        if not (folder / name).is_file():
            others = [f for f, form in _all_formats() if _holds(folder, form.files)]
            held = sorted(entry.name for entry in islice(folder.iterdir(), LISTED))
            mend = f" These are files of the format {' or '.join(others)}." if others else ""
            raise CheckpointError(
                f"{folder / name}: the file is not there, which the format {reference['format']} "
                f"reads; the folder holds {', '.join(held) or 'nothing'}.{mend}"
            )


def _all_formats() -> Iterator[tuple[str, Format]]:
    return ((name, pick(FORMATS, name, "format")) for name in FORMATS)


def _holds(folder: Path, files: Iterable[str]) -> bool:
    return all((folder / name).is_file() for name in files)


def _same_site(sae: SAE, path: Path, asked: Reading, cell: str) -> None:
    """CheckpointError where a checkpoint reads or writes elsewhere than the study asks for."""
    if sae.site is None or not sae.site.is_same(asked.site):
        raise CheckpointError(
            f"{path}: this SAE reads {sae.site or 'no known site'} (hook point "
            f"{sae.facts.get('hook')!r}), but the cell {cell} needs {asked.site}."
        )
    if asked.input_scale is not None and sae.facts.get("input_scale") != asked.input_scale:
        raise CheckpointError(
            f"{path}: input_scale is {asked.input_scale!r} in the config, which the format "
            f"{sae.facts.get('format')} does not read. Take it out."
        )
    if sae.writes is None and asked.writes is None:
        return
    if sae.writes is None or asked.writes is None or not sae.writes.is_same(asked.writes):
        kind = f"is a transcoder, which writes {sae.writes}" if sae.writes else "is no transcoder"
        mend = f"writes: {sae.writes.position.lower()}" if sae.writes else "no `writes`"
        raise CheckpointError(
            f"{path}: this {kind}, but the config says {asked.writes or 'that it is an SAE'}. Set "
            f"{mend} at this SAE in the config."
        )


def content_of(folder: str | Path, files: Iterable[str]) -> str:
    """Sixteen hexadecimal digits of the files of a checkpoint that its format reads.

    All of their bytes count, and their names in the folder; neither where the folder lies nor what
    lies beside them. CheckpointError names a file that is not there.
    """
    try:
        return content_digest(folder, files)
    except FileNotFoundError as problem:
        raise CheckpointError(f"{problem.filename}: the file is not there.") from None
    except (OSError, ValueError) as problem:
        raise CheckpointError(f"{folder}: the checkpoint cannot be read: {problem}") from None


def _read_norms(path: Path, folder: Path, content: str) -> np.ndarray:
    if not path.is_file():
        raise CheckpointError(f"{path}: the file is not there. {AGAIN}")
    recorded = read_header(path).get("content")
    if recorded != content:
        raise CheckpointError(
            f"{folder}: this checkpoint has changed since it was imported (its files have the "
            f"digest {content}, {path} was made from {recorded}). {AGAIN}"
        )
    return read_tensors(path)["norm"]


def resolve(reference: Mapping[str, Any]) -> Lease:
    """The local folder of a checkpoint; from the hub only the files that are needed are fetched.

    A folder named by `path`, or what the hub's own cache holds already, is read where it lies and
    never deleted.

    Args:
        reference: `format`, and `path`, or `repo`, `folder` and `revision`.

    Raises:
        CheckpointError: there is no such folder, or the hub does not give the files.
    """
    if reference.get("path"):
        folder = Path(expand(reference["path"]))
        if not folder.is_dir():
            raise CheckpointError(f"{folder}: there is no such folder (path of an SAE).")
        _check_files(folder, reference)
        return Lease(folder)
    if not reference.get("repo"):
        raise CheckpointError("An SAE's checkpoint needs `path`, or `repo` and `revision`.")
    repo, within = reference["repo"], reference.get("folder") or ""
    revision = reference.get("revision") or ""
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise CheckpointError(
            f"{repo}: revision must be a commit of 40 hexadecimal digits, "
            f"so that the results can be repeated; got {revision!r}."
        )
    files = files_of(reference)
    paths = {name: f"{within}/{name}".lstrip("/") for name in files}
    known = _in_hubs_own_cache(repo, revision, paths)
    if known is not None:
        return Lease(known)
    return Cache.of_environment().lease(
        name_of(repo, within, revision, files),
        lambda: _described_files(reference, repo, within, revision),
    )


def _described_files(
    reference: Mapping[str, Any], repo: str, within: str, revision: str
) -> dict[str, Remote]:
    """The files of a checkpoint on the hub, and those of the optional ones that are there."""
    form = pick(FORMATS, reference["format"], "format")
    remotes = {
        name: look_up(repo, f"{within}/{name}".lstrip("/"), revision)
        for look_up, names in ((describe, files_of(reference)), (describe_if_there, form.optional))
        for name in names
    }
    return {name: remote for name, remote in remotes.items() if remote is not None}


def _in_hubs_own_cache(repo: str, revision: str, paths: Mapping[str, str]) -> Path | None:
    """The folder of files that were downloaded before by other means; None where one is missing."""
    from huggingface_hub import try_to_load_from_cache

    cached = [try_to_load_from_cache(repo, path, revision=revision) for path in paths.values()]
    if not all(isinstance(path, str) for path in cached):
        return None
    return Path(str(cached[0])).parents[len(Path(next(iter(paths))).parts) - 1]
