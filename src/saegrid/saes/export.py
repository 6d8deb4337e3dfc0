"""Write an SAE of a study in SAELens' layout, with all that was folded in the weights.

    python -m saegrid.saes.export results/<study>/saes/<cell> <folder>

The folder gets cfg.json and sae_weights.safetensors, which SAELens 5 and 6 read with
`SAE.load_from_disk(folder)` as they are: no norms, scales or thresholds have to be known beside.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import widen
from saegrid.saes.centring import KEY, KWARGS
from saegrid.saes.formats.sae_lens import config, write_sae_lens
from saegrid.saes.fronts import RMS_NORM
from saegrid.saes.hooks import hook_of
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import SAE, blocks

TRANSCODERS = {False: "jumprelu_transcoder", True: "jumprelu_skip_transcoder"}
"""Architectures of transcoders without and with a skip."""


def export(sae: SAE, folder: str | Path, spec: str = "") -> None:
    """Write any SAE in SAELens' layout, in float32 and with everything folded.

    One with a threshold is a jumprelu SAE there, whatever it was, one with k a topk SAE, and a
    transcoder a jumprelu transcoder. Normalisations by the token's own numbers and centred
    activations are named in cfg.json as SAELens names them. Needs memory for both weight matrices.

    Raises:
        CheckpointError: SAELens has no such SAE, or it does not say which site it reads.
    """
    encoder, decoder = sae.encoder, sae.decoder
    if sae.site is None:
        raise CheckpointError("The SAE to be exported does not say which site it reads.")
    if sae.writes is not None and encoder.k is not None:
        raise CheckpointError(
            f"The SAE of {sae.site} to be exported is a transcoder with k {encoder.k}; SAELens has "
            "transcoders with thresholds alone."
        )
    w_enc = np.empty((encoder.d_model, encoder.d_sae), np.float32)
    w_dec = np.empty((decoder.d_sae, decoder.d_model), np.float32)
    for start, stop in blocks(encoder.d_sae):
        rows = widen(encoder.rows(start, stop)).astype(np.float64)
        w_enc[:, start:stop] = (rows * encoder.scale[start:stop, None]).T
        features = np.arange(start, stop)
        w_dec[start:stop] = decoder.directions(features) if sae.unit else decoder.rows(features)
    vectors = {"b_enc": encoder.bias, "b_dec": sae.b_dec}
    if encoder.threshold is not None:
        vectors["threshold"] = encoder.threshold
    tensors = {"W_enc": w_enc, "W_dec": w_dec}
    tensors |= {name: vector.astype(np.float32) for name, vector in vectors.items()}
    if sae.skip is not None:
        tensors["W_skip"] = widen(sae.skip)
    write_sae_lens(folder, _config(sae), tensors, spec)


def _config(sae: SAE) -> dict[str, Any]:
    """The cfg.json of an exported SAE.

    What SAELens 6 reads in `metadata` stands beside it too, where 5 reads it, with the keys that 5
    needs: without them it takes a TopK SAE for a ReLU one.
    """
    encoder, site = sae.encoder, sae.site
    assert site is not None
    normalised = encoder.front is RMS_NORM
    hooks: dict[str, Any] = {"hook_name": hook_of(site, normalised)}
    more: dict[str, Any] = {"apply_b_dec_to_input": False}
    architecture = "jumprelu" if encoder.k is None else "topk"
    function: dict[str, Any] = {"activation_fn_str": "relu", "activation_fn_kwargs": {}}
    if encoder.k is not None:
        more["k"] = encoder.k
        function = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": encoder.k}}
    if sae.writes is not None:
        architecture = TRANSCODERS[sae.skip is not None]
        hooks["hook_name_out"] = hook_of(sae.writes)
        more["d_out"] = sae.decoder.d_model
    if encoder.front is not None and not normalised:
        more["normalize_activations"] = encoder.front.name
    if site.position == "Z":
        more["reshape_activations"] = "hook_z"
    beside = {
        **hooks,
        "hook_layer": site.layer,
        "hook_head_index": None,
        "model_name": sae.facts.get("model_name") or "",
        KWARGS: {KEY: encoder.centred},
        "prepend_bos": True,
        "context_size": 128,
        "dataset_path": "",
    }
    metadata = {**hooks, "exported_from": dict(sae.facts)}
    shape = encoder.d_model, encoder.d_sae
    return config(architecture, site, *shape, **more, **function, **beside, metadata=metadata)


def main(cell: str, folder: str) -> None:
    """Export the SAE of a cell's folder; a folder that is there already is left alone."""
    if Path(folder).exists():
        raise CheckpointError(f"{folder}: this exists already; name another folder.")
    if not Path(cell).is_dir():
        raise CheckpointError(f"{cell}: there is no such folder, results/<study>/saes/<cell>.")
    with open_sae(cell) as sae:
        export(sae, folder)


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        sys.exit()
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ValueError, OSError) as mistake:
        sys.exit(str(mistake))
