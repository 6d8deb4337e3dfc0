"""Rows of a data set on the Hugging Face hub: its parquet, CSV or JSON Lines files, never its code.

Files come at a pinned commit and stay in the hub's own cache: where they are named without `*`, a
second run needs no network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import filter as matching
from pathlib import Path
from typing import Any

from saegrid.base.registry import nearest
from saegrid.text.corpora import csv, jsonl, parquet
from saegrid.text.corpora.rows import CorpusError, Read, Reader, Row, files, over_files

READERS: dict[str, Reader] = {"parquet": parquet.read, "csv": csv.read, "jsonl": jsonl.read}
"""Readers of a file, by its kind."""
KINDS = {
    **{".parquet": "parquet", ".csv": "csv", ".tsv": "csv"},
    **{".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl"},
}
"""Kinds of files by the ends of their names. A file with another one is never fetched."""
PACKED = (".gz", ".bz2", ".xz", ".zst")
"""Ends of names of compressed files."""


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of files in a data set repository.

    `repo` is its name, or a local folder that stands in for it; `revision` a commit; `files` the
    paths in the repository, in which `*` stands for any characters (`subtask-1/train-*.parquet`).
    The server is that of the environment variable HF_ENDPOINT, otherwise the public hub.

    Raises:
        CorpusError: no repository, no pinned commit, or a file that cannot be had.
    """
    return over_files(source, _read, fetched(source, _listed(source)))


def names(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Split and path in the repository of each file, `*` filled in; nothing is fetched.

    Raises CorpusError as `rows` does.
    """
    listed, repo = _listed(source), source["repo"]
    if Path(repo).is_dir():
        return _expanded(listed, _there(Path(repo)), f"The folder {repo}")
    return _on_hub(repo, source, listed, fetching=False)


def stand_ins(source: Mapping[str, Any]) -> list[str]:
    """The files of a local folder that stands in for the repository; none of one on the hub.

    Raises CorpusError as `rows` does.
    """
    if not source.get("repo") or not Path(source["repo"]).is_dir():
        return []
    return local_files(source)


def local_files(source: Mapping[str, Any]) -> list[str]:
    """The files of a source on this machine, fetched where the hub's cache has them not."""
    return [path for _, path in fetched(source, _listed(source))]


def fetched(source: Mapping[str, Any], listed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Split and path on this machine of the files `listed`; CorpusError as of `rows`."""
    repo = source["repo"]
    if Path(repo).is_dir():
        expanded = _expanded(listed, _there(Path(repo)), f"The folder {repo}")
        return [(split, str(Path(repo) / path)) for split, path in expanded]
    return _on_hub(repo, source, listed)


def _listed(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Split and path of each file as the config names it, checked."""
    if not source.get("repo"):
        raise CorpusError(
            "A source of kind 'hub' needs `repo`, the name of a data set such as "
            "SemEvalWorkshop/humicroedit; got none."
        )
    listed = files(source)
    for _, path in listed:
        _reader(path)
    return listed


def _read(file: Path, source: Mapping[str, Any]) -> Read:
    return _reader(str(file))(file, source)


def kind_of(path: str) -> str:
    """The kind of a file by its name: `csv` of `train.csv.gz`; empty where it is none that is
    read."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return KINDS.get(suffixes[-1] if suffixes else "", "")


def _reader(path: str) -> Reader:
    kind = kind_of(path)
    if not kind:
        raise CorpusError(
            f"{path!r} cannot be read from a data set repository: expected a name that ends in "
            f"{', '.join(KINDS)}. Loading scripts are never run; hubs keep parquet copies of "
            "script data sets on the branch refs/convert/parquet."
        )
    return READERS[kind]


def _expanded(
    listed: list[tuple[str, str]], present: list[str], where: str
) -> list[tuple[str, str]]:
    """Split and path of each file, `*` filled in from the paths that are there."""
    expanded = []
    for split, path in listed:
        matches = [path] if path in present else sorted(matching(present, path))
        if not matches:
            data = [name for name in present if kind_of(name)]
            raise CorpusError(
                f"{where} has no file {path!r}, which files.{split} asks for."
                f"{nearest(path, data)} Data files there: {', '.join(sorted(data)) or 'none'}."
            )
        expanded += [(split, match) for match in matches]
    return expanded


def _there(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _on_hub(
    repo: str, source: Mapping[str, Any], listed: list[tuple[str, str]], fetching: bool = True
) -> list[tuple[str, str]]:
    """Split and local path of each file, fetched where the hub's cache has it not.

    Without fetching: split and path in the repository.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, HTTPError

    revision = _pinned(source)
    # Read here and not when huggingface_hub is imported, which may have been long before.
    endpoint, cache = os.environ.get("HF_ENDPOINT"), os.environ.get("HF_HUB_CACHE")
    where = f"The data set {repo} at {revision[:12]}"

    def listing() -> list[str]:
        return HfApi(endpoint).list_repo_files(repo, revision=revision, repo_type="dataset")

    def fetch(path: str) -> str:
        return hf_hub_download(
            repo, path, repo_type="dataset", revision=revision, endpoint=endpoint, cache_dir=cache
        )

    try:
        if any("*" in path for _, path in listed):
            listed = _expanded(listed, listing(), where)
        if not fetching:
            return listed
        try:
            return [(split, fetch(path)) for split, path in listed]
        except EntryNotFoundError as problem:
            if isinstance(problem, FileNotFoundError):  # neither in the cache nor to be reached
                raise
            _expanded(listed, listing(), where)  # names the file and what there is
            raise
    except (OSError, HTTPError, EntryNotFoundError, HFValidationError) as problem:
        first = str(problem).strip().partition("\n")[0] or type(problem).__name__
        raise CorpusError(
            f"{where} cannot be fetched: {first.rstrip('.')}. Check the name, the commit, the "
            "network and, for a gated data set, the login (`hf auth login`)."
        ) from problem


def check_named(source: Mapping[str, Any]) -> None:
    """CorpusError where a source names no repository, files or commit; nothing is fetched."""
    _listed(source)
    if not Path(source["repo"]).is_dir():
        _pinned(source)


def _pinned(source: Mapping[str, Any]) -> str:
    """The commit of a source; CorpusError where it names none."""
    repo, revision = source["repo"], str(source.get("revision") or "")
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise CorpusError(
            f"The data set {repo} needs `revision`, the 40 hexadecimal digits of a commit, so "
            f"that a result can be repeated; got {revision or None!r}. "
            f"Commits: https://huggingface.co/datasets/{repo}/commits/main"
        )
    return revision
