"""The trainings of a study: what each SAE learns from, and which are trained together."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from saegrid.base.errors import ConfigError
from saegrid.base.io import canonical
from saegrid.base.registry import lookup
from saegrid.base.words import Cell
from saegrid.saes.training.settings import Settings, check_width, parse
from saegrid.stages.stage import NOTHING

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan


class Trainings:
    """Trainings of single cells, and of cells of a site that are trained together."""

    def __init__(self, plan: "Plan") -> None:
        self.plan = plan
        self._recipes: dict[str, Settings] = {}

    def corpus(self, cell: str) -> str:
        """The corpus that a cell's SAE learns from."""
        return self.plan.settings(cell, "train")["corpus"]

    def recipe(self, cell: str) -> Settings:
        """The settings of a cell's recipe, defaults put in; ConfigError where one is wrong."""
        settings = self.plan.settings(cell, "train")
        width = self.plan.model.width(Cell.parse(cell).site)
        chosen = [settings[key] for key in ("recipe", "expansion", "settings")]
        key = canonical([*chosen, width])
        if key not in self._recipes:
            recipe = parse(settings["recipe"], settings["settings"])
            if width:
                check_width(settings["recipe"], recipe, settings["expansion"] * width)
            self._recipes[key] = recipe
        return self._recipes[key]

    def code(self, cell: str) -> str:
        """Module of a cell's recipe."""
        name = self.plan.settings(cell, "train")["recipe"]
        return lookup("saegrid.saes.training:RECIPES", name, "recipe")

    @cached_property
    def together(self) -> dict[tuple[str, str], list[str]]:
        """Cells that are trained together, by site and name; ConfigError where they cannot be."""
        groups: dict[tuple[str, str], list[str]] = {}
        for cell in map(str, self.plan.cells):
            trained = self.plan.saes.is_trained(cell)
            name = self.plan.settings(cell, "train")["together"] if trained else None
            if name is not None:
                groups.setdefault((str(Cell.parse(cell).site), name), []).append(cell)
        for (_, name), cells in groups.items():
            self._check_stream(name, cells)
        return groups

    def _check_stream(self, name: str, cells: list[str]) -> None:
        """All must learn from the same batches."""
        first = self._stream(cells[0])
        for cell in cells:
            for key, value in self._stream(cell).items():
                if value != first[key]:
                    raise ConfigError(
                        f"saes.{Cell.parse(cell).sae}: together {name!r} needs one {key}; got "
                        f"{value!r}, and {first[key]!r} in {Cell.parse(cells[0]).sae}."
                    )

    def _stream(self, cell: str) -> dict[str, Any]:
        settings, recipe = self.plan.settings(cell, "train"), self.recipe(cell)
        shared = {key: settings[key] for key in ("corpus", "order_seed")}
        return shared | {"batch": recipe.batch, "hold_out": recipe.hold_out}

    def company(self, cell: str) -> tuple[str, str] | None:
        """Site and name by which a cell is trained together with others."""
        return self._companies.get(cell)

    @cached_property
    def _companies(self) -> dict[str, tuple[str, str]]:
        return {cell: key for key, cells in self.together.items() for cell in cells}

    @property
    def pattern(self) -> str:
        """Regular expression of the names of trainings together."""
        return "|".join(sorted({name for _, name in self.together})) or NOTHING

    def fills(self, cell: str) -> bool:
        """Return True if a cell's training fills the store that it learns from."""
        return self.plan.corpora[self.corpus(cell)].begun

    def check_norm(self, cell: str, corpus: str) -> None:
        """ConfigError where a cell's SAE learned from normed activations and those of `corpus` are
        not. Asked where such a job is planned, since its training and its metrics on its own store
        stand."""
        if not self.plan.saes.is_trained(cell):
            return
        learned = self.corpus(cell)
        norm = self.plan.corpora[learned].norm
        if learned != corpus and norm != "none":
            raise ConfigError(
                f"corpora.{learned}.store.norm: the SAE of {cell} learns from activations with "
                f"norm {norm}, and those of {corpus} have none. Ask for the targets saes and "
                "metrics alone, or set norm: none."
            )

    @cached_property
    def named_settings(self) -> list[str]:
        """Settings of recipes that the config names for any cell."""
        cells = [cell for cell in map(str, self.plan.cells) if self.plan.saes.is_trained(cell)]
        return sorted({key for c in cells for key in self.plan.settings(c, "train")["settings"]})
