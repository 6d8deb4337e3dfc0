"""Spec and targets of the judgement of all SAEs."""

from typing import Any

from saegrid.base.digest import digest
from saegrid.pages.figures import HEALTH_FIGURES
from saegrid.saes.training.settings import parse
from saegrid.stages.plan.metrics import MetricSpecs
from saegrid.stages.plan.spec import remembered


class HealthSpecs(MetricSpecs):
    """The table of all SAEs, its page and its figures."""

    @remembered
    def health_spec(self) -> str:
        """Spec of the table, the page and the figures of all SAEs."""
        cells = [str(cell) for cell in self.cells]
        metrics = {cell: self.metrics_spec(cell, self.measured_corpus(cell)) for cell in cells}
        return self.spec(
            "health",
            sorted(HEALTH_FIGURES.values()),
            [self.baselines_spec(name, site) for name, site in self.measured_sites()],
            study=self.study.study,
            title=self.study.pages.title,
            model=self.study.model.path,
            cells=cells,
            expected={cell: digest(spec) for cell, spec in metrics.items()},
            saes={cell: self._told(cell) for cell in cells},
        )

    def _told(self, cell: str) -> dict[str, Any]:
        """What the config says of a cell's SAE; of the settings of recipes those that it names
        anywhere, with their defaults where it does not."""
        if not self.is_trained(cell):
            return self.checkpoint(cell)
        told = self.settings(cell, "train")
        every = vars(parse(told["recipe"], told["settings"]))
        return told | {"settings": {k: every[k] for k in self._named_settings() if k in every}}

    @remembered
    def _named_settings(self) -> list[str]:
        """Settings of recipes that the config names for any cell."""
        trained = [cell for cell in map(str, self.cells) if self.is_trained(cell)]
        return sorted({key for cell in trained for key in self.settings(cell, "train")["settings"]})

    def all_metrics(self) -> list[str]:
        """Numbers of every cell, on the corpora they are judged on; in the order of the grid."""
        cells = map(str, self.cells)
        return [self.metrics_file(cell, self.measured_corpus(cell)) for cell in cells]

    def all_baselines(self) -> list[str]:
        """Baselines of every site."""
        return [self.baselines_file(name, site) for name, site in self.measured_sites()]

    def histories(self) -> list[str]:
        """Histories of the SAEs that are trained here."""
        cells = [str(cell) for cell in self.cells if cell.sae in self.trained]
        return [f"{self.root}/saes/{cell}/history.parquet" for cell in cells]

    def metric_targets(self) -> list[str]:
        """Numbers of every cell, baselines of every site, and all of them judged."""
        figures = [f"{self.root}/figures/{name}.svg" for name in sorted(HEALTH_FIGURES)]
        judged = [f"{self.root}/health.parquet", f"{self.root}/health.html", *figures]
        numbers = [*self.all_metrics(), *self.all_baselines()]
        return [*self.together_files(), *numbers, *judged]
