"""Columns of the tables of names, labels, kin, clusters and published pages: unit and words, table
by table."""

from saegrid.command.sharing.columns import (
    COUNT,
    ID,
    NUMBER,
    SHARE,
    TEXT,
    YES,
    Words,
    Z,
    defined,
    ends,
    of,
)
from saegrid.meaning.clusters import tables

BALANCED = "balanced accuracy, 0.5 is chance"
INDEX = "index, 0 by chance, 1 the same"
KINDS = {
    "random": "with the silent contexts that were drawn at random alone",
    "meaning": "with the silent contexts near in meaning alone",
    "form": "with the silent contexts spelled alike alone",
    "strong": "with the strongest fifth of those on which the feature fires",
}
REASON = "why the {} is null, or how many contexts were not answered; else empty"

NAMED: dict[str, dict[str, Words]] = {
    "names": {
        **of(
            TEXT,
            name="name of the feature; null: none was found",
            namer="namer that gave it",
            why="why there is no name; else empty",
            why_detection=REASON.format("detection"),
            why_fuzzing=REASON.format("fuzzing"),
            why_null=REASON.format("score by another's name"),
        ),
        **of(
            BALANCED,
            detection="judging by the name on which marked words of held-out texts it fires",
            **ends("the exact 95 % interval of detection", "detection"),
            **{f"detection_{name}": f"detection {words}" for name, words in KINDS.items()},
            fuzzing="judging by the name whether the right word of a text is marked",
            **ends("the exact 95 % interval of fuzzing", "fuzzing"),
            null_detection="detection by the name of another feature of the cell",
            **{f"null_detection_{name}": f"the same {words}" for name, words in KINDS.items()},
            null_fuzzing="fuzzing by the name of another feature of the cell",
        ),
        **of(
            SHARE,
            detection_sensitivity="contexts on which it fires and that are judged so / all these",
            detection_specificity="silent contexts that are judged so / all silent ones",
        ),
        **of(
            COUNT,
            n_shown="contexts that the namer was shown",
            n_active="answered contexts on which it fires",
            n_random="answered silent contexts drawn at random",
            n_meaning="answered silent contexts near in meaning",
            n_form="answered silent contexts spelled alike",
            n_right="answered texts with the right word marked",
            n_wrong="answered texts with a wrong word marked",
        ),
        "donor": Words(ID, "feature whose name gives the scores that begin with null"),
    },
    "names_contexts": {
        **of(
            TEXT,
            use="use of the context: shown, detection or fuzzing",
            kind="kind: active, random, meaning, form, right or wrong",
            text="text around the word",
            word="word that is marked",
            why="why there is no verdict; else empty",
        ),
        "activation": Words(Z, "activation of the feature on the word; 0: it is silent"),
        **of(
            YES,
            truth="True if it fires on the marked word, or if the right word is marked",
            verdict="True if the name says so; null: not answered",
            null_verdict="True if the name of the donor says so; null: not answered",
        ),
        **of(
            "characters",
            start="first character of the marked word in the text, from 0",
            stop="character behind its last one",
        ),
    },
    "labels": of(TEXT, labeller="file of the labels, as the config names it", label="the label"),
    "labels_agreement": {
        **of(TEXT, labeller="file of the first labels", other="file of the second labels"),
        "n": Words(COUNT, "features that both labelled"),
        **of(
            SHARE,
            agree="equal labels / features that both labelled",
            **ends("its 95 % interval", "agree"),
            chance="equal labels that chance gives / features that both labelled",
        ),
        **of(
            "kappa, 0 is chance",
            kappa="Cohen's kappa, (agree - chance) / (1 - chance)",
            **ends("its 95 % interval", "kappa"),
        ),
    },
    "kin": {
        **of(
            TEXT,
            relation="decoder (cosine of decoder rows), tokens (phi of firing) or texts (Jaccard)",
            place="where the other stands: own cell, another SAE of the site, or another layer",
            words="commonest words of the top tokens of the other; null: none",
        ),
        "other": Words(ID, "the feature that it is kin of, in the column's cell"),
        "value": Words("cosine, phi or Jaccard", "the relation's number, 1 the same"),
        "n_both": Words(COUNT, "tokens, of texts texts, on which both fire; 0 of decoder"),
        "rank": Words(NUMBER, "place among the kin by this relation in this cell, from 0"),
    },
    "published": {
        **of(
            ID,
            label="label of the feature on the published page",
        ),
        **of(
            COUNT,
            n_shown="tokens that the page shows with an activation",
            n_found="of these, tokens that stand in the corpus",
            n_shared="of these, tokens among the strongest of the candidate",
            n_active_published="active tokens by the page",
            n_active="active tokens of the candidate",
        ),
        **of(
            Z,
            max_published="largest activation by the page",
            masked_sum="sum of the candidate's activations on counted tokens",
        ),
        **of(
            NUMBER,
            rank="place among the candidates, the best first, from 0",
            place="place of the candidate in its batch by masked_sum, from 0",
        ),
        **of(
            TEXT,
            verdict="same, near or none; or that the cell is made from the page",
            count="count that was published with it",
            words="words that were published with it",
            shown="words around the tokens that the page shows",
            ours="what we say of the candidate",
        ),
        "order_only": Words(YES, "True if the page's numbers only say the order"),
    },
}

INDEXED = {"ari": INDEX, "nmi": "information, 0 to 1", "purity": SHARE}
KEYS = defined(tables.DEFINITIONS, {"of": TEXT, "representation": TEXT, "variant": TEXT})
SCORED = {
    f"{name}_{end}": Words(unit, words.format(name))
    for name, unit in INDEXED.items()
    for end, words in {
        "low": "lower end of the 95 % interval of {} over draws of whole originals",
        "high": "upper end of the 95 % interval of {} over draws of whole originals",
        "chance": "mean of {} over shuffled labels",
        "chance_top": "95th percentile of {} over shuffled labels",
    }.items()
}
NUMBERS = defined(
    tables.DEFINITIONS,
    {"silhouette": "-1 to 1", "silhouette_null": "-1 to 1", "stability": INDEX},
)
STABLE = of(
    INDEX,
    stability="mean adjusted Rand index of the clusters of 80 % of the originals with those of all",
)
CLUSTER = {"cluster": Words(ID, "number of the cluster, from 0; -1 or null: none")}

CLUSTERED: dict[str, dict[str, Words]] = {
    "clusters/{site}/clusterings": {
        **KEYS,
        **NUMBERS,
        **STABLE,
        **SCORED,
        **defined(tables.DEFINITIONS, {
            **INDEXED, "n": COUNT, "n_none": COUNT, "k": COUNT, "by_rule": YES,
            "silhouette_p": "p value", "is_stable": YES, "ari_all": INDEX,
        }),
        **of(
            TEXT,
            weighting="weights of the columns",
            label="label that the clusters are held against; null: none",
        ),
        **of(
            COUNT,
            n_columns="columns that were clustered by",
            n_flagged="columns that were left out",
            n_components="principal components that distances are of",
        ),
        **of(
            INDEX,
            stability_low="5th percentile of stability",
            stability_null="stability of shuffled rows",
            ari_over_x="ari of codes less that of activations",
            **ends("its 95 % interval, on the same draws", "ari_over_x"),
        ),
        **of("p value", **{f"{name}_p": f"p of {name} over shuffled labels" for name in INDEXED}),
        "leader": Words(ID, "column that adds most to the distance between clusters"),
        "leader_share": Words(SHARE, "its share of the sum over columns of that distance"),
    },
    "clusters/{site}/ks": {
        **KEYS,
        **NUMBERS,
        **STABLE,
        "k": Words(COUNT, "clusters"),
        "chosen": Words(YES, "True of the number of clusters that the rule chose"),
    },
    "clusters/{site}/clusters": {
        **KEYS,
        **CLUSTER,
        **defined(tables.DEFINITIONS, {"specificity": "deviations", "typical": ID}),
        **of(COUNT, n="members", n_label="members with that label"),
        **of(
            TEXT,
            name="name of the cluster; null: none",
            why="why it has no name; else empty",
            texts="texts of the typical members",
            label="commonest label of its members",
        ),
        "columns": Words(ID, "columns that are most specific to it, the largest first"),
    },
    "clusters/{site}/members": {
        **KEYS,
        **CLUSTER,
        "member": Words(ID, "item, or feature, that was clustered"),
        "label": Words(TEXT, "its label"),
        **of(NUMBER, x="place on the first axis of the picture", y="place on the second axis"),
    },
    "clusters/{site}/flagged": {
        **KEYS,
        **defined(tables.DEFINITIONS, {
            "norm_share": SHARE, "largest": "deviations", "n_top": COUNT, "k": COUNT,
        }),
        "column": Words(ID, "column: feature of the SAE or channel of the site"),
        "reasons": Words(TEXT, "why it was flagged"),
        "density": Words(SHARE, "rows in which it is not 0 / all rows"),
    },
}  # fmt: skip
