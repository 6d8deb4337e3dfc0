"""The native layout, which is SAELens': `cfg.json` and `sae_weights.safetensors`.

    W_enc (d_in, d_sae)  b_enc (d_sae)  W_dec (d_sae, d_out)  b_dec (d_out)

With s, the number that a normalisation multiplies every token with (else 1), f, the scaling factor
of a fine-tuning (else 1), and d, a decoder's row, an SAE is

    u_i = s W_i . x, less W_i . b_dec where apply_b_dec_to_input
    z_i = h_i = u_i + b_enc_i where its gate is open, else 0
    x_hat = (sum_i z_i f_i d_i + b_dec) / s

and the gates of the architectures, as SAELens 1 to 6 write them, are

    standard                h_i > 0
    topk                    the k largest of max(h, 0)
    jumprelu                h_i > max(threshold_i, 0)
    batchtopk (training)    h_i > max(topk_threshold, 0), and so for matryoshka_batchtopk
    gated                   u_i + b_gate_i > 0 and z_i > 0, where z_i = e^r_mag_i u_i + b_mag_i;
                            that is z_i > max(b_mag_i - e^r_mag_i b_gate_i, 0)

With rescale_acts_by_decoder_norm h_i stands for h_i |d_i| / s, and decoder rows have norm one.
Transcoders are standard and jumprelu ones whose output stands for another place, some with a
product W_skip x added to it; of old ones b_dec belongs to what they read, b_dec_out to the output.

What cfg.json may say stands in `saes/cfg.py`. A tensor that is not named here is refused by name.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.io import write_json, write_tensors
from saegrid.base.tensors import Tensors, dtype_name, is_hollow, open_tensors, widen
from saegrid.base.words import Site
from saegrid.saes.centring import KWARGS, check_folded, is_centred
from saegrid.saes.cfg import (
    AVERAGE,
    KINDS,
    SCALAR,
    SCALER,
    Kind,
    architecture_of,
    check_known,
    check_neutral,
    check_written,
    flag,
    hook_name,
    metadata_of,
    normalisation_of,
    site_read,
    site_written,
    value_of,
    width_written,
)
from saegrid.saes.checkpoint import (
    READ,
    Format,
    Reading,
    check_tensors,
    finite,
    matrix,
    read_facts,
    require,
    supported,
)
from saegrid.saes.hooks import hook_of
from saegrid.saes.norms import project, row_norms
from saegrid.saes.sae import SAE, Decoder, Encoder

FACTS, WEIGHTS = "cfg.json", "sae_weights.safetensors"
TENSORS = {
    "relu": ("b_enc",),
    "topk": ("b_enc",),
    "threshold": ("b_enc", "threshold", "log_threshold"),
    "batch": ("b_enc", "topk_threshold"),
    # Some files have a b_enc beside these; no version's gated encoder reads it.
    "gated": ("b_gate", "b_mag", "r_mag", "b_enc"),
}
"""Tensors of each gate beside the matrices and b_dec."""
FACTORS = ("scaling_factor", "finetuning_scaling_factor")
"""Names of the tensor that SAELens 1 to 5 multiply codes with before they are decoded."""


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE in a folder with cfg.json and sae_weights.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the decoder's rows, where they are known already.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path, weights = Path(folder) / FACTS, reading.weights(folder, WEIGHTS)
    return view(path, read_facts(path), lambda: open_tensors(weights), norms, reading)


def view(
    path: Path,
    cfg: dict[str, Any],
    weights: Callable[[], Tensors],
    norms: np.ndarray | None = None,
    reading: Reading = READ,
) -> SAE:
    """The SAE of a config and its tensors; `path` names the config in messages."""
    d_in, d_sae = (require(path, cfg, key, int) for key in ("d_in", "d_sae"))
    architecture, k = architecture_of(path, cfg, reading)
    kind = KINDS[architecture]
    kwargs = require(path, {KWARGS: value_of(path, cfg, KWARGS) or {}}, KWARGS, dict)
    within = {key: value for key, value in metadata_of(path, cfg).items() if value is not None}
    said = cfg | within | {KWARGS: kwargs}
    hook = hook_name(path, cfg)
    site = site_read(path, said, hook, reading)
    writes = site_written(path, cfg, said, kind, hook, reading)
    d_out = width_written(path, cfg, d_in, writes)
    check_neutral(path, cfg, site)
    check_known(path, cfg, kwargs, reading)
    check_folded(path, said, site)
    centred = is_centred(path, said, site, reading)
    normalisation, factor, front = normalisation_of(path, cfg, site, writes, centred, reading)
    check_written(path, said, writes, centred, reading)
    unit, tuned = _rescaled(path, cfg, kind)

    tensors = weights()
    _check_names(tensors, kind)
    decoder = _decoder(path, tensors, norms, (d_sae, d_out), factor, tuned)
    b_dec, shift = _biases(path, cfg, tensors, kind, d_in, d_out)
    columns = matrix(tensors, "W_enc", (d_in, d_sae))
    read = columns.columns
    away = project(read, d_sae, shift)
    scale, bias, threshold = _gate(tensors, kind, d_sae, factor, away)
    if unit:
        scale, bias = scale * decoder.norms, bias * decoder.norms
        # A training's threshold is of codes before s divides the decoder.
        threshold = threshold if threshold is None else threshold / factor
    skip = tensors.get("W_skip", (d_out, d_in)) if kind.skip else None
    encoder = Encoder(
        d_in,
        d_sae,
        scale,
        bias,
        threshold,
        k,
        dtype_name(columns),
        read,
        fill=read,
        centred=centred and front is None,
        front=front,
    )
    facts = {"format": "sae_lens", "architecture": architecture, "hook": hook}
    facts |= {"dtype": encoder.dtype, "scale": "unit_decoder" if unit else "stored"}
    facts |= {"centred": centred, "normalisation": normalisation}
    if normalisation in (AVERAGE, SCALAR):
        facts["input_scale"] = factor
    facts |= {"folded": _folded(kind, factor, unit, shift, decoder, centred, writes)}
    facts |= {"gate": _described(encoder)}
    if said.get("model_name"):
        facts["model_name"] = said["model_name"]
    if said.get("neuronpedia_id"):
        facts["neuronpedia"] = said["neuronpedia_id"]
    if k is not None:
        facts["k"] = k
    return SAE(
        encoder, decoder, b_dec / factor, unit, facts=facts, site=site, writes=writes, skip=skip
    )


# --- tensors --------------------------------------------------------------------------------------


def _rescaled(path: Path, cfg: dict[str, Any], kind: Kind) -> tuple[bool, bool]:
    """True where codes are taken by the norms of the decoder's rows, and where a fine-tuning scaled
    them; CheckpointError where a file says both, or the first of a gate that has no k."""
    unit = flag(path, cfg, "rescale_acts_by_decoder_norm", False)
    if unit and kind.gate not in ("topk", "batch"):
        supported(path, "rescale_acts_by_decoder_norm", unit, False)
    tuned = flag(path, cfg, "finetuning_scaling_factor", False)
    if unit:
        supported(path, "finetuning_scaling_factor", tuned, False)
    return unit, tuned


def _check_names(tensors: Tensors, kind: Kind) -> None:
    """CheckpointError where a file holds a tensor that an SAE of this kind does not have."""
    more = {"W_skip"} if kind.skip else set()
    more |= {"b_dec_out"} if kind.transcoder else set()
    check_tensors(tensors, {"W_enc", "W_dec", "b_dec", *TENSORS[kind.gate], *FACTORS, *more})


def _biases(
    path: Path,
    cfg: dict[str, Any],
    tensors: Tensors,
    kind: Kind,
    d_in: int,
    d_out: int,
) -> tuple[np.ndarray, np.ndarray]:
    """b_dec (d_out,), and what is taken off the activations before the encoder (d_in,)."""
    key = "apply_b_dec_to_input"
    old = "b_dec_out" in tensors.arrays
    applied = flag(path, cfg, key, old or not kind.transcoder)
    if applied and kind.transcoder and not old:
        raise CheckpointError(
            f"{path}: {key} is true of a transcoder, whose b_dec belongs to another place than it "
            "reads; supported: false."
        )
    if applied and not old and d_in != d_out:
        raise CheckpointError(
            f"{path}: {key} is true, but b_dec has {d_out} channels (d_out) and the input {d_in} "
            "(d_in); supported: false."
        )
    b_dec = widen(tensors.get("b_dec_out" if old else "b_dec", (d_out,))).astype(np.float64)
    if not applied:
        return b_dec, np.zeros(d_in)
    return b_dec, widen(tensors.get("b_dec", (d_in,))).astype(np.float64)


def _decoder(
    path: Path,
    tensors: Tensors,
    norms: np.ndarray | None,
    shape: tuple[int, int],
    scale: float,
    tuned: bool,
) -> Decoder:
    """The decoder; the scaling factor of a fine-tuning multiplies its rows, there the codes, and
    the number that multiplies what goes in divides what comes out."""
    (d_sae, d_out), factor = shape, None
    for name in FACTORS:
        if name not in tensors.arrays:
            continue
        factor = widen(tensors.get(name, (d_sae,))).astype(np.float64)
        if not tuned:
            if not is_hollow() and not np.allclose(factor, 1):
                raise CheckpointError(
                    f"{tensors.path}: the tensor {name!r} is not 1 everywhere, but "
                    f"finetuning_scaling_factor in {path.name} is not true. Correct the one that "
                    "is wrong."
                )
            factor = None
    if tuned and sum(name in tensors.arrays for name in FACTORS) != 1:
        raise CheckpointError(
            f"{tensors.path}: finetuning_scaling_factor in {path.name} is true, so that one of the "
            f"tensors {' and '.join(FACTORS)} must be there; the file has none or both."
        )
    if scale != 1:
        factor = (np.ones(d_sae) if factor is None else factor) / scale
    rows = matrix(tensors, "W_dec", shape)

    def measure() -> np.ndarray:
        if norms is not None:
            return norms
        measured = row_norms(rows)
        return measured if factor is None else measured * np.abs(factor)

    return Decoder(d_out, d_sae, lambda features: rows.array[features], measure, factor)


def _gate(
    tensors: Tensors, kind: Kind, d_sae: int, factor: float, away: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Scale, bias and threshold (feature,) of pre-activations; the threshold is None where k
    decides. `away`: the product of the encoder with what is taken off the activations."""

    def vector(name: str) -> np.ndarray:
        return finite(tensors, name, widen(tensors.get(name, (d_sae,))).astype(np.float64))

    scale = np.full(d_sae, factor)
    if kind.gate == "gated":
        magnitude = np.exp(vector("r_mag"))
        bias, gate = vector("b_mag"), vector("b_gate")
        threshold = np.maximum(bias - magnitude * gate, 0.0)
        return scale * magnitude, bias - magnitude * away, threshold
    bias = vector("b_enc") - away
    if kind.gate == "topk":
        return scale, bias, None
    if kind.gate == "relu":
        return scale, bias, np.zeros(d_sae)
    if kind.gate == "batch":
        threshold = np.full(d_sae, _single(tensors, "topk_threshold"))
    elif "log_threshold" in tensors.arrays:
        if "threshold" in tensors.arrays:
            raise CheckpointError(
                f"{tensors.path}: the tensors 'threshold' and 'log_threshold' both say the "
                "threshold; take one out."
            )
        threshold = np.exp(vector("log_threshold"))
    else:
        threshold = vector("threshold")
    # A negative threshold opens nothing that the ReLU before it has not let through.
    return scale, bias, np.maximum(threshold, 0.0)


def _single(tensors: Tensors, name: str) -> float:
    """The one number of a tensor, of any float type."""
    array = tensors.arrays.get(name)
    if array is None:
        known = ", ".join(sorted(tensors.arrays))
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} is missing; the file holds {known}."
        )
    array = widen(array) if array.dtype == np.uint16 else array
    if array.size != 1 or array.dtype.kind != "f":
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} must be one number; got {array.shape} "
            f"{array.dtype}."
        )
    return float(finite(tensors, name, array.reshape(())))


def _folded(
    kind: Kind,
    factor: float,
    unit: bool,
    shift: np.ndarray,
    decoder: Decoder,
    centred: bool,
    writes: Site | None,
) -> list[str]:
    """The changes to the numbers of the file, in plain words."""
    done = {
        "mean over channels taken off": centred,
        f"activations times {factor:.6g}, output divided by it": factor != 1,
        "b_dec taken off the input in the encoder's bias": bool(shift.any()),
        "gate and magnitude in one threshold": kind.gate == "gated",
        "decoder norms in the encoder": unit,
        "scaling factor in the decoder": decoder.factor is not None and np.ptp(decoder.factor) > 0,
        "W_skip added to the output": kind.skip,
        f"output at {writes}": writes is not None,
    }
    return [words for words, is_done in done.items() if is_done]


def _described(encoder: Encoder) -> str:
    """The gate in plain words."""
    if encoder.threshold is None:
        return f"the {encoder.k} largest of a token"
    low, high = encoder.threshold.min(), encoder.threshold.max()
    return f"above {low:.6g}" if low == high else f"above {low:.6g} to {high:.6g} by feature"


# --- writing --------------------------------------------------------------------------------------


def config(architecture: str, site: Site, d_in: int, d_sae: int, **more: Any) -> dict[str, Any]:
    """The cfg.json of an SAE; `metadata` in `more` is added to ours."""
    supported(Path(FACTS), "architecture", architecture, *KINDS)
    metadata = {"hook_name": hook_of(site), "site": str(site), "hook_head_index": None}
    metadata |= {"prepend_bos": True, **more.pop("metadata", {})}
    return {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **more,
        "metadata": metadata,
    }


def write_sae_lens(
    folder: str | Path, cfg: dict[str, Any], tensors: dict[str, np.ndarray], spec: str = ""
) -> None:
    """Write cfg.json and sae_weights.safetensors; shapes are checked first.

    The spec stands in the header of the weights: cfg.json holds what SAELens reads, nothing more.
    """
    d_in, d_sae, kind = cfg["d_in"], cfg["d_sae"], KINDS[cfg["architecture"]]
    d_out = cfg.get("d_out", d_in)
    shapes = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "W_dec": (d_sae, d_out), "b_dec": (d_out,)}
    if kind.gate == "threshold":
        shapes["threshold"] = (d_sae,)
    if kind.skip:
        shapes["W_skip"] = (d_out, d_in)
    actual = {name: tuple(array.shape) for name, array in tensors.items()}
    if actual != shapes:
        raise ValueError(f"Tensors of a {cfg['architecture']} SAE must be {shapes}; got {actual}.")
    write_tensors(Path(folder) / WEIGHTS, tensors, spec)
    write_json(Path(folder) / FACTS, cfg)


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    optional=(SCALER,),
    releases="SAELens 1 to 6",
    example='{repo: jbloom/GPT2-Small-SAEs-Reformatted, folder: "blocks.{layer+1}.hook_resid_pre"}',
)
