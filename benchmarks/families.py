"""The table of model families: whether each kind of model is read right, on a tiny random one.

Of every kind a checkpoint of 2 to 4 layers is saved, and the sites of 20 tokens are compared with
those that plain hooks of the library's own model see. Columns: sites that the kind has; the largest
difference to plain hooks over all layers and sites, as a share of the largest number of the site
(at most 1e-5); whether a pass block by block
gives the bytes of the whole one; of 20 tokens, those whose ten likeliest next tokens are the
model's own by the last residual stream, norm and unembedding; and the largest difference to
TransformerLens' hooks, where it knows the kind, with the sites at which it shows other numbers
(`other`: of Granite what is added, half of A and M; of encoders A behind its norm, H before it) and
those for which it has no hook (`no`).

    python benchmarks/families.py
    python benchmarks/families.py --transformer-lens ENVIRONMENT/bin/python
    python benchmarks/families.py gemma2 opt
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from plain import network, plain_sites  # noqa: E402
from saegrid.base.words import Site  # noqa: E402
from saegrid.capture.layers import capture_layers  # noqa: E402
from saegrid.capture.whole import capture_sites  # noqa: E402
from saegrid.models import FAMILIES  # noqa: E402
from saegrid.models.check import check, logits_of  # noqa: E402
from saegrid.models.forward import capture  # noqa: E402
from saegrid.models.hooks import forward_order  # noqa: E402
from saegrid.models.load import load  # noqa: E402
from saegrid.models.tiles import rows_of  # noqa: E402
from toys import TOYS, save, tokens_table  # noqa: E402

TOKENS, LIKELIEST = 20, 10
ROUNDING = 1e-5
LENS = {
    "B": "hook_resid_pre",
    "Z": "attn.hook_z",
    "A": "hook_attn_out",
    "H": "hook_resid_mid",
    "I": "ln2.hook_out",
    "N": "mlp.hook_post",
    "M": "hook_mlp_out",
    "R": "hook_resid_post",
}


def difference(x: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest number."""
    return float(np.abs(x - expected).max() / np.abs(expected).max())


def row_of(kind: str, folder: Path, ids: np.ndarray) -> tuple[list[str], dict[Site, torch.Tensor]]:
    """The columns of a kind, and its activations by site."""
    settings = {"path": str(folder)}
    model = load(settings)
    check(model)
    rows = rows_of(tokens_table([ids.tolist()])[0])
    layers, every = range(model.sizes.n_layers), np.arange(TOKENS)
    sites = [Site(layer, position) for layer in layers for position in model.positions]
    x = capture(model, rows, every, sites)
    expected = plain_sites(network(folder, kind), kind, ids)
    off = max(difference(x[site].numpy(), expected[site].numpy()) for site in sites)
    capture_sites(model, rows, every, sites, folder / "whole", "", lambda line: None)
    capture_layers(settings, rows, every, sites, folder / "layers", "", lambda line: None)
    same = all(
        (folder / "whole" / f"{s}.safetensors").read_bytes()
        == (folder / "layers" / f"{s}.safetensors").read_bytes()
        for s in sites
    )
    positions = "".join(s.position for s in sorted(sites, key=forward_order) if not s.layer)
    verdict = "same" if same else "DIFFERENT"
    return [positions, f"{off:.1e}", verdict, lists(model, x, ids)], x


def lists(model, x: dict[Site, torch.Tensor], ids: np.ndarray) -> str:
    """Number of tokens whose likeliest next tokens are the model's own, of all."""
    last, vocabulary = Site(model.sizes.n_layers - 1, "R"), torch.arange(model.sizes.d_vocab)
    computed = logits_of(model, x[last], vocabulary)
    if computed is None:
        return "no head"
    own = model.output(torch.from_numpy(ids)[None])[0].double()
    equal = computed.topk(LIKELIEST).indices == own.topk(LIKELIEST).indices
    return f"{int(equal.all(1).sum())} of {TOKENS}"


def beside(python: str, folder: Path) -> dict[str, np.ndarray]:
    """Activations at TransformerLens' hooks, by `kind/layer/hook`."""
    out = folder.parent / "lens.npz"
    script = ROOT / "benchmarks/beside/lens_side.py"
    subprocess.run([python, str(script), str(folder), str(out)], check=True, capture_output=True)
    return dict(np.load(out))


def compared(kind: str, x: dict[Site, torch.Tensor], lens: dict[str, np.ndarray]) -> str:
    """The largest difference to TransformerLens' hooks, and the sites that differ by more than
    rounding or that it lacks."""
    if f"{kind}/refused" in lens:
        return "unknown to it"
    off, otherwise, absent = 0.0, set(), set()
    for site, ours in x.items():
        name = f"{kind}/{site.layer}/{LENS[site.position]}"
        if name not in lens or lens[name].shape != ours.shape:
            absent.add(site.position)
            continue
        here = difference(ours.numpy(), lens[name])
        if here > ROUNDING:
            otherwise.add(site.position)
        else:
            off = max(off, here)
    notes = {"other": "".join(sorted(otherwise)), "no": "".join(sorted(absent))}
    return "; ".join([f"{off:.1e}", *(f"{what} {s}" for what, s in notes.items() if s)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", help="kinds of models; all of them by default")
    parser.add_argument("--transformer-lens", metavar="PYTHON", help="interpreter that has it")
    asked = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    # Of multimodal checkpoints the language model is a kind of its own.
    kinds = asked.kinds or sorted(set(FAMILIES) - {"gemma3"})
    ids = np.random.default_rng(0).integers(3, 64, TOKENS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "models"
        folder.mkdir()
        np.save(folder / "ids.npy", ids)
        for number, kind in enumerate(kinds):
            save(TOYS[kind](layers=2 + number % 3), folder / kind)
        lens = beside(asked.transformer_lens, folder) if asked.transformer_lens else {}
        heads = ["kind", "sites", "plain hooks", "by block", "logit lists", "TransformerLens"]
        form = "{:<12} {:<9} {:<12} {:<9} {:<12} {}"
        print(form.format(*heads))
        for kind in kinds:
            columns, x = row_of(kind, folder / kind, ids)
            last = compared(kind, x, lens) if lens else "-"
            print(form.format(kind, *columns, last), flush=True)


if __name__ == "__main__":
    main()
