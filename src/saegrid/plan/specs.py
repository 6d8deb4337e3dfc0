"""Specs of the stages.

A spec is one canonical JSON text of all that decides a result (settings, identities of data
and model, fingerprint of the code); a job is run again when its spec changes.
"""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from saegrid.config.check import ConfigError, cell_settings, cells
from saegrid.config.models import Corpus, Study
from saegrid.figures import FIGURES
from saegrid.identity import file_digest, model_identity
from saegrid.io import canonical
from saegrid.paths import expand
from saegrid.registry import lookup
from saegrid.words import Cell
from saegrid.workflow import digest, fingerprint


def remembered(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that is worked out once for each set of arguments."""

    @wraps(method)
    def once(self: "Specs", *names: str) -> Any:
        key = (method.__name__, *names)
        if key not in self.memory:
            self.memory[key] = method(self, *names)
        return self.memory[key]

    return once


class Specs:
    """Specs of one study's stages."""

    def __init__(self, study: Study, scripts: str | Path = "workflow/scripts") -> None:
        self.study = study
        self.scripts = Path(scripts)
        self.root = f"results/{study.study}"
        self.cells: list[Cell] = cells(study)
        self.sites = sorted({cell.site for cell in self.cells})
        self.main = next(name for name, c in study.corpora.items() if c.role == "main")
        self.trained = sorted({c.sae for c in self.cells if study.saes[c.sae].source == "train"})
        self.imported = sorted({c.sae for c in self.cells} - set(self.trained))
        self.memory: dict[tuple[str, ...], Any] = {}

    # --- specs -----------------------------------------------------------------------------

    def _spec(self, stage: str, *modules: str, **settings: Any) -> str:
        return canonical({"stage": stage, "code": self._code(stage, *modules), **settings})

    @remembered
    def _code(self, stage: str, *modules: str) -> str:
        return fingerprint(*modules, script=self.scripts / f"{stage}.py")

    def _corpus(self, name: str) -> Corpus:
        return self.study.corpora[name]

    def _local(self, key: str, path: str) -> Path:
        """A file named in the config; ConfigError where it is missing."""
        found = Path(expand(path))
        if not found.is_file():
            raise ConfigError(
                f"{key}: the file {found} is not there. "
                "Paths are relative to the folder in which snakemake runs."
            )
        return found

    @remembered
    def source_files(self, name: str) -> list[str]:
        """The local files that a corpus is read from; ConfigError where one is missing."""
        source = self._corpus(name).source
        if source.kind == "hub":
            return []
        files = [[given] if isinstance(given, str) else given for given in source.files.values()]
        named = [path for paths in files for path in paths]
        named += [source.grammar] if source.grammar else []
        return [str(self._local(f"corpora.{name}.source", path)) for path in named]

    @remembered
    def items_spec(self, name: str) -> str:
        """Spec of the items: source, content of its files, what is stripped and checked."""
        corpus = self._corpus(name)
        return self._spec(
            "items",
            "corpora.items",
            lookup("saegrid.corpora:CORPORA", corpus.source.kind, f"corpora.{name}.source.kind"),
            source=corpus.source.model_dump(mode="json"),
            content=[file_digest(path) for path in self.source_files(name)],
            strip=corpus.strip,
            keep_space=sorted(corpus.keep_space),
            grades=corpus.grades,
        )

    @remembered
    def selection_spec(self, name: str) -> str:
        """Spec of the filter."""
        chosen = self._corpus(name).filter
        return self._spec(
            "selection", "selection", filter=chosen.model_dump(mode="json") if chosen else None
        )

    @remembered
    def tokens_spec(self, name: str) -> str:
        """Spec of the tokens: tokenizer, layout, mask."""
        corpus = self._corpus(name)
        given = self.study.model.tokenizer or self.study.model.path
        folder = Path(expand(given))
        content = [
            file_digest(folder / file)
            for file in ("tokenizer.json", "tokenizer_config.json")
            if (folder / file).is_file()
        ]
        return self._spec(
            "tokens",
            "tokens",
            lookup("saegrid.layouts:LAYOUTS", corpus.layout, f"corpora.{name}.layout"),
            lookup("saegrid.masks:MASKS", corpus.mask, f"corpora.{name}.mask"),
            content=content,
            path=given,
            revision=self.study.model.revision,
            bos=self.study.model.bos,
            layout=corpus.layout,
            row_length=corpus.row_length,
            mask=corpus.mask,
            max_length=corpus.max_length,
        )

    @remembered
    def model_folder(self) -> Path | None:
        """The model's local folder, None where it is on the hub; ConfigError where missing."""
        path = expand(self.study.model.path)
        if Path(path).is_dir():
            return Path(path)
        # A name on the hub is "owner/name"; anything else was meant as a folder.
        if path.count("/") != 1 or path.startswith((".", "/")):
            raise ConfigError(f"model.path: there is no folder {path}.")
        if self.study.model.revision is None:
            raise ConfigError(
                f"model.revision: name the commit of {path} on the hub, "
                "so that the results can be repeated."
            )
        return None

    @remembered
    def _identity(self) -> dict[str, Any]:
        folder, model = self.model_folder(), self.study.model.model_dump(mode="json")
        return model_identity(model, folder)

    @remembered
    def capture_spec(self, name: str) -> str:
        """Spec of a capture: all that decides the values, without the list of sites."""
        corpus = self._corpus(name)
        texts = [digest(self.items_spec(name)), digest(self.tokens_spec(name))]
        if corpus.layout != "headline":
            texts.append(digest(self.selection_spec(name)))
        return self._spec(
            "capture",
            "capture",
            "models.load",
            model=self.study.model.model_dump(mode="json"),
            identity=self._identity(),
            texts=texts,
            tokens=corpus.tokens.model_dump(mode="json"),
            threads=self.study.threads.capture,
        )

    @remembered
    def capture_id(self, name: str) -> str:
        """The digest under which a capture is stored."""
        spec = json.loads(self.capture_spec(name))
        for where in ("path", "tokenizer", "device"):
            spec["model"].pop(where)
        return digest(canonical(spec))

    @remembered
    def train_spec(self, cell: str) -> str:
        """Spec of a training."""
        settings = cell_settings(self.study, Cell.parse(cell), "train")
        recipe = lookup("saegrid.saes.training:RECIPES", settings["recipe"], "recipe")
        return self._spec(
            "train_sae",
            "saes.training.loop",
            "saes.formats.sae_lens",
            recipe,
            sae=settings,
            model=self.study.model.path,
            capture=self.capture_id(settings["corpus"]),
            threads=self.study.threads.train,
        )

    def checkpoint(self, cell: str) -> dict[str, Any]:
        """Where a cell's checkpoint lies, its layer and position filled in."""
        site, name = Cell.parse(cell)
        sae = self.study.saes[name].model_dump(mode="json")
        for key in ("path", "repo", "folder"):
            if sae[key]:
                sae[key] = sae[key].replace("{layer}", str(site.layer))
                sae[key] = sae[key].replace("{position}", site.position)
        return sae

    @remembered
    def import_spec(self, cell: str) -> str:
        """Spec of the reference to a checkpoint."""
        sae = self.checkpoint(cell)
        reader = lookup("saegrid.saes.formats:FORMATS", sae["format"], "format")
        content = None
        if sae["path"]:
            folder = Path(expand(sae["path"]))
            if not folder.is_dir():
                raise ConfigError(f"saes: the checkpoint of {cell} is not at {folder}.")
            stats = [(p.name, p.stat().st_size) for p in sorted(folder.rglob("*")) if p.is_file()]
            content = digest(canonical(stats))
        return self._spec("import_sae", reader, sae=sae, cell=cell, content=content)

    def sae_spec(self, cell: str) -> str:
        """Spec of a cell's SAE, trained or imported."""
        return self.train_spec(cell) if self.is_trained(cell) else self.import_spec(cell)

    @remembered
    def encode_spec(self, cell: str, name: str) -> str:
        """Spec of an encoding."""
        reader = "sae_lens" if self.is_trained(cell) else self.checkpoint(cell)["format"]
        return self._spec(
            "encode",
            "encode",
            lookup("saegrid.saes.formats:FORMATS", reader, "format"),
            encode=cell_settings(self.study, Cell.parse(cell), "encode"),
            sae=digest(self.sae_spec(cell)),
            capture=self.capture_id(name),
            threads=self.study.threads.encode,
        )

    def density_spec(self, cell: str, name: str) -> str:
        """Spec of the densities."""
        return self._spec(
            "density",
            "density",
            layout=self._corpus(name).layout,
            density=cell_settings(self.study, Cell.parse(cell), "density"),
        )

    @remembered
    def top_tokens_spec(self, cell: str) -> str:
        """Spec of the examples and of their judgement."""
        topics = cell_settings(self.study, Cell.parse(cell), "topics")
        lists = topics["lists"]
        content = file_digest(self._local("topics.lists", lists)) if lists else None
        return self._spec(
            "top_tokens",
            "examples",
            "topics",
            top_tokens=cell_settings(self.study, Cell.parse(cell), "top_tokens"),
            topics=topics,
            content=content,
        )

    @remembered
    def logits_spec(self, cell: str) -> str:
        """Spec of the logit effects."""
        return self._spec(
            "logit_effects",
            "logits",
            model=self.study.model.model_dump(mode="json"),
            identity=self._identity(),
            logits=cell_settings(self.study, Cell.parse(cell), "logits"),
            sae=digest(self.sae_spec(cell)),
        )

    def page_spec(self, cell: str, name: str) -> str:
        """Spec of a feature browser."""
        return self._spec(
            "page",
            "browser.page",
            study=self.study.study,
            model=self.study.model.path,
            corpus=name,
            cell=cell,
            layout=self._corpus(name).layout,
            mask=self._corpus(name).mask,
            pages=cell_settings(self.study, Cell.parse(cell), "pages"),
        )

    def cell_specs(self, cell: str, name: str) -> dict[str, str]:
        """Digest of the spec of each table of a cell."""
        top = digest(self.top_tokens_spec(cell))
        return {
            "features.safetensors": digest(self.encode_spec(cell, name)),
            "features.parquet": digest(self.density_spec(cell, name)),
            "top_tokens.parquet": top,
            "examples.parquet": top,
            "topics.parquet": top,
            "logit_effects.parquet": digest(self.logits_spec(cell)),
        }

    @remembered
    def summary_spec(self) -> str:
        """Spec of the summary of all cells: the specs that their files must have recorded."""
        return self._spec(
            "summary",
            "summary",
            cells={str(c): self.cell_specs(str(c), self.main) for c in self.cells},
            cuts=self.study.pages.cuts,
            topics=self.study.topics.model_dump(mode="json"),
        )

    @remembered
    def index_spec(self) -> str:
        """Spec of the index page."""
        return self._spec(
            "index",
            "browser.index",
            study=self.study.study,
            title=self.study.pages.title,
            model=self.study.model.path,
            corpus=self.main,
            cuts=self.study.pages.cuts,
        )

    @remembered
    def plot_spec(self) -> str:
        """Spec of the figures."""
        return self._spec("plot", "figures", *sorted(FIGURES.values()), cuts=self.study.pages.cuts)

    def is_trained(self, cell: str) -> bool:
        """Whether the SAE of a cell is trained here."""
        return Cell.parse(cell).sae in self.trained
