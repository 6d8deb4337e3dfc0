"""Paths and targets of a study: what the rules bind, without Snakemake."""

import re
from collections.abc import Iterable
from pathlib import Path

from saegrid.figures import FIGURES
from saegrid.io import recorded_spec, write_json
from saegrid.plan.cells import CellSpecs
from saegrid.plan.leftovers import remove_leftovers
from saegrid.plan.provenance import provenance
from saegrid.plan.spec import remembered
from saegrid.words import SAE_PATTERN, SITE_PATTERN, Cell

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
FACTS = {
    "facts": "corpus.json",
    "filter": "selection.json",
    "tokens": "tokens.json",
    "spans": "spans.parquet",
    "selection": "selection.parquet",
}
"""Files of a corpus from which its numbers are shown, by the name of the input."""
CORPUS_TABLES = ("items.parquet", "selection.parquet", "tokens.parquet", "spans.parquet")


class Plan(CellSpecs):
    """Paths, specs and targets of one study."""

    def model_files(self) -> list[str]:
        """Local files of the model; empty where it is on the hub."""
        folder = self.model_folder()
        return [str(path) for path in sorted(folder.glob("*.safetensors"))] if folder else []

    def activations(self, name: str, site: str) -> str:
        """Path of a site's activations."""
        return f"{self.root}/{name}/activations/{self.capture_id(name)}/{site}.safetensors"

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

    def training_activations(self, cell: str) -> str:
        """The activations that a cell's SAE learns from."""
        return self.activations(self.training_corpus(cell), str(Cell.parse(cell).site))

    def cell_activations(self, cell: str, name: str) -> str:
        """The activations that a cell encodes."""
        return self.activations(name, str(Cell.parse(cell).site))

    def facts_files(self) -> dict[str, str]:
        """Files from which the numbers of the main corpus are shown, by the name of the input."""
        return {name: f"{self.root}/{self.main}/{file}" for name, file in FACTS.items()}

    def gpu(self) -> int:
        """GPUs that a job with the model or an encoder asks for."""
        return 0 if self.study.model.device == "cpu" else 1

    def cell_pattern(self, saes: Iterable[str] | None = None) -> str:
        """Regular expression of the cells with these SAEs; of any cell without."""
        names = SAE_PATTERN if saes is None else "|".join(map(re.escape, saes))
        # No SAE of a kind: a pattern that nothing matches.
        return f"{SITE_PATTERN}-(?:{names})" if names else "(?!)"

    @remembered
    def is_settled(self, cell: str) -> bool:
        """Whether all files of a cell that are there record their present specs."""
        tables = f"{self.root}/{self.main}/cells/{cell}"
        specs = {f"{tables}/{name}": s for name, s in self.cell_specs(cell, self.main).items()}
        specs[f"{tables}/features.html"] = self.page_spec(cell, self.main)
        # Of an SAE the tensors hold the spec.
        specs[self.sae_files(cell)[1]] = self.sae_spec(cell)
        there = [path for path in specs if Path(path).is_file()]
        return all(recorded_spec(path) == specs[path] for path in there)

    # --- targets ---------------------------------------------------------------------------

    def corpus_targets(self) -> list[str]:
        """Tables of every corpus in use."""
        used = self.corpora_used()
        return [f"{self.root}/{name}/{file}" for name in used for file in CORPUS_TABLES]

    def activation_targets(self) -> list[str]:
        """Activations of every corpus in use."""
        used = self.corpora_used()
        return [self.activations(name, str(site)) for name in used for site in self.sites]

    def sae_targets(self) -> list[str]:
        """SAEs of the grid."""
        return [path for cell in self.cells for path in self.sae_files(str(cell))]

    def cell_targets(self) -> list[str]:
        """Every table of every cell, and all that they come from."""
        return [
            *self.corpus_targets(),
            *self.activation_targets(),
            *self.sae_targets(),
            *self.cell_files(CELL_TABLES),
        ]

    def page_targets(self) -> list[str]:
        """Feature browsers and the index."""
        return [*self.cell_files(["features.html"]), f"{self.root}/index.html"]

    def figure_targets(self) -> list[str]:
        """Figures."""
        return [f"{self.root}/figures/{name}.svg" for name in sorted(FIGURES)]

    def all_targets(self) -> list[str]:
        """Everything."""
        summary = f"{self.root}/summary.parquet"
        return [*self.cell_targets(), summary, *self.page_targets(), *self.figure_targets()]

    def write_provenance(self) -> None:
        """Write the resolved config with versions and commit; no rule reads it."""
        write_json(f"{self.root}/config.json", provenance(self.study.model_dump(mode="json")))

    def remove_leftovers(self, before: float) -> None:
        """Remove temporary files of killed jobs, last written before a time in seconds."""
        remove_leftovers(self.root, before)
