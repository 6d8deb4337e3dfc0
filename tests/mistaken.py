"""Configs with mistakes, made from the tiny study, and what is told of them."""

import copy
from pathlib import Path

import yaml

from saegrid.stages.mistakes import all_mistakes

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = yaml.safe_load((REPOSITORY / "config" / "tiny.yaml").read_text())
CHECKPOINT = {"source": "checkpoint", "format": "sae_lens", "path": "here/L{layer}{position}"}


def changed(**keys):
    """The tiny study with some keys set; __ stands for the point between their parts."""
    study = copy.deepcopy(TINY)
    for key, value in keys.items():
        *above, last = key.split("__")
        section = study
        for part in above:
            section = section.setdefault(part, {})
        section[last] = value
    return study


def told(study, part=None) -> list[str]:
    """The texts of all mistakes of a config, each once, or of a part of it; each is a sentence."""
    _, found = all_mistakes(study)
    for one in found:
        assert "\n" not in one.text and len(one.text) < 900
        assert one.key and one.text.startswith(one.key[:40])
    return list(dict.fromkeys(one.text for one in found if part in (None, one.part)))
