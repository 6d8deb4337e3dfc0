"""Prompts and words of an experiment: disjoint texts for three purposes, own words, targets.

What a choice or a dose was made on is not what is reported: the texts of a corpus fall into three
parts by a hash of their group (an original and its edits stay together) and a seed.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED, PLAIN
from saegrid.codes.sparse import Features
from saegrid.features.windows import Corpus, words_at
from saegrid.interventions.errors import InterventionError
from saegrid.text.lexicons.wordnet import FUNCTION_WORDS
from saegrid.text.split import mix
from saegrid.text.tokenizer import Encoder

CHOOSE, DOSE, REPORT = PARTS = ("choose", "dose", "report")
"""Purposes: features are chosen on the first part, their doses on the second, and results are those
of the third."""
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
TOP = 20
"""Strongest activations that say what a feature's words are, and words of it at most."""


class Texts(NamedTuple):
    """Texts of a part as token ids, with BOS where the model has one, in the order of a hash."""

    rows: list[list[int]]
    numbers: list[int]
    """Rows of tokens.parquet."""

    def prompts(self, n: int, length: int) -> list[list[int]]:
        """The beginnings of the first n texts, `length` tokens each."""
        return [row[:length] for row in self.rows[:n]]


def split(tokens: pa.Table, seed: int, length: int, least: int) -> dict[str, Texts]:
    """The texts of a corpus by part, those of at least `length` tokens.

    InterventionError where a part has fewer than `least` of them.
    """
    row, group = tokens["row"].to_numpy(), tokens["group"].to_numpy()
    side = tokens["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
    ids = tokens["token_id"].to_numpy()
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    stops = np.append(starts[1:], len(row))
    # A row's first tokens may be of no group: its last one is of a text.
    ours = np.isin(side[stops - 1], [EDITED, PLAIN]) & (stops - starts >= length)
    keys = np.where(group[stops - 1] >= 0, group[stops - 1], row[starts]).astype(np.uint64)
    lot = mix(keys + mix(np.array([seed], np.uint64)))
    parts = {}
    for number, name in enumerate(PARTS):
        inside = np.flatnonzero(ours & (lot % np.uint64(3) == number))
        order = inside[np.lexsort((starts[inside], lot[inside]))]
        # One row a group, so that no two prompts begin alike.
        order = order[np.sort(np.unique(keys[order], return_index=True)[1])]
        if len(order) < least:
            raise InterventionError(
                f"analyses.steering: {least} texts of {length} tokens or more are needed to "
                f"{name}; the corpus has {len(order)}. Lower prompts, texts or length, or give a "
                "larger corpus."
            )
        rows = [ids[starts[at] : stops[at]].tolist() for at in order]
        parts[name] = Texts(rows, row[starts[order]].tolist())
    return parts


def is_content(word: str) -> bool:
    """Return True for a word of three letters or more that is none of grammar."""
    return len(word) > 2 and word.isalpha() and word.casefold() not in FUNCTION_WORDS


class Own(NamedTuple):
    """The words of a feature."""

    words: tuple[str, ...]
    """Distinct content words on whose tokens it is strongest, the strongest first, in small
    letters."""
    targets: tuple[int, ...]
    """Ids of the tokens that are these words, as they stand in the texts."""
    share: float
    """Fraction of its strongest activations that lie on a token that is a whole content word."""
    n_active: int
    """Tokens on which it fires."""
    largest: float
    """Its largest activation on a token that is not special."""


def own_words(features: Features, tokens: pa.Table, common: float) -> dict[int, Own]:
    """The words of each feature that fires on TOP tokens or more.

    tokens: tokens.parquet. common: words that are this share of all tokens or more are left out.
    """
    table = Corpus.of(tokens)
    ids, plain = tokens["token_id"].to_numpy(), ~table.special
    counts = np.bincount(ids[plain], minlength=int(ids.max(initial=0)) + 1)
    rare = counts < common * max(1, plain.sum())
    top: dict[int, np.ndarray] = {}
    facts: dict[int, tuple[int, float]] = {}
    for feature in np.flatnonzero(np.diff(features.indptr) >= TOP):
        token, value = features.of(int(feature))
        token, value = token[plain[token]], value[plain[token]]
        if len(token) >= TOP:
            top[int(feature)] = token[np.lexsort((token, -value))[:TOP]]
            facts[int(feature)] = len(token), float(value.max())
    wanted = np.unique(np.concatenate([*top.values(), np.empty(0, np.int64)])).astype(np.int64)
    words = dict(zip(wanted.tolist(), words_at(table, wanted).to_pylist(), strict=True))
    text = dict(zip(wanted.tolist(), table.text.take(pa.array(wanted)).to_pylist(), strict=True))
    result = {}
    for feature, best in top.items():
        at = [t for t in best.tolist() if text[t].strip() == words[t] and is_content(words[t])]
        kept = [t for t in at if rare[ids[t]]]
        names = dict.fromkeys(words[t].casefold() for t in kept)
        targets = dict.fromkeys(int(ids[t]) for t in kept)
        result[feature] = Own(tuple(names), tuple(targets), len(at) / TOP, *facts[feature])
    return result


def pool(own: dict[int, Own], share: float = 0.7, distinct: int = 2) -> list[int]:
    """The features whose strongest activations are whole content words, several of them."""
    return [f for f, o in own.items() if o.share >= share and len(o.words) >= distinct]


def hits(text: str, words: Collection[str]) -> list[tuple[int, int]]:
    """Places of the words of a set in a text, (start, stop) in characters."""
    return [m.span() for m in WORD.finditer(text) if m.group().casefold() in words]


def target(encoder: Encoder, word: str) -> int:
    """The id of a word that is one token; InterventionError for any other.

    The word is taken as it is written. Where the tokenizer puts a blank before a text itself, one
    that is written is a token of its own, and every word would have the same target.
    """
    ids = encoder.encode([word]).ids.tolist()
    if not ids or not word.strip():
        raise InterventionError(f"The target {word!r} has no letter. Give a word.")
    if len(ids) > 1 and not _text(encoder, ids[:1]).strip():
        raise InterventionError(
            f"The target {word!r} begins with a blank that is a token of its own; write "
            f"{word.strip()!r}, before which this tokenizer puts a blank itself."
        )
    if len(ids) > 1:
        parts = " ".join(repr(_text(encoder, [i])) for i in ids)
        raise InterventionError(
            f"The target {word!r} is {len(ids)} tokens ({parts}); a target must be one. Take "
            "another word, or one of these."
        )
    return int(ids[0])


def first_token(encoder: Encoder, word: str) -> int:
    """The first token of a word within a text: behind a blank, without a lone one."""
    word = word.strip()
    for spelling in (f" {word}", word):
        ids = encoder.encode([spelling]).ids.tolist()
        if ids and _text(encoder, ids[:1]).strip():
            return int(ids[0])
    raise InterventionError(f"The word {word!r} has no token with a letter. Give another word.")


def _text(encoder: Encoder, ids: Sequence[int]) -> str:
    """The text of some tokens; blanks at its ends may be lost."""
    return encoder.tokenizer.decode(list(ids), skip_special_tokens=False)
