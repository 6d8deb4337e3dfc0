"""An SAE in torch at its site while a model runs: codes, decoder rows, reconstructions.

All arithmetic is float32, whatever the model's dtype. Codes differ from those that are stored
(`codes.encode`, exact) by rounding only; where a pre-activation lies within 1e-6 of a gate, the two
may decide it differently.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from saegrid.base.errors import shown
from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.interventions.errors import InterventionError
from saegrid.saes.fronts import Numbers
from saegrid.saes.sae import BLOCK, SAE, blocks

HELD = 1 << 24
"""Numbers of a decoder that are held as float32; rows of a larger one are read when asked for."""
CHUNK = 1 << 24
"""Pre-activations that are held at a time."""


class Active(NamedTuple):
    """The active features of some tokens, by token, then by feature."""

    token: Tensor
    """(entry,) int64, ascending."""
    feature: Tensor
    """(entry,) int64, ascending within a token."""
    z: Tensor
    """(entry,) float32, positive."""


@dataclass(frozen=True, eq=False)
class Live:
    """An SAE whose weights are torch tensors on a device."""

    sae: SAE
    site: Site
    """Site that it reads."""
    device: torch.device

    @property
    def writes(self) -> Site:
        """Site that it reconstructs: of a transcoder another one than it reads."""
        return self.sae.writes or self.site

    @cached_property
    def _encoder(self) -> Tensor:
        """(feature, channel) encoder rows as stored."""
        encoder = self.sae.encoder
        parts = [_held(encoder.rows(*span), self.device) for span in blocks(encoder.d_sae)]
        return torch.cat(parts)

    @cached_property
    def _decoder(self) -> Tensor | None:
        """(feature, channel) float32 decoder rows; None where they are too many to be held."""
        decoder = self.sae.decoder
        if decoder.d_sae * decoder.d_model > HELD:
            return None
        return self._read_rows(np.arange(decoder.d_sae))

    @cached_property
    def _affine(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scale, bias and threshold (feature,) float32 of the encoder."""
        encoder = self.sae.encoder
        gate = None if encoder.threshold is None else self._float(encoder.threshold)
        return self._float(encoder.scale), self._float(encoder.bias), gate

    @cached_property
    def _b_dec(self) -> Tensor:
        return self._float(self.sae.b_dec)

    @cached_property
    def _skip(self) -> Tensor | None:
        return None if self.sae.skip is None else self._float(widen(self.sae.skip))

    def _float(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)

    def _read_rows(self, features: np.ndarray) -> Tensor:
        sae = self.sae
        parts = np.array_split(features, max(1, -(-len(features) // BLOCK)))
        read = sae.decoder_rows if sae.unit else sae.decoder.rows
        return torch.cat([self._float(read(part)) for part in parts])

    def _numbers(self, x: Tensor) -> Numbers | None:
        """Shift and scales (token, 1) of the front; None where the format has none."""
        front = self.sae.encoder.front
        return front and front.numbers(x.detach().cpu().double().numpy())

    def read(self, x: Tensor) -> Tensor:
        """(token, channel) float32: activations as the encoder is fed with them."""
        x = x.detach()
        if numbers := self._numbers(x):
            fed = (x.cpu().double().numpy() - numbers.shift) / numbers.scale_in
            return self._float(fed)
        if self.sae.encoder.centred:
            x = x.double()
            return (x - x.mean(1, keepdim=True)).float()
        return x.float()

    def scale(self, x: Tensor) -> Tensor | None:
        """(token, 1) float32 factor from decoded units to the model's; None where they are one.

        Only the normalisation of an input has one; a transcoder writes in units of its own.
        """
        numbers = None if self.sae.writes else self._numbers(x)
        return numbers and self._float(numbers.scale_out)

    @torch.no_grad()
    def pre(self, fed: Tensor) -> Tensor:
        """(token, feature) float32 pre-activations of what `read` gives; for a few tokens."""
        scale, bias, _ = self._affine
        out = torch.empty(len(fed), len(scale), device=self.device)
        for start, stop in blocks(len(scale)):
            part = slice(start, stop)
            rows = self._encoder[part].float()
            torch.addcmul(bias[part], fed @ rows.T, scale[part], out=out[:, part])
        return out

    @torch.no_grad()
    def encode(self, x: Tensor) -> Active:
        """The active features of tokens x (token, channel)."""
        gate = self._affine[2]
        tokens, features, values = [], [], []
        for start, stop in blocks(len(x), max(1, CHUNK // self.sae.encoder.d_sae)):
            pre = self.pre(self.read(x[start:stop]))
            above = pre > gate if gate is not None else _largest(pre, int(self.sae.encoder.k or 0))
            token, feature = torch.nonzero(above, as_tuple=True)
            tokens.append(token + start)
            features.append(feature)
            values.append(pre[token, feature])
        empty = torch.empty(0, dtype=torch.int64, device=self.device)
        if not values:
            return Active(empty, empty, empty.float())
        return Active(torch.cat(tokens), torch.cat(features), torch.cat(values))

    @torch.no_grad()
    def value(self, x: Tensor, features: Tensor | list[int]) -> Tensor:
        """z (token, n) float32 of some features.

        Only their encoder rows are read where a threshold decides; where k decides, all are.
        """
        wanted = self.check(features)
        if self._affine[2] is None:
            return self._ranked(self.read(x), wanted.expand(len(x), -1))
        return self._gated(self.read(x) @ self._encoder[wanted].float().T, wanted)

    @torch.no_grad()
    def own(self, x: Tensor, feature: Tensor) -> Tensor:
        """z of each token's own features: (token, n) int64, or (token,) where it is one."""
        fed, wanted = self.read(x), feature if feature.ndim > 1 else feature[:, None]
        if self._affine[2] is None:
            z = self._ranked(fed, wanted)
        else:
            kinds, kind = torch.unique(wanted, return_inverse=True)
            rows = self._encoder[kinds].float()
            z = self._gated(torch.einsum("td,tnd->tn", fed, rows[kind]), wanted)
        return z.view(feature.shape)

    def _gated(self, product: Tensor, feature: Tensor) -> Tensor:
        """z of products W . x of some features, where a threshold decides."""
        scale, bias, gate = self._affine
        pre = torch.addcmul(bias[feature], product, scale[feature])
        return torch.where(pre > gate[feature], pre, 0.0)

    def _ranked(self, fed: Tensor, feature: Tensor) -> Tensor:
        """z (token, n) of features (token, n), where k decides: those with fewer than k before."""
        z = fed.new_zeros(feature.shape)
        for start, stop in blocks(len(fed), max(1, CHUNK // self.sae.encoder.d_sae)):
            pre, wanted = self.pre(fed[start:stop]), feature[start:stop]
            own = pre.gather(1, wanted)
            for column in range(feature.shape[1]):
                value, at = own[:, column, None], wanted[:, column, None]
                before = (pre > value).sum(1)
                same = pre == value
                if int(same.sum()) > len(same):  # ties go to the smaller number
                    before += (same & (torch.arange(pre.shape[1], device=pre.device) < at)).sum(1)
                kept = (before < self.sae.encoder.k) & (value[:, 0] > 0)
                z[start:stop, column] = torch.where(kept, value[:, 0], 0.0)
        return z

    def check(self, features: Tensor | list[int]) -> Tensor:
        """The features (n,) int64 on the device; InterventionError for a number that is none."""
        wanted = torch.as_tensor(features, dtype=torch.int64).to(self.device)
        d_sae = self.sae.decoder.d_sae
        if wanted.numel() and not 0 <= int(wanted.min()) <= int(wanted.max()) < d_sae:
            wrong = wanted[(wanted < 0) | (wanted >= d_sae)][0].item()
            raise InterventionError(
                f"The SAE at {self.site} has features 0 to {d_sae - 1}; got {shown(wrong)}."
            )
        return wanted

    def rows(self, features: Tensor | list[int]) -> Tensor:
        """(n, channel) float32: decoder rows of some features, which z multiplies."""
        wanted = self.check(features)
        if self._decoder is not None:
            return self._decoder[wanted]
        return self._read_rows(wanted.cpu().numpy())

    def decode(self, active: Active, n: int) -> Tensor:
        """(token, channel) float32 sum of z times decoder row of n tokens, without any bias.

        It has a gradient with respect to `active.z`. Only rows of active features are read.
        """
        if not len(active.z):
            return torch.zeros(n, self.sae.decoder.d_model, device=self.device)
        features, place = torch.unique(active.feature, return_inverse=True)
        starts = torch.searchsorted(active.token, torch.arange(n, device=self.device))
        rows = self.rows(features)
        return embedding_bag(place, rows, starts, mode="sum", per_sample_weights=active.z)

    def reconstruct(self, x: Tensor, active: Active) -> Tensor:
        """x_hat (token, channel) float32 of the codes of tokens x, in the units of the model.

        x counts as a constant: of a normalised input its numbers, of a transcoder its skip. Where
        the SAE is centred, x_hat stands for activations less their mean over channels.
        """
        x_hat = self.decode(active, len(x)) + self._b_dec
        if self._skip is not None:
            x_hat = x_hat + self.read(x) @ self._skip.T
        numbers = None if self.sae.writes else self._numbers(x)
        if numbers is None:
            return x_hat
        return x_hat * self._float(numbers.scale_out) + self._float(numbers.shift)


def _held(stored: np.ndarray, device: torch.device) -> Tensor:
    """Stored rows as a tensor on a device; uint16 holds the bits of bfloat16."""
    rows = np.array(stored)  # a copy of its own: what is read may be mapped, or used again
    if rows.dtype == np.uint16:
        return torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16).to(device)
    return torch.from_numpy(rows).to(device)


def _largest(pre: Tensor, k: int) -> Tensor:
    """(token, feature) bool: the k largest of the positive ones, ties to the smaller number."""
    positive = pre.clamp(min=0)
    last = positive.topk(k, dim=1, sorted=False).values.amin(1, keepdim=True)
    largest = (positive >= last) & (positive > 0)
    many = largest.sum(1) > k
    if many.any():
        some, edge = positive[many], last[many]
        above, ties = some > edge, some == edge
        room = k - above.sum(1, keepdim=True)
        largest[many] = above | (ties & (ties.cumsum(1) <= room))
    return largest


def live(sae: SAE, device: str | torch.device = "cpu", site: Site | None = None) -> Live:
    """The SAE in torch on a device.

    Args:
        sae: any SAE; keep it open for as long as it lives.
        device: the device that the model runs on.
        site: the site that it reads, where the checkpoint does not say it.

    Raises:
        InterventionError: nobody says which site it reads.
    """
    place = sae.site or site
    if place is None:
        raise InterventionError("The SAE does not say its site: give it, as Site.parse('L15R').")
    return Live(sae, place, torch.device(device))
