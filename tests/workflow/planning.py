"""Which jobs Snakemake would run, worked out in this process: a dry run costs seconds.

It knows what Snakemake compares: which of the asked files are missing, the parameters and the set
of inputs on record, and what runs above. It knows no dates: of files that were changed by hand
only a dry run tells.
"""

import json
import os
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from saegrid.base import fingerprint


class Task(NamedTuple):
    """A job that a study may need."""

    rule: str
    spec: str
    outputs: list[str]
    inputs: list[str]
    ancient: set[str] = frozenset()
    """Inputs that are no reason to run while they are there."""


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Paths are relative to this folder, and fingerprints are those of its sources."""
    source, before = fingerprint.SOURCE, Path.cwd()
    edited = _sources(folder / "src/saegrid") != _sources(source)
    if edited:
        fingerprint.SOURCE = folder / "src/saegrid"
        _forget()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if edited:
            fingerprint.SOURCE = source
            _forget()


def _sources(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of each source: copies keep both."""
    stats = {p: p.stat() for p in folder.rglob("*") if p.suffix not in ("", ".pyc")}
    return {str(p.relative_to(folder)): (s.st_size, s.st_mtime_ns) for p, s in stats.items()}


def _forget() -> None:
    """Forget the sources of another folder."""
    for remembered in (fingerprint._module, fingerprint._templates):
        remembered.cache_clear()


def on_record(task: Task) -> bool:
    """Whether nothing that Snakemake has on record about the outputs of a job has changed."""
    records = [Path(".snakemake/metadata") / b64encode(p.encode()).decode() for p in task.outputs]
    if not all(record.is_file() for record in records):
        return True  # it has nothing to compare
    return all(
        set(known["params"]) == {repr(task.spec)} and set(known["input"]) == set(task.inputs)
        for known in (json.loads(record.read_text()) for record in records)
    )


def to_run(tasks: Iterable[Task], targets: Iterable[str]) -> Counter[str]:
    """The jobs that would run for these files, counted by rule."""
    makers = {path: task for task in tasks for path in task.outputs}
    needed, wanted = [], list(targets)
    seen: set[int] = set()
    while wanted:
        task = makers.get(wanted.pop())
        if task is not None and id(task) not in seen:
            seen.add(id(task))
            needed.append(task)
            wanted += task.inputs
    there = {p: Path(p).exists() for task in needed for p in [*task.outputs, *task.inputs]}
    running = {
        id(task) for task in needed if any(map(there.get, task.outputs)) and not on_record(task)
    }
    asked, before = set(targets), -1
    while len(running) != before:
        before = len(running)
        asked |= {path for task in needed if id(task) in running for path in task.inputs}
        for task in needed:
            missing = any(path in asked and not there[path] for path in task.outputs)
            fresh = any(
                path in makers
                and id(makers[path]) in running
                and (path not in task.ancient or not there[path])
                for path in task.inputs
            )
            if missing or fresh:
                running.add(id(task))
    return Counter(task.rule for task in needed if id(task) in running)
