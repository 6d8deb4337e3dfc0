"""The capture of a corpus: the sites that its store lacks, then links to all that were asked
for."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from saegrid.base.words import Site
from saegrid.capture.choice import captured_tokens
from saegrid.capture.finished import is_finished, link, stored
from saegrid.capture.layers import capture_layers
from saegrid.capture.whole import capture_sites
from saegrid.models.check import check
from saegrid.models.forward import Say
from saegrid.models.load import fits, load
from saegrid.models.tiles import rows_of
from saegrid.text.shards import part_of

MEMORY_MB = 6000
"""Megabytes that a capture may hold by default."""


def _print(line: str) -> None:
    print(line, flush=True)


def capture_corpus(
    model: Mapping[str, Any],
    tokens: pa.Table,
    spans: pa.Table,
    choice: Mapping[str, Any],
    outputs: Iterable[str | os.PathLike[str]],
    store: str | os.PathLike[str],
    spec: str = "",
    say: Say = _print,
    shard: tuple[int, int] | None = None,
    memory_mb: int = MEMORY_MB,
) -> None:
    """Capture a corpus at the sites that the outputs name: `{site}.safetensors` each.

    Args:
        model: settings of the model, see `models.load`; it is loaded only if the store lacks a
            site.
        tokens: the corpus' table of tokens.
        spans: the corpus' table of spans.
        choice: choice of the tokens, see `captured_tokens`.
        outputs: one file a site; each holds x (kept, d_model) in the model's dtype and token
            (kept,) int64, the token indices ascending.
        store: folder where finished sites stay; a file of it counts if it was written for the
            same `spec` and tokens.
        spec: text that decides the values, without the list of sites; headers record it.
        say: prints a line of progress.
        shard: number and count, see `shards`; the tokens are chosen over the whole corpus.
        memory_mb: megabytes that may be held; a model that is too large for it runs block by block.

    Raises:
        CaptureError, ModelError: the capture cannot be made; raised before any long work, but for
            NaN or infinity in the activations.
    """
    paths = {Site.parse(Path(path).stem): Path(path) for path in outputs}
    store, rows = Path(store), rows_of(tokens)
    wanted = captured_tokens(tokens, spans, choice)
    if shard is not None:
        wanted = wanted[part_of(rows.row_of(wanted), *shard)]
    missing = [site for site in paths if not is_finished(stored(store, site), wanted, spec)]
    say(f"capture: {len(paths) - len(missing)} of {len(paths)} sites are in the store")
    if missing:
        if fits(model, memory_mb):
            loaded = load(model)
            check(loaded)
            capture_sites(loaded, rows, wanted, missing, store, spec, say)
        else:
            capture_layers(model, rows, wanted, missing, store, spec, say)
    for site, path in paths.items():
        link(stored(store, site), path)
