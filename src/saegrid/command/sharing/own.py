"""Columns whose name means something else in another table: unit and words, table by table."""

from saegrid.command.sharing.columns import (
    BLOCK,
    COUNT,
    ID,
    NAT,
    NUMBER,
    SHARE,
    TEXT,
    YES,
    P,
    Words,
    Z,
    ends,
    of,
)
from saegrid.command.sharing.own_interventions import ATTRIBUTION, FILLING, HOOKS, SEARCH, STEERING
from saegrid.command.sharing.own_meaning import CLUSTERED, NAMED
from saegrid.command.sharing.own_readout import READOUT
from saegrid.command.sharing.own_survey import SURVEYED
from saegrid.command.sharing.own_tests import (
    FIGURES,
    FOLDS,
    FURTHER,
    PROBE,
    RATES,
    SIDES,
    SUMMED,
    THINGS,
)

EXAMPLES = {
    "position": Words(ID, "place of the token in its row of model input, from 0"),
    "word": Words(
        TEXT, "whole word around the token; a token without a letter or digit is its own"
    ),
    "activation": Words(Z, "activation of the feature on the token"),
    "token": Words(TEXT, "token as the tokenizer gives it"),
}
CONCEPT = {
    "n_types": Words(COUNT, "different words of the corpus that belong to the concept"),
    "base": Words(SHARE, "share of the corpus' different words that belong to the concept"),
    "n_concept": Words(COUNT, "judged occurrences whose word belongs to the concept"),
    "n_concept_types": Words(COUNT, "different words among these, of one first part as one"),
    "n_piece": Words(COUNT, "rows of the concept whose short piece stands in words off it too"),
    "share": Words(SHARE, "n_concept / n_shown"),
    **of(SHARE, **ends("the exact 95 % interval of share", "share")),
    "kind": Words(
        TEXT, "meaning, coherent, none, or a form: word, token, letter, ending, position"
    ),
    "n_meaning": Words(COUNT, "features of meaning that are of this concept"),
}
FORMS = {
    "n_word": Words(COUNT, "features of one word"),
    "n_token": Words(COUNT, "features of one token"),
    "n_letter": Words(COUNT, "features of one first letter"),
    "n_ending": Words(COUNT, "features of one ending"),
    "n_position": Words(COUNT, "features of one place in the text"),
    "n_none": Words(COUNT, "features of none of these"),
}
JUDGED = {
    "n_types": Words(COUNT, "different words on which the feature fires"),
    "n_rows": Words(COUNT, "occurrences on which the feature fires"),
    "label": Words(TEXT, "title of the concept, the form, the word or the piece; else null"),
    "base": CONCEPT["base"],
    "token": Words(TEXT, "commonest token among the strongest"),
    "word": Words(TEXT, "commonest word of the judged occurrences"),
    "words": Words(TEXT, "commonest words of the judged occurrences"),
    "off_words": Words(TEXT, "commonest of these words that are off the concept"),
    "n_word": Words(COUNT, "judged occurrences of that word"),
    "n_token": Words(COUNT, "judged occurrences of that token"),
    "letter": Words(TEXT, "commonest first letter"),
    "n_letter": Words(COUNT, "judged occurrences with it"),
    "ending": Words(TEXT, "commonest ending"),
    "n_ending": Words(COUNT, "judged occurrences with it"),
    "n_start": Words(COUNT, "judged occurrences at the beginning of a text"),
    "n_stop": Words(COUNT, "judged occurrences at the end of a text"),
    "n_prefix": Words(COUNT, "strongest occurrences up to which the concept is most enriched"),
    "k_prefix": Words(COUNT, "of these, occurrences whose word belongs to it"),
    "q": Words(SHARE, "features by chance / features of the cell that are as enriched"),
    "n_near": Words(COUNT, "judged occurrences of its theme: one word and those near to it"),
    "n_near_types": Words(COUNT, "different words of the theme, those of one first part as one"),
    "near_rest": Words(SHARE, "share of the theme without the commonest word"),
    "coherence": Words("deviations", "nearness of its words to one another, against chance"),
    "p_coherence": Words(P, "family-wise p of coherence over the features of the cell"),
    "n_token_types": Words(COUNT, "different words in which the commonest token stands"),
    "form": Words(TEXT, "form that most judged occurrences share: letter, ending or position"),
    "entropy_shown": Words("bits", "entropy of the categories of the judged occurrences"),
    "entropy_rows": Words("bits", "entropy of the categories of all occurrences"),
    "n_categories": Words(COUNT, "categories that cover four fifths of the judged occurrences"),
}


CELLS = {
    "n_concepts": Words(COUNT, "concepts that the cell has a feature of meaning of"),
    "concepts": Words(TEXT, "concepts that the cell has a feature of meaning of"),
    "best_features": Words(ID, "feature that shows each of these best"),
    **BLOCK,
    "n_tokens": Words(COUNT, "tokens that are not special"),
    "n_active": Words(COUNT, "features that are active on a counted token"),
    "dead_share": Words(SHARE, "features that are active on no counted token / all features"),
    "l0": Words(NUMBER, "mean number of active features a captured token"),
    "n_above_0.001": Words(COUNT, "active features of a density of at least 0.001"),
    "n_above_0.01": Words(COUNT, "active features of a density of at least 0.01"),
    "n_meaning": Words(COUNT, "features of meaning"),
    "n_form": Words(COUNT, "features of a form"),
}

OWN: dict[str, dict[str, Words]] = {
    **READOUT,
    **STEERING,
    **FILLING,
    **ATTRIBUTION,
    **HOOKS,
    **SEARCH,
    **NAMED,
    **CLUSTERED,
    **SURVEYED,
    **dict.fromkeys(("top_tokens", "examples", "near_misses"), EXAMPLES),
    **dict.fromkeys(("concept_tests", "theme_tests"), THINGS),
    **dict.fromkeys(("concept_figures", "theme_figures"), FIGURES),
    **dict.fromkeys(("probes/texts", "probes/sites/{site}"), PROBE),
    **dict.fromkeys(("probes/texts-folds", "probes/{probe}", "probes/sites/{site}-folds"), FOLDS),
    "probes_summary": PROBE,
    "concept_effects": {"n_types": CONCEPT["n_types"]},
    "concept_best": CONCEPT,
    "concept_map": {
        **CONCEPT,
        **BLOCK,
        "of_meaning": Words(YES, "it is of this concept, by p_grid"),
    },
    "concepts": {**CONCEPT, **JUDGED},
    "combinations": {
        "concept_a": Words(TEXT, "first concept"),
        "concept_b": Words(TEXT, "second concept"),
        "n_a": Words(COUNT, "judged occurrences of the first concept"),
        "n_b": Words(COUNT, "judged occurrences of the second concept"),
        "p_maxt_a": Words(P, "family-wise p of the first concept"),
        "p_maxt_b": Words(P, "family-wise p of the second concept"),
        "n_both": Words(COUNT, "judged occurrences of both"),
        "n_neither": Words(COUNT, "judged occurrences of neither"),
    },
    "concept_chance": {
        "log10_p": Words(NUMBER, "decimal logarithm of the smallest p of a dealt lexicon")
    },
    "kinds_by_cell": {
        **SURVEYED["kinds_by_cell"],
        **FORMS,
        **BLOCK,
        "n_meaning": Words(COUNT, "features of meaning"),
        "n_form": Words(COUNT, "features of a form: n_word to n_position together"),
        "n_concepts": Words(COUNT, "concepts that the cell has a feature of meaning of"),
    },
    "features": {
        "density": Words(SHARE, "counted tokens on which the feature is active / all tokens"),
        "n_active": Words(COUNT, "counted tokens on which the feature is active"),
        "rank": Words(NUMBER, "place by density in the table, from 0; ties by id"),
    },
    "logit_effects": {
        "side": Words(TEXT, "top: raised most; bottom: lowered most"),
        "rank": Words(NUMBER, "place among the tokens of the feature and side, from 0"),
        "effect": Words("logits", "change of the token's logit for a unit of the direction"),
        "token": EXAMPLES["token"],
    },
    "examples": {
        **EXAMPLES,
        "group": Words(TEXT, "how it was drawn: random, or q1 (weakest fifth) to q5 (strongest)"),
    },
    "{corpus}/cells/{cell}/tests": SIDES,
    "contrasts": SIDES,
    "tests": SUMMED,
    "evidence_examples": {
        "kind": Words(TEXT, "kind of the example: strongest, random or miss"),
        **of(
            TEXT,
            before="text before what was replaced; empty of plain text",
            original="words that were replaced; empty of plain text",
            edited="words in their place; of plain text all of it",
            after="text after these; empty of plain text",
        ),
        "activation": Words(Z, "activation of the feature in the text"),
        "label": Words("as the label", "number that the text has as its label; else null"),
    },
    "discoveries": {
        **RATES,
        **SIDES,
        **BLOCK,
        "words": Words(TEXT, "commonest words of the texts on which it fires most"),
        "sign": Words(NUMBER, "1: more in side a; -1: more in side b"),
    },
    "themes": {
        "theme": Words(ID, "number of the theme, from 0"),
        "sign": Words(NUMBER, "1: more in side a; -1: more in side b"),
        "first_layer": Words(ID, "first layer of these cells"),
        "last_layer": Words(ID, "last layer of these cells"),
        "lead_cell": Words(ID, "cell of the feature with the largest statistic"),
        "lead_feature": Words(ID, "the feature with the largest statistic"),
        "label": Words(TEXT, "commonest label of its features of meaning; else null"),
        "words": Words(TEXT, "commonest words of the texts on which it fires"),
        "n_features": Words(COUNT, "features of the theme"),
        "n_cells": Words(COUNT, "cells that these are of"),
        "n_texts": Words(COUNT, "texts of discovery on which it fires"),
    },
    "theme_features": {
        "theme": Words(ID, "number of the theme"),
        "sign": Words(NUMBER, "1: more in side a; -1: more in side b"),
        **BLOCK,
        "statistic": SIDES["statistic"],
        "label": Words(TEXT, "what the feature is about"),
        "kind": CONCEPT["kind"],
    },
    "items": {"group": Words(ID, "number of the original that items have in common")},
    "continuations": {"step": Words(NUMBER, "place among the tokens drawn for the item, from 0")},
    "tokens": {
        "position": EXAMPLES["position"],
        "text": Words(TEXT, "token as the tokenizer gives it"),
        "side": Words(TEXT, "text that the token is of: edited, original or plain"),
        "group": Words(ID, "number of the original that items have in common"),
    },
    "spans": {
        "side": Words(TEXT, "which text of the item: edited, original or plain"),
        "start": Words(NUMBER, "position of the text's first token in its row, from 0"),
        "stop": Words(NUMBER, "position behind its last token"),
    },
    "occurrences": {
        "word": Words(TEXT, "word as it stands in the text"),
        "type": Words(ID, "number of its row of vocabulary, from 0"),
        "start": Words(YES, "True of the first word of a text"),
        "stop": Words(YES, "True of the last word of a text"),
    },
    "vocabulary": {
        "type": Words(TEXT, "lemma of the word type"),
        "words": Words(TEXT, "words that are of the type"),
        "n": Words(COUNT, "occurrences of the type"),
        "concepts": Words(TEXT, "concepts that the type belongs to"),
    },
    "nuisances": {
        "side": Words(TEXT, "which text of the item: edited, original or plain"),
        "word": Words(TEXT, "last word of the edit, or of what it replaced; empty of plain text"),
        "frequency": Words(NUMBER, "frequency of that word; of plain text the mean over words"),
        "n_tokens": Words(COUNT, "tokens of the edit, or of what it replaced"),
        "position": Words(COUNT, "tokens of the text before it"),
        "length": Words(COUNT, "tokens of the text"),
        "capital": Words(YES, "True if the word begins with a capital"),
        "ending": Words(ID, "number of its ending in the list of endings; 0: none"),
        "surprisal": Words(NAT, "mean of -ln p over its tokens"),
    },
    "surprisal": {
        "surprisal": Words(NAT, "sum of -ln p over the tokens"),
        "mean": Words(NAT, "mean of -ln p over the tokens"),
        "first": Words(NAT, "-ln p of the first token"),
        "n_tokens": Words(COUNT, "tokens of the edit, or of what it replaced"),
        "side": Words(TEXT, "which text of the item: edited, original or plain"),
    },
    "baselines/{site}": {
        "k": Words(COUNT, "units that are used"),
        "l0": Words(NUMBER, "mean number of units that are used for a token"),
        "n": Words(COUNT, "held-out tokens that were measured"),
        "n_learned": Words(COUNT, "tokens that the baseline was fitted to"),
        "top_token_share": Words(SHARE, "commonest of the strongest tokens of a unit, mean"),
        "definition": Words(TEXT, "formulas of the row's numbers"),
    },
    "survey/base_rates": {
        "topic": Words(TEXT, "name of the topic"),
        "words": Words(COUNT, "words on the topic"),
        "texts": Words(COUNT, "texts with a word on the topic"),
        "n_texts": Words(COUNT, "texts"),
    },
    "set_aside": {"reason": Words(TEXT, "why the row of the source is no item")},
    "saes/{cell}/history": {
        "step": Words(COUNT, "batches so far"),
        "tokens": Words(COUNT, "tokens so far"),
        "dead_share": Words(SHARE, "features that no longer fire / all features"),
        "l0": Words(NUMBER, "mean number of active features a token"),
        "fvu": Words(SHARE, "fraction of variance unexplained"),
    },
    "summary": CELLS,
    "summary_by_corpus": {**CELLS, "role": Words(TEXT, "role of the corpus")},
}
"""Columns by table: its path below the corpus and the cell, without the ending."""
BY_PART = ("p_single", "effect", "statistic", "score", "low", "high", "p")
"""Columns that have another beside them for a further part of the texts, as `low_confirm`."""
OF_PARTS = {"discoveries": FURTHER}
"""The words of these columns in tables where they are others than those of the column itself."""
