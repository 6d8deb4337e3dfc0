"""What rules and scripts need: specs, fingerprints of code, and the frame of a job.

The only module that knows the `snakemake` object of a script. A rule has one parameter `spec`: the
canonical JSON text of all that decides its result, with a fingerprint of the code that it runs.
"""

import ast
import hashlib
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.io import canonical
from saegrid.paths import expand_all

PACKAGE = "saegrid"
SOURCE = Path(__file__).resolve().parent
"""Folder of the package."""
WITHOUT_RESULT = (
    PACKAGE,  # only opens studies from Python
    *(f"{PACKAGE}.{name}" for name in ("workflow", "saes.cache", "saes.cache.download")),
)
"""Modules whose code decides no result: what comes from the hub is checked by its content."""
TEMPLATES = (".js", ".css", ".html", ".jinja")


def digest(text: str) -> str:
    """Twelve hexadecimal digits that stand for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _path(module: str) -> Path | None:
    """File of a module of this package; None for anything else."""
    name, *rest = module.split(".")
    base = SOURCE.joinpath(*rest)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None) if name == PACKAGE else None


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all statements in it: expressions, most of a tree, hold none."""
    yield node
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, block, ()):
            yield from _statements(inner)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_registry(node: ast.AST) -> bool:
    """Whether a statement is a table of `name: "package.module:attribute"`."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, ast.Dict) and all(
        isinstance(v, ast.Constant) and str(v.value).startswith(f"{PACKAGE}.") for v in value.values
    )


def _normalised(tree: ast.Module) -> str:
    """Source without comments, layout, docstrings and registries."""
    for node in _statements(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            kept = [
                statement
                for statement in node.body
                if not (isinstance(statement, ast.Expr) and _is_text(statement.value))
                and not _is_registry(statement)
            ]
            node.body = kept or [ast.Pass()]
    return ast.unparse(tree)


@cache
def _module(name: str) -> tuple[str, frozenset[str]] | None:
    """Normalised source of a module and the modules of this package that it imports."""
    path = _path(name)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = frozenset(found for found in _imports(tree) if _path(found))
    return _normalised(tree) + _templates(path.parent), imported


@cache
def _templates(folder: Path) -> str:
    """Text of the templates beside a module of a subpackage: pages are made from them."""
    found = [] if folder == SOURCE else sorted(folder.iterdir())
    return "".join(p.read_text(encoding="utf-8") for p in found if p.suffix in TEMPLATES)


def fingerprint(*modules: str, script: str | Path | None = None) -> str:
    """Digest of the code behind a rule: its modules and its script, with all they import here.

    Comments, docstrings, layout and registries do not count, nor do modules that decide no result
    (`WITHOUT_RESULT`). A module is named without the package (`density`), or as a registry names it
    (`saegrid.corpora.csv:rows`).
    """
    todo = [f"{PACKAGE}.{m.partition(':')[0].removeprefix(f'{PACKAGE}.')}" for m in modules]
    for name in todo:
        if _path(name) is None:
            raise ValueError(f"There is no module {name}.")
    sources = dict.fromkeys(WITHOUT_RESULT, "")
    if script is not None:
        tree = ast.parse(Path(script).read_text(encoding="utf-8"))
        sources["script"] = _normalised(tree)
        todo += _imports(tree)
    while todo:
        name = todo.pop()
        found = _module(name)
        if found is not None and name not in sources:
            sources[name], imported = found
            todo += imported
    return digest(canonical(sources))


class Job(NamedTuple):
    """What a script gets: its settings, and paths by name."""

    settings: dict[str, Any]
    """The parsed spec, with the paths in it filled in."""
    written: dict[str, Any]
    """The parsed spec, with paths as the config writes them."""
    spec: str
    """The spec as text, for the headers of the outputs."""
    input: Any
    output: Any
    wildcards: Any
    resources: Any
    """What the job may use (mem_mb, gpu): decides how a result is made, never what it is."""
    cores: int
    """CPUs that the job has: likewise."""


@contextmanager
def job(snakemake: Any) -> Iterator[Job]:
    """The frame of a script: log file, fixed threads, timing, and a traceback where it fails."""
    # Imports of the script are done by now: what follows are the library's calls.
    started, cpu = time.monotonic(), time.process_time()
    spec = snakemake.params.spec
    written = json.loads(spec)
    with Path(snakemake.log[0]).open("w", buffering=1, encoding="utf-8") as log:
        sys.stdout = sys.stderr = log
        try:
            with _threads(int(written.get("threads", 1))):
                paths = snakemake.input, snakemake.output, snakemake.wildcards
                given = snakemake.resources, snakemake.threads
                yield Job(expand_all(written), written, spec, *paths, *given)
            used = time.process_time() - cpu
            wall = time.monotonic() - started
            print(
                f"done: {wall:.2f} s, {used:.2f} CPU s in the library, "
                f"{time.process_time():.2f} CPU s in all"
            )
        except BaseException:
            traceback.print_exc(file=log)
            raise
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Fixed thread counts: products differ in the last bits with them."""
    from threadpoolctl import threadpool_limits

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)
    os.environ["OMP_NUM_THREADS"] = str(n)
    with threadpool_limits(n):
        yield
