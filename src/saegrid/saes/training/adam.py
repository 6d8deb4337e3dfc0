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
    """First and second moments of some parameters, by name."""

    def __init__(self, parameters: dict[str, Tensor], beta1: float, beta2: float) -> None:
        self.parameters = parameters
        self.betas = beta1, beta2
        self.moments = {
            name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in parameters.items()
        }
        self.count = 0

    @torch.no_grad()
    def step(self, rate: float, factor: float = 1.0) -> None:
        """Move each parameter against its gradient times a factor, bias-corrected."""
        self.count += 1
        beta1, beta2 = self.betas
        first, second = 1 - beta1**self.count, 1 - beta2**self.count
        for name, parameter in self.parameters.items():
            whole = (parameter, parameter.grad, *self.moments[name])
            for p, g, m, v in zip(*(t.view(-1).split(PIECE) for t in whole), strict=True):
                if factor != 1.0:
                    g.mul_(factor)
                m.lerp_(g, 1 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                scale = v.sqrt().div_(second**0.5).add_(EPSILON)
                p.addcdiv_(m, scale, value=-rate / first)

    @torch.no_grad()
    def norm(self) -> float:
        """Norm of the whole gradient; ValueError where it is not finite."""
        squares = [torch.linalg.vector_norm(p.grad).double() ** 2 for p in self.parameters.values()]
        norm = float(torch.stack(squares).sum().sqrt())
        if norm != norm or norm == float("inf"):
            raise astray("The gradient is")
        return norm

    @torch.no_grad()
    def forget(self, name: str, rows: Tensor) -> None:
        """Set the moments of some rows of a parameter to zero."""
        for moment in self.moments[name]:
            moment[rows] = 0.0


def astray(what: str) -> ValueError:
    """What is raised where numbers are not finite any more."""
    return ValueError(
        f"{what} not finite: training has gone astray. Lower the setting lr, or raise its warm_up."
    )


@torch.no_grad()
def project(W: Tensor, grad: Tensor) -> None:
    """Take out of the gradient of unit rows W (feature, d_model) what would change their norm."""
    for w, g in zip(*_pieces(W, grad), strict=True):
        g.addcmul_((g * w).sum(dim=1, keepdim=True), w, value=-1.0)


@torch.no_grad()
def normalise(W: Tensor) -> None:
    """Bring the rows of W (feature, d_model) to norm one."""
    for (w,) in zip(*_pieces(W), strict=True):
        w /= w.norm(dim=1, keepdim=True).clamp_min(1e-12)


def _pieces(*matrices: Tensor) -> list[tuple[Tensor, ...]]:
    n = max(1, PIECE // matrices[0].shape[1])
    return [matrix.split(n) for matrix in matrices]
