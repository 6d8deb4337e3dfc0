"""Docstrings have a subject, and variables have names that say what they hold."""

import ast
import re
from pathlib import Path

import pytest

import saegrid

SOURCE = Path(saegrid.__file__).parent
OPENINGS = (
    "Where",
    "How",
    "Which",
    "What",
    "Whether",
    "As",
    "Of",
    "So",
    "Those",
    "The same",
    "Same as",
)
"""Words after which a sentence has no subject."""
NAMES = {"told", "given", "found", "made", "there", "mine"}
"""Names that say how a value came about, and not what it is."""
EXCEPTION = "Same as `topk`, except"
"""A comparison with a named function is one of the ways to say what a function does."""


def texts(body):
    """Line and text of the docstring of a module, class or function, and of its fields."""
    for before, node in zip([None, *body], body, strict=False):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            is_field = isinstance(before, ast.Assign | ast.AnnAssign)
            if isinstance(node.value.value, str) and (before is None or is_field):
                yield node.lineno, node.value.value


def stored(node):
    """Names of the variables, arguments and fields that a node makes."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.arg):
        yield node.arg
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name


def violations(source):
    opening = re.compile(rf"\s*({'|'.join(OPENINGS)})\b")
    for node in ast.walk(ast.parse(source)):
        if isinstance(body := getattr(node, "body", None), list):
            for line, text in texts(body):
                if opening.match(text) and not text.startswith(EXCEPTION):
                    yield f"{line}: the docstring begins with {text.split()[0]}"
        yield from (f"{node.lineno}: {name} is a name" for name in stored(node) if name in NAMES)


def test_source_keeps_the_rules():
    scripts = Path(__file__).parents[2] / "workflow/scripts"
    wrong = {
        str(path): lines
        for path in sorted([*SOURCE.rglob("*.py"), *scripts.glob("*.py")])
        if (lines := list(violations(path.read_text(encoding="utf-8"))))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "source",
    [
        '"""What a file holds."""',
        'class A:\n    """Those of B."""',
        'class A:\n    """A thing."""\n    is_b: bool\n    """Whether it is B."""',
        'def f():\n    """Of each row its number."""',
        'async def f():\n    """\n    The same rows."""',
        'def f():\n    """Same as `g`."""',
        "found = 1",
        "there: int = 1",
        "a, *mine = b",
        "def f(*, given=None): ...",
        "[made for made in a]",
        "def told(): ...",
        "with a as found: ...",
    ],
)
def test_a_violation_is_found(source):
    assert len(list(violations(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""Whatever a file holds."""',
        'def f():\n    """Return True if a is what b is."""\n    """What is this?"""',
        f'def f():\n    """{EXCEPTION} for b."""',
        "a.found = b(given=1)",
        "match = a['found']",
    ],
)
def test_other_source_is_accepted(source):
    assert list(violations(source)) == []
