"""The vocabulary of the project: sites, cells, sides."""

import re
from functools import cache
from typing import Any, NamedTuple

POSITIONS = {
    "A": "attention output, after its projection and before the residual add",
    "M": "MLP output, before the residual add",
    "R": "residual stream after the block",
    "N": "hidden neurons of the MLP, the input of its down-projection",
    "Z": "outputs of the heads side by side, the input of the attention's output projection",
    "I": "input of the MLP, after the norm before it",
    "B": "residual stream before the block; of layer 0 the embeddings",
    "H": "residual stream in the middle of the block, after the attention and before the MLP",
}
"""Positions in a block at which activations are read."""

EDITED, ORIGINAL, PLAIN = SIDES = ("edited", "original", "plain")
"""Sides of a pair that a row can hold; unpaired text is plain."""
PROMPT = "prompt"
"""Side of the tokens of a prompt, in whose row the tokens that continue it are plain."""

SITE_PATTERN = r"L\d+[AMRNZIBH]"
SAE_PATTERN = r"[A-Za-z0-9_.]+"


class Site(NamedTuple):
    """A site: a layer and a position in its block, written `L15R`."""

    layer: int
    position: str

    def __str__(self) -> str:
        return f"L{self.layer}{self.position}"

    def is_same(self, other: "Site") -> bool:
        """Return True if both are the same activations: the stream before a block is that after
        the block before it."""
        after, before = (
            Site(site.layer - 1, "R") if site.position == "B" and site.layer else site
            for site in (self, other)
        )
        return after == before

    @classmethod
    @cache
    def parse(cls, text: str) -> "Site":
        """The site written as `text`; ValueError if it is not a site."""
        if not re.fullmatch(SITE_PATTERN, text):
            raise ValueError(
                f"A site must be written like L15R (layer, then one of {', '.join(POSITIONS)}); "
                f"got {text!r}."
            )
        return cls(int(text[1:-1]), text[-1])


class Cell(NamedTuple):
    """A cell: a site and the name of an SAE there, written `L15R-32x`."""

    site: Site
    sae: str

    def __str__(self) -> str:
        return f"{self.site}-{self.sae}"

    @classmethod
    @cache
    def parse(cls, text: str) -> "Cell":
        """The cell written as `text`; ValueError if it is not a cell."""
        site, dash, sae = text.partition("-")
        if not dash or not re.fullmatch(SAE_PATTERN, sae):
            raise ValueError(f"A cell must be written like L15R-32x; got {text!r}.")
        return cls(Site.parse(site), sae)

    def columns(self) -> dict[str, Any]:
        """The columns by which tables name a cell: cell, layer, position, sae."""
        site = self.site
        place = {"layer": site.layer, "position": site.position}
        return {"cell": str(self), **place, "sae": self.sae}
