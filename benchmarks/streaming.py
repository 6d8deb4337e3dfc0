"""The capture of a model of true size, block by block in little memory.

    python benchmarks/streaming.py --folder DIR [--layers 32] [--rows 630] [--threads 2] [--cold]

Writes a checkpoint of Llama-3.1-8B's shapes with random weights to DIR (16 GB, four shards as on
the hub; kept and used again), and captures A, M and R of the layers from 7 on (all, where there
are no more than 7), every token but the first of rows as long as headlines. Beside it stand,
measured in the same run, one sequential read of the blocks and the bare products: each
tile's seven matrices a layer, for one layer, times the layers.
On a GPU (`--device cuda`) one copy of the blocks to the card stands beside them.
Target: at most 1.3 of the larger of the two, and 6 GB of peak memory for all 32 layers.
"""

import argparse
import json
import os
import resource
import shutil
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from capture import headlines
from saegrid.base.words import Site
from saegrid.capture.layers import capture_layers
from saegrid.models.layers import architecture
from saegrid.models.tiles import Rows, plan_tiles
from saegrid.models.weights import Weights

D, MLP, HEADS, KV, VOCAB = 4096, 14336, 32, 8, 128256
SHARDS = 4
BLOCK = {
    "self_attn.q_proj": (D, D),
    "self_attn.k_proj": (D * KV // HEADS, D),
    "self_attn.v_proj": (D * KV // HEADS, D),
    "self_attn.o_proj": (D, D),
    "mlp.gate_proj": (MLP, D),
    "mlp.up_proj": (MLP, D),
    "mlp.down_proj": (D, MLP),
}


def facts(n_layers: int) -> dict:
    """The content of Llama-3.1-8B's config.json, with a number of layers."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": D,
        "intermediate_size": MLP,
        "num_hidden_layers": n_layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV,
        "vocab_size": VOCAB,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 128000,
        "eos_token_id": 128001,
    }


def make(folder: Path, n_layers: int) -> None:
    """Write the checkpoint, unless it exists."""
    config = folder / "config.json"
    if config.is_file() and json.loads(config.read_text()) == facts(n_layers):
        return
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(VOCAB * D, generator=generator).mul_(0.02).to(torch.bfloat16)

    def matrix(*shape: int) -> torch.Tensor:
        start = int(torch.randint(len(noise) - shape[0] * shape[1] + 1, (), generator=generator))
        return noise[start : start + shape[0] * shape[1]].view(shape)

    index = {}
    for shard in range(SHARDS):
        tensors = {}
        for layer in range(shard * n_layers // SHARDS, (shard + 1) * n_layers // SHARDS):
            name = f"model.layers.{layer}."
            tensors |= {f"{name}{part}.weight": matrix(*shape) for part, shape in BLOCK.items()}
            for norm in ("input_layernorm", "post_attention_layernorm"):
                tensors[f"{name}{norm}.weight"] = torch.ones(D, dtype=torch.bfloat16)
        if shard == 0:
            tensors["model.embed_tokens.weight"] = matrix(VOCAB, D)
        if shard == SHARDS - 1:
            tensors["model.norm.weight"] = torch.ones(D, dtype=torch.bfloat16)
            tensors["lm_head.weight"] = matrix(VOCAB, D)
        path = folder / f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        index |= dict.fromkeys(tensors, path.name)
        # Parts of one block of noise share memory, which safetensors refuses.
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)
    content = {"metadata": {}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    config.write_text(json.dumps(facts(n_layers)))


def drop_cache(folder: Path) -> None:
    """Drop the checkpoint from the page cache."""
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_seconds(weights: Weights, n_layers: int) -> tuple[float, int]:
    """The seconds of one sequential read of all blocks, and their bytes."""
    room = memoryview(bytearray(16 << 20))
    entries = [e for name, e in weights.entries.items() if ".layers." in name]
    spans: dict[Path, list[int]] = {}
    for entry in entries:
        low, high = spans.get(entry.path, [entry.offset, 0])
        spans[entry.path] = [min(low, entry.offset), max(high, entry.offset + entry.n_bytes)]
    start = time.perf_counter()
    for path, (low, high) in spans.items():
        with path.open("rb", buffering=0) as file:
            file.seek(low)
            while low < high:
                low += file.readinto(room[: min(len(room), high - low)])
    return time.perf_counter() - start, sum(e.n_bytes for e in entries)


def synchronise(device: str) -> None:
    """Wait until a device is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def product_seconds(rows: Rows, wanted: np.ndarray, device: str) -> float:
    """The seconds of the products of one layer, over the tiles of a capture."""
    weights = [torch.randn(shape).to(device, torch.bfloat16) for shape in BLOCK.values()]
    shapes = [height * length for (height, length), _ in plan_tiles(rows, wanted, 131072, device)]
    x = {
        (n, width): torch.randn(n, width).to(device, torch.bfloat16)
        for n, width in product(set(shapes), {D, MLP})
    }
    synchronise(device)
    start = time.perf_counter()
    with torch.inference_mode():
        for n in shapes:
            for weight in weights:
                torch.nn.functional.linear(x[n, weight.shape[1]], weight)
    synchronise(device)
    return time.perf_counter() - start


def copy_seconds(n_bytes: int) -> float:
    """The seconds in which the card copies a number of bytes from pinned memory."""
    room = torch.empty(min(n_bytes, 1 << 30), dtype=torch.uint8, pin_memory=True)
    room.to("cuda")
    synchronise("cuda")
    start = time.perf_counter()
    room.to("cuda", non_blocking=True)
    synchronise("cuda")
    return (time.perf_counter() - start) * n_bytes / len(room)


def main() -> None:
    """Print one line of figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--rows", type=int, default=630)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--cold", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = arguments.folder / f"llama-{arguments.layers}"
    make(folder, arguments.layers)
    rows = headlines(arguments.rows, VOCAB)
    wanted = np.setdiff1d(np.arange(len(rows.ids)), rows.starts)
    first = 7 if arguments.layers > 7 else 0
    sites = [Site(layer, p) for layer in range(first, arguments.layers) for p in "AMR"]
    model = {"path": str(folder), "dtype": "bfloat16", "device": arguments.device}
    if arguments.cold:
        drop_cache(folder)
    weights = Weights(folder, architecture(model).family.prefix)
    read_s, n_bytes = read_seconds(weights, arguments.layers)
    copy_s = copy_seconds(n_bytes) if arguments.device == "cuda" else 0.0
    before = product_seconds(rows, wanted, arguments.device)
    if arguments.cold:
        drop_cache(folder)
    store = arguments.folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    start = time.perf_counter()
    capture_layers(model, rows, wanted, sites, store)
    capture_s = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    written = sum(path.stat().st_size for path in store.iterdir())
    shutil.rmtree(store)
    # Before and after: a busy machine changes its speed.
    after = product_seconds(rows, wanted, arguments.device)
    product_s = arguments.layers * (before + after) / 2
    print(
        f"{arguments.layers} layers, {len(rows.ids):,} tokens, {len(sites)} sites, "
        f"{'cold' if arguments.cold else 'warm'}: read {read_s:.1f} s ({n_bytes / 1e9:.1f} GB), "
        f"copy {copy_s:.1f} s, products {product_s:.1f} s, "
        f"capture {capture_s:.1f} s ({written / 1e9:.1f} GB written), ratio "
        f"{capture_s / max(read_s, copy_s, product_s):.2f}, peak {peak:.2f} GB"
    )


if __name__ == "__main__":
    main()
