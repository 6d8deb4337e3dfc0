"""Files of a commit on the hub, fetched in pieces that outlive a kill and checked by content.

huggingface_hub begins a killed download anew and looks at sizes only, so that its transport (login,
redirects, retries) is used with files and checksums of our own.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from saegrid.base.errors import CheckpointError

EVERY = 10.0
"""Seconds between two lines about a download."""


class Remote(NamedTuple):
    """A file on the hub."""

    repo: str
    path: str
    """Path of the file in the repository."""
    revision: str
    """Commit of the repository."""
    size: int
    """Number of bytes."""
    checksum: str
    """Checksum of the content: sha256 of a large file, git's sha1 of a small one."""


def describe(repo: str, path: str, revision: str) -> Remote:
    """A file on the hub with its size and checksum; CheckpointError if the hub does not give
    them."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # slow to import

    with _naming(repo, path, revision):
        metadata = get_hf_file_metadata(hf_hub_url(repo, path, revision=revision))
    checksum = metadata.etag or ""
    if metadata.size is None or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", checksum):
        raise CheckpointError(
            f"{repo}: of {path} the hub tells no size and checksum (size {metadata.size}, "
            f"etag {metadata.etag!r}), so that a download cannot be checked. "
            "If HF_ENDPOINT names a mirror, take another, or give the `path` of a copy."
        )
    return Remote(repo, path, revision, metadata.size, checksum)


def describe_if_there(repo: str, path: str, revision: str) -> Remote | None:
    """A file on the hub as of `describe`; None where the commit does not have it."""
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return describe(repo, path, revision)
    except CheckpointError as problem:
        if isinstance(problem.__cause__, EntryNotFoundError):
            return None
        raise


def fetch(remote: Remote, target: Path) -> None:
    """Fetch a file to `target`, from where an earlier attempt stopped, and check its content.

    Raises:
        CheckpointError: the hub does not give the file (the part that came stays for the next
            attempt), or its checksum is not the promised one (it is deleted).
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch()
    present = target.stat().st_size
    if present > remote.size:
        os.truncate(target, 0)
        present = 0
    if present < remote.size:
        # A compressed answer would not be of the size that was told, nor begin where asked.
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        url = hf_hub_url(remote.repo, remote.path, revision=remote.revision)
        with target.open("ab") as file, _naming(*remote[:3]):
            reporting = _Reporting(file, remote, present)
            http_get(
                url,
                reporting,  # type: ignore[arg-type]
                resume_size=present,
                headers=headers,
                expected_size=remote.size,
            )
    digest = checksum(target, remote.checksum)
    if digest != remote.checksum:
        target.unlink()
        raise CheckpointError(
            f"{target}: what came from {remote.repo} as {remote.path} has the checksum "
            f"{digest[:12]}, the hub promised {remote.checksum[:12]}. The file has been deleted; "
            "run again to fetch it anew."
        )
    print(f"{remote.path}: {remote.size} bytes, checksum {digest[:12]} as promised", flush=True)


def checksum(path: Path, like: str) -> str:
    """Hexadecimal digest of a file: sha256, or git's sha1 if `like` is as short as one."""
    with path.open("rb") as file:
        if len(like) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
        digest.update(file.read())  # only small files are kept in git itself
        return digest.hexdigest()


@contextmanager
def _naming(repo: str, path: str, revision: str) -> Iterator[None]:
    """A context that turns errors of the hub into a CheckpointError that names the file."""
    from huggingface_hub.errors import HFValidationError, HTTPError

    try:
        yield
    except (OSError, HTTPError, HFValidationError) as problem:
        raise CheckpointError(
            f"{repo}: {path} at {revision[:12]} does not come from the hub "
            f"({type(problem).__name__}: {str(problem).strip().partition(chr(10))[0]}). "
            "Check repo, folder and revision; a gated repository needs `hf auth login`; "
            "without a network give the `path` of a copy."
        ) from problem


class _Reporting:
    """A file that prints to the log how much of it has been written."""

    def __init__(self, file: BinaryIO, remote: Remote, present: int) -> None:
        self.file, self.remote = file, remote
        self.began = self.last = time.monotonic()
        self.start = present
        begins = f"goes on at {present} of" if present else "fetching"
        print(f"{remote.path}: {begins} {remote.size} bytes from {remote.repo}", flush=True)

    def write(self, chunk: bytes) -> int:
        written = self.file.write(chunk)
        now, size = time.monotonic(), self.file.tell()
        if now - self.last >= EVERY:
            self.last = now
            rate = (size - self.start) / (now - self.began) / 1e6
            share = size / self.remote.size
            print(f"{self.remote.path}: {size} bytes, {share:.0%}, {rate:.1f} MB/s", flush=True)
        return written

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, offset: int) -> int:
        return self.file.seek(offset)

    def truncate(self) -> int:
        self.start = 0
        return self.file.truncate()
