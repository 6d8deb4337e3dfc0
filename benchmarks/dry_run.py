"""The time before the first job of a study, on a clean and on a finished tree.

    python benchmarks/dry_run.py [--cells 150 1500]

It lays out a copy of the pipeline with that many cells in a temporary folder, and times a dry run.
Then it writes an empty file, with the right spec in its header, for each output of a run, lets
Snakemake record them (`--touch`), and times the dry run again: nothing must be left to do.
Target: 150 cells in 5 s and 1,500 in 30 s, on either tree.
"""

import argparse
import html
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/workflow"))

from pipeline import SNAKEMAKE, checkout  # noqa: E402

from saegrid.base import io  # noqa: E402
from saegrid.config import resolve  # noqa: E402
from saegrid.stages.plan import Plan  # noqa: E402


def grid_of(folder: Path, cells: int) -> tuple[str, ...]:
    """A config with that many cells: ten SAEs at each of 75 sites, twice where needed."""
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    names = [f"{n}x" for n in range(1, cells // 75 + 1)]
    study["saes"] = {
        name: {"source": "train", "expansion": 8, "corpus": "generated", "seed": n}
        for n, name in enumerate(names)
    }
    study["grid"] = [{"layers": list(range(7, 32)), "positions": ["a", "m", "r"], "saes": names}]
    (folder / "config/many.yaml").write_text(yaml.safe_dump(study))
    return ("--configfile", "config/many.yaml")


def seconds(folder: Path, study: tuple[str, ...], *options: str) -> tuple[float, str]:
    """The seconds and the output of a call of snakemake."""
    command = [SNAKEMAKE, *options, *study]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return time.perf_counter() - start, done.stdout + done.stderr


def write(path: str, spec: str) -> None:
    """Write an empty file of the path's kind that records a spec."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    kind = Path(path).suffix
    if kind == ".parquet":
        io.write_table(path, pa.table({"x": [0]}), spec)
    elif kind == ".safetensors":
        io.write_tensors(path, {"x": np.zeros(1, np.float32)}, spec)
    elif kind == ".json":
        io.write_json(path, {"x": 0}, spec)
    else:
        io.write_text(path, f'<meta name="saegrid-spec" content="{html.escape(spec)}">')


def finish(plan: Plan) -> None:
    """Write all outputs of a run, oldest stages first."""
    for name in plan.corpora_used():
        here = f"{plan.root}/{name}"
        for file in ("items.parquet", "set_aside.parquet", "corpus.json"):
            write(f"{here}/{file}", plan.items_spec(name))
        for file in ("selection.parquet", "selection.json"):
            write(f"{here}/{file}", plan.selection_spec(name))
        for file in ("tokens.parquet", "spans.parquet", "tokens.json"):
            write(f"{here}/{file}", plan.tokens_spec(name))
    for path in plan.activation_targets():
        write(path, plan.capture_spec(Path(path).parts[2]))
    for cell in map(str, plan.cells):
        saes = Path(plan.sae_files(cell)[0]).parent
        for path in (*plan.sae_files(cell), str(saes / "history.parquet")):
            write(path, plan.sae_spec(cell))
        tables = f"{plan.root}/{plan.main}/cells/{cell}"
        for file, spec in plan.cell_specs(cell, plan.main).items():
            write(f"{tables}/{file}", spec)
        write(f"{tables}/features.html", plan.page_spec(cell, plan.main))
    write(f"{plan.root}/summary.parquet", plan.summary_spec())
    for path in (*plan.figure_targets(), f"{plan.root}/index.html"):
        write(path, "")


def main() -> None:
    """Print a line for each number of cells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[150, 1500])
    arguments = parser.parse_args()
    for cells in arguments.cells:
        with tempfile.TemporaryDirectory() as folder:
            root = checkout(Path(folder) / "saegrid")
            study = grid_of(root, cells)
            clean, _ = seconds(root, study, "--dry-run", "--quiet")
            os.chdir(root)
            resolved = resolve(yaml.safe_load((root / study[1]).read_text()))
            finish(Plan(resolved, root / "workflow/scripts"))
            seconds(root, study, "--touch", "--cores", "2", "--quiet")
            finished, output = seconds(root, study, "--dry-run")
            assert "Nothing to be done" in output, output[-2000:]
            os.chdir(ROOT)
        print(f"{cells:,} cells: clean tree {clean:.1f} s, finished {finished:.1f} s", flush=True)


if __name__ == "__main__":
    main()
