"""Places of what a command names: the repository, local paths, and names on the hub."""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from saegrid.base.errors import ConfigError
from saegrid.base.paths import PathError, expand
from saegrid.base.registry import nearest
from saegrid.saes.listing import natural

MOST = 50_000
"""Files of a folder that are listed at most."""
DEPTH = 6
"""Folders below a folder in which files are looked for."""
FEW = 8
"""Names that a message lists."""
ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)*")
"""A name of a repository on the hub, and a folder in it; a few old ones have no owner."""


def proper(name: str) -> str:
    """A name of a study, made from that of a file."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")


def repository() -> Path:
    """The folder of the Snakefile: where the command runs, or where the library lies."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if (folder / "Snakefile").is_file() and (folder / "workflow").is_dir():
            return folder
    raise ConfigError(
        "no Snakefile in this folder: run the command in a clone of the repository of saegrid."
    )


def expanded(path: str) -> Path:
    """A path with its variables and ~ filled in; ConfigError where a variable is not set."""
    try:
        return Path(expand(path)).expanduser()
    except PathError as problem:
        raise ConfigError(str(problem)) from None


def written(path: str, root: Path) -> str:
    """A local path as a config has it, good wherever snakemake runs in the repository.

    With a variable it stays as it is; within the repository it is relative, else absolute.
    """
    if "${" in path:
        return path
    whole = Path(path).expanduser().absolute()
    return str(whole.relative_to(root) if whole.is_relative_to(root) else whole)


def within(path: str, folder: str) -> str:
    """The path of a folder below another one, `path` itself where it is that one."""
    return os.path.normpath(f"{path}/{folder}") if folder else path


def is_local(name: str) -> bool:
    """Return True for a path on this machine, False for a name on the hub.

    Raises:
        ConfigError: neither can be meant, or a variable is not set.
    """
    if expanded(name).exists():
        return True
    looks_local = name.startswith((".", "/", "~", "$")) or not ON_HUB.fullmatch(name)
    if looks_local:
        raise ConfigError(
            f"there is nothing at {name}: {missing(name)} Name a folder, or owner/name on the hub."
        )
    if name.count("/") > 1 and expanded(name).parents[-3].exists():
        raise ConfigError(f"there is nothing at {name}: {missing(name)}")
    return False


def missing(name: str) -> str:
    """A sentence about a path where nothing lies: its part that is missing, what is there instead,
    and a hint at the nearest name."""
    path = expanded(name)
    above = next(folder for folder in path.parents if folder.exists())
    if not above.is_dir():
        return f"{above} is a file."
    where = "this folder" if above == Path() else str(above)
    names = sorted(one.name for one in above.iterdir() if not one.name.startswith("."))
    return lacks(where, path.relative_to(above).parts[0], names)


def missing_among(name: str, folder: str, files: Iterable[str]) -> str:
    """A sentence as of `missing`, about a folder among the files of a repository on the hub."""
    known, above = list(files), ""
    for part in folder.split("/"):
        within = {path.removeprefix(above).split("/")[0] for path in known}
        if part not in within:
            return lacks(f"{name}/{above}".rstrip("/"), part, within)
        above += f"{part}/"
        known = [path for path in known if path.startswith(above)]
    return lacks(name, folder, ())


def lacks(where: str, part: str, names: Collection[str]) -> str:
    """A sentence: a place has no such part; what it holds, and the nearest name."""
    known = sorted(names, key=natural)
    shown = ", ".join(known[:FEW]) + ", ..." * (len(known) > FEW)
    return f"{where} has no {part}; it holds {shown or 'nothing'}.{nearest(part, known)}"


class Folder(NamedTuple):
    """The files of a local folder."""

    path: Path
    files: list[str]
    """Paths within it, with `/`, sorted."""


def listed(path: Path) -> Folder:
    """The files of a folder and of those below it, hidden ones left out."""
    files: list[str] = []
    for folder, folders, names in os.walk(path):
        here = Path(folder).relative_to(path)
        deep = len(here.parts) >= DEPTH
        folders[:] = [] if deep else sorted(n for n in folders if not n.startswith("."))
        files += [(here / name).as_posix() for name in names]
        if len(files) > MOST:
            raise ConfigError(
                f"{path} holds more than {MOST:,} files: name the folder of the SAEs alone."
            )
    return Folder(path, sorted(files))
