"""HypotheSAEs' p of each hypothesis, run in its own environment.

    python side.py data.npz out.npz

Its package imports torch, sentence-transformers and a client of a paid service when it is opened;
its tests need none of them, so that their module is opened by itself.
"""

import importlib.metadata
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np

package = types.ModuleType("hypothesaes")
package.__path__ = [str(Path(find_spec("hypothesaes").origin).parent)]
sys.modules["hypothesaes"] = package
for module, name in (("llm_api", "get_completion"), ("utils", "load_prompt")):
    stub = types.ModuleType(f"hypothesaes.{module}")
    setattr(stub, name, None)
    sys.modules[stub.__name__] = stub

from hypothesaes.evaluation import compute_hypothesis_separation_scores  # noqa: E402


def p_of(annotations: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(data set, feature) p. annotations: (data set, feature, row); labels: (data set, row)."""
    out = np.empty(annotations.shape[:2])
    for i, (features, label) in enumerate(zip(annotations, labels, strict=True)):
        named = {str(j): row for j, row in enumerate(features)}
        scores = compute_hypothesis_separation_scores(named, label)
        out[i] = [scores[name][1] for name in named]
    return out


data = np.load(sys.argv[1])
kinds = [key.split(".")[0] for key in data.files if key.endswith(".labels")]
found = {kind: p_of(data[f"{kind}.annotations"], data[f"{kind}.labels"]) for kind in kinds}
np.savez(sys.argv[2], version=importlib.metadata.version("hypothesaes"), **found)
