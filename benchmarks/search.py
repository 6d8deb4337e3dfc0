"""Hit rates of searches: does a feature of the word stand among the first that a search gives?

60 words of the lists that occur most in the captured texts of a study stand in two carriers each. A
hit is a feature among whose top tokens on the corpus the word is the whole word of one at least;
top-1 and any of top-5, over words and carriers. Prompts are ranked by activation, over the
feature's 99th percentile, and that times idf (what `saegrid search` does); alone, against the
carrier with two other words (mean and maximum of their scores taken off), and at the word's own
tokens. By word: F1 of firing in the stored codes, in sample. Ceiling: words with any such feature.
Below stand recalls of indices on tokens of the prompts, and seconds.

    python benchmarks/search.py --study stories --results results --cells L2R-8x L3R-8x L4R-8x
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch

import saegrid
from saegrid.base import io
from saegrid.base.paths import expand_all
from saegrid.base.words import Cell
from saegrid.interventions.search import index
from saegrid.interventions.search.by_word import by_word
from saegrid.interventions.search.encoded import Encoded, encoded
from saegrid.interventions.search.files import Cells, Place
from saegrid.interventions.search.known import LEAST
from saegrid.interventions.search.occurring import Text, occurring
from saegrid.interventions.search.prompts import Prompts, activations_of, read_prompts
from saegrid.interventions.search.ranking import Query
from saegrid.saes.reference import open_sae

CARRIERS = ("They read about the {} in the news.", "Everybody wants to see the {} again.")
CONTRASTS = ("thing", "place")
RANKED: dict[str, Callable[[Encoded], np.ndarray]] = {
    "activation": lambda one: one.z.astype(np.float64),
    "over own p99": lambda one: one.z / one.known.p99[one.place],
    "over own p99 x idf": lambda one: one.score,
}
"""Scores of activations by which features are ranked."""
Sets = dict[str, dict[int, set[str]]]
"""Words of features, by cell and feature."""


def main() -> None:
    """Print the tables."""
    options = arguments()
    torch.set_num_threads(1)
    cells = saegrid.open(options.study, options.results).searched(options.cells)
    cells = cells._replace(model=expand_all(cells.model))
    words = chosen(cells, options.lists, options.words)
    sets = {place.cell: word_sets(place) for place in cells.places}
    print(f"{len(words)} words: {', '.join(words)}")
    known = [any(word in s for cell in sets.values() for s in cell.values()) for word in words]
    print(f"words with any such feature: {np.mean(known):.2f}")
    start = time.process_time()
    rows = by_word([Query(word, by="word") for word in words], cells, 5).to_pylist()
    seconds = (time.process_time() - start) / len(words)
    hits = {word: [] for word in words}
    for row in rows:
        hits[row["text"]].append(row["text"] in sets[row["cell"]].get(row["feature"], ()))
    show("by word, F1 in stored codes", hits.values())
    print(f"{seconds:.3f} CPU s a word")
    prompts = read_prompts(
        [one.format(word) for one in CARRIERS for word in (*words, *CONTRASTS)], cells.model
    )
    sites = {place.cell: Cell.parse(place.cell).site for place in cells.places}
    start = time.process_time()
    x = activations_of(prompts, cells.model, sites.values())
    for least in (1, LEAST):
        several = list(encoded(cells, prompts, x, least=least))
        if least == 1:
            seconds = time.process_time() - start
            print(
                f"{seconds:.1f} CPU s, {len(set(prompts.prompt))} prompts at once, with the model"
            )
        print(f"features that fire on {least} tokens of the corpus or more")
        for name, rank in RANKED.items():
            for kind, hits in hit_lists(several, prompts, words, sets, rank):
                show(f"  {name}, {kind}", hits)
    held = prompts.prompt[prompts.wanted] % 2 == 1
    recalls(cells, x, held)


def chosen(cells: Cells, lists: str, n: int) -> list[str]:
    """The words of the lists that occur most on captured tokens."""
    topics = io.read_yaml(lists)["topics"]
    text = Text.of(io.read_table(cells.tokens))
    common = Counter(re.findall(r"\w+", text.whole.lower()))
    listed = {str(word) for several in topics.values() for word in several}
    words = [word for word, _ in common.most_common() if word in listed][: 3 * n]
    captured = cells.places[0].features().token
    seen = np.zeros(len(text.start), bool)
    seen[captured] = True
    counts = [len(np.unique(occurring(text, word).token[seen])) - 1 for word in words]
    order = np.argsort(-np.array(counts), kind="stable")[:n]
    return [words[at] for at in order]


def word_sets(place: Place) -> dict[int, set[str]]:
    """The whole words of the top tokens of each feature of a cell."""
    top = io.read_table(place.top, ["feature", "activation", "word"])
    top = top.filter(pc.greater(top["activation"], 0))
    sets: dict[int, set[str]] = {}
    words = pc.utf8_lower(top["word"].cast("string")).to_pylist()
    for feature, word in zip(top["feature"].to_pylist(), words, strict=True):
        sets.setdefault(feature, set()).add(word)
    return sets


def hit_lists(
    several: Sequence[Encoded],
    prompts: Prompts,
    words: Sequence[str],
    sets: Sets,
    rank: Callable[[Encoded], np.ndarray],
) -> Iterator[tuple[str, list[list[bool]]]]:
    """Hits of the five best features of each word and carrier, by kind of query."""
    n = len(words) + len(CONTRASTS)
    own = own_tokens(prompts, [*words, *CONTRASTS])
    best: dict[str, list[list[bool]]] = {
        "one prompt": [], "pair, mean": [], "pair, maximum": [], "own tokens": []
    }  # fmt: skip
    scores = [
        (largest(one, prompts.prompt, rank(one)), largest(one, own, rank(one))) for one in several
    ]
    for carrier in range(len(CARRIERS)):
        others = [carrier * n + len(words) + k for k in range(len(CONTRASTS))]
        for number, word in enumerate(words):
            at = carrier * n + number
            kinds: dict[str, list[np.ndarray]] = {kind: [] for kind in best}
            for whole, alone in scores:
                single = np.where(whole[at] > 0, whole[at], np.nan)
                kinds["one prompt"].append(single)
                kinds["pair, mean"].append(single - whole[others].mean(0))
                kinds["pair, maximum"].append(single - whole[others].max(0))
                kinds["own tokens"].append(np.where(alone[at] > 0, alone[at], np.nan))
            for kind, values in kinds.items():
                best[kind].append(hits_of(values, several, sets, word))
    yield from best.items()


def own_tokens(prompts: Prompts, words: Sequence[str]) -> np.ndarray:
    """(token,) the prompt of a token that is a part of its prompt's word, -1 of others."""
    out = np.full(len(prompts.prompt), -1)
    for number in np.unique(prompts.prompt):
        place = np.flatnonzero((prompts.prompt == number) & ~prompts.special)
        ends = np.cumsum([len(prompts.text[token]) for token in place])
        carrier = CARRIERS[number // len(words)]
        first = carrier.index("{}")
        last = first + len(words[number % len(words)])
        starts = np.concatenate([[0], ends[:-1]])
        out[place[(ends > first) & (starts < last)]] = number
    return out


def largest(one: Encoded, group: np.ndarray, score: np.ndarray) -> np.ndarray:
    """(prompt, feature) the largest score of each feature on the tokens of each prompt."""
    out = np.zeros((int(group.max()) + 1, len(one.features)))
    score = np.nan_to_num(score)
    kept = group[one.token] >= 0
    np.maximum.at(out, (group[one.token[kept]], one.place[kept]), score[kept])
    return out


def hits_of(
    values: Sequence[np.ndarray], several: Sequence[Encoded], sets: Sets, word: str
) -> list[bool]:
    """Hits of the five best features over all cells, the best first."""
    flat = np.concatenate(values)
    owner = np.repeat(np.arange(len(values)), [len(part) for part in values])
    ids = np.concatenate([one.features for one in several])
    order = np.argsort(-np.nan_to_num(flat, nan=-np.inf), kind="stable")[:5]
    return [word in sets[several[owner[at]].cell].get(int(ids[at]), ()) for at in order]


def show(name: str, hits: Iterable[Sequence[Any]]) -> None:
    """Print top-1 and any of top-5."""
    several = list(hits)
    first = np.mean([bool(one[:1]) and one[0] for one in several])
    print(f"{name:44} {first:.2f} / {np.mean([any(one) for one in several]):.2f}")


def recalls(cells: Cells, x: dict[Any, np.ndarray], held: np.ndarray) -> None:
    """Print the recall of an index of each cell: learned on half of the prompts, on the rest."""
    for place in cells.places:
        with open_sae(place.sae) as sae:
            tokens = x[Cell.parse(place.cell).site]
            start = time.process_time()
            one = index.measured(index.make(sae.encoder, tokens[~held]), sae.encoder, tokens[held])
            first, every = one.recall
            print(
                f"{place.cell} index of rank d/4, int8, {index.CANDIDATES} candidates of "
                f"{sae.encoder.d_sae:,}: {first:.3f} of the five largest, {every:.3f} of all "
                f"active; {time.process_time() - start:.1f} CPU s"
            )


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--study", default="stories")
    add("--results", default="results")
    add("--cells", nargs="+", default=["L2R-8x", "L3R-8x", "L4R-8x"])
    add("--words", type=int, default=60)
    add("--lists", default="resources/topics/english.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    main()
