"""On which tokens the SAEs of a study are judged, the specs of that, and the files."""

from fnmatch import fnmatch
from typing import Any

from saegrid.base.digest import file_digest
from saegrid.base.errors import ConfigError
from saegrid.base.io import canonical
from saegrid.base.registry import lookup
from saegrid.base.words import Cell
from saegrid.metrics import METRICS
from saegrid.saes.training.settings import parse
from saegrid.stages.plan.spec import remembered
from saegrid.stages.plan.verified import VerifiedSpecs
from saegrid.text.corpora.rows import files


class MetricSpecs(VerifiedSpecs):
    """Specs and files of metrics and of baselines."""

    def measured_corpus(self, cell: str) -> str:
        """The corpus on which a cell is judged: as the config says, else the one that its SAE
        learns from, of which texts were held out; the main one for a checkpoint."""
        given = self.study.metrics.corpus
        if given is None and self.is_trained(cell):
            return self.training_corpus(cell)
        return given or self.main

    def split(self, cell: str, name: str) -> dict[str, Any]:
        """Which rows of a corpus a cell is judged on: those that were held out of its training;
        of a corpus that it did not learn from, those that baselines are not fitted on."""
        if self.is_trained(cell) and self.training_corpus(cell) == name:
            settings = self.settings(cell, "train")
            told = parse(settings["recipe"], settings["settings"])
            return {"share": told.hold_out, "seed": settings.get("order_seed", 0)}
        return {"share": self.study.metrics.hold_out, "seed": self.study.metrics.seed}

    def check_held_out(self, cell: str, name: str) -> None:
        """ConfigError where an SAE would be judged on tokens that it learns from, or on none: told
        before a training, not after. Only of the corpus that it learns from is it known which texts
        were held out."""
        if not self.is_trained(cell):
            return
        sae, learned = f"saes.{Cell.parse(cell).sae}", self.training_corpus(cell)
        if learned != name:
            shared = self._shared(learned, name)
            if shared:
                raise ConfigError(
                    f"metrics.corpus: {name!r} has texts of {learned!r}, from which {sae} learns: "
                    f"{', '.join(shared)}. Name a corpus of other texts, or leave it out: SAEs are "
                    "then judged on texts held out of their own corpus."
                )
        elif not self.split(cell, name)["share"]:
            raise ConfigError(
                f"{sae}: with hold_out 0 no token of {name} is left to judge it on. Raise "
                "hold_out, or name another corpus in metrics.corpus."
            )

    @remembered
    def _shared(self, one: str, other: str) -> list[str]:
        """What two corpora both take texts from: files of the same bytes, files of the same
        repository, or a grammar with the same seed."""
        first, second = self._texts(one), self._texts(other)
        return sorted(
            label
            for (kind, mine), label in first.items()
            for found, theirs in second
            if kind == found and _alike(mine, theirs)
        )

    def _texts(self, name: str) -> dict[tuple[str, str], str]:
        """Where texts come from and what they are there, each with words for a message."""
        source, paths = self.study.corpora[name].source, self.source_files(name)
        if source.kind == "generated":
            digests = [file_digest(path) for path in paths]
            known = ("generated", canonical([digests, source.seed]))
            return {known: f"{source.grammar} with seed {source.seed}"}
        if paths:
            return {("file", file_digest(path)): path for path in paths}
        named = [path for _, path in files(source.model_dump(mode="json"))]
        return {(f"hub {source.repo}", path): f"{source.repo}: {path}" for path in named}

    def corpora_judged_on(self) -> list[str]:
        """The corpora on which cells are judged."""
        return sorted({self.measured_corpus(str(cell)) for cell in self.cells})

    def _chosen(self, *keys: str) -> dict[str, Any]:
        """Some of the settings: of those that decide nothing here a change runs nothing."""
        return self.study.metrics.model_dump(mode="json", include=set(keys))

    @remembered
    def metrics_spec(self, cell: str, name: str) -> str:
        """Spec of a cell's metrics."""
        reader = "sae_lens" if self.is_trained(cell) else self.checkpoint(cell)["format"]
        # What makes tokens of a stream is in the spec of its store.
        tokens = [] if self.is_streamed(name) else [self.tokens_spec(name)]
        return self.spec(
            "measure",
            [
                lookup("saegrid.saes.formats:FORMATS", reader, "format"),
                *METRICS.values(),
                *self.family_code(),
            ],
            [self.sae_spec(cell), self.capture_spec(name), *tokens],
            cell=cell,
            corpus=name,
            split=self.split(cell, name),
            metrics=self._chosen("tokens", "rows", "seed"),
            model=self.study.model.model_dump(mode="json"),
            identity=self.model_identity(),
            threads=self.study.threads.metrics,
        )

    def measured(self, name: str, site: str) -> list[str]:
        """The cells of a site that are judged on a corpus."""
        there = [str(cell) for cell in self.cells if str(cell.site) == site]
        return [cell for cell in there if self.measured_corpus(cell) == name]

    @remembered
    def baselines_spec(self, name: str, site: str) -> str:
        """Spec of the baselines of a site: fitted and measured on the tokens of its cells."""
        cells = self.measured(name, site)
        splits = {tuple(self.split(cell, name).items()) for cell in cells}
        methods = self.study.metrics.baselines
        table = "saegrid.metrics.baselines:BASELINES"
        return self.spec(
            "baselines",
            [lookup(table, method, "metrics.baselines:") for method in methods],
            [self.capture_spec(name), *(self.metrics_spec(cell, name) for cell in cells)],
            site=site,
            splits=[dict(split) for split in sorted(splits)],
            metrics=self._chosen("tokens", "fit", "ranks", "baselines", "seed"),
            threads=self.study.threads.metrics,
        )

    def measured_sites(self) -> list[tuple[str, str]]:
        """Corpus and site of each table of baselines; none where none is asked for."""
        if not self.study.metrics.baselines:
            return []
        pairs = {(self.measured_corpus(str(cell)), cell.site) for cell in self.cells}
        return [(name, str(site)) for name, site in sorted(pairs)]

    def metrics_file(self, cell: str, name: str) -> str:
        """Numbers of a cell on a corpus."""
        return f"{self.root}/{name}/cells/{cell}/metrics.json"

    def metrics_files(self, name: str, site: str) -> list[str]:
        """Numbers of all cells of a site that are judged on a corpus."""
        return [self.metrics_file(cell, name) for cell in self.measured(name, site)]

    def baselines_file(self, name: str, site: str) -> str:
        """Baselines of a site on a corpus."""
        return f"{self.root}/{name}/baselines/{site}.parquet"


def _alike(one: str, other: str) -> bool:
    """Whether two names are one, or `*` in either makes them one."""
    return one == other or fnmatch(one, other) or fnmatch(other, one)
