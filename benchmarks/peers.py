"""A comparison with the peers SAELens and SAEDashboard: time, memory, and agreement of outputs.

Each peer needs versions that the others refuse, so each has its own environment (see README.md of
this folder). Both comparisons run every side in processes of its own, with
the same numbers in, the same number of threads, files warm and imports not timed, turn by turn; of
`--repeat` runs the fastest counts.

Results do not depend on our screen; where other programs race, `auto` may choose the slower one, so
bfloat16 stands beside it.

- cell: a Llama Scope 32x cell of true size with random weights, from opening the file to densities
  and top tokens, beside SAELens doing load, encode, density and topk. Target: a fifth of its time.
- grid: two sites of a small model over some hundred texts, all features, a page a site written,
  beside SAEDashboard (the same) and SAELens (no page: it has none). The model is loaded before the
  clock starts, on all sides. Target: a hundred times faster than SAEDashboard, on a model with the
  vocabulary of a real one (`--model`, `--texts`): with a toy's it has less to do for a feature.

    python benchmarks/peers.py cell --sae-lens ENVIRONMENT
    python benchmarks/peers.py grid --sae-lens ENVIRONMENT --sae-dashboard ENVIRONMENT
    python benchmarks/peers.py cell --sae-lens ENVIRONMENT --d-sae 16384      # a quicker look
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from beside import agreement
from encode import BLOCK, activations, make_tokens, write_checkpoint

from saegrid.base import io
from saegrid.base.words import Site
from saegrid.codes.screen import narrow
from saegrid.saes.formats.llama_scope import names
from saegrid.text import tokenizer

HERE = Path(__file__).resolve().parent
SITE, EXPANSION = Site(15, "R"), 32
REVISION = "0" * 40
"""Commit under which the checkpoint lies in the hub's cache; SAELens finds it there, offline."""


class Sides:
    """The sides of a comparison, each with the Python that runs it."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.threads, self.folder = arguments.threads, folder
        self.python = {"saegrid": Path(sys.executable)}
        for side in ("sae_lens", "sae_dashboard"):
            if environment := getattr(arguments, side, None):
                self.python[side] = Path(environment).absolute() / "bin/python"

    def run(self, side: str, job: str, **case: Any) -> dict[str, Any]:
        """The result of a job of a side, run in its own process."""
        words = json.dumps({"job": job, "threads": self.threads, **case}, default=str)
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(self.folder / "hub")}
        threads = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        done = subprocess.run(
            [self.python[side], HERE / f"beside/{side}_side.py", words],
            env={**os.environ, **quiet, **threads},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{side}, {job}:\n{done.stderr[-4000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def fill_decoder(checkpoint: Path, d_model: int, d_sae: int, wished: np.ndarray) -> None:
    """Write random decoder columns of about the wished norms into the hole of a checkpoint."""
    path, rng = checkpoint / "checkpoints/final.safetensors", np.random.default_rng(3)
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        start = json.loads(file.read(length))["decoder.weight"]["data_offsets"][0]
        file.seek(8 + length + start)
        for _ in range(d_model):
            row = rng.standard_normal(d_sae, dtype=np.float32)
            file.write(narrow(row * wished / np.float32(np.sqrt(d_model))).tobytes())


def make_cell(arguments: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The files of the cell: checkpoint (in a cache of the hub), tokens, activations."""
    repository, name = names(SITE, EXPANSION)
    cache = folder / "hub" / f"models--{repository.replace('/', '--')}"
    checkpoint = cache / "snapshots" / REVISION / name
    write_checkpoint(checkpoint, arguments.d_model, arguments.d_sae, arguments.l0)
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text(REVISION)
    fill_decoder(checkpoint, arguments.d_model, arguments.d_sae, np.load(checkpoint / "norms.npy"))
    tokens, captured = make_tokens(arguments.tokens)
    files = {key: folder / f"{key}.npy" for key in ("x", "captured", "norms")}
    io.write_table(folder / "tokens.parquet", tokens)
    np.save(files["captured"], captured)
    np.save(files["x"], activations(arguments.tokens, arguments.d_model, "bfloat16"))
    return {**files, "tokens": folder / "tokens.parquet", "checkpoint": checkpoint}


def cell(arguments: argparse.Namespace, folder: Path) -> None:
    """Compare the cell of true size."""
    sides, files = Sides(arguments, folder), make_cell(arguments, folder)
    facts = json.loads((files["checkpoint"] / "hyperparams.json").read_text(encoding="utf-8"))
    walk = sides.run("saegrid", "norms", **files)
    lens = {"x": files["x"], "release": "llama_scope_lxr_32x", "id": "l15r_32x"}
    lens["threshold"] = facts["jump_relu_threshold"]
    out = {name: folder / f"{name}.npz" for name in ("saegrid", "default", "bfloat16", "cured")}
    cases = {
        "saegrid": ("saegrid", {**files, "screen": "auto", "out": out["saegrid"]}),
        "saegrid, bfloat16": (
            "saegrid",
            {**files, "screen": "bfloat16", "out": out["saegrid"]},
        ),
        "SAELens": ("sae_lens", {**lens, "dtype": "float32", "cure": False, "out": out["default"]}),
        "SAELens, bfloat16": (
            "sae_lens",
            {**lens, "dtype": "bfloat16", "cure": False, "out": out["bfloat16"]},
        ),
        "SAELens, gate mended": (
            "sae_lens",
            {**lens, "dtype": "float32", "cure": True, "out": out["cured"]},
        ),
    }
    best = repeat(sides, "cell", cases, arguments.repeat)
    print(f"{arguments.d_sae} x {arguments.d_model}, {arguments.tokens} tokens")
    report(best, "saegrid", arguments)
    print(f"once a checkpoint, beside this: the norms of its decoder, {walk['seconds']:.2f} s")
    agreement.cells(out)


def grid(arguments: argparse.Namespace, folder: Path) -> None:
    """Compare the small grid."""
    sides = Sides(arguments, folder)
    shared = {"folder": folder, "model": arguments.model.absolute(), "sites": arguments.sites}
    keys = ("rows", "expansion", "k", "steps")
    facts = sides.run("saegrid", "prepare", texts=arguments.texts, **shared,
                     **{key: getattr(arguments, key) for key in keys})  # fmt: skip
    print(f"{facts['rows']} texts, {facts['tokens']} tokens, {facts['positions']} with padding; "
          f"sites {', '.join(arguments.sites)}")  # fmt: skip
    cases = {"saegrid": ("saegrid", {})}
    if "sae_lens" in sides.python:
        cases["SAELens, no page"] = ("sae_lens", {})
    if "sae_dashboard" in sides.python:
        for layout in arguments.layouts:
            case = {"layout": layout, "features": None, "options": {}}
            cases[f"SAEDashboard, {layout}"] = ("sae_dashboard", case)
    cases = {
        name: (side, {**shared, **case, "out": folder / f"out-{number}"})
        for number, (name, (side, case)) in enumerate(cases.items())
    }
    for _, case in cases.values():
        case["out"].mkdir()
    best = repeat(sides, "grid", cases, arguments.repeat)
    report(best, "saegrid", arguments)
    ids, model = np.load(folder / "ids.npy"), tokenizer.load(arguments.model)
    words, special = tokenizer.strings(model), np.isin(ids, model.special_ids)
    out = {name: case["out"] for name, (_, case) in cases.items()}
    agreement.grids(out, arguments.sites, special, words)


def repeat(
    sides: Sides, job: str, cases: dict[str, tuple[str, dict[str, Any]]], times: int
) -> dict[str, dict[str, Any]]:
    """Run the cases in turn, and return the fastest run of each."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in cases}
    for number in range(times):
        for name, (side, case) in cases.items():
            runs[name].append(sides.run(side, job, **case))
            result = runs[name][-1]
            seconds = (
                f"{result['seconds']:.2f} s, {result['cpu']:.2f} CPU s, load {result['load']:.1f}"
            )
            print(f"# run {number + 1}: {name}: {seconds}", flush=True)
    return {
        name: min(results, key=lambda result: result["seconds"]) for name, results in runs.items()
    }


def report(best: dict[str, dict[str, Any]], ours: str, arguments: argparse.Namespace) -> None:
    """Print the table; a ratio is the time of a side over ours.

    Where other programs share the processor, the ratio of processor seconds is the one to trust.
    """
    print(f"{arguments.threads} threads, best of {arguments.repeat}")
    print(f"{'what':24} {'seconds':>8} {'ratio':>7} {'cpu s':>8} {'ratio':>7} {'GB':>5}  parts")
    for name, result in best.items():
        wall, cpu = (result[key] / best[ours][key] for key in ("seconds", "cpu"))
        parts = ", ".join(f"{part} {value:.2f}" for part, value in result["parts"].items())
        more = "".join(f"; {key} {result[key]:.1f}" for key in ("l0", "page_mb") if key in result)
        print(
            f"{name:24} {result['seconds']:8.2f} {wall:7.1f} {result['cpu']:8.2f} {cpu:7.1f} "
            f"{result['peak_gb']:5.2f}  {parts}{more}"
        )


def main() -> None:
    """Parse the command line and run one comparison in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_subparsers(dest="which", required=True)
    for name in ("cell", "grid"):
        part = which.add_parser(name)
        part.add_argument("--sae-lens", help="its environment", required=name == "cell")
        part.add_argument("--threads", type=int, default={"cell": 2, "grid": 1}[name])
        part.add_argument("--repeat", type=int, default=3)
    part = which.choices["cell"]
    part.add_argument("--d-model", type=int, default=4096)
    part.add_argument("--d-sae", type=int, default=131_072, help=f"a multiple of {BLOCK}")
    part.add_argument("--tokens", type=int, default=930)
    part.add_argument("--l0", type=float, default=50.0)
    part = which.choices["grid"]
    part.add_argument("--sae-dashboard", help="its environment")
    part.add_argument("--layouts", nargs="+", default=["default", "rows"])
    part.add_argument("--model", type=Path, default=HERE.parent / "resources/toy/model")
    part.add_argument("--texts", type=Path, default=HERE.parent / "resources/toy/headlines.csv")
    part.add_argument("--sites", nargs="+", default=["L15A", "L15R"])
    part.add_argument("--rows", type=int, default=640)
    part.add_argument("--expansion", type=int, default=8)
    part.add_argument("--k", type=int, default=12, help="mean active features a token")
    part.add_argument("--steps", type=int, default=300, help="of the SAEs' training")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        {"cell": cell, "grid": grid}[arguments.which](arguments, Path(name))


if __name__ == "__main__":
    main()
