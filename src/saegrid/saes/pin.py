"""The present commits of a study's repositories on the hub, as a config to lay over it.

    python -m saegrid.saes.pin config/humor.yaml meta-llama/Llama-3.1-8B config/humor-hub.yaml

looks up the repositories of the SAEs of the grid and of the model, checks that they hold the files
of every cell, and writes their commits. Then
`snakemake --configfile config/humor.yaml config/humor-hub.yaml` takes model and SAEs from the hub.
HF_ENDPOINT and the login of `hf auth login` count.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import yaml

from saegrid.base.io import read_yaml, write_text
from saegrid.base.words import Cell
from saegrid.config.check import cells, resolve
from saegrid.config.checkpoints import fill_in, location
from saegrid.config.models import CheckpointSae, Study
from saegrid.models.files import CONFIG, INDEX, WHOLE
from saegrid.saes.reference import files_of

HEAD = """# Commits on the hub, looked up by `python -m saegrid.saes.pin`. To take these:
# snakemake --configfile {config} {overlay}
"""


class Repository(NamedTuple):
    """A repository on the hub as it is now."""

    commit: str
    files: frozenset[str]


class PinError(ValueError):
    """A repository that cannot be pinned; the message says what to check."""


def look_up(repo: str) -> Repository:
    """Commit and files of a model repository; PinError where the hub does not give them."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(repo)
    except Exception as problem:  # the client has no common class for its errors
        raise PinError(
            f"{repo}: the hub does not tell its commit ({type(problem).__name__}: {problem}). "
            "Check the name and the network; a gated repository needs `hf auth login`."
        ) from problem
    return Repository(str(info.sha), frozenset(file.rfilename for file in info.siblings or []))


def _wanted(sae: CheckpointSae, cell: Cell) -> list[str]:
    """Files of a cell's checkpoint in its repository."""
    where = location(sae, cell)
    return [f"{where['folder'] or ''}/{name}".lstrip("/") for name in files_of(where)]


def pins(
    study: Study, model: str, find: Callable[[str], Repository] = look_up
) -> dict[str, dict[str, Any]]:
    """The overlay: the model's name and commit, and the commits of the SAEs by position.

    Raises:
        PinError: a repository is not there, or lacks a file that a cell of the grid needs.
    """
    repos: dict[str, Repository] = {}
    revisions: dict[str, dict[str, str]] = {}
    for cell in cells(study):
        sae = study.saes[cell.sae]
        if not isinstance(sae, CheckpointSae) or sae.repo is None:
            continue
        repo = fill_in(sae.repo, cell)
        if repo not in repos:
            repos[repo] = find(repo)
        for file in _wanted(sae, cell):
            if file not in repos[repo].files:
                raise PinError(
                    f"{repo}: {file} is not there at {repos[repo].commit[:12]}, but the cell "
                    f"{cell} needs it. Check saes.{cell.sae}.folder."
                )
        revisions.setdefault(cell.sae, {})[cell.site.position] = repos[repo].commit
    if not revisions:
        raise PinError("saes: no SAE of the grid names a `repo`, so there is nothing to look up.")
    of_model = find(model)
    for names in ((CONFIG,), (WHOLE, INDEX)):
        if not of_model.files & set(names):
            missing = " nor ".join(names)
            raise PinError(f"{model}: there is no {missing}; a model is needed as safetensors.")
    saes = {name: {"path": None, "revision": commits} for name, commits in revisions.items()}
    return {"model": {"path": model, "revision": of_model.commit}, "saes": saes}


def write(config: str, model: str, overlay: str) -> Mapping[str, Any]:
    """Look up and write the overlay of a config file; what was written."""
    study = resolve(read_yaml(config))
    pinned = pins(study, model)
    head = HEAD.format(config=config, overlay=overlay)
    write_text(overlay, head + yaml.safe_dump(pinned, sort_keys=True))
    return pinned


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        print(yaml.safe_dump(write(*sys.argv[1:])))
    except (ValueError, OSError, yaml.YAMLError) as mistake:
        sys.exit(str(mistake))
