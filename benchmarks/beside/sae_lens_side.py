"""The side of SAELens in a comparison, run by the Python of its environment.

python sae_lens_side.py '{"job": "cell", ...}'
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Clock, main
from hooked import hook_of, hooked
from sae_lens import SAE

TOP, ROWS = 20, 64


def cell(case: dict[str, Any]) -> dict[str, Any]:
    """The time to load by its own loader of Llama Scope, encode, and take densities and top tokens.

    `cure` loads with folded decoder norms and puts the raw threshold back, so that the gate is the
    authors' one. HF_HUB_CACHE is the folder of the file.
    """
    x = torch.from_numpy(np.load(case["x"])).view(torch.bfloat16)
    clock = Clock()
    with clock, torch.no_grad():
        sae = SAE.from_pretrained(
            case["release"], case["id"], dtype=case["dtype"], fold_W_dec_norm=case["cure"]
        )
        if case["cure"]:
            sae.threshold.data.fill_(case["threshold"])
        clock.mark("load")
        z = sae.encode(x.to(sae.dtype))
        clock.mark("encode")
        density = (z > 0).float().mean(0)
        clock.mark("density")
        top = z.topk(TOP, dim=0)
        clock.mark("top tokens")
    token, feature = z.nonzero(as_tuple=True)
    np.savez(
        case["out"],
        token=token.numpy(),
        feature=feature.numpy(),
        value=z[token, feature].float().numpy(),
        density=density.numpy(),
        top_value=top.values.float().numpy().T,
        top_token=top.indices.numpy().T,
    )
    return clock.as_json() | {"l0": len(token) / len(x)}


def grid(case: dict[str, Any]) -> dict[str, Any]:
    """The time of one pass of the model for all sites, with encode, density and topk of each.

    SAELens has no page.
    """
    folder, out = Path(case["folder"]), Path(case["out"])
    ids = torch.from_numpy(np.load(folder / "ids.npy"))
    model = hooked(case["model"])
    saes = {site: SAE.load_from_disk(folder / f"sae-{site}") for site in case["sites"]}
    names = {site: hook_of(site) for site in case["sites"]}
    special = [model.tokenizer.bos_token_id, model.tokenizer.eos_token_id]
    text = ~torch.isin(ids, torch.tensor(special))
    for _ in ("warm", "timed"):
        clock, codes = Clock(), {}
        with clock, torch.no_grad():
            parts = [
                model.run_with_cache(part, names_filter=list(names.values()), return_type=None)[1]
                for part in ids.split(ROWS)
            ]
            clock.mark("capture")
            for site, sae in saes.items():
                z = sae.encode(torch.cat([part[names[site]] for part in parts])[text])
                clock.mark("encode")
                density = (z > 0).float().mean(0)
                clock.mark("density")
                codes[site] = z, density, z.topk(TOP, dim=0)
                clock.mark("top tokens")
    row, position = text.nonzero(as_tuple=True)
    for site, (z, density, _) in codes.items():
        token, feature = z.nonzero(as_tuple=True)
        np.savez(
            out / f"{site}.npz",
            feature=feature.numpy(),
            row=row[token].numpy(),
            position=position[token].numpy(),
            value=z[token, feature].numpy(),
            density=density.numpy(),
        )
    return clock.as_json()


if __name__ == "__main__":
    main({"cell": cell, "grid": grid})
