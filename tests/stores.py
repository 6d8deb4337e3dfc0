"""Small stores for tests: a toy model with the toy tokenizer, texts, and what must come out."""

from pathlib import Path

import numpy as np
import torch

from saegrid.base.tensors import open_tensors, widen
from saegrid.models.load import load
from saegrid.store.fill import fill
from saegrid.store.settings import settings_of
from saegrid.text import tokenizer
from toys import save, toy_llama

TOKENIZER = Path(__file__).parents[1] / "resources/toy/model"
SITES = ["L0R", "L1A", "L1R"]
KNOWN = ["dog", "cat", "the", "a", "of", "run", "man", "mayor", "train", "rain", "city", "and"]


def words(n, seed=0, longest=40):
    """Texts of random words, of 1 to `longest` of them."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(KNOWN, rng.integers(1, longest + 1))) for _ in range(n)]


def make_model(folder, context=32, alter=None):
    """A toy checkpoint that fits the toy tokenizer, as settings."""
    encoder = tokenizer.load(TOKENIZER)
    loaded = toy_llama(vocab=encoder.tokenizer.get_vocab_size(), context=context)
    if alter:
        with torch.no_grad():
            alter(loaded.model)
    return {"path": str(save(loaded, folder)), "name": "toy"}


def write_texts(folder, *several, separator="\n---\n"):
    """Text files of lists of texts, as a source."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, listed in enumerate(several):
        path = folder / f"part-{number}.txt"
        path.write_text(separator.join(listed), encoding="utf-8")
        paths.append(str(path))
    return {"kind": "text", "files": {"train": paths}, "separator": separator}


def make(folder, model, source, sites=SITES, say=lambda line: None, **told):
    """A filled store, its manifest."""
    settings = settings_of({"shard_tokens": 300, **told})
    encoder = tokenizer.load(TOKENIZER)
    return fill(folder, model, encoder, source, settings, sites, "id", say=say)


def spec_of(model, source, **told):
    """The parsed spec of a filling that comes to the same as `make`."""
    return {
        "model": {"revision": None, "bos": "auto", **model},
        "tokenizer": str(TOKENIZER),
        "source": source,
        "settings": {"shard_tokens": 300, **told},
        "store": "id",
        "threads": 1,
    }


def contents(folder):
    """Bytes of all that a store holds, but for when it was last updated."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and path.name != ".lock":
            text = path.read_bytes()
            if path.name == "manifest.json":
                lines = [line for line in text.splitlines() if b"last_updated" not in line]
                assert len(lines) == len(text.splitlines()) - 1
                text = b"\n".join(lines)
            found[str(path.relative_to(folder))] = text
    return found


def column(folder, site, name="x"):
    """A column of all shards, one below the other; x as float32."""
    paths = sorted((Path(folder) / site).glob("*.safetensors"))
    parts = [open_tensors(path).arrays[name] for path in paths]
    return np.concatenate([widen(part) if name == "x" else part for part in parts])


def plain(model, texts, sites=SITES, length=32, normed=False):
    """x (token, channel) by site and text of the real tokens, each text in a pass of its own.

    Texts are cut into rows of `length` tokens with BOS. normed: the last hidden state instead.
    """
    encoder, loaded = tokenizer.load(TOKENIZER), load(model)
    (bos,) = (s.id for s in encoder.prefix)
    found = []
    for text in texts:
        ids = encoder.encode([text]).ids.tolist()
        rows = [ids[i : i + length - 1] for i in range(0, len(ids), length - 1)]
        found.append([_row(loaded, [bos, *row], sites, normed) for row in rows])
    return found


def _row(loaded, ids, sites, normed):
    """Token ids and x by site of a row without its BOS."""
    seen = {}
    handles = []
    for site in sites:
        block = loaded.blocks[int(site[1:-1])]
        module = block if site[-1] == "R" else block.self_attn.o_proj

        def keep(_, __, output, site=site):
            seen[site] = output if isinstance(output, torch.Tensor) else output[0]

        handles.append(module.register_forward_hook(keep))
    with torch.inference_mode():
        last = loaded.hidden(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    x = {site: value[0, 1:].numpy() for site, value in seen.items()}
    return ids[1:], {"last": last[0, 1:].numpy()} if normed else x
