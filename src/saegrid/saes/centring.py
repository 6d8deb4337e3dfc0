"""Centred activations: less their mean over channels, as TransformerLens makes them.

Where TransformerLens centres the weights that write to the residual stream, the stream and the
outputs of attention and MLP have mean zero over channels. It does so with LayerNorm alone, which
takes the mean off anyway, and leaves models with RMSNorm as they are.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading, require

KWARGS, KEY = "model_from_pretrained_kwargs", "center_writing_weights"
LAYER_NORM = re.compile(
    r"gpt-?2|gpt-?neo|gpt-?j|pythia|\bopt-\d|tiny-?stories|\bsolu-|\bgelu-|attn-only|santacoder"
    r"|\bphi-[12]"
)
RMS_NORM = re.compile(
    r"llama|mistral|mixtral|qwen|gemma|phi-?3|olmo-?[23]|olmoe|\byi-|deepseek|gpt-oss"
)
"""Models with one norm or the other, by their names in lower case."""
UNCENTRED = (3, 19, 2)
"""The version from which SAELens centres where it is told to; before, TransformerLens decided."""


def is_centred(path: Path, facts: Mapping[str, Any], site: Site | None, reading: Reading) -> bool:
    """Return True if an SAE reads centred activations.

    Args:
        path: the checkpoint's config, for messages.
        facts: `model_from_pretrained_kwargs`, and where known model_name, hook_point and the
            version of SAELens.
        site: where the SAE reads; hidden neurons are behind no weight that is centred.
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
    if (site is not None and site.position == "N") or (rms_norm and not layer_norm):
        return False
    how = "write `centred: true or centred: false` at this SAE in the config."
    if KEY in kwargs:
        if layer_norm and not rms_norm:
            return True
        raise CheckpointError(
            f"{path}: {KEY} is True, but TransformerLens centres models with LayerNorm alone, and "
            f"whether {facts.get('model_name')!r} has it is not known: {how}"
        )
    if _centred_by_default(facts):
        raise CheckpointError(
            f"{path}: SAELens before 3.19.2 centred the activations of most models, and the file "
            f"does not say whether these were ({KWARGS}.{KEY}): {how}"
        )
    return False


def _centred_by_default(facts: Mapping[str, Any]) -> bool:
    """Return True if a version of SAELens that centred by default wrote the file."""
    version = facts.get("sae_lens_training_version") or facts.get("sae_lens_version")
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", str(version))
    if numbers is None:
        return "hook_point" in facts  # the name that versions 1 and 2 give it
    old = tuple(map(int, numbers.groups())) < UNCENTRED
    return old and ("hook_point" in facts or not facts[KWARGS])
