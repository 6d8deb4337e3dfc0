"""A look at SAEs: their format, the sites that they are of, and which of them are taken."""

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError, ConfigError
from saegrid.base.registry import entry, pick
from saegrid.base.tensors import hollow
from saegrid.base.words import Site
from saegrid.command.proposal.hub import Repository, look_up
from saegrid.command.proposal.places import expanded, is_local, listed, missing_among, written
from saegrid.models import Sizes
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats import FORMATS
from saegrid.saes.heads import copy_head
from saegrid.saes.listing import Listed, checkpoints, formats_read, natural
from saegrid.saes.reference import files_of
from saegrid.saes.sae import SAE

ORDER = "RBMAHZNI"
"""Positions in the order in which they are taken where none is asked for."""
CANONICAL_L0 = 100
"""L0 that is preferred where a site has SAEs of several: Gemma Scope's authors take the nearest."""
OPENED = 200
"""Checkpoints that are opened at most where their names do not say their sites."""


class Seen(NamedTuple):
    """An SAE that was opened by its headers."""

    listed: Listed
    site: Site
    writes: Site | None
    """The site that a transcoder writes; None: an SAE."""
    d_in: int
    d_sae: int
    facts: dict[str, Any]


@dataclass
class Place:
    """Checkpoints in a local folder, or in a repository on the hub."""

    name: str
    """Folder or repository, as the config has it."""
    above: str
    """Name that may say more about the sites."""
    files: list[str]
    folder: Path | None = None
    """The local folder; None on the hub."""
    repository: Repository | None = None
    remarks: list[str] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)
    copies: dict[Listed, Path] = field(default_factory=dict)

    def local(self, one: Listed) -> Path:
        """The folder of a checkpoint; of one on the hub a copy with the heads of its files."""
        if self.repository is None:
            assert self.folder is not None
            return self.folder / one.folder
        if one in self.copies:
            return self.copies[one]
        copies = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        target = copies / (one.folder or self.above.split("/")[-1])
        form = pick(FORMATS, one.format, "format")
        wanted = files_of({"format": one.format, "file": one.file})
        more = [name for name in form.optional if f"{one.folder}/{name}" in self.files]
        for name in (*wanted, *more):
            path = f"{one.folder}/{name}".lstrip("/")
            copy_head(self.repository.name, path, self.repository.commit, target / name)
        self.copies[one] = target
        return target

    def close(self) -> None:
        """Delete the copies."""
        self.stack.close()


def open_place(name: str, root: Path, revision: str | None = None) -> Place:
    """The folder or repository of SAEs that a command names.

    A name on the hub may go on with a folder in the repository. ConfigError where there is none.
    """
    name, pattern = _fixed(name)
    if is_local(name):
        folder = expanded(name)
        if pattern:
            files = [path for path in listed(folder).files if re.match(pattern, path)]
            return Place(written(name, root), folder.resolve().as_posix(), files, folder)
        if folder.is_file():
            name, folder = str(Path(name).parent), folder.parent
        return Place(written(name, root), folder.resolve().as_posix(), listed(folder).files, folder)
    parts = name.split("/")
    repository, folder = look_up("/".join(parts[:2]), revision), "/".join(parts[2:])
    files = [
        path for path in repository.files if f"{path}/".startswith(f"{folder}/" * bool(folder))
    ]
    remark = f"{repository.name} on the hub, at its commit {repository.commit[:12]}"
    if not files:
        why = missing_among(repository.name, folder, repository.files)
        raise ConfigError(f"--sae: there is no folder {folder} on the hub: {why}")
    return Place(repository.name, repository.name, files, None, repository, [remark])


def _fixed(name: str) -> tuple[str, str]:
    """The folder before the first placeholder of a path, and a pattern for what follows it."""
    match = re.search(r"(?<!\$)\{", name)
    if match is None:
        return name, ""
    before = name[: match.start()]
    folder = before.rpartition("/")[0] or "."
    rest = name.removeprefix(folder).lstrip("/")
    pattern = re.escape(rest)
    for placeholder, letters in (("{layer}", r"\d+"), ("{layer+1}", r"\d+"), ("{position}", r"\w")):
        pattern = pattern.replace(re.escape(placeholder), letters)
    return folder, f"{pattern}(/|$)"


def candidates(place: Place, form: str | None) -> list[Listed]:
    """The checkpoints of a place; where a folder within one is named, the one around it.

    Raises:
        ConfigError: there is none of a format that is read; names the formats.
    """
    if form is not None:
        try:
            entry(FORMATS, form, "--format")
        except ValueError as problem:
            raise ConfigError(str(problem)) from None
    several = checkpoints(place.files, place.above, form)
    if not several and place.folder is not None:
        several = _around(place, form)
    if several:
        return several
    what = f"of the format {form} " if form else "of a format that is read "
    tops = sorted({path.split("/")[0] for path in place.files}, key=natural)
    holds = ", ".join(tops[:8]) + (", ..." if len(tops) > 8 else "")
    others = checkpoints(place.files, place.above) if form else []
    mend = f" It is of the format {others[0].format}." if others else ""
    raise ConfigError(
        f"--sae: there is no SAE {what}in {place.name}, which holds {holds or 'nothing'}.{mend} "
        f"Formats by their files: {formats_read()}."
    )


def _around(place: Place, form: str | None) -> list[Listed]:
    """The checkpoint that a named folder is a part of; the place moves up to it."""
    assert place.folder is not None
    folder = place.folder.resolve()
    for up in (1, 2):
        if up > len(folder.parts) - 1:
            return []
        outer, inner = folder.parents[up - 1], folder.relative_to(folder.parents[up - 1])
        files = [path.relative_to(outer).as_posix() for path in outer.glob("*") if path.is_file()]
        files += [f"{inner.as_posix()}/{name}" for name in place.files]
        whole = [one for one in checkpoints(files, outer.as_posix(), form) if not one.folder]
        if whole:
            place.remarks.append(f"the SAE is the folder around it, {outer.name}")
            place.name = os.path.normpath(f"{place.name}/{'../' * up}")
            place.folder, place.above, place.files = outer, outer.as_posix(), files
            return whole
    return []


def open_listed(place: Place, one: Listed, believed: Site | None = None) -> Seen:
    """Open a checkpoint by its headers; no weight is read.

    believed: the site of one whose files and names do not say it.

    Raises:
        CheckpointError: it cannot be read.
        ConfigError: nothing says of which site it is.
    """
    form, folder = pick(FORMATS, one.format, "format"), place.local(one)
    reading = Reading(site=one.named.site or believed, writes=one.named.writes, file=one.file)
    with hollow():
        sae: SAE = form.open(folder, norms=np.ones(()), reading=reading)
    if sae.site is None:
        raise ConfigError(
            f"--sae: neither the files nor the name of {one.name or place.name} say where this SAE "
            "reads; name one layer and its position with --layers and --position."
        )
    return Seen(one, sae.site, sae.writes, sae.encoder.d_model, sae.encoder.d_sae, dict(sae.facts))


class Choice(NamedTuple):
    """The SAEs that are taken, one a site, and what else there is."""

    taken: list[Seen]
    format: str
    sites: list[Site]
    """All sites that have an SAE."""
    others: dict[Site, list[str]]
    """Names of the SAEs of these sites that are not taken."""
    all: list[tuple[Site, Listed]]
    """All SAEs with their sites."""


def choose(
    place: Place,
    sizes: Sizes,
    layers: Sequence[int] | None,
    position: str | None,
    form: str | None = None,
) -> Choice:
    """Choose the SAEs of a study.

    Without layers it is the layer next to the middle of the model that has one, without a position
    the residual stream where it has one. Of several SAEs of a site the narrowest is taken, then the
    one whose L0 is nearest to 100, then the first by name.

    Raises:
        ConfigError: none is there for the layers and the position that are asked for.
        CheckpointError: one that is taken cannot be read.
    """
    several = candidates(place, form)
    believed = Site(layers[0], position) if layers and len(layers) == 1 and position else None
    by_site = _by_site(place, several, believed)
    sites = sorted(by_site, key=lambda site: (site.layer, ORDER.index(site.position)))
    chosen = _sites(place, sites, sizes, layers, position)
    taken, others = [], {}
    for site in chosen:
        ranked = sorted(by_site[site], key=_rank)
        taken.append(open_listed(place, ranked[0], believed))
        if not taken[-1].site.is_same(site):
            raise ConfigError(
                f"--sae: {ranked[0].name or place.name} is named like {site}, and its files say "
                f"that it reads {taken[-1].site}: correct the one that is wrong."
            )
        others[site] = [one.name for one in ranked[1:]]
    every = [(site, one) for site in sites for one in by_site[site]]
    return Choice(taken, taken[0].listed.format, sites, others, every)


def _by_site(
    place: Place, several: Sequence[Listed], believed: Site | None
) -> dict[Site, list[Listed]]:
    """Checkpoints by the site that they are of, by name where the name says it."""
    by_site: dict[Site, list[Listed]] = {}
    opened, problem = 0, None
    for one in several:
        site = one.named.site
        if site is None or place.repository is None:
            if opened == OPENED and site is None:
                continue
            try:
                site = open_listed(place, one, believed).site
            except (CheckpointError, ConfigError) as mistake:
                problem = problem or mistake
            opened += 1
        if site is not None:
            by_site.setdefault(after(site), []).append(one)
    if not by_site and problem:
        raise problem
    return by_site


def after(site: Site) -> Site:
    """The stream before a block, as the one after the block before it."""
    return Site(site.layer - 1, "R") if site.position == "B" and site.layer else site


def _sites(
    place: Place,
    sites: Sequence[Site],
    sizes: Sizes,
    layers: Sequence[int] | None,
    position: str | None,
) -> list[Site]:
    """The sites that are taken, of one position; ConfigError where there are none."""
    all_sites = shown_sites(sites)
    known = [site for site in sites if site.layer < sizes.n_layers]
    if not known:
        raise ConfigError(
            f"--sae: the SAEs of {place.name} are of {all_sites}, and the model has the layers 0 "
            f"to {sizes.n_layers - 1}: they are of another model."
        )
    positions = sorted({site.position for site in known}, key=ORDER.index)
    if position is not None and position not in positions:
        raise ConfigError(
            f"--position: {place.name} has no SAE of {position.lower()}; it has {all_sites}."
        )
    wanted = [position] if position else positions
    if layers is None:
        at = next(p for p in wanted if any(site.position == p for site in known))
        middle = sizes.n_layers // 2
        own = [site for site in known if site.position == at]
        return [min(own, key=lambda site: (abs(site.layer - middle), site.layer))]
    for at in wanted:
        if all(Site(layer, at) in known for layer in layers):
            return [Site(layer, at) for layer in layers]
    missing = [layer for layer in layers if Site(layer, wanted[0]) not in known]
    raise ConfigError(
        f"--layers: {place.name} has no SAE of the layers {', '.join(map(str, missing))} at "
        f"position {wanted[0].lower()}; it has {all_sites}."
    )


def _rank(one: Listed) -> tuple[float, float, list[tuple[int, str]]]:
    """A key by which the SAEs of a site are ordered, the one that is taken first."""
    width = re.search(r"width_(\d+)([km]?)", one.weights)
    l0 = re.search(r"l0_(\d+)", one.weights)
    factor = {"": 1, "k": 1e3, "m": 1e6}
    return (
        int(width[1]) * factor[width[2]] if width else 0,
        abs(int(l0[1]) - CANONICAL_L0) if l0 else 0,
        natural(one.weights),
    )


def shown_sites(sites: Iterable[Site]) -> str:
    """Sites in words: r of the layers 0 to 11; m of the layers 3 and 5."""
    by_position: dict[str, list[int]] = {}
    for site in sites:
        by_position.setdefault(site.position, []).append(site.layer)
    parts = []
    for position, layers in by_position.items():
        run = sorted(set(layers))
        if len(run) > 2 and run == list(range(run[0], run[-1] + 1)):
            text = f"{run[0]} to {run[-1]}"
        else:
            text = ", ".join(map(str, run))
        parts.append(f"{position.lower()} of layer{'s' * (len(run) > 1)} {text}")
    return "; ".join(parts)
