"""The SAEs of a study: trained here, or read from checkpoints."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from saegrid.base.digest import file_digests
from saegrid.base.errors import CheckpointError, ConfigError
from saegrid.base.paths import expand
from saegrid.base.registry import lookup
from saegrid.base.words import SAE_PATTERN, SITE_PATTERN, Cell, Site
from saegrid.config.checkpoints import location, neuronpedia
from saegrid.config.models import Study
from saegrid.saes.reference import content_of, files_of
from saegrid.stages.stage import NOTHING


class Saes:
    """The catalogue of SAEs."""

    def __init__(self, study: Study, cells: Iterable[Cell]) -> None:
        self.study, self.cells = study, list(cells)
        used = sorted({cell.sae for cell in self.cells})
        self.trained = [name for name in used if study.saes[name].source == "train"]
        self.displayed = [name for name in used if study.saes[name].source == "dashboards"]
        self.imported = [n for n in used if n not in self.trained and n not in self.displayed]

    def is_trained(self, cell: str) -> bool:
        """Return True if the SAE of a cell is trained in this study."""
        return Cell.parse(cell).sae in self.trained

    def is_displayed(self, cell: str) -> bool:
        """Return True if published pages are all that is known of the SAE of a cell."""
        return Cell.parse(cell).sae in self.displayed

    def checkpoint(self, cell: str) -> dict[str, Any]:
        """The location of a cell's checkpoint, layer and position filled in; a path comes first.
        ConfigError where there is none."""
        named = Cell.parse(cell)
        if self.is_displayed(cell):
            raise ConfigError(
                f"saes.{named.sae}: published pages are all that is known of {cell}, so that it "
                "has no weights, activations or metrics. Ask for the target all or pages."
            )
        sae = location(self.study.saes[named.sae], named)
        return sae | {"repo": None, "folder": None, "revision": None} if sae["path"] else sae

    def neuronpedia(self, cell: str) -> str | None:
        """Model and source of a checkpoint's cell on Neuronpedia; None where the section names
        none."""
        named = Cell.parse(cell)
        return neuronpedia(self.study.saes[named.sae], named)

    def writes(self, cell: str) -> Site | None:
        """The site that a transcoder writes; None for an SAE, which writes where it reads."""
        has = not self.is_trained(cell) and not self.is_displayed(cell)
        position = self.checkpoint(cell)["writes"] if has else None
        site = Cell.parse(cell).site
        return site._replace(position=position.upper()) if position else None

    def folder(self, cell: str) -> Path | None:
        """The local folder of a cell's checkpoint, None where it is on the hub; ConfigError where
        it is missing, or where no commit is named."""
        sae = self.checkpoint(cell)
        site, name = Cell.parse(cell)
        if sae["path"]:
            folder = Path(expand(sae["path"]))
            if not folder.is_dir():
                raise ConfigError(f"saes.{name}: no checkpoint of {cell} at {folder}.")
            return folder
        if not sae["revision"]:
            raise ConfigError(
                f"saes.{name}.revision: name the commit of {sae['repo']} (position "
                f"{site.position}) on the hub, so that the results can be repeated. "
                "`python -m saegrid.saes.pin` looks up the present ones, see its help."
            )
        return None

    def files(self, cell: str) -> list[str]:
        """The local files of a cell's checkpoint that its format reads; none where it is on the
        hub."""
        folder = self.folder(cell)
        names = files_of(self.checkpoint(cell), folder) if folder else ()
        return [str(folder / name) for name in names if folder]

    def content(self, cell: str) -> str | None:
        """Digest of the bytes of these files; None where the checkpoint is on the hub."""
        folder = self.folder(cell)
        if folder is None:
            return None
        self._read_ahead  # noqa: B018
        try:
            return content_of(folder, files_of(self.checkpoint(cell), folder))
        except CheckpointError as problem:
            raise ConfigError(f"saes.{Cell.parse(cell).sae}: {problem}") from None

    @cached_property
    def _read_ahead(self) -> None:
        """All checkpoints of the grid are digested together, several files at a time."""
        paths: list[str] = []
        for cell in (str(cell) for cell in self.cells if cell.sae in self.imported):
            with suppress(ValueError):  # told where the cell itself is asked
                paths += filter(os.path.isfile, self.files(cell))
        file_digests(paths)

    def reader(self, cell: str) -> str:
        """Module that reads the format of a cell's SAE."""
        name = "sae_lens" if self.is_trained(cell) else self.checkpoint(cell)["format"]
        return lookup("saegrid.saes.formats:FORMATS", name, "format")

    def from_hub(self, cell: str) -> bool:
        """Return True if a cell's checkpoint comes from the hub."""
        if self.is_trained(cell) or self.is_displayed(cell):
            return False
        return not self.checkpoint(cell)["path"]

    @property
    def weighed(self) -> str:
        """Regular expression of the cells whose SAE has weights."""
        others = [name for name in self.study.saes if name not in self.displayed]
        return self.pattern(others if self.displayed else None)

    def pattern(self, names: Iterable[str] | None = None) -> str:
        """Regular expression of the cells with these SAEs; of any cell without."""
        saes = SAE_PATTERN if names is None else "|".join(map(re.escape, names))
        return f"{SITE_PATTERN}-(?:{saes})" if saes else NOTHING
