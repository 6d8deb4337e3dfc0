"""SAEs that were chosen, as a config names them and in words."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from saegrid.base.words import Cell, Site
from saegrid.command.proposal.places import within
from saegrid.command.proposal.saes import CANONICAL_L0, Choice, Place, Seen, after, shown_sites
from saegrid.config.checkpoints import fill_in


def name_of(one: Seen) -> str:
    """Name of an SAE in the config: its expansion where it is whole, as in L15R-8x, else sae."""
    return f"{one.d_sae // one.d_in}x" if one.d_sae % one.d_in == 0 else "sae"


def sections(place: Place, choice: Choice) -> dict[str, dict[str, Any]]:
    """The SAEs of a config: one for all sites where one name fits them, else one a site."""
    names = {name_of(one) for one in choice.taken}
    kinds = {(one.listed.format, one.writes is None) for one in choice.taken}
    folders = _template(
        [(one.site, one.listed.folder) for one in choice.taken],
        {(site, one.folder) for site, one in choice.all},
    )
    files = _template(
        [(one.site, one.listed.file or "") for one in choice.taken],
        {(site, one.file or "") for site, one in choice.all},
    )
    if len(names) == len(kinds) == 1 and folders is not None and files is not None:
        return {names.pop(): _section(place, choice.taken[0], folders, files)}
    return {
        f"{name_of(one)}_L{one.site.layer}": _section(
            place, one, one.listed.folder, one.listed.file or ""
        )
        for one in choice.taken
    }


class Block(NamedTuple):
    """A block of the grid."""

    layers: list[int]
    position: str
    """Position in the block, as a config writes it."""
    names: list[str]
    """Names of the SAEs."""


def blocks(choice: Choice, names: Sequence[str]) -> list[Block]:
    """The grid of the SAEs that are taken: one block of a single name, else one a site."""
    sites = [one.site for one in choice.taken]
    position = sites[0].position.lower()
    if len(names) == 1:
        return [Block([site.layer for site in sites], position, list(names))]
    return [Block([s.layer], position, [name]) for s, name in zip(sites, names, strict=True)]


def _section(place: Place, one: Seen, folder: str, file: str) -> dict[str, Any]:
    section: dict[str, Any] = {"source": "checkpoint", "format": one.listed.format}
    if place.repository is None:
        section["path"] = within(place.name, folder)
    else:
        section["repo"] = place.name
        if folder:
            section["folder"] = folder
        section["revision"] = place.repository.commit
    if file:
        section["file"] = file
    if one.writes is not None:
        section["writes"] = one.writes.position.lower()
    return section


Placed = tuple[Site, str]
"""A site, and a name of a folder or file of its SAE."""


def _template(taken: Sequence[Placed], every: Collection[Placed]) -> str | None:
    """A name that is each of those taken when {layer} is filled in; None where there is none.

    Of a single one it is a name with {layer} only where other layers then have an SAE too.
    """
    first, text = taken[0]
    for shift, placeholder in ((0, "{layer}"), (1, "{layer+1}")):
        for match in re.finditer(rf"(?<!\d){first.layer + shift}(?!\d)", text):
            template = text[: match.start()] + placeholder + text[match.end() :]
            fits = [(site, own) for site, own in every if _filled(template, site) == own]
            if all(one in fits for one in taken) and len(fits) > 1:
                return template
    return text if all(own == text for _, own in taken) else None


def _filled(template: str, site: Site) -> str:
    return fill_in(template, Cell(site, "sae"))


def described(place: Place, choice: Choice) -> Iterator[str]:
    """Describe the SAEs and those that are taken, a line each."""
    yield f"{place.name}: SAEs of the format {choice.format}, of {shown_sites(choice.sites)}"
    for one in choice.taken:
        kind = f"transcoder to {one.writes}" if one.writes else "SAE"
        hook = str(one.facts.get("hook"))
        recipe = one.facts.get("architecture") or one.facts.get("gate") or ""
        parts = [
            f"{kind} at {one.site}",
            f"hook {hook}{_stream(hook, one.site)}",
            f"{one.d_in:,} channels",
        ]
        parts += [f"{one.d_sae:,} features", str(recipe)]
        yield f"{one.listed.name or place.name}: {', '.join(part for part in parts if part)}"
        others = choice.others[after(one.site)]
        if others:
            more = ", ..." if len(others) > 6 else ""
            yield (
                f"  of {one.site} there are others, too: {', '.join(others[:6])}{more}; the "
                f"narrowest is taken, and of several the one with L0 nearest to {CANONICAL_L0}"
            )


def _stream(hook: str, site: Site) -> str:
    """A clause about a hook of the stream before a block, which a config counts by the last."""
    numbers = re.findall(r"(?<=\.)\d+(?=\.|$)", hook)
    if site.position != "R" or numbers in ([], [str(site.layer)]):
        return ""
    return f" (the residual stream that comes out of layer {site.layer})"
