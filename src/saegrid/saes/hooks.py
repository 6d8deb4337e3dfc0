"""Names of hook points in checkpoints, and the sites that they mean."""

import re

from saegrid.base.words import Site

SUFFIXES = {
    "A": "hook_attn_out",
    "M": "hook_mlp_out",
    "R": "hook_resid_post",
    "N": "mlp.hook_post",
}
"""Suffix after `blocks.{layer}.` for each position (llama-scope.md 1.4)."""


def hook_of(site: Site) -> str:
    """The hook point's name of a site: L15R is `blocks.15.hook_resid_post`."""
    return f"blocks.{site.layer}.{SUFFIXES[site.position]}"


def site_of(hook: str) -> Site | None:
    """The site that a hook point's name means; None for a place that is no site.

    The residual stream before a block is the one after the block before it.
    """
    match = re.fullmatch(r"blocks\.(\d+)\.(\S+)", hook)
    if not match:
        return None
    layer, suffix = int(match[1]), match[2]
    if suffix == "hook_resid_pre" and layer > 0:
        return Site(layer - 1, "R")
    positions = [position for position, known in SUFFIXES.items() if known == suffix]
    return Site(layer, positions[0]) if positions else None
