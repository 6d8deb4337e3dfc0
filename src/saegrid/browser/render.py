"""Filling the page templates of this folder."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent


@cache
def _template(name: str) -> jinja2.Template:
    """A template of this folder; its values are escaped. Compiled once, for that takes long."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def render(template: str, **values: Any) -> str:
    """A template of this folder with the files of this folder inlined; values are escaped."""

    def inlined(name: str) -> Markup:
        return Markup((HERE / name).read_text(encoding="utf-8"))

    return _template(template).render(inlined=inlined, **values)


def require(facts: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """ValueError where facts lack a name."""
    missing = [name for name in names if name not in facts]
    if missing:
        raise ValueError(
            f"{what} must hold {', '.join(names)}; {', '.join(missing)} missing. "
            "Add what is missing where the facts are made."
        )
