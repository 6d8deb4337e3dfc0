"""The tokens on which the SAEs of a study are judged."""

from fnmatch import fnmatch
from functools import cache, cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

from saegrid.base.digest import file_digest
from saegrid.base.errors import ConfigError
from saegrid.base.io import canonical
from saegrid.base.words import Cell
from saegrid.models.memory import needed
from saegrid.text.corpora.rows import files

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan


class Judged:
    """Corpora and splits of metrics and baselines."""

    def __init__(self, plan: "Plan") -> None:
        self.plan = plan
        self._shared = cache(self._compared)

    def corpus(self, cell: str) -> str:
        """The corpus on which a cell is judged: as the config says, else the one that its SAE
        learns from, of which texts were held out; the main one for a checkpoint."""
        chosen = self.plan.study.metrics.corpus
        if chosen is None and self.plan.saes.is_trained(cell):
            return self.plan.trainings.corpus(cell)
        return chosen or self.plan.main

    def split(self, cell: str, corpus: str) -> dict[str, Any]:
        """The rows of a corpus that a cell is judged on: those held out of its training; where it
        did not learn from the corpus, those that baselines are not fitted on."""
        plan = self.plan
        if plan.saes.is_trained(cell) and plan.trainings.corpus(cell) == corpus:
            seed = plan.settings(cell, "train").get("order_seed", 0)
            return {"share": plan.trainings.recipe(cell).hold_out, "seed": seed}
        return {"share": plan.study.metrics.hold_out, "seed": plan.study.metrics.seed}

    def cells(self, corpus: str, site: str) -> list[str]:
        """The cells of a site that are judged on a corpus, and beside which baselines stand."""
        cells = [str(cell) for cell in self.plan.cells if str(cell.site) == site]
        cells = [cell for cell in cells if not self.plan.saes.writes(cell)]
        return [cell for cell in cells if self.corpus(cell) == corpus]

    @cached_property
    def sites(self) -> list[tuple[str, str]]:
        """Corpus and site of each table of baselines; none where no baseline is asked for, and none
        for transcoders: no other description of a site writes another one."""
        if not self.plan.study.metrics.baselines:
            return []
        cells = [cell for cell in self.plan.cells if not self.plan.saes.writes(str(cell))]
        pairs = {(self.corpus(str(cell)), cell.site) for cell in cells}
        return [(corpus, str(site)) for corpus, site in sorted(pairs)]

    def memory(self) -> int:
        """Megabytes of a job that encodes and runs the model."""
        return max(self.plan.study.memory.capture, self.plan.study.memory.encode)

    def check(self, cell: str, corpus: str) -> None:
        """ConfigError where a cell cannot be judged on a corpus: told before a training."""
        self.plan.trainings.check_norm(cell, corpus)
        self._check_held_out(cell, corpus)
        self._check_model()

    def _check_held_out(self, cell: str, corpus: str) -> None:
        """Tokens that an SAE learns from do not judge it. Only of the corpus that it learns from
        is it known which texts were held out."""
        if not self.plan.saes.is_trained(cell):
            return
        sae, learned = f"saes.{Cell.parse(cell).sae}", self.plan.trainings.corpus(cell)
        if learned != corpus:
            shared = self._shared(learned, corpus)
            if shared:
                raise ConfigError(
                    f"metrics.corpus: {corpus!r} has texts of {learned!r}, from which {sae} "
                    f"learns: {', '.join(shared)}. Name a corpus of other texts, or leave it out: "
                    "SAEs are then judged on texts held out of their own corpus."
                )
        elif not self.split(cell, corpus)["share"]:
            raise ConfigError(
                f"{sae}: with hold_out 0 no token of {corpus} is left to judge it on. Raise "
                "hold_out, or name another corpus in metrics.corpus."
            )

    def _check_model(self) -> None:
        """Cross-entropy needs the whole model in memory. What a GPU holds is known there alone."""
        model, megabytes = self.plan.study.model, self.memory()
        if not self.plan.study.metrics.rows or self.plan.gpu() or model.weights == "random":
            return
        stored = self.plan.model.stored()
        wanted = ceil(needed(stored) / 10**6)
        if stored and wanted > megabytes:
            raise ConfigError(
                f"metrics.rows: cross-entropy needs the whole model, {wanted:,} MB, and may hold "
                f"{megabytes:,} MB. Raise memory.capture, or set metrics.rows to 0."
            )

    def _compared(self, one: str, other: str) -> list[str]:
        """Texts that two corpora share: files of the same bytes, files of the same repository, or a
        grammar with the same seed."""
        first, second = self._texts(one), self._texts(other)
        return sorted(
            label
            for (kind, own), label in first.items()
            for known, theirs in second
            if kind == known and _alike(own, theirs)
        )

    def _texts(self, name: str) -> dict[tuple[str, str], str]:
        """Identities of the texts of a corpus, each with words for a message."""
        corpus = self.plan.corpora[name]
        source, paths = corpus.settings.source, corpus.files
        if source.kind == "generated":
            known = ("generated", canonical([corpus.content, source.seed]))
            return {known: f"{source.grammar} with seed {source.seed}"}
        if paths:
            return {("file", file_digest(path)): path for path in paths}
        named = [path for _, path in files(source.model_dump(mode="json"))]
        return {(f"hub {source.repo}", path): f"{source.repo}: {path}" for path in named}


def _alike(one: str, other: str) -> bool:
    """Return True if two names are equal, or either matches the other as a pattern with `*`."""
    return one == other or fnmatch(one, other) or fnmatch(other, one)
