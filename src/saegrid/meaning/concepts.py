"""Judgement of what each feature of a cell is about, by the words on which it fires most strongly.

A feature is of meaning where a concept is enriched among its word types (`enrichment`) at a family-
wise level over all features and concepts, where enough of its strongest occurrences (rows) have a
word of the concept, of several types, and where neither one token that stands in different words
nor a form explains these rows as well. Rows off the concept are counted and named.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.evidence.intervals import exact
from saegrid.meaning import enrichment, kinds
from saegrid.meaning.enrichment import packed
from saegrid.meaning.occurrences import SHOWN, Fired, Occurrences
from saegrid.meaning.vocabulary import Vocabulary

SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("n_rows", pa.int32()),
        ("n_types", pa.int32()),
        ("n_shown", pa.int32()),
        ("kind", pa.string()),
        ("label", pa.string()),
        ("concept", pa.string()),
        ("lexicon", pa.string()),
        ("n_concept", pa.int32()),
        ("n_concept_types", pa.int32()),
        ("share", pa.float64()),
        ("share_low", pa.float64()),
        ("share_high", pa.float64()),
        ("base", pa.float64()),
        ("n_prefix", pa.int32()),
        ("k_prefix", pa.int32()),
        ("log10_p", pa.float64()),
        ("p_maxt", pa.float64()),
        ("coherence", pa.float64()),
        ("p_coherence", pa.float64()),
        ("token", pa.string()),
        ("n_token", pa.int32()),
        ("n_token_types", pa.int32()),
        ("letter", pa.string()),
        ("n_letter", pa.int32()),
        ("ending", pa.string()),
        ("n_ending", pa.int32()),
        ("n_start", pa.int32()),
        ("n_stop", pa.int32()),
        ("word", pa.string()),
        ("n_word", pa.int32()),
        ("form", pa.string()),
        ("entropy_shown", pa.float64()),
        ("entropy_rows", pa.float64()),
        ("n_categories", pa.int32()),
        ("words", pa.string()),
        ("off_words", pa.string()),
    ]
)
"""Columns of concepts.parquet, one row a feature with enough occurrences.

n_rows, n_types: occurrences and word types on which it fires. n_shown: rows that are judged, the
strongest ones. kind: meaning, coherent, word, token, letter, ending, position or none. label: the
title of the concept, the form, the word or the piece; null of none and coherent. concept, lexicon:
the concept with the smallest p of those that the rule allows, else of all. n_concept of n_shown
rows have a word of it, n_concept_types distinct types, those of one family (the first four letters
of the lemma: fail and failure) as one; share with its exact interval; base: the
share of the corpus' types that belong to it. n_prefix, k_prefix, log10_p: where p is smallest;
p_maxt: family-wise over concepts and features of the cell. coherence, p_coherence: see `coherence`.
token, n_token, n_token_types: the commonest strongest token, and the types in which it stands.
letter to form: see `kinds.forms`. entropy_shown, entropy_rows: of the categories of the shown rows
and of all rows, in bits; n_categories: those that cover four fifths of the shown rows. words,
off_words: the commonest words of the shown rows, and those off the concept.
"""
COMBINED = pa.schema(
    [
        ("feature", pa.int32()),
        ("concept_a", pa.string()),
        ("n_a", pa.int32()),
        ("p_maxt_a", pa.float64()),
        ("concept_b", pa.string()),
        ("n_b", pa.int32()),
        ("p_maxt_b", pa.float64()),
        ("n_both", pa.int32()),
        ("n_neither", pa.int32()),
        ("n_shown", pa.int32()),
    ]
)
"""Columns of combinations.parquet: two concepts that are enriched in one feature and cover
different rows of it."""
BEST = pa.schema(
    [
        ("concept", pa.string()),
        ("lexicon", pa.string()),
        ("title", pa.string()),
        ("n_types", pa.int32()),
        ("base", pa.float64()),
        ("feature", pa.int32()),
        ("log10_p", pa.float64()),
        ("p_maxt", pa.float64()),
        ("n_concept", pa.int32()),
        ("n_concept_types", pa.int32()),
        ("n_shown", pa.int32()),
        ("share", pa.float64()),
        ("share_low", pa.float64()),
        ("share_high", pa.float64()),
        ("kind", pa.string()),
        ("n_meaning", pa.int32()),
    ]
)
"""Columns of concept_best.parquet, one row a concept: the feature of the cell that shows it best,
and n_meaning, the features of meaning that are of it."""
LISTED = 6
"""Words that are listed of a feature."""
COVERED = 0.8
"""Share of the rows that `n_categories` cover."""


class Rule(NamedTuple):
    """The rule by which a feature is one of meaning."""

    alpha: float = 0.05
    """Family-wise level of enrichment and of coherence."""
    share: float = 0.5
    """Share of the rows that must have a word of the concept."""
    types: int = 3
    """Distinct word types among these, those of one family as one; of coherent words too."""
    wide_share: float = 0.65
    """Share of wide concepts, which many words belong to loosely."""
    wide: Sequence[str] = ()
    """Names of the wide concepts."""
    combined: float = 0.25
    """Share of the rows of each concept of a combination."""


class Judged(NamedTuple):
    """The tables of a cell."""

    concepts: pa.Table
    combinations: pa.Table
    best: pa.Table
    smallest: np.ndarray
    """(permutation,) float64 smallest log10 p over features and concepts under dealt lexicons."""

    def chance(self) -> pa.Table:
        """concept_chance.parquet: the smallest log10 p of each dealt lexicon. The same lexicons are
        dealt in every cell, so that the smallest over cells is that of the grid."""
        return pa.table({"log10_p": pa.array(self.smallest, pa.float64())})


def judge(
    fires: Fired,
    of: Occurrences,
    words: Vocabulary,
    text: Sequence[str],
    dealt: np.ndarray,
    rule: Rule,
    coherence: tuple[np.ndarray, np.ndarray] | None = None,
) -> Judged:
    """The judgement of the features of a cell.

    fires: activations of the features with enough occurrences. text: (token,) of the corpus. dealt:
    see `enrichment.deals`. coherence: z and family-wise p of each feature, by ascending id; None
    where no word space is asked.
    """
    words = words.with_a_concept()
    ranked = enrichment.ranked(fires.feature, words.type[fires.occurrence], fires.value)
    law = enrichment.tails(words.n, words.member.sum(axis=0))
    best = enrichment.enrichment(ranked, words.member, law)
    smallest = enrichment.null(ranked, words.member, law, dealt)
    rows = _rows(fires, ranked.feature, words)
    by = kinds.spelled(of, words.type, words.names)
    forms = {
        **kinds.forms(rows.shown, rows.row, rows.n, of, by),
        **kinds.tokens_of(rows.shown, rows.row, rows.n, text, words.type, words.names),
    }
    p = enrichment.adjusted(best.log10_p, smallest)
    tested = _tested(best, p, rows, words, by.beginning, rule)
    z, p_z = coherence or (np.full(rows.n, np.nan), np.full(rows.n, np.nan))
    # Duck and chicken are near one another and no theme yet.
    several = rows.families(by.beginning) >= rule.types
    coherent = (p_z <= rule.alpha) & several & _of_words(rows, words, rule)
    kind = _kinds(forms, tested, coherent, words)
    columns = {
        "feature": ranked.feature,
        **_sizes(fires, ranked.feature, words),
        **forms,
        **_of_best(best, tested, rows, words),
        "kind": kind,
        "label": _labels(kind, tested, forms, words),
        "coherence": z,
        "p_coherence": p_z,
        **_spread(fires, rows, ranked.feature, words),
        **_listed(rows, of, words, tested.chosen),
    }
    return Judged(
        _table(columns, SCHEMA),
        _combinations(ranked.feature, tested, rows, words, rule),
        _best(ranked.feature, best, tested, rows, kind, words),
        smallest,
    )


class _Rows(NamedTuple):
    """The strongest occurrences of features."""

    shown: Fired
    row: np.ndarray
    """(entry,) the feature's place among those judged."""
    n: int
    """Number of features."""
    counts: sparse.csr_matrix
    """(feature, type) int64 rows of each type."""

    @property
    def n_shown(self) -> np.ndarray:
        """(feature,) number of rows."""
        return np.bincount(self.row, minlength=self.n)

    def on(self, member: np.ndarray) -> np.ndarray:
        """(feature, concept) rows whose word is of each concept."""
        return _bytes(self.counts @ packed(member), member.shape[1])

    def families(self, family: np.ndarray) -> np.ndarray:
        """(feature,) distinct families among the rows. family: (type,)."""
        return self.families_on(np.ones((len(family), 1), bool), family)[:, 0]

    def families_on(self, member: np.ndarray, family: np.ndarray) -> np.ndarray:
        """(feature, concept) distinct families of each concept among the rows. family: (type,)."""
        owner = np.repeat(np.arange(self.n), np.diff(self.counts.indptr))
        key = owner * (family.max(initial=0) + 2) + family[self.counts.indices] + 1
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        if not len(first):
            return np.zeros((self.n, member.shape[1]), np.int64)
        on = np.logical_or.reduceat(member[self.counts.indices[order]], first, axis=0)
        of = sparse.csr_matrix(
            (np.ones(len(first), np.int64), (owner[order][first], np.arange(len(first)))),
            shape=(self.n, len(first)),
        )
        return _bytes(of @ packed(on), member.shape[1])


def _bytes(sums: np.ndarray, n: int) -> np.ndarray:
    return np.ascontiguousarray(sums).view(np.uint8)[:, :n].astype(np.int64)


def _rows(fires: Fired, feature: np.ndarray, words: Vocabulary) -> _Rows:
    shown = fires.first(SHOWN)
    row = np.searchsorted(feature, shown.feature)
    ones = np.ones(len(row), np.int64)
    shape = (len(feature), words.n)
    counts = sparse.csr_matrix((ones, (row, words.type[shown.occurrence])), shape=shape)
    return _Rows(shown, row, len(feature), counts)


class _Tested(NamedTuple):
    """Features against concepts, (feature, concept) each."""

    p: np.ndarray
    """Family-wise p."""
    on: np.ndarray
    """Rows of the concept."""
    types: np.ndarray
    """Distinct word types among these, those of one family as one: fail and failure."""
    allowed: np.ndarray
    """bool: enriched, and with rows and types enough."""
    chosen: np.ndarray
    """(feature,) the concept that stands for it: of those allowed, else of all, the one with the
    smallest p; of equal ones that with more rows, then the first."""


def _tested(
    best: enrichment.Enriched,
    p: np.ndarray,
    rows: _Rows,
    words: Vocabulary,
    family: np.ndarray,
    rule: Rule,
) -> _Tested:
    on, types = rows.on(words.member), rows.families_on(words.member, family)
    wide = np.array([concept.name in set(rule.wide) for concept in words.concepts], bool)
    need = np.where(wide, rule.wide_share, rule.share)
    share = on / np.maximum(rows.n_shown, 1)[:, None]
    allowed = (p <= rule.alpha) & (share >= need - 1e-12) & (types >= rule.types)
    # lexsort over the concepts of each feature, as one key: allowed, p, rows.
    order = np.lexsort((-on, np.round(best.log10_p, 9), ~allowed), axis=1)
    return _Tested(p, on, types, allowed, order[:, 0])


def _of_words(rows: _Rows, words: Vocabulary, rule: Rule) -> np.ndarray:
    """(feature,) bool: at least `rule.share` of the rows have a word with a letter or digit. A word
    space knows no marks, so that coherence alone says nothing of a feature of full stops."""
    spelled = np.array([any(map(str.isalnum, name)) for name in words.names], np.int64)
    return rows.counts @ spelled >= rule.share * rows.n_shown - 1e-9


def _kinds(
    forms: Mapping[str, Any], tested: _Tested, coherent: np.ndarray, words: Vocabulary
) -> np.ndarray:
    """(feature,) what each is of, the first that holds: one word with its compounds, one piece of
    several words, a form that explains as many rows as the concept does, a concept, coherent
    words."""
    at = np.arange(len(coherent))
    enough = forms["n_shown"] >= kinds.LEAST
    need = kinds.NEED_TOKEN * forms["n_shown"] - 1e-9
    on = np.where(tested.allowed[at, tested.chosen], tested.on[at, tested.chosen], 0)
    is_piece = enough & (forms["n_token"] >= need) & (forms["n_token_types"] > 1)
    # A piece that is itself a word of the concept says what its compounds are: cake of cupcakes.
    own = forms["token_type"]
    is_piece &= ~((own >= 0) & words.member[own, tested.chosen] & (on >= need))
    is_word = enough & (forms["n_word"] >= need) | (is_piece & forms["is_word"])
    is_form = np.array([kind is not None for kind in forms["form_kind"]], bool)
    bears = np.select(
        [forms["form_kind"] == "ending", forms["form_kind"] == "letter"],
        [forms["n_ending"], forms["n_letter"]],
        np.maximum(forms["n_start"], forms["n_stop"]),
    )
    rival = forms["rival"] & (forms["n_ending"] >= on) & (on > 0)
    spelled = coherent & forms["spelled"]
    return np.select(
        [is_word, is_piece, is_form & (bears >= on), rival, on > 0, spelled, coherent],
        ["word", "token", forms["form_kind"], "ending", "meaning", "ending", "coherent"],
        "none",
    ).astype(object)


def _labels(
    kind: np.ndarray, tested: _Tested, forms: Mapping[str, Any], words: Vocabulary
) -> list[str | None]:
    label = {
        "meaning": lambda row: words.concepts[tested.chosen[row]].title,
        "word": lambda row: f'the word "{_word(forms, row)}"',
        "token": lambda row: f'the piece "{forms["token"][row]}"',
        "ending": lambda row: forms["ending_form"][row],
        **dict.fromkeys(("letter", "position"), lambda row: forms["form"][row]),
    }
    return [label[of](row) if of in label else None for row, of in enumerate(kind)]


def _word(forms: Mapping[str, Any], row: int) -> str:
    """The commonest word of a feature, or the piece that is itself a word and in more rows."""
    is_piece = forms["is_word"][row] and forms["n_token"][row] > forms["n_word"][row]
    return forms["token" if is_piece else "word"][row]


def _sizes(fires: Fired, feature: np.ndarray, words: Vocabulary) -> dict[str, np.ndarray]:
    """Occurrences and word types of each feature."""
    row = np.searchsorted(feature, fires.feature)
    pairs = kinds.distinct(row * words.n + words.type[fires.occurrence])
    return {
        "n_rows": np.bincount(row, minlength=len(feature)),
        "n_types": np.bincount(pairs // max(words.n, 1), minlength=len(feature)),
    }


def _of_best(
    best: enrichment.Enriched, tested: _Tested, rows: _Rows, words: Vocabulary
) -> dict[str, Any]:
    """The columns of the concept that stands for each feature."""
    at, chosen = np.arange(rows.n), tested.chosen
    n = tested.on[at, chosen]
    low, high = exact(n, rows.n_shown)
    return {
        "concept": np.array([c.name or None for c in words.concepts], object)[chosen],
        "lexicon": np.array([c.lexicon or None for c in words.concepts], object)[chosen],
        "n_concept": n,
        "n_concept_types": tested.types[at, chosen],
        "share": n / np.maximum(rows.n_shown, 1),
        "share_low": low,
        "share_high": high,
        "base": (words.member.sum(axis=0) / max(words.n, 1))[chosen],
        "n_prefix": best.n[at, chosen],
        "k_prefix": best.k[at, chosen],
        "log10_p": best.log10_p[at, chosen],
        "p_maxt": tested.p[at, chosen],
    }


def _spread(
    fires: Fired, rows: _Rows, feature: np.ndarray, words: Vocabulary
) -> dict[str, np.ndarray]:
    """Entropies of categories, of the shown rows and of all, and how many cover most of them."""
    width = int(words.category.max(initial=-1)) + 2  # the last one is that of words without any
    category = words.category % width

    def table(row: np.ndarray, occurrence: np.ndarray) -> np.ndarray:
        key = row * width + category[words.type[occurrence]]
        return np.bincount(key, minlength=rows.n * width).reshape(rows.n, width)

    shown = table(rows.row, rows.shown.occurrence)
    every = table(np.searchsorted(feature, fires.feature), fires.occurrence)
    covered = np.cumsum(-np.sort(-shown, axis=1), axis=1)
    need = COVERED * rows.n_shown[:, None] - 1e-9
    return {
        "entropy_shown": entropy(shown),
        "entropy_rows": entropy(every),
        "n_categories": (covered < need).sum(axis=1) + 1,
    }


def entropy(counts: np.ndarray) -> np.ndarray:
    """(row,) entropy in bits of counts (row, category)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return 0.0 - (share * np.log2(np.where(share > 0, share, 1))).sum(axis=1)


def _listed(
    rows: _Rows, of: Occurrences, words: Vocabulary, chosen: np.ndarray
) -> dict[str, list[str]]:
    """The commonest words of the shown rows, and of those off the concept."""
    used, place = np.unique(rows.shown.occurrence, return_inverse=True)
    folded = [of.word[at].casefold() for at in used]
    names = sorted(set(folded) - {""})
    number = {name: code for code, name in enumerate(names)} | {"": -1}
    code = np.array([number[word] for word in folded], np.int64)[place]
    is_on = words.member[words.type[rows.shown.occurrence], chosen[rows.row]]
    said = code >= 0
    return {
        "words": commonest_words(rows.row[said], code[said], rows.n, names),
        "off_words": commonest_words(rows.row[said & ~is_on], code[said & ~is_on], rows.n, names),
    }


def commonest_words(row: np.ndarray, code: np.ndarray, n: int, names: Sequence[str]) -> list[str]:
    """The commonest words of each of n rows, each with its number where that is not one.

    row, code: (entry,); names: words by code, in order of the alphabet, by which ties go.
    """
    width = max(len(names), 1)
    key, count = np.unique(row * width + code, return_counts=True)
    order = np.lexsort((key, -count, key // width))
    key, count = key[order], count[order]
    owner = key // width
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    some = place < LISTED
    lists: list[list[str]] = [[] for _ in range(n)]
    for at, one, times in zip(owner[some], key[some] % width, count[some], strict=True):
        lists[at].append(names[one] if times == 1 else f"{names[one]} {times}")
    return [", ".join(words) for words in lists]


def _combinations(
    feature: np.ndarray, tested: _Tested, rows: _Rows, words: Vocabulary, rule: Rule
) -> pa.Table:
    """Pairs of concepts of a feature that both are enriched and cover different rows."""
    share = tested.on / np.maximum(rows.n_shown, 1)[:, None]
    able = (tested.p <= rule.alpha) & (share >= rule.combined) & (tested.types >= 2)
    lines = []
    for row in np.flatnonzero(able.sum(axis=1) > 1):
        concepts = np.flatnonzero(able[row])
        part = slice(*rows.counts.indptr[row : row + 2])
        member = words.member[rows.counts.indices[part]][:, concepts]
        counts = rows.counts.data[part]
        both = (member * counts[:, None]).T.astype(np.int64) @ member.astype(np.int64)
        for a, one in enumerate(concepts):
            for b in range(a + 1, len(concepts)):
                n_a, n_b, n = int(both[a, a]), int(both[b, b]), int(both[a, b])
                if 2 * n > min(n_a, n_b):
                    continue  # two names of the same words
                (first, n_first), (second, n_second) = sorted(
                    ((int(one), n_a), (int(concepts[b]), n_b)), key=lambda c: (-c[1], c[0])
                )
                lines.append(
                    {
                        "feature": int(feature[row]),
                        "concept_a": words.concepts[first].name,
                        "n_a": n_first,
                        "p_maxt_a": float(tested.p[row, first]),
                        "concept_b": words.concepts[second].name,
                        "n_b": n_second,
                        "p_maxt_b": float(tested.p[row, second]),
                        "n_both": n,
                        "n_neither": int(rows.n_shown[row]) - n_a - n_b + n,
                        "n_shown": int(rows.n_shown[row]),
                    }
                )
    return pa.Table.from_pylist(lines, COMBINED)


def _best(
    feature: np.ndarray,
    best: enrichment.Enriched,
    tested: _Tested,
    rows: _Rows,
    kind: np.ndarray,
    words: Vocabulary,
) -> pa.Table:
    """The feature that shows each concept best: of meaning and of this concept, then where it is
    allowed, then by the lower end of the share's interval, then by p."""
    if not len(feature) or not words.concepts[0].name:
        return BEST.empty_table()
    # All shares that there can be: the exact interval of each once.
    n = np.arange(SHOWN + 1)
    ends = exact(np.minimum(n[:, None], n[None, :]), np.broadcast_to(n, (SHOWN + 1, SHOWN + 1)))
    lines = []
    for number, concept in enumerate(words.concepts):
        low, high = (end[tested.on[:, number], rows.n_shown] for end in ends)
        own = (kind == "meaning") & (tested.chosen == number)
        allowed = tested.allowed[:, number]
        order = np.lexsort((feature, best.log10_p[:, number], -low, ~allowed, ~own))
        row = int(order[0])
        n_on, n_types = int(tested.on[row, number]), int(words.member[:, number].sum())
        lines.append(
            {
                "concept": concept.name,
                "lexicon": concept.lexicon,
                "title": concept.title,
                "n_types": n_types,
                "base": n_types / max(words.n, 1),
                "feature": int(feature[row]),
                "log10_p": float(best.log10_p[row, number]),
                "p_maxt": float(tested.p[row, number]),
                "n_concept": n_on,
                "n_concept_types": int(tested.types[row, number]),
                "n_shown": int(rows.n_shown[row]),
                "share": n_on / max(int(rows.n_shown[row]), 1),
                "share_low": float(low[row]),
                "share_high": float(high[row]),
                "kind": str(kind[row]),
                "n_meaning": int(own.sum()),
            }
        )
    return pa.Table.from_pylist(lines, BEST)


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """A table of a schema; NaN is null."""
    arrays = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, np.ndarray) and values.dtype != object:
            arrays.append(pa.array(values, from_pandas=True).cast(field.type))
        else:
            arrays.append(pa.array(list(values), field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
