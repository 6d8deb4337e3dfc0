"""The shards that a store keeps when it is filled again, with other settings or more files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from saegrid.base.recorded import recorded
from saegrid.store.manifest import Manifest, Shard, shard_path
from saegrid.store.settings import Settings
from saegrid.store.texts import Offset


class Kept(NamedTuple):
    """The shards that would come out the same again, from the first on."""

    shards: list[Shard]
    done: bool
    """True where no text is missing."""


def kept(
    old: Manifest,
    folder: Path,
    settings: Settings,
    identity: str,
    n_files: int,
    is_as_before: Callable[[int, Mapping[str, str]], bool],
) -> Kept:
    """The shards that stay of a store with the manifest `old`.

    A shard stays if the store has the same identity and settings, the files up to its last text
    have not changed, and its texts are still asked for. The last shard does not stay if it is not
    full and more texts may follow. A shard that lacks the files of some sites, or whose files there
    are damaged, stays for the others.

    Args:
        old: the manifest of the store.
        folder: folder of the store.
        settings: present settings.
        identity: present digest of model, tokenizer and code.
        n_files: number of files of the stream.
        is_as_before: returns True if a file, by number, is the one recorded in the manifest.
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
        digests = {
            site: digest
            for site, digest in shard.sha256.items()
            if not recorded(shard_path(folder, site, number)).damage
        }
        shards.append(shard._replace(sha256=digests))
    whole = len(shards) == len(old.shards) and alike == len(old.files)
    ended = bool(shards) and (n_files == len(old.files) or _limited(shards[-1].end, settings))
    done = same and old.complete and whole and ended
    if not done and shards and shards[-1].entries < settings.shard_tokens:
        shards.pop()
    return Kept(shards, done)


def _within(end: Offset, settings: Settings) -> bool:
    """Return True if all texts before an offset are asked for.

    A last text that passes the end is not distinguished from one behind it: its shard is made
    again.
    """
    most_texts, most_tokens = settings.max_texts, settings.max_tokens
    return (most_texts is None or end.text <= most_texts) and (
        most_tokens is None or end.token <= most_tokens
    )


def _limited(end: Offset, settings: Settings) -> bool:
    """Return True if no text is asked for behind an offset."""
    most_texts, most_tokens = settings.max_texts, settings.max_tokens
    return (most_texts is not None and end.text >= most_texts) or (
        most_tokens is not None and end.token >= most_tokens
    )
