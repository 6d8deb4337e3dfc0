"""The corpora of a study: tables and streams behind one interface."""

from functools import cached_property
from pathlib import Path
from typing import Any

from saegrid.base.digest import file_digests
from saegrid.base.errors import ConfigError
from saegrid.base.paths import expand_all
from saegrid.config.models import Corpus as Settings
from saegrid.config.models import Study
from saegrid.stages.plan.model import Model
from saegrid.stages.stage import At, Source, local_file
from saegrid.store.texts import names
from saegrid.text.corpora import hub
from saegrid.text.corpora.generated import files
from saegrid.text.corpora.rows import CONTINUED, CorpusError
from saegrid.text.shards import shard_names

BESIDE = ("holdout", "reference")
"""Roles of the corpora that are described beside the main one."""


class Corpora:
    """The catalogue of corpora."""

    def __init__(self, study: Study, model: Model) -> None:
        self.main = next(name for name, c in study.corpora.items() if c.role == "main")
        self._corpora: dict[str, Corpus] = {
            name: (Table if settings.store is None else Stream)(name, settings, model)
            for name, settings in study.corpora.items()
        }

    def __getitem__(self, name: str) -> "Corpus":
        return self._corpora[name]

    @cached_property
    def studied(self) -> list[str]:
        """Names of the corpora on which features are described: the main one, then those of the
        roles holdout and reference in the order of the config."""
        beside = [n for n, c in self._corpora.items() if c.settings.role in BESIDE]
        return [self.main, *beside]

    @cached_property
    def encoded(self) -> list[str]:
        """Names of the corpora on which features may stand: those studied, and the controls."""
        controls = [n for n, c in self._corpora.items() if c.settings.role == "control"]
        return [*self.studied, *controls]

    def in_shards(self) -> list[str]:
        """Names of the corpora that are cut."""
        return [name for name, corpus in self._corpora.items() if corpus.shards[0]]

    def streamed(self) -> list[str]:
        """Names of the corpora that are streamed into a store."""
        return [name for name, corpus in self._corpora.items() if corpus.is_streamed]


class Corpus:
    """A corpus: its files, its parts, and the outputs of stages in which its texts stand."""

    is_streamed = False

    def __init__(self, name: str, settings: Settings, model: Model) -> None:
        self.name, self.settings, self.model = name, settings, model
        self.shards = shard_names(settings.shards)

    @cached_property
    def files(self) -> list[str]:
        """The local files that it is read from; ConfigError where one is missing."""
        raise NotImplementedError

    @cached_property
    def content(self) -> list[str]:
        """Digests of these files."""
        return file_digests(self.files)

    def stored(self) -> int:
        """Bytes of these files."""
        return sum(Path(path).stat().st_size for path in self.files)

    @property
    def has_edits(self) -> bool:
        """True if its texts are pairs of an original and an edited one."""
        return self.settings.source.columns.original is not None

    @property
    def is_continued(self) -> bool:
        """True if its texts are prompts that the model continues."""
        return self.settings.source.kind == CONTINUED

    @property
    def max_length(self) -> int | None:
        """Longest row in tokens; None where neither the config nor the model says."""
        return self.settings.max_length or self.model.context

    @cached_property
    def expanded(self) -> dict[str, Any]:
        """Its source as the config has it, paths filled in."""
        return expand_all(self.settings.source.model_dump(mode="json"))

    def _stand_ins(self) -> list[str]:
        """The local files of a folder that stands in for the hub; none where it is on the hub."""
        try:
            return hub.stand_ins(self.expanded)
        except CorpusError as problem:
            raise ConfigError(f"corpora.{self.name}.source: {problem}") from None


class Table(Corpus):
    """A corpus whose items and tokens stand in tables."""

    norm = "none"
    """The norm applied to its activations."""
    begun = False

    @cached_property
    def files(self) -> list[str]:
        """The local files that it is read from, and its grammar's."""
        source = self.settings.source
        if source.kind == "hub":
            return self._stand_ins()
        paths = [[entry] if isinstance(entry, str) else entry for entry in source.files.values()]
        key = f"corpora.{self.name}.source"
        named = [local_file(key, path) for several in paths for path in several]
        if source.grammar:
            named += files(local_file(f"{key}.grammar", source.grammar))
        return [str(path) for path in named]

    @property
    def is_filtered(self) -> bool:
        """True if its rows hold the kept items only."""
        return self.settings.layout != "headline"

    def activations(self, at: At) -> Source:
        """The activations of a site."""
        return Source("capture.activations", at)

    def tokens(self, at: At) -> Source | None:
        """The table of its tokens."""
        return Source("tokens.tokens", at)

    def texts(self) -> Source:
        """The output that holds its texts: the items, or of prompts the tokens drawn after them."""
        held = "tokens.tokens" if self.is_continued else "items.table"
        return Source(held, At(self.name))

    def texts_settings(self, path: str) -> dict[str, Any]:
        """The location of its texts for base rates; path: of `texts`."""
        return {"corpus": self.name, "tokens" if self.is_continued else "items": path}


class Stream(Corpus):
    """A corpus that is streamed into a store."""

    is_streamed = True

    @property
    def norm(self) -> str:
        """The norm applied to its activations: none, layer or final."""
        return self.settings.store.norm

    @property
    def begun(self) -> bool:
        """True if the trainings on it fill its store."""
        return self.settings.store.beside

    @cached_property
    def files(self) -> list[str]:
        """The local files that it is read from; ConfigError where one is missing."""
        if self.settings.source.kind == "hub":
            return self._stand_ins()
        try:
            return names(self.expanded)
        except CorpusError as problem:
            raise ConfigError(f"corpora.{self.name}.source: {problem}") from None

    @cached_property
    def store(self) -> dict[str, Any]:
        """Settings of its store, see `saegrid.store.settings`."""
        settings, store = self.settings, self.settings.store
        return {
            **store.model_dump(mode="json", exclude={"beside"}),
            "cut": store.cut or ("rows" if store.choice == "all" else "truncate"),
            "max_characters": settings.source.max_characters,
            "max_texts": settings.source.n,
            "max_length": self.max_length,
            "strip": settings.strip,
        }

    def activations(self, at: At) -> Source:
        """The facts of a site's shards, which lie beside them."""
        return Source("fill_store.facts", at._replace(shard=""))

    def tokens(self, at: At) -> Source | None:
        """None: its tokens stand in no table."""
        return None

    def texts(self) -> Source:
        """The output that knows its files."""
        return Source("fill_store.facts", At(self.name))

    def texts_settings(self, path: str) -> dict[str, Any]:
        """The location of its texts for base rates; path: of the facts of a site."""
        longest = self.store["max_characters"] if self.store["cut"] == "truncate" else None
        source = self.settings.source.model_dump(mode="json")
        return {"corpus": self.name, "source": source, "facts": path, "longest": longest}
