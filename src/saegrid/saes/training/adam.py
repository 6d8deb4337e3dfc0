"""The Adam optimiser, and the projections that keep decoder rows at norm one and near their
start."""

import torch
from torch import Tensor

PIECE = 1 << 17
"""Numbers of a matrix that are processed at a time, so that they stay in the cache."""
EPSILON = 1e-8


class Adam:
    """An Adam optimiser: parameters by name, with their first and second moments."""

    def __init__(self, parameters: dict[str, Tensor], beta1: float, beta2: float) -> None:
        self.parameters = parameters
        self.betas = beta1, beta2
        self.moments = {
            name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in parameters.items()
        }
        self.count = 0

    @torch.no_grad()
    def step(self, rate: float, factor: float = 1.0) -> None:
        """Move each parameter against its gradient times a factor, bias-corrected.

        The kernel of torch's fused Adam takes one pass over all numbers. It is called directly,
        since torch.optim first imports a compiler: a second, a tenth of a small training.
        """
        self.count += 1
        beta1, beta2 = self.betas
        parameters = list(self.parameters.values())
        first, second = zip(*self.moments.values(), strict=True)
        torch._fused_adam_(
            parameters,
            [p.grad for p in parameters],
            list(first),
            list(second),
            [],
            [torch.tensor(float(self.count))] * len(parameters),
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
            grad_scale=None if factor == 1.0 else torch.tensor(1 / factor),
        )

    @torch.no_grad()
    def norm(self) -> float:
        """Norm of the whole gradient; Astray if it is not finite."""
        squares = [torch.linalg.vector_norm(p.grad).double() ** 2 for p in self.parameters.values()]
        norm = float(torch.stack(squares).sum().sqrt())
        if norm != norm or norm == float("inf"):
            raise Astray("The gradient is")
        return norm

    @torch.no_grad()
    def forget(self, name: str, rows: Tensor) -> None:
        """Set the moments of some rows of a parameter to zero."""
        for moment in self.moments[name]:
            moment[rows] = 0.0


class Astray(ValueError):
    """An error of a training whose numbers are no longer finite."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} not finite: training has gone astray. Lower the setting lr, or raise its "
            "warm_up."
        )


@torch.no_grad()
def project(W: Tensor, grad: Tensor) -> None:
    """Remove from the gradient of unit rows W (feature, d_model) the part along each row."""
    for w, g in zip(*_pieces(W, grad), strict=True):
        g.addcmul_((g * w).sum(dim=1, keepdim=True), w, value=-1.0)


@torch.no_grad()
def normalise(W: Tensor) -> None:
    """Scale the rows of W (feature, d_model) to norm one."""
    for (w,) in zip(*_pieces(W), strict=True):
        w /= w.norm(dim=1, keepdim=True).clamp_min(1e-12)


@torch.no_grad()
def confine(W: Tensor, start: Tensor, cosine: float) -> None:
    """Turn rows of W (feature, d_model) whose cosine with their row of start is below a bound.

    They get the nearest direction at the bound, c u + sqrt(1 - c^2) v, with u the direction of
    their start and v that of their part orthogonal to it; their norms stay.
    """
    for piece, begun in zip(*_pieces(W, start), strict=True):
        along = (piece * begun).sum(dim=1)
        outside = ~(along > cosine * piece.norm(dim=1) * begun.norm(dim=1))
        w, u = piece[outside], begun[outside]
        u = u / u.norm(dim=1, keepdim=True).clamp_min(1e-12)
        norm = w.norm(dim=1, keepdim=True).clamp_min(1e-12)
        v = w - (w * u).sum(dim=1, keepdim=True) * u
        # A row that is opposite to its start has an orthogonal part of rounding errors alone.
        v /= v.norm(dim=1, keepdim=True).maximum(1e-6 * norm)
        turned = cosine * u + (1 - cosine**2) ** 0.5 * v
        piece[outside] = turned * (norm / turned.norm(dim=1, keepdim=True).clamp_min(1e-12))


def _pieces(*matrices: Tensor) -> list[tuple[Tensor, ...]]:
    n = max(1, PIECE // matrices[0].shape[1])
    return [matrix.split(n) for matrix in matrices]
