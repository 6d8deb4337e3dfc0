"""The parts of the names of cells in words, for the pages and figures that show such names."""

from collections.abc import Iterable

from saegrid.base.words import POSITIONS, Cell, Site

NAMED = 6
"""Names of SAEs that are listed, of those that say nothing about a size."""


def legend(names: Iterable[str]) -> list[tuple[str, str]]:
    """The letters, numbers and names in names of cells or sites, each with its words: the layer,
    then positions, then sizes of SAEs, then other names of SAEs.

    names: cells such as L15R-32x, or sites such as L15R; [] of none.
    """
    every = list(dict.fromkeys(names))
    if not every:
        return []
    sites = [Cell.parse(name).site if "-" in name else Site.parse(name) for name in every]
    saes = sorted({Cell.parse(name).sae for name in every if "-" in name})
    own = {site.position for site in sites}
    layer = f"L{sites[0].layer}"
    entries = [(f"{layer} in {every[0]}", f"layer {sites[0].layer}, counted from 0")]
    entries += [(position, words) for position, words in POSITIONS.items() if position in own]
    sizes = sorted((sae for sae in saes if is_size(sae)), key=lambda sae: int(sae[:-1]))
    if sizes:
        counts = " or ".join(sae[:-1] for sae in sizes)
        words = f"SAE with {counts} features for each dimension it reads"
        entries.append((", ".join(sizes), words))
    others = [sae for sae in saes if not is_size(sae)]
    if others:
        listed = ", ".join(others[:NAMED]) + (" …" if len(others) > NAMED else "")
        entries.append((listed, "SAE by its name in the config"))
    return entries


def is_size(sae: str) -> bool:
    """True of the name of an SAE that is its expansion: 8x."""
    return sae.endswith("x") and sae[:-1].isdigit()
