"""Filling the page templates of this folder."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from saegrid.pages.browser.legend import legend

HERE = Path(__file__).parent
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Column(NamedTuple):
    """A column of a table of a page."""

    name: str
    heading: str
    form: str = ""
    """Form in which a number is written; "" where it is text."""
    definition: str = ""
    """Text that is shown when the pointer rests on the heading."""


def formed(value: Any, form: str) -> str:
    """A number in a form of columns: a typographic minus before it, no sign before zero, a no-break
    space before a percent sign, and an exponent as a power of ten."""
    text, is_power, exponent = form.format(value).partition("e")
    if is_power and int(exponent):
        text += f"\u00a0×\u00a010{str(int(exponent)).translate(RAISED)}"
    if text.endswith("%"):
        text = text.rstrip("% ") + "\u00a0%"
    if not text.startswith(("-", "+")):
        return text
    if not text.strip("+-0.,\u00a0%"):
        return text[1:]
    return text.replace("-", "−", 1) if text.startswith("-") else text


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
    environment.filters["formed"] = formed
    return environment.get_template(name)


def render(template: str, **values: Any) -> str:
    """A template of this folder with the files of this folder inlined; values are escaped."""

    def inlined(name: str) -> Markup:
        return Markup((HERE / name).read_text(encoding="utf-8"))

    return _template(template).render(inlined=inlined, **values)


def render_study(
    template: str,
    facts: Mapping[str, Any],
    title: str,
    figures: Sequence[tuple[str, str]] = (),
    named: Iterable[str] = (),
    **values: Any,
) -> str:
    """A page of a whole study, made from a template that extends study.html.jinja.

    facts: study, model, spec, and where known `title` and `more` (name: value, for the foot).
    title: where the facts have none. figures: (path relative to the page, caption).
    named: names of cells or sites that stand on the page, whose parts are said on it.
    """
    return render(
        template,
        facts=facts,
        title=facts.get("title") or title,
        more=facts.get("more", {}),
        figures=list(figures),
        cell_names=legend(named),
        digest=hashlib.sha256(str(facts["spec"]).encode()).hexdigest()[:12],
        **values,
    )


def require(facts: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """ValueError where facts lack a name."""
    missing = [name for name in names if name not in facts]
    if missing:
        raise ValueError(
            f"{what} must hold {', '.join(names)}; {', '.join(missing)} missing. "
            "Add what is missing where the facts are made."
        )
