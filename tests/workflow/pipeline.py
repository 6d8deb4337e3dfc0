"""A checkout in a folder of its own, in which the tiny study is run and changed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import warm
import yaml
from planning import inside, to_run
from tasks import targets_of, tasks_of

from saegrid.config import resolve
from saegrid.pages.figures import HEALTH_FIGURES, SURVEY_FIGURES
from saegrid.stages.plan import Plan
from saegrid.stages.targets import PREFIX, TARGETS

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "config", "profiles", "resources", "src", "envs")
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
TINY = ("--configfile", "config/tiny.yaml")


def checkout(folder: Path) -> Path:
    """A copy of what a run needs."""
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        folder.mkdir(parents=True, exist_ok=True)
        copy(source, folder / part)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def snakemake(
    folder: Path, *arguments: str, study: tuple[str, ...] = TINY
) -> subprocess.CompletedProcess:
    """A finished run of snakemake on the copy's own library; `warm` says of which processes."""
    if not warm.AVAILABLE:
        return command(folder, *arguments, study=study)
    return warm.call([*arguments, *study], folder, _environment(folder))


def command(
    folder: Path, *arguments: str, study: tuple[str, ...] = TINY
) -> subprocess.CompletedProcess:
    """A finished run of the command itself, as a user gives it."""
    return subprocess.run(
        [SNAKEMAKE, *arguments, *study],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=1800,
    )


def run(folder: Path, *arguments: str, study: tuple[str, ...] = TINY) -> str:
    """The output of a successful run."""
    done = snakemake(folder, "--cores", "2", *arguments, study=study)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def planned(folder: Path, *arguments: str, study: tuple[str, ...] = TINY) -> dict[str, int]:
    """The jobs that a run would start, counted by rule."""
    done = snakemake(folder, *arguments, "--dry-run", "--quiet", "rules", study=study)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = (done.stdout + done.stderr).rpartition("Job stats:")[2]
    found = {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+)$", table, re.M)}
    made = {rule: n for rule, n in found.items() if rule not in {"total", *TARGETS}}
    return {rule: n for rule, n in made.items() if not rule.startswith(PREFIX)}


def config_of(study: tuple[str, ...], *overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The config that Snakemake makes of these options, and of overrides as by `--config`."""
    config: dict[str, Any] = {}
    paths = study[1:] or ("config/config.yaml",)
    for layer in [*(yaml.safe_load(Path(path).read_text()) for path in paths), *overrides]:
        _update(config, layer)
    return config


def _update(config: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(config.get(key), dict):
            _update(config[key], value)
        else:
            config[key] = value


def as_options(*overrides: Mapping[str, Any]) -> list[str]:
    """Overrides as options of the command."""
    layers = [f"{key}={json.dumps(value)}" for layer in overrides for key, value in layer.items()]
    return ["--config", *layers] if layers else []


def jobs_to_run(
    work: Path,
    *overrides: Mapping[str, Any],
    study: tuple[str, ...] = TINY,
    targets: tuple[str, ...] = (),
) -> Counter[str]:
    """The jobs that a run in this folder would start, counted by rule; worked out in this process
    from its configs, its sources and what stands there. `planned` asks Snakemake."""
    with inside(work):
        plan = Plan(resolve(config_of(study, *overrides)), work / "workflow/scripts")
        return to_run(tasks_of(plan, targets), targets_of(plan, targets))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that must be there once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new))


def results(folder: Path) -> dict[str, bytes]:
    """The bytes of all result files but the provenance, which names commit and versions."""
    root = folder / "results"
    files = (p for p in sorted(root.rglob("*")) if p.is_file())
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in files
        if p.name not in ("config.json", ".digests.jsonl")
    }


def results_of_cells(folder: Path) -> dict[str, bytes]:
    """Results but those of the targets `metrics` and `layers`."""
    figures = [f"/figures/{name}." for name in (*HEALTH_FIGURES, *SURVEY_FIGURES)]
    others = ("/survey", "/baselines/", "/metrics.json", "/health.", *figures)
    return {
        name: content
        for name, content in results(folder).items()
        if not any(other in name for other in others)
    }
