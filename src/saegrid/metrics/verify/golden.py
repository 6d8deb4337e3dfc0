"""The check of a golden sentence: L0 of every token, and the error of the reconstruction."""

import numpy as np

from saegrid.base.tensors import widen
from saegrid.codes.encode import encode
from saegrid.codes.sparse import Features
from saegrid.metrics.verify import Fact
from saegrid.metrics.verify.expected import Counts, Golden
from saegrid.saes.sae import SAE, Encoder, pre_activations

L0 = "features above the gate, a token; special tokens left out"
MSE = "mean over tokens and channels of (x - x_hat)^2, raw activations; special tokens left out"
FEW, MANY = 0.8, 10.0
"""Bounds on mean L0 over the expected one: below the first, norms are missing; above the second,
the gate is."""


def check_golden(
    golden: Golden, x: np.ndarray, sae: SAE, opened: bool = True, threads: int = 1
) -> list[Fact]:
    """The facts of the golden sentence: its L0 and its error.

    Args:
        golden: the sentence with its published numbers.
        x: (token, d_model), captured activations of the tokens that are not special.
        sae: the SAE of its cell.
        opened: True where BOS stood before the tokens.
        threads: threads of the encoding.
    """
    if problem := _shape_problem(golden, x, sae, opened):
        expected = [len(golden.l0.value), golden.d_sae]
        shape = [len(x), sae.encoder.d_sae]
        name, what = f"{golden.cell}: sentence", "tokens that are not special, features"
        return [Fact(name, shape, expected, 0, len(x), what, golden.source, problem)]
    z = encode(x, np.arange(len(x)), sae.encoder, threads=threads, name="golden sentence")
    return [_l0(golden, x, sae, z), _mse(golden, x, sae, z)]


def _shape_problem(golden: Golden, x: np.ndarray, sae: SAE, opened: bool) -> str:
    n = len(golden.l0.value)
    if not opened:
        return (
            f"{golden.cell}: BOS must open the golden sentence, and no special token does. Without "
            "it the first word becomes the attention sink. Set model.bos to auto, and check that "
            "the tokenizer names its BOS."
        )
    if sae.encoder.d_sae != golden.d_sae:
        return (
            f"{golden.cell}: the SAE must have {golden.d_sae} features; it has "
            f"{sae.encoder.d_sae}. The name under `saes` and the checkpoint do not belong together."
        )
    if len(x) != n:
        return (
            f"{golden.cell}: the golden sentence must have {n} tokens beside BOS; it has {len(x)}. "
            "The tokenizer is not the model's, or its special tokens are not known as such: "
            "check model.tokenizer and model.bos."
        )
    return ""


def _l0(golden: Golden, x: np.ndarray, sae: SAE, z: Features) -> Fact:
    counts = np.bincount(z.indices, minlength=len(x))
    expected, n = golden.l0, len(x)
    problem = ""
    if not meets(counts, expected):
        off = np.abs(counts - expected.value)
        problem = (
            f"{golden.cell}: L0 of the golden sentence must have the mean "
            f"{np.mean(expected.value):.2f} (within {expected.mean:g}), {expected.near_share:.0%} "
            f"of the {n} tokens within {expected.near} and none off by more than {expected.most}; "
            f"the mean is {counts.mean():.2f}, {int((off <= expected.near).sum())} tokens are "
            f"near, and one is off by {off.max()}. {_cause(golden, x, sae, counts)}"
        )
    tolerance = {"near": expected.near, "near_share": expected.near_share}
    tolerance |= {"most": expected.most, "mean": expected.mean}
    name, value = f"{golden.cell}: L0", counts.tolist()
    return Fact(name, value, expected.value, tolerance, n, L0, golden.source, problem)


def meets(counts: np.ndarray, expected: Counts) -> bool:
    """Return True if counts (token,) equal the expected ones within the tolerances."""
    off = np.abs(counts - expected.value)
    return bool(
        abs(counts.mean() - np.mean(expected.value)) <= expected.mean
        and (off <= expected.near).mean() >= expected.near_share
        and off.max() <= expected.most
    )


def _readings(encoder: Encoder, s_in: float | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Wrong readings of the same file by their descriptions, as scale and threshold (feature,)."""
    threshold, one = encoder.threshold, np.ones(encoder.d_sae)
    readings = {"the gate leaves out the norms of the decoder": (1 / encoder.scale, threshold)}
    if s_in:
        readings |= {
            f"the threshold is multiplied by s_in = {s_in:.4g}": (one, threshold * s_in),
            f"the threshold is divided by s_in = {s_in:.4g}": (one, threshold / s_in),
        }
    return readings


def _cause(golden: Golden, x: np.ndarray, sae: SAE, counts: np.ndarray) -> str:
    """The likely cause of wrong counts, with its remedy."""
    if sae.encoder.threshold is None:
        return "This SAE has no threshold: it is not the one that the sentence was published for."
    pre = pre_activations(sae.encoder, widen(x))
    with np.errstate(divide="ignore", invalid="ignore"):
        for what, (scale, threshold) in _readings(sae.encoder, sae.facts.get("s_in")).items():
            if meets((pre * scale > threshold).sum(axis=1), golden.l0):
                return (
                    f"The counts come out right where {what}: the checkpoint is in other units "
                    "than those of its authors' release. Get it anew from its repository."
                )
    ratio = counts.mean() / np.mean(golden.l0.value)
    if ratio < FEW:
        cause = (
            "So few are active where the norms of the decoder are missing from the gate: the "
            "decoder of this checkpoint may have been normalised, or its threshold raised"
        )
    elif ratio > MANY:
        cause = (
            "So many are active where there is no gate, or where the activations are much too "
            "large: another hook, or BOS among the tokens"
        )
    else:
        cause = "Another SAE, another layer or position, or another model than the one it is for"
    return f"{cause}. Check saes, model.path and model.revision, and get the files anew."


def _mse(golden: Golden, x: np.ndarray, sae: SAE, z: Features) -> Fact:
    value = float(np.square(widen(x).astype(np.float64) - reconstruct(sae, z)).mean())
    expected, tolerance = golden.mse.value, golden.mse.tolerance
    problem = ""
    if not abs(value - expected) <= tolerance:
        problem = (
            f"{golden.cell}: the error of the reconstruction of the golden sentence must be "
            f"{expected:g} (within {tolerance:g}); it is {value:.4g}. Where L0 is right, the "
            "decoder is not the encoder's own, or its scale is another. Get the checkpoint anew "
            "from its repository."
        )
    name, n = f"{golden.cell}: error", x.size
    return Fact(name, value, expected, tolerance, n, MSE, golden.source, problem)


def reconstruct(sae: SAE, z: Features) -> np.ndarray:
    """The reconstruction x_hat (token, d_model) float64 of captured tokens, from active decoder
    rows."""
    owner = z.owners()
    active, column = np.unique(owner, return_inverse=True)
    dense = np.zeros((len(z.token), len(active)))
    dense[np.searchsorted(z.token, z.indices), column] = z.data
    rows = sae.decoder_rows(active) * sae.gain[active][:, None]
    return dense @ rows + sae.b_dec
