"""Columns whose name means something else in another table: unit and words, table by table."""

from saegrid.sharing.columns import COUNT, ID, NAT, SHARE, TEXT, YES, P, Words, Z

NUMBER = "number"
EXAMPLES = {
    "position": Words(ID, "place of the token in its row of model input, from 0"),
    "word": Words(
        TEXT, "whole word around the token; a token without a letter or digit is its own"
    ),
    "activation": Words(Z, "activation of the feature on the token"),
    "token": Words(TEXT, "token as the tokenizer gives it"),
}
BLOCK = {"position": Words("text", "position of the cell in the block, such as R")}
INTERVAL = {
    "effect": Words("difference of shares", "rate of side a less rate of side b; of scores rho"),
    "low": Words("as effect", "lower end of the 95 % interval of effect"),
    "high": Words("as effect", "upper end of the 95 % interval of effect"),
    "statistic": Words(NUMBER, "statistic of the test"),
}
SIDES = {
    **INTERVAL,
    "n_a": Words(COUNT, "texts of side a; of scores all of them"),
    "n_b": Words(COUNT, "texts of side b; null of scores"),
    "fire_a": Words(COUNT, "texts of side a on which the feature fires"),
    "fire_b": Words(COUNT, "texts of side b on which the feature fires"),
    "p": Words(P, "p of firing alone, one feature by itself"),
    "p_firing": Words(P, "mid-p of Fisher's test, of pairs of McNemar's"),
    "p_rank": Words(P, "Mann-Whitney's p, of pairs that of Wilcoxon's signed ranks"),
    "statistic_magnitude": Words(NUMBER, "statistic of the test of activations"),
    "statistic_nuisances": Words(NUMBER, "statistic with nuisances of the texts held"),
    "statistic_word": Words(NUMBER, "statistic among texts of the same word"),
    "p_maxt_magnitude": Words(P, "p_maxt of the test of activations"),
    "p_maxt_nuisances": Words(P, "p_maxt with nuisances of the texts held"),
    "p_maxt_word": Words(P, "p_maxt among texts of the same word"),
}
THINGS = {
    **INTERVAL,
    "part": Words(TEXT, "part of the texts: discovery, confirmation or others"),
    "n_a": Words(COUNT, "texts of side a"),
    "n_b": Words(COUNT, "texts of side b"),
    "fire_a": Words(COUNT, "texts of side a that have the thing"),
    "fire_b": Words(COUNT, "texts of side b that have the thing"),
    "p_single": Words(P, "p of this test alone"),
}
FIGURES = {
    "part": Words(TEXT, "part of the texts: discovery, confirmation or others"),
    "without": Words(TEXT, "word that is left out; null: none"),
    "n_texts": Words(COUNT, "texts that have the thing"),
    "n_high": Words(COUNT, "of these, texts with a high label"),
    "share_high": Words(SHARE, "n_high / n_texts"),
    "share_low_end": Words(SHARE, "lower end of the exact 95 % interval of share_high"),
    "share_high_end": Words(SHARE, "upper end of the exact 95 % interval of share_high"),
    "cluster_low": Words(SHARE, "lower end of the cluster-bootstrap interval of share_high"),
    "cluster_high": Words(SHARE, "upper end of the cluster-bootstrap interval of share_high"),
    "base": Words(SHARE, "share of all texts of the part that have a high label"),
    "n_inside": Words(COUNT, "texts that have it and another text of the same original"),
    "inside": Words(
        "as the label", "mean difference of the label from the other texts of the same original"
    ),
    "inside_low": Words("as the label", "lower end of the cluster-bootstrap interval of inside"),
    "inside_high": Words("as the label", "upper end of the cluster-bootstrap interval of inside"),
}
CONCEPT = {
    "n_types": Words(COUNT, "different words of the corpus that belong to the concept"),
    "base": Words(SHARE, "share of the corpus' different words that belong to the concept"),
    "n_concept": Words(COUNT, "judged occurrences whose word belongs to the concept"),
    "n_concept_types": Words(COUNT, "different words among these"),
    "share": Words(SHARE, "n_concept / n_shown"),
    "share_low": Words(SHARE, "lower end of the exact 95 % interval of share"),
    "share_high": Words(SHARE, "upper end of the exact 95 % interval of share"),
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
}
PROBE = {
    "probe": Words(TEXT, "name of the probe in the config"),
    "k": Words(COUNT, "features that the classifier reads; null: all"),
    "score": Words(NUMBER, "mean score over the folds of discovery, in the probe's metric"),
    "low": Words("as score", "lower end of the 95 % interval of score"),
    "high": Words("as score", "upper end of the 95 % interval of score"),
    "gain": Words("as score", "score of the baseline with these beside it, less its own"),
    "gain_low": Words("as score", "lower end of the 95 % interval of gain"),
    "gain_high": Words("as score", "upper end of the 95 % interval of gain"),
    "chance": Words("as score", "mean score where labels were shuffled"),
    "n": Words(COUNT, "texts"),
    "ceiling": Words("as score", "best score that the noise of the labels allows; else null"),
    "n_clusters": Words(COUNT, "originals that these texts are of"),
}
FOLDS = {
    "probe": PROBE["probe"],
    "k": PROBE["k"],
    "part": Words(TEXT, "part of the texts that is predicted"),
    "fold": Words(ID, "fold of discovery; null where another part is predicted"),
    "n_train": Words(COUNT, "texts that were learned from"),
    "n_test": Words(COUNT, "texts that are predicted"),
    "score": Words(NUMBER, "score in the probe's metric"),
    "auprc": Words(SHARE, "area under the precision-recall curve; null of numbers"),
    "rmse": Words("as the label", "root of the mean squared error; null of classes"),
    "chosen": Words(TEXT, "features that were chosen, strongest first"),
}

RATES = {
    "n_fires": Words(COUNT, "labelled texts on which the feature fires"),
    "n_high_fires": Words(COUNT, "of these, texts with a high label"),
    "high_given_fires": Words(SHARE, "n_high_fires / n_fires"),
    "high_low": Words(SHARE, "lower end of the exact 95 % interval of high_given_fires"),
    "high_high": Words(SHARE, "upper end of the exact 95 % interval of high_given_fires"),
    "high_cluster_low": Words(SHARE, "lower end of its cluster-bootstrap interval"),
    "high_cluster_high": Words(SHARE, "upper end of its cluster-bootstrap interval"),
    "fires_given_high": Words(SHARE, "n_high_fires / texts with a high label"),
    "label_difference": Words(
        "as the label", "mean label where it fires less the mean label where it is silent"
    ),
    "density_reference": Words(SHARE, "density of the feature on the reference corpus"),
    "lift_reference": Words("ratio", "density_in_edit / density_reference"),
    "lift": Words("ratio", "rate_a / rate_b, with half a text added to each count"),
    "lift_low": Words("ratio", "lower end of the 95 % interval of lift"),
    "lift_high": Words("ratio", "upper end of the 95 % interval of lift"),
    "p_single": Words(P, "p of the one test"),
}
SUMMED = {
    **BLOCK,
    "n_tested": Words(COUNT, "features that were tested"),
    "n_discovered_cell": Words(COUNT, "features with a p_maxt_cell of at most alpha"),
    "n_discovered": Words(COUNT, "features that were discovered, over all cells"),
    "n_same_sign": Words(COUNT, "discoveries of the same direction in confirmation"),
    "n_confirmed": Words(COUNT, "discoveries that were confirmed"),
    "n_nuisances": Words(COUNT, "discoveries that hold with nuisances of the texts held"),
    "n_word": Words(COUNT, "discoveries that hold among texts of the same word"),
    "n_bh": Words(COUNT, "features by Benjamini and Hochberg's q"),
    "n_by": Words(COUNT, "features by Benjamini and Yekutieli's q"),
    "n_hierarchy": Words(COUNT, "features by q at the level of the hierarchy of cells"),
    "selected": Words(YES, "True of a cell that the hierarchy selects"),
    "p_simes": Words(P, "Simes' p of the cell, over its features"),
    "pi0": Words(SHARE, "estimated share of features without an effect"),
    "threshold_cell": Words(NUMBER, "largest statistic that chance gives at alpha in the cell"),
    "best_feature": Words(ID, "feature with the best AUROC"),
    "best_auroc": Words(NUMBER, "its AUROC"),
}

OWN: dict[str, dict[str, Words]] = {
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
        "kind": Words(TEXT, "kind of the example"),
        "activation": Words(Z, "activation of the feature in the text"),
        "label": Words(TEXT, "label of the text"),
    },
    "discoveries": {
        **RATES,
        **SIDES,
        **BLOCK,
        "words": Words(TEXT, "commonest words of the texts on which it fires most"),
        "sign": Words(NUMBER, "1: more in side a; -1: more in side b"),
    },
    "themes": {
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
        "statistic": Words(NUMBER, "statistic of the feature's test"),
        "label": Words(TEXT, "what the feature is about"),
        "kind": CONCEPT["kind"],
    },
    "items": {"group": Words(ID, "number of the original that items have in common")},
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
        "n_learned": Words(COUNT, "tokens that the baseline was fitted to"),
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
    "summary": {
        "n_concepts": Words(COUNT, "concepts that the cell has a feature of meaning of"),
        "concepts": Words(TEXT, "concepts that the cell has a feature of meaning of"),
        **BLOCK,
        "n_tokens": Words(COUNT, "tokens that are not special"),
        "n_active": Words(COUNT, "features that are active on a counted token"),
        "dead_share": Words(SHARE, "features that are active on no counted token / all features"),
        "l0": Words(NUMBER, "mean number of active features a captured token"),
        "n_above_0.001": Words(COUNT, "active features of a density of at least 0.001"),
        "n_above_0.01": Words(COUNT, "active features of a density of at least 0.01"),
        "n_meaning": Words(COUNT, "features of meaning"),
        "n_form": Words(COUNT, "features of a form"),
    },
}
"""Columns by table: its path below the corpus and the cell, without the ending."""
BY_PART = ("p_single", "effect", "statistic", "score", "low", "high", "p")
"""Columns that have another beside them for a further part of the texts, as `low_confirm`."""
