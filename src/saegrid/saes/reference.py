"""Where an SAE lies: a folder of this study, a folder elsewhere, or a commit on the hub.

A checkpoint that stays where it is gets a `reference.json` and its decoder's norms beside it, so
that encoding never reads the decoder.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.identity import file_digest, weights_digest
from saegrid.io import canonical, read_header, read_json, read_tensors, write_json, write_tensors
from saegrid.paths import expand
from saegrid.registry import pick
from saegrid.saes.formats import FORMATS
from saegrid.saes.sae import SAE
from saegrid.saes.store import CheckpointError, Format
from saegrid.words import Cell

REFERENCE, NORMS = "reference.json", "decoder_norms.safetensors"
WHERE = ("path", "repo", "folder", "revision")


def open_sae(folder: str | Path) -> SAE:
    """The SAE of a cell's folder `saes/{cell}/`: trained here, or a reference.

    Raises:
        CheckpointError: the checkpoint or its sidecar is missing, changed or not understood.
    """
    folder = Path(folder)
    if not (folder / REFERENCE).is_file():
        return pick(FORMATS, "sae_lens", "format").open(folder)
    reference = read_json(folder / REFERENCE)
    form = pick(FORMATS, reference["format"], "format")
    checkpoint = resolve(reference)
    norms = _read_norms(folder / NORMS, identity(form, checkpoint))
    return form.open(checkpoint, norms=norms)


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
            `revision` on the hub.
        cell: the cell it is meant for; its site must be the checkpoint's own.
        reference: reference.json, to be written.
        norms: decoder_norms.safetensors, to be written beside it.
        spec: the job's spec.
    """
    form = pick(FORMATS, sae["format"], "format")
    folder = resolve(sae)
    opened = form.open(folder)
    _same_site(opened, folder / form.files[0], cell)
    told = identity(form, folder)
    where = {key: sae[key] for key in WHERE if sae.get(key) is not None}
    facts = {"format": sae["format"], **where, "identity": told, "facts": dict(opened.facts)}
    measured = {"norm": opened.decoder.norms.astype(np.float32)}
    write_tensors(norms, measured, spec, {"identity": canonical(told)})
    write_json(reference, facts, spec)
    return opened


def _same_site(sae: SAE, path: Path, cell: str) -> None:
    site = Cell.parse(cell).site
    if sae.site != site:
        hook = sae.facts.get("hook")
        raise CheckpointError(
            f"{path}: this SAE reads {sae.site or 'no known site'} (hook point {hook!r}), "
            f"but the cell {cell} needs {site}."
        )


def identity(form: Format, folder: Path) -> dict[str, Any]:
    """What tells one checkpoint from another: digests of its facts and its tensors, and the size.

    Of large tensors size, header and samples are read (`identity.weights_digest`).
    """
    facts, weights = (folder / name for name in form.files)
    for path in (facts, weights):
        if not path.is_file():
            raise CheckpointError(f"{path}: the file is not there.")
    return {
        "facts": file_digest(facts),
        "weights": weights_digest(weights),
        "bytes": weights.stat().st_size,
    }


def _read_norms(path: Path, expected: dict[str, Any]) -> np.ndarray:
    if not path.is_file():
        raise CheckpointError(f"{path}: the file is not there. Run the rule import_sae again.")
    if read_header(path).get("identity") != canonical(expected):
        raise CheckpointError(
            f"{path}: these norms were measured on another checkpoint than the one at hand. "
            "Run the rule import_sae again."
        )
    return read_tensors(path)["norm"]


def resolve(reference: Mapping[str, Any]) -> Path:
    """The local folder of a checkpoint; from the hub only the files that are needed are fetched.

    Args:
        reference: `format`, and `path`, or `repo`, `folder` and `revision`.

    Raises:
        CheckpointError: there is no such folder, or the hub does not give the files.
    """
    form = pick(FORMATS, reference["format"], "format")
    if reference.get("path"):
        folder = Path(expand(reference["path"]))
        if not folder.is_dir():
            raise CheckpointError(f"{folder}: there is no such folder (path of an SAE).")
        return folder
    if not reference.get("repo"):
        raise CheckpointError("An SAE's checkpoint needs `path`, or `repo` and `revision`.")
    revision = reference.get("revision") or ""
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise CheckpointError(
            f"{reference['repo']}: revision must be a commit of 40 hexadecimal digits, "
            f"so that the results can be repeated; got {revision!r}."
        )
    within = reference.get("folder") or ""
    found = [
        _download(reference["repo"], f"{within}/{name}".lstrip("/"), revision)
        for name in form.files
    ]
    return found[0].parents[len(Path(form.files[0]).parts) - 1]


def _download(repo: str, file: str, revision: str) -> Path:
    """One file of a repository, from the cache where it is there already."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repo, file, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise CheckpointError(
            f"{repo}: {file} at {revision[:12]} does not come from the hub "
            f"({type(error).__name__}). Check repo, folder and revision; a gated repository needs "
            "`hf auth login`; without a network give the `path` of a copy."
        ) from error
