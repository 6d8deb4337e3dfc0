"""CPU time of generation under edits, beside the same loop without any.

    python benchmarks/steering.py [folder of a study with cells, default a random SAE]

100 features x 5 strengths x 20 tokens on stories3M, 500 rows in one batch, one thread; process CPU
seconds, the smaller of three runs each, in turn. The bound is 1.5 of the bare loop.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from saegrid.base.words import Site
from saegrid.interventions.edits import Change, Push
from saegrid.interventions.generate import generate
from saegrid.interventions.live import live
from saegrid.models.load import load
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import SAE, Decoder, Encoder

MODEL = Path(os.environ.get("SAEGRID_DATA", "../shared/data")) / "stories3M-hf"
SITE, NEW, STRENGTHS = Site(3, "R"), 20, (0.5, 1.0, 2.0, 4.0, -1.0)
BOUND = 1.5


def random_sae(d: int, m: int, k: int | None) -> SAE:
    """A random SAE with k active features a token, or one with thresholds."""
    rows = np.random.default_rng(0).normal(size=(m, d)).astype(np.float32) / np.sqrt(d)
    gate = None if k else np.full(m, 1.0)
    scalars = np.ones(m), np.zeros(m), gate, k
    encoder = Encoder(d, m, *scalars, "float32", lambda start, stop: rows[start:stop])
    norms = np.linalg.norm(rows, axis=1)
    decoder = Decoder(d, m, lambda features: rows[features], lambda: norms)
    return SAE(encoder, decoder, np.zeros(d), unit=False, site=SITE)


def main(study: str | None) -> None:
    """Print the seconds and ratios."""
    torch.set_num_threads(1)
    model = load({"path": str(MODEL)})
    d = model.sizes.d_model
    topk = open_sae(Path(study) / f"saes/{SITE}-8x") if study else random_sae(d, 8 * d, 24)
    gated = replace(random_sae(d, 8 * d, None), site=SITE)
    features = np.repeat(np.arange(100), len(STRENGTHS))
    values = np.tile(STRENGTHS, 100) * 0.7
    prompts = [[1, 400 + i % 7, 300 + i % 11, 500, 600, 700, 800, 900] for i in range(500)]
    clamp = Change("clamp", features, values)
    add = Push(np.resize(np.eye(d), (500, d)), values)
    arms = {
        "bare": ([], "delta"),
        "add": ([(live(topk), add)], "delta"),
        "clamp, a threshold decides": ([(live(gated), clamp)], "delta"),
        "clamp, k decides": ([(live(topk), clamp)], "delta"),
        "splice, k decides": ([(live(topk), clamp)], "splice"),
    }
    best = dict.fromkeys(arms, np.inf)
    for _ in range(3):
        for name, (edits, form) in arms.items():
            began = time.process_time()
            generate(model, prompts, NEW, edits, ends=(), form=form)
            best[name] = min(best[name], time.process_time() - began)
    for name, seconds in best.items():
        print(f"{name:28} {seconds:6.2f} CPU s  {seconds / best['bare']:5.2f}")
    worst = max(best[name] for name in arms if name.startswith("clamp")) / best["bare"]
    print(f"100 features x 5 strengths x {NEW} tokens: {worst:.2f} of the bare loop; bound {BOUND}")
    sys.exit(worst > BOUND)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
