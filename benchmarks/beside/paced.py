"""The timing of steps and bare products in turns; it does not import saegrid, as it runs in the
peers' environments."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

WARM = 4
"""Number of steps before the clock starts."""


def bare_products(n: int, d_model: int, d_sae: int) -> Callable[[], None]:
    """The five products of a step of an SAE and nothing else: two forward, three backward."""
    x, e = torch.randn(2, n, d_model)
    W_enc, W_dec, g_enc, g_dec = torch.randn(4, d_sae, d_model)
    z, g, x_hat = torch.randn(n, d_sae), torch.empty(n, d_sae), torch.empty(n, d_model)

    def step() -> None:
        torch.mm(x, W_enc.T, out=g)
        torch.mm(z, W_dec, out=x_hat)
        torch.mm(e, W_dec.T, out=g)
        torch.mm(z.T, e, out=g_dec)
        torch.mm(g.T, x, out=g_enc)

    return step


def paced(step: Callable[[int], None], case: dict[str, Any]) -> dict[str, Any]:
    """The tokens a second of steps and of bare products, by medians over rounds, and the median
    ratio.

    A round is some steps and as many bare products, so that other load on the machine slows both.
    """
    bare = bare_products(case["batch"], case["d_model"], case["d_sae"])
    number = 0
    for _ in range(WARM):
        step(number)
        bare()
        number += 1
    ours, theirs = [], []
    for _ in range(case["rounds"]):
        began = time.perf_counter()
        for _ in range(case["steps"]):
            step(number)
            number += 1
        between = time.perf_counter()
        for _ in range(case["steps"]):
            bare()
        ours.append((between - began) / case["steps"])
        theirs.append((time.perf_counter() - between) / case["steps"])
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "tokens_per_second": case["batch"] / statistics.median(ours),
        "bare_tokens_per_second": case["batch"] / statistics.median(theirs),
        "share": statistics.median(ratios),
    }
