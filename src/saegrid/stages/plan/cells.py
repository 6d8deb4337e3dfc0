"""Specs of the stages from activations to pages."""

from pathlib import Path
from typing import Any

from saegrid.base.digest import digest, file_digest
from saegrid.base.errors import ConfigError
from saegrid.base.paths import expand
from saegrid.base.registry import lookup
from saegrid.base.words import Cell
from saegrid.pages.figures import FIGURES
from saegrid.stages.plan.spec import remembered
from saegrid.stages.plan.training import TrainingSpecs


class CellSpecs(TrainingSpecs):
    """Specs of SAEs, encodings, densities, examples and pages."""

    def checkpoint(self, cell: str) -> dict[str, Any]:
        """Where a cell's checkpoint lies, its layer and position filled in; a path comes first."""
        site, name = Cell.parse(cell)
        sae = self.study.saes[name].model_dump(mode="json")
        if sae["path"]:
            sae |= {"repo": None, "folder": None, "revision": None}
        if isinstance(sae["revision"], dict):
            sae["revision"] = sae["revision"].get(site.position)
        for key in ("path", "repo", "folder"):
            if sae[key]:
                sae[key] = sae[key].replace("{layer}", str(site.layer))
                sae[key] = sae[key].replace("{position}", site.position)
        return sae

    @remembered
    def import_spec(self, cell: str) -> str:
        """Spec of the reference to a checkpoint; ConfigError where it is missing."""
        sae = self.checkpoint(cell)
        reader = lookup("saegrid.saes.formats:FORMATS", sae["format"], "format")
        content = None
        if sae["path"]:
            folder = Path(expand(sae["path"]))
            if not folder.is_dir():
                raise ConfigError(
                    f"saes.{Cell.parse(cell).sae}: no checkpoint of {cell} at {folder}."
                )
            files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            content = [[str(path.relative_to(folder)), path.stat().st_size] for path in files]
        elif not sae["revision"]:
            site, name = Cell.parse(cell)
            raise ConfigError(
                f"saes.{name}.revision: name the commit of {sae['repo']} (position "
                f"{site.position}) on the hub, so that the results can be repeated. "
                "`python -m saegrid.saes.pin` looks up the present ones, see its help."
            )
        return self.spec("import_sae", [reader], [], sae=sae, cell=cell, content=content)

    def sae_spec(self, cell: str) -> str:
        """Spec of a cell's SAE, trained or imported."""
        return self.train_spec(cell) if self.is_trained(cell) else self.import_spec(cell)

    @remembered
    def encode_spec(self, cell: str, name: str, shard: str = "") -> str:
        """Spec of an encoding, of a shard or of the whole."""
        reader = "sae_lens" if self.is_trained(cell) else self.checkpoint(cell)["format"]
        return self.spec(
            "encode",
            [
                lookup("saegrid.saes.formats:FORMATS", reader, "format"),
            ],
            [self.sae_spec(cell), self.capture_spec(name, shard)],
            cell=cell,
            encode=self.settings(cell, "encode"),
            capture=self.capture_id(name),
            threads=self.study.threads.encode,
        )

    @remembered
    def merge_spec(self, cell: str, name: str) -> str:
        """Spec of the features of a corpus in shards."""
        shards = [self.encode_spec(cell, name, shard) for shard in self.shards(name)]
        return self.spec("merge", [], shards)

    def features_specs(self, cell: str, name: str) -> dict[str, str]:
        """The spec of features.safetensors, and of the files that it is merged from.

        What comes after has the spec of the whole among its inputs, merged or not: merged features
        are those of the whole, so that the number of shards changes no byte of a result.
        """
        shards = self.shards(name)
        if len(shards) == 1:
            return {"features.safetensors": self.encode_spec(cell, name)}
        of_shards = {
            f"features{shard}.safetensors": self.encode_spec(cell, name, shard) for shard in shards
        }
        return {"features.safetensors": self.merge_spec(cell, name), **of_shards}

    @remembered
    def density_spec(self, cell: str, name: str) -> str:
        """Spec of the densities."""
        return self.spec(
            "density",
            [],
            [self.encode_spec(cell, name), self.tokens_spec(name), self.selection_spec(name)],
            layout=self.study.corpora[name].layout,
            density=self.settings(cell, "density"),
        )

    @remembered
    def top_tokens_spec(self, cell: str, name: str) -> str:
        """Spec of the examples and of their judgement."""
        topics = self.settings(cell, "topics")
        lists = topics["lists"]
        return self.spec(
            "top_tokens",
            [],
            [self.density_spec(cell, name)],
            layout=self.study.corpora[name].layout,
            top_tokens=self.settings(cell, "top_tokens"),
            topics=topics,
            content=file_digest(self.local_file("topics.lists", lists)) if lists else None,
        )

    @remembered
    def logit_effects_spec(self, cell: str, name: str) -> str:
        """Spec of the logit effects of the features shown."""
        return self.spec(
            "logit_effects",
            self.family_code(),
            [self.top_tokens_spec(cell, name), self.sae_spec(cell)],
            model=self.study.model.model_dump(mode="json"),
            identity=self.model_identity(),
            logits=self.settings(cell, "logits"),
        )

    @remembered
    def page_spec(self, cell: str, name: str) -> str:
        """Spec of a feature browser."""
        return self.spec(
            "page",
            [],
            [self.top_tokens_spec(cell, name), self.logit_effects_spec(cell, name)],
            study=self.study.study,
            model=self.study.model.path,
            corpus=name,
            cell=cell,
            layout=self.study.corpora[name].layout,
            mask=self.study.corpora[name].mask,
            pages=self.settings(cell, "pages"),
        )

    def cell_specs(self, cell: str, name: str) -> dict[str, str]:
        """The spec of each table of a cell."""
        top = self.top_tokens_spec(cell, name)
        return {
            **self.features_specs(cell, name),
            "features.parquet": self.density_spec(cell, name),
            "top_tokens.parquet": top,
            "examples.parquet": top,
            "topics.parquet": top,
            "logit_effects.parquet": self.logit_effects_spec(cell, name),
        }

    @remembered
    def summary_spec(self) -> str:
        """Spec of the summary of all cells, with the specs that their files must have recorded."""
        specs = {str(cell): self.cell_specs(str(cell), self.main) for cell in self.cells}
        return self.spec(
            "summary",
            [],
            [],
            expected={
                c: {file: digest(s) for file, s in named.items()} for c, named in specs.items()
            },
            cuts=self.study.pages.cuts,
        )

    @remembered
    def _facts(self) -> list[str]:
        names = (self.items_spec, self.selection_spec, self.tokens_spec)
        return [self.summary_spec(), *(spec(self.main) for spec in names)]

    @remembered
    def index_spec(self) -> str:
        """Spec of the index page."""
        return self.spec(
            "index",
            [],
            [*self._facts(), self.plot_spec()],
            study=self.study.study,
            title=self.study.pages.title,
            model=self.study.model.path,
            corpus=self.main,
            cuts=self.study.pages.cuts,
        )

    @remembered
    def plot_spec(self) -> str:
        """Spec of the figures."""
        return self.spec(
            "plot",
            sorted(FIGURES.values()),
            self._facts(),
            cuts=self.study.pages.cuts,
        )
