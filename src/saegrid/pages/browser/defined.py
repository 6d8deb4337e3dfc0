"""The columns and numbers of the tests in plain words."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Defined(NamedTuple):
    """A column: a few words, the form of its number, what it is."""

    words: str
    form: str
    definition: str


SEARCH, ASIDE, LABEL, PLACES = (
    "In the search",
    "In texts kept aside",
    "The label where it fires",
    "Where it fires",
)
DISCOVERIES: dict[str, dict[str, Defined]] = {
    SEARCH: {
        "n_a": Defined("texts of the first side", "count", "texts (or pairs) of side a"),
        "n_b": Defined("texts of the second side", "count", "texts of side b; of scores none"),
        "fire_a": Defined("of these it fires in", "count", "texts of side a in which it fires"),
        "fire_b": Defined("of those it fires in", "count", "texts of side b in which it fires"),
        "rate_a": Defined("firing rate, first side", "share", "fire_a / n_a"),
        "rate_b": Defined("firing rate, second side", "share", "fire_b / n_b"),
        "effect": Defined(
            "effect", "effect", "rate_a - rate_b; of a graded label Spearman's rank correlation"
        ),
        "low": Defined(
            "95 % interval from", "effect", "lower end of the effect's interval: texts that "
            "belong together are drawn anew as one (cluster bootstrap)"),
        "high": Defined("to", "effect", "upper end of it"),
        "lift": Defined(
            "lift", "lift", "how many times as often it fires on side a: rate_a / rate_b, half a "
            "text added to each count"),
        "lift_low": Defined(
            "95 % interval from", "lift", "lower end of the lift's interval: texts that belong "
            "together are drawn anew as one (cluster bootstrap)"),
        "lift_high": Defined("to", "lift", "upper end of it"),
        "auroc": Defined(
            "AUROC", "auc", "chance that a text of side a has a larger activation than one of "
            "side b, ties counted half"),
        "statistic": Defined("test statistic", "number", "of firing alone; its sign is that of "
                             "the effect"),
        "p": Defined("p of this feature alone", "p", "by its own permutations' normal law; "
                     "corrected for nothing"),
        "q": Defined("q within its cell", "p", "Benjamini and Hochberg's, of p over the features "
                     "of the cell"),
        "p_maxt": Defined(
            "p over all cells", "p", "share of permutations in which the largest statistic of all "
            "features of all cells is as large: at or below alpha it is discovered"),
        "p_maxt_cell": Defined("p over its cell", "p", "the same over the features of its cell"),
        "p_maxt_magnitude": Defined(
            "p over all cells, by magnitude", "p", "p_maxt with ranks of activations in the place "
            "of firing"),
        "p_maxt_nuisances": Defined(
            "p over all cells, nuisances out", "p", "p_maxt after word frequency, length, place "
            "and the like are accounted for"),
        "p_maxt_word": Defined(
            "p over all cells, the word out", "p", "p_maxt after the mean label of the same "
            "word's other texts is accounted for"),
    },
    ASIDE: {
        "effect_confirm": Defined("effect", "effect", "the effect in the confirmation texts"),
        "low_confirm": Defined("95 % interval from", "effect", "lower end of its interval"),
        "high_confirm": Defined("to", "effect", "upper end of it"),
        "statistic_confirm": Defined(
            "test statistic", "number", "of firing alone; positive in the direction of the search"
        ),
        "p_single_confirm": Defined("p of this feature alone", "p", "by permutation, one-sided"),
        "p_confirm": Defined(
            "p over all discovered", "p", "share of permutations in which the largest statistic "
            "of all discovered features is as large: at or below alpha it is confirmed"),
        "effect_new_words": Defined(
            "effect where the word is new", "effect", "the effect in confirmation texts whose "
            "words the search had not seen"),
        "p_single_new_words": Defined("its p alone", "p", "by permutation, one-sided"),
        "p_new_words": Defined("its p over all discovered", "p", "as p_confirm"),
        "effect_test": Defined("effect in the test texts", "effect", "opened once"),
        "p_single_test": Defined("its p alone", "p", "by permutation, one-sided"),
        "p_test": Defined("its p over all discovered", "p", "as p_confirm"),
    },
    LABEL: {
        "n_fires": Defined("texts in which it fires", "count", "over all labelled texts"),
        "n_high_fires": Defined("of these with a high label", "count", "label at or above `high`"),
        "high_given_fires": Defined("share of them", "share", "n_high_fires / n_fires"),
        "high_low": Defined(
            "95 % interval from", "share", "exact (Clopper and Pearson), which takes texts for "
            "independent"),
        "high_high": Defined("to", "share", "upper end of it"),
        "high_cluster_low": Defined(
            "by groups of texts from", "share", "the same by cluster bootstrap; none where no such "
            "text has a high label"),
        "high_cluster_high": Defined("to", "share", "upper end of it"),
        "fires_given_high": Defined(
            "of texts with a high label it fires in", "share", "n_high_fires / texts with a high "
            "label"),
        "label_difference": Defined(
            "mean label where it fires, less elsewhere", "number", "mean where it fires less that "
            "where it does not"),
    },
    PLACES: {
        "density_in_edit": Defined("density in the edit", "density", "share of the edit's tokens "
                                   "on which it fires"),
        "density_context": Defined("density around it", "density", "share of other tokens"),
        "density_reference": Defined("density in ordinary text", "density", "share of the tokens "
                                     "of the reference corpus"),
        "lift_reference": Defined("times as dense as there", "lift", "density of this corpus / "
                                  "density_reference"),
    },
}  # fmt: skip
"""Columns of discoveries.parquet that an opened row shows."""
HEADS = {
    "contrast": "the question",
    "cell": "the SAE: layer, position, size",
    "layer": "layer of the model",
    "position": "R residual stream, A attention output, M MLP output, N neurons",
    "sae": "size or name of the SAE",
    "feature": "number of the feature in its SAE",
    "sign": "1 where it leans to the first side, -1 where to the second",
    "confirmed": "discovered, and p_confirm at or below alpha",
    "words": "the commonest words of the texts in which it fires, with their counts",
}
"""Other columns of it."""
CELLS: dict[str, Defined] = {
    "n_tested": Defined("tested", "count", "features with enough active texts"),
    "n_discovered_cell": Defined("alone", "count", "discovered if this were the only cell"),
    "n_discovered": Defined("discovered", "count", "p_maxt at or below alpha, over all cells"),
    "n_same_sign": Defined("same way", "count", "of these with the same sign in texts kept aside"),
    "n_confirmed": Defined("confirmed", "count", "of these with p_confirm at or below alpha"),
    "n_nuisances": Defined("nuisances out", "count", "discovered ones that stay so with nuisances "
                           "accounted for"),
    "n_word": Defined("word out", "count", "discovered ones that stay so where labels are "
                      "exchanged among the texts of one word alone"),
    "n_bh": Defined("BH", "count", "features at q by Benjamini and Hochberg in this cell"),
    "n_by": Defined("BY", "count", "the same by Benjamini and Yekutieli"),
    "selected": Defined("selected", "text", "the cell passes the first step of the hierarchy"),
    "n_hierarchy": Defined("hierarchy", "count", "features that pass its second step"),
    "p_simes": Defined("Simes p", "p", "p of the cell as a whole"),
    "pi0": Defined("π₀", "share", "estimated share of features with nothing to find"),
    "threshold_cell": Defined("threshold", "number", "statistic that a discovery of this cell "
                              "alone must reach"),
    "best_feature": Defined("best", "feature", "the feature with the largest AUROC"),
    "best_auroc": Defined("its AUROC", "auc", "chance that a text of the first side has a larger "
                          "activation than one of the second"),
    "shuffled_discovered": Defined("shuffled: discovered", "mean", "mean over the shuffles"),
    "shuffled_confirmed": Defined("shuffled: confirmed", "mean", "mean over the shuffles"),
}  # fmt: skip
"""Columns of tests.parquet."""


def beyond(names: Iterable[str]) -> dict[str, Defined]:
    """The columns of further corpora."""
    columns = {}
    for name in names:
        columns[f"effect_{name}"] = Defined(f"effect in {name}", "effect", f"the effect in {name}")
        columns[f"p_single_{name}"] = Defined("its p alone", "p", "by permutation, one-sided")
        columns[f"p_{name}"] = Defined("its p over all discovered", "p", "as p_confirm")
    return columns


def groups(columns: Iterable[str], further: Iterable[str]) -> list[tuple[str, dict[str, Defined]]]:
    """The groups of an opened row, of the columns of a table. further: names of corpora beyond."""
    present = set(columns)
    every: Mapping[str, Any] = {
        name: of | (beyond(further) if name == ASIDE else {}) for name, of in DISCOVERIES.items()
    }
    kept = {
        name: {column: one for column, one in of.items() if column in present}
        for name, of in every.items()
    }
    return [(name, of) for name, of in kept.items() if of]
