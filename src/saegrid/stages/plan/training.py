"""Specs of trainings: of single cells, and of cells that are trained together on one stream."""

from typing import Any

from saegrid.base.errors import ConfigError
from saegrid.base.registry import lookup
from saegrid.base.words import Cell, Site
from saegrid.config.check import cell_settings
from saegrid.saes.training.settings import check_width, parse
from saegrid.stages.plan.spec import remembered
from saegrid.stages.plan.store import StoreSpecs


class TrainingSpecs(StoreSpecs):
    """What is trained, on what, and with whom."""

    def is_trained(self, cell: str) -> bool:
        """Whether the SAE of a cell is trained here."""
        return Cell.parse(cell).sae in self.trained

    def settings(self, cell: str, stage: str) -> dict[str, Any]:
        """The settings of a stage for a cell, overrides put in."""
        return cell_settings(self.study, Cell.parse(cell), stage)

    def training_corpus(self, cell: str) -> str:
        """The corpus that a cell's SAE learns from."""
        return self.settings(cell, "train")["corpus"]

    @remembered
    def train_spec(self, cell: str) -> str:
        """Spec of a training. With whom it is trained decides nothing."""
        settings = self.settings(cell, "train")
        settings.pop("together")
        told = parse(settings["recipe"], settings["settings"])
        width = self.width(Cell.parse(cell).site)
        if width:
            check_width(settings["recipe"], told, settings["expansion"] * width)
        recipe = lookup("saegrid.saes.training:RECIPES", settings["recipe"], "recipe")
        return self.spec(
            "train_sae",
            [recipe],
            [self.capture_spec(settings["corpus"])],
            cell=cell,
            sae=settings,
            model=self.study.model.path,
            capture=self.capture_id(settings["corpus"]),
            threads=self.study.threads.train,
        )

    @remembered
    def together(self) -> dict[tuple[str, str], list[str]]:
        """Cells that are trained together, by site and name; ConfigError where they cannot be."""
        found: dict[tuple[str, str], list[str]] = {}
        for cell in map(str, self.cells):
            name = self.settings(cell, "train")["together"] if self.is_trained(cell) else None
            if name is not None:
                found.setdefault((str(Cell.parse(cell).site), name), []).append(cell)
        for (_, name), cells in found.items():
            self._check_stream(name, cells)
        return found

    def _check_stream(self, name: str, cells: list[str]) -> None:
        """All must learn from the same batches."""
        for cell in cells:
            mine, first = (self._stream(c) for c in (cell, cells[0]))
            for key, value in mine.items():
                if value != first[key]:
                    raise ConfigError(
                        f"saes.{Cell.parse(cell).sae}: together {name!r} needs one {key}; got "
                        f"{value!r}, and {first[key]!r} in {Cell.parse(cells[0]).sae}."
                    )

    def _stream(self, cell: str) -> dict[str, Any]:
        settings = self.settings(cell, "train")
        told = parse(settings["recipe"], settings["settings"])
        shared = {key: settings[key] for key in ("corpus", "order_seed")}
        return shared | {"batch": told.batch, "hold_out": told.hold_out}

    @remembered
    def together_spec(self, site: str, together: str) -> str:
        """Spec of a training of several cells: each one's spec."""
        cells = self.together()[site, together]
        members = {cell: self.train_spec(cell) for cell in cells}
        return self.spec("train_together", [], [], members=members)

    def company(self, cell: str) -> tuple[str, str] | None:
        """Site and name by which a cell is trained together with others."""
        return next((key for key, cells in self.together().items() if cell in cells), None)

    def together_files(self, cell: str | None = None) -> list[str]:
        """What tells that cells have been trained together: of one cell, or of all.

        All are among the targets of whatever comes from SAEs. Where a member has left, only the
        training together runs again, nothing goes on from it, and Snakemake finds what is missing
        behind a job that runs from its target alone.
        """
        keys = list(self.together()) if cell is None else [self.company(cell)]
        return [f"{self.root}/saes/store/{'-'.join(key)}.json" for key in keys if key]

    def together_pattern(self) -> str:
        """Regular expression of the names."""
        return "|".join(sorted({name for _, name in self.together()})) or "(?!)"

    def members(self, *names: str) -> list[str]:
        """The cells of a training: one cell, or those of a site and a name."""
        return self.together()[names] if len(names) > 1 else [names[0]]

    def training_activations(self, *names: str) -> list[str]:
        """The activations that a cell's SAE, or those of a site and a name, learn from."""
        cell = self.members(*names)[0]
        name, site = self.training_corpus(cell), Cell.parse(cell).site
        if self.is_beside(name):
            return [self.begun_store(name, str(site))]
        return [self.activations(name, str(site), shard) for shard in self.shards(name)]

    def check_norm(self, cell: str, name: str) -> None:
        """Refuse to give an SAE of normed activations those of a corpus that are not: what it makes
        of them means nothing. Asked where such a job is planned, since its training and metrics
        on its own store stand."""
        learned = self.training_corpus(cell) if self.is_trained(cell) else name
        norm = self.norm_of(learned)
        if learned != name and norm != "none":
            raise ConfigError(
                f"corpora.{learned}.store.norm: the SAE of {cell} learns from activations with "
                f"norm {norm}, and those of {name} have none. Ask for the targets saes and metrics "
                "alone, or set norm: none."
            )

    def training_tokens(self, *names: str) -> str | list[str]:
        """The tokens of the corpus that they learn from; none of a streamed one."""
        return self.tokens_file(self.training_corpus(self.members(*names)[0]))

    def training_threads(self, *names: str) -> int:
        """Threads of a training: those of each SAE times how many are trained at a time, and those
        of a filling beside it."""
        threads, members = self.study.threads, self.members(*names)
        return threads.train * min(len(members), threads.together) + self.filling_threads(*names)

    def _fills(self, *names: str) -> bool:
        """Whether a training fills the store that it learns from."""
        return self.is_beside(self.training_corpus(self.members(*names)[0]))

    def filling_threads(self, *names: str) -> int:
        """Threads of a filling beside a training; 0 where there is none."""
        return self.study.threads.capture * self._fills(*names)

    def filling_memory(self, *names: str) -> int:
        """Megabytes of a filling beside a training; 0 where there is none."""
        return self.study.memory.capture * self._fills(*names)

    def training_gpu(self, *names: str) -> int:
        """GPUs of a training: the SAE needs none, a filling beside it does as a capture does."""
        return self.gpu() if self._fills(*names) else 0

    def activations(self, name: str, site: str | Site, shard: str = "") -> str:
        """Path of a site's activations; of a streamed corpus that of the facts of its shards."""
        if self.is_streamed(name):
            return self.store_facts(name, str(site))
        folder = f"{self.root}/{name}/activations/{self.capture_id(name)}{shard}"
        return f"{folder}/{site}.safetensors"
