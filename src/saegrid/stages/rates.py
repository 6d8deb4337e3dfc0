"""How fast this machine reads, writes and multiplies: measured in a few seconds and remembered."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid.base.io import write_text

SAMPLE = 128 << 20
"""Bytes that are written, and read, to measure a disk."""
SIDE = 1024
"""Rows and columns of the products that are measured."""
BUDGET = 0.3
"""Seconds of one measurement, at least one turn."""
TORCH = f"""
import sys, time
start = time.perf_counter()
import torch
print(time.perf_counter() - start)
torch.set_num_threads(1)
for dtype, device in (("bfloat16", "cpu"), (sys.argv[1], sys.argv[2])):
    device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    n = {SIDE} if device == "cpu" else 8 * {SIDE}
    a = torch.ones(n, n, dtype=getattr(torch, dtype), device=device)
    sync = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    a @ a
    sync()
    turns, start = 0, time.perf_counter()
    while not turns or time.perf_counter() - start < {BUDGET}:
        a @ a
        sync()
        turns += 1
    print(turns * n**3 / (time.perf_counter() - start))
"""
"""Measured in a process of its own: torch stays out of this one."""


class Rates(NamedTuple):
    """What this machine does in a second, one thread at work."""

    read: float
    """Bytes from disk, one after the other."""
    write: float
    """Bytes to disk."""
    float32: float
    """Multiplications of numpy's float32 product."""
    bfloat16: float
    """Multiplications of torch's bfloat16 product on the processor."""
    model: float
    """Multiplications of torch's product in the model's dtype and on its device."""
    entries: float
    """Integers sorted."""
    start: float
    """Seconds until a job without torch begins."""
    start_torch: float
    """Seconds until a job with torch begins."""


def per_second(call: Callable[[], object], amount: float) -> float:
    """How much of `amount` a second, where a call does it once; the first call warms up."""
    call()
    turns, start = 0, time.perf_counter()
    while not turns or time.perf_counter() - start < BUDGET:
        call()
        turns += 1
    return turns * amount / (time.perf_counter() - start)


def read_rate(path: Path) -> float:
    """Bytes a second of a file's first `SAMPLE` bytes, not from the page cache if it can be."""
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, SAMPLE, os.POSIX_FADV_DONTNEED)
        start, done = time.perf_counter(), 0
        while done < SAMPLE and (block := file.read(8 << 20)):
            done += len(block)
    return done / max(time.perf_counter() - start, 1e-9)


def write_rate(path: Path) -> float:
    """Bytes a second of a new file, until they are on disk."""
    block = np.random.default_rng(0).bytes(8 << 20)
    start = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(SAMPLE // len(block)):
            file.write(block)
        os.fsync(file.fileno())
    return SAMPLE / (time.perf_counter() - start)


def start_seconds() -> float:
    """Seconds until a process has imported what every job does."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import saegrid.job, pyarrow.parquet"], check=True)
    return time.perf_counter() - start


def torch_rates(dtype: str, device: str) -> tuple[float, float, float]:
    """Seconds of the import, rate in bfloat16, rate in the model's dtype on its device."""
    command = [sys.executable, "-c", TORCH, dtype, device]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, bfloat16, model = map(float, done.stdout.split())
    return seconds, bfloat16, model


def measure(folder: Path, large: Path | None, dtype: str, device: str) -> Rates:
    """Measure in `folder`, where results go.

    large: a file that the run will read, on the disk it lies on; else one is written and read.
    dtype, device: the model's.
    """
    scratch = folder / f".rates.{os.getpid()}.tmp"
    try:
        write = write_rate(scratch)
        read = read_rate(large or scratch)
    finally:
        scratch.unlink(missing_ok=True)
    matrix = np.ones((SIDE, SIDE), np.float32)
    numbers = np.random.default_rng(0).integers(1 << 40, size=1 << 20)
    with threadpool_limits(1):
        float32 = per_second(lambda: matrix @ matrix, SIDE**3)
    entries = per_second(lambda: np.argsort(numbers, kind="stable"), len(numbers))
    start = start_seconds()
    import_torch, bfloat16, model = torch_rates(dtype, device)
    return Rates(read, write, float32, bfloat16, model, entries, start, start + import_torch)


def rates(
    memory: Path,
    folder: Path,
    large: Path | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> Rates:
    """Rates of this machine as `memory` (a JSON file) holds them, measured where it does not.

    They are remembered by machine, disks, dtype and device; delete the file to measure again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    disks = [str(path.stat().st_dev) for path in (folder, large) if path]
    key = " ".join([platform.node(), *disks, dtype, device])
    known = _known(memory)
    if key not in known:
        known[key] = measure(folder, large, dtype, device)._asdict()
        write_text(memory, json.dumps(known, indent=1) + "\n")
    return Rates(**known[key])


def _known(memory: Path) -> dict[str, dict[str, float]]:
    """What the file holds; nothing where it is missing, damaged or of another version."""
    try:
        found = json.loads(memory.read_text(encoding="utf-8"))
        return {key: value for key, value in found.items() if set(value) == set(Rates._fields)}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
