"""The exchange of SAEs with SAELens: those trained here open there, and the other way round.

Each recipe's SAE is written here and opened by SAELens; an SAE of each architecture that SAELens
trains is written there and opened here. Codes and reconstruction of the same tokens must agree
within 1e-5 of the largest; otherwise the exit status is 1.

    python benchmarks/exchange.py --sae-lens ENVIRONMENT
"""

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from beside.running import python_of, run
from planted import SETTINGS, planted

from saegrid.base.words import Site
from saegrid.saes.formats.sae_lens import open_checkpoint, write_sae_lens
from saegrid.saes.sae import decode, encode
from saegrid.saes.training import RECIPES
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_array

NEAR = 1e-5


def agree(name: str, folder: Path, x: np.ndarray, theirs: Any) -> bool:
    """Print the distance of the two sides in units of the largest value; return True if it is
    small."""
    sae = open_checkpoint(folder)
    z = encode(sae.encoder, x)
    x_hat = decode(sae, z)
    codes = np.abs(z - theirs["z"]).max() / np.abs(z).max()
    rebuilt = np.abs(x_hat - theirs["x_hat"]).max() / np.abs(x_hat).max()
    apart = int(((z > 0) != (theirs["z"] > 0)).sum())
    near = bool(codes < NEAR and rebuilt < NEAR)
    print(
        f"{name:28s} codes differ by {codes:.1e}, reconstruction by {rebuilt:.1e}; {apart} of "
        f"{int((z > 0).sum())} active on one side only: {'agree' if near else 'DIFFER'}",
        flush=True,
    )
    return near


def main() -> None:
    """Exchange SAEs both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sae-lens", required=True, help="its environment")
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    x, _ = planted(20_000, 64, 512, 8)
    x *= 3
    stream, good = of_array(x, 0.1, 0), []
    python = python_of(arguments.sae_lens)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "x.npy", x)
        np.save(folder / "tokens.npy", x[:2000])
        case = {"tokens": folder / "tokens.npy", "told": folder / "told.npz"}
        recipes = [(name, SETTINGS[name]) for name in sorted(RECIPES)]
        recipes.append(("topk_relu", SETTINGS["topk_relu"] | {"k": None}))
        recipes += [(name, SETTINGS[name] | {"whiten": "zca"}) for name in ("topk", "jumprelu")]
        recipes.append(("relu_l1", SETTINGS["relu_l1"] | {"non_negative": True}))
        for recipe, settings in recipes:
            values = settings | {"steps": arguments.steps, "batch": 256}
            with contextlib.redirect_stdout(io.StringIO()):
                trained = train(stream, recipe, values, expansion=8, site=Site(1, "R"))
            special = [key for key in ("whiten", "non_negative") if key in values]
            at = folder / "-".join([recipe, str(values.get("k")), *special])
            write_sae_lens(at, trained.cfg, trained.tensors)
            run(python, "sae_lens_training", "judge", sae=at, **case)
            name = " ".join([recipe, *special, *["without k"][: values.get("k", 0) is None]])
            good.append(agree(f"from here: {name}", at, x[:2000], np.load(case["told"])))
        for recipe in ("standard", "topk", "batchtopk", "jumprelu"):
            at = folder / f"theirs-{recipe}"
            sizes = {"d_model": 64, "d_sae": 512, "batch": 256, "k": 8, "recipe": recipe}
            more = {"x": folder / "x.npy", "out": at, "steps": arguments.steps}
            run(python, "sae_lens_training", "train", **sizes, **more, **case)
            good.append(agree(f"from SAELens: {recipe}", at, x[:2000], np.load(case["told"])))
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
