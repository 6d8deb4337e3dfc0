"""The speed of encoding on a GPU, as fractions of the card's own rates.

The card's rates are measured first: a copy of pinned memory to the device, and a bfloat16 product
in the shapes of an encoding. Then cells of true size (random weights in a temporary folder of
1.1 GB; pages in the cache) are encoded, with the tokens of 630 headlines (930 edited,
10,000 of their context) and of 10,000 (14,880 and 20,000). `copy` and `product` are the shares of
the time that the encoder's bytes at the card's copy rate, and its products at the card's rate,
would take alone: the larger of them is the limit's share.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu --d-model 512 --d-sae 8192 --tokens 300   # no GPU
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from encode import activations, write_checkpoint

from saegrid.codes.encode import encode
from saegrid.codes.sparse import Features
from saegrid.saes.formats.llama_scope import open_checkpoint

HEADLINES = {930 + 10_000: "630 headlines", 14_880 + 20_000: "10,000 headlines"}
BLOCK, TILE = 8192, 4096


def seconds(action: Callable[[], Any], device: str, repeat: int) -> float:
    """The median seconds of some runs after a first one, each until the device is done."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    taken = []
    for _ in range(repeat + 1):
        wait()
        begin = time.perf_counter()
        action()
        wait()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken[1:]))


def rates(device: str, d_model: int, d_sae: int, tokens: int, repeat: int) -> tuple[float, float]:
    """The bytes a second from pinned memory to the device, and bfloat16 operations a second."""
    block, tile = min(BLOCK, d_sae), min(TILE, tokens)
    host = torch.zeros((block, d_model), dtype=torch.bfloat16, pin_memory=device == "cuda")
    copy = torch.empty_like(host, device=device)
    x = torch.ones((tile, d_model), dtype=torch.bfloat16, device=device)
    copy.fill_(1)
    copying = seconds(lambda: copy.copy_(host, non_blocking=True), device, repeat)
    product = seconds(lambda: copy @ x.T, device, repeat)
    return host.nbytes / copying, 2 * block * d_model * tile / product


def same(one: Features, other: Features) -> bool:
    """Return True if all bytes are equal."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def report(arguments: argparse.Namespace, folder: Path, tokens: int) -> None:
    """Encode a cell several times and print a line."""
    encoder = open_checkpoint(folder, np.load(folder / "norms.npy")).encoder
    device, facts = arguments.device, (arguments.d_model, arguments.d_sae)
    copy, multiply = rates(device, *facts, tokens, arguments.repeat)
    x, token = activations(tokens, arguments.d_model, "bfloat16"), np.arange(tokens)
    lines: list[str] = []
    features: list[Features] = []

    options = {"device": device, "memory_mb": arguments.memory_mb, "tell": lines.append}

    def run() -> None:
        features[:] = [encode(x, token, encoder, **options)]

    took = seconds(run, device, arguments.repeat)
    moved, operations = 2 * encoder.d_sae * encoder.d_model, 2 * tokens * arguments.d_model
    shares = moved / copy / took, operations * encoder.d_sae / multiply / took
    print(
        f"{HEADLINES.get(tokens, 'tokens')}: {tokens} tokens, {took:.3f} s a cell "
        f"({60 / took:.0f} a minute, L0 {len(features[0].data) / tokens:.0f}); "
        f"copy {shares[0]:.0%} of {copy / 1e9:.1f} GB/s, "
        f"product {shares[1]:.0%} of {multiply / 1e12:.2f} TFLOP/s"
    )
    print(f"  {lines[0]}")
    if device == "cuda":
        print(f"  of the card at most {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")
    if arguments.check:
        print(f"  the processor's bytes: {same(features[0], encode(x, token, encoder))}")


def main() -> None:
    """Write a checkpoint, measure the card, and encode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--d-model", type=int, default=4096)
    parser.add_argument("--d-sae", type=int, default=131_072, help="a multiple of 2048")
    parser.add_argument("--tokens", type=int, nargs="+", default=list(HEADLINES))
    parser.add_argument("--memory-mb", type=int, default=8000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="encode on the processor, compare")
    arguments = parser.parse_args()
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else "torch on the processor"
    print(json.dumps({"device": name, "d_model": arguments.d_model, "d_sae": arguments.d_sae}))
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), arguments.d_model, arguments.d_sae, 50.0)
        for tokens in arguments.tokens:
            report(arguments, Path(folder), tokens)


if __name__ == "__main__":
    main()
