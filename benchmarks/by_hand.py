"""Interventions, and the same written by hand in nnsight, on tiny models.

A random GPT-2 and a random Llama are saved, and loaded by each side for itself. At the residual
stream, the output of attention and that of the MLP, with a ReLU and a TopK SAE, two features of
each row are clamped, scaled, added and ablated, each row with features and strengths of its own.
By hand: all features are encoded, two are set, and the difference is decoded and added, on every
token but BOS and EOS. Columns: the largest difference of the two sides' logits, beside the largest
that the edit makes; whether ten greedy tokens under the clamp, with the cache, are those of
nnsight's own generation. Exit status 1 where logits differ by more than 1e-5 or tokens differ, and
where the clamp changes no token.

The environment is this project's with nnsight beside; what else that asks for is for its servers:

    python3.11 -m venv by_hand
    by_hand/bin/pip install --no-deps -r requirements.lock
    by_hand/bin/pip install --no-deps -e .
    by_hand/bin/pip install --no-deps nnsight==0.8.1

    by_hand/bin/python benchmarks/by_hand.py
    by_hand/bin/python -m pytest tests/interventions/test_by_hand.py
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from nnsight import NNsight
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from saegrid.base.words import Site  # noqa: E402
from saegrid.interventions.edits import Change, intervening  # noqa: E402
from saegrid.interventions.generate import generate  # noqa: E402
from saegrid.interventions.live import live  # noqa: E402
from saegrid.models.load import load  # noqa: E402
from subjects import sae_of  # noqa: E402
from toys import save, toy  # noqa: E402

NEAR, NEW = 1e-5, 10
D, FEATURES, ROWS, WIDTH = 32, 128, 4, 12
BOS, EOS = 1, 2
SITES = (Site(0, "R"), Site(1, "A"), Site(0, "M"))
GATES = {"ReLU": None, "TopK": 6}
STRENGTHS = {
    "clamp": [[6, -2], [3, 0], [-4, 5], [9, 1]],
    "scale": [[2, 0.5], [-1, 3], [0, 4], [5, -2]],
    "add": [[4, -4], [1, 2], [-3, 0.5], [6, -1]],
    "ablate": [[0, 0]] * ROWS,
}
"""Strengths (row, feature) of each kind of change."""
BY_HAND: dict[str, Callable[[Tensor, float], Tensor | float]] = {
    "clamp": lambda z, value: value,
    "scale": lambda z, value: value * z,
    "add": lambda z, value: z + value,
    "ablate": lambda z, value: 0.0,
}
NAMES = {
    "gpt2": {"embedding": "transformer.wte", "R": "transformer.h.{}"}
    | {"A": "transformer.h.{}.attn", "M": "transformer.h.{}.mlp"},
    "llama": {"embedding": "model.embed_tokens", "R": "model.layers.{}"}
    | {"A": "model.layers.{}.self_attn", "M": "model.layers.{}.mlp"},
}
"""Modules of the embedding, and of the sites whose output they are, in the library's models."""


class Plain(NamedTuple):
    """An SAE as its formulas stand in papers."""

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    k: int | None

    def encode(self, x: Tensor) -> Tensor:
        """z (row, position, feature) of activations x (row, position, channel)."""
        z = torch.relu(x @ self.W_enc.T + self.b_enc)
        if self.k is None:
            return z
        largest = z.topk(self.k)
        return torch.zeros_like(z).scatter(-1, largest.indices, largest.values)

    def edit(self, x: Tensor, ids: Tensor, kind: str, features: Tensor) -> Tensor:
        """x with two features of each row changed, but at special tokens."""
        z = self.encode(x)
        changed = z.clone()
        for row, strengths in enumerate(STRENGTHS[kind]):
            for feature, value in zip(features[row].tolist(), strengths, strict=True):
                changed[row, :, feature] = BY_HAND[kind](z[row, :, feature], value)
        special = (ids == BOS) | (ids == EOS)
        return torch.where(special[..., None], x, x + (changed - z) @ self.W_dec)


@dataclass
class Peer:
    """A model in nnsight, with an SAE at one of its sites."""

    model: NNsight
    names: dict[str, str]
    site: Site
    sae: Plain

    @property
    def place(self) -> Any:
        """The module whose output is the site."""
        return self.model.get(self.names[self.site.position].format(self.site.layer))

    def change(self, kind: str, features: Tensor) -> None:
        """Change the site of the pass that is traced."""
        ids = self.model.get(self.names["embedding"]).input
        output = self.place.output
        if isinstance(output, Tensor):
            self.place.output = self.sae.edit(output, ids, kind, features)
        else:  # attention's weights come second
            self.place.output = (self.sae.edit(output[0], ids, kind, features), *output[1:])

    def codes(self, ids: Tensor) -> Tensor:
        """z (row, position, feature) at the site."""
        with torch.no_grad(), self.model.trace(input_ids=ids):
            x = self.place.output.save()
        return self.sae.encode(x if isinstance(x, Tensor) else x[0])

    def logits(self, ids: Tensor, kind: str, features: Tensor) -> Tensor:
        """(row, position, token) under a change."""
        with torch.no_grad(), self.model.trace(input_ids=ids):
            self.change(kind, features)
            logits = self.model.output.logits.save()
        return logits

    def tokens(self, ids: Tensor, kind: str, features: Tensor) -> list[list[int]]:
        """The new tokens of each row, by the library's own greedy generation with its cache."""
        settings = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        arguments = {"max_new_tokens": NEW, "use_cache": True, **settings}
        with torch.no_grad(), self.model.trace(ids, fn="generate", **arguments) as tracer:
            for _ in tracer.iter[:NEW]:
                self.change(kind, features)
            whole = tracer.result.save()
        return whole[:, ids.shape[1] :].tolist()


class Compared(NamedTuple):
    """A change on both sides."""

    kind: str
    apart: float
    """The largest difference of logits between the sides."""
    effect: float
    """The largest difference of logits that the change makes."""
    tokens: str
    """same, DIFFERENT, or UNCHANGED by the change, which then shows nothing; - where no token was
    generated."""


def compare(model: str, gate: str, site: Site, folder: Path) -> Iterator[Compared]:
    """All changes of an SAE at a site of a model, which is saved in `folder`."""
    save(toy(model, d=D), folder)
    ours, theirs = load({"path": str(folder)}), transformers.AutoModelForCausalLM
    network = theirs.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)
    rng = np.random.default_rng(0)
    W_enc, W_dec = rng.normal(size=(2, FEATURES, D)).astype(np.float32) / np.float32(np.sqrt(D))
    b_enc = (rng.normal(size=FEATURES) / 8).astype(np.float32)
    arrays = (torch.from_numpy(array) for array in (W_enc, b_enc, W_dec))
    peer = Peer(NNsight(network), NAMES[model], site, Plain(*arrays, GATES[gate]))
    sae = live(sae_of(W_enc, b_enc, W_dec, rng.normal(size=D), GATES[gate]), site=site)
    ids = torch.from_numpy(rng.integers(3, ours.sizes.d_vocab, (ROWS, WIDTH)))
    ids[:, 0] = BOS
    # The two features that fire most often in each row: a change of silent ones shows little.
    features = (peer.codes(ids)[:, 1:] > 0).sum(1).topk(2).indices
    with torch.no_grad():
        plain = ours.output(ids)
    for kind, strengths in STRENGTHS.items():
        arms = zip(features.T.numpy(), np.array(strengths, float).T, strict=True)
        edits = [(sae, Change(kind, feature, value)) for feature, value in arms]
        with torch.no_grad(), intervening(ours, edits):
            logits = ours.output(ids)
        apart = float((logits - peer.logits(ids, kind, features)).abs().max())
        tokens = "-"
        if kind == "clamp":
            new = generate(ours, ids.tolist(), NEW, edits, ends=()).rows()
            tokens = "same" if new == peer.tokens(ids, kind, features) else "DIFFERENT"
            if new == generate(ours, ids.tolist(), NEW, ends=()).rows():
                tokens = "UNCHANGED"
        yield Compared(kind, apart, float((logits - plain).abs().max()), tokens)


def main() -> None:
    """Print the table."""
    transformers.logging.disable_progress_bar()
    good, form = [], "{:<6} {:<5} {:<5} {:<7} {:<11} {:<8} {}"
    print(form.format("model", "SAE", "site", "change", "difference", "effect", "tokens"))
    for case in product(NAMES, GATES, SITES):
        with tempfile.TemporaryDirectory() as folder:
            for kind, apart, effect, tokens in compare(*case, Path(folder)):
                columns = (*map(str, case), kind, f"{apart:.1e}", f"{effect:.2f}", tokens)
                print(form.format(*columns), flush=True)
                good.append(apart <= NEAR and tokens in ("same", "-"))
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
