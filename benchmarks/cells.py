"""The time of cells of true size beside its limit: every encoder row read and multiplied once.

Checkpoints in the Llama Scope layout (131,072 x 4,096 and 32,768 x 4,096 bfloat16, random weights)
are written to a folder, about 2.1 GB for each 32x and 0.5 GB for each 8x, and stay there if the
folder was named. Then, for each number of tokens, each in a process of its own:

- limit: one sequential read of the encoder, and torch's or numpy's bare product of its blocks, in
  the format that is the faster here;
- cell: open the reference, encode, write features.safetensors, as the rule `encode` does.

Both once with the file's pages dropped from the cache and once with them in it. The decoder's norms
are measured as the rule `import_sae` does, beside one sequential read of the decoder.

Where other programs share the processor, the ratio of processor seconds is the one to trust.

    python benchmarks/cells.py                            # a temporary folder
    python benchmarks/cells.py --folder F --tokens 930 20930
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from encode import activations, write_checkpoint

D_MODEL = 4096
D_SAE = {"8x": 32_768, "32x": 131_072}
CELL = "L15R-{}"
READ = 16 << 20
BLOCK, TILE = 2048, 1024


def weights(folder: Path) -> Path:
    """The path of a checkpoint's tensors."""
    return folder / "checkpoints/final.safetensors"


def make(folder: Path, expansion: str, d_model: int) -> None:
    """Write a checkpoint with its norms, unless it exists."""
    if not (folder / "norms.npy").exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_checkpoint(folder, d_model, D_SAE[expansion], 50.0, decoder=True)


def drop(path: Path) -> None:
    """Drop a file's pages from the kernel's cache; RuntimeError if some stay."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if resident(path) > 0.01:
        raise RuntimeError(f"{path}: {resident(path):.0%} of it stay in the page cache.")


def warm(path: Path) -> None:
    """Read a file into the page cache."""
    sequential(path, 0, path.stat().st_size)


def resident(path: Path) -> float:
    """The share of a file that lies in the page cache, by fincore (util-linux)."""
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / path.stat().st_size


def sequential(path: Path, start: int, stop: int) -> float:
    """The seconds of one plain read from start to stop."""
    buffer = memoryview(bytearray(READ))
    begin = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), start, stop - start, os.POSIX_FADV_SEQUENTIAL)
        file.seek(start)
        while start < stop:
            start += file.readinto(buffer[: min(READ, stop - start)])
    return time.perf_counter() - begin


def span(path: Path, name: str) -> tuple[int, int]:
    """The first byte of a tensor, and the byte after its last."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        begin, end = json.loads(file.read(size))[name]["data_offsets"]
    return 8 + size + begin, 8 + size + end


def limit(folder: Path, n: int, threads: int) -> dict[str, float]:
    """The seconds of one read of the encoder, and of the bare products of as many blocks."""
    facts = json.loads((folder / "hyperparams.json").read_text(encoding="utf-8"))
    begin = time.process_time()
    seconds = {"read": sequential(weights(folder), *span(weights(folder), "encoder.weight"))}
    reading = time.process_time() - begin
    count = facts["d_sae"] // BLOCK
    cpu = {}
    for kind in ("float32", "bfloat16"):
        wall, cpu[kind] = product(kind, n, facts["d_model"], threads)
        seconds[kind] = count * wall
    seconds["product"] = min(seconds["float32"], seconds["bfloat16"])
    seconds["cpu"] = reading + count * min(cpu.values())
    return seconds


def product(kind: str, n: int, d_model: int, threads: int) -> tuple[float, float]:
    """The seconds, and processor seconds, of the product of a block of encoder rows with all
    tokens.

    They are means over 2 s or more, in tiles or whole, whichever is faster; the threads share each
    product.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    x, rows = (rng.standard_normal((m, d_model), np.float32) for m in (n, BLOCK))
    if kind == "bfloat16":
        x, rows = (torch.from_numpy(array).bfloat16() for array in (x, rows))
    best = (np.inf, np.inf)
    with threadpool_limits(threads):
        for tile in {min(TILE, n), n}:
            begin, begin_cpu, rounds = time.perf_counter(), time.process_time(), 0
            while rounds < 2 or time.perf_counter() - begin < 2:
                for start in range(0, n, tile):
                    rows @ x[start : start + tile].T
                rounds += 1
            taken = time.perf_counter() - begin, time.process_time() - begin_cpu
            best = min(best, (taken[0] / rounds, taken[1] / rounds), key=lambda pair: pair[1])
    return best


def imported(folder: Path) -> dict[str, float]:
    """The seconds of the rule import_sae: identity, norms of the decoder, the two small files."""
    from saegrid.saes.reference import import_sae

    begin, begin_cpu = time.perf_counter(), time.process_time()
    sae = {"format": "llama_scope", "path": str(folder)}
    cell = CELL.format(folder.name)
    import_sae(sae, cell, folder / "reference.json", folder / "decoder_norms.safetensors")
    return {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - begin_cpu}


def cell(folder: Path, n: int, threads: int, memory: int) -> dict[str, Any]:
    """The time of the rule encode, without the start of its process."""
    from saegrid.codes.encode import encode
    from saegrid.codes.screen import choose, fast_bfloat16
    from saegrid.codes.sparse import write_features
    from saegrid.saes.reference import open_sae

    facts = json.loads((folder / "hyperparams.json").read_text(encoding="utf-8"))
    fast_bfloat16()  # imports torch where it is worth it, and imports are not timed
    x = activations(n, facts["d_model"], "bfloat16")
    lines: list[str] = []
    begin, begin_cpu = time.perf_counter(), time.process_time()
    encoder = open_sae(folder).encoder
    features = encode(
        x, np.arange(n), encoder, threads=threads, memory_mb=memory, tell=lines.append
    )
    write_features(folder / "features.safetensors", features)
    seconds = time.perf_counter() - begin
    more = {
        "screen": choose("auto", encoder, n),
        "stated": lines[0],
        "l0": len(features.data) / n,
    }
    return {"seconds": seconds, "cpu": time.process_time() - begin_cpu, **more}


def used() -> dict[str, float]:
    """The largest resident size of this process and the bytes it read, in GB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    io = Path("/proc/self/io").read_text(encoding="utf-8")
    return {
        "peak": int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e9,
        "rchar": int(re.search(r"rchar: (\d+)", io)[1]) / 1e9,
        "disk": int(re.search(r"read_bytes: (\d+)", io)[1]) / 1e9,
    }


def child(arguments: argparse.Namespace) -> None:
    """Run the case of this process and print its cost."""
    folder, n = Path(arguments.folder), arguments.tokens[0]
    result: dict[str, Any] = {}
    match arguments.case:
        case "limit":
            result = limit(folder, n, arguments.threads)
        case "cell":
            result = cell(folder, n, arguments.threads, arguments.memory_mb)
        case "import":
            result = imported(folder)
        case "decoder":
            begin, end = span(weights(folder), "decoder.weight")
            result = {"seconds": sequential(weights(folder), begin, end)}
    print(json.dumps(result | used()))


def measure(arguments: argparse.Namespace, case: str, folder: Path, n: int, cold: bool) -> Any:
    """The cost of a case in its own process, with a cold or a warm page cache."""
    (drop if cold else warm)(weights(folder))
    command = [sys.executable, __file__, "--case", case, "--folder", str(folder)]
    command += ["--tokens", str(n), "--threads", str(arguments.threads)]
    command += ["--memory-mb", str(arguments.memory_mb)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def run(arguments: argparse.Namespace, home: Path) -> None:
    """Write the checkpoints, measure, print a line for each measurement."""
    print(f"{arguments.threads} threads, mem_mb {arguments.memory_mb}, {os.cpu_count()} cores")
    for expansion in arguments.expansions:
        folder = home / expansion
        make(folder, expansion, arguments.d_model)
        for cold in (True, False):
            state = "cold" if cold else "warm"
            plain = measure(arguments, "decoder", folder, 1, cold)["seconds"]
            cost = measure(arguments, "import", folder, 1, cold)
            print(
                f"{expansion:3} import {state}: {cost['seconds']:.2f} s ({cost['cpu']:.2f} CPU), "
                f"peak {cost['peak']:.2f} GB, read {cost['rchar']:.2f} GB; a plain read of the "
                f"decoder {plain:.2f} s"
            )
        for n in arguments.tokens:
            for cold in (True, False):
                cells(arguments, folder, n, cold)


def cells(arguments: argparse.Namespace, folder: Path, n: int, cold: bool) -> None:
    """Measure a cell between two measurements of the limit, as other programs may share the
    machine."""
    ratios, lines = [], []
    for _ in range(arguments.repeat):
        one = measure(arguments, "limit", folder, n, cold)
        took = measure(arguments, "cell", folder, n, cold)
        other = measure(arguments, "limit", folder, n, cold)
        bare = {key: (one[key] + other[key]) / 2 for key in one}
        least = max(bare["read"], bare["product"])
        ratios.append(took["seconds"] / least)
        lines.append(
            f"{folder.name:3} {n:6} tokens {'cold' if cold else 'warm'}: {took['seconds']:7.2f} s "
            f"({60 / took['seconds']:.1f} cells a minute, {took['cpu']:.2f} CPU s, "
            f"{took['screen']}, L0 {took['l0']:.0f}), read {took['rchar']:.2f} GB, of it from disk "
            f"{took['disk']:.2f}, peak {took['peak']:.2f} GB; limit {least:.2f} s (read "
            f"{bare['read']:.2f}, float32 {bare['float32']:.2f}, bfloat16 {bare['bfloat16']:.2f}); "
            f"ratio {ratios[-1]:.2f} (of CPU seconds {took['cpu'] / bare['cpu']:.2f})"
        )
    print(lines[int(np.argsort(ratios)[len(ratios) // 2])], flush=True)


def main() -> None:
    """Read the arguments and run; a temporary folder is removed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where checkpoints are written, and kept")
    parser.add_argument("--expansions", nargs="+", default=list(D_SAE), choices=list(D_SAE))
    parser.add_argument("--tokens", nargs="+", type=int, default=[930, 20_930])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=4000)
    parser.add_argument("--d-model", type=int, default=D_MODEL)
    parser.add_argument("--repeat", type=int, default=3, help="the median is shown")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        child(arguments)
    elif arguments.folder:
        run(arguments, Path(arguments.folder))
    else:
        with tempfile.TemporaryDirectory() as name:
            run(arguments, Path(name))


if __name__ == "__main__":
    main()
