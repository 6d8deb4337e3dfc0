"""The time of a Llama Scope cell of true size from opening its file to its top tokens.

Random weights (131,072 x 4,096 bfloat16, decoder norms away from one, a threshold for about 50
active features a token) are written to a temporary folder of about 1.1 GB; the decoder, which an
encoding never reads, is a hole in the file. Then, each in a process of its own, with the page cache
warm and without the time of imports:

- bare: the encoder read once in blocks, and torch's bfloat16 product of each block; no gate;
- a cell: open the checkpoint, encode with this project, densities, top tokens.

    python benchmarks/encode.py                      # the full size
    python benchmarks/encode.py --d-sae 16384        # a quicker look
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.words import SIDES
from saegrid.codes.screen import fast_bfloat16, narrow

BLOCK = 2048
NORM = 10.8125
"""Average activation norm of L15R."""


def write_checkpoint(
    folder: Path, d_model: int, d_sae: int, l0: float, decoder: bool = False
) -> None:
    """Write a checkpoint in the Llama Scope layout, and its decoder's norms.

    Without `decoder`, the decoder is a hole in the file. With it, the norms of its columns are the
    written ones within a few per cent.
    """
    rng = np.random.default_rng(0)
    shapes = {
        "encoder.weight": (d_sae, d_model),
        "encoder.bias": (d_sae,),
        "decoder.bias": (d_model,),
        "decoder.weight": (d_model, d_sae),
    }
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    norms = np.exp(rng.normal(0.4, 0.3, d_sae)).astype(np.float32)
    sample = np.random.default_rng(1).standard_normal((64, d_model)).astype(np.float32)
    sample *= NORM / np.sqrt(d_model)
    largest: list[np.ndarray] = []
    (folder / "checkpoints").mkdir(parents=True)
    with (folder / "checkpoints/final.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for start in range(0, d_sae, BLOCK):
            rows = rng.standard_normal((min(BLOCK, d_sae - start), d_model), dtype=np.float32)
            rows /= np.sqrt(d_model)
            file.write(narrow(rows).tobytes())
            if start % (4 * BLOCK) == 0:
                largest.append((rows @ sample.T * norms[start : start + BLOCK, None]).ravel())
        file.write(narrow(rng.normal(0, 0.01, d_sae)).tobytes())
        if decoder:
            file.write(narrow(rng.normal(0, 0.01, d_model)).tobytes())
            for _ in range(0, d_model, 64):
                rows = rng.standard_normal((64, d_sae), dtype=np.float32)
                file.write(narrow(rows * (norms / np.sqrt(d_model))).tobytes())
        file.truncate(8 + len(text) + at)
    threshold = float(np.quantile(np.concatenate(largest), 1 - l0 / d_sae))
    np.save(folder / "norms.npy", norms)
    facts = {
        "hook_point_in": "blocks.15.hook_resid_post",
        "hook_point_out": "blocks.15.hook_resid_post",
        "act_fn": "jumprelu",
        "norm_activation": "dataset-wise",
        "use_glu_encoder": False,
        "apply_decoder_bias_to_pre_encoder": False,
        "sparsity_include_decoder_norm": True,
        "use_decoder_bias": True,
        "d_model": d_model,
        "d_sae": d_sae,
        "dtype": "torch.bfloat16",
        "jump_relu_threshold": threshold,
        "dataset_average_activation_norm": {"in": NORM, "out": NORM},
    }
    (folder / "hyperparams.json").write_text(json.dumps(facts), encoding="utf-8")


def make_tokens(n: int) -> tuple[pa.Table, np.ndarray]:
    """A table of rows of BOS and 15 tokens with n tokens in edits, and the indices of those."""
    rows = -(-n // 2)
    position = np.tile(np.arange(16, dtype=np.int32), rows)
    row = np.repeat(np.arange(rows, dtype=np.int32), 16)
    in_edit = np.isin(position, [5, 6])
    in_edit[np.flatnonzero(in_edit)[n:]] = False
    sides = pa.DictionaryArray.from_arrays(np.zeros(len(row), np.int8), list(SIDES))
    text = ["<bos>" if at == 0 else f" w{at}" for at in position.tolist()]
    columns = {"row": row, "position": position, "token_id": position, "text": text}
    columns |= {"side": sides, "group": row, "item": row, "special": position == 0}
    return pa.table({**columns, "in_edit": in_edit}), np.flatnonzero(in_edit)


def activations(n: int, d_model: int, dtype: str) -> np.ndarray:
    """Random activations of about the norm `NORM`; bfloat16 as bits."""
    rng = np.random.default_rng(2)
    x = np.empty((n, d_model), np.uint16 if dtype == "bfloat16" else np.float32)
    for start in range(0, n, BLOCK):  # what is made on the way must not count as a cell's memory
        part = rng.standard_normal((len(x[start : start + BLOCK]), d_model)).astype(np.float32)
        part *= NORM / np.sqrt(d_model)
        x[start : start + BLOCK] = narrow(part) if dtype == "bfloat16" else part
    return x


def bare(folder: Path, n: int, dtype: str, threads: int) -> dict[str, Any]:
    """The time of one read of the encoder with the product of every block."""
    import torch

    torch.set_num_threads(threads)
    facts = json.loads((folder / "hyperparams.json").read_text(encoding="utf-8"))
    d_model, d_sae = facts["d_model"], facts["d_sae"]
    x = activations(n, d_model, "bfloat16")
    held = torch.from_numpy(x).view(torch.bfloat16)
    buffer = np.empty((BLOCK, d_model), np.uint16)
    rows = torch.from_numpy(buffer).view(torch.bfloat16)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    reading = 0.0
    with (folder / "checkpoints/final.safetensors").open("rb", buffering=0) as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        for _ in range(d_sae // BLOCK):
            before = time.perf_counter()
            file.readinto(memoryview(buffer).cast("B"))
            reading += time.perf_counter() - before
            rows @ held.T
    seconds, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    parts = {"read": reading, "product": seconds - reading}
    return {"seconds": seconds, "cpu": cpu, "parts": parts}


def cell(folder: Path, n: int, dtype: str, threads: int, screen: str) -> dict[str, Any]:
    """The time from opening the checkpoint to the top tokens."""
    from saegrid.codes.encode import encode
    from saegrid.codes.screen import choose
    from saegrid.features.density import density
    from saegrid.features.examples import top_tokens
    from saegrid.saes.formats.llama_scope import open_checkpoint

    if screen == "bfloat16":
        import torch  # noqa: F401  (imports are not timed)
    norms = np.load(folder / "norms.npy")
    tokens, captured = make_tokens(n)
    kept = np.ones(tokens.num_rows, dtype=bool)
    facts = json.loads((folder / "hyperparams.json").read_text(encoding="utf-8"))
    x = activations(n, facts["d_model"], dtype)
    begin_cpu, times = time.process_time(), [time.perf_counter()]
    encoder = open_checkpoint(folder, norms).encoder
    times.append(time.perf_counter())
    features = encode(x, captured, encoder, screen=screen, threads=threads)
    times.append(time.perf_counter())
    table = density(features, tokens, kept)
    times.append(time.perf_counter())
    top_tokens(features, table, tokens, kept)
    times.append(time.perf_counter())
    names = ("open", "encode", "density", "top_tokens")
    return {
        "seconds": times[-1] - times[0],
        "cpu": time.process_time() - begin_cpu,
        "parts": dict(zip(names, np.diff(times).tolist(), strict=True)),
        "l0": len(features.data) / n,
        "screen": choose(screen, encoder, n),
    }


def measure(folder: Path, arguments: argparse.Namespace, case: dict[str, str]) -> dict[str, Any]:
    """The cost of a case in its own process; peak_gb is its largest resident size."""
    command = [sys.executable, __file__, "--tokens", str(arguments.tokens)]
    command += ["--threads", str(arguments.threads), "--folder", str(folder)]
    done = subprocess.run([*command, "--case", json.dumps(case)], check=True, capture_output=True)
    return json.loads(done.stdout)


def child(arguments: argparse.Namespace) -> None:
    """Run the case of this process and print its cost."""
    case, folder = json.loads(arguments.case), Path(arguments.folder)
    if case["what"] == "bare":
        result = bare(folder, arguments.tokens, case["x"], arguments.threads)
    else:
        result = cell(folder, arguments.tokens, case["x"], arguments.threads, case["screen"])
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps(result))


def main() -> None:
    """Write the checkpoint, run the cases in turn, and print a table of the best of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--d-model", type=int, default=4096)
    parser.add_argument("--d-sae", type=int, default=131_072, help=f"a multiple of {BLOCK}")
    parser.add_argument("--tokens", type=int, default=930)
    parser.add_argument("--l0", type=float, default=50.0)
    parser.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--screens", nargs="+", default=["auto", "float32", "bfloat16"])
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        child(arguments)
        return
    cases = [{"what": "bare", "x": "bfloat16", "screen": "-"}]
    cases += [
        {"what": "cell", "x": dtype, "screen": screen}
        for screen in arguments.screens
        for dtype in ("float32", "bfloat16")
    ]
    runs: list[list[dict[str, Any]]] = [[] for _ in cases]
    with tempfile.TemporaryDirectory() as name:
        write_checkpoint(Path(name), arguments.d_model, arguments.d_sae, arguments.l0)
        for _ in range(arguments.repeat):
            for case, results in zip(cases, runs, strict=True):
                results.append(measure(Path(name), arguments, case))
    report(arguments, cases, [min(r, key=lambda result: result["seconds"]) for r in runs])


def report(
    arguments: argparse.Namespace, cases: list[dict[str, str]], best: list[dict[str, Any]]
) -> None:
    """Print the table; ratios are to the bare product of the same run.

    Where other programs share the processor, the ratio of processor seconds is the one to trust.
    """
    fast = "has" if fast_bfloat16() else "has no"
    print(
        f"{arguments.d_sae} x {arguments.d_model}, {arguments.tokens} tokens, {arguments.threads} "
        f"threads, best of {arguments.repeat}; the processor {fast} matrix units for bfloat16"
    )
    print(
        f"{'what':5} {'x':9} {'screen':19} {'seconds':>8} {'ratio':>6} {'cpu s':>6} {'ratio':>6} "
        f"{'GB':>5} {'L0':>5}  parts"
    )
    for case, result in zip(cases, best, strict=True):
        screen = case["screen"]
        if screen == "auto":
            screen = f"auto ({result['screen']})"
        ratio, ratio_cpu = (result[name] / best[0][name] for name in ("seconds", "cpu"))
        parts = ", ".join(f"{name} {value:.2f}" for name, value in result["parts"].items())
        print(
            f"{case['what']:5} {case['x']:9} {screen:19} {result['seconds']:8.2f} {ratio:6.2f} "
            f"{result['cpu']:6.2f} {ratio_cpu:6.2f} {result['peak_gb']:5.2f} "
            f"{result.get('l0', 0):5.1f}  {parts}"
        )


if __name__ == "__main__":
    main()
