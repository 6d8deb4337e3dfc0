"""Files are known by all of their bytes; large ones are read once, whoever asks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saegrid.base import digest

OLD = 10**9
"""Seconds since 1970 of files that have long been there."""


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """A folder in which snakemake would run, and a small bound for large files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digest, "SMALL", 10)
    monkeypatch.setattr(digest, "_MEMORIES", {})
    monkeypatch.delenv(digest.REREAD, raising=False)
    return tmp_path


def large(path: Path, text: str = "a" * 100, at: int = OLD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def forget(monkeypatch) -> None:
    """As a new process begins."""
    monkeypatch.setattr(digest, "_MEMORIES", {})


def count_reading(monkeypatch) -> list[Path]:
    read: list[Path] = []
    plain = digest._sha256

    def counted(path, *more):
        read.append(path)
        return plain(path, *more)

    monkeypatch.setattr(digest, "_sha256", counted)
    return read


def remembered(run_folder) -> list[list]:
    lines = (run_folder / digest.MEMORY).read_bytes().splitlines()
    return [json.loads(line) for line in lines if line]


def test_a_digest_is_sha256_of_all_bytes(run_folder):
    small, big = large(run_folder / "a", "abc"), large(run_folder / "b", "abc" * 100)
    assert digest.file_digest(small) == "ba7816bf8f01cfea"
    assert digest.file_digest(big) == digest.hashlib.sha256(b"abc" * 100).hexdigest()[:16]


def test_a_large_file_is_read_once_by_several_processes(run_folder, monkeypatch):
    path, read = large(run_folder / "corpus.txt"), count_reading(monkeypatch)
    first = digest.file_digest(path)
    forget(monkeypatch)
    assert digest.file_digest("corpus.txt") == first
    assert read == [path]


@pytest.mark.parametrize("change", ["bytes", "size", "mtime", "inode"])
def test_any_fact_that_changes_has_the_file_read_again(run_folder, monkeypatch, change):
    path = large(run_folder / "corpus.txt")
    first = digest.file_digest(path)
    forget(monkeypatch)
    read = count_reading(monkeypatch)
    if change == "inode":  # the same time of change, as `cp -p` and archives leave it
        large(run_folder / "other", "b" * 100)
        (run_folder / "other").replace(path)
    else:
        text = {"bytes": "b" * 100, "size": "a" * 101, "mtime": "a" * 100}[change]
        large(path, text, OLD + 5)
    assert (digest.file_digest(path) == first) == (change == "mtime")
    assert read == [path]


def test_a_change_of_one_byte_in_the_middle_is_seen(run_folder):
    path = run_folder / "model.safetensors"
    path.write_bytes(bytes(3 * digest.CHUNK + 7))
    before = digest.file_digest(path)
    with path.open("r+b") as file:
        file.seek(digest.CHUNK + 12_345)
        file.write(b"\1")
    assert digest.file_digest(path) != before


def test_a_file_changed_just_now_is_read_again_for_it_may_change_within_one_tick(
    run_folder, monkeypatch
):
    path = run_folder / "corpus.txt"
    path.write_text("a" * 100)
    stat = path.stat()
    first = digest.file_digest(path)
    path.write_text("b" * 100)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest.file_digest(path) != first
    # A quiet while later it is remembered.
    monkeypatch.setattr(digest, "SETTLED", 0)
    digest.file_digest(path)
    read = count_reading(monkeypatch)
    digest.file_digest(path)
    assert read == []


def test_small_files_are_always_read(run_folder, monkeypatch):
    path = large(run_folder / "a.csv", "abc")
    digest.file_digest(path)
    stat = path.stat()
    path.write_text("abd")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert digest.file_digest(path) == digest.hashlib.sha256(b"abd").hexdigest()[:16]
    assert not (run_folder / digest.MEMORY).exists()


def test_where_a_folder_lies_and_what_lies_beside_does_not_count(run_folder):
    for folder in ("here", "there"):
        large(run_folder / folder / "cfg.json", "{}")
        large(run_folder / folder / "part" / "weights", "w" * 50)
    large(run_folder / "there" / "README.md", "hello")
    names = ["part/weights", "cfg.json"]
    here, there = (digest.content_digest(run_folder / f, names) for f in ("here", "there"))
    assert here == there
    # Names are part of the content: two files that change places are another checkpoint.
    large(run_folder / "there" / "cfg.json", "w" * 50)
    large(run_folder / "there" / "part" / "weights", "{}")
    assert digest.content_digest(run_folder / "there", names) != here


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b'["half a line", 100, 1',
        b"null\n[]\n[1, 2]\n{}\n",
        b'["/x", "100", 1, 1, 1, "00"]\n',
        b"[" * 100_000,
    ],
)
def test_a_damaged_memory_costs_reading_and_nothing_else(run_folder, monkeypatch, damage):
    path = large(run_folder / "corpus.txt")
    first = digest.file_digest(path)
    memory = run_folder / digest.MEMORY
    whole = memory.read_bytes()
    memory.write_bytes(damage)
    forget(monkeypatch)
    assert digest.file_digest(path) == first
    # The damage stays a line of its own: what is remembered behind it is found.
    forget(monkeypatch)
    read = count_reading(monkeypatch)
    assert digest.file_digest(path) == first and read == []
    memory.write_bytes(whole[: len(whole) // 2] + b"\n" + damage)
    forget(monkeypatch)
    assert digest.file_digest(path) == first and read == [path]


def test_a_memory_that_cannot_be_written_costs_reading_and_nothing_else(run_folder, monkeypatch):
    path = large(run_folder / "corpus.txt")
    (run_folder / digest.MEMORY).mkdir(parents=True)
    first = digest.file_digest(path)
    forget(monkeypatch)
    assert digest.file_digest(path) == first


def test_processes_that_remember_at_once_lose_nothing(run_folder):
    paths = [large(run_folder / f"{i}.txt", str(i) * 100) for i in range(40)]
    code = (
        "import sys; from saegrid.base import digest; digest.SMALL = 10\n"
        "for path in sys.argv[1:]: digest.file_digest(path)"
    )
    halves = [paths[:25], paths[15:]]
    running = [subprocess.Popen([sys.executable, "-c", code, *map(str, half)]) for half in halves]
    assert [process.wait() for process in running] == [0, 0]
    lines = remembered(run_folder)
    assert {line[0] for line in lines} == {str(path) for path in paths}


def test_files_that_are_gone_are_forgotten_sometimes(run_folder, monkeypatch):
    monkeypatch.setattr(digest, "MANY", 10)
    paths = [large(run_folder / f"{i}.txt") for i in range(20)]
    digest.file_digests(paths)
    for path in paths[1:]:
        path.unlink()
    forget(monkeypatch)
    last = large(run_folder / "last.txt")
    digest.file_digest(last)
    assert {line[0] for line in remembered(run_folder)} == {str(paths[0]), str(last)}
    forget(monkeypatch)
    read = count_reading(monkeypatch)
    digest.file_digests([paths[0], last])
    assert read == []


def test_the_environment_has_everything_read_again_once_for_all_processes(run_folder, monkeypatch):
    path = large(run_folder / "corpus.txt")
    first = digest.file_digest(path)
    stat = path.stat()
    path.write_text("b" * 100)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # Beyond a remembered digest: size, time of change and inode were all kept.
    assert digest.file_digest(path) == first
    monkeypatch.setenv(digest.REREAD, "1")
    forget(monkeypatch)
    second = digest.file_digest(path)
    assert second != first
    # A job inherits the environment and does not read it a third time.
    read = count_reading(monkeypatch)
    forget(monkeypatch)
    assert digest.file_digest(path) == second and read == []
    # Where nothing was remembered yet, neither.
    monkeypatch.setenv(digest.REREAD, "1")
    (run_folder / digest.MEMORY).unlink()
    forget(monkeypatch)
    digest.file_digest(path)
    forget(monkeypatch)
    assert digest.file_digest(path) == second and read == [path]
    monkeypatch.setenv(digest.REREAD, "0")
    assert digest.file_digest(path) == second and read == [path]


def test_what_is_no_file_is_never_read(run_folder):
    os.mkfifo(run_folder / "pipe")
    for path in ("/dev/zero", run_folder, run_folder / "pipe"):
        with pytest.raises(ValueError, match="must be a regular file"):
            digest.file_digest(path)
    with pytest.raises(FileNotFoundError):
        digest.file_digest("nowhere")


def test_long_reading_is_announced(run_folder, monkeypatch, capsys):
    monkeypatch.setattr(digest, "LONG", 150)
    monkeypatch.setattr(digest, "EVERY", 0.0)
    digest.file_digest(large(run_folder / "a"))
    assert capsys.readouterr().err == ""
    digest.file_digests([large(run_folder / name) for name in "bcd"])
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("Reading 300 bytes once to know it by its content: ")
    assert told[0].endswith("b and 2 more") and len(told) == 4
    digest.file_digests([run_folder / name for name in "bcd"])
    assert capsys.readouterr().err == ""


def test_many_remembered_files_are_looked_up_in_one_reading_of_the_memory(run_folder, monkeypatch):
    paths = [large(run_folder / f"{i}.txt", str(i) * 20) for i in range(100)]
    digest.file_digests(paths)
    forget(monkeypatch)
    read, opened = count_reading(monkeypatch), []
    plain = digest.Memory._from_file
    monkeypatch.setattr(digest.Memory, "_from_file", lambda self: opened.append(1) or plain(self))
    before = (run_folder / digest.MEMORY).stat().st_mtime_ns
    for path in paths:
        digest.file_digest(path)
    assert read == [] and opened == [1]
    assert (run_folder / digest.MEMORY).stat().st_mtime_ns == before
