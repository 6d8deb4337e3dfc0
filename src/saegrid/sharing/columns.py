"""Columns that many tables have: unit and words, the same wherever the name stands."""

from typing import NamedTuple


class Words(NamedTuple):
    """A column in words."""

    unit: str
    words: str


ID, SHARE, N, Z, P, NAT, TEXT = (
    "id",
    "share, 0 to 1",
    "count",
    "units of z",
    "p value",
    "nats",
    "text",
)

COLUMNS: dict[str, Words] = {
    name: Words(unit, words)
    for unit, entries in {
        ID: {
            "item": "number of a text or pair in items.parquet; -1 on rows of originals",
            "id": "id of the text in its source",
            "group": "number of the original that pairs have in common",
            "row": "row of model input",
            "position": "place in the row of model input, from 0; of a cell its position in the "
            "block",
            "token_id": "id of the token in the tokenizer",
            "token_index": "row of tokens.parquet",
            "feature": "id of the feature in the SAE",
            "cell": "site and SAE, such as L15R-32x",
            "layer": "layer of the site, from 0",
            "sae": "name of the SAE in the config",
            "site": "layer and position, such as L15R",
            "corpus": "name of the corpus in the config",
            "split": "split of the text",
            "thing": "number of a theme or concept in the table beside",
            "theme": "number of the theme",
            "contrast": "question that texts are held against each other for",
            "seed": "seed of what is drawn",
        },
        TEXT: {
            "original": "text before the edit; null of plain text",
            "edited": "text after the edit, or the plain text",
            "edit": "words of the edit",
            "text": "text as it stands",
            "token": "token as the tokenizer gives it",
            "word": "whole word around the token; a token without a letter or digit is its own",
            "words": "commonest words",
            "side": "edited, original or plain; of logit effects top or bottom",
            "label": "label, as it stands where it is from",
            "concept": "name of a concept in a lexicon",
            "lexicon": "lexicon of the concept",
            "title": "concept as pages show it",
            "kind": "kind of the row; of features meaning, coherent, form or none",
            "name": "name that a namer gave the feature",
            "method": "method by which the row was computed",
            "definition": "formulas of the row's numbers",
            "reason": "why it is so",
            "frozen": "part of the SAE that was not trained; empty where all was",
            "representation": "numbers that a classifier or test reads",
            "convention": "tokens over which a text's vector is taken",
            "window_tokens": "tokens around the example",
        },
        SHARE: {
            "density": "counted tokens on which the feature is active / all tokens that count",
            "density_in_edit": "active masked tokens / masked tokens; null of plain text",
            "density_context": "active context tokens / captured context tokens",
            "share": "share, of what the notes of the table say",
            "share_low": "lower end of the 95 % interval of share",
            "share_high": "upper end of the 95 % interval of share",
            "base": "share of the corpus, what chance gives",
            "rate_a": "share of the texts of side a on which the feature fires",
            "rate_b": "share of the texts of side b on which the feature fires",
            "dead_rate": "features that never fire on the measured tokens / all features",
            "dead_share": "features that never fire / all features",
            "fvu": "fraction of variance unexplained",
        },
        N: {
            "n": "number of what the row is computed from",
            "n_active": "counted tokens on which the feature is active; of a cell its features "
            "that are active on any",
            "n_tokens": "tokens",
            "n_masked": "tokens on which features are counted",
            "n_context": "captured context tokens",
            "n_captured": "captured tokens",
            "n_texts": "texts",
            "n_features": "features",
            "n_judged": "features with words enough to be judged",
            "n_meaning": "features that are about a concept",
            "n_coherent": "features of words near one another without a concept",
            "n_form": "features of one word, one piece or one spelling",
            "n_concepts": "concepts that features are of",
            "n_shown": "examples that are judged",
            "n_a": "texts of side a",
            "n_b": "texts of side b",
            "fire_a": "texts of side a on which the feature fires",
            "fire_b": "texts of side b on which the feature fires",
            "n_types": "different words",
            "d_sae": "features of the SAE, active or not",
            "d_model": "channels of the site",
            "k": "units that are used",
        },
        Z: {
            "activation": "activation of the feature on the token",
            "max_activation": "largest activation on a counted token",
            "mean_activation": "mean activation over active counted tokens",
            "window_activations": "activations on the window; null where a token was not captured",
        },
        P: {
            "p": "p value of the one test",
            "p_maxt": "family-wise p value, by the largest statistic over all that was tested",
            "p_maxt_cell": "the same over the features of the cell",
            "p_confirm": "p value on the split that confirms",
            "p_grid": "family-wise p value over all cells",
            "q": "share of false discoveries that are accepted with this one",
        },
        "number": {
            "rank": "place in the order of the table, from 0",
            "example_rank": "place among the examples of the feature, from 0",
            "center": "place of the token in its window, from 0",
            "effect": "size of the effect; of logit effects the change of the token's logit a unit "
            "of the direction",
            "statistic": "test statistic",
            "auroc": "area under the ROC curve; 0.5 is chance",
            "low": "lower end of the 95 % interval",
            "high": "upper end of the 95 % interval",
            "l0": "mean number of active features a token",
            "mse": "mean squared error of the reconstruction",
            "r2": "share of variance explained, 1 - FVU",
            "cosine": "cosine of two directions",
            "log10_p": "decimal logarithm of a p value",
            "value": "value, of what the notes of the table say",
        },
        "yes or no": {
            "kept": "True if the filter of the config keeps the text",
            "special": "True of BOS, EOS, padding and the like",
            "in_edit": "True on tokens of the edit",
            "discovered": "True if the feature was discovered",
            "confirmed": "True if it was confirmed on other texts",
        },
        NAT: {"surprisal": "sum of -ln p of the tokens under the model"},
    }.items()
    for name, words in entries.items()
}
"""Unit and words by the name of the column."""
