"""Checkpoints of SAEs among the files of a folder or of a repository, by names alone."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from saegrid.base.registry import pick
from saegrid.saes.checkpoint import Format, Named
from saegrid.saes.formats import FORMATS


class Listed(NamedTuple):
    """A checkpoint among files."""

    format: str
    """Name of its format."""
    folder: str
    """Folder within the listing, empty for the listing itself."""
    file: str | None
    """Name of the weights where the folder holds those of several layers."""
    weights: str
    """Path of the weights within the listing."""
    named: Named
    """The sites that its names have."""

    @property
    def name(self) -> str:
        """The folder, and the file where one folder holds several."""
        return f"{self.folder}/{self.file}".strip("/") if self.file else self.folder


def checkpoints(files: Collection[str], above: str = "", form: str | None = None) -> list[Listed]:
    """The checkpoints of known formats among files, in natural order of their names.

    Where the files fit several formats, it is one of that which asks for most files.

    Args:
        files: paths with `/` within a folder or a repository.
        above: name of that folder or repository, which may say more about the site.
        form: the one format that is looked for; None: all.
    """
    known, named = set(files), [form] if form else list(FORMATS)
    best: dict[str, tuple[int, Listed]] = {}
    for name in named:
        entry = pick(FORMATS, name, "format")
        for one in _of_format(known, name, entry, above):
            if one.weights not in best or best[one.weights][0] < len(entry.files):
                best[one.weights] = len(entry.files), one
    return sorted((one for _, one in best.values()), key=lambda one: natural(one.weights))


def _of_format(files: Collection[str], name: str, form: Format, above: str) -> Iterator[Listed]:
    *others, usual = form.files
    pattern = re.escape(usual)
    if form.each:
        pattern = re.escape(form.each).replace(re.escape("{layer}"), r"\d+")
    ending = re.compile(rf"(?:(?P<folder>.*)/)?(?P<file>{pattern})")
    for path in files:
        match = ending.fullmatch(path)
        if match is None:
            continue
        folder = match["folder"] or ""
        if all(f"{folder}/{other}".lstrip("/") in files for other in others):
            whole = f"{above}/{path}".lstrip("/")
            file = match["file"] if form.each else None
            yield Listed(name, folder, file, path, form.named(whole))


def natural(text: str) -> list[tuple[int, str]]:
    """A key by which names are sorted with their numbers as numbers: layer_3 before layer_20."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def formats_read() -> str:
    """The names of all formats, each with its files, for messages."""
    forms = ((name, pick(FORMATS, name, "format")) for name in FORMATS)
    return "; ".join(f"{name} ({', '.join(form.files)})" for name, form in forms)
