"""Attribution of all features of a cell of true width with the bare parts that it needs.

Some blocks of Llama-3-8B's widths (two by default) with random weights, an SAE of 131,072 features
in bfloat16 behind the first one, about 50 of which are active on a token, and some prompts. Bare
are

- a forward pass of the model, and the backward pass of all differences as far as the site,
- the product of the encoder with the tokens, in bfloat16 or with blocks made float32, the faster,
- the decoder rows of active features, gathered once, and their products with the gradients.

Beside stands all of `attribute` without integrated gradients: passes with hooks, exact codes, sums
by prompt, completeness. With few blocks the ratio to the model's own passes is large; the whole
model has 32. A block takes .9 GB in float32. Ratios are of CPU seconds on one thread.

The model is float32 by default: in bfloat16 a processor without instructions for it takes forty
times as long for a product of the backward pass as for one of the forward pass (measured).

    python benchmarks/attribution.py
    python benchmarks/attribution.py --tokens 128 --prompts 4
    python benchmarks/attribution.py --blocks 12
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
import transformers

from saegrid.base.words import Site
from saegrid.interventions.attribution import attribute
from saegrid.interventions.differences import Prompts
from saegrid.interventions.live import live
from saegrid.interventions.passes import run
from saegrid.models import family_of, tiles
from saegrid.models.load import Loaded
from saegrid.models.tiles import Rows
from saegrid.saes.sae import SAE, Decoder, Encoder

SITE = Site(0, "R")
WIDTHS = {"hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 4096}
HEADS = {"num_attention_heads": 32, "num_key_value_heads": 8}
ACTIVE = 3.36
"""Standard deviations that 50 of 131,072 normal numbers exceed."""


def filled(tensor: torch.Tensor, scale: float, generator: torch.Generator) -> torch.Tensor:
    """The tensor with random numbers of this standard deviation."""
    return tensor.uniform_(-scale * 3**0.5, scale * 3**0.5, generator=generator)


def model_of(blocks: int, dtype: torch.dtype, generator: torch.Generator) -> Loaded:
    """The model."""
    sizes = {**WIDTHS, **HEADS, "num_hidden_layers": blocks}
    config = transformers.AutoConfig.for_model("llama", **sizes)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    for parameter in model.parameters():
        filled(parameter, 0.02, generator) if parameter.ndim > 1 else parameter.fill_(1)
    rotary = model.base_model.rotary_emb
    model.base_model.rotary_emb = type(rotary)(config)
    family = family_of(config.to_dict() | {"model_type": "llama"})
    return Loaded(model, family, family.sizes(config.to_dict()), f"{blocks} blocks of Llama-3-8B")


def sae_of(d_sae: int, threshold: float, generator: torch.Generator) -> SAE:
    """The SAE."""
    d = WIDTHS["hidden_size"]
    W_enc, W_dec = (
        filled(torch.empty(d_sae, d, dtype=torch.bfloat16), d**-0.5, generator) for _ in range(2)
    )
    bits, rows = (W.view(torch.int16).numpy().view(np.uint16) for W in (W_enc, W_dec))
    gate = np.full(d_sae, threshold)
    encoder = Encoder(
        *(d, d_sae, np.ones(d_sae), np.zeros(d_sae), gate, None, "bfloat16"),
        lambda start, stop: bits[start:stop],
    )
    decoder = Decoder(d, d_sae, lambda features: rows[features], lambda: np.ones(d_sae))
    return SAE(encoder, decoder, np.zeros(d), unit=False)


def prompts_of(n: int, length: int) -> Prompts:
    """Random prompts of one length; the first token of each is special."""
    rng = np.random.default_rng(0)
    ids = rng.integers(3, WIDTHS["vocab_size"], n * length)
    special = np.arange(n * length) % length == 0
    plus, minus = rng.integers(3, WIDTHS["vocab_size"], (2, n))
    rows = Rows(ids, np.arange(n + 1) * length)
    return Prompts(rows, special, plus, minus, np.arange(n), [""] * n)


def passes(model: Loaded, prompts: Prompts, length: int) -> torch.Tensor:
    """A forward pass, and a backward pass as far as the input of the second block."""
    ids, cut = torch.from_numpy(prompts.rows.ids).view(len(prompts), length), []

    def leaf(module: torch.nn.Module, args: tuple) -> tuple:
        cut.append(args[0].detach().requires_grad_())
        return (cut[0], *args[1:])

    handle = model.blocks[1].register_forward_pre_hook(leaf)
    logits = model.model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[:, -1].float()
    handle.remove()
    some = torch.arange(len(prompts))
    value = logits[some, prompts.plus] - logits[some, prompts.minus]
    return torch.autograd.grad(value.sum(), cut[0])[0]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=16, help="tokens of a prompt")
    parser.add_argument("--features", type=int, default=131_072)
    parser.add_argument("--blocks", type=int, default=2, help="blocks of the model")
    parser.add_argument("--dtype", default="float32", help="of the model")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    # A tile as large as the prompts: blank rows would be run beside them.
    tiles.TILE_TOKENS["cpu"] = asked.prompts * asked.tokens
    generator = torch.Generator().manual_seed(0)
    model, prompts = (
        model_of(asked.blocks, getattr(torch, asked.dtype), generator),
        prompts_of(asked.prompts, asked.tokens),
    )
    norm = run(model, prompts, live(sae_of(1, 0.0, generator), site=SITE), back=False).x.float()
    size = float(norm[~torch.from_numpy(prompts.special)].norm(dim=1).median())
    sae = sae_of(asked.features, ACTIVE * size / WIDTHS["hidden_size"] ** 0.5, generator)
    cell = live(sae, site=SITE)
    print(f"model and SAE drawn, {time.process_time():.0f} s", flush=True)
    pairs = attribute(model, cell, prompts, 0)
    x = norm[~torch.from_numpy(prompts.special)].to(torch.bfloat16)
    W = torch.from_numpy(sae.encoder.rows(0, asked.features).view(np.int16)).view(torch.bfloat16)
    features, g = np.unique(pairs.feature), passes(model, prompts, asked.tokens).flatten(0, 1)

    def rows() -> None:
        v = torch.from_numpy(sae.decoder.read(features).view(np.int16)).view(torch.bfloat16)
        place = np.searchsorted(features, np.repeat(pairs.feature, np.diff(pairs.starts)))
        for part in np.array_split(np.arange(len(place)), -(-len(place) // 1024)):
            (v[place[part]].float() * g[pairs.token[part]].float()).sum(1)

    def narrow() -> torch.Tensor:
        return x @ W.T

    def wide() -> list[torch.Tensor]:
        return [x.float() @ rows.float().T for rows in W.split(2048)]

    bare = {
        "forward and backward": seconds(
            lambda: passes(model, prompts, asked.tokens), asked.repeats
        ),
        "encoder product": min(seconds(how, asked.repeats) for how in (narrow, wide)),
        "active decoder rows": seconds(rows, asked.repeats),
    }
    whole = seconds(lambda: attribute(model, cell, prompts, 0), asked.repeats)
    entries = len(pairs.token) / max(1, int((~prompts.special).sum()))
    both, others = bare["forward and backward"], sum(list(bare.values())[1:])
    print(
        f"{asked.prompts} prompts of {asked.tokens} tokens, {asked.features:,} features, "
        f"{entries:.0f} active on a token; CPU seconds"
    )
    for name, taken in bare.items():
        print(f"{name:30} {taken:8.3f}")
    print(f"{'attribution of all features':30} {whole:8.3f}")
    for blocks in (asked.blocks, 32):
        longer = both * blocks / asked.blocks
        allowed = 1.15 * longer + others
        ratio = (whole - both + longer) / (longer + others)
        print(
            f"{blocks} blocks: {ratio:.3f} of the sum of the parts, "
            f"{(whole - both + longer) / allowed:.3f} of 1.15 passes and the other two"
        )


if __name__ == "__main__":
    main()
