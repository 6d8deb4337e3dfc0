"""SAEs over a grid of settings: each combination becomes an SAE of the catalogue."""

import re
from itertools import product
from typing import Any

import numpy as np

from saegrid.config.models import Block, Study, Sweep, TrainedSae

OTHER = r"[^A-Za-z0-9_.]"
"""What the name of an SAE does not hold (`words.SAE_PATTERN`)."""


class SweepError(ValueError):
    """A sweep's values make no SAEs, or no names for them."""


def written(value: Any) -> str:
    """A value as a part of an SAE's name: 0.0001 and not 1e-04, none for null.

    What no such name may hold, as the sign of -1 and of gen-2, is _.
    """
    if isinstance(value, float):
        value = np.format_float_positional(value, trim="-")
    return "none" if value is None else re.sub(OTHER, "_", str(value).lower())


def combinations(sweep: Sweep) -> list[dict[str, Any]]:
    """What each SAE of a sweep changes: every row with every combination of values."""
    values = [
        dict(zip(sweep.over, chosen, strict=True)) for chosen in product(*sweep.over.values())
    ]
    return [{**row, **chosen} for row in sweep.rows or [{}] for chosen in values]


def members(name: str, sweep: Sweep) -> dict[str, TrainedSae]:
    """The SAEs of a sweep, each named by what it changes: `name.k_32.seed_1`."""
    found: dict[str, TrainedSae] = {}
    for changed in combinations(sweep):
        _check(name, changed)
        parts = [f"{key}_{written(value)}" for key, value in changed.items()]
        own = {key: value for key, value in changed.items() if key in TrainedSae.model_fields}
        told = {key: value for key, value in changed.items() if key not in own}
        base = sweep.base.model_dump()
        settings = {**base["settings"], **told}
        member = ".".join([name, *parts])
        if member in found:
            raise SweepError(f"sweeps.{name}: two SAEs would be named {member}; leave one out.")
        found[member] = TrainedSae(**{**base, **own, "settings": settings})
    return found


def _check(name: str, changed: dict[str, Any]) -> None:
    """What a sweep changes is one value a key."""
    for key, value in changed.items():
        if key == "settings" or isinstance(value, dict | list):
            raise SweepError(
                f"sweeps.{name}: {key} is one of its values, {value!r}; expected settings by their "
                "own names, each with plain values, like over: {k: [16, 32], seed: [0, 1]}."
            )


def expand(study: Study) -> Study:
    """The study with the SAEs of its sweeps in its catalogue and in its grids."""
    named = {name: members(name, sweep) for name, sweep in study.sweeps.items()}
    for name, found in named.items():
        for taken in sorted(study.saes.keys() & {name, *found}):
            # A resolved config, given again, has the members already.
            if study.saes[taken] != found.get(taken):
                raise SweepError(
                    f"sweeps.{name}: {taken} is the name of one of saes as well; rename one."
                )

    def widened(block: Block) -> Block:
        saes = [member for sae in block.saes for member in named.get(sae, [sae])]
        return block.model_copy(update={"saes": saes})

    return study.model_copy(
        update={
            "saes": {**study.saes, **{k: v for found in named.values() for k, v in found.items()}},
            "grids": {name: list(map(widened, blocks)) for name, blocks in study.grids.items()},
            "grid": study.grid if isinstance(study.grid, str) else list(map(widened, study.grid)),
        }
    )
