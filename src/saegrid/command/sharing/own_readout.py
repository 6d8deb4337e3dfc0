"""Columns of the tables of a readout: unit and words, table by table."""

from saegrid.command.sharing.columns import COUNT, ID, NUMBER, SHARE, TEXT, YES, P, Words, ends, of

AUROC, BITS = "AUROC, 0.5 is chance", "bits"
INTERVAL = of(
    AUROC,
    **ends("the middle 95 % where word types are drawn again"),
)
FITTED = {
    "penalty": Words(NUMBER, "penalty on the weights, mean over the folds"),
    "note": Words(TEXT, "why there is no such probe, or what it cannot show; else empty"),
}

READOUT: dict[str, dict[str, Words]] = {
    "readout/texts": {
        **of(
            TEXT,
            text="text as pages show it",
            label="class of the text",
        ),
        **of(
            ID,
            type="number of its word type, which labels are exchanged by",
            fold="fold in which the text is predicted, from 0",
            token="rows of tokens.parquet that the text is read at",
        ),
        "y": Words("0 or 1", "1 of the second class, 0 of the first"),
        "n_tokens": Words(COUNT, "tokens of the text"),
    },
    "readout/probes/{site}": {
        **INTERVAL,
        **FITTED,
        **of(
            AUROC,
            auc="mean AUROC over the folds, of texts that the probe was not fitted on",
            chance="mean AUROC where labels are shuffled between word types",
            validation="AUROC inside the training folds, by which settings are chosen",
        ),
        **of(
            SHARE,
            accuracy="texts that were not fitted and are predicted right / all of these",
            fitted="fitted texts that are predicted right / all of these",
            explained="share of the deviance explained, of texts that were not fitted",
        ),
        **of(
            COUNT,
            k="units that the probe may read; null: as many as its penalty keeps",
            n_nonzero="units with a weight, mean over the folds",
            n_units="units that there are to choose from",
            n="texts",
            n_types="word types of these texts",
        ),
        "converged": Words(YES, "True if the steps of all fits were enough"),
    },
    "readout/selectivity/{site}": {
        **FITTED,
        "protocol": Words(TEXT, "control task: types (a random label a word type) or published"),
        **of(
            SHARE,
            task_train="accuracy of the probe on the texts that it was fitted on",
            task_test="accuracy of the probe on test texts",
            control_train="accuracy of a probe of control labels on its training texts",
            control_test="accuracy of a probe of control labels on test texts",
            recurring="test texts whose word type was fitted / all test texts; null where unknown",
            control_seen="accuracy of the control on these; null where there are none",
            converged="fits whose steps were enough / all fits",
        ),
        **of(
            "difference of shares",
            selectivity="task_test less control_test, mean over the controls",
            **ends("the middle 95 % of the controls' selectivities"),
            edges="edges of the bins of the histogram of selectivities",
        ),
        **of(
            COUNT,
            n_controls="control tasks that were drawn",
            counts="controls in each bin of the histogram of selectivities",
        ),
    },
    "readout/lengths/{site}": {
        **of(
            COUNT,
            n="texts whose labels are described",
            orders="orders of the texts that were tried",
            ends="texts up to the end of each block of the first order",
        ),
        **of(
            BITS,
            uniform="length of all labels where both classes are as likely, n log2 2",
            entropy="length of all labels by the shares of the classes",
            bits="length of all labels by the online code, mean over the orders",
            least="shortest length over the orders",
            most="longest length over the orders",
            surplus="length less n times that of a text in the last block: the cost of learning",
            shuffled="length where labels are shuffled between word types",
            blocks="length of the labels of each block of the first order",
        ),
        "compression": Words("ratio", "uniform / bits"),
        "saved": Words(SHARE, "1 - bits / entropy"),
    },
    "readout/preserved/{site}": {
        **INTERVAL,
        "part": Words(TEXT, "x, its reconstruction x_hat, codes, or the error x - x_hat"),
        **of(
            AUROC,
            auc="mean AUROC over the folds of a probe with an L2 penalty on this part",
            chance="the same with shuffled labels",
        ),
        **of(
            "difference of AUROC",
            difference="auc less that of x, on the same draws of word types",
            **ends("its 95 % interval", "difference"),
        ),
        **of(
            "difference of accuracies",
            s_model="selectivity of probes on x: task less control; null but on the row of x_hat",
            s_sae="selectivity of probes on x_hat; null on other rows",
            delta="s_model less s_sae; null on other rows",
            **ends("the 95 % interval of delta", "delta"),
        ),
    },
    "readout/gains/{site}": {
        **of(
            AUROC,
            **{
                "without": "AUROC of the best probe without an SAE, chosen fold by fold",
                "without_low": "lower end of its 95 % interval",
                "without_high": "upper end of its 95 % interval",
                "with": "AUROC of the best probe of all, those of this set among them",
                "with_low": "lower end of its 95 % interval",
                "with_high": "upper end of its 95 % interval",
            },
        ),
        **of(
            "difference of AUROC",
            gain="with less without, on the same draws of word types",
            **ends("its 95 % interval", "gain"),
        ),
        **of(
            COUNT,
            n_taken="folds in which a probe of this set was taken",
            n_folds="folds",
            n_without="probes without an SAE",
            n_with="probes of both",
        ),
        **of(
            TEXT,
            chosen_without="probe without an SAE that was taken, fold by fold",
            chosen_with="probe of all that was taken, fold by fold",
        ),
    },
    "readout/units/{site}": {
        **of(
            TEXT,
            test="test of a unit: welch, exchange, rank or firing",
            rule="rule of significance: alpha, bonferroni, bh or max-T",
        ),
        **of(
            COUNT,
            units="units that were tested",
            constant="units with one value on all texts",
            n_1="texts of the second class, y = 1",
            n_0="texts of the first class, y = 0",
            significant="units that the rule calls significant",
            expected="units that it would call so where nothing differs; null: it bounds a rate",
            out_of_reach="units that fire on too few texts for Welch's p to be below alpha",
        ),
        **of(
            SHARE,
            none="chance of no significant unit where nothing differs, tests independent",
            two_or_more="chance of two or more of them, likewise",
        ),
    },
    "readout/units/{site}-listed": {
        **of(
            ID,
            unit="unit: feature of the SAE, or channel of the site",
            place="place in the list, the strongest first, from 0",
        ),
        "effect": Words("deviations", "Hedges' g: difference of means over the pooled deviation"),
        "density": Words(SHARE, "texts on which the unit is not 0 / all texts"),
        **of(
            "units of the activation",
            mean_1="mean over the texts of the second class, y = 1",
            mean_0="mean over the texts of the first class, y = 0",
        ),
        **of(NUMBER, t="Welch's t", df="its degrees of freedom"),
        **of(
            P,
            p_welch="p of Welch's t test, as published",
            p="p of the difference of means where labels of word types are exchanged",
            p_rank="p of Mann and Whitney's test of ranks",
            p_firing="mid-p of Fisher's test of firing; null of dense units",
            least_p="least p that Welch's test can give at this density; null of dense units",
        ),
        "words": Words(TEXT, "words on which the unit is largest"),
    },
    "readout/units/{site}-histograms": {
        **of(TEXT, test="test whose p values are counted", range="range of p that the bins divide"),
        **of(P, low="lower edge of the bin", high="upper edge of the bin"),
        **of(
            COUNT,
            units="units whose p lies in the bin",
            expected="units that would lie there where nothing differs",
            of="units that are counted: those that are not constant",
        ),
    },
    "readout/units/{site}-power": {
        "test": Words(TEXT, "test that simulated units are put to"),
        **of(
            SHARE,
            density="texts on which the simulated unit fires / all texts",
            purity="its firings that fall into one class / all of them",
            power="simulated units with a p below alpha / all of them",
        ),
        **of(P, least_p="least p that Welch's test can give at this density", alpha="level"),
        **of(COUNT, n_1="texts of the second class", n_0="texts of the first class"),
    },
    "readout/localisation/{site}-curves": {
        **INTERVAL,
        "candidates": Words(TEXT, "all units, or equal: as many drawn from every description"),
        **of(
            COUNT,
            n_candidates="units that the choice is from",
            k="units that the classifier reads; null: all",
        ),
        "chance": Words(AUROC, "the same where labels are exchanged"),
    },
    "readout/localisation/{site}-spread": {
        **of(
            COUNT,
            units="units of the description",
            participation="participation ratio of the weights, (sum |w|)^2 / sum w^2: units in use",
            own_k="fewest units that reach nine tenths of the AUROC above .5 of all units of the "
            "description; infinite where none tried do",
            own_low="lower end of its interval over draws of word types",
            own_high="upper end of that interval",
            x_k="fewest units that reach nine tenths of the AUROC above .5 of all channels of x",
            x_low="lower end of its interval over draws of word types",
            x_high="upper end of that interval",
            l0="units that are not 0 on a text, on average",
        ),
        **of(
            SHARE,
            own_unknown="draws in which the AUROC to be reached is not above .5, for own_k",
            x_unknown="draws in which the AUROC to be reached is not above .5, for x_k",
        ),
    },
    "readout/localisation/{site}-stability": {
        **of(
            SHARE,
            threshold="halves of the words that must select a unit for it to be stable",
            shares="halves that select each of these units",
        ),
        **of(
            COUNT,
            selected="units that a half selects, on average",
            stable="stable units",
            bound="stable units that chance gives at most",
        ),
        "units": Words(ID, "the stable units, at most fifty"),
    },
    "readout/localisation/{site}-metric": {
        "k": Words(COUNT, "features that are read"),
        **of(
            NUMBER,
            value="(AUROC of k features - .5) / (AUROC of x - .5) x max(0, 1 - FVU)",
            **ends("its 95 % interval over draws of word types"),
            first="its first factor, that of localisation",
        ),
        "full": Words(AUROC, "AUROC of a probe on all channels of x"),
        **of(
            TEXT,
            reason="why the number is not defined; else empty",
            group="name that cells have in common which differ by seed alone",
        ),
    },
    "readout/localisation/{site}-bands": {
        **of(
            TEXT,
            of="number that is compared: value, or its first factor",
            group="cells that differ by seed alone, which make the band",
            verdict="above, within or below: where the cell's number stands to the band",
        ),
        **of(COUNT, k="features that are read", n="cells of the band"),
        **of(
            NUMBER,
            mean="mean over the cells of the band",
            sd="their standard deviation",
            low="lower end of the interval in which that of another seed lies with 95 %",
            high="upper end of that interval",
            value="number of the cell that is compared",
        ),
    },
}
"""Columns by table, as in `own`."""
