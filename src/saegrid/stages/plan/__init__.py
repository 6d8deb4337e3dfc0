"""A study as its stages ask for it: model, corpora, SAEs, trainings, known numbers, judgement.

The objects know the config and the files that it names, not the files that stages make: these are
the graph's.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Any

from saegrid.base.errors import ConfigError
from saegrid.base.words import SITE_PATTERN, Cell, Site
from saegrid.codes.encode import DEVICE
from saegrid.config.check import cell_settings, cells
from saegrid.config.models import Study
from saegrid.saes.cache import BUDGET, FOLDER
from saegrid.stages.plan.corpora import Corpora
from saegrid.stages.plan.judged import Judged
from saegrid.stages.plan.model import Model
from saegrid.stages.plan.saes import Saes
from saegrid.stages.plan.trainings import Trainings
from saegrid.stages.plan.verified import Verified


class Plan:
    """A study and its parts; `graph` has the files and jobs that follow from it."""

    def __init__(self, study: Study, scripts: str | Path = "workflow/scripts") -> None:
        self.study = study
        self.root = f"results/{study.study}"
        self.cells: list[Cell] = cells(study)
        self.model = Model(study.model)
        self.corpora = Corpora(study, self.model)
        self.main = self.corpora.main
        self.saes = Saes(study, self.cells)
        self.sites: list[Site] = self._sites()
        self.trainings = Trainings(self)
        self.verified = Verified(self)
        self.judged = Judged(self)
        self._scripts = Path(scripts)
        self._settings: dict[tuple[str, str], dict[str, Any]] = {}

    def _sites(self) -> list[Site]:
        """The sites that cells read, those that transcoders write, those that are surveyed, and
        those that an analysis names as its `sites`."""
        read = {cell.site for cell in self.cells if not self.saes.is_displayed(str(cell))}
        written = {self.saes.writes(str(cell)) for cell in self.cells}
        surveyed = {Site(layer, "R") for layer in self.study.survey.layers}
        return sorted(read | (written - {None}) | surveyed | self._named())

    def _named(self) -> set[Site]:
        """The sites that analyses name; what is no site is told where they are checked."""
        sections = (section for _, section in self.study.analyses if section)
        names = {name for section in sections for name in getattr(section, "sites", ())}
        return {Site.parse(name) for name in names if re.fullmatch(SITE_PATTERN, name)}

    @cached_property
    def graph(self) -> Any:
        """Files and jobs of all stages (`stages.graph.Graph`)."""
        from saegrid.stages import load
        from saegrid.stages.graph import Graph

        return Graph(self, load())

    @cached_property
    def specs(self) -> Any:
        """Specs of all jobs (`stages.specs.Specs`)."""
        from saegrid.stages.specs import Specs

        return Specs(self.graph, self._scripts)

    def settings(self, cell: str, section: str) -> dict[str, Any]:
        """The settings of a section, for a cell with its overrides. Not to be changed."""
        if not cell:
            sections = {**dict(self.study), **dict(self.study.analyses)}
            return sections[section].model_dump(mode="json")
        alike = cell.partition("-")[2] if section == "train" else ""
        key = (cell if cell in self.study.overrides else alike, section)
        if key not in self._settings:
            self._settings[key] = cell_settings(self.study, Cell.parse(cell), section)
        return self._settings[key]

    def check_layers(self) -> None:
        """ConfigError where the grid names a layer that the model does not have. Sites that an
        analysis names are checked by it."""
        sizes, sites = self.model.sizes, {*self.sites} - self._named()
        missing = {s.layer for s in sites if sizes is not None and s.layer >= sizes.n_layers}
        if missing:
            raise ConfigError(
                f"grid: layers {sorted(missing)} are not in the model, which has the layers 0 to "
                f"{sizes.n_layers - 1}."
            )

    def learned_corpora(self) -> list[str]:
        """The corpora that SAEs of the grid learn from."""
        cells = [str(cell) for cell in self.cells]
        return sorted({self.trainings.corpus(c) for c in cells if self.saes.is_trained(c)})

    def used_corpora(self) -> list[str]:
        """The corpora on which features are described, and those that SAEs of the grid learn
        from."""
        return list(dict.fromkeys([*self.corpora.studied, *self.learned_corpora()]))

    def environment(self) -> dict[str, str]:
        """Settings that decide no value, for the environment of the jobs: specs leave them out."""
        hub = {FOLDER: self.study.hub.cache, BUDGET: repr(self.study.hub.budget_gb)}
        return hub | {DEVICE: self.study.model.device}

    def gpu(self) -> int:
        """GPUs that a job with the model or an encoder asks for."""
        return 0 if self.study.model.device == "cpu" else 1
