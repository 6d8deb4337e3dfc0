"""Specs of the activation stores of streamed corpora."""

from pathlib import Path
from typing import Any

from saegrid.base.digest import digest, file_digest
from saegrid.base.errors import ConfigError
from saegrid.base.io import canonical
from saegrid.base.paths import expand, expand_all
from saegrid.stages.plan.corpora import TOKENIZER_FILES, CorpusSpecs
from saegrid.stages.plan.spec import remembered
from saegrid.store.manifest import BEGUN
from saegrid.store.settings import settings_of
from saegrid.store.texts import names
from saegrid.text.corpora.rows import CorpusError


class StoreSpecs(CorpusSpecs):
    """What stands in the place of tables and captures where a corpus is streamed."""

    def is_streamed(self, name: str) -> bool:
        """Whether a corpus is streamed into a store."""
        return self.study.corpora[name].store is not None

    def norm_of(self, name: str) -> str:
        """What is done to the activations of a corpus: none, layer or final."""
        return self.study.corpora[name].store.norm if self.is_streamed(name) else "none"

    def source_files(self, name: str) -> list[str]:
        """The local files that a corpus is read from; ConfigError where one is missing."""
        return self._streamed_files(name) if self.is_streamed(name) else super().source_files(name)

    @remembered
    def _streamed_files(self, name: str) -> list[str]:
        source = expand_all(self.study.corpora[name].source.model_dump(mode="json"))
        if source["kind"] == "hub":
            return self.stand_ins(name)
        try:
            return names(source)
        except CorpusError as problem:
            raise ConfigError(f"corpora.{name}.source: {problem}") from None

    @remembered
    def store_settings(self, name: str) -> dict[str, Any]:
        """Settings of a store, see `saegrid.store.settings`."""
        corpus = self.study.corpora[name]
        store = corpus.store
        return {
            **store.model_dump(mode="json", exclude={"beside"}),
            "cut": store.cut or ("rows" if store.choice == "all" else "truncate"),
            "max_characters": corpus.source.max_characters,
            "max_texts": corpus.source.n,
            "max_length": corpus.max_length or self.context(),
            "strip": corpus.strip,
        }

    @remembered
    def store_id(self, name: str) -> str:
        """The digest under which a store lies: all that decides its bytes, but not how far it goes.

        Files are not in it: the store knows their digests, and stays as far as they have not
        changed. Neither is where the model lies, nor the list of sites.
        """
        corpus, model = self.study.corpora[name], self.study.model
        told = corpus.source.model_dump(
            mode="json", include={"kind", "separator", "repo", "revision"}
        )
        folder = Path(expand(model.tokenizer or model.path))
        present = [folder / file for file in TOKENIZER_FILES if (folder / file).is_file()]
        decided = {
            "code": self.code("fill_store", *self.family_code()),
            "model": self.model_identity(),
            "tokenizer": [file_digest(path) for path in present]
            or [model.tokenizer, model.revision],
            "bos": model.bos,
            "source": {**told, "column": corpus.source.columns.text},
            "settings": settings_of(self.store_settings(name)).deciding,
            "threads": self.study.threads.capture,
        }
        return digest(canonical(decided))

    @remembered
    def store_spec(self, name: str) -> str:
        """Spec of the filling of a store, without the list of sites."""
        self.check_layers()
        corpus, model = self.study.corpora[name], self.study.model
        return self.spec(
            "fill_store",
            self.family_code(),
            [],
            model={**model.model_dump(mode="json"), "name": model.path},
            tokenizer=model.tokenizer or model.path,
            source=corpus.source.model_dump(mode="json"),
            content=[file_digest(path) for path in self.source_files(name)],
            settings=self.store_settings(name),
            store=self.store_id(name),
            threads=self.study.threads.capture,
        )

    def is_beside(self, name: str) -> bool:
        """Whether the trainings on a corpus fill its store."""
        return self.is_streamed(name) and self.study.corpora[name].store.beside

    def begun_store(self, name: str, site: str) -> str:
        """Path of the file that stands for a store which is filled beside the trainings."""
        return self.store_facts(name, f"{site}{BEGUN}")

    def store_facts(self, name: str, site: str) -> str:
        """Path of the facts of a site's shards, which lie beside it."""
        return f"{self.root}/{name}/store/{self.store_id(name)}/{site}.json"

    def tokens_file(self, name: str) -> str | list[str]:
        """The table of a corpus' tokens; none of a streamed one."""
        return [] if self.is_streamed(name) else f"{self.root}/{name}/tokens.parquet"

    def capture_spec(self, name: str, shard: str = "") -> str:
        """Spec of a capture, or of the filling of a store."""
        if self.is_streamed(name):
            return self.store_spec(name)
        return super().capture_spec(name, shard)

    def capture_id(self, name: str) -> str:
        """The digest under which a capture, or a store, lies."""
        return self.store_id(name) if self.is_streamed(name) else super().capture_id(name)
