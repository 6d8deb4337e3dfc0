"""The files that a file of tests depends on: all that it imports, and folders that it names."""

import ast
import hashlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS, SOURCE = ROOT / "tests", ROOT / "src"
EVERYWHERE = ("pyproject.toml", "requirements.lock")
NAMED = (
    *("benchmarks", "config", "docs", "envs", "profiles", "resources", "src", "workflow"),
    *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "README.md", "Snakefile"),
)
"""Files and folders that a test may read: it depends on those that it, or a helper, names."""
REGISTERED = re.compile(r"\b(saegrid(?:\.\w+)+):\w")
"""A module as registries name it."""


def files_of() -> list[str]:
    """All files of tests, relative to the repository."""
    return sorted(str(path.relative_to(ROOT)) for path in TESTS.rglob("test_*.py"))


@cache
def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@cache
def _helpers() -> dict[str, Path]:
    """Modules of the tests by name."""
    return {path.stem: path for path in TESTS.rglob("*.py") if path.name != "conftest.py"}


@cache
def _module(name: str) -> Path | None:
    path = SOURCE.joinpath(*name.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements: expressions, most of a tree, hold none."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, part, ()))


def _names(path: Path) -> Iterator[str]:
    """Modules that a file imports anywhere in it, or names as registries do."""
    text = path.read_text(encoding="utf-8")
    for node in _statements(ast.parse(text).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    yield from REGISTERED.findall(text)


@cache
def _imports(path: Path) -> frozenset[Path]:
    """The files of the modules that a file imports."""
    found = set()
    for name in _names(path):
        module = _module(name)
        if module:
            # Packages are loaded with their modules; that of the library loads nothing by itself.
            packages = {p for p in (d / "__init__.py" for d in module.parents) if p.is_file()}
            found |= {module, *(packages - {SOURCE / "saegrid/__init__.py"})}
        elif TESTS in path.parents and name in _helpers():
            found.add(_helpers()[name])
    if TESTS in path.parents:
        folders = [folder for folder in path.parents if TESTS in (folder, *folder.parents)]
        found |= {p for folder in folders for p in folder.glob("conftest.py")}
    return frozenset(found)


@cache
def _reads(path: Path) -> frozenset[Path]:
    """Other files that a file may read: beside it in the library, named by it in tests."""
    if TESTS not in path.parents:
        inner = (p for p in path.parent.iterdir() if p.suffix not in (".py", ".pyc"))
        return frozenset(p for p in inner if p.is_file())
    text = path.read_text(encoding="utf-8")
    named = {name for name in NAMED if re.search(rf"[\"'/]{re.escape(name)}[\"'/]", text)}
    if path.name == "conftest.py":
        named = set()
    elif "beside_repository" in text:
        named |= {"resources", "workflow"}
    return frozenset(p for name in (*named, *EVERYWHERE) for p in _data(ROOT / name))


@cache
def _data(path: Path) -> tuple[Path, ...]:
    inner = path.rglob("*") if path.is_dir() else [path]
    return tuple(p for p in inner if p.is_file() and "__pycache__" not in p.parts)


@cache
def reached(file: str) -> dict[str, int]:
    """All that a file of tests depends on, and over how many imports."""
    start = ROOT / file
    found, todo = {start: 0}, deque([start])
    while todo:
        path = todo.popleft()
        for other in _imports(path) - found.keys():
            found[other] = found[path] + 1
            todo.append(other)
    for path, steps in list(found.items()):
        for other in _reads(path):
            found.setdefault(other, steps + 1)
    return {str(path.relative_to(ROOT)): steps for path, steps in found.items()}


def contents(file: str) -> dict[str, str]:
    """All that a file of tests depends on, as digests."""
    return {path: _content(ROOT / path) for path in sorted(reached(file))}


def steps_to(file: str, before: Mapping[str, str]) -> int | None:
    """Over how many imports the nearest change since `before` lies; None where there is none."""
    now = contents(file)
    return min(
        (steps for p, steps in reached(file).items() if before.get(p) != now[p]), default=None
    )
