"""The shards of a corpus: ranges of whole rows, each captured and encoded by its own jobs.

The activations of a token, and its exact z, depend on its row alone, so that joined shards equal
the whole. A shard is named in paths as `/shard-2-of-8`; a corpus of one shard has the empty name.
"""

import re

import numpy as np

SHARD_PATTERN = r"(/shard-\d+-of-\d+)?"
"""Regular expression of the names of shards."""


class ShardError(ValueError):
    """An error of a corpus that cannot be cut into the shards of its config."""


def shard_names(n: int) -> list[str]:
    """The names of n shards, in the order of their rows."""
    return [""] if n == 1 else [f"/shard-{number}-of-{n}" for number in range(1, n + 1)]


def numbers(name: str) -> tuple[int, int] | None:
    """The number, from 1, and the count of shards in a name; None for the empty one."""
    if not name:
        return None
    number, of = map(int, re.findall(r"\d+", name))
    return number, of


def part_of(row: np.ndarray, number: int, of: int) -> slice:
    """The captured tokens of shard `number` of `of`, about as many as in every other.

    A row is never cut and no shard is empty. row: (captured token,), the row of each, ascending.

    Raises:
        ShardError: fewer rows than shards hold a captured token.
    """
    opens = np.flatnonzero(np.diff(row, prepend=-1))
    if len(opens) < of:
        raise ShardError(
            f"shards: {of} shards need as many rows with captured tokens; the corpus has "
            f"{len(opens)}. Set shards to {len(opens)} or less."
        )
    edges, step = np.append(opens, len(row)), np.arange(of + 1)
    cuts = np.searchsorted(edges, step * len(row) // of)
    cuts = np.maximum.accumulate(cuts - step) + step  # at least one row for each shard so far
    cuts = np.minimum(cuts, len(opens) - of + step)  # and for each that is still to come
    return slice(int(edges[cuts[number - 1]]), int(edges[cuts[number]]))
