"""The file of expected numbers: what a set of checkpoints gives, as data with its sources."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError, model_validator

from saegrid.base.io import read_yaml
from saegrid.base.section import Number, Positive, Share, Strict
from saegrid.base.words import Cell, Site

Above = Annotated[Number, Field(gt=0)]


class Counts(Strict):
    """L0 of each token of a sentence, BOS left out."""

    value: list[int]
    """Active features of each token, in order."""
    near: int
    """A token is near where its count is off by no more than this."""
    near_share: Share
    """Share of the tokens that must be near."""
    most: int
    """No token may be off by more."""
    mean: Above
    """Nor the mean over the tokens by more than this."""


class Error(Strict):
    """Error of a reconstruction."""

    value: Above
    """Mean over tokens and channels of (x - x_hat)^2."""
    tolerance: Above
    """Largest difference."""


class Golden(Strict):
    """A sentence whose numbers were published for one SAE."""

    cell: str
    """The SAE, as the grid writes its cell."""
    d_sae: Positive
    """Its number of features."""
    text: str
    """The sentence."""
    l0: Counts
    """Active features of its tokens."""
    mse: Error
    """Error of its reconstruction."""
    source: str
    """Where the numbers were published."""


class Norms(Strict):
    """Mean |x| over tokens that are not special."""

    factor: Annotated[Number, Field(gt=1)]
    """How many times too large or too small a mean may be."""
    tokens: Positive
    """How many tokens of the study's own text are measured, about."""
    value: dict[str, dict[int, Above]]
    """By position and layer."""
    source: str
    """Where the numbers were published."""

    def at(self, site: Site) -> float | None:
        """The expected mean at a site; None where the table has none."""
        return self.value.get(site.position, {}).get(site.layer)


class Decoder(Strict):
    """The largest entries of decoder directions."""

    tolerance: Above
    """Of a printed value, and of the order."""
    value: dict[str, dict[int, dict[int, Number]]]
    """By cell, feature and channel; directions have norm one."""
    source: str
    """Where the numbers were published."""


class Expected(Strict):
    """All expected numbers of a file."""

    golden: Annotated[tuple[Golden, ...], Field(strict=False)] = ()
    """Sentences."""
    norms: Norms | None = None
    """Norms of activations."""
    decoder_top3: Decoder | None = None
    """Decoder directions."""

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
