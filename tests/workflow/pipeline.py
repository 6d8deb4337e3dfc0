"""A checkout in a folder of its own, in which the tiny study is run and changed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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


def snakemake(
    folder: Path, *arguments: str, study: tuple[str, ...] = TINY
) -> subprocess.CompletedProcess:
    """A finished run of snakemake on the copy's own library."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [SNAKEMAKE, *arguments, *study]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800
    )


def run(folder: Path, *arguments: str, study: tuple[str, ...] = TINY) -> str:
    """What a successful run printed."""
    done = snakemake(folder, "--cores", "2", *arguments, study=study)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def planned(folder: Path, *arguments: str, study: tuple[str, ...] = TINY) -> dict[str, int]:
    """The jobs that a run would start, counted by rule."""
    done = snakemake(folder, *arguments, "--dry-run", "--quiet", "rules", study=study)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = (done.stdout + done.stderr).rpartition("Job stats:")[2]
    found = {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+)$", table, re.M)}
    targets = {"total", "all", "corpus", "activations", "saes", "cells", "metrics"}
    targets |= {"pages", "figures", "layers"}
    return {rule: count for rule, count in found.items() if rule not in targets}


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
        if p.name not in ("config.json", ".digests.json")
    }
