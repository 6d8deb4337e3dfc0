"""The file of expected numbers of a set of checkpoints, with their sources."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, model_validator

from saegrid.base.io import read_yaml
from saegrid.base.section import Number, Positive, Share, Strict
from saegrid.base.words import Cell, Site

Above = Annotated[Number, Field(gt=0)]


class Counts(Strict):
    """Expected L0 of each token of a sentence, without BOS."""

    value: list[int]
    """Number of active features of each token, in order."""
    near: int
    """Largest difference at which a token counts as near."""
    near_share: Share
    """Least share of the tokens that must be near."""
    most: int
    """Largest difference of any token."""
    mean: Above
    """Largest difference of the mean over the tokens."""


class Error(Strict):
    """Expected error of a reconstruction."""

    value: Above
    """Expected mean over tokens and channels of (x - x_hat)^2."""
    tolerance: Above
    """Largest difference from the value."""


class Golden(Strict):
    """A sentence with the numbers that were published for one SAE."""

    cell: str
    """Name of the SAE's cell in the grid."""
    d_sae: Positive
    """Number of features of the SAE."""
    text: str
    """Text of the sentence."""
    l0: Counts
    """Expected L0 of the sentence's tokens."""
    mse: Error
    """Expected error of the sentence's reconstruction."""
    source: str
    """Publication of the numbers."""


class Norms(Strict):
    """Expected mean |x| over tokens that are not special."""

    factor: Annotated[Number, Field(gt=1)]
    """Largest factor by which a mean may be too large or too small."""
    tokens: Positive
    """Approximate number of tokens of the study's own text that are measured."""
    value: dict[str, dict[int, Above]]
    """Means by position and layer."""
    source: str
    """Publication of the numbers."""

    def at(self, site: Site) -> float | None:
        """The expected mean at a site; None if the table has none."""
        return self.value.get(site.position, {}).get(site.layer)


class Decoder(Strict):
    """Expected largest entries of decoder directions."""

    tolerance: Above
    """Largest difference from a printed value, and between entries in the wrong order."""
    value: dict[str, dict[int, dict[int, Number]]]
    """Entries by cell, feature and channel; directions have norm one."""
    source: str
    """Publication of the numbers."""


class Expected(Strict):
    """All expected numbers of a file."""

    golden: Annotated[tuple[Golden, ...], Field(strict=False)] = ()
    """Sentences with their numbers."""
    norms: Norms | None = None
    """Expected norms of activations."""
    decoder_top3: Decoder | None = None
    """Expected entries of decoder directions."""

    @model_validator(mode="after")
    def _cells_are_cells(self) -> "Expected":
        decoders = self.decoder_top3.value if self.decoder_top3 else {}
        for cell in [*(golden.cell for golden in self.golden), *decoders]:
            Cell.parse(cell)
        return self


def read(path: str | Path) -> Expected:
    """The expected numbers of a YAML file; ValueError names the file and each wrong key."""
    try:
        return Expected(**read_yaml(path))
    except ValidationError as problem:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors()]
        raise ValueError(
            f"{path}: expected numbers cannot be read.\n  " + "\n  ".join(lines)
        ) from None
    except (yaml.YAMLError, TypeError) as problem:
        raise ValueError(
            f"{path}: must be YAML with golden, norms, decoder_top3; {problem}"
        ) from None
