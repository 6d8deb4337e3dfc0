"""Gemma Scope checkpoints (Gemma 2): one file of arrays, and no config.

    pre_i = W_i . x + b_enc_i       z_i = pre_i where pre_i > max(threshold_i, 0), else 0
    x_hat = sum_i z_i * d_i + b_dec

Where an SAE reads stands in the name of its repository alone, so that the site that is asked for is
believed: residual stream R, MLP output M after its norm, outputs of the heads Z (repositories
`-att`). The SAE of the embeddings, site L0B, reads them before they are multiplied with
sqrt(d_model), the stream after that: both of its sides are scaled.

Its transcoders read what the norm before the MLP makes of the stream H before it multiplies with
its gain, x / sqrt(mean(x^2) + 1e-6), and write the MLP's output M after its norm. They belong to
cells at H with `writes: m`, and are fed with the stream through `fronts.RMS_NORM`.

The same tensors as safetensors, in small letters, are those of Gemma Scope 2: with
`file: params.safetensors` a folder without a config is read.
"""

import re
from math import sqrt
from pathlib import Path

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import Tensors, is_hollow
from saegrid.base.words import Site
from saegrid.saes import parts
from saegrid.saes.checkpoint import READ, Format, Named, Reading, check_tensors
from saegrid.saes.fronts import RMS_NORM, Front
from saegrid.saes.sae import SAE

WEIGHTS = "params.npz"
SKIP = "affine_skip_connection"
NAMES = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")
TUNED = "scaling_factor"
"""Tensor that multiplies codes before they are decoded; it is 1 where it is stored."""
EMBEDDINGS = Site(0, "B")
REPOSITORIES = {"res": "R", "mlp": "M", "att": "Z"}
"""Positions by the ends of the names of repositories."""


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE in a folder with params.npz.

    Args:
        folder: where the file lies.
        norms: (feature,) norms of the decoder's rows, where they are known already.
        reading: what the study's config says; its site and what it writes are believed.

    Raises:
        CheckpointError: names the file, and the tensor that is not understood.
    """
    path = reading.weights(folder, WEIGHTS)
    newer = path.suffix == ".safetensors"
    if not newer:
        _check_places(path, reading)
    refuse_centred(path, reading)
    names, tensors = ("gemma_scope", "as the config says"), parts.open_weights(path)
    embeddings = reading.site == EMBEDDINGS and not newer
    front = RMS_NORM if reading.writes and not newer else None
    return view(tensors, names, norms, reading.site, reading.writes, embeddings, front)


def _check_places(path: Path, reading: Reading) -> None:
    """CheckpointError unless the config has an SAE, or a transcoder from H to M.

    SAEs of this release are at no H, so that one is a transcoder without its `writes`.
    """
    at, to = (site and site.position for site in (reading.site, reading.writes))
    if to is None and at == "H":
        raise CheckpointError(
            f"{path}: at H this format has transcoders alone. Set `writes: m` at this SAE in the "
            "config."
        )
    if to is not None and (at, to) != ("H", "M"):
        raise CheckpointError(
            f"{path}: the transcoders of Gemma Scope read the stream H, normalised before the gain "
            f"of the MLP's norm (I is behind it), and write M; the config has {reading.site} and "
            f"writes {reading.writes}. Ask for cells at H with `writes: m`."
        )


def refuse_centred(path: Path, reading: Reading) -> None:
    """CheckpointError where the config says that an SAE of raw activations is centred."""
    if reading.centred:
        raise CheckpointError(
            f"{path}: centred is true in the config, but SAEs of this format read activations as "
            "they are. Take it out."
        )


def view(
    tensors: Tensors,
    names: tuple[str, str],
    norms: np.ndarray | None,
    site: Site | None,
    writes: Site | None,
    embeddings: bool = False,
    front: Front | None = None,
) -> SAE:
    """The SAE of tensors under names in capitals or in small letters.

    Args:
        tensors: the arrays of the file.
        names: names of the format, and of the place as the files have it.
        norms: of the decoder's rows, where they are known.
        site: the site that it reads.
        writes: the site that it writes, of a transcoder.
        embeddings: x is sqrt(d_model) times what the SAE was trained on.
        front: normalisation of each token before the encoder.
    """
    tensors = _capital(tensors)
    check_tensors(tensors, {*NAMES, TUNED, SKIP} if writes else {*NAMES, TUNED})
    stored = tensors.arrays.get(TUNED)
    if stored is not None and not is_hollow() and not np.all(stored == 1):
        raise CheckpointError(
            f"{tensors.path}: the tensor {TUNED!r} is not 1 everywhere, and such an SAE is not "
            "read."
        )
    d_sae, d_in = parts.shape_of(tensors, "W_enc", turned=True)
    decoded = tensors.arrays.get("W_dec")
    if decoded is not None and decoded.ndim == 3:
        raise CheckpointError(
            f"{tensors.path}: W_dec has three axes: this is a cross-layer transcoder, which writes "
            "to several layers; supported: SAEs and transcoders of one layer."
        )
    d_out = d_in if writes is None or decoded is None else decoded.shape[-1]
    scale = sqrt(d_in) if embeddings else None
    stored = parts.vector(tensors, "threshold", d_sae)
    encoder = parts.encoder(
        parts.weights(tensors, "W_enc", d_sae, d_in, turned=True),
        parts.vector(tensors, "b_enc", d_sae),
        threshold=np.maximum(stored, 0.0),
        scale=1 / scale if scale else 1.0,
        front=front,
    )
    decoder = parts.decoder(
        parts.weights(tensors, "W_dec", d_sae, d_out, turned=False), norms, scale
    )
    b_dec = parts.vector(tensors, "b_dec", d_out) * (scale or 1.0)
    skip = tensors.get(SKIP, (d_in, d_out)).T if SKIP in tensors.arrays else None
    folded = {
        parts.RECTIFIED: bool((stored < 0).any()),
        f"embeddings divided by {scale}, output times it": embeddings,
        parts.SKIPPED: skip is not None,
        parts.BEFORE_GAIN: front is RMS_NORM,
    }
    facts = parts.facts(*names, encoder, folded)
    return SAE(encoder, decoder, b_dec, False, facts, site, writes, skip)


def _capital(tensors: Tensors) -> Tensors:
    """The tensors with W_enc and W_dec for w_enc and w_dec, where the others are not there."""
    named = {
        name: name.replace("w_", "W_", 1)
        if name in ("w_enc", "w_dec") and name.replace("w_", "W_", 1) not in tensors.arrays
        else name
        for name in tensors.arrays
    }
    arrays = {named[name]: array for name, array in tensors.arrays.items()}
    return Tensors(tensors.path, arrays, {named[name]: at for name, at in tensors.places.items()})


def named(path: str) -> Named:
    """The sites by the names of the repositories of Gemma Scope and of their folders.

    `gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71/params.npz` reads R; without one of
    their names in front it is taken for an SAE of the residual stream, as most are.
    """
    if "/embedding/" in path:
        return Named(EMBEDDINGS)
    layer = re.search(r"(?:^|/)layer_(\d+)(?:/|$)", path)
    if layer is None:
        return Named()
    at = int(layer[1])
    kind = re.search(r"gemma-scope-[^/]*?-(transcoders|att|mlp|res)(?:/|-)", path)
    if kind and kind[1] == "transcoders":
        return Named(Site(at, "H"), Site(at, "M"))
    return Named(Site(at, REPOSITORIES[kind[1]] if kind else "R"))


FORMAT = Format(
    (WEIGHTS,),
    open_checkpoint,
    named=named,
    releases="Gemma Scope: `-res` at R, `-mlp` at M, `-att` at Z, `embedding` at "
    "L0B, `-transcoders` at H with `writes: m`",
    example='{repo: google/gemma-scope-2b-pt-res, folder: "layer_{layer}/width_16k/average_l0_71"}',
)
