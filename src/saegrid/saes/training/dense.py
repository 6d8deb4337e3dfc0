"""ReLU autoencoders: forward and backward pass by hand, a block of features at a time.

Blocks with many active features take five products a step; the elementwise work between them is
done while a block of z is in the cache. Blocks with few, as most are soon after the start, take one
product; the other four go entry by entry.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saegrid.saes.training.entries import Entries

BLOCK = 1 << 19
"""Numbers of z that are processed at a time."""
FEW = 1 / 16
"""Share of active entries up to which a block goes entry by entry: at this share in half of the
time at d_model 192, in four fifths at 768. Both cost the same at one in five, and one in eleven."""


def product(a: Tensor, b: Tensor, dtype: str = "float32") -> Tensor:
    """The product a @ b in float32, of bfloat16 factors if that is the `dtype`."""
    return a @ b if dtype == "float32" else (a.bfloat16() @ b.bfloat16()).float()


@torch.no_grad()
def affine(x: Tensor, W: Tensor, b: Tensor, dtype: str = "float32") -> Tensor:
    """The affine map x W' + b (token, feature) of W (feature, channel), in float32 without a
    gradient."""
    if dtype == "float32":
        return torch.addmm(b, x, W.T)
    return product(x, W.T, dtype).add_(b)


def _into(out: Tensor, a: Tensor, b: Tensor, dtype: str) -> None:
    if dtype == "float32":
        torch.mm(a, b, out=out)
    else:
        out.copy_(product(a, b, dtype))


def gradient_of(parameter: Tensor) -> Tensor:
    """The array of a parameter's gradient, to be overwritten; it is kept from step to step."""
    if parameter.grad is None:
        parameter.grad = torch.empty_like(parameter)
    return parameter.grad


class Weights(NamedTuple):
    """An encoder and a decoder, or their gradients."""

    W_enc: Tensor
    """(feature, d_model): rows of the encoder."""
    b_enc: Tensor
    """(feature,): biases of the encoder."""
    W_dec: Tensor
    """(feature, d_model): rows of the decoder."""


class Pass(NamedTuple):
    """The results of a pass over a batch."""

    squared: Tensor
    """Squared error |x_hat - target|^2, summed over the batch."""
    error: Tensor
    """(token, d_model): the gradient of x_hat if gradients were asked for, else x_hat - target."""
    total: Tensor
    """(feature,): z summed over the tokens."""
    n_active: int
    """Number of active entries of z."""

    def l0(self) -> float:
        """Mean number of active features of a token."""
        return self.n_active / len(self.error)


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
        x: (token, d_model), input of the encoder.
        target: (token, d_model), activations to be reconstructed.
        weights: encoder and decoder.
        bias: (d_model,), bias of the decoder, or None.
        weight: weight of the squared error.
        penalty: (feature,), weight of z of each feature; needed with `gradients`.
        gradients: arrays that the gradients are written to; None: none are computed.
        dtype: number type of the factors of the dense products.
    """
    W_enc, b_enc, W_dec = weights
    x_hat = torch.zeros_like(target) if bias is None else bias.expand_as(target).clone()
    size = max(64, BLOCK // len(x))
    total, n_active = torch.zeros_like(b_enc), 0
    dense: list[tuple[slice, Tensor]] = []
    few: list[tuple[np.ndarray, np.ndarray, Tensor]] = []
    for start in range(0, len(b_enc), size):
        s = slice(start, start + size)
        part = affine(x, W_enc[s], b_enc[s], dtype)
        active = part.numpy() > 0  # several times faster than torch's
        n = np.count_nonzero(active)
        n_active += n
        if n <= FEW * active.size:
            index = np.flatnonzero(active)
            token, feature = np.divmod(index, active.shape[1])
            few.append((token, feature + start, part.view(-1)[torch.from_numpy(index)]))
            continue
        part.relu_()
        if dtype == "float32":
            x_hat.addmm_(part, W_dec[s])
        else:
            x_hat += product(part, W_dec[s], dtype)
        torch.sum(part, dim=0, out=total[s])
        dense.append((s, part))
    if few:
        token, feature = (np.concatenate([f[i] for f in few]) for i in (0, 1))
        shape = len(x), len(b_enc)
        entries = Entries.of(token, feature, torch.cat([f[2] for f in few]), shape)
        x_hat += entries.decode(entries.value, W_dec)
        total += entries.sums(entries.value)
    error = x_hat.sub_(target)
    squared = error.square().sum()
    if gradients is not None:
        error.mul_(2 * weight)
        if few:
            g = entries.along(error, W_dec) + penalty.index_select(0, entries.feature)
            gradients.W_dec.copy_(entries.spread(entries.value, error))
            gradients.W_enc.copy_(entries.spread(g, x))
            gradients.b_enc.copy_(entries.sums(g))
        for s, part in dense:
            _into(gradients.W_dec[s], part.T, error, dtype)
            g = affine(error, W_dec[s], penalty[s], dtype)
            torch.ops.aten.threshold_backward.grad_input(g, part, 0.0, grad_input=g)
            _into(gradients.W_enc[s], g.T, x, dtype)
            torch.sum(g, dim=0, out=gradients.b_enc[s])
    return Pass(squared, error, total, n_active)
