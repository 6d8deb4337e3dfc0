"""Recipes of trainings as tests know them: a case each, with its loss by the plain formula."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from cases import Cases

D, M = 8, 24
"""Dimensions and features of the formulas' tokens."""
FOUR = {"W_enc": (M, D), "b_enc": (M,), "W_dec": (M, D), "b_dec": (D,)}
SHORT = {"steps": 30, "batch": 256, "log_every": 10}


class Given(NamedTuple):
    """What a formula is about, in float64."""

    p: Mapping[str, torch.Tensor]
    """Parameters."""
    x: torch.Tensor
    """(token, D)."""
    s: Any
    """Settings."""
    progress: float
    """Share of the training that is done."""
    variance: float = 3.0
    """Mean squared distance of the tokens from their mean."""

    @property
    def rows(self) -> torch.Tensor:
        """Directions of the decoder."""
        return self.p.get("W_dec", self.p.get("W"))

    @property
    def norms(self) -> torch.Tensor:
        """Their norms."""
        return self.rows.norm(dim=1)

    def pre(self, centred: bool) -> torch.Tensor:
        """Pre-activations of the tokens, less the decoder's bias if `centred`."""
        x = self.x - self.p["b_dec"] if centred else self.x
        return x @ self.p.get("W_enc", self.p.get("W")).T + self.p["b_enc"]

    def squared(self, z: torch.Tensor) -> torch.Tensor:
        """Squared error of the tokens, summed."""
        return (self.x - z @ self.rows - self.p["b_dec"]).square().sum()

    def mean(self, z: torch.Tensor) -> torch.Tensor:
        """Squared error of a token."""
        return self.squared(z) / len(self.x)

    def rising(self, share: float = 0.05) -> float:
        """A weight that rises from 0 to 1 over a share of the training."""
        return min(1.0, self.progress / share)


Loss = tuple[torch.Tensor, tuple[Any, Any, Any]]
"""The features z, and terms of the loss: reconstruction, sparsity, all other ones."""


class Case(NamedTuple):
    """What tests of all recipes must know of one."""

    plain: Callable[[Given], Loss]
    """The loss as its formula reads."""
    quick: Mapping[str, Any] = SHORT
    """Settings of a short training on `planting.X`."""
    shapes: Mapping[str, tuple[int, ...]] = FOUR
    """Parameters of D dimensions and M features."""
    fixed: Mapping[str, float] = {}
    """Those that are no random numbers."""
    estimated: bool = False
    """Its gradient is an estimate, and not that of the formula."""
    folded: bool = True
    """What is written has decoder rows of norm one, unless it keeps the k largest."""


def largest(pre: torch.Tensor, k: int) -> torch.Tensor:
    """The k largest of each token that are positive."""
    last = pre.sort(dim=1).values[:, -k][:, None]
    return torch.relu(torch.where(pre >= last, pre, 0.0))


def above(g: Given, pre: torch.Tensor) -> torch.Tensor:
    """What lies above the learned thresholds."""
    return torch.where(pre > g.p["log_threshold"].exp(), pre, 0.0)


def topk(g: Given) -> Loss:
    """The k largest of a token."""
    z = largest(g.pre(centred=True), g.s.k)
    return z, (g.mean(z) / g.variance, 0.0, 0.0)


def batchtopk(g: Given) -> Loss:
    """The k largest of a token in the mean over a batch."""
    pre = g.pre(centred=True)
    last = torch.relu(pre).flatten().sort().values[-g.s.k * len(g.x)]
    z = torch.where((pre >= last) & (pre > 0), pre, 0.0)
    return z, (g.mean(z) / g.variance, 0.0, 0.0)


def jumprelu(g: Given) -> Loss:
    """Towards a wished L0."""
    z = above(g, g.pre(centred=True))
    l0 = (z > 0).double().sum() / len(g.x)
    return z, (
        g.mean(z) / g.variance,
        g.s.l0_weight * g.rising(0.2) * (l0 / g.s.l0 - 1) ** 2,
        0.0,
    )


def jumprelu_tanh(g: Given) -> Loss:
    """Tanh of the weighted activations, and a pull on what lies below."""
    pre = g.pre(centred=False)
    z = above(g, pre)
    tanh = torch.tanh(g.s.steepness * z * g.norms).sum() / len(g.x)
    pull = (torch.relu(g.p["log_threshold"].exp() - pre) * g.norms).sum() / len(g.x)
    return z, (g.mean(z), g.s.sparsity * g.progress * tanh, g.s.pre * pull)


def relu_kl(g: Given) -> Loss:
    """KL of each feature's smooth share of the tokens from rho."""
    pre, rho = g.pre(centred=False), g.s.rho
    z = torch.relu(pre)
    q = (1 / (1 + torch.exp(-pre / g.s.softness))).mean(dim=0)
    kl = rho * (rho / q).log() + (1 - rho) * ((1 - rho) / (1 - q)).log()
    return z, (g.mean(z), g.s.kl * kl.sum(), 0.0)


def relu_l1(g: Given) -> Loss:
    """L1."""
    z = torch.relu(g.pre(centred=True))
    return z, (g.mean(z), g.s.l1 * g.rising() * z.sum() / len(g.x), 0.0)


def scaling(g: Given) -> Loss:
    """L1, weighted by the decoder's norms."""
    z = torch.relu(g.pre(centred=False))
    return z, (g.mean(z), g.s.l1 * g.rising() * (z * g.norms).sum() / len(g.x), 0.0)


def tied(g: Given) -> Loss:
    """Means over dimensions and features."""
    z = torch.relu(g.pre(centred=False))
    return z, (g.mean(z) / D, g.s.l1 * z.mean(), 0.0)


def topk_relu(g: Given) -> Loss:
    """The k largest of a token, or all of them."""
    z = largest(g.pre(centred=True), M if g.s.k is None else g.s.k)
    return z, (g.mean(z) / D, g.s.l1 * z.mean(), 0.0)


THRESHOLDS = FOUR | {"log_threshold": (M,)}
TIED = {"W": (M, D), "b_enc": (M,), "b_dec": (D,)}
ONE = FOUR | {"threshold": (1,)}

RECIPE_CASES = Cases(
    "recipe",
    "tests/recipes.py",
    {
        "batchtopk": Case(batchtopk, SHORT | {"k": 4}, ONE, fixed={"threshold": 0.7}),
        "jumprelu": Case(jumprelu, SHORT | {"l0": 4.0}, THRESHOLDS, estimated=True),
        "jumprelu_tanh": Case(jumprelu_tanh, SHORT | {"lr": 4e-3}, THRESHOLDS, estimated=True),
        "relu_kl": Case(relu_kl, SHORT | {"rho": 0.03}),
        "relu_l1": Case(relu_l1, SHORT | {"l1": 2.0, "lr": 4e-3}),
        "scaling": Case(scaling, SHORT | {"l1": 2.0, "lr": 4e-3}),
        "tied": Case(tied, SHORT | {"epochs": 0, "patience": 0, "validate_every": 20}, TIED),
        "topk": Case(topk, SHORT | {"k": 4}),
        "topk_relu": Case(topk_relu, SHORT | {"k": 4, "lr": 4e-3}, folded=False),
    },
)
"""A case of each recipe."""
QUICK = Cases(
    "recipe", RECIPE_CASES.file, {name: dict(case.quick) for name, case in RECIPE_CASES.items()}
)
"""Settings of short trainings, by recipe."""
