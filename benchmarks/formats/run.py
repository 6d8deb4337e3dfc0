"""Comparison of the readers of SAEs with the libraries that the formats come from.

    python benchmarks/formats/run.py --python sae_lens=/path/to/python [--python ...] [case ...]

Every library is called in an environment of its own, through a side script beside this file, which
imports nothing of saegrid; a library may be given in several versions. The protocol:

`benchmarks/formats/cases/<library>.py` has `CASES`, a list of `Case`: checkpoints laid out by hand.
`<python> benchmarks/formats/<library>.py make IN` adds those that the library writes itself (it may
add none). Both give, for each case, a folder in IN:

    IN/<case>/checkpoint/    the files of the checkpoint
    IN/<case>/x.npy          activations (token, d_in) float32
    IN/<case>/case.json      {"format": ..., "site": "L7R"}, and where they are needed "writes",
                             "centred", "ignore" and "file", as in an SAE's section of the config
    IN/<case>/original/      where the checkpoint is an export of ours: what was exported, of that
                             format

`<python> benchmarks/formats/<library>.py read IN OUT` reads each and writes

    OUT/<case>/z.npy         codes (token, feature), of all the tokens as they come
    OUT/<case>/x_hat.npy     what the library reconstructs of them, in the units of the model
    OUT/<case>/error.txt     one line instead, where the library refuses the checkpoint
    OUT/version.json         {"library": "sae-lens", "version": "6.54.12"}

in float64 where the library can. Compared with ours are the codes, their mask (no entry may be
active on one side only) and the reconstruction; a difference is relative to the larger of the
entry and the root mean square of all, and must not exceed 1e-5.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.registry import pick
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats import FORMATS
from saegrid.saes.sae import as_written, decode, encode

HERE = Path(__file__).resolve().parent
BOUND = 1e-5
"""Largest difference that passes."""


class Case(NamedTuple):
    """A checkpoint laid out by hand."""

    name: str
    write: Callable[[Path], Any]
    """Writes the checkpoint into a folder."""
    d_in: int
    """Channels of the activations that it reads."""
    reading: dict[str, Any]
    """Content of case.json."""
    versions: tuple[str, ...] = ("",)
    """Beginnings of the library's versions that read it right; "" is all of them."""


def activations(d_in: int, n: int = 96) -> np.ndarray:
    """x (token, d_in) float32 with channels of unlike size and a mean."""
    rng = np.random.default_rng(d_in)
    x = rng.normal(size=(n, d_in)) * rng.uniform(0.5, 3, d_in) + rng.normal(size=d_in)
    return (x + rng.normal(size=(n, 1))).astype(np.float32)


def lay_out(case: Case, folder: Path) -> None:
    """Write a case into its folder of IN."""
    checkpoint = folder / case.name / "checkpoint"
    checkpoint.mkdir(parents=True)
    case.write(checkpoint)
    np.save(folder / case.name / "x.npy", activations(case.d_in))
    (folder / case.name / "case.json").write_text(json.dumps(case.reading))


def ours(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """z and x_hat (token, ...) float64 of a case by saegrid."""
    facts = json.loads((folder / "case.json").read_text())
    reading = Reading.of(facts, Site.parse(facts["site"]))
    original = folder / "original"
    checkpoint = original if original.is_dir() else folder / "checkpoint"
    sae = pick(FORMATS, facts["format"], "format").open(checkpoint, reading=reading)
    x = np.load(folder / "x.npy").astype(np.float64)
    z = encode(sae.encoder, x)
    return z, as_written(sae, x, decode(sae, z))


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of two arrays, relative to the entry or the root mean square of all."""
    if found.shape != expected.shape:
        return np.inf
    size = np.maximum(np.abs(expected), np.sqrt(np.mean(expected**2)))
    return float(np.max(np.abs(found - expected) / np.where(size > 0, size, 1)))


def compare(folder: Path, theirs: Path) -> str:
    """The cells of a row: entries on one side only, differences of z and x_hat, and a verdict."""
    error = theirs / "error.txt"
    try:
        z, x_hat = ours(folder)
    except CheckpointError as problem:
        return f"refused: {str(problem).split(': ', 1)[-1]}"
    if error.is_file():
        return f"the library refuses it: {error.read_text().strip()[:90]}"
    z_there, x_hat_there = (
        np.load(theirs / f"{name}.npy").astype(np.float64) for name in ("z", "x_hat")
    )
    if z.shape != z_there.shape:
        return f"z is {z.shape} here and {z_there.shape} there"
    apart = int(((z != 0) != (z_there != 0)).sum())
    of_z, of_x_hat = difference(z, z_there), difference(x_hat, x_hat_there)
    good = apart == 0 and max(of_z, of_x_hat) <= BOUND and bool((z != 0).any())
    l0 = (z != 0).sum(axis=1).mean()
    verdict = "same" if good else "OTHER"
    return f"{l0:7.1f} {apart:6d} {of_z:9.1e} {of_x_hat:9.1e}  {verdict}"


def cases_of(library: str) -> list[Case]:
    """The cases of a library that are laid out by hand."""
    path = HERE / "cases" / f"{library}.py"
    spec = importlib.util.spec_from_file_location(f"cases_{library}", path)
    assert spec and spec.loader, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


def run(library: str, python: str, wanted: list[str]) -> bool:
    """Print the rows of a library; return True if all are the same."""
    script = str(HERE / f"{library}.py")
    with tempfile.TemporaryDirectory() as temporary:
        given, answer = Path(temporary) / "in", Path(temporary) / "out"
        given.mkdir(), answer.mkdir()
        cases = {case.name: case for case in cases_of(library)}
        for case in cases.values():
            lay_out(case, given)
        for command in (["make", str(given)], ["read", str(given), str(answer)]):
            # -I, for a script may have the library's name and must not stand in its way.
            subprocess.run([python, "-I", script, *command], check=True)
        facts = json.loads((answer / "version.json").read_text())
        name = f"{facts['library']} {facts['version']}"
        good = True
        for folder in sorted(given.iterdir()):
            versions = cases[folder.name].versions if folder.name in cases else ("",)
            known = any(facts["version"].startswith(version) for version in versions)
            if not known or (wanted and folder.name not in wanted):
                continue
            row = compare(folder, answer / folder.name)
            good = good and row.endswith("same")
            print(f"{name:24s} {folder.name:40s} {row}", flush=True)
    return good


def main() -> None:
    """Compare what is asked for; exit status 1 where anything is not the same."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--python",
        action="append",
        required=True,
        metavar="LIBRARY=PATH",
        help="an environment with a library; may be repeated",
    )
    parser.add_argument("case", nargs="*", help="names of cases; all where none is given")
    settings = parser.parse_args()
    print(f"{'library':24s} {'checkpoint':40s} {'l0':>7s} {'apart':>6s} {'z':>9s} {'x_hat':>9s}")
    results = [run(*pair.split("=", 1), settings.case) for pair in settings.python]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    sys.modules["run"] = sys.modules["__main__"]  # cases say `from run import Case`
    main()
