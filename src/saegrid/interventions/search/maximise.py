"""A short text on which a feature is as large as can be found, by gradients over tokens.

Greedy coordinate gradient (Zou et al. 2023; HotFlip before it): the gradient of pre at the last
token, taken at the embeddings, says of each token of the vocabulary about how much it would gain in
each place; some of the best swaps, drawn at random, are tried, and the best one is kept. It ends
where no swap of several rounds is better. What comes out need not be a text that anybody writes,
nor the largest there is; corpus texts on which a feature is large are its examples.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.codes.encode import encode
from saegrid.interventions.search import SearchError
from saegrid.models.forward import capture
from saegrid.models.hooks import reading
from saegrid.models.load import Loaded
from saegrid.models.tiles import Rows
from saegrid.saes.sae import Encoder

LENGTH, ROUNDS, TRIED, BEST, PATIENCE = 8, 60, 64, 32, 8


class Settings(NamedTuple):
    """Settings of a search."""

    length: int = LENGTH
    """Tokens of the text."""
    rounds: int = ROUNDS
    tried: int = TRIED
    """Swaps that are tried in a round."""
    best: int = BEST
    """Tokens with the largest promised gain in each place, among which swaps are drawn."""
    patience: int = PATIENCE
    """Rounds without a gain after which it ends."""
    seed: int = 0


USUAL = Settings()


class Maximised(NamedTuple):
    """The text of a feature."""

    ids: list[int]
    """Token ids, without those around a text."""
    z: float
    """The feature at its last token, as the pipeline encodes it."""
    start: float
    """pre at the last of the tokens that it begins with."""
    rounds: int


class _Deep(Exception):
    """The signal of the site's hook that ends a forward pass."""


class Pre:
    """pre of one feature at the last token of texts, in torch."""

    def __init__(self, model: Loaded, site: Site, encoder: Encoder, feature: int) -> None:
        if encoder.front is not None:
            raise SearchError(
                "Texts are not looked for by gradient where an SAE normalises each token before it "
                f"reads it ({encoder.front.name}). Look at the feature's examples on its page."
            )
        self.model, self.site, self.centred = model, site, encoder.centred
        row = widen(encoder.rows(feature, feature + 1))[0]
        self.row = torch.from_numpy(np.array(row)).to(model.device)
        self.scale, self.bias = float(encoder.scale[feature]), float(encoder.bias[feature])

    def of(self, embedded: torch.Tensor, last: int) -> torch.Tensor:
        """(text,) float32 pre at the position `last`; embedded: (text, position, channel)."""
        seen: list[torch.Tensor] = []

        def read(x: torch.Tensor) -> None:
            seen.append(x[:, last].float())
            raise _Deep

        try:
            with reading(self.model, {self.site: read}):
                self.model.body(inputs_embeds=embedded, use_cache=False)
        except _Deep:
            pass
        x = seen[0] - seen[0].mean(1, keepdim=True) if self.centred else seen[0]
        return self.scale * (x @ self.row) + self.bias


def maximise(
    model: Loaded,
    site: Site,
    encoder: Encoder,
    feature: int,
    around: tuple[Sequence[int], Sequence[int]] = ((), ()),
    banned: Sequence[int] = (),
    settings: Settings = USUAL,
    begin: Sequence[int] | None = None,
) -> Maximised:
    """A text on which a feature is large. The same seed gives the same text.

    around: token ids before and after it, BOS and the like. banned: ids that it must not
    have. begin: ids that it begins with; by default drawn at random.
    """
    if not 0 <= feature < encoder.d_sae:
        raise SearchError(f"The SAE has the features 0 to {encoder.d_sae - 1}; got {feature}.")
    pre, generator = Pre(model, site, encoder, feature), np.random.default_rng(settings.seed)
    weight = model.model.get_input_embeddings().weight.detach()
    allowed = np.setdiff1d(np.arange(model.sizes.d_vocab), np.array(banned, np.int64))
    before, after = (torch.tensor(list(side), dtype=torch.long) for side in around)
    if begin is not None:
        settings = settings._replace(length=len(begin))
    last = len(before) + settings.length - 1

    def embedded(texts: np.ndarray) -> torch.Tensor:
        own = torch.from_numpy(texts)
        sides = [side.expand(len(own), -1) for side in (before, after)]
        return weight[torch.cat([sides[0], own, sides[1]], 1).to(weight.device)]

    ids = generator.choice(allowed, settings.length)
    ids = ids if begin is None else np.array(begin, np.int64)
    with torch.no_grad():
        value = start = float(pre.of(embedded(ids[None]), last))
    idle = rounds = 0
    while rounds < settings.rounds and idle < settings.patience:
        rounds += 1
        tried = _swapped(ids, _promising(pre, embedded(ids[None]), last, weight, settings, allowed),
                         settings.tried, generator)  # fmt: skip
        with torch.no_grad():
            values = pre.of(embedded(tried), last).cpu().numpy()
        at = int(np.argmax(values))
        idle += 1
        if values[at] > value:
            ids, value, idle = tried[at], float(values[at]), 0
    row = np.concatenate([before.numpy(), ids, after.numpy()])
    return Maximised(ids.tolist(), _exact(model, site, encoder, feature, row, last), start, rounds)


def _promising(
    pre: Pre,
    embedded: torch.Tensor,
    last: int,
    weight: torch.Tensor,
    settings: Settings,
    allowed: np.ndarray,
) -> np.ndarray:
    """(place, best) token ids whose embeddings lie farthest along the gradient, in each place."""
    leaf = embedded.clone().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(pre.of(leaf, last).sum(), leaf)
    own = gradient[0, last + 1 - settings.length : last + 1].float()
    gain = (own @ weight[torch.from_numpy(allowed).to(weight.device)].float().T).cpu().numpy()
    order = np.argsort(-gain, axis=1, kind="stable")[:, : settings.best]
    return allowed[order]


def _swapped(
    ids: np.ndarray, promising: np.ndarray, n: int, generator: np.random.Generator
) -> np.ndarray:
    """(n, place) the text with one token of it swapped."""
    place = generator.integers(0, len(ids), n)
    rank = generator.integers(0, promising.shape[1], n)
    tried = np.tile(ids, (n, 1))
    tried[np.arange(n), place] = promising[place, rank]
    return tried


def _exact(
    model: Loaded, site: Site, encoder: Encoder, feature: int, row: np.ndarray, last: int
) -> float:
    """z of the feature at a token of a row, as the pipeline captures and encodes it."""
    rows = Rows(row.astype(np.int64), np.array([0, len(row)], np.int64))
    x: Any = capture(model, rows, np.array([last]), [site])[site]
    plain = (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()
    values = encode(plain, np.array([last]), encoder).of(feature)[1]
    return float(values[0]) if len(values) else 0.0
