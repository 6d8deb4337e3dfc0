"""Mistakes of a config as sentences: each names its key, what was expected and what was got."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from saegrid.base.errors import shown
from saegrid.base.registry import nearest
from saegrid.base.section import NAME
from saegrid.config.corpora import DELIMITER
from saegrid.config.models import Study

Error = Mapping[str, Any]
"""One error of pydantic."""
PATTERNS = {
    NAME: "must consist of letters, digits, _ and -, and not begin with -",
    r"^[A-Za-z0-9_.]+$": "must consist of letters, digits, _ and .",
    r"^[A-Za-z0-9_]+$": "must consist of letters, digits and _",
    DELIMITER: "must be one character, and no quote or line end",
    r"^[0-9a-f]{40}$": "must be a commit, 40 hexadecimal digits",
}
"""Patterns of names, in words."""
PLAIN = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a section of keys",
    "model_type": "must be a section of keys",
    "model_attributes_type": "must be a section of keys",
}
"""Requirement on the value, by the type of pydantic's error."""
BOUNDS = {
    "greater_than": ("must be above", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be below", "lt"),
    "less_than_equal": ("must be at most", "le"),
    "string_too_short": ("must be longer: at least", "min_length"),
    "string_too_long": ("has too many letters: at most", "max_length"),
    "too_short": ("must have more entries: at least", "min_length"),
    "too_long": ("has too many entries: at most", "max_length"),
}
"""Bounds, and the name of the bound in pydantic's errors."""


class Mistake(NamedTuple):
    """Something in a config that keeps a part of the study from being made."""

    part: str
    """Part of the study that cannot be made: `config` (anything), `corpus:<name>`, `sae:<name>`,
    `model`, `grid` and others, see `saegrid.stages.mistakes`."""
    text: str
    """One sentence that names the key, what was expected, what was got, and the mend."""
    key: str = ""
    """The key, with points between its parts."""


def key_of(path: Iterable[Any]) -> str:
    """A key as messages name it."""
    return ".".join(map(str, path))


def place(config: Any, loc: Sequence[Any]) -> tuple[Any, ...]:
    """The path of an error without what is no key: names of types and of alternatives.

    config: what was read. The last part of a key that is missing is kept by the caller.
    """
    path = []
    for part in loc:
        inside = isinstance(config, Mapping) and part in config
        inside |= isinstance(config, list) and isinstance(part, int) and part < len(config)
        if inside:
            path.append(part)
            config = config[part]
    return tuple(path)


def explained(
    errors: Sequence[Error], config: Mapping[str, Any], above: str = "", keys: Sequence[str] = ()
) -> list[Mistake]:
    """The errors of pydantic on a config as mistakes, one a key.

    above, keys: of a section alone, its own key and the keys that are known in it.
    """
    mistakes = []
    for path, several in by_place(errors, config).items():
        key = key_of([above, *path]) if above else key_of(path)
        known = list(keys) if above else known_keys(path, config)
        mistakes.append(Mistake("config", _sentence(key, path, several, known), key))
    return mistakes


def by_place(
    errors: Sequence[Error], config: Mapping[str, Any]
) -> dict[tuple[Any, ...], list[Error]]:
    """The errors of pydantic by the path of their key; of alternatives, those that got furthest
    into the value."""
    errors_at: dict[tuple[Any, ...], list[Error]] = {}
    for error in errors:
        path = place(config, error["loc"]) or ("config",)
        if error["type"] == "missing":
            path = (*place(config, error["loc"]), error["loc"][-1])
        errors_at.setdefault(path, []).append(error)

    def is_shallow(path: tuple[Any, ...]) -> bool:
        deeper = any(len(other) > len(path) and other[: len(path)] == path for other in errors_at)
        return deeper and all(error["type"] in PLAIN for error in errors_at[path])

    return {path: several for path, several in errors_at.items() if not is_shallow(path)}


def _sentence(key: str, path: tuple[Any, ...], errors: list[Error], known: list[str]) -> str:
    first, value = errors[0], errors[0].get("input")
    if first["type"] == "extra_forbidden":
        hint = nearest(str(path[-1]), known)
        return f"{_shortened(key)} is not a key.{hint} Known here: {', '.join(known)}."
    if first["type"] in ("missing", "union_tag_not_found"):
        tag = first["type"] == "union_tag_not_found"
        wanted = f"; expected {' or '.join(_tags(first))}" if tag else ""
        return f"{key}{'.source' if tag else ''} is missing{wanted}."
    if first["type"] == "union_tag_invalid":
        tags = _tags(first)
        got = first["ctx"]["tag"]
        return f"{key}.source must be {' or '.join(tags)}; got {got!r}.{nearest(got, tags)}"
    if "[key]" in first["loc"]:
        return f"{_shortened(key)}: the name {_wanted(first)}; got {shown(path[-1])}."
    wanted = dict.fromkeys(filter(None, map(_wanted, errors)))
    joined = " or ".join([w if not n else w.removeprefix("must be ") for n, w in enumerate(wanted)])
    return f"{key} {joined}; got {shown(value)}.{_hint(errors, value)}"


def _wanted(error: Error) -> str:
    """The requirement that the value of one error fails, such as `must be at least 1`."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in BOUNDS:
        words, name = BOUNDS[kind]
        bound = context[name]
        return f"{words} {bound:,}" if isinstance(bound, int) else f"{words} {bound:g}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if kind == "value_error":
        return str(context["error"])
    return PLAIN.get(kind, f"cannot be used ({error['msg']})")


def _hint(errors: list[Error], value: Any) -> str:
    """The mend of a common slip."""
    kinds = {error["type"] for error in errors}
    if "string_type" in kinds and isinstance(value, int | float) and not isinstance(value, bool):
        return f" Put it in quotes: '{value}'."
    if isinstance(value, str):
        expected = [e["ctx"]["expected"] for e in errors if e["type"] == "literal_error"]
        return nearest(value, [word for text in expected for word in text.split("'")[1::2]])
    return ""


def _tags(error: Error) -> list[str]:
    """The values that tell one kind of section from another."""
    tags = {str(tag) for section in _sections(Study) for tag in _tags_of(section)}
    named = error.get("ctx", {}).get("expected_tags", "")
    return [tag for tag in sorted(tags) if not named or repr(tag) in named]


def _shortened(key: str) -> str:
    return key if len(key) <= 200 else f"{key[:197]}..."


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that may stand where `annotation` does."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _sections(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A section and all sections within it."""
    yield root
    for field in root.model_fields.values():
        for inner in _models(field.annotation):
            yield from _sections(inner)


def known_keys(path: tuple[Any, ...], config: Any) -> list[str]:
    """The keys of the section of a config in which the last key of `path` stands."""
    sections: list[type[BaseModel]] = [Study]
    for key in path[:-1]:
        config = config.get(key) if isinstance(config, Mapping) else None
        inside = [s.model_fields[key].annotation for s in sections if key in s.model_fields]
        # Otherwise the key is a name in a catalogue or an index in a list: same sections.
        sections = [m for a in inside for m in _models(a)] or sections
        tag = config.get("source") if isinstance(config, Mapping) else None
        tagged = [s for s in sections if isinstance(tag, str) and tag in _tags_of(s)]
        sections = tagged or sections
    return sorted({name for section in sections for name in section.model_fields})


def _tags_of(section: type[BaseModel]) -> tuple[Any, ...]:
    """The values of `source` by which a kind of section is known."""
    field = section.model_fields.get("source")
    return get_args(field.annotation) if field else ()


def sentences(mistakes: Sequence[Mistake]) -> str:
    """Mistakes as one message: a line each, under a heading where there are several."""
    lines = list(dict.fromkeys(mistake.text for mistake in mistakes))
    if len(lines) == 1:
        return lines[0]
    return f"The config has {len(lines)} mistakes:\n  " + "\n  ".join(lines)
