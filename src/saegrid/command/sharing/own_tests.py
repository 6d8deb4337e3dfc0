"""Columns of the tables of contrasts, themes and classifiers: unit and words, table by table."""

from saegrid.command.sharing.columns import (
    BLOCK,
    COUNT,
    ID,
    NUMBER,
    SHARE,
    TEXT,
    YES,
    P,
    Words,
    ends,
    of,
)

INTERVAL = {
    "effect": Words("difference of shares", "rate of side a less rate of side b; of scores rho"),
    **of("as effect", **ends("the 95 % interval of effect")),
    "statistic": Words(
        NUMBER,
        "statistic of firing: of two classes (k2, a label of classes) the signed root of the "
        "deviance (G), of pairs (k1, k5, k6) the z of the difference of firing, of scores (k3, "
        "k3g, k4, a label of numbers) the z of their sum over the texts on which it fires; "
        "positive: more in side a",
    ),
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
    "q_by": Words(SHARE, "q by Benjamini and Yekutieli, under any dependence"),
    "p_confirm": Words(
        P, "family-wise p over all discovered features, one-sided, on the part that confirms"
    ),
    "effect_confirm": Words(
        "as effect", "effect on the part that confirms, side a less side b whatever was discovered"
    ),
}

FURTHER = {
    "p_single": Words(
        P, "one-sided p of this feature alone, by permutation, in the direction of its discovery"
    ),
    "effect": INTERVAL["effect"],
    "statistic": Words(
        NUMBER, "statistic of firing, positive in the direction of the discovery, else negative"
    ),
    "low": INTERVAL["low"],
    "high": INTERVAL["high"],
    "p": Words(P, "one-sided family-wise p over all discovered features"),
}
"""Columns of discoveries for further parts of the texts, as `p_single_confirm`."""

THINGS = {
    **INTERVAL,
    "statistic": Words(
        NUMBER,
        "statistic of the texts that have the thing, as that of firing in discoveries; on other "
        "parts than discovery positive in the direction of the discovery",
    ),
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
    **of(SHARE, **ends("the cluster-bootstrap interval of share_high", "cluster")),
    "base": Words(SHARE, "share of all texts of the part that have a high label"),
    "n_inside": Words(COUNT, "texts that have it and another text of the same original"),
    "inside": Words(
        "as the label", "mean difference of the label from the other texts of the same original"
    ),
    **of("as the label", **ends("the cluster-bootstrap interval of inside", "inside")),
}

PROBE = {
    "probe": Words(TEXT, "name of the probe in the config"),
    "k": Words(COUNT, "features that the classifier reads; null: all"),
    "score": Words(NUMBER, "mean score over the folds of discovery, in the probe's metric"),
    **of("as score", **ends("the 95 % interval of score")),
    "gain": Words("as score", "score of the baseline with these beside it, less its own"),
    **of("as score", **ends("the 95 % interval of gain", "gain")),
    "chance": Words("as score", "mean score where labels were shuffled"),
    "n": Words(COUNT, "texts"),
    "ceiling": Words("as score", "best score that the noise of the labels allows; else null"),
    "n_clusters": Words(COUNT, "originals that these texts are of"),
    "words": Words(TEXT, "the representation in words"),
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
    **of(SHARE, **ends("the exact 95 % interval of high_given_fires", "high")),
    **of(SHARE, **ends("its cluster-bootstrap interval", "high_cluster")),
    "fires_given_high": Words(SHARE, "n_high_fires / texts with a high label"),
    "label_difference": Words(
        "as the label", "mean label where it fires less the mean label where it is silent"
    ),
    "density_reference": Words(SHARE, "density of the feature on the reference corpus"),
    "lift_reference": Words("ratio", "density_in_edit / density_reference"),
    "lift": Words("ratio", "rate_a / rate_b, with half a text added to each count"),
    **of("ratio", **ends("the 95 % interval of lift", "lift")),
    "p_single": Words(P, "p of the one test"),
}

SUMMED = {
    **BLOCK,
    "n_tested": Words(COUNT, "features that were tested"),
    "n_discovered_cell": Words(COUNT, "features with a p_maxt_cell of at most alpha"),
    "n_discovered": Words(
        COUNT, "features of this cell that were discovered, by the threshold over all cells"
    ),
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
