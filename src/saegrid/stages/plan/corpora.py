"""Specs of the stages from text to activations."""

import json
from pathlib import Path
from typing import Any

from saegrid.base.digest import digest, file_digest
from saegrid.base.io import canonical
from saegrid.base.paths import PathError, expand, expand_all
from saegrid.base.registry import entry, lookup
from saegrid.base.words import Site
from saegrid.config.check import ConfigError
from saegrid.models import FAMILIES, family_name, read_config, sizes_of
from saegrid.models.hub import tokenizer_of
from saegrid.models.identity import model_identity
from saegrid.stages.plan.spec import Specs, remembered
from saegrid.text.corpora import hub
from saegrid.text.corpora.generated import files
from saegrid.text.corpora.rows import CorpusError
from saegrid.text.shards import numbers, shard_names

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "config.json",
)
"""What decides on tokens, of a folder."""


class CorpusSpecs(Specs):
    """Specs of items, selection, tokens and captures."""

    @remembered
    def source_files(self, name: str) -> list[str]:
        """The local files that a corpus is read from; ConfigError where one is missing."""
        source = self.study.corpora[name].source
        if source.kind == "hub":
            return self.stand_ins(name)
        paths = [[given] if isinstance(given, str) else given for given in source.files.values()]
        named = [path for several in paths for path in several]
        found = [self.local_file(f"corpora.{name}.source", path) for path in named]
        if source.grammar:
            found += files(self.local_file(f"corpora.{name}.source.grammar", source.grammar))
        return [str(path) for path in found]

    def stand_ins(self, name: str) -> list[str]:
        """The local files of a folder that stands in for the hub; none where a corpus is there."""
        source = expand_all(self.study.corpora[name].source.model_dump(mode="json"))
        try:
            return hub.stand_ins(source)
        except CorpusError as problem:
            raise ConfigError(f"corpora.{name}.source: {problem}") from None

    @remembered
    def items_spec(self, name: str) -> str:
        """Spec of the items: source, content of its files, what is stripped and checked."""
        corpus = self.study.corpora[name]
        kind = lookup(
            "saegrid.text.corpora:CORPORA", corpus.source.kind, f"corpora.{name}.source.kind"
        )
        return self.spec(
            "items",
            [kind],
            [],
            source=corpus.source.model_dump(mode="json"),
            content=[file_digest(path) for path in self.source_files(name)],
            strip=corpus.strip,
            keep_space=sorted(corpus.keep_space),
            grades=corpus.grades.model_dump(mode="json") if corpus.grades else None,
        )

    @remembered
    def selection_spec(self, name: str) -> str:
        """Spec of the filter."""
        chosen = self.study.corpora[name].filter
        return self.spec(
            "selection",
            [],
            [self.items_spec(name)],
            filter=chosen.model_dump(mode="json") if chosen else None,
        )

    def rows_depend_on_filter(self, name: str) -> bool:
        """Whether a corpus' rows hold the kept items only."""
        return self.study.corpora[name].layout != "headline"

    @remembered
    def tokens_spec(self, name: str) -> str:
        """Spec of the tokens: tokenizer, layout, mask."""
        corpus, model = self.study.corpora[name], self.study.model
        given = model.tokenizer or model.path
        folder = Path(expand(given))
        present = [folder / file for file in TOKENIZER_FILES if (folder / file).is_file()]
        inputs = [self.items_spec(name)]
        if self.rows_depend_on_filter(name):
            inputs.append(self.selection_spec(name))
        return self.spec(
            "tokens",
            [
                lookup("saegrid.text.layouts:LAYOUTS", corpus.layout, f"corpora.{name}.layout"),
                lookup("saegrid.text.masks:MASKS", corpus.mask, f"corpora.{name}.mask"),
            ],
            inputs,
            tokenizer=given,
            revision=tokenizer_of(model.model_dump())[1],
            content=[file_digest(path) for path in present],
            bos=model.bos,
            layout=corpus.layout,
            row_length=corpus.row_length,
            mask=corpus.mask,
            max_length=corpus.max_length or self.context(),
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
    def model_config(self) -> dict[str, Any] | None:
        """What the checkpoint says of itself; None where it is on the hub."""
        folder = self.model_folder()
        return read_config(folder) if folder else None

    def width(self, site: Site) -> int:
        """Channels of a site; 0 where the model is on the hub."""
        config = self.model_config()
        if config is None:
            return 0
        sizes = sizes_of(config, self.study.model.family)
        return sizes.d_mlp if site.position == "N" else sizes.d_model

    @remembered
    def family_code(self) -> list[str]:
        """The code that knows the model's architecture; all of it for a model on the hub."""
        config, family = self.model_config(), self.study.model.family
        if config is None and family == "auto":
            return sorted(set(FAMILIES.values()))
        return [entry(FAMILIES, family_name(config or {}, family), "model.family")]

    def check_layers(self) -> None:
        """ConfigError where the grid names a layer that the model does not have."""
        config = self.model_config()
        if config is None:
            return
        n_layers = sizes_of(config, self.study.model.family).n_layers
        missing = sorted({site.layer for site in self.sites if site.layer >= n_layers})
        if missing:
            raise ConfigError(
                f"grid: layers {missing} are not in the model, which has the layers 0 to "
                f"{n_layers - 1}."
            )

    @remembered
    def model_identity(self) -> str:
        """Digest of all that decides the model's outputs."""
        model = self.study.model.model_dump(mode="json")
        return digest(canonical(model_identity(model, self.model_folder())))

    @remembered
    def context(self) -> int | None:
        """Longest row that the model takes; None where it is not at hand."""
        try:
            path = Path(expand(self.study.model.path))
        except PathError:  # a corpus needs no model
            return None
        if not (path / "config.json").is_file():
            return None
        return sizes_of(read_config(path), self.study.model.family).context

    def shards(self, name: str) -> list[str]:
        """Names of a corpus' shards; the empty one alone where it is not cut."""
        return shard_names(self.study.corpora[name].shards)

    @remembered
    def capture_spec(self, name: str, shard: str = "") -> str:
        """Spec of a capture: all that decides the values, without the list of sites.

        Without a shard it is that of the whole, from which identities follow: values do not depend
        on how a corpus is cut.
        """
        self.check_layers()
        part = {"shard": numbers(shard)} if shard else {}
        return self.spec(
            "capture",
            self.family_code(),
            [self.items_spec(name), self.tokens_spec(name)],
            model=self.study.model.model_dump(mode="json"),
            identity=self.model_identity(),
            tokens=self.study.corpora[name].tokens.model_dump(mode="json"),
            threads=self.study.threads.capture,
            **part,
        )

    @remembered
    def capture_id(self, name: str) -> str:
        """The digest under which a capture is stored: where the model lies does not count."""
        spec = json.loads(self.capture_spec(name))
        for where in ("path", "tokenizer", "device"):
            spec["model"].pop(where)
        return digest(canonical(spec))
