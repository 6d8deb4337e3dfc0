"""The cost of each job of a study: the formulas of `estimate` on its sizes and settings."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from saegrid.base.recorded import recorded_spec
from saegrid.codes.screen import LARGE, fast_bfloat16
from saegrid.models import sizes_of
from saegrid.saes.training.settings import n_steps, parse
from saegrid.stages import estimate
from saegrid.stages.estimate import BYTES, Cost, Sae, Text
from saegrid.stages.plan.counts import sae_of, source_bytes, text_of, weights_of
from saegrid.stages.plan.files import Plan

SMALL = 100_000
"""Bytes of the summary, of the figures and of the index."""

TEXT_RULES = ["items", "selection", "tokens"]
METRIC_RULES = ["measure", "baselines"]
CELL_RULES = ["encode", "merge", "density", "top_tokens", "logit_effects", "page"]
SUM_RULES = ["health", "survey_page", "summary", "plot", "index"]
RULES = [
    *TEXT_RULES,
    "verify_checkpoint",
    "capture",
    "fill_store",
    "begin_store",
    "survey",
    "base_rates",
    "train_together",
    "train_sae",
    "import_sae",
    *CELL_RULES,
    *METRIC_RULES,
    *SUM_RULES,
]
"""Rules in the order in which a table shows them."""


class Job(NamedTuple):
    """A job: its rule, and the cell (or site), corpus and shard that it is for, where for one."""

    rule: str
    cell: str | None = None
    corpus: str | None = None
    shard: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in a table; rules without a formula come last."""
        return RULES.index(self.rule) if self.rule in RULES else len(RULES), self.rule


def here(path: str, spec: str) -> bool:
    """Whether a file is there and records this spec; figures record none."""
    return Path(path).is_file() and (not spec or recorded_spec(path) == spec)


class Costs:
    """Costs of the jobs of a study; counts are looked up once."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.study = plan, plan.study
        self.texts: dict[str, Text] = {}
        self.saes: dict[str, Sae | None] = {}
        self.of_a_cell: dict[str, Callable[[Job, Sae], Cost | None]] = {
            "train_sae": self._train_sae,
            "import_sae": self._import_sae,
            "encode": self._encode,
            "merge": lambda job, sae: estimate.merge(sae, self.text(job.corpus).captured),
            "density": lambda job, sae: estimate.density(sae, self.text(job.corpus)),
            "top_tokens": lambda job, sae: estimate.top_tokens(*self._shown(job, sae)),
            "logit_effects": self._logit_effects,
            "page": lambda job, sae: estimate.page(*self._shown(job, sae)),
            "measure": self._measure,
        }

    def text(self, name: str) -> Text:
        """Counts of a corpus."""
        if name not in self.texts:
            self.texts[name] = text_of(self.plan, name)
        return self.texts[name]

    def part(self, job: Job) -> Text:
        """Counts of a job's shard: about as many as of every other."""
        text, of = self.text(job.corpus), len(self.plan.shards(job.corpus)) if job.shard else 1
        return text._replace(
            positions=-(-text.positions // of),
            rows=-(-text.rows // of),
            captured=-(-text.captured // of),
        )

    def of(self, job: Job) -> Cost | None:
        """What a job comes to; None for a rule without a formula, or without a model at hand."""
        if job.rule in self.of_a_cell:
            if job.cell not in self.saes:
                self.saes[job.cell] = sae_of(self.plan, job.cell)
            sae = self.saes[job.cell]
            return None if sae is None else self.of_a_cell[job.rule](job, sae)
        if job.rule in TEXT_RULES:
            source = source_bytes(self.plan, job.corpus)
            return estimate.texts(self.text(job.corpus), source)[job.rule]
        # What is trained together is counted with its cells.
        if job.rule in (*SUM_RULES, "train_together"):
            return Cost(write=SMALL)
        if job.rule == "verify_checkpoint":
            return self._verify_checkpoint()
        if job.rule == "baselines":
            return self._baselines(job)
        if job.rule == "base_rates":
            return Cost(read=sum(source_bytes(self.plan, n) for n in self.plan.survey_corpora()))
        if job.rule == "survey":
            return self._survey()
        # Who learns first fills a store that has been begun.
        if job.rule in ("fill_store", "begin_store"):
            return self._fill_store(job)
        return self._capture(job) if job.rule == "capture" else None

    def _verify_checkpoint(self) -> Cost | None:
        """A few rows through the model, where it is needed: what counts is reading its blocks."""
        if not self.plan.verified_inputs()["model"]:
            return Cost()
        weights = weights_of(self.plan)
        memory = None if weights is None else estimate.memory_layer_by_layer(weights, 0)
        return None if memory is None else Cost(read=weights.stored, memory=memory, torch=True)

    def _capture(self, job: Job) -> Cost | None:
        weights = weights_of(self.plan)
        if weights is None:
            return None
        # What the store holds is linked, not captured again.
        spec = self.plan.capture_spec(job.corpus, job.shard)
        widths: dict[int, list[int]] = {}
        for site in self.plan.sites:
            path = Path(self.plan.activations(job.corpus, str(site), job.shard))
            if not here(str(path.parent / "store" / path.name), spec):
                widths.setdefault(site.layer, []).append(self.plan.width(site))
        if not widths:
            return Cost(torch=True, memory=estimate.TORCH)
        # A card's rate does not grow with threads.
        threads = self.study.threads.capture if self.study.model.device == "cpu" else 1
        memory = self.study.memory.capture * 10**6
        return estimate.capture(weights, self.part(job), widths, threads, memory)

    def _fill_store(self, job: Job) -> Cost | None:
        weights, source = weights_of(self.plan), source_bytes(self.plan, job.corpus)
        if weights is None:
            return None
        widths = {site: self.plan.width(site) for site in self.plan.sites}
        depth = max(site.layer for site in self.plan.sites) + 1
        threads = self.study.threads.capture if self.study.model.device == "cpu" else 1
        text = self.text(job.corpus)
        return estimate.fill_store(weights, text, list(widths.values()), depth, source, threads)

    def _survey(self) -> Cost:
        itemsize = BYTES[self.study.model.dtype]
        widths = [self.plan.width(site) for site in self.plan.sites]
        captured = [self.text(name).captured for name in self.plan.survey_corpora()]
        activations = sum(estimate.activation_bytes(n, widths, itemsize) for n in captured)
        return estimate.survey(activations, len(captured) * sum(widths))

    def _train_sae(self, job: Job, sae: Sae) -> Cost:
        settings = self.plan.settings(job.cell, "train")
        told = parse(settings["recipe"], settings["settings"])
        n, threads = self.text(settings["corpus"]).captured, self.study.threads.train
        white = told.whiten != "none"
        return estimate.train_sae(sae, n, n_steps(told, n), told.batch, threads, white)

    def _import_sae(self, job: Job, sae: Sae) -> Cost:
        fetched = self.plan.from_hub(job.cell)
        return estimate.import_sae(sae, round(fetched * self.study.hub.budget_gb * 10**9))

    def _encode(self, job: Job, sae: Sae) -> Cost:
        n = self.part(job).captured
        asked = self.plan.settings(job.cell, "encode")["screen"]
        large = n * sae.d_model * sae.d_sae >= LARGE
        fits = sae.itemsize == 2 and large and fast_bfloat16()
        bfloat16 = asked == "bfloat16" or (asked == "auto" and fits)
        itemsize = BYTES[self.study.model.dtype]
        return estimate.encode(sae, n, itemsize, bfloat16, self.study.threads.encode)

    def _measured(self, cell: str, corpus: str) -> tuple[int, int]:
        """Tokens of a corpus that a cell is measured on, and those that it is not."""
        n = self.text(corpus).captured
        held = round(n * self.plan.split(cell, corpus)["share"])
        return min(held, self.study.metrics.tokens), n - held

    def _measure(self, job: Job, sae: Sae) -> Cost | None:
        weights = weights_of(self.plan)
        if weights is None:
            return None
        text, chosen = self.text(job.corpus), self.study.metrics
        tokens, learned = self._measured(job.cell, job.corpus)
        streamed = self.plan.is_streamed(job.corpus)
        read = tokens + min(learned, estimate.LEARNED) if streamed else text.captured
        positions = min(chosen.rows, text.rows) * text.positions // max(text.rows, 1)
        sizes = tokens, read, weights, positions
        return estimate.measure(sae, *sizes, self.study.threads.metrics)

    def _baselines(self, job: Job) -> Cost | None:
        cells = self.plan.measured(job.corpus, job.cell)
        saes = [sae_of(self.plan, cell) for cell in cells]
        if None in saes:
            return None
        tokens, learned = self._measured(cells[0], job.corpus)
        width, d_sae = saes[0].d_model, sum(sae.d_sae for sae in saes)
        fitted = min(learned, self.study.metrics.fit)
        itemsize, threads = BYTES[self.study.model.dtype], self.study.threads.metrics
        chosen = self.study.metrics
        ranks = {*chosen.ranks, *(sae.l0 for sae in saes)} if "nmf" in chosen.baselines else set()
        return estimate.baselines(width, d_sae, tokens, fitted, itemsize, ranks, threads)

    def _logit_effects(self, job: Job, sae: Sae) -> Cost | None:
        config = self.plan.model_config()
        if config is None:
            return None
        d_vocab = sizes_of(config, self.study.model.family).d_vocab
        itemsize = BYTES[self.study.model.dtype]
        return estimate.logit_effects(*self._shown(job, sae), d_vocab, itemsize)

    def _shown(self, job: Job, sae: Sae) -> tuple[Sae, Text, float]:
        cut = self.plan.settings(job.cell, "top_tokens")["cut"]
        return sae, self.text(job.corpus), cut
