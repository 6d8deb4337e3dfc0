"""Speed of training, as a share of the bare products of the same shapes, beside its peers.

A step of an SAE comes to five products: two forward, three backward. Every side is run in a process
of its own (README.md of this folder says how its environment is made), on the same tokens, batch
and threads; in each, steps and bare products take turns, so that the share holds on a busy machine
too. TopK may exceed 1: of its five products one is dense.

- peers: ReLU + L1 and TopK, d_model 192 and 768, 8x and 32x. ReLU stands at its beginning, where
  about half of its features are active and all five products are dense, as they are on every side.
- captured: four widths on one stream that is captured for them, beside one after another where each
  has its own captured, as it is where every training runs the model (as the peers do): stories3M on
  TinyStories, batches and rates of the recipes, long enough for their L0 to come down. Target: 0.6
  of the time; on as many cores and in processor time too, since the stream is what they share.
- together: the same where the stream is there already. What is left to share are the cores: each
  SAE's products are its own, and they are nearly all of a step.

    python benchmarks/training.py peers --sae-lens ENVIRONMENT --dictionary-learning ENVIRONMENT
    python benchmarks/training.py captured
    python benchmarks/training.py together
"""

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from beside.running import python_of, run

from saegrid.base.words import Site
from saegrid.saes.training.loop import train_many
from saegrid.saes.training.state import Run
from saegrid.saes.training.stream import Stream, of_array
from saegrid.store.fill import fill
from saegrid.store.settings import settings_of
from saegrid.store.stream import StoreStream
from saegrid.text import tokenizer

DATA = Path(os.environ.get("SAEGRID_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
SITE = "L5R"
WIDTHS = (4, 8, 16, 32)


def tokens(n: int, d_model: int) -> np.ndarray:
    """Random activations with a few large directions."""
    rng = np.random.default_rng(0)
    spread = np.linspace(3, 0.3, d_model).astype(np.float32)
    return rng.standard_normal((n, d_model), np.float32) * spread + np.float32(0.3)


def peers(given: argparse.Namespace, folder: Path) -> None:
    """Print tokens a second of each side and shape."""
    sides = [("saegrid", Path(sys.executable), "saegrid_training")]
    if given.sae_lens:
        sides.append(("SAELens", python_of(given.sae_lens), "sae_lens_training"))
    if given.dictionary_learning:
        python = python_of(given.dictionary_learning)
        sides.append(("dictionary_learning", python, "dictionary_learning"))
    for d_model in given.d_model:
        path = folder / f"{d_model}.npy"
        np.save(path, tokens(given.batch * 32, d_model))
        for expansion in given.expansions:
            for recipe in given.recipes:
                for name, python, side in sides:
                    case = {"d_model": d_model, "d_sae": expansion * d_model, "recipe": recipe}
                    case |= {"k": 32, "batch": given.batch, "x": path, "rounds": given.rounds}
                    steps = max(1, round(given.work / (d_model**2 * expansion * given.batch)))
                    told = run(python, side, "speed", given.threads, **case, steps=steps)
                    print(
                        f"{recipe:8s} d_model {d_model} {expansion:3d}x  {name:20s}"
                        f"{told['tokens_per_second']:9,.0f} tokens/s  share {told['share']:.2f}  "
                        f"{told['peak_gb']:.1f} GB  load {told['load']:.1f}",
                        flush=True,
                    )


def together(given: argparse.Namespace, folder: Path) -> None:
    """Print the time of four widths together, of one after another on one core and on all."""
    for d_model in given.d_model:
        stream = of_array(tokens(20_000, d_model), 0.1, 0)
        told = f"d_model {d_model}, stream at hand"
        compare(given, told, lambda runs, *how, stream=stream: trained(stream, runs, *how))


def captured(given: argparse.Namespace, folder: Path) -> None:
    """Print the same where the model is run for the stream: once together, else for each."""
    # 1% is held out; each token is learned from once.
    settings = settings_of({"max_tokens": round(given.steps * given.batch * 1.03)})
    path = DATA / "corpus-tinystories-sample/tinystories_sample.txt"
    source = {"kind": "text", "files": {"all": str(path)}, "separator": "<|endoftext|>"}
    model = {"path": str(DATA / "stories3M-hf")}
    encoder = tokenizer.load(DATA / "stories3M-hf")

    def whole(runs: list[Run], threads: int, workers: int) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            torch.set_num_threads(threads * workers)
            fill(name, model, encoder, source, settings, [SITE], say=lambda line: None)
            trained(StoreStream(name, SITE, hold_out=0.01), runs, threads, workers)

    compare(given, f"{model['path'].split('/')[-1]} {SITE}, stream captured", whole)


def compare(given: argparse.Namespace, told: str, train: Callable[..., None]) -> None:
    """Print the ratios; `train` takes runs, the threads of each and how many go at a time."""
    for recipe in given.recipes:
        settings = {"batch": given.batch, "steps": given.steps}
        runs = [Run(recipe, settings, expansion) for expansion in WIDTHS]
        ratios: dict[str, list[float]] = {"one core": [], "as many cores": [], "CPU time": []}
        for _ in range(given.rounds):
            many, many_cpu = timed(train, [runs], given.threads, given.cores)
            alone, alone_cpu = timed(train, [[one] for one in runs], given.threads, 1)
            spread, _ = timed(train, [[one] for one in runs], given.cores, 1)
            found = many / alone, many / spread, many_cpu / alone_cpu
            for name, ratio in zip(ratios, found, strict=True):
                ratios[name].append(ratio)
        widths = ", ".join(f"{width}x" for width in WIDTHS)
        shown = ", ".join(f"{n} {statistics.median(r):.2f}" for n, r in ratios.items())
        print(
            f"{recipe:8s} {told}; {widths}: together on {given.cores} cores, of one after another "
            f"on {shown}; {alone:.1f} s on one core",
            flush=True,
        )


def trained(stream: Stream, runs: list[Run], threads: int, workers: int) -> None:
    """Train, and leave out what is told of it."""
    with contextlib.redirect_stdout(io.StringIO()):
        train_many(stream, runs, site=Site(0, "R"), threads=threads, workers=workers)


def timed(
    train: Callable[..., None], groups: list[list[Run]], threads: int, workers: int
) -> tuple[float, float]:
    """Seconds, and processor seconds, of training groups one after another."""
    began, used = time.perf_counter(), time.process_time()
    for runs in groups:
        train(runs, threads, workers)
    return time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["peers", "together", "captured"])
    parser.add_argument("--sae-lens", help="its environment")
    parser.add_argument("--dictionary-learning", help="its environment")
    parser.add_argument("--d-model", type=int, nargs="+", default=[192, 768])
    parser.add_argument("--expansions", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--recipes", nargs="+", default=["relu_l1", "topk"])
    parser.add_argument("--batch", type=int, help="tokens a step: 2048 for peers, else 512")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2, help="SAEs that are trained at a time")
    parser.add_argument("--rounds", type=int, help="5 for peers, else 2")
    parser.add_argument("--steps", type=int, help="of each width: 400 captured, else 100")
    parser.add_argument("--work", type=float, default=6e9, help="of a round; peers")
    given = parser.parse_args()
    usual = {"peers": (2048, 5, 0), "together": (512, 2, 100), "captured": (512, 2, 400)}
    batch, rounds, steps = usual[given.what]
    given.batch, given.rounds = given.batch or batch, given.rounds or rounds
    given.steps = given.steps or steps
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"peers": peers, "together": together, "captured": captured}
        kinds[given.what](given, Path(folder))


if __name__ == "__main__":
    main()
