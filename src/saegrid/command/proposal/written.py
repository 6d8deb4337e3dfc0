"""A proposed config as YAML, with the reason of a line in a comment."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

WIDTH = 100
INLINE = 60
"""Characters up to which a section without reasons of its own stands in one line."""
HEAD = """\
# Written by `saegrid new`: what differs from the defaults, and why. Change what you like and run it
# again: only what a change concerns is made anew. config/schema.json knows all keys.
"""
MORE = """
# More that can be made of the same cells; take away the # of what you want:
# metrics: {all: true}       # how well the SAE describes this model on these texts
# analyses:
#   kin: {}                  # features of other layers and SAEs that are alike
#   clusters: {}             # texts in groups by their features
"""


def as_yaml(config: Mapping[str, Any], whys: Mapping[str, str]) -> str:
    """The config as YAML text; `whys`: reasons by key, with dots between the parts."""
    lines = [line for key, value in config.items() for line in _entry(key, value, key, whys, 0)]
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any, path: str, whys: Mapping[str, str], depth: int) -> Iterator[str]:
    """The lines of a key: one where its value is short, else a section."""
    indent, why = "  " * depth, whys.get(path)
    short = f"{indent}{key}: {_flow(value)}"
    below = any(other.startswith(f"{path}.") for other in whys)
    if not isinstance(value, Mapping) or not value or (not below and _is_flat(value, short)):
        yield from _with_reason(short, why, indent)
        return
    yield from _with_reason(f"{indent}{key}:", why, indent)
    for inner, one in value.items():
        yield from _entry(inner, one, f"{path}.{inner}", whys, depth + 1)


def _is_flat(value: Mapping[str, Any], short: str) -> bool:
    return len(short) <= INLINE and not any(isinstance(v, Mapping) for v in value.values())


def _with_reason(line: str, why: str | None, indent: str) -> Iterator[str]:
    """A line with its reason behind it, or above it where both are too long for one."""
    if why is None:
        yield line
    elif len(line) + len(why) + 4 <= WIDTH:
        yield f"{line}  # {why}"
    else:
        yield from (f"{indent}# {part}" for part in _wrapped(why, WIDTH - len(indent) - 2))
        yield line


def _wrapped(text: str, width: int) -> Iterator[str]:
    import textwrap

    yield from textwrap.wrap(text, width)


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
    )
    return text.removesuffix("\n").removesuffix("\n...")
