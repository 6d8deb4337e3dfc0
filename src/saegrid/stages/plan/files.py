"""Paths and targets of a study: what the rules bind, without Snakemake."""

import re
from collections.abc import Iterable, Mapping
from math import ceil
from pathlib import Path
from typing import TypeVar

from saegrid.base.io import write_json
from saegrid.base.recorded import recorded_spec
from saegrid.base.words import SAE_PATTERN, SITE_PATTERN, Cell
from saegrid.config.check import ConfigError
from saegrid.models.files import model_files
from saegrid.pages.figures import FIGURES
from saegrid.saes.cache import BUDGET, FOLDER
from saegrid.stages import estimate
from saegrid.stages.plan.health import HealthSpecs
from saegrid.stages.plan.leftovers import remove_leftovers
from saegrid.stages.plan.provenance import provenance
from saegrid.stages.plan.spec import remembered
from saegrid.stages.plan.survey import SurveySpecs

NOTHING = "(?!)"
"""A pattern that nothing matches."""
Job = TypeVar("Job")

TRAINED = ("cfg.json", "sae_weights.safetensors")
"""Files of a trained SAE."""
IMPORTED = ("reference.json", "decoder_norms.safetensors")
"""Files that stand for a checkpoint which stays where it is."""
CELL_TABLES = (
    "features.safetensors",
    "features.parquet",
    "top_tokens.parquet",
    "examples.parquet",
    "topics.parquet",
    "logit_effects.parquet",
)
"""Files of a cell, in the order of the stages. All are targets: a lost one is made again."""
RECORDING = (".json", ".parquet", ".safetensors", ".html")
"""Endings of files that hold the spec of the job that made them."""
FACTS = {
    "facts": "corpus.json",
    "filter": "selection.json",
    "tokens": "tokens.json",
    "spans": "spans.parquet",
    "selection": "selection.parquet",
}
"""Files of a corpus from which its numbers are shown, by the name of the input."""
CORPUS_TABLES = ("items.parquet", "selection.parquet", "tokens.parquet", "spans.parquet")


class Plan(HealthSpecs, SurveySpecs):
    """Paths, specs and targets of one study."""

    def model_files(self) -> list[str]:
        """Local files of the model; empty where it is on the hub."""
        folder = self.model_folder()
        read = folder and self.study.model.weights == "pretrained"
        return [str(path) for path in model_files(folder)] if read else []

    def sae_files(self, cell: str) -> list[str]:
        """Files of a cell's SAE."""
        names = TRAINED if self.is_trained(cell) else IMPORTED
        return [f"{self.root}/saes/{cell}/{name}" for name in names]

    def cell_files(self, names: Iterable[str]) -> list[str]:
        """Files of these names of all cells on the main corpus."""
        return [
            f"{self.root}/{self.main}/cells/{cell}/{name}" for cell in self.cells for name in names
        ]

    def corpora_used(self) -> list[str]:
        """The main corpus and those that SAEs of the grid learn from."""
        trained = [str(cell) for cell in self.cells if cell.sae in self.trained]
        return [self.main, *sorted({self.training_corpus(cell) for cell in trained})]

    def tokens_selection(self, name: str) -> list[str]:
        """The filter, where a corpus' rows depend on it."""
        path = f"{self.root}/{name}/selection.parquet"
        return [path] if self.rows_depend_on_filter(name) else []

    def site_activations(self, name: str, site: str) -> list[str]:
        """The activations of a site, shards in order."""
        return [self.activations(name, site, shard) for shard in self.shards(name)]

    def measured_activations(self, cell: str, name: str) -> list[str]:
        """The activations on which a cell is judged, shards in order."""
        self.check_norm(cell, name)
        self.check_held_out(cell, name)
        self.check_whole_model()
        return self.site_activations(name, str(Cell.parse(cell).site))

    @remembered
    def check_whole_model(self) -> None:
        """ConfigError where cross-entropy is asked for and the model does not fit in the memory of
        that job: told before a training, not after. What a GPU holds is known there alone."""
        model, megabytes = self.study.model, self.memory_of_metrics()
        if not self.study.metrics.rows or self.gpu() or model.weights == "random":
            return
        stored = sum(Path(path).stat().st_size for path in self.model_files())
        needed = ceil((estimate.ROOM + estimate.WORKING * stored) / 10**6)
        if stored and needed > megabytes:
            raise ConfigError(
                f"metrics.rows: cross-entropy needs the whole model, {needed:,} MB, and may hold "
                f"{megabytes:,} MB. Raise memory.capture, or set metrics.rows to 0."
            )

    def memory_of_metrics(self) -> int:
        """Megabytes of a job that encodes and runs the model."""
        return max(self.study.memory.capture, self.study.memory.encode)

    def cell_activations(self, cell: str, name: str, shard: str) -> str:
        """The activations that a cell encodes."""
        self.check_norm(cell, name)
        return self.activations(name, str(Cell.parse(cell).site), shard)

    def shard_files(self, cell: str, name: str) -> list[str]:
        """Features of the shards that a cell's are merged from; none where it is not cut."""
        shards = [shard for shard in self.shards(name) if shard]
        return [f"{self.root}/{name}/cells/{cell}/features{s}.safetensors" for s in shards]

    def table_files(self) -> list[str]:
        """Tables of all cells on the main corpus, and what they are merged from."""
        shards = [path for cell in self.cells for path in self.shard_files(str(cell), self.main)]
        return [*self.cell_files(CELL_TABLES), *shards]

    def facts_files(self) -> dict[str, str]:
        """Files from which the numbers of the main corpus are shown, by the name of the input."""
        return {name: f"{self.root}/{self.main}/{file}" for name, file in FACTS.items()}

    def gpu(self) -> int:
        """GPUs that a job with the model or an encoder asks for."""
        return 0 if self.study.model.device == "cpu" else 1

    def from_hub(self, cell: str) -> int:
        """1 where a cell's checkpoint comes from the hub, else 0: what a rule may be limited by."""
        return int(not self.is_trained(cell) and not self.checkpoint(cell)["path"])

    def before_import(self, cell: str) -> list[str]:
        """What must be there before a checkpoint is fetched: the activations, so that it is encoded
        while it is there. A checkpoint on disk is imported at any time, and one that is verified
        before the capture."""
        if not self.from_hub(cell) or cell in self.verified_saes():
            return []
        site, shards = str(Cell.parse(cell).site), self.shards(self.main)
        return [self.activations(self.main, site, shard) for shard in shards]

    def import_threads(self, cell: str) -> int:
        """As many as an encoding where the checkpoint is fetched: an encoding that waits for its
        cores is not overtaken by fetching further cells."""
        return self.study.threads.encode if self.from_hub(cell) else 1

    def environment(self) -> dict[str, str]:
        """Settings that decide no value, for the environment of the jobs: specs leave them out."""
        return {FOLDER: self.study.hub.cache, BUDGET: repr(self.study.hub.budget_gb)}

    def cell_pattern(self, saes: Iterable[str] | None = None) -> str:
        """Regular expression of the cells with these SAEs; of any cell without."""
        names = SAE_PATTERN if saes is None else "|".join(map(re.escape, saes))
        return f"{SITE_PATTERN}-(?:{names})" if names else NOTHING

    def sharded_pattern(self) -> str:
        """Regular expression of the corpora in shards."""
        return "|".join(name for name in self.study.corpora if self.shards(name)[0]) or NOTHING

    @remembered
    def is_settled(self, cell: str) -> bool:
        """Whether a cell has files, and all that are there record their present specs.

        One without any is not: Snakemake passes over what lies behind inputs that are all ancient,
        and with a job that has to run hides those behind it, missing or not."""
        tables = f"{self.root}/{self.main}/cells/{cell}"
        specs = {f"{tables}/{name}": s for name, s in self.cell_specs(cell, self.main).items()}
        specs[f"{tables}/features.html"] = self.page_spec(cell, self.main)
        judged = self.measured_corpus(cell)
        specs[self.metrics_file(cell, judged)] = self.metrics_spec(cell, judged)
        # Of an SAE the tensors hold the spec.
        specs[self.sae_files(cell)[1]] = self.sae_spec(cell)
        there = [path for path in specs if Path(path).is_file()]
        return bool(there) and all(recorded_spec(path) == specs[path] for path in there)

    def is_settled_company(self, site: str, together: str) -> bool:
        """Whether all files of the cells that are trained together record the present specs."""
        return all(map(self.is_settled, self.members(site, together)))

    def is_settled_site(self, name: str, site: str) -> bool:
        """Whether the baselines of a site record their present spec, if they are there."""
        path = self.baselines_file(name, site)
        return not Path(path).is_file() or recorded_spec(path) == self.baselines_spec(name, site)

    def verified_inputs(self) -> dict[str, list[str]]:
        """What the verification reads: SAEs, model, and the text whose norms are measured."""
        norms, saes = self.verified_norms(), self.verified_saes()
        files = [f"{self.root}/saes/{cell}/{name}" for cell in saes for name in IMPORTED]
        model = self.model_files() if norms or self.verified_cells("golden") else []
        tokens = f"{self.root}/{self.main}/tokens.parquet"
        return {"saes": files, "model": model, "tokens": [tokens] if norms else []}

    def verified_files(self, cell: str | None = None) -> list[str]:
        """What must be there before a corpus is captured, or before a cell is encoded.

        Of every study with checkpoints, whether it verifies them or not: were it an input only
        where it does, turning it on would run all cells again.
        """
        trained = cell is not None and self.is_trained(cell)
        return [f"{self.root}/verified.json"] if self.imported and not trained else []

    def made_alike(self, jobs: Mapping[Job, tuple[Iterable[str], str]]) -> list[Job]:
        """Of finished jobs, each with its files and its spec, those whose files record the spec.

        Raises:
            ConfigError: where files record another; it names them all.
        """
        alike, others = [], []
        for job, (paths, spec) in jobs.items():
            there = [p for p in paths if Path(p).suffix in RECORDING and Path(p).is_file()]
            told = {path: recorded_spec(path) for path in there}
            others += [path for path, text in told.items() if text not in ("", spec)]
            if spec in told.values():
                alike.append(job)
        if others:
            raise ConfigError(
                "These files were made with other settings than this run's, and Snakemake has no "
                f"record of them. Delete them and run again: {' '.join(others)}"
            )
        return alike

    # --- targets ---------------------------------------------------------------------------

    def corpus_targets(self) -> list[str]:
        """Tables of every corpus in use."""
        used = [name for name in self.corpora_used() if not self.is_streamed(name)]
        return [f"{self.root}/{name}/{file}" for name in used for file in CORPUS_TABLES]

    def activation_targets(self) -> list[str]:
        """Activations of every corpus in use."""
        used = self.corpora_used()
        return [
            self.activations(name, str(site), shard)
            for name in used
            for shard in self.shards(name)
            for site in self.sites
        ]

    def sae_targets(self) -> list[str]:
        """SAEs of the grid, and what tells that they were trained together."""
        files = [path for cell in self.cells for path in self.sae_files(str(cell))]
        return [*self.together_files(), *files]

    def cell_targets(self) -> list[str]:
        """Every table of every cell, and all that they come from."""
        return [
            *self.corpus_targets(),
            *self.activation_targets(),
            *self.sae_targets(),
            *self.table_files(),
            *self.verified_files(),
        ]

    def page_targets(self) -> list[str]:
        """Feature browsers and the index."""
        pages = [*self.cell_files(["features.html"]), f"{self.root}/index.html"]
        return [*self.together_files(), *pages]

    def figure_targets(self) -> list[str]:
        """Figures."""
        figures = [f"{self.root}/figures/{name}.svg" for name in sorted(FIGURES)]
        return [*self.together_files(), *figures]

    def all_targets(self) -> list[str]:
        """Everything."""
        summary = f"{self.root}/summary.parquet"
        metrics = self.metric_targets() if self.study.metrics.all else []
        pages = [*self.page_targets(), *self.figure_targets()]
        return [*self.cell_targets(), *metrics, summary, *pages]

    def write_provenance(self) -> None:
        """Write the resolved config with versions and commit; no rule reads it."""
        write_json(f"{self.root}/config.json", provenance(self.study.model_dump(mode="json")))

    def remove_leftovers(self, before: float) -> None:
        """Remove temporary files of killed jobs, last written before a time in seconds."""
        remove_leftovers(self.root, before)
