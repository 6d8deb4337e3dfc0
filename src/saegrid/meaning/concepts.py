"""Judgement of what each feature of a cell is about, by the words on which it fires most strongly.

A feature is of meaning where a concept is enriched among its word types (`enrichment`), family-wise
or at a false discovery rate over the features of a cell (`discovery`), where enough of its
strongest occurrences (rows) have a word of the concept, of several families of words (`families`),
and where neither one token that stands in different words nor a form explains these rows as well.
Rows off the concept are counted and named. A feature is coherent where no concept is, and its words
are nearer to one another than chance has them (`coherence`) and are enough of the rows (`near`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.evidence.intervals import exact
from saegrid.meaning import discovery, enrichment, kinds
from saegrid.meaning.by_concept import best_features, combinations
from saegrid.meaning.families import Families, families, first_parts
from saegrid.meaning.near import Near, near, threshold
from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.meaning.rows import Rows, listed_words, sizes, spread, strongest_rows
from saegrid.meaning.tested import Rule, Tested, against_concepts, is_wide
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
        ("n_piece", pa.int32()),
        ("share", pa.float64()),
        ("share_low", pa.float64()),
        ("share_high", pa.float64()),
        ("base", pa.float64()),
        ("n_prefix", pa.int32()),
        ("k_prefix", pa.int32()),
        ("log10_p", pa.float64()),
        ("p_maxt", pa.float64()),
        ("q", pa.float64()),
        ("coherence", pa.float64()),
        ("p_coherence", pa.float64()),
        ("n_near", pa.int32()),
        ("n_near_types", pa.int32()),
        ("near_rest", pa.float64()),
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
rows have a word of it, n_concept_types different words, those of one family (fail and failure) as
one; n_piece of these rows are no evidence, as words off the concept begin with the same short piece
that is no word (`families`); share: n_concept of n_shown, with its exact interval; base: the share
of the corpus' types that belong to it.
n_prefix, k_prefix, log10_p: where p is smallest; p_maxt: family-wise over concepts and features of
the cell; q: false discovery rate in the cell. coherence, p_coherence: nearness of its words to one
another. n_near, n_near_types, near_rest: of its theme; 0 of features that are neither coherent nor
enriched for a wide concept. token, n_token, n_token_types: the commonest strongest token, and the
types in which it stands. letter to form: what the spelling of the words has in common.
entropy_shown, entropy_rows: of the categories of the shown rows and of all rows, in bits;
n_categories: those that cover four fifths of the shown rows. words, off_words: the commonest words
of the shown rows, and those off the concept.
"""


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
    chance = discovery.chance(ranked, words.member, law, dealt)
    rows = strongest_rows(fires, ranked.feature, words)
    by = kinds.spelled(of, words.type, words.names)
    forms = {
        **kinds.forms(rows.shown, rows.row, rows.n, of, by),
        **kinds.tokens_of(rows.shown, rows.row, rows.n, text, words.type, words.names),
    }
    p, q = enrichment.adjusted(best.log10_p, chance.smallest), discovery.rates(best.log10_p, chance)
    z, p_z = coherence or (np.full(rows.n, np.nan), np.full(rows.n, np.nan))
    type_, parts = words.type[rows.shown.occurrence], first_parts(rows.shown, of, text)
    family = families(rows.counts, by.beginning, words.names, rows.row, type_, parts)
    # Where one feature alone is as enriched, q = -log(1 - p) is above p.
    wide = (np.minimum(p, q)[:, is_wide(words, rule)] <= rule.alpha).any(axis=1)
    around = _around(rows, family, words, (p_z <= rule.alpha) | wide, rule)
    # Duck and chicken are near one another and no theme yet.
    themes = around.themes(rows.n_shown, rule.share, rule.types)
    of_space = None if coherence is None else themes
    tested = against_concepts(best, p, q, rows, words, family, of_space, rule)
    coherent = (p_z <= rule.alpha) & around.themes(rows.n_shown, rule.wide_share, rule.types)
    kind = _kinds(forms, tested, coherent, words, rule.alpha)
    columns = {
        "feature": ranked.feature,
        **sizes(fires, ranked.feature, words),
        **forms,
        **_of_best(best, tested, rows, words),
        "kind": kind,
        "label": _labels(kind, tested, forms, words),
        "coherence": z,
        "p_coherence": p_z,
        "n_near": around.n,
        "n_near_types": around.families,
        "near_rest": around.rest,
        **spread(fires, rows, ranked.feature, words),
        **listed_words(rows, of, words, tested.chosen),
    }
    return Judged(
        _table(columns, SCHEMA),
        combinations(ranked.feature, tested, rows, words, rule),
        best_features(ranked.feature, best, tested, rows, kind, words),
        chance.smallest,
    )


def _around(rows: Rows, family: Families, words: Vocabulary, asked: np.ndarray, rule: Rule) -> Near:
    """The near words of the features that are asked; of none without a word space."""
    if words.vectors is None:
        return near(rows, family, np.zeros((words.n, 1)), asked & False, 1.0, rule.share, 0)
    least = threshold(words.vectors, 0)
    return near(rows, family, words.vectors, asked, least, rule.share, rule.types)


def _kinds(
    forms: Mapping[str, Any],
    tested: Tested,
    coherent: np.ndarray,
    words: Vocabulary,
    alpha: float,
) -> np.ndarray:
    """(feature,) what each is of, the first that holds: one word with its compounds, one piece of
    several words, a form that explains as many rows as the concept does, a concept, coherent
    words."""
    at = np.arange(len(coherent))
    enough = forms["n_shown"] >= kinds.LEAST
    need = kinds.NEED_TOKEN * forms["n_shown"] - 1e-9
    on = np.where(tested.allowed[at, tested.chosen], tested.on[at, tested.chosen], 0)
    # A rate is weaker evidence than a family-wise p: an ending of as many rows, though of few
    # words, leaves it in doubt (sneezing, snoring, burping).
    ended = (forms["n_ending"] >= kinds.NEED_RIVAL * forms["n_shown"]) & (forms["n_ending"] >= on)
    on = np.where((tested.p[at, tested.chosen] > alpha) & ended, 0, on)
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
    kind: np.ndarray, tested: Tested, forms: Mapping[str, Any], words: Vocabulary
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


def _of_best(
    best: enrichment.Enriched, tested: Tested, rows: Rows, words: Vocabulary
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
        "n_piece": tested.lost[at, chosen],
        "share": n / np.maximum(rows.n_shown, 1),
        "share_low": low,
        "share_high": high,
        "base": (words.member.sum(axis=0) / max(words.n, 1))[chosen],
        "n_prefix": best.n[at, chosen],
        "k_prefix": best.k[at, chosen],
        "log10_p": best.log10_p[at, chosen],
        "p_maxt": tested.p[at, chosen],
        "q": tested.q[at, chosen],
    }


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
