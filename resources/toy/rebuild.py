"""Rebuild the embedded toy world from topics.yaml and grammar.yaml.

    python resources/toy/rebuild.py                   # headlines, tokenizer and model
    python resources/toy/rebuild.py headlines         # one part
    python resources/toy/rebuild.py --out build/toy  # elsewhere

The parts are deterministic: fixed seeds, a fixed thread count, no download. Headlines and
tokenizer come out byte for byte, the weights too on one machine type. A part reads what the parts
before it wrote to the same folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "src"))

from saegrid.text.corpora import generated  # noqa: E402

BOS, EOS, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"
SEEDS = {"headlines": 11, "tokenizer": 12, "model": 13, "train": 14, "heldout": 15, "embedding": 16}

# Headlines: rows a topic, rows without a topic, and how much funnier than 0.6 a topic is.
ROWS, OTHER_ROWS = 280, 160
FUNNIER = {
    "food": 0.8, "sex": 0.35, "clothing": 0.3, "body": 0.3, "animals": 0.3,
    "fantasy": 0.3, "music": 0.25, "jobs": 0.2, "other": -0.3,
}  # fmt: skip
GERUND_SHARE = 0.14
SPLITS = {"train": 0.75, "dev": 0.12, "test": 0.13}

VOCABULARY, TOKENIZER_TEXTS = 2100, 30_000  # leaves a tenth of the topic words in pieces
# Model: tokens a row, rows a step, steps; rate; the embedding's texts, window and spread.
ROW, BATCH, STEPS = 64, 64, 300
PEAK_RATE, WARM_UP, DECAY = 2e-3, 60, 0.05
FAST, SLOWNESS = 6, 0.1  # blocks whose attention learns at full rate; the others' share of it
EMBEDDING_TEXTS, WINDOW, EMBEDDING_SCALE = 60_000, 5, 0.3
SELF = 2.0  # how many times as large as the keys the queries start


# --------------------------------------------------------------------------- headlines
def build_headlines(out: Path) -> None:
    """Write headlines.csv: edited news headlines with five grades each, in Humicroedit's shape."""
    grammar = generated.load(HERE / "grammar.yaml")
    rng = random.Random(SEEDS["headlines"])
    edits = list(_edits(grammar, rng))
    rng.shuffle(edits)
    rows = list(_place(grammar, edits, rng))
    rows = _with_splits(rows, rng)
    with (out / "headlines.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "original", "edit", "grades", "meanGrade", "split"])
        for number, (original, edit, topic, split) in enumerate(rows):
            grades = _grades(topic, rng)
            mean = sum(map(int, grades)) / len(grades)
            writer.writerow([number + 1, original, edit, grades, mean, split])
    print(f"headlines: {len(rows)} rows on {len({row[0] for row in rows})} originals")


def _edits(grammar: generated.Grammar, rng: random.Random) -> Iterator[tuple[str, str, bool]]:
    """Yield (word, topic, is a gerund); a topic's words come in turn, so all come equally often."""
    for topic, nouns in grammar.tables["topic"].items():
        gerunds = grammar.tables["topic.ing"][topic]
        n_gerunds = round(ROWS * GERUND_SHARE)
        yield from ((gerunds[i % len(gerunds)], topic, True) for i in range(n_gerunds))
        words = rng.sample(nouns, len(nouns))
        for i in range(ROWS - n_gerunds):
            yield _vary(words[i % len(words)], rng), topic, False
    other = grammar.extra["other"]
    yield from ((other[i % len(other)], "other", False) for i in range(OTHER_ROWS))


def _vary(word: str, rng: random.Random) -> str:
    """Return the word, rarely capitalised or in the plural."""
    chance = rng.random()
    if chance < 0.015:
        return word.capitalize()
    return word + "s" if chance < 0.03 and word[-1] not in "sxhy" else word


def _place(
    grammar: generated.Grammar, edits: list[tuple[str, str, bool]], rng: random.Random
) -> Iterator[tuple[str, str, str]]:
    """Yield (original, edit, topic): an original takes one to three edits of unlike topics."""
    for gerund in (False, True):
        waiting = [edit for edit in edits if edit[2] is gerund]
        seen: set[str] = set()
        while waiting:
            sampled = generated.sample(grammar, "gerund" if gerund else "noun", rng)
            original = sampled[0].upper() + sampled[1:]
            if original in seen:
                continue
            seen.add(original)
            topics: set[str] = set()
            for _ in range(rng.choice((1, 2, 2, 3))):
                pick = next((e for e in waiting if e[1] not in topics), None)
                if pick:
                    waiting.remove(pick)
                    topics.add(pick[1])
                    yield original, pick[0], pick[1]


def _with_splits(
    rows: list[tuple[str, str, str]], rng: random.Random
) -> list[tuple[str, str, str, str]]:
    """Return the rows in a shuffled order of originals, an original wholly in one split."""
    originals = sorted({row[0] for row in rows})
    rng.shuffle(originals)
    names, shares = list(SPLITS), list(SPLITS.values())
    bounds = [sum(shares[: i + 1]) * len(originals) for i in range(len(shares))]
    split = {o: names[sum(i >= b for b in bounds[:-1])] for i, o in enumerate(originals)}
    order = {original: place for place, original in enumerate(originals)}
    return sorted(((*row, split[row[0]]) for row in rows), key=lambda row: order[row[0]])


def _grades(topic: str, rng: random.Random) -> str:
    """Return five digits 0..3, sorted descending, around the topic's funniness."""
    middle = 0.6 + FUNNIER[topic] + rng.gauss(0, 0.45)
    digits = [min(3, max(0, round(rng.gauss(middle, 0.8)))) for _ in range(5)]
    return "".join(map(str, sorted(digits, reverse=True)))


# --------------------------------------------------------------------------- tokenizer
def build_tokenizer(out: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json: byte-level BPE that prepends BOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    sampled = generated.texts(HERE / "grammar.yaml", TOKENIZER_TEXTS, SEEDS["tokenizer"])
    tokenizer.train_from_iterator(sampled, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    folder = out / "model"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 256,
    }
    _write_json(folder / "tokenizer_config.json", described)
    topics = yaml.safe_load((HERE / "topics.yaml").read_text(encoding="utf-8"))["topics"]
    words = [word for group in topics.values() for word in group]
    single = sum(len(tokenizer.encode(" " + w, add_special_tokens=False)) == 1 for w in words)
    print(f"tokenizer: {tokenizer.get_vocab_size()} tokens, {single} of {len(words)} topic words "
          "are one token")  # fmt: skip


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


# --------------------------------------------------------------------------- model
def build_model(out: Path, steps: int, threads: int) -> None:
    """Train the 32-layer language model on generated text and write its folder."""
    torch.set_num_threads(threads)
    torch.manual_seed(SEEDS["model"])
    tokenizer = Tokenizer.from_file(str(out / "model" / "tokenizer.json"))
    model = LlamaForCausalLM(_config(tokenizer))
    _initialise(model, _embedding(tokenizer, model.config.hidden_size))
    heldout = next(_batches(tokenizer, SEEDS["heldout"], 1, 256))
    before = _heldout_loss(model, heldout)
    started = time.monotonic()
    tokens = _train(model, _batches(tokenizer, SEEDS["train"], steps, BATCH), steps)
    after = _heldout_loss(model, heldout)
    figures = {
        "tokens": tokens,
        "steps": steps,
        "loss_before": round(before, 3),
        "loss_after": round(after, 3),
        "seconds": round(time.monotonic() - started),
    }
    # bfloat16 rounds the weights; what the study reads is the rounded model.
    model.to(torch.bfloat16).save_pretrained(out / "model")
    (out / "model" / "generation_config.json").unlink(missing_ok=True)
    print("model:", json.dumps(figures))


def _config(tokenizer: Tokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.token_to_id(BOS),
        eos_token_id=tokenizer.token_to_id(EOS),
        pad_token_id=tokenizer.token_to_id(PAD),
    )


def _initialise(model: LlamaForCausalLM, embedding: torch.Tensor) -> None:
    """Start from the words' company, with attention that looks for words like the present one.

    Embeddings that already hold who stands beside whom spare the small model the long search
    for the topics; queries that equal the keys let a word attend to itself and to its like.
    """
    width = model.config.hidden_size
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            spread = width**-0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                spread /= math.sqrt(2 * model.config.num_hidden_layers)  # 64 writes add up to one
            torch.nn.init.normal_(weight, std=spread)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(embedding)
        for layer in model.model.layers:
            keys = layer.self_attn.k_proj.weight.unflatten(0, (-1, layer.self_attn.head_dim))
            groups = layer.self_attn.num_key_value_groups
            layer.self_attn.q_proj.weight.copy_(
                SELF * keys.repeat_interleave(groups, 0).flatten(0, 1)
            )


def _embedding(tokenizer: Tokenizer, width: int) -> torch.Tensor:
    """Return (vocabulary, width): the leading eigenvectors of the tokens' positive PMI."""
    size = tokenizer.get_vocab_size()
    pairs: list[tuple[int, int]] = []
    for text in generated.texts(HERE / "grammar.yaml", EMBEDDING_TEXTS, SEEDS["embedding"]):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        for i, token in enumerate(ids):
            pairs += [(token, other) for other in ids[i + 1 : i + 1 + WINDOW]]
    flat = torch.tensor([a * size + b for a, b in pairs])
    counts = torch.bincount(flat, minlength=size * size).reshape(size, size).double()
    counts += counts.T.clone()
    share = counts.sum(1) + 20.0  # so that a rare token has no strong company
    ppmi = (counts * share.sum() / (share[:, None] * share)).clamp_min(1.0).log()
    values, vectors = torch.linalg.eigh(ppmi)
    scaled = vectors[:, -width:] * values[-width:].clamp_min(0).sqrt()
    # A turn spreads every direction over all coordinates; the noise parts unseen tokens.
    noise = torch.Generator().manual_seed(SEEDS["embedding"])
    turn = torch.linalg.qr(torch.randn(width, width, generator=noise, dtype=torch.float64))[0]
    length = scaled.norm(dim=1, keepdim=True)
    rows = (scaled / length.clamp_min(0.2 * length.mean())) @ turn
    rows += 0.01 * torch.randn(rows.shape, generator=noise, dtype=torch.float64)
    return (EMBEDDING_SCALE * math.sqrt(width) * rows).float()


def _batches(tokenizer: Tokenizer, seed: int, n: int, size: int) -> Iterator[torch.Tensor]:
    """Yield `n` batches (size, ROW) of fresh text: a row is BOS and texts that end in EOS."""
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    sampled = generated.texts(HERE / "grammar.yaml", sys.maxsize, seed)
    for _ in range(n):
        rows = []
        for _ in range(size):
            row = [bos]
            while len(row) < ROW:
                row += [*tokenizer.encode(next(sampled), add_special_tokens=False).ids, eos]
            rows.append(row[:ROW])
        yield torch.tensor(rows)


def _train(model: LlamaForCausalLM, batches: Iterator[torch.Tensor], steps: int) -> int:
    """Train on the batches and return the number of tokens seen."""
    optimizer = torch.optim.AdamW(_groups(model), betas=(0.9, 0.98))
    tokens, started = 0, time.monotonic()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(step, steps)
        loss = _loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += batch.numel()
        if step % 25 == 0 or step == steps - 1:
            seconds = time.monotonic() - started
            print(f"  step {step} loss {loss.item():.3f} {seconds:.0f} s", flush=True)
    return tokens


def _groups(model: LlamaForCausalLM) -> list[dict[str, Any]]:
    """Return the optimizer's groups: the attention of the upper blocks learns slowly.

    At full rate it drifts to grammar alone, and its output forgets what the word is about.
    """
    slow = tuple(
        f"model.layers.{n}.self_attn." for n in range(FAST, model.config.num_hidden_layers)
    )
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        peak = PEAK_RATE * (SLOWNESS if name.startswith(slow) else 1.0)
        groups.setdefault((peak, DECAY if weight.dim() > 1 else 0.0), []).append(weight)
    return [{"params": w, "peak": p, "weight_decay": d} for (p, d), w in groups.items()]


def _schedule(step: int, steps: int) -> float:
    """Return the share of the peak rate: a linear warm-up, then a cosine down to a twentieth."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (steps - WARM_UP)))


def _loss(model: LlamaForCausalLM, batch: torch.Tensor) -> torch.Tensor:
    logits = model(batch, use_cache=False).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())


@torch.no_grad()
def _heldout_loss(model: LlamaForCausalLM, batch: torch.Tensor) -> float:
    return _loss(model, batch).item()


# --------------------------------------------------------------------------- command line
def main(argv: list[str] | None = None) -> None:
    """Rebuild the parts named on the command line, by default all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="default: all, in order")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write (default: here)")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps of the model")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the training")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.part or PARTS:
        PARTS[name](args)


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "headlines": lambda args: build_headlines(args.out),
    "tokenizer": lambda args: build_tokenizer(args.out),
    "model": lambda args: build_model(args.out, args.steps, args.threads),
}

if __name__ == "__main__":
    main()
