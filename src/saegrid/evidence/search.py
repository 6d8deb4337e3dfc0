"""The search of a cell: all contrasts of a plan on the texts of discovery, and its file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.codes.sparse import Features
from saegrid.evidence import DISCOVERY, discovery, questions
from saegrid.evidence.questions import Corpus


def search(
    plan: Mapping[str, Any], features: Mapping[str, Features], corpora: Mapping[str, Corpus]
) -> discovery.Found:
    """The tests of a cell. features: codes by corpus."""
    asked = questions.ask(plan, DISCOVERY, corpora)
    name = plan["parts"][DISCOVERY]["corpus"]
    pooled = questions.pooled(asked.questions, features, corpora, name, plan["control"])
    return discovery.discover(asked.questions, pooled, plan["min_texts"])


def to_tensors(result: discovery.Found) -> dict[str, np.ndarray]:
    """The tensors of maxima.safetensors: `maxima.k4/nuisances`, `tails.k4/nuisances`."""
    maxima = {f"maxima.{key}": values for key, values in result.maxima.items()}
    return maxima | {f"tails.{key}": values for key, values in result.tails.items()}


def from_tensors(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Maxima and tails by contrast and form."""
    parts: dict[str, dict[str, np.ndarray]] = {"maxima": {}, "tails": {}}
    for key, values in tensors.items():
        kind, _, name = key.partition(".")
        parts[kind][name] = values
    return parts["maxima"], parts["tails"]
