"""SAEs over a grid of settings: each combination becomes an SAE of the catalogue."""

import re
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
from pydantic import ValidationError

from saegrid.base.errors import shown
from saegrid.config.messages import Mistake, explained
from saegrid.config.models import Block, Study, Sweep, TrainedSae

OTHER = r"[^A-Za-z0-9_.]"
"""Pattern of characters that the name of an SAE cannot hold (`words.SAE_PATTERN`)."""


LONGEST, MOST = 200, 10_000
"""Letters of an SAE's name, which becomes that of a folder, and SAEs of a sweep."""


def written(value: Any) -> str:
    """A value as a part of an SAE's name: 0.0001 and not 1e-04, none for null.

    What no such name may hold, as the sign of -1 and of gen-2, is _.
    """
    if isinstance(value, float):
        value = np.format_float_positional(value, trim="-")
    return "none" if value is None else re.sub(OTHER, "_", str(value).lower())


def combinations(sweep: Sweep) -> list[dict[str, Any]]:
    """The settings that each SAE of a sweep changes: every row with every combination of values."""
    values = [
        dict(zip(sweep.over, chosen, strict=True)) for chosen in product(*sweep.over.values())
    ]
    return [{**row, **chosen} for row in sweep.rows or [{}] for chosen in values]


def members(name: str, sweep: Sweep) -> tuple[dict[str, TrainedSae], list[Mistake]]:
    """The SAEs of a sweep, each named by what it changes: `name.k_32.seed_1`; and its mistakes."""
    mistakes = list(_mistakes(name, sweep))
    saes: dict[str, TrainedSae] = {}
    for changed in [] if mistakes else combinations(sweep):
        parts = [f"{key}_{written(value)}" for key, value in changed.items()]
        own = {key: value for key, value in changed.items() if key in TrainedSae.model_fields}
        settings = {key: value for key, value in changed.items() if key not in own}
        base = sweep.base.model_dump()
        whole = {**base, **own, "settings": {**base["settings"], **settings}}
        member = ".".join([name, *parts])
        if member in saes:
            mistakes.append(
                _mistake(name, f"two SAEs would be named {member[:LONGEST]}; leave one out.")
            )
        if len(member) > LONGEST:
            mistakes.append(
                _mistake(
                    name,
                    f"an SAE would be named {member[:40]}..., of {len(member)} letters; a name may "
                    f"have {LONGEST}. Vary fewer settings, or shorten the sweep's name.",
                )
            )
        try:
            saes[member] = TrainedSae(**whole)
        except ValidationError as problem:
            errors = problem.errors(include_url=False)
            mistakes += explained(errors, whole, f"sweeps.{name}", sorted(TrainedSae.model_fields))
    return saes, list(dict.fromkeys(mistakes))


def _mistakes(name: str, sweep: Sweep) -> Iterator[Mistake]:
    """Mistakes of a sweep that changes nothing, makes too many SAEs or varies a nested value."""
    if not sweep.over and not any(sweep.rows):
        yield _mistake(
            name, "it changes nothing. Give over: {k: [16, 32]}, or rows, or put it among saes."
        )
        return
    if not sweep.over and not all(sweep.rows):
        yield _mistake(name, "a row changes nothing, so that its SAE has no name. Leave it out.")
    count = len(sweep.rows or [{}]) * prod(map(len, sweep.over.values()))
    if count > MOST:
        yield _mistake(name, f"it would make {count:,} SAEs; at most {MOST:,}. Vary less.")
    varied = [(key, value) for key, values in sweep.over.items() for value in values]
    varied += [pair for row in sweep.rows for pair in row.items()]
    nested = [(k, v) for k, v in varied if k == "settings" or isinstance(v, dict | list)]
    for key, value in dict(reversed(nested)).items():
        yield _mistake(
            name,
            f"{key} is one of its values, {shown(value)}; expected settings by their own "
            "names, each with plain values, like over: {k: [16, 32], seed: [0, 1]}.",
        )


def _mistake(name: str, text: str) -> Mistake:
    return Mistake("config", f"sweeps.{name}: {text}", f"sweeps.{name}")


def expand(study: Study) -> tuple[Study, list[Mistake]]:
    """The study with the SAEs of its sweeps in its catalogue and in its grids; and mistakes."""
    named, mistakes = {}, []
    for name, sweep in study.sweeps.items():
        named[name], problems = members(name, sweep)
        mistakes += problems
    for name, saes in named.items():
        for taken in sorted(study.saes.keys() & {name, *saes}):
            # A resolved config, given again, has the members already.
            if study.saes[taken] != saes.get(taken):
                text = f"{taken} is the name of one of saes as well; rename one."
                mistakes.append(_mistake(name, text))

    def widened(block: Block) -> Block:
        saes = [member for sae in block.saes for member in named.get(sae, [sae])]
        return block.model_copy(update={"saes": saes})

    added = {member: sae for saes in named.values() for member, sae in saes.items()}
    expanded = study.model_copy(
        update={
            "saes": {**study.saes, **added},
            "grids": {name: list(map(widened, blocks)) for name, blocks in study.grids.items()},
            "grid": study.grid if isinstance(study.grid, str) else list(map(widened, study.grid)),
        }
    )
    return expanded, mistakes
