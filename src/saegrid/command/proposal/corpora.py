"""Files of texts that a command names: files, folders of files, or a data set on the hub."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.errors import ConfigError, size
from saegrid.command.proposal.hub import Repository, fetch, look_up
from saegrid.command.proposal.places import expanded, is_local, listed, written
from saegrid.command.proposal.texts import ENDINGS, Texts
from saegrid.text.corpora.hub import kind_of

SPLITS = {"train": "train", "dev": "dev|validation|valid|val", "test": "test"}
"""Splits, and how names of files spell them."""
LARGEST = 500_000_000
"""Bytes of a file of a data set up to which it is fetched."""


class Files(NamedTuple):
    """Files of texts."""

    paths: list[tuple[str, Path]]
    """Each as the config names it, and where it lies on this machine."""
    remarks: list[str]
    repository: Repository | None = None
    """The data set on the hub, where they come from one."""
    splits: dict[str, str] | None = None
    """Paths in the data set by split."""

    def source(self, one: Texts) -> dict[str, Any]:
        """The source of the corpus, as a config has it."""
        if self.repository is None:
            return one.source()
        source = one.source(self.splits)
        place = {"repo": self.repository.name, "revision": self.repository.commit}
        return {"kind": "hub", **place, **{k: v for k, v in source.items() if k != "kind"}}


def find_texts(names: Sequence[str], root: Path) -> Files:
    """Find the files that are named: files, one folder of files, or one data set on the hub.

    Args:
        names: paths, or the name of a data set.
        root: the repository of saegrid.

    Raises:
        ConfigError: there is no file of a kind that is read.
    """
    if len(names) == 1 and not _is_here(names[0]):
        return _on_hub(look_up(names[0], kind="dataset"))
    paths: list[tuple[str, Path]] = []
    for name in names:
        place = expanded(name)
        if place.is_dir():
            paths += [(written(f"{name}/{file}", root), place / file) for file in _files(place)]
        else:
            paths.append((written(name, root), place))
    return Files(paths, [])


def _is_here(name: str) -> bool:
    """Return True for a path on this machine, whether something lies there or not."""
    if Path(name).suffix.lower() in (*ENDINGS, ".gz") or "/" not in name:
        return True
    return is_local(name)


def _files(folder: Path) -> list[str]:
    """The files of texts in a folder, of the kind that most of them have."""
    names = [name for name in listed(folder).files if "/" not in name]
    kinds = [ENDINGS.get(Path(name).suffix.lower()) or kind_of(name) for name in names]
    usual = max((kind for kind in kinds if kind), key=kinds.count, default=None)
    if usual is None:
        raise ConfigError(f"--texts: {folder} has no file that ends in {', '.join(ENDINGS)}.")
    return [name for name, kind in zip(names, kinds, strict=True) if kind == usual]


def _on_hub(repository: Repository) -> Files:
    """The first file of each split of a data set."""
    data = [name for name in sorted(repository.files) if kind_of(name)]
    if not data:
        raise ConfigError(
            f"--texts: the data set {repository.name} has no parquet, CSV or JSON Lines file; got "
            f"{', '.join(list(repository.files)[:8]) or 'no files'}."
        )
    splits: dict[str, str] = {}
    for name in data:
        splits.setdefault(_split_of(name), name)
    for name in splits.values():
        if repository.files[name] > LARGEST:
            raise ConfigError(
                f"--texts: {name} of {repository.name} has {size(repository.files[name])}, more "
                f"than is fetched to be looked at; name a local file of some of its rows."
            )
    folder = fetch(repository, splits.values())
    remarks = [f"{repository.name} on the hub, at its commit {repository.commit[:12]}"]
    if left := len(data) - len(splits):
        remarks.append(f"{left} more files of it are left out; `*` in files takes them, too")
    return Files([(name, folder / name) for name in splits.values()], remarks, repository, splits)


def _split_of(name: str) -> str:
    for split, spellings in SPLITS.items():
        if re.search(rf"(?<![a-z])({spellings})(?![a-z])", Path(name).name.lower()):
            return split
    return "all"
