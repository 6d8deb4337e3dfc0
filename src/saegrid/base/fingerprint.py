"""The fingerprints of code: of the modules behind a rule, without comments, layout and
docstrings."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from saegrid.base.digest import digest
from saegrid.base.io import canonical

PACKAGE = "saegrid"
SOURCE = Path(__file__).resolve().parents[1]
"""Folder of the package's source."""
WITHOUT_RESULT = (
    PACKAGE,  # only opens studies from Python
    *(
        f"{PACKAGE}.{name}"
        for name in ("base.job", "saes.cache", "saes.cache.download", "saes.cache.locks")
    ),
)
"""Modules whose code decides no result: files from the hub are checked by their content."""
TEMPLATES = (".js", ".css", ".html", ".jinja")


def _path(module: str) -> Path | None:
    """The file of a module of this package; None for any other name."""
    name, *rest = module.split(".")
    base = SOURCE.joinpath(*rest)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None) if name == PACKAGE else None


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all statements in it; expressions, most of a tree, hold none."""
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
    """Return True if a statement is a table of `name: "package.module:attribute"`."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return (
        isinstance(value, ast.Dict)
        and bool(value.values)
        and all(
            isinstance(v, ast.Constant) and str(v.value).startswith(f"{PACKAGE}.")
            for v in value.values
        )
    )


def _normalised(tree: ast.Module) -> str:
    """The source of a module without comments, layout, docstrings and registries."""
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
    """The normalised source of a module, and the modules of this package that it imports."""
    path = _path(name)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = frozenset(other for other in _imports(tree) if _path(other))
    return _normalised(tree) + _templates(path.parent), imported


@cache
def _templates(folder: Path) -> str:
    """The text of the templates beside a module of a subpackage, from which pages are made."""
    paths = [] if folder == SOURCE else sorted(folder.iterdir())
    return "".join(p.read_text(encoding="utf-8") for p in paths if p.suffix in TEMPLATES)


def fingerprint(*modules: str, script: str | Path | None = None) -> str:
    """The digest of the code behind a rule: its modules and its script, with all they import here.

    Comments, docstrings, layout and registries do not count, nor do modules that decide no result
    (`WITHOUT_RESULT`). A module is named without the package (`features.density`), or as registries
    do it (`saegrid.text.corpora.csv:rows`).
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
        module = _module(name)
        if module is not None and name not in sources:
            sources[name], imported = module
            todo += imported
    return digest(canonical(sources))
