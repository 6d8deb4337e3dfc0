"""Checkpoints of dictionary_learning: config.json, and ae.pt with tensors alone.

With b for the decoder's bias:

    AutoEncoder                z = relu(W (x - b) + b_enc)
    AutoEncoderNew             z = relu(W x + b_enc)
    JumpReluAutoEncoder        pre = W x + b_enc, open where pre > max(threshold, 0)
    GatedAutoEncoder           open where W (x - b) + gate_bias > 0; z = exp(r_mag) W (x - b)
                               + mag_bias where that is positive: folds into one threshold
    AutoEncoderTopK            the k largest of relu(W (x - b) + b_enc)
    BatchTopKSAE, MatryoshkaBatchTopKSAE
                               relu(W (x - b) + b_enc) above one threshold; where it is negative, as
                               it is before it has been estimated, ReLU alone decides

z multiplies decoder rows as they are stored. Where the library loads an AutoEncoder, it brings
these to norm one and multiplies z with their norms: the same features are active, and x_hat is the
same.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import Tensors, is_hollow
from saegrid.base.words import Site
from saegrid.saes import parts
from saegrid.saes.checkpoint import (
    READ,
    Format,
    Reading,
    check_keys,
    check_tensors,
    read_facts,
    require,
    supported,
)
from saegrid.saes.formats.gemma_scope import refuse_centred
from saegrid.saes.hooks import site_of
from saegrid.saes.known import words
from saegrid.saes.sae import SAE, Encoder

FACTS, WEIGHTS = "config.json", "ae.pt"
DECIDES = words("dict_class activation_dim dict_size k layer submodule_name lm_name")
HISTORY = words(
    """
    trainer_class lr steps seed device wandb_name warmup_steps decay_start resample_steps
    sparsity_warmup_steps l1_penalty sparsity_penalty sparsity_function p_start p_end anneal_start
    anneal_end sparsity_queue_length n_sparsity_updates bandwidth target_l0 sparsity_coefficient
    auxk_alpha top_k_aux threshold_beta threshold_start_step k_anneal_steps multi_k
    group_fractions group_weights group_sizes norm_factor normalize_activations
    """
)
"""Keys of the training; activations that are normalised in it are folded in when it is saved."""
BUFFER = words(
    """
    d_submodule n_ctxs ctx_len refresh_batch_size out_batch_size device
    act_store_device remove_bos add_special_tokens max_activation_norm_multiple
    """
)
"""Keys of the text that the activations come from, beside `io`. That of single heads has others."""


class Kind(NamedTuple):
    """A class of dictionaries: its tensors, and its encoder."""

    encode: Callable[["Part"], Encoder]
    b_dec: str
    """Name of the tensor of the decoder's bias."""
    more: tuple[str, ...] = ()
    """Names of its other vectors and numbers."""
    linear: bool = True
    """True: encoder.weight and decoder.weight of torch's Linear; else W_enc and W_dec."""
    subtracts: bool = True
    """True if b_dec is subtracted from the input."""
    counts: bool = False
    """True if k says how many features are active."""


class Part(NamedTuple):
    """The parts that an encoder is made of."""

    path: Path
    """The config, for messages."""
    cfg: dict[str, Any]
    tensors: Tensors
    rows: parts.Weights
    before: np.ndarray | None
    """(channel,) what is subtracted from the input: b_dec, or nothing."""

    def vector(self, name: str) -> np.ndarray:
        """(feature,) float64: the tensor of that name."""
        return parts.vector(self.tensors, name, self.rows.d_sae)


def _relu(part: Part) -> Encoder:
    return parts.encoder(part.rows, part.vector("encoder.bias"), threshold=0.0, before=part.before)


def _jump(part: Part) -> Encoder:
    threshold = np.maximum(part.vector("threshold"), 0.0)
    return parts.encoder(part.rows, part.vector("b_enc"), threshold=threshold)


def _gated(part: Part) -> Encoder:
    """The encoder of both nets, W (x - b) > -gate_bias written as a bound of the magnitude."""
    scale, mag = np.exp(part.vector("r_mag")), part.vector("mag_bias")
    threshold = np.maximum(mag - scale * part.vector("gate_bias"), 0.0)
    return parts.encoder(part.rows, mag, threshold=threshold, scale=scale, before=part.before)


def _topk(part: Part) -> Encoder:
    k = require(part.path, part.cfg, "k", int)
    parts.check_k(part.path, k, part.rows.d_sae)
    return parts.encoder(part.rows, part.vector("encoder.bias"), k=k, before=part.before)


def _batch_topk(part: Part, bias: str = "encoder.bias") -> Encoder:
    threshold = np.maximum(parts.scalar(part.tensors, "threshold"), 0.0)
    return parts.encoder(part.rows, part.vector(bias), threshold=threshold, before=part.before)


def _matryoshka(part: Part) -> Encoder:
    return _batch_topk(part, "b_enc")


KINDS = {
    "AutoEncoder": Kind(_relu, "bias", ("encoder.bias",)),
    "AutoEncoderNew": Kind(_relu, "decoder.bias", ("encoder.bias",), subtracts=False),
    "JumpReluAutoEncoder": Kind(
        _jump, "b_dec", ("b_enc", "threshold"), linear=False, subtracts=False
    ),
    "GatedAutoEncoder": Kind(_gated, "decoder_bias", ("r_mag", "gate_bias", "mag_bias")),
    "AutoEncoderTopK": Kind(_topk, "b_dec", ("encoder.bias", "k", "threshold"), counts=True),
    "BatchTopKSAE": Kind(_batch_topk, "b_dec", ("encoder.bias", "k", "threshold"), counts=True),
    "MatryoshkaBatchTopKSAE": Kind(
        _matryoshka, "b_dec", ("b_enc", "k", "threshold", "group_sizes"), linear=False, counts=True
    ),
}


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE in a folder with config.json and ae.pt.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the stored decoder columns, where they are known already.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    whole = read_facts(path)
    cfg, buffer = (
        require(path, {key: {}} | whole if key == "buffer" else whole, key, dict)
        for key in ("trainer", "buffer")
    )
    name = require(path, cfg, "dict_class", str)
    supported(path, "trainer.dict_class", name, *KINDS)
    check_keys(path, whole, {"trainer", "buffer"}, (), reading)
    check_keys(path, cfg, DECIDES, HISTORY, reading, "trainer.")
    check_keys(path, buffer, {"io"}, BUFFER, reading, "buffer.")
    refuse_centred(path, reading)
    site = _site(path, cfg, buffer, reading)
    tensors, kind = parts.open_weights(reading.weights(folder, WEIGHTS)), KINDS[name]
    w_enc, w_dec = ("encoder.weight", "decoder.weight") if kind.linear else ("W_enc", "W_dec")
    check_tensors(tensors, {w_enc, w_dec, kind.b_dec, *kind.more})
    d_sae, d_model = parts.shape_of(tensors, w_enc, turned=not kind.linear)
    _check_sizes(path, cfg, tensors, kind, d_sae, d_model)
    rows = parts.weights(tensors, w_enc, d_sae, d_model, turned=not kind.linear)
    columns = parts.weights(tensors, w_dec, d_sae, d_model, turned=kind.linear)
    b_dec = parts.vector(tensors, kind.b_dec, d_model)
    encoder = kind.encode(Part(path, cfg, tensors, rows, b_dec if kind.subtracts else None))
    folded = {
        parts.SUBTRACTED: kind.subtracts and bool(b_dec.any()),
        "gate and magnitude in one threshold": name == "GatedAutoEncoder",
    }
    facts = parts.facts(
        "dictionary_learning", cfg.get("submodule_name"), encoder, folded, architecture=name
    )
    if name.endswith("BatchTopKSAE"):
        facts["stored_threshold"] = parts.scalar(tensors, "threshold")
    return SAE(encoder, parts.decoder(columns, norms), b_dec, False, facts, site)


def _check_sizes(
    path: Path, cfg: dict[str, Any], tensors: Tensors, kind: Kind, d_sae: int, d_model: int
) -> None:
    """CheckpointError where config and tensors differ in a size or in k."""
    if cfg.get("k") is not None and not kind.counts:
        raise CheckpointError(
            f"{path}: k is {cfg['k']!r}, but the class {cfg['dict_class']} has none. Correct the "
            "one that is wrong."
        )
    sizes = {"activation_dim": d_model, "dict_size": d_sae}
    if "k" in tensors.arrays and cfg.get("k") is not None and not is_hollow():
        sizes["k"] = int(tensors.arrays["k"].max(initial=0))
    for key, size in sizes.items():
        said = require(path, {key: size} | cfg, key, int)
        if said != size:
            raise CheckpointError(
                f"{path}: {key} is {said}, but {tensors.path.name} has {size}. Correct the one "
                "that is wrong."
            )


NAMED = {"resid": "", "resid_post": "", "resid_out": "", "mlp": ".mlp", "attn": ".attn"}
NAMED |= {"mlp_out": ".mlp", "attn_out": ".attn"}
"""The library's own names of places, and the modules whose output they are."""


def _site(path: Path, cfg: dict[str, Any], buffer: dict[str, Any], reading: Reading) -> Site | None:
    """The site of `submodule_name`, or where that is not said, of the layer alone."""
    layer = cfg.get("layer")
    if layer is not None:
        require(path, cfg, "layer", int)
    side = buffer.get("io", "out")
    supported(path, "buffer.io", side, "out", "in")
    name = cfg.get("submodule_name")
    if not name:
        believed = reading.site
        wrong = believed is not None and layer is not None and believed.layer != layer
        return Site(layer, believed.position) if believed and wrong else believed
    require(path, cfg, "submodule_name", str)
    match = re.fullmatch(r"([a-z_]+?)_?(?:layer)?_?(\d*)", name)
    module, model = name, str(cfg.get("lm_name"))
    if match and match[1] in NAMED:
        module = f"layers.{match[2] or layer}{NAMED[match[1]]}"
    site = site_of(module if side == "out" else f"{module}.input", model)
    if site is None:
        raise CheckpointError(
            f"{path}: trainer.submodule_name is {name!r} ({side}) in {model}, which is no site; "
            "supported: resid_post_layer_7, mlp_out_layer_7, attn_out_layer_7, model.layers.7 and "
            "the like; outputs of attention and MLP of models that are known to have no norm "
            "behind them."
        )
    named = re.search(r"\d+", module)
    if layer is not None and (named is None or int(named[0]) != layer):
        raise CheckpointError(
            f"{path}: trainer.layer is {layer}, but trainer.submodule_name is {name!r}. Correct "
            "the one that is wrong."
        )
    return site


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    releases="dictionary_learning, SAEBench",
    example="{repo: andyrdt/saes-llama-3.1-8b-instruct, "
    'folder: "resid_post_layer_{layer}/trainer_1"}',
)
