"""Adam in pieces that fit the cache.

As fast as torch's fused one, whose first use imports a compiler and takes a second: as long as a
tenth of a small training.
"""

import torch
from torch import Tensor

PIECE = 1 << 15
"""Numbers that are updated at a time."""
EPSILON = 1e-8


class Adam:
    """First and second moments of some parameters."""

    def __init__(self, parameters: list[Tensor], beta1: float, beta2: float) -> None:
        self.parameters = parameters
        self.betas = beta1, beta2
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
        self.count = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move each parameter against its gradient, bias-corrected; gradients are dropped."""
        self.count += 1
        beta1, beta2 = self.betas
        first, second = 1 - beta1**self.count, 1 - beta2**self.count
        for parameter, moments in zip(self.parameters, self.moments, strict=True):
            whole = (parameter, parameter.grad, *moments)
            for p, g, m, v in zip(*(t.view(-1).split(PIECE) for t in whole), strict=True):
                m.lerp_(g, 1 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                scale = v.sqrt().div_(second**0.5).add_(EPSILON)
                p.addcdiv_(m, scale, value=-rate / first)
            parameter.grad = None
