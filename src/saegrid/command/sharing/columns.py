"""Columns that many tables have: unit and words, the same wherever the name stands.

A name that means something else in another table stands in `own`, table by table.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """A column in words."""

    unit: str
    words: str


ID, SHARE, COUNT, Z, P, NAT, TEXT, YES = (
    "id",
    "share, 0 to 1",
    "count",
    "units of z",
    "p value",
    "nats",
    "text",
    "yes or no",
)
NUMBER = "number"
BLOCK = {"position": Words(TEXT, "position of the cell in the block, such as R")}
"""Column of tables of cells, whose name is a place in a row elsewhere."""


def of(unit: str, /, **words: str) -> dict[str, Words]:
    """Columns of one unit, by name."""
    return {name: Words(unit, text) for name, text in words.items()}


def ends(interval: str, name: str = "") -> dict[str, str]:
    """Words of the two ends of an interval, by `low` and `high`, or `NAME_low` and `NAME_high`."""
    begin = f"{name}_" if name else ""
    return {f"{begin}low": f"lower end of {interval}", f"{begin}high": f"upper end of {interval}"}


def defined(texts: Mapping[str, str], units: Mapping[str, str]) -> dict[str, Words]:
    """Columns in the words of the module that makes their table, by name. units: by name."""
    return {name: Words(unit, texts[name]) for name, unit in units.items()}


COLUMNS: dict[str, Words] = {
    name: Words(unit, words)
    for unit, entries in {
        ID: {
            "item": "number of a text or pair in items.parquet; -1 on rows of originals",
            "id": "id of the text in its source",
            "row": "row of model input",
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
            "contrast": "code of the question that texts are held against each other for, such as "
            "k2; the codes are said under Contrasts",
            "seed": "seed of what is drawn",
        },
        TEXT: {
            "original": "text before the edit; null of plain text",
            "edited": "text after the edit, or the plain text",
            "edit": "words of the edit",
            "concept": "name of a concept in a lexicon",
            "lexicon": "lexicon of the concept",
            "title": "concept as pages show it",
            "method": "method by which the row was computed",
            "file": "file of the source",
            "raw": "row of the source as it stands",
            "frozen": "part of the SAE that was not trained; empty where all was",
            "representation": "numbers that a classifier or test reads",
            "convention": "tokens over which a text's vector is taken",
            "window_tokens": "tokens around the example",
        },
        SHARE: {
            "density_in_edit": "counted tokens of edits on which the feature is active / all "
            "of them; null of plain text",
            "density_context": "active context tokens / captured context tokens",
            "rate_a": "share of the texts of side a on which the feature fires",
            "rate_b": "share of the texts of side b on which the feature fires",
            "dead_rate": "features that never fire on the measured tokens / all features",
            "max_density": "largest density of a feature",
            "median_density": "median density of the active features",
            "max_share": "largest share of counted tokens on which a feature is active",
            "median_share": "median of these shares over active features",
            "hold_out": "share of the texts that were kept for measuring",
            "ce_recovered": "(ce_zero - ce_spliced) / (ce_zero - ce_original)",
            "word_share": "words on the topic / all words",
            "text_share": "texts with a word on the topic / all texts",
            "fvu": "fraction of variance unexplained",
            "q": "false discovery rate that is accepted with this feature and all of smaller p "
            "(Benjamini and Hochberg, within the cell)",
        },
        COUNT: {
            "n_masked": "tokens on which features are counted",
            "n_context": "captured context tokens",
            "n_captured": "captured tokens",
            "n_judged": "features with words enough to be judged",
            "n_coherent": "features of words near one another without a concept",
            "n_shown": "examples that are judged",
            "line": "line of the file, from 1",
            "edit_start": "first token of the edit in the row",
            "edit_stop": "token behind the last one of the edit",
            "width": "units of the baseline",
            "n_words": "words",
            "d_sae": "features of the SAE, active or not",
            "d_model": "channels of the site",
        },
        Z: {
            "max_activation": "largest activation on a counted token",
            "mean_activation": "mean activation over active counted tokens",
            "window_activations": "activations on the window; null where a token was not captured",
        },
        P: {
            "p_maxt": "family-wise p value, by the largest statistic over all that was tested",
            "p_maxt_cell": "the same over the features of the cell",
            "p_confirm": "p value on the split that confirms",
            "p_grid": "family-wise p value over all cells",
        },
        "number": {
            "example_rank": "place among the examples of the feature, from 0",
            "center": "place of the token in its window, from 0",
            "auroc": "area under the ROC curve; 0.5 is chance",
            "mse": "mean squared error of the reconstruction",
            "r2": "share of variance explained, 1 - FVU",
            "cosine": "cosine of two directions",
            "l0_context": "mean number of active features a context token",
            "l0_masked": "mean number of active features a masked token",
            "order_seed": "seed of the order of the texts",
            "dimension": "channel, from 0",
            "lr": "learning rate",
            "loss": "loss of the batch, in the recipe's units",
            "reconstruction": "part of the loss that is the error of the reconstruction",
            "sparsity": "part of the loss that is the penalty of sparsity",
            "auxiliary": "part of the loss that is for dead features",
            "gradient_norm": "norm of the gradient",
            "log10_p": "decimal logarithm of a p value",
        },
        YES: {
            "outlier": "True if the dimension stands out",
            "kept": "True if the filter of the config keeps the text",
            "special": "True of BOS, EOS, padding and the like",
            "in_edit": "True on tokens of the edit",
            "discovered": "True if the feature was discovered",
            "confirmed": "True if it was confirmed on other texts",
        },
        NAT: {
            "ce_original": "cross-entropy of the model as it is",
            "ce_spliced": "cross-entropy with the reconstruction in the site's place",
            "ce_zero": "cross-entropy with zeros in the site's place",
        },
    }.items()
    for name, words in entries.items()
}
"""Unit and words by the name of the column."""
