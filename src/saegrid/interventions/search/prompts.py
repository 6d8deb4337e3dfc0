"""Prompts as model input, and their activations at all sites in one forward pass.

Rows are those that the corpus stage makes of plain text, and they run in the same tiles, so that a
prompt which is a text of the corpus gets its stored codes, to the last bit, among any others.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch

from saegrid.base.errors import shown
from saegrid.base.words import Site
from saegrid.capture import activations
from saegrid.capture.layers import capture_layers
from saegrid.interventions.search import SearchError
from saegrid.models import hub, read_config, sizes_of
from saegrid.models.forward import capture
from saegrid.models.load import fits, folder_of, load
from saegrid.models.tiles import Rows
from saegrid.text import tokenizer
from saegrid.text.tokens import wrap

MEMORY_MB = 6000
"""Megabytes within which a model is loaded whole; a larger one runs block by block."""


class Prompts(NamedTuple):
    """Prompts as rows of model input."""

    rows: Rows
    prompt: np.ndarray
    """(token,) int64: the prompt of each token."""
    position: np.ndarray
    """(token,) int64: its place in the row of its prompt."""
    special: np.ndarray
    """(token,) bool: BOS and the like, which have no features."""
    text: list[str]
    """(token,) as it stands in the prompt."""

    @property
    def wanted(self) -> np.ndarray:
        """(kept,) int64: the tokens that have features."""
        return np.flatnonzero(~self.special)


def as_rows(texts: Sequence[str], encoder: tokenizer.Encoder, context: int, source: str) -> Prompts:
    """Prompts as rows; SearchError where one has no token, or more than the model takes."""
    special_ids = set(encoder.special_ids)
    rows: list[tuple[list[int], list[str], list[bool]]] = []
    for text in (text.strip() for text in texts):
        encoded = encoder.encode([text])
        own = encoded.ids.tolist()
        if not text or all(one in special_ids for one in own):
            raise SearchError(
                f"The prompt {shown(text)} has no token of its own, and features fire on none "
                "else. Give a text with a word in it."
            )
        around = wrap(encoder, encoded)
        before, after = around.first(), around.last()
        ids = [*(s.id for s in before), *own, *(s.id for s in after)]
        if len(ids) > context:
            raise SearchError(
                f"The prompt {shown(text)} has {len(ids)} tokens with those around it; {source} "
                f"takes at most {context}. Shorten it."
            )
        names = [*(s.text for s in before), *encoded.cut([text]), *(s.text for s in after)]
        special = [one in special_ids for one in own]
        rows.append((ids, names, [True] * len(before) + special + [True] * len(after)))
    flat = [list(chain.from_iterable(column)) for column in zip(*rows, strict=True)]
    starts = np.cumsum([0, *(len(ids) for ids, _, _ in rows)]).astype(np.int64)
    prompt = np.repeat(np.arange(len(rows)), np.diff(starts))
    position = np.arange(starts[-1]) - starts[prompt]
    ids = np.array(flat[0], np.int64)
    return Prompts(Rows(ids, starts), prompt, position, np.array(flat[2], bool), flat[1])


def read_prompts(texts: Sequence[str], model: Mapping[str, Any], parses: bool = False) -> Prompts:
    """Prompts as rows for a study's model, by its tokenizer."""
    home = hub.tokenizer_folder(model)
    encoder = tokenizer.load(home, model.get("bos", "auto"), parses=parses)
    sizes = sizes_of(read_config(folder_of(model)), model.get("family", "auto"))
    return as_rows(texts, encoder, sizes.context, str(model["path"]))


def activations_of(
    prompts: Prompts,
    model: Mapping[str, Any],
    sites: Iterable[Site],
    memory_mb: int = MEMORY_MB,
    threads: int = 1,
) -> dict[Site, np.ndarray]:
    """x (kept, channel) of the prompts' tokens at each site, as captures hold them: float32,
    float16, or uint16 with the bits of bfloat16. One forward pass, as deep as the deepest site."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _captured(prompts, model, sorted(set(sites)), memory_mb)
    finally:
        torch.set_num_threads(before)


def _captured(
    prompts: Prompts, model: Mapping[str, Any], sites: Sequence[Site], memory_mb: int
) -> dict[Site, np.ndarray]:
    if fits(model, memory_mb):
        x = capture(load(model), prompts.rows, prompts.wanted, sites)
        return {site: _plain(x[site]) for site in sites}
    with TemporaryDirectory() as folder:
        capture_layers(model, prompts.rows, prompts.wanted, sites, Path(folder))
        paths = {site: Path(folder) / f"{site}.safetensors" for site in sites}
        return {site: np.array(activations.read(path)[0]) for site, path in paths.items()}


def _plain(x: torch.Tensor) -> np.ndarray:
    return (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()
