"""Processed models: what TransformerLens does to a model's weights, seen from its sites.

Where it centres the weights that write to the residual stream, the stream and the outputs of
attention and MLP have mean zero over channels. It does so with LayerNorm alone, which takes the
mean off anyway, and leaves models with RMSNorm as they are. Where it folds scale and shift of a
norm into the weights behind it, the norm's output lacks them, and where it folds the biases of
values the heads' outputs lack those; every other site stays as it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading, require
from saegrid.saes.hooks import LAYER_NORM, RMS_NORM

KWARGS, KEY = "model_from_pretrained_kwargs", "center_writing_weights"
NOT_WRITTEN = "NZI"
"""Positions that are behind no weight that is centred, or behind a norm that takes the mean off."""
FOLDED = {"I": ("fold_ln",), "Z": ("fold_value_biases", "refactor_factored_attn_matrices")}
"""Keys of KWARGS that change the activations of a position."""
UNCENTRED = (3, 19, 2)
"""The version from which SAELens processes where it is told to; before, TransformerLens decided."""


def is_centred(path: Path, facts: Mapping[str, Any], site: Site | None, reading: Reading) -> bool:
    """Return True if an SAE reads centred activations.

    Args:
        path: the checkpoint's config, for messages.
        facts: `model_from_pretrained_kwargs`, and where known model_name, hook_point and the
            version of SAELens.
        site: where the SAE reads.
        reading: what the study's config says; it decides where it says something.

    Raises:
        CheckpointError: the file leaves it open.
    """
    if reading.centred is not None:
        return reading.centred
    kwargs = facts[KWARGS]
    if KEY in kwargs and not require(path, kwargs, KEY, bool):
        return False
    model = str(facts.get("model_name")).lower()
    layer_norm, rms_norm = bool(LAYER_NORM.search(model)), bool(RMS_NORM.search(model))
    if (site is not None and site.position in NOT_WRITTEN) or (rms_norm and not layer_norm):
        return False
    how = "write `centred: true or centred: false` at this SAE in the config."
    if KEY in kwargs:
        if layer_norm and not rms_norm:
            return True
        raise CheckpointError(
            f"{path}: {KEY} is True, but TransformerLens centres models with LayerNorm alone, and "
            f"whether {facts.get('model_name')!r} has it is not known: {how}"
        )
    if _processed_by_default(facts):
        raise CheckpointError(
            f"{path}: SAELens before 3.19.2 centred the activations of most models, and the file "
            f"does not say whether these were ({KWARGS}.{KEY}): {how}"
        )
    return False


def check_folded(path: Path, facts: Mapping[str, Any], site: Site | None) -> None:
    """CheckpointError where an SAE reads a site whose activations a processed model changes.

    Args:
        path: the checkpoint's config, for messages.
        facts: as of `is_centred`.
        site: where the SAE reads.
    """
    kwargs = facts[KWARGS]
    for position, keys in FOLDED.items():
        for key in keys:
            folded = require(path, {key: kwargs.get(key) or False}, key, bool)
            if site is None or site.position != position:
                continue
            if folded:
                raise CheckpointError(
                    f"{path}: {KWARGS}.{key} is True, so that this SAE reads {site} of a processed "
                    "model, whose activations there are others; supported: false."
                )
            if key not in kwargs and _processed_by_default(facts):
                raise CheckpointError(
                    f"{path}: {KWARGS}.{key} is not said, and SAELens before 3.19.2 processed most "
                    f"models, whose activations at {site} are then others. If this SAE read those "
                    f'of the model as it is, add "{key}": false there.'
                )


def _processed_by_default(facts: Mapping[str, Any]) -> bool:
    """Return True if a version of SAELens that processed models by default wrote the file."""
    version = facts.get("sae_lens_training_version") or facts.get("sae_lens_version")
    numbers = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", str(version))
    if numbers is None:
        return "hook_point" in facts  # the name that versions 1 and 2 give it
    old = tuple(map(int, numbers.groups("0"))) < UNCENTRED
    return old and ("hook_point" in facts or not facts[KWARGS])
