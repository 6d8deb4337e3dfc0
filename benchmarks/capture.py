"""The cost of a capture beside the forward pass that it needs.

    python benchmarks/capture.py [--rows 128] [--repeats 5] [--model stories3M|wide|all]

The capture covers A, M and R of every layer and every token but the first of each row, with files
written. It is compared with the same tiles run without hooks plus one bare write of as many bytes.
Both take turns in one run; the table gives medians of wall time, and the ratio in CPU time too,
which a busy machine disturbs less. Rows have the lengths of headlines (8 to 32 tokens).
Target: a ratio of at most 1.15.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers

from saegrid.base.words import Site
from saegrid.capture.whole import capture_sites
from saegrid.models import family_of
from saegrid.models.load import Loaded, load
from saegrid.models.tiles import Rows, make_tiles

DATA = Path(os.environ.get("SAEGRID_DATA", Path(__file__).resolve().parents[2] / "shared/data"))


def stories() -> Loaded:
    """A small trained model, 6 layers of 192 channels, float32."""
    return load({"path": str(DATA / "stories3M-hf")})


def wide() -> Loaded:
    """Two random layers of Llama-3.1-8B's widths, bfloat16."""
    config = transformers.LlamaConfig(
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=2,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=2048,
    )
    torch.set_default_dtype(torch.bfloat16)
    model = transformers.LlamaForCausalLM._from_config(config, attn_implementation="sdpa")
    torch.set_default_dtype(torch.float32)
    facts = config.to_dict()
    family = family_of(facts)
    return Loaded(model.eval().requires_grad_(False), family, family.sizes(facts), "wide")


MODELS = {"stories3M": stories, "wide": wide}


def headlines(n: int, vocab: int) -> Rows:
    """Rows of random tokens with the lengths of headlines."""
    generator = np.random.default_rng(0)
    lengths = np.clip(generator.normal(17, 4.5, n).round().astype(int), 8, 32)
    ids = generator.integers(3, vocab, lengths.sum())
    return Rows(ids, np.concatenate([[0], np.cumsum(lengths)]))


def timed(call) -> np.ndarray:
    """The wall seconds and CPU seconds of a call."""
    start = np.array([time.perf_counter(), time.process_time()])
    call()
    return np.array([time.perf_counter(), time.process_time()]) - start


def measure(model: Loaded, n_rows: int, repeats: int) -> dict[str, float]:
    """The medians of seconds, and the ratio."""
    rows = headlines(n_rows, model.sizes.d_vocab)
    wanted = np.setdiff1d(np.arange(len(rows.ids)), rows.starts)
    sites = [Site(layer, p) for layer in range(model.sizes.n_layers) for p in "AMR"]
    size = len(wanted) * model.sizes.d_model * model.dtype.itemsize
    block = np.ones(size, np.uint8)

    def forward() -> None:
        with torch.inference_mode():
            for tile in make_tiles(rows, wanted, model.sizes.context, model.device.type):
                model.hidden(torch.from_numpy(tile.ids).to(model.device))
            if model.device.type == "cuda":
                torch.cuda.synchronize()

    times: dict[str, list[np.ndarray]] = {"forward": [], "write": [], "capture": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats + 1):
            spot = Path(folder) / str(number)
            spot.mkdir()

            def write(spot: Path = spot) -> None:
                for site in sites:
                    block.tofile(spot / f"{site}.bin")

            def capture(spot: Path = spot) -> None:
                capture_sites(model, rows, wanted, sites, spot, say=lambda line: None)

            for name, call in (("forward", forward), ("write", write), ("capture", capture)):
                seconds = timed(call)
                if number:  # the first turn warms up
                    times[name].append(seconds)
                # Each begins with as much used memory: fresh pages cost more than the write.
                for path in spot.iterdir():
                    path.unlink()
    forward_s, write_s, capture_s = (np.array(times[name]) for name in times)
    ratio, cpu_ratio = np.median(capture_s / (forward_s + write_s), axis=0)
    medians = {name: float(np.median(times[name], axis=0)[0]) for name in times}
    return {
        "tokens": len(rows.ids),
        "sites": len(sites),
        "MB": size * len(sites) / 1e6,
        **medians,
        "tokens/s": len(rows.ids) / medians["capture"],
        "ratio": ratio,
        "cpu": cpu_ratio,
    }


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", choices=[*MODELS, "all"], default="all")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = list(MODELS) if arguments.model == "all" else [arguments.model]
    print(
        f"{'model':<10} {'tokens':>7} {'sites':>5} {'MB':>7} {'forward s':>9} {'write s':>8} "
        f"{'capture s':>9} {'tokens/s':>9} {'ratio':>6} {'CPU':>5}"
    )
    for name in names:
        m = measure(MODELS[name](), arguments.rows, arguments.repeats)
        print(
            f"{name:<10} {m['tokens']:>7,} {m['sites']:>5} {m['MB']:>7.1f} {m['forward']:>9.3f} "
            f"{m['write']:>8.3f} {m['capture']:>9.3f} {m['tokens/s']:>9,.0f} {m['ratio']:>6.2f} "
            f"{m['cpu']:>5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
