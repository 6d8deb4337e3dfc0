"""ReLU autoencoders: forward and backward pass by hand, a block of features at a time.

Five products a step and nothing else that grows with them: what lies between them is done while a
block of z is in the cache.
"""

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 1 << 19
"""Numbers of z that are worked on at a time."""


def product(a: Tensor, b: Tensor, dtype: str = "float32") -> Tensor:
    """a @ b in float32, with bfloat16 factors where `dtype` says so."""
    return a @ b if dtype == "float32" else (a.bfloat16() @ b.bfloat16()).float()


def _into(out: Tensor, a: Tensor, b: Tensor, dtype: str) -> None:
    if dtype == "float32":
        torch.mm(a, b, out=out)
    else:
        out.copy_(product(a, b, dtype))


def gradient_of(parameter: Tensor) -> Tensor:
    """The gradient of a parameter, to be written; kept from step to step."""
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad


class Weights(NamedTuple):
    """An encoder and a decoder, or their gradients."""

    W_enc: Tensor
    """(feature, d_model)."""
    b_enc: Tensor
    """(feature,)."""
    W_dec: Tensor
    """(feature, d_model)."""


class Pass(NamedTuple):
    """What a pass found."""

    squared: Tensor
    """|x_hat - target|^2, summed over the batch."""
    error: Tensor
    """(token, d_model): the gradient of x_hat where gradients were asked for, else x_hat - target.
    """
    total: Tensor
    """(feature,): z summed over the tokens."""
    z: list[Tensor]
    """(token, feature) in blocks of features."""

    def l0(self) -> float:
        """Mean number of active features of a token."""
        return sum(int(torch.count_nonzero(part)) for part in self.z) / len(self.error)


@torch.no_grad()
def relu_pass(
    x: Tensor,
    target: Tensor,
    weights: Weights,
    bias: Tensor | None,
    weight: float = 1.0,
    penalty: Tensor | None = None,
    gradients: Weights | None = None,
    dtype: str = "float32",
) -> Pass:
    """z = relu(W_enc x + b_enc), x_hat = z W_dec + bias, and the gradients of

        weight |x_hat - target|^2 + sum over tokens and features of penalty_i z_i

    Args:
        x: (token, d_model), what the encoder reads.
        target: (token, d_model), what is to be reconstructed.
        weights: what is learned.
        bias: (d_model,) or None.
        weight: of the squared error.
        penalty: (feature,); needed with `gradients`.
        gradients: where the gradients are written; None: none are wanted.
        dtype: of the factors of the products.
    """
    W_enc, b_enc, W_dec = weights
    x_hat = torch.zeros_like(target) if bias is None else bias.expand_as(target).clone()
    size = max(64, BLOCK // len(x))
    blocks = [slice(i, i + size) for i in range(0, len(b_enc), size)]
    total, z = torch.empty_like(b_enc), []
    for s in blocks:
        if dtype == "float32":
            part = torch.addmm(b_enc[s], x, W_enc[s].T).relu_()
            x_hat.addmm_(part, W_dec[s])
        else:
            part = product(x, W_enc[s].T, dtype).add_(b_enc[s]).relu_()
            x_hat += product(part, W_dec[s], dtype)
        torch.sum(part, dim=0, out=total[s])
        z.append(part)
    error = x_hat.sub_(target)
    squared = error.square().sum()
    if gradients is not None:
        error.mul_(2 * weight)
        for s, part in zip(blocks, z, strict=True):
            _into(gradients.W_dec[s], part.T, error, dtype)
            if dtype == "float32":
                g = torch.addmm(penalty[s], error, W_dec[s].T)
            else:
                g = product(error, W_dec[s].T, dtype).add_(penalty[s])
            torch.ops.aten.threshold_backward.grad_input(g, part, 0.0, grad_input=g)
            _into(gradients.W_enc[s], g.T, x, dtype)
            torch.sum(g, dim=0, out=gradients.b_enc[s])
    return Pass(squared, error, total, z)
