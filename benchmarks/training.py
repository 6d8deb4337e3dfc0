"""The speed of training, as a share of the bare products of the same shapes, beside its peers.

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


def peers(arguments: argparse.Namespace, folder: Path) -> None:
    """Print the tokens a second of each side and shape."""
    sides = [("saegrid", Path(sys.executable), "saegrid_training")]
    if arguments.sae_lens:
        sides.append(("SAELens", python_of(arguments.sae_lens), "sae_lens_training"))
    if arguments.dictionary_learning:
        python = python_of(arguments.dictionary_learning)
        sides.append(("dictionary_learning", python, "dictionary_learning"))
    for d_model in arguments.d_model:
        path = folder / f"{d_model}.npy"
        np.save(path, tokens(arguments.batch * 32, d_model))
        for expansion in arguments.expansions:
            for recipe in arguments.recipes:
                for name, python, side in sides:
                    case = {"d_model": d_model, "d_sae": expansion * d_model, "recipe": recipe}
                    case |= {
                        "k": 32,
                        "batch": arguments.batch,
                        "x": path,
                        "rounds": arguments.rounds,
                    }
                    steps = max(
                        1, round(arguments.work / (d_model**2 * expansion * arguments.batch))
                    )
                    result = run(python, side, "speed", arguments.threads, **case, steps=steps)
                    print(
                        f"{recipe:8s} d_model {d_model} {expansion:3d}x  {name:20s}"
                        f"{result['tokens_per_second']:9,.0f} tokens/s  "
                        f"share {result['share']:.2f}  {result['peak_gb']:.1f} GB  "
                        f"load {result['load']:.1f}",
                        flush=True,
                    )


def together(arguments: argparse.Namespace, folder: Path) -> None:
    """Print the time of four widths together over that of one after another, on one core and on
    all."""
    for d_model in arguments.d_model:
        stream = of_array(tokens(20_000, d_model), 0.1, 0)
        title = f"d_model {d_model}, stream at hand"
        compare(arguments, title, lambda runs, *how, stream=stream: trained(stream, runs, *how))


def captured(arguments: argparse.Namespace, folder: Path) -> None:
    """Print the same where the model runs for the stream: once together, else once for each."""
    # 1% is held out; each token is learned from once.
    settings = settings_of({"max_tokens": round(arguments.steps * arguments.batch * 1.03)})
    path = DATA / "corpus-tinystories-sample/tinystories_sample.txt"
    source = {"kind": "text", "files": {"all": str(path)}, "separator": "<|endoftext|>"}
    model = {"path": str(DATA / "stories3M-hf")}
    encoder = tokenizer.load(DATA / "stories3M-hf")

    def whole(runs: list[Run], threads: int, workers: int) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            torch.set_num_threads(threads * workers)
            fill(name, model, encoder, source, settings, [SITE], say=lambda line: None)
            trained(StoreStream(name, SITE, hold_out=0.01), runs, threads, workers)

    compare(arguments, f"{model['path'].split('/')[-1]} {SITE}, stream captured", whole)


def compare(arguments: argparse.Namespace, title: str, train: Callable[..., None]) -> None:
    """Print the ratios; `train` takes runs, the threads of each, and the number of runs at a
    time."""
    for recipe in arguments.recipes:
        settings = {"batch": arguments.batch, "steps": arguments.steps}
        runs = [Run(recipe, settings, expansion) for expansion in WIDTHS]
        ratios: dict[str, list[float]] = {"one core": [], "as many cores": [], "CPU time": []}
        for _ in range(arguments.rounds):
            many, many_cpu = timed(train, [runs], arguments.threads, arguments.cores)
            alone, alone_cpu = timed(train, [[one] for one in runs], arguments.threads, 1)
            spread, _ = timed(train, [[one] for one in runs], arguments.cores, 1)
            measured = many / alone, many / spread, many_cpu / alone_cpu
            for name, ratio in zip(ratios, measured, strict=True):
                ratios[name].append(ratio)
        widths = ", ".join(f"{width}x" for width in WIDTHS)
        shown = ", ".join(f"{n} {statistics.median(r):.2f}" for n, r in ratios.items())
        print(
            f"{recipe:8s} {title}; {widths}: together on {arguments.cores} cores, of one after "
            f"another on {shown}; {alone:.1f} s on one core",
            flush=True,
        )


def trained(stream: Stream, runs: list[Run], threads: int, workers: int) -> None:
    """Train without output."""
    with contextlib.redirect_stdout(io.StringIO()):
        train_many(stream, runs, site=Site(0, "R"), threads=threads, workers=workers)


def timed(
    train: Callable[..., None], groups: list[list[Run]], threads: int, workers: int
) -> tuple[float, float]:
    """The seconds, and processor seconds, of training groups one after another."""
    began, used = time.perf_counter(), time.process_time()
    for runs in groups:
        train(runs, threads, workers)
    return time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Run the benchmark that is asked for."""
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
    arguments = parser.parse_args()
    usual = {"peers": (2048, 5, 0), "together": (512, 2, 100), "captured": (512, 2, 400)}
    batch, rounds, steps = usual[arguments.what]
    arguments.batch, arguments.rounds = arguments.batch or batch, arguments.rounds or rounds
    arguments.steps = arguments.steps or steps
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"peers": peers, "together": together, "captured": captured}
        kinds[arguments.what](arguments, Path(folder))


if __name__ == "__main__":
    main()
