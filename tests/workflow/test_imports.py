"""Modules that an import loads: read from the sources, tried in one interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
HEAVY = {"torch", "transformers", "pandas", "matplotlib", "snakemake", "datasets"}
BRINGS = {"safetensors.torch": "torch", "transformers": "torch", "sklearn": "scipy"}
"""Modules of other packages, and what they load in turn."""
INTERVENING = {
    *("attribution", "continuations", "filling", "hooks_clamps", "readout_padded", "search"),
    "steering",
}
"""Stages that change what a model does, or ask it about a text."""
TORCH = {"capture", "surprisal", "fill_store", "train_sae", "train_together", *INTERVENING}
"""Stages that compute with torch; encode loads it only for large cells."""


def file_of(module: str) -> Path | None:
    """The file of a module of the library; None for any other."""
    path = SOURCE.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import: no bodies of functions, nothing for type checkers."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)


@cache
def imported(path: Path) -> frozenset[str]:
    """Modules that a file names in the imports that run with it."""
    found = set()
    for node in statements(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def loads(*modules: str, script: Path | None = None) -> set[str]:
    """Other packages that are loaded with modules of the library, or with a script."""
    todo, seen, packages = [*modules], set(), set()
    todo += imported(script) if script else ()
    while todo:
        name = todo.pop()
        todo += {name.rpartition(".")[0]} - {""}  # a package comes before its modules
        if name in seen:
            continue
        seen.add(name)
        path = file_of(name)
        if path:
            todo += imported(path)
        elif name in BRINGS:
            todo.append(BRINGS[name])
        if not name.startswith("saegrid"):
            packages.add(name.partition(".")[0])
    return packages


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_only_stages_that_compute_with_torch_import_it(path):
    allowed = {"torch"} if path.stem in TORCH else set()
    models = {"capture", "surprisal", "fill_store", *INTERVENING}
    allowed |= {"transformers"} if path.stem in models else set()
    allowed |= {"matplotlib"} if path.stem == "plot" else set()
    assert loads(script=path) & HEAVY <= allowed


def modules_of(package: str) -> list[str]:
    """A package and all modules in it."""
    paths = sorted((SOURCE / package.replace(".", "/")).rglob("*.py"))
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


LIGHT = {
    # What decides on jobs is loaded before every run.
    **{
        module: {*HEAVY, "scipy"}
        for package in ("saegrid.stages", "saegrid.config")
        for module in modules_of(package)
    },
    "saegrid": {*HEAVY, "numpy"},
    "saegrid.study": {"torch", "transformers", "matplotlib", "snakemake"},
    "saegrid.codes.encode": HEAVY,
    "saegrid.features.logits": HEAVY,
    "saegrid.models": HEAVY,
    "saegrid.pages.figures": HEAVY,
    "saegrid.saes.training": HEAVY,
    "saegrid.saes.training.settings": HEAVY,
    "saegrid.text.corpora.csv": HEAVY,
    "saegrid.text.corpora.items": HEAVY,
    "saegrid.text.selection": HEAVY,
}
"""Modules, and packages that must not be loaded with them."""


@pytest.mark.parametrize("module", LIGHT)
def test_what_is_often_loaded_is_light(module):
    assert file_of(module), f"there is no module {module}"
    assert not loads(module) & LIGHT[module]


def test_the_walk_sees_what_is_loaded():
    assert "torch" in loads("saegrid.saes.training.loop")
    assert {"torch", "transformers"} <= loads(script=ROOT / "workflow/scripts/capture.py")
    assert "torch" in loads("saegrid.models.load")
    assert loads("saegrid.base.words") & {"numpy", *HEAVY} == set()


CALLS = f"""
import sys
def light(*packages):
    assert not set(packages) & set(sys.modules), set(packages) & set(sys.modules)
import saegrid
light("numpy", "pandas")
import saegrid.stages.plan, saegrid.config, saegrid.pages.figures
light("scipy", *{sorted(HEAVY)})
IMPORTS
light(*{sorted(HEAVY)})
from saegrid.models import FAMILIES, family_of
for name in FAMILIES: family_of({{"model_type": name}})
from saegrid.saes.training import RECIPES
from saegrid.saes.training.settings import parse
for name in RECIPES: parse(name, {{"steps": 3}})
import numpy as np
from saegrid.codes.encode import encode
from saegrid.saes.sae import Encoder
w, one = np.ones((4, 8), np.uint16), np.ones(4)
encoder = Encoder(8, 4, one, one, np.zeros(4), None, "bfloat16", lambda a, b: w[a:b])
assert len(encode(np.ones((3, 8), np.float32), np.arange(3), encoder).data) == 12
light(*{sorted(HEAVY)})
saegrid.open
light("torch", "transformers", "snakemake")
"""


def test_an_interpreter_agrees():
    """All scripts that are to be light, and the calls that load code by name."""
    lines: dict[str, None] = {}
    for path in SCRIPTS:
        if path.stem not in {*TORCH, "plot", "survey_page", "health"}:
            body = ast.parse(path.read_text()).body
            imports = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
            lines |= dict.fromkeys(map(ast.unparse, imports))
    code = CALLS.replace("IMPORTS", "\n".join(lines))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
