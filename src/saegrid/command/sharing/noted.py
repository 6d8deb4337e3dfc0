"""Notes on tables: what the library says beside their schemas."""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import saegrid

CELL = "Columns of tests.parquet of a cell"
"""Notes on a table of a cell, whose name the study has another table of."""
NOTES = re.compile(r"Columns of ([\w{}-]+)\.parquet")
IN_CODE = ", with the columns of `SCHEMA`"
"""Words for readers of the code alone."""
DOCS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("summary", "summary_by_corpus"), ("features/density.py facts",)),
    "probes_summary": ("evidence/probes/table.py SUMMARY",),
    **dict.fromkeys(("probes/texts", "probes/sites/{site}"), ("evidence/probes/table.py SUMMARY",)),
    **dict.fromkeys(
        ("probes/texts-folds", "probes/{probe}", "probes/sites/{site}-folds"),
        ("evidence/probes/table.py FOLDS",),
    ),
    **dict.fromkeys(
        ("top_tokens", "examples", "near_misses"), ("features/windows.py example_table",)
    ),
    **dict.fromkeys(("concept_tests", "theme_tests"), ("meaning/effects.py TESTS",)),
    **dict.fromkeys(("concept_figures", "theme_figures"), ("meaning/effects.py FIGURES",)),
    "health": ("metrics/health.py health",),
    "contrasts": ("evidence/discovery.py SCHEMA",),
    "{corpus}/cells/{cell}/tests": (
        "evidence/discovery.py SCHEMA",
        "evidence/confirmation.py CELL_SCHEMA",
    ),
    "nuisances": ("evidence/nuisance_table.py SCHEMA",),
    "layers": ("metrics/survey/layers.py",),
    "dimensions": ("metrics/survey/layers.py", "metrics/survey/layers.py dimension_table"),
    "pairs": ("metrics/survey/layers.py compare",),
    "base_rates": ("metrics/survey/base_rates.py base_rates",),
}
"""Texts of the library that say what the columns of a file are, where nothing beside a schema names
the file: module and the function or schema in it."""


@cache
def notes() -> dict[str, str]:
    """The notes beside schemas in the library, by the name of the file without its ending."""
    known = {}
    for path in sorted(Path(saegrid.__file__).parent.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not NOTES.search(text):
            continue
        for before, node in pairwise(ast.parse(text).body):
            if not (isinstance(before, ast.Assign) and "pa.schema" in ast.unparse(before.value)):
                continue  # the columns that some code reads are not those of the file
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                said = node.value.value
                named = NOTES.match(said.strip()) if isinstance(said, str) else None
                if named and not said.startswith(CELL):
                    known[named[1]] = " ".join(said.split())
    return known | {name: " ".join(map(doc_of, places)) for name, places in DOCS.items()}


def doc_of(place: str) -> str:
    """The text about a function or a schema of the library, read from its source, in one line.

    place: the file below the package, then the name; a file alone has its own docstring. What a
    function says of its arguments and errors is left out. KeyError where there is no such text.
    """
    file, _, name = place.partition(" ")
    tree = ast.parse((Path(saegrid.__file__).parent / file).read_text(encoding="utf-8"))
    text = "" if name else ast.get_docstring(tree) or ""
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            text = ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            text = ast.literal_eval(after.value) if isinstance(after, ast.Expr) else ""
    if not text:
        raise KeyError(place)
    plain = re.split(r"\n\n *(?:Args|Raises|Returns):", text)[0].replace(IN_CODE, "")
    return " ".join(plain.split())
