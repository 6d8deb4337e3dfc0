"""A config file as it is written: what a reader of YAML passes over in silence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from saegrid.base.errors import shown

TEMPLATE = "__use_yte__"
"""Key by which Snakemake takes a config for a template, and runs the Python in it."""


def mistakes(path: str | Path) -> list[str]:
    """Mistakes of a config file that show before its keys are checked, a sentence each.

    The file is no YAML; it is a template, whose Python Snakemake would run; or a key stands twice
    in a section, and YAML would take the last and silently drop the first.
    """
    path = Path(path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return [f"{path}{where}: this is no YAML: {problem.problem or problem.context}."]
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        return [f"{path}: this is no YAML: {shown(str(problem))}."]
    except OSError as problem:
        return [f"{path}: the config cannot be read: {problem.strerror}."]
    template = [
        f"{path}, line {key.start_mark.line + 1}: a config with {TEMPLATE} is a template, whose "
        "Python would be run. Write the values out, and leave the key out."
        for key, _ in (root.value if isinstance(root, yaml.MappingNode) else [])
        if key.value == TEMPLATE
    ]
    return [*template, *duplicates(path, root)]


def duplicates(path: str | Path, root: Any) -> Iterator[str]:
    """Keys that stand twice in a section, each with its lines. root: the composed file."""
    todo, seen = [(root, "")], set()
    while todo:
        node, above = todo.pop(0)
        # An anchor is looked at once, however often it is used.
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                name = str(key.value) if isinstance(key, yaml.ScalarNode) else "a key"
                spelled, line = (key.tag, name), key.start_mark.line + 1
                whole = f"{above}.{name}".lstrip(".")
                if spelled in lines:
                    yield (
                        f"{path}, line {line}: {shown(whole)[1:-1]} stands in line "
                        f"{lines[spelled]} already, which YAML would drop in silence. Leave one "
                        "out."
                    )
                lines.setdefault(spelled, line)
                todo.append((value, whole))
        elif isinstance(node, yaml.SequenceNode):
            todo += [(value, f"{above}.{number}") for number, value in enumerate(node.value)]
