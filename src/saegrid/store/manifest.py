"""The manifest of a store: a record of its sources, its settings and its shards.

It is replaced after each shard, in one step. `last_updated` alone changes without the data.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from saegrid.base import io
from saegrid.store.settings import StoreError
from saegrid.store.texts import Offset

MANIFEST, LOCK = "manifest.json", ".lock"
BEGUN = ".begun"
"""Ending of the stem of a file that stands for a site whose store is filled beside trainings."""


def shard_path(folder: Path, site: str, number: int) -> Path:
    """The path of a shard's file."""
    return folder / site / f"{number:05}.safetensors"


class Shard(NamedTuple):
    """The facts of a shard that is written."""

    entries: int
    begin: Offset
    end: Offset
    set_aside: dict[str, dict[str, int]]
    """Texts that cannot be used, by reason: their number `n`, and the number of the `first`."""
    sha256: dict[str, str]
    """sha256 of the file of each site that has this shard."""

    @property
    def facts(self) -> dict[str, Any]:
        """The facts as JSON values."""
        return {
            **self._asdict(),
            "begin": self.begin._asdict(),
            "end": self.end._asdict(),
            "sha256": dict(sorted(self.sha256.items())),
        }

    @classmethod
    def read(cls, facts: dict[str, Any]) -> Self:
        """A shard from the JSON values of its facts."""
        offsets = {name: Offset(**facts[name]) for name in ("begin", "end")}
        return cls(**{**facts, **offsets})


class Manifest(NamedTuple):
    """A record of the content of a store."""

    model: str
    """Name of the model, or its path."""
    revision: str | None
    dtype: str
    """Number type of the activations: float32, bfloat16 or float16."""
    identity: str
    """Digest of model, tokenizer and code, set by the process that fills the store."""
    settings: dict[str, Any]
    """Settings that decide the content, see `Settings.deciding`."""
    extent: dict[str, Any]
    """Limits on the texts and tokens, see `Settings.extent`."""
    complete: bool
    """True where the shards hold all texts that are asked for."""
    widths: dict[str, int]
    """Number of channels of each site."""
    files: list[dict[str, str]]
    """Names and sha256 of the files processed, in order."""
    shards: list[Shard]

    def n_written(self, site: str) -> int:
        """Number of shards, from the first on, that a site has."""
        lacking = (n for n, shard in enumerate(self.shards) if site not in shard.sha256)
        return next(lacking, len(self.shards))

    def is_complete(self, site: str) -> bool:
        """Return True if a site has all shards, and these hold all texts that are asked for."""
        return self.complete and self.n_written(site) == len(self.shards)

    def write(self, folder: Path) -> None:
        """Replace the manifest of a folder."""
        facts = self._asdict()
        facts["shards"] = [shard.facts for shard in self.shards]
        facts["widths"] = dict(sorted(self.widths.items()))
        facts["last_updated"] = datetime.now(UTC).isoformat(timespec="seconds")
        io.write_json(folder / MANIFEST, facts)


def read_manifest(folder: str | Path) -> Manifest | None:
    """The manifest of a folder; None if there is none. StoreError if it is damaged."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return None
    try:
        facts = io.read_json(path)
        facts.pop("last_updated")
        return Manifest(**{**facts, "shards": [Shard.read(shard) for shard in facts["shards"]]})
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise StoreError(
            f"{path}: the manifest cannot be read ({problem}). Delete it: the store is then filled "
            "anew."
        ) from problem


def beside(facts: str) -> list[str]:
    """The files that the facts of a site stand for: the manifest, and the site's shards."""
    path = Path(facts)
    shards = path.with_suffix("").glob("*.safetensors")
    return [str(path.with_name(MANIFEST)), *sorted(map(str, shards))]


def sites_of(paths: Iterable[str | Path]) -> list[str]:
    """The sites that files like `L0R.json` are named after."""
    return [Path(path).stem for path in paths]


def write_facts(manifest: Manifest, paths: Iterable[str | Path], spec: str) -> None:
    """Write the facts of each site's shards, one file a site: counts and checksums.

    A facts file changes if and only if the data does.
    """
    end = manifest.shards[-1].end
    counts = {
        "entries": sum(shard.entries for shard in manifest.shards),
        "tokens": end.token,
        "texts": end.text,
        "set_aside": [shard.set_aside for shard in manifest.shards],
    }
    for path in paths:
        site = Path(path).stem
        digests = [shard.sha256[site] for shard in manifest.shards]
        facts = {"site": site, "channels": manifest.widths[site], **counts, "sha256": digests}
        io.write_json(path, facts, spec)


def reasons(shards: Iterable[Shard]) -> dict[str, tuple[int, int]]:
    """Texts that were set aside, by reason: how many, and the number of the first."""
    counts: dict[str, tuple[int, int]] = {}
    for shard in shards:
        for reason, one in shard.set_aside.items():
            n, first = counts.get(reason, (0, one["first"]))
            counts[reason] = n + one["n"], first
    return counts


def remarks(shards: Iterable[Shard]) -> Iterator[str]:
    """A line for each reason for which texts were set aside."""
    for reason, (n, first) in reasons(shards).items():
        yield f"{n:,} texts are set aside: {reason}, first text {first:,}"


def verify(folder: str | Path) -> int:
    """Check the sha256 of every shard; return the number of files checked.

    Raises:
        StoreError: a file is missing or has another sha256; the message names the first.
    """
    folder, checked = Path(folder), 0
    manifest = read_manifest(folder)
    if manifest is None:
        raise StoreError(f"{folder}: there is no store; expected {MANIFEST}. Fill it first.")
    for number, shard in enumerate(manifest.shards):
        for site, expected in shard.sha256.items():
            path = shard_path(folder, site, number)
            digest = "no file"
            if path.is_file():
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != expected:
                raise StoreError(
                    f"{path}: sha256 must be {expected}; got {digest}. Delete the folder {folder} "
                    "and fill the store again."
                )
            checked += 1
    return checked
