"""The filling of a store: it reads texts and writes shards, with a manifest after each.

A store always ends as if it had been filled at once with the present settings: shards that would
come out otherwise (the last one, partly filled, when more text is asked for; all behind a file that
has changed) are made again, the others stay.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from saegrid.base.paths import expand_all
from saegrid.base.words import Site
from saegrid.models import hub
from saegrid.models.check import check
from saegrid.models.load import Loaded, fits, load
from saegrid.saes.cache.locks import open_lock, try_flock
from saegrid.store.blocks import Capturing
from saegrid.store.kept import Kept, kept
from saegrid.store.manifest import LOCK, Manifest, Shard, read_manifest, reasons
from saegrid.store.rows import Gathered, Gatherer, Rower
from saegrid.store.settings import Settings, StoreError, settings_of
from saegrid.store.texts import (
    File,
    Offset,
    form_of,
    full_name,
    is_pinned,
    locate,
    names,
    texts,
)
from saegrid.text import tokenizer
from saegrid.text.corpora.items import check_share
from saegrid.text.tokenizer import Encoder

MEMORY_MB = 6000
WAIT = 0.5
"""Seconds between two looks at a store that another process fills."""


def _print(line: str) -> None:
    print(line, flush=True)


def fill(
    folder: str | Path,
    model: Mapping[str, Any],
    encoder: Encoder,
    source: Mapping[str, Any],
    settings: Settings,
    sites: Iterable[str],
    identity: str = "",
    memory_mb: int = MEMORY_MB,
    say: Callable[[str], None] = _print,
    ready: Callable[[], None] = lambda: None,
    share: float | None = 1.0,
) -> Manifest:
    """Fill a store, or go on filling it; return its manifest at the end.

    Args:
        folder: folder of the store; one process fills it at a time, the next one waits.
        model: settings of the model, see `models.load`; it is loaded only if something is missing.
            The manifest records its `name`, or its path where it has none.
        encoder: the model's tokenizer.
        source: source of the texts, see `store.texts`.
        settings: tokens that are kept of the texts, and how far the store goes.
        sites: sites to be stored. Others that the store has stay as they are.
        identity: digest of model, tokenizer and code; a store of another identity is made anew.
        memory_mb: megabytes that may be held. They decide how many tokens are run at a time, no
            byte.
        say: prints a line of progress.
        ready: called once, as soon as every shard that the manifest counts is final: the store can
            then be read from its start, while this process or another fills it.
        share: largest share of the texts that may be set aside, see `text.corpora.items`.

    Raises:
        StoreError, CorpusError, ModelError: name the file, setting or site.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    filling = _Filling(folder, encoder, source, settings, identity, say, ready, share)
    wanted = sorted(sites, key=Site.parse)
    with open_lock(folder / LOCK) as lock:
        while not try_flock(lock, "LOCK_EX"):
            filling.follow(wanted)
            time.sleep(WAIT)
        return filling.run(model, wanted, memory_mb)


def fill_as(
    folder: str | Path,
    spec: Mapping[str, Any],
    sites: Iterable[str],
    memory_mb: int = MEMORY_MB,
    ready: Callable[[], None] = lambda: None,
) -> Manifest:
    """Fill a store by the parsed spec of the rule fill_store, see `fill`.

    Paths in the spec are as the config writes them, and the manifest records them so.
    """
    resolved = expand_all(spec)
    model = {**resolved["model"], "name": spec["model"]["name"]}
    home = hub.tokenizer_folder({**model, "tokenizer": resolved["tokenizer"]})
    return fill(
        folder,
        model,
        tokenizer.load(home, model["bos"], parses=spec.get("special_tokens") == "parse"),
        resolved["source"],
        settings_of(resolved["settings"]),
        sites,
        resolved["store"],
        memory_mb,
        ready=ready,
        share=spec.get("share", 1.0),
    )


class _Filling:
    """The state of one process that fills a store."""

    def __init__(
        self,
        folder: Path,
        encoder: Encoder,
        source: Mapping[str, Any],
        settings: Settings,
        identity: str,
        say: Callable[[str], None],
        ready: Callable[[], None],
        share: float | None,
    ) -> None:
        self.folder, self.encoder, self.source = folder, encoder, source
        self.settings, self.identity, self.say = settings, identity, say
        self.names = names(source)
        self.files: dict[int, File] = {}
        self._ready, self._is_ready, self.share = ready, False, share
        self.gatherer: Gatherer | None = None

    def ready(self) -> None:
        """Announce that the store can be read, the first time only."""
        if not self._is_ready:
            self._ready()
        self._is_ready = True

    def follow(self, sites: list[str]) -> None:
        """Announce that the store can be read, if another process fills it by the same settings."""
        old = None if self._is_ready else read_manifest(self.folder)
        if old is None or old.extent != self.settings.extent or not {*sites} <= {*old.widths}:
            return
        if len(self._kept(old).shards) == len(old.shards):
            self.ready()

    def _kept(self, old: Manifest) -> Kept:
        present = self.folder, self.settings, self.identity, len(self.names), self._is_as_before
        return kept(old, *present)

    def run(self, model_settings: Mapping[str, Any], sites: list[str], memory_mb: int) -> Manifest:
        """Fill the store where shards or sites are missing; return its manifest."""
        old, shards, done = read_manifest(self.folder), [], False
        if old is not None:
            shards, done = self._kept(old)
            self.say(f"store: {len(shards)} of {len(old.shards)} shards stay as they are")
        if done and all(site in shard.sha256 for site in sites for shard in shards):
            self.ready()
            self._remove(old)
            self._check_share(old.shards)
            return old
        model = self._model(model_settings, memory_mb)
        capturing = Capturing(self.folder, model, self.settings, self.identity, memory_mb)
        state = Manifest(
            str(model_settings.get("name", model_settings["path"])),
            model_settings.get("revision"),
            str(model.dtype).removeprefix("torch."),
            self.identity,
            self.settings.deciding,
            self.settings.extent,
            done,
            {**(old.widths if shards else {}), **{site: capturing.width(site) for site in sites}},
            self._digests(shards),
            shards,
        )
        # Before a file changes: what is counted is there.
        state.write(self.folder)
        self.ready()
        self.say(f"store: {self.encoder.describe()}")
        rower = Rower(self.encoder, self.settings, model.sizes.context)
        self._more_sites(state, capturing, rower, sites)
        state = self._more_text(state, capturing, rower, sites)
        self._remove(state)
        return state

    def _more_text(
        self, state: Manifest, capturing: Capturing, rower: Rower, sites: list[str]
    ) -> Manifest:
        """Write the shards that follow the last one of the manifest."""
        while not state.complete:
            gathered = self._gather(rower, state.shards[-1].end if state.shards else Offset())
            if gathered.end != gathered.begin:
                state.shards.append(self._shard(capturing, len(state.shards), gathered, sites))
            if gathered.last and not any(shard.entries for shard in state.shards):
                raise StoreError(
                    f"No token of {', '.join(self.names)} is kept; texts set aside: "
                    f"{gathered.set_aside}. Name files that hold text."
                )
            state = state._replace(complete=gathered.last, files=self._digests(state.shards))
            state.write(self.folder)
            self._check_share(state.shards)
        return state

    def _check_share(self, shards: list[Shard]) -> None:
        """CorpusError where more texts are set aside than may be."""
        aside, texts = reasons(shards), shards[-1].end.text
        why = ", ".join(
            f"{reason} ({n:,}, first text {first:,})" for reason, (n, first) in aside.items()
        )
        n = sum(n for n, _ in aside.values())
        check_share(n, texts, self.share, lambda: f"{why}; texts are counted from 0.")

    def _met(self, number: int, file: File) -> None:
        """Take note of a file, and say in which form it is read."""
        self.files[number] = file
        form = form_of(file.path, self.source)
        if form and (words := form.describe()):
            self.say(f"store: {file.name}: {words}")

    def _more_sites(
        self, state: Manifest, capturing: Capturing, rower: Rower, sites: list[str]
    ) -> None:
        """Write the files of those sites that shards of the manifest lack."""
        for number, known in enumerate(state.shards):
            lacking = [site for site in sites if site not in known.sha256]
            if lacking:
                gathered = self._gather(rower, known.begin)
                if (gathered.end, gathered.entries) != (known.end, known.entries):
                    raise StoreError(
                        f"{self.folder}: shard {number} does not come out as before from its "
                        "texts. Delete the folder and fill the store again."
                    )
                written = self._shard(capturing, number, gathered, lacking)
                state.shards[number] = written._replace(sha256={**known.sha256, **written.sha256})
                state.write(self.folder)

    def _model(self, settings: Mapping[str, Any], memory_mb: int) -> Loaded:
        if not fits(settings, memory_mb):
            raise StoreError(
                f"{settings['path']}: the model does not fit into {memory_mb} MB, and a store is "
                "filled by a whole model. Raise memory.capture."
            )
        model = load(settings)
        check(model)
        return model

    def _is_as_before(self, number: int, known: Mapping[str, str]) -> bool:
        """Return True if a file of the source still has the digest recorded in the manifest."""
        name = self.names[number]
        if is_pinned(self.source) and known["name"] == full_name(self.source, name):
            self.files[number] = File(**known, path=Path())  # no need to fetch it again
        else:
            self.files[number] = locate(self.source, name)
        return self.files[number].sha256 == known["sha256"]

    def _digests(self, shards: list[Shard]) -> list[dict[str, str]]:
        """Names and digests of the files that the shards are made from."""
        n = shards[-1].end.file + 1 if shards else 0
        files = [self.files[number] for number in range(n)]
        return [{"name": file.name, "sha256": file.sha256} for file in files]

    def _gather(self, rower: Rower, start: Offset) -> Gathered:
        """The rows of the shard that begins at an offset of the stream."""
        if self.gatherer is None or self.gatherer.offset != start:
            stream = texts(self.source, self.names, start, self._met)
            self.gatherer = Gatherer(rower, rower.pieces(stream), start)
        return self.gatherer.shard()

    def _shard(
        self, capturing: Capturing, number: int, gathered: Gathered, sites: list[str]
    ) -> Shard:
        """Write a shard at these sites; return its facts."""
        digests = capturing.shard(number, gathered, sites)
        tokens = gathered.end.token - gathered.begin.token
        self.say(
            f"store: shard {number}: {len(sites)} sites, {gathered.entries:,} entries of "
            f"{len(gathered.text):,} rows and {tokens:,} tokens"
        )
        return Shard(gathered.entries, gathered.begin, gathered.end, gathered.set_aside, digests)

    def _remove(self, state: Manifest) -> None:
        """Remove the files of shards that the manifest does not count."""
        for path in self.folder.glob("L*/[0-9]*.safetensors"):
            number, site = int(path.stem), path.parent.name
            if number >= len(state.shards) or site not in state.shards[number].sha256:
                path.unlink()
