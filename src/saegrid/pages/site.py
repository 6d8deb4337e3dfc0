"""The pages and figures of a study as one folder, from which a report takes them together.

A report stores every result in a folder of its own, where links between pages lead nowhere. A
folder it keeps as it is.
"""

import shutil
from pathlib import Path

SHOWN = (".html", ".svg", ".pdf")
"""Endings of pages and figures."""
FIRST = ("index.html", "findings.html", "health.html", "survey.html", "map.html")
"""Pages from which the others can be reached, the best first."""


def lay_out(study: Path, folder: Path) -> str | None:
    """Fill a folder, emptied before, with links to the pages and figures of a study, each under its
    path from the study's folder.

    Args:
        study: the folder of the study's results; it may be missing.
        folder: the folder to fill.

    Returns:
        The path, from the folder, of the page to open first; None where there is no page at the
        top of the study's folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(study.rglob("*")):
        if path.suffix in SHOWN and path.is_file():
            link = folder / path.relative_to(study)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.resolve())
    others = sorted(path.name for path in folder.glob("*.html"))
    return next((name for name in (*FIRST, *others) if (folder / name).exists()), None)
