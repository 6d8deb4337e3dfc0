"""What of a store stays when it is filled again, with other settings or more files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from saegrid.store.manifest import Manifest, Shard, shard_path
from saegrid.store.settings import Settings
from saegrid.store.texts import Place


class Kept(NamedTuple):
    """Shards that would come out again, from the first on."""

    shards: list[Shard]
    done: bool
    """Whether no text is missing."""


def kept(
    old: Manifest,
    folder: Path,
    settings: Settings,
    identity: str,
    n_files: int,
    is_as_before: Callable[[int, Mapping[str, str]], bool],
) -> Kept:
    """What stays of a store that has the manifest `old`.

    A shard stays where the store is of the same identity and settings, the files up to its last
    text have not changed, and its texts are still asked for. The last one does not where more texts
    may follow and it is not full. Of a shard whose files are gone, the sites that have theirs stay.

    n_files: how many files the stream has. is_as_before: whether the file of a number is the one
    that the manifest tells of.
    """
    if (old.identity, old.settings) != (identity, settings.deciding):
        return Kept([], False)
    alike = 0
    while alike < min(len(old.files), n_files) and is_as_before(alike, old.files[alike]):
        alike += 1
    same = old.extent == settings.extent
    shards: list[Shard] = []
    for number, shard in enumerate(old.shards):
        if shard.end.file >= alike or not (same or _within(shard.end, settings)):
            break
        there = {
            site: digest
            for site, digest in shard.sha256.items()
            if shard_path(folder, site, number).is_file()
        }
        shards.append(shard._replace(sha256=there))
    whole = len(shards) == len(old.shards) and alike == len(old.files)
    ended = bool(shards) and (n_files == len(old.files) or _limited(shards[-1].end, settings))
    done = same and old.complete and whole and ended
    if not done and shards and shards[-1].entries < settings.shard_tokens:
        shards.pop()
    return Kept(shards, done)


def _within(end: Place, settings: Settings) -> bool:
    """Whether all texts before a place are asked for.

    A last text that passes the end is not told apart from one behind it: its shard is made again.
    """
    most_texts, most_tokens = settings.max_texts, settings.max_tokens
    return (most_texts is None or end.text <= most_texts) and (
        most_tokens is None or end.token <= most_tokens
    )


def _limited(end: Place, settings: Settings) -> bool:
    """Whether no text is asked for behind a place."""
    most_texts, most_tokens = settings.max_texts, settings.max_tokens
    return (most_texts is not None and end.text >= most_texts) or (
        most_tokens is not None and end.token >= most_tokens
    )
