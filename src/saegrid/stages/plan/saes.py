"""The SAEs of a study: trained here, or read from checkpoints."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saegrid.base.errors import ConfigError
from saegrid.base.paths import expand
from saegrid.base.registry import lookup
from saegrid.base.words import SAE_PATTERN, SITE_PATTERN, Cell
from saegrid.config.models import Study

NOTHING = "(?!)"
"""A pattern that nothing matches."""


class Saes:
    """The catalogue of SAEs."""

    def __init__(self, study: Study, cells: Iterable[Cell]) -> None:
        self.study = study
        used = sorted({cell.sae for cell in cells})
        self.trained = [name for name in used if study.saes[name].source == "train"]
        self.imported = [name for name in used if name not in self.trained]

    def is_trained(self, cell: str) -> bool:
        """Whether the SAE of a cell is trained here."""
        return Cell.parse(cell).sae in self.trained

    def checkpoint(self, cell: str) -> dict[str, Any]:
        """Where a cell's checkpoint lies, its layer and position filled in; a path comes first."""
        site, name = Cell.parse(cell)
        sae = self.study.saes[name].model_dump(mode="json")
        if sae["path"]:
            sae |= {"repo": None, "folder": None, "revision": None}
        if isinstance(sae["revision"], dict):
            sae["revision"] = sae["revision"].get(site.position)
        for key in ("path", "repo", "folder"):
            if sae[key]:
                sae[key] = sae[key].replace("{layer}", str(site.layer))
                sae[key] = sae[key].replace("{position}", site.position)
        return sae

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

    def content(self, cell: str) -> list[list[Any]] | None:
        """What stands for the bytes of a cell's checkpoint; None where it is on the hub."""
        folder = self.folder(cell)
        if folder is None:
            return None
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [[str(path.relative_to(folder)), path.stat().st_size] for path in files]

    def reader(self, cell: str) -> str:
        """Module that reads the format of a cell's SAE."""
        name = "sae_lens" if self.is_trained(cell) else self.checkpoint(cell)["format"]
        return lookup("saegrid.saes.formats:FORMATS", name, "format")

    def from_hub(self, cell: str) -> bool:
        """Whether a cell's checkpoint comes from the hub."""
        return not self.is_trained(cell) and not self.checkpoint(cell)["path"]

    def pattern(self, names: Iterable[str] | None = None) -> str:
        """Regular expression of the cells with these SAEs; of any cell without."""
        saes = SAE_PATTERN if names is None else "|".join(map(re.escape, names))
        return f"{SITE_PATTERN}-(?:{saes})" if saes else NOTHING
