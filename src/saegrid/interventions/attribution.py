"""Attribution of all features of a cell on a difference of two logits, in one backward pass.

    attribution_j = sum_t z_j(x_t) s_t v_j . g_t        g_t = dL / dy_t

y are the activations at the site that the SAE reconstructs, of the model as it is: the error of the
SAE stands in them as a constant. v_j is the decoder row that z_j multiplies, and s_t the number by
which a normalised input is scaled back. Special tokens are left alone. A feature that is silent on
a prompt has none there, so that decoder rows of active features alone are read.

Rows run in tiles of fixed shapes, codes are those that `codes.encode` gives, and sums are taken
entry by entry in float64, so that a number depends on its prompt alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from saegrid.codes.encode import encode, place
from saegrid.codes.sparse import Features
from saegrid.interventions.differences import Prompts
from saegrid.interventions.live import Active, Live
from saegrid.interventions.passes import check, run
from saegrid.metrics.spliced import stored
from saegrid.models.load import Loaded

MEMORY_MB = 4000
"""Megabytes that encoding may hold."""
TOKENS = 2048
"""Tokens of prompts that are worked on at a time; no number depends on it."""
FEATURES, NUMBERS = 1024, 1 << 22
"""Decoder rows, and numbers, that are held at a time."""


class Attributed(NamedTuple):
    """Attributions of the features that are active on prompts."""

    prompt: np.ndarray
    """(pair,) int64: number of the prompt, ascending."""
    feature: np.ndarray
    """(pair,) int64, ascending within a prompt."""
    activation: np.ndarray
    """(pair,) float64: sum of z over the tokens of the prompt."""
    attribution: np.ndarray
    """(pair,) float64."""
    integrated: np.ndarray
    """(pair,) float64: the same along the path from no feature to all; NaN without steps."""
    starts: np.ndarray
    """(pair + 1,) int64: first entry of each pair in the next two."""
    token: np.ndarray
    """(entry,) int64: token of `Prompts.rows`, ascending within a pair."""
    part: np.ndarray
    """(entry,) float64: z times s, which the decoder row is multiplied with there."""
    n_tokens: int
    """Tokens of all prompts."""
    prompts: dict[str, np.ndarray]
    """(prompt,) float64 columns: `difference` L, `features` the sum of attributions, `error` and
    `bias` the other two terms of `total` = sum_t y_t . g_t, `without` L with all features taken
    away, and `integrated` the sum of integrated gradients."""

    def of(self, prompt: int) -> np.ndarray:
        """Numbers of the pairs of a prompt."""
        return np.arange(*np.searchsorted(self.prompt, [prompt, prompt + 1]))


def attribute(
    model: Loaded, live: Live, prompts: Prompts, steps: int = 8, memory_mb: int = MEMORY_MB
) -> Attributed:
    """Attributions of all active features, and integrated gradients over so many midpoints.

    Integrated gradients go from all features taken away, the error kept, to the model as it is.
    Without `steps` there are none.

    Raises:
        ModelError: the model does not predict the next token.
        CaptureError: a row is too long, or a token id is unknown.
    """
    check(model)
    parts = [_part(model, live, part, steps, memory_mb) for part in _chunks(prompts)]
    return joined(parts)


def joined(parts: Sequence[Attributed]) -> Attributed:
    """The attributions of prompts that were worked on in parts."""

    def behind(lengths: Iterable[int]) -> list[int]:
        return np.cumsum([0, *lengths]).tolist()[:-1]

    prompt = behind(len(part.prompts["total"]) for part in parts)
    entry = behind(len(part.token) for part in parts)
    token = behind(part.n_tokens for part in parts)
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("feature", "activation", "attribution", "integrated", "part")
    }
    return Attributed(
        **columns,
        prompt=np.concatenate([part.prompt + k for part, k in zip(parts, prompt, strict=True)]),
        token=np.concatenate([part.token + k for part, k in zip(parts, token, strict=True)]),
        starts=np.concatenate(
            [
                *(part.starts[:-1] + k for part, k in zip(parts, entry, strict=True)),
                [sum(len(part.token) for part in parts)],
            ]
        ),
        n_tokens=sum(part.n_tokens for part in parts),
        prompts={
            name: np.concatenate([part.prompts[name] for part in parts])
            for name in parts[0].prompts
        },
    )


def _chunks(prompts: Prompts) -> Iterator[Prompts]:
    """The prompts, about `TOKENS` tokens at a time."""
    number = prompts.rows.starts[:-1] // TOKENS
    for one in np.unique(number):
        yield prompts.take(np.flatnonzero(number == one))


def _part(model: Loaded, live: Live, prompts: Prompts, steps: int, memory_mb: int) -> Attributed:
    """Attributions of prompts that are worked on at once."""
    kept = np.flatnonzero(~prompts.special)
    plain = run(model, prompts, live)
    x, y = plain.x[kept], plain.y[kept]
    codes, scale = encoded(live, x, memory_mb), scales(live, x)
    features = decoded(live, codes, len(kept)) * scale[:, None]
    gradients = [plain.gradient[kept]]
    without = np.full(len(prompts), np.nan)
    if steps:
        taken = torch.zeros(plain.y.shape, dtype=torch.float64)
        taken[kept] = torch.from_numpy(features)
        without = run(model, prompts, live, taken, back=False).difference
        total = torch.zeros_like(taken)
        for step in range(steps):
            share = 1 - (step + 0.5) / steps
            total += run(model, prompts, live, share * taken).gradient
        gradients.append((total / steps)[kept])
    owner = prompts.rows.row_of(kept)  # (token that is not special,) its prompt
    feature, prompt = codes.owners(), owner[codes.indices]
    order = np.lexsort((feature, prompt))  # stable: tokens stay in order
    keys = np.stack([prompt, feature])[:, order].astype(np.int64)
    new = np.diff(keys, prepend=-1).any(axis=0)
    pair, n_pairs = np.cumsum(new) - 1, int(new.sum())
    values = [codes.data, *(v * scale[codes.indices] for v in products(live, codes, gradients))]
    sums = [np.bincount(pair, value[order], n_pairs) for value in values]
    sums += [np.full(n_pairs, np.nan)] * (3 - len(sums))
    first, n = keys[0, new], len(prompts)
    g, whole, silent = gradients[0].double().numpy(), y.double().numpy(), based(live, x, y)
    terms = {"error": whole - silent - features, "bias": silent, "total": whole}
    table = {
        "difference": plain.difference,
        "features": np.bincount(first, sums[1], n),
        **{k: np.bincount(owner, np.add.reduce(v * g, axis=1), n) for k, v in terms.items()},
        "without": without,
        "integrated": np.bincount(first, sums[2], n) if steps else without,
    }
    return Attributed(
        *(first, keys[1, new], *sums),
        np.append(np.flatnonzero(new), len(order)),
        kept[codes.indices[order]],
        (codes.data * scale[codes.indices])[order],
        len(prompts.rows.ids),
        table,
    )


# --- codes and decoder rows ----------------------------------------------------------------------


def encoded(live: Live, x: Tensor, memory_mb: int = MEMORY_MB) -> Features:
    """z of tokens x (token, channel), by feature: exact, as cells store them."""
    x = x.float() if x.dtype == torch.float64 else x
    device = place(1) if live.device.type == "cuda" else None
    encoder, token = live.sae.encoder, np.arange(len(x))
    return encode(stored(x), token, encoder, memory_mb=memory_mb, device=device)


def scales(live: Live, x: Tensor) -> np.ndarray:
    """(token,) float64: the factor from decoded units to the model's."""
    scale = live.scale(x.to(live.device))
    return np.ones(len(x)) if scale is None else scale[:, 0].cpu().double().numpy()


def based(live: Live, x: Tensor, y: Tensor) -> np.ndarray:
    """(token, channel) float64: all of the reconstruction that is no feature's, in the units of y:
    decoder bias, shift of a normalisation, skip of a transcoder, and of a centred SAE the mean over
    channels, which it never sees."""
    none = torch.empty(0, dtype=torch.int64, device=live.device)
    x_hat = live.reconstruct(x.to(live.device), Active(none, none, none.float()))
    bias = x_hat.cpu().double().numpy()
    centred = live.sae.encoder.centred and live.sae.writes is None
    return bias + y.double().mean(1, keepdim=True).numpy() if centred else bias


def _blocks(live: Live, codes: Features) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Decoder rows (feature, channel) float64 of the active ones among `FEATURES` features, with
    their entries and the row number of each entry. Every active feature's row is read once."""
    for start in range(0, codes.d_sae, FEATURES):  # by number: sums do not depend on who is active
        counts = np.diff(codes.indptr[start : start + FEATURES + 1])
        some = np.flatnonzero(counts)
        if len(some):
            rows = live.rows(torch.from_numpy(some + start)).cpu().double().numpy()
            entry = np.arange(*codes.indptr[[start, start + len(counts)]])
            yield rows, entry, np.repeat(np.arange(len(some)), counts[some])


def decoded(live: Live, codes: Features, n: int) -> np.ndarray:
    """(token, channel) float64: sums of z times decoder row, in decoded units."""
    total = np.zeros((n, live.sae.decoder.d_model))
    for rows, entry, number in _blocks(live, codes):
        z, token = codes.data[entry].astype(np.float64), codes.indices[entry]
        total += sparse.csr_matrix((z, (token, number)), shape=(n, len(rows))) @ rows
    return total


def products(live: Live, codes: Features, gradients: list[Tensor]) -> list[np.ndarray]:
    """(entry,) float64 for each of some gradients (token, channel): z times v . g of the token."""
    results = [np.empty(len(codes.data)) for _ in gradients]
    wide = [gradient.double().numpy() for gradient in gradients]
    step = max(1, NUMBERS // live.sae.decoder.d_model)
    for rows, entry, number in _blocks(live, codes):
        for start in range(0, len(entry), step):
            part = slice(start, start + step)
            v, z, token = rows[number[part]], codes.data[entry[part]], codes.indices[entry[part]]
            for result, g in zip(results, wide, strict=True):
                result[entry[part]] = z * np.add.reduce(v * g[token], axis=1)
    return results
