"""Paths of a config, which may hold ${VARIABLE} or lie inside an installed package."""

import os
import re
from importlib.util import find_spec
from typing import Any

IN_PACKAGE = "package:"
"""Prefix of paths inside an installed package: `package:name/folder`."""


class PathError(ValueError):
    """An error of a path that leads nowhere; the message says what to set or install."""


def _variable(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if not value:
        raise PathError(
            f"{match[0]} stands in a path, but the environment variable {match[1]} is "
            f"{'not set' if value is None else 'empty'}. "
            "Set it to the file or folder that the config means by it: "
            f"export {match[1]}=/path/to/it"
        )
    return value


def expand(path: str) -> str:
    """A path with its variables and its package replaced by their values.

    Raises:
        PathError: a variable is not set or a package is not installed; the message names it.
    """
    path = re.sub(r"\$\{(\w+)\}", _variable, path)
    if not path.startswith(IN_PACKAGE):
        return path
    name, _, rest = path.removeprefix(IN_PACKAGE).partition("/")
    if not name.isidentifier():
        # Of a name with a dot the package before it would be run to find it.
        raise PathError(
            f"{path}: package: must be followed by the name of a package alone, without dots, as "
            "in package:saegrid/text; folders within it come after a slash."
        )
    package = find_spec(name)
    if package is None:
        raise PathError(
            f"{path}: the package {name} is not installed. "
            f"Install it: pip install {name.replace('_', '-')}"
        )
    if not package.submodule_search_locations:
        raise PathError(f"{path}: {name} is one module and no package, and holds no files.")
    return f"{package.submodule_search_locations[0]}/{rest}"


def expand_all(value: Any) -> Any:
    """A value with every text in it expanded, in lists and dictionaries too."""
    if isinstance(value, str):
        return expand(value) if "${" in value or value.startswith(IN_PACKAGE) else value
    if isinstance(value, dict):
        return {key: expand_all(inner) for key, inner in value.items()}
    return [expand_all(inner) for inner in value] if isinstance(value, list) else value
