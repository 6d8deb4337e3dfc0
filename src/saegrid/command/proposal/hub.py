"""Repositories on the hub as a proposal looks at them: their commit, their files, small ones."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from saegrid.base.errors import ConfigError
from saegrid.base.registry import nearest
from saegrid.command.proposal.places import missing
from saegrid.models.files import CONFIG, INDEX, WHOLE
from saegrid.models.hub import TOKENIZER


class Repository(NamedTuple):
    """A repository at one commit."""

    name: str
    """Its full name, owner and all."""
    commit: str
    files: dict[str, int]
    """Bytes of each file, 0 where the hub does not say it."""
    kind: str
    """model or dataset."""


def look_up(name: str, revision: str | None = None, kind: str = "model") -> Repository:
    """A repository, at its present commit where none is asked for.

    Raises:
        ConfigError: the hub does not give it; says what to check.
    """
    from huggingface_hub import HfApi

    try:
        info = HfApi().repo_info(name, revision=revision, repo_type=kind, files_metadata=True)
    except Exception as problem:  # the client has no common class for its errors
        first = str(problem).strip().partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"{name} is no folder here, and the hub does not give it ({first}): {missing(name)}"
            f"{_cached_like(name, kind)} Check the name and the network, log in (hf auth login) "
            "for a gated one, or name a local folder."
        ) from problem
    files = {file.rfilename: file.size or 0 for file in info.siblings or []}
    return Repository(str(info.id), str(info.sha), files, kind)


def _cached_like(name: str, kind: str) -> str:
    """A hint at the nearest name among the repositories that were fetched before, or nothing."""
    from huggingface_hub import constants

    start = f"{kind}s--"
    folders = Path(constants.HF_HUB_CACHE).glob(f"{start}*")
    known = [folder.name.removeprefix(start).replace("--", "/") for folder in folders]
    ends = {one.rpartition("/")[2]: one for one in known}
    near = nearest(name, known) or nearest(name.rpartition("/")[2], sorted(ends))
    return near and f"{near} It was fetched from the hub before."


def fetch(repository: Repository, files: Iterable[str]) -> Path:
    """The folder in the hub's own cache that holds some files of a repository.

    Raises:
        ConfigError: the hub does not give one of them.
    """
    from huggingface_hub import hf_hub_download

    folder = Path()
    for name in files:
        try:
            path = hf_hub_download(
                repository.name, name, revision=repository.commit, repo_type=repository.kind
            )
        except Exception as problem:
            first = str(problem).strip().partition("\n")[0].rstrip(".")
            raise ConfigError(f"{repository.name}: the hub does not give {name} ({first}).") from (
                problem
            )
        folder = Path(path).parents[name.count("/")]
    return folder


def describing(repository: Repository) -> list[str]:
    """The small files of a model that describe it and its tokenizer; ConfigError without config."""
    if CONFIG not in repository.files:
        raise ConfigError(
            f"{repository.name}: there is no {CONFIG}, so that this is no model; got "
            f"{', '.join(list(repository.files)[:8]) or 'no files'}."
        )
    if not {WHOLE, INDEX} & set(repository.files):
        raise ConfigError(
            f"{repository.name}: there is neither {WHOLE} nor {INDEX}; take a model that is saved "
            "as safetensors."
        )
    return [CONFIG, *(name for name in TOKENIZER if name in repository.files and name != CONFIG)]
