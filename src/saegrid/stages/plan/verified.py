"""Known numbers of checkpoints that apply to a study."""

from functools import cached_property
from typing import TYPE_CHECKING

from saegrid.base.errors import ConfigError
from saegrid.base.words import Cell
from saegrid.metrics.verify.expected import Expected, read
from saegrid.stages.stage import local_file

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan


class Verified:
    """The published numbers that are compared before a study with checkpoints goes on."""

    def __init__(self, plan: "Plan") -> None:
        self.plan = plan

    @cached_property
    def imported(self) -> list[str]:
        """SAEs of checkpoints: those of the grid, and that of a golden sentence outside of it."""
        return sorted({*self.plan.saes.imported, *(Cell.parse(c).sae for c in self.golden)})

    @cached_property
    def expected(self) -> Expected:
        """The known numbers that the config names; none where it names no file."""
        path = self.plan.study.verify.expected
        if path is None or not self.plan.saes.imported:
            return Expected()
        file = local_file("verify.expected", path)
        try:
            return read(file)
        except ValueError as problem:
            raise ConfigError(f"verify.expected: {problem}") from None

    @cached_property
    def golden(self) -> list[str]:
        """Cells of the golden sentences whose SAE is a checkpoint of the catalogue."""
        settings, saes = self.plan.study.verify, self.plan.study.saes
        if settings.expected is None or not settings.golden:
            return []
        cells = [golden.cell for golden in self.expected.golden]
        named = [(cell, saes.get(Cell.parse(cell).sae)) for cell in cells]
        return sorted(cell for cell, sae in named if sae and sae.source == "checkpoint")

    @cached_property
    def decoder(self) -> list[str]:
        """Cells of the grid whose decoder directions are known."""
        known = self.expected.decoder_top3
        if known is None or not self.plan.study.verify.decoder:
            return []
        imported = {str(cell) for cell in self.plan.cells if cell.sae in self.plan.saes.imported}
        return sorted(imported & set(known.value))

    @cached_property
    def norms(self) -> list[str]:
        """Sites of the grid whose norms are known."""
        norms = self.expected.norms
        if norms is None or not self.plan.study.verify.norms:
            return []
        return [str(site) for site in self.plan.sites if norms.at(site) is not None]

    @cached_property
    def cells(self) -> list[str]:
        """Cells whose SAEs are read, each once."""
        return sorted({*self.golden, *self.decoder})
