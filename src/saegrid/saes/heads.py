"""Heads of checkpoints on the hub: what `tensors.hollow` reads of a file, and no weights.

A copy is as long as its file, with holes in the place of the tensors. A safetensors file begins
with its header; of archives (npz, torch.save) the directory stands at the end, and the begin of
each member tells what it is.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from saegrid.base.errors import CheckpointError
from saegrid.saes.cache.download import Remote, describe

WHOLE = 1 << 20
"""Bytes up to which a file is copied whole."""
DIRECTORY = 1 << 17
"""Bytes at the end of an archive in which its directory stands."""
MEMBER = 1 << 16
"""Bytes of the begin of each member of an archive."""

Read = Callable[[int, int], bytes]
"""Bytes of a file from one place to another."""


def copy_head(repo: str, path: str, revision: str, target: Path) -> None:
    """Copy what describes the tensors of a file on the hub, and leave holes for the rest.

    Args:
        repo: repository of a model.
        path: path of the file in it.
        revision: commit.
        target: the copy, whose folder is made.

    Raises:
        CheckpointError: the hub does not give the file, or it is no such file.
    """
    remote = describe(repo, path, revision)
    target.parent.mkdir(parents=True, exist_ok=True)

    def read(start: int, stop: int) -> bytes:
        return _bytes(remote, start, min(stop, remote.size))

    with target.open("wb") as copy:
        copy.truncate(remote.size)
        if remote.size <= WHOLE:
            copy.write(read(0, remote.size))
            return
        if path.endswith(".safetensors"):
            length = int.from_bytes(read(0, 8), "little")
            copy.write(read(0, 8 + length))
            return
        start = remote.size - DIRECTORY
        copy.seek(start)
        copy.write(read(start, remote.size))
    _copy_members(target, remote, read)


def _copy_members(target: Path, remote: Remote, read: Read) -> None:
    """Copy the begin of every member of an archive whose directory is there already."""
    try:
        with ZipFile(target) as archive:
            starts = sorted(member.header_offset for member in archive.infolist())
    except BadZipFile:
        raise CheckpointError(
            f"{remote.repo}: {remote.path} is no archive of arrays, and is not read."
        ) from None
    with target.open("r+b") as copy:
        for start, following in pairwise([*starts, remote.size]):
            copy.seek(start)
            copy.write(read(start, min(start + MEMBER, following)))


def _bytes(remote: Remote, start: int, stop: int) -> bytes:
    """The bytes of a file from `start` to before `stop`; a server without ranges is cut off."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session

    url = hf_hub_url(remote.repo, remote.path, revision=remote.revision)
    headers = {**build_hf_headers(), "Range": f"bytes={start}-{stop - 1}"}
    pieces, wanted = [], stop - start
    try:
        with get_session().stream("GET", url, headers=headers, follow_redirects=True) as answer:
            answer.raise_for_status()
            left = 0 if answer.status_code == 206 else start
            for piece in answer.iter_bytes():
                pieces.append(piece[left:])
                left = max(0, left - len(piece))
                if sum(map(len, pieces)) >= wanted:
                    break
    except Exception as problem:  # the client's errors have no common class
        raise CheckpointError(
            f"{remote.repo}: the hub did not give the head of {remote.path}: {problem}."
        ) from problem
    return b"".join(pieces)[:wanted]
