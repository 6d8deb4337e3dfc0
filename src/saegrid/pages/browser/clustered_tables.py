"""The tables of clusters, as pages read them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa


class Site(NamedTuple):
    """The tables of a site."""

    name: str
    clusterings: pa.Table
    ks: pa.Table
    clusters: pa.Table
    members: pa.Table
    flagged: pa.Table


def site_of(
    cell: str, sites: Sequence[str], paths: Sequence[str], read: Callable[[str], pa.Table]
) -> Site | None:
    """The tables at the site of a cell; paths: those of all sites, one after the other, none where
    the study makes no clusters."""
    if not paths:
        return None
    n = len(Site._fields) - 1
    at = sites.index(cell.partition("-")[0])
    return Site(sites[at], *map(read, paths[at * n : at * n + n]))


def rows_of(sites: Sequence[Site], table: str) -> list[dict[str, Any]]:
    """The rows of a table of all sites, with the site of each."""
    return [{**row, "site": s.name} for s in sites for row in getattr(s, table).to_pylist()]
