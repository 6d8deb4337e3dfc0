"""The vectors of labelled texts at a site, one for each convention."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.registry import pick
from saegrid.capture import activations
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes.convention import Convention, Rows
from saegrid.evidence.probes.conventions import CONVENTIONS
from saegrid.saes.joined import open_rows
from saegrid.text.tokenizer import Encoder


def vectors(
    texts: pa.Table,
    paths: Sequence[str],
    padded: Mapping[str, np.ndarray],
    names: Sequence[str],
    corpus: str,
) -> dict[str, np.ndarray]:
    """`x/{convention}` (text, channel) float32 of the texts at a site.

    texts: the table of labelled texts; paths: activations of the site, shards in order; padded:
    those of conventions that read texts in rows of one length, made already; names: conventions.
    Unusable where a token of a text was not captured.
    """
    rows = None
    out = {}
    for name in names:
        convention: Convention = pick(CONVENTIONS, name, "Convention")
        if convention.padded:
            out[f"x/{name}"] = padded[f"x/{name}"]
            continue
        rows = captured(texts, paths, corpus) if rows is None else rows
        out[f"x/{name}"] = convention.vectors(rows).astype(np.float32)
    return out


def captured(texts: pa.Table, paths: Sequence[str], corpus: str) -> Rows:
    """The activations of the tokens of texts. Unusable where one was not captured."""
    wanted = texts["token"].combine_chunks()
    token = wanted.flatten().to_numpy()
    known = np.concatenate([activations.read(path)[1] for path in paths])
    place = np.minimum(np.searchsorted(known, token), len(known) - 1)
    missing = int((known[place] != token).sum())
    if missing:
        raise Unusable(
            f"corpora.{corpus}.tokens.context: {missing:,} of {len(token):,} tokens of the "
            "labelled texts are not captured; analyses.readout needs them all. Set it to all."
        )
    indptr = np.concatenate([[0], np.cumsum(texts["n_tokens"].to_numpy(), dtype=np.int64)])
    return Rows(open_rows(paths), place, indptr)


def ids_of(texts: pa.Table, tokens: pa.Table) -> list[np.ndarray]:
    """The token ids of each labelled text, without special ones. tokens: of the corpus."""
    ids = tokens["token_id"].to_numpy().astype(np.int64)
    return [ids[np.array(token, np.int64)] for token in texts["token"].to_pylist()]


def pad_of(encoder: Encoder) -> int:
    """The token id that ends a text, by which rows are filled up; Unusable where there is none."""
    if encoder.eos is None:
        raise Unusable(
            "analyses.readout.vectors: padded fills rows up with the tokenizer's end-of-text "
            "token, and it has none. Leave padded out."
        )
    return encoder.eos.id


def padded_vectors(
    model: Any, ids: Sequence[np.ndarray], pad: int, sites: Sequence[Any], names: Sequence[str]
) -> dict[Any, dict[str, np.ndarray]]:
    """`x/{convention}` (text, channel) float32 at each site, of texts in rows of one length.

    model: a loaded causal model; ids: token ids of each text, without special ones; pad: the token
    id that fills rows up at the right; names: conventions. Pads are tokens like others here, and
    stand behind the text, where a causal model does not see them from the text's own.
    """
    from saegrid.models.forward import capture
    from saegrid.models.tiles import Rows as Input

    conventions = {name: pick(CONVENTIONS, name, "Convention") for name in names}
    longest = max(map(len, ids))
    table = np.full((len(ids), longest), pad, np.int64)
    for row, own in enumerate(ids):
        table[row, : len(own)] = own
    parts: dict[Any, dict[str, list[np.ndarray]]] = {
        site: {name: [] for name in names} for site in sites
    }
    step = max(1, HELD // longest)
    for start in range(0, len(table), step):
        rows = table[start : start + step]
        token = np.arange(rows.size)
        starts = np.arange(len(rows) + 1) * longest
        x = capture(model, Input(rows.ravel(), starts), token, sites)
        for site in sites:
            raw = _raw(x[site])
            for name, convention in conventions.items():
                parts[site][name].append(convention.vectors(Rows(raw, token, starts)))
    return {
        site: {f"x/{name}": np.concatenate(of).astype(np.float32) for name, of in several.items()}
        for site, several in parts.items()
    }


HELD = 16_384
"""Positions whose activations are held at a time; it decides about no byte."""


def _raw(x: Any) -> np.ndarray:
    """A tensor as files hold it: bfloat16 as the uint16 of its bits."""
    import torch

    return x.view(torch.uint16).numpy() if x.dtype == torch.bfloat16 else x.numpy()
