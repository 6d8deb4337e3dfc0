"""The files of the cells that are searched."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base import io
from saegrid.codes.sparse import Features, read_features
from saegrid.interventions.search import SearchError
from saegrid.meaning.commonest import commonest

NOWHERE = Path("nowhere")
"""The folder of an SAE that a search does not need."""


class Place(NamedTuple):
    """The files of a cell."""

    cell: str
    codes: Path
    """features.safetensors."""
    top: Path
    """top_tokens.parquet, for the words of features."""
    sae: Path
    """The folder of its SAE."""

    def features(self) -> Features:
        """Its codes, mapped; SearchError where they were not made."""
        if not self.codes.is_file():
            raise SearchError(
                f"{self.codes} is not there: a search reads the codes of every cell. Make them "
                "with snakemake's target cells of this study."
            )
        return read_features(self.codes)

    def words(self, features: Sequence[int]) -> list[str | None]:
        """The commonest words of the top tokens of some features; None where one has none."""
        if not len(features) or not self.top.is_file():
            return [None] * len(features)
        ids = sorted({int(one) for one in features})
        names = ["feature", "example_rank", "activation", "word"]
        top = io.read_table(self.top, names)
        import pyarrow.compute as pc

        wanted = pc.is_in(top["feature"], pa.array(ids, top["feature"].type))
        wanted = pc.and_(wanted, pc.greater(top["activation"], 0))
        by_id = dict(zip(ids, commonest(top.filter(wanted), ids), strict=True))
        return [by_id[int(one)] for one in features]


class Cells(NamedTuple):
    """A study on one of its corpora, as it is searched."""

    tokens: Path
    """tokens.parquet of the corpus."""
    places: Sequence[Place]
    model: dict[str, Any]
    """Settings of the model, as in the config; empty where the study has none."""
    parses: bool = False
    """True if special tokens that are written in a text are special."""
    threads: int = 1
    """Threads of the forward pass: those of the corpus' capture, for the same bits."""

    def weighed(self) -> "Cells":
        """The cells that have weights; SearchError where none has."""
        known = ("cfg.json", "reference.json")
        places = [one for one in self.places if any((one.sae / name).is_file() for name in known)]
        if not places:
            raise SearchError(
                "A search by prompt needs the SAEs of the cells, and none of these has its weights "
                f"in {self.places[0].sae.parent if self.places else 'the study'}. Make them with "
                "snakemake's target saes, or search for one word, which needs none."
            )
        return self._replace(places=places)

    def check_model(self) -> None:
        """SearchError where there are no settings of a model."""
        if not self.model.get("path"):
            raise SearchError(
                f"A search by prompt runs the model, and {self.tokens.parents[1]} has no "
                "config.json that names it. Make the study with snakemake, or search for one word."
            )


def of_inputs(inputs: Any, settings: Mapping[str, Any]) -> Cells:
    """The cells of a study from the inputs of a job: features, top, saes (two files of each that
    has weights) and tokens. settings: cells, and weighed, model and parses where a model runs."""
    folders = [Path(path).parent for path in inputs.saes[::2]]
    by_cell = dict(zip(settings.get("weighed", []), folders, strict=True))
    places = [
        Place(cell, Path(codes), Path(top), by_cell.get(cell, NOWHERE))
        for cell, codes, top in zip(settings["cells"], inputs.features, inputs.top, strict=True)
    ]
    tokens = Path(inputs.tokens)
    threads = settings.get("threads", 1)
    return Cells(tokens, places, settings.get("model", {}), settings.get("parses", False), threads)
