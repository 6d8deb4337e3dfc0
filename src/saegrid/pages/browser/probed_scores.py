"""The section of probes: scores, controls, description lengths, what an SAE keeps, what it adds.

Rows are those of `evidence.probes.schemas`, with the site of the job that lines them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from saegrid.pages.browser import probed_charts
from saegrid.pages.browser.probed import Charts, Section, Table, Tables
from saegrid.pages.browser.render import Column
from saegrid.pages.browser.sentences import decimal, gain

Row = Mapping[str, Any]
STAGE = "readout_probes"
NOT_FROZEN = "none"
NAMES = ("probes", "selectivity", "lengths", "preserved", "gains")
MAIN = "l2"
"""The probe on all units that stands for others."""
BY_CONTROL = {
    "types": "labels of word types",
    "published": "as published",
}
PARTS = {"x": "x", "x_hat": "reconstruction", "codes": "codes", "error": "error"}

PLACE = [
    Column("site", "site"),
    Column("described", "description", "", "What the probe reads; frozen and random are nulls."),
    Column("convention", "vector"),
]


def section(facts: Mapping[str, Any], tables: Tables) -> Section | None:
    """The section; None where the study has no probes."""
    if f"{STAGE}.probes" not in tables:
        return None
    rows = {name: _rows(facts, tables, name) for name in NAMES}
    first = facts["vectors"][0]
    return Section(
        "probes",
        "Probes",
        "Can a probe tell the classes apart?",
        list(_answer(rows, first)),
        [
            "A probe is a line drawn between the vectors of both classes. It is fitted on some "
            "word types and asked about others; its AUC is the chance that it puts a text of the "
            "one class above one of the other: 0.5 is guessing, 1 is never wrong. Intervals are "
            "the middle 95 % where word types are drawn again; chance is the same probe where "
            "labels were shuffled between word types. What a probe needs chosen (penalty, units) "
            "is chosen on the texts that it is fitted on.",
            *_scores(rows["probes"], first),
            *_controls(rows["selectivity"], first),
            *_lengths(rows["lengths"], first),
            *_kept(rows["preserved"], first),
            *_gains(rows["gains"], first),
        ],
    )


def _rows(facts: Mapping[str, Any], tables: Tables, name: str) -> list[dict[str, Any]]:
    """The rows of a table of all sites, with the site and a name of the description; those of SAEs
    with a frozen part last, for they are nulls."""
    out = []
    for site, table in zip(facts["sites"], tables[f"{STAGE}.{name}"], strict=True):
        rows = [
            {"site": site, **row, "described": described(facts, row), "null": is_null(facts, row)}
            for row in table.to_pylist()
        ]
        out += sorted(rows, key=lambda row: row["null"])
    return out


def is_null(facts: Mapping[str, Any], row: Row) -> bool:
    """True if the row is of an SAE with a frozen part."""
    return facts["frozen"].get(row["cell"], NOT_FROZEN) != NOT_FROZEN


def described(facts: Mapping[str, Any], row: Row) -> str:
    """The description of a row in words: x, pca, the name of a cell, random."""
    cell, name = row["cell"], row.get("representation", "codes")
    if name == "codes" and cell is None:
        return "codes of all cells"
    if cell is None:
        return name
    short = cell.partition("-")[2]
    if name == "random":
        return f"random, as {short}"
    mark = " (frozen)" if is_null(facts, row) and "frozen" not in short else ""
    return f"codes {short}{mark}"


def _of(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _best(rows: Sequence[Row], key: str) -> Row | None:
    known = [row for row in rows if row[key] is not None]
    return max(known, key=lambda row: row[key]) if known else None


def between(row: Row, value: str, low: str = "low", high: str = "high", form: Any = decimal) -> str:
    """A number with its interval, .93 [.91, .95]; a dash where it was not measured."""
    if row.get(value) is None:
        return "–"
    text = form(row[value])
    if row.get(low) is None or row.get(high) is None:
        return text
    return f"{text} [{form(row[low])}, {form(row[high])}]"


def _answer(rows: Mapping[str, Sequence[Row]], first: str) -> Sequence[str]:
    """Sentences of what was seen, in one convention of the vectors."""
    out = []
    main = _of(rows["probes"], convention=first, method=MAIN)
    plain = _best([row for row in main if row["cell"] is None], "auc")
    coded = _best(_of(main, representation="codes", null=False), "auc")
    for row, what in ((plain, "the best without an SAE"), (coded, "the best of an SAE's codes")):
        if row is not None:
            out.append(
                f"Of L2 probes {what} is {row['described']} at {row['site']}: AUC "
                f"{between(row, 'auc')}; with shuffled labels {decimal(row['chance'])}."
            )
    ours = _of(rows["gains"], convention=first, representation="codes", null=False)
    gained = [row for row in ours if row["cell"]]
    best = _best(gained, "gain")
    saes = f"{len(gained)} SAE{'s' if len(gained) > 1 else ''}"
    if best is not None and not any(row["gain"] for row in gained):
        out.append(
            "SAE probes add nothing to a set of probes that may choose among others: the AUC of "
            f"the set stays the same with each of {saes}."
        )
    elif best is not None:
        adds = "do add" if best["gain_low"] > 0 else "add nothing that is beyond chance"
        out.append(
            f"SAE probes {adds} to a set of probes that may choose among others: of {saes} "
            f"{best['described']} at {best['site']} changes the AUC of the set most, by "
            f"{between(best, 'gain', 'gain_low', 'gain_high', gain)}."
        )
    return out


# --- scores -----------------------------------------------------------------------------------


def _scores(rows: Sequence[Row], first: str) -> list[str | Table | Charts]:
    """k curves, the L2 probe and the number of units that L1 takes, then all probes."""
    shown = []
    for row in _of(rows, convention=first, method=MAIN):
        same = _of(rows, **{key: row[key] for key in ("site", "convention", "described")})
        few = {f"k{one['k']}": one["auc"] for one in same if one["method"] == "k_sparse"}
        (lasso,) = _of(same, method="l1") or [{}]
        shown.append(
            {
                **row,
                **few,
                "score": between(row, "auc"),
                "lasso": lasso.get("auc"),
                "taken": lasso.get("n_nonzero"),
                "deviance": lasso.get("explained"),
            }
        )
    ks = sorted({row["k"] for row in rows if row["k"] is not None})
    few = [k for k in (1, 5, 20) if k in ks] or ks[:3]
    columns = [
        *PLACE,
        Column("n_units", "units", "{:,.0f}"),
        Column("score", "AUC, all units", "", "L2 probe on all units, with its interval."),
        Column("chance", "chance", "{:.3f}", "The same with shuffled labels."),
        *(Column(f"k{k}", f"k = {k}", "{:.3f}", f"AUC of a probe on {k} units.") for k in few),
        Column("lasso", "AUC, L1", "{:.3f}"),
        Column("taken", "units of L1", "{:,.1f}", "Weights that are not zero, mean of the folds."),
        Column("deviance", "explained", "{:.3f}", "Explained deviance of L1 on held-out texts."),
    ]
    full = {(row["site"], row["described"], row["convention"]): row for row in shown}
    blank = dict.fromkeys([f"k{k}" for k in few])
    caption = (
        f"L2 probes on all units, k chosen units, and L1, vectors {first}. Where the interval of "
        "an SAE and that of a null overlap, the SAE shows nothing that the null does not."
    )
    lines = [blank | row for row in full.values()]
    blocks: list[str | Table | Charts] = [Table(columns, lines, caption, _source("probes"))]
    curves = probed_charts.curves(_of(rows, convention=first, method="k_sparse"))
    if curves:
        words = (
            "AUC of probes on k units that are chosen in the training folds. Shaded: the interval "
            "of the first SAE; dashed level: guessing. Dotted lines are nulls."
        )
        blocks.insert(0, Charts(curves, words))
    refused = list(dict.fromkeys(row["note"] for row in rows if row["note"]))
    if refused:
        refusals = (f"A probe that was asked for cannot be fitted here. {refused[0]}",)
        blocks += refusals
    return [*blocks, _every(rows)]


def _every(rows: Sequence[Row]) -> Table:
    columns = [
        *PLACE,
        Column("method", "probe"),
        Column("k", "k", "{:.0f}"),
        Column("score", "AUC"),
        Column("chance", "chance", "{:.3f}"),
        Column("accuracy", "accuracy", "{:.3f}", "Share of held-out texts that are told."),
        Column("fitted", "on fitted texts", "{:.3f}", "Accuracy on the texts that were fitted."),
        Column("explained", "explained", "{:.3f}", "Explained deviance of held-out texts."),
        Column("n_nonzero", "weights", "{:,.1f}", "Weights that are not zero."),
        Column("settled", "converged"),
    ]
    settled = {True: "yes", False: "no", None: "–"}
    lines = [
        {**row, "score": between(row, "auc"), "settled": settled[row["converged"]]} for row in rows
    ]
    return Table(columns, lines, "Every probe and vector", _source("probes"), is_folded=True)


# --- controls ---------------------------------------------------------------------------------


def _controls(rows: Sequence[Row], first: str) -> list[str | Table | Charts]:
    if not rows:
        return []
    shown = _of(rows, convention=first)
    columns = [
        *PLACE,
        Column("control", "control"),
        Column("task_test", "task", "{:.3f}", "Accuracy on test texts."),
        Column("control_test", "control task", "{:.3f}", "Accuracy on test texts of the control."),
        Column("score", "selectivity", "", "Mean over the controls, and their middle 95 %."),
        Column("recurring", "types seen", "{:.0%}", "Test texts whose word type was fitted."),
        Column("control_seen", "control on these", "{:.3f}"),
        Column("converged", "converged", "{:.0%}", "Fits whose steps were enough."),
    ]
    lines = [
        {**row, "control": BY_CONTROL[row["protocol"]], "score": between(row, "selectivity")}
        for row in rows
    ]
    notes = list(dict.fromkeys(row["note"] for row in shown if row["note"]))
    n = max(row["n_controls"] for row in rows)
    return [
        "Does the probe find something in the vectors, or would it learn any labels by heart? "
        f"Selectivity is its accuracy less that on {n:,} control tasks whose labels mean nothing: "
        "a random label for each word type, which a probe that remembers types would predict "
        "where types come again; and, as published, labels shuffled over all texts.",
        *notes,
        Charts(
            probed_charts.histograms(shown),
            f"Selectivities over {n:,} control tasks, vectors {first}: of x, and over it of the "
            "codes of the first SAE, each with its mean. Dashed: 0, no better than on the control.",
        ),
        Table(
            columns,
            [row for row in lines if row["convention"] == first],
            f"Controls, vectors {first}",
            _source("selectivity"),
        ),
        Table(columns, lines, "Controls, every vector", _source("selectivity"), is_folded=True),
    ]


# --- description lengths ----------------------------------------------------------------------


def _lengths(rows: Sequence[Row], first: str) -> list[str | Table | Charts]:
    if not rows:
        return []
    columns = [
        *PLACE,
        Column("uniform", "uniform", "{:,.0f}", "Bits where both classes are equally likely."),
        Column("score", "bits", "", "Online code: mean, least and most over orders of texts."),
        Column("shuffled", "shuffled", "{:,.0f}", "Bits of shuffled labels: chance."),
        Column("compression", "compression", "{:.2f}", "uniform / bits"),
        Column("saved", "saved", "{:.0%}", "1 - bits / entropy of the labels."),
        Column("surplus", "surplus", "{:,.0f}", "Bits that learning itself costs."),
    ]
    bits = "{:,.0f}".format
    lines = [{**row, "score": between(row, "bits", "least", "most", bits)} for row in rows]
    return [
        "How much is the label worth to somebody who has the vectors? Texts come one block after "
        "the other, and a probe of the blocks before says what it expects: the fewer bits all "
        "labels cost, the more the vectors say, and the easier. Random labels cost no less than "
        "the uniform code.",
        Table(
            columns,
            [row for row in lines if row["convention"] == first],
            f"Description lengths of all labels, vectors {first}",
            _source("lengths"),
        ),
        Table(columns, lines, "Lengths, every vector", _source("lengths"), is_folded=True),
    ]


# --- what an SAE keeps and adds ---------------------------------------------------------------


def _kept(rows: Sequence[Row], first: str) -> list[str | Table | Charts]:
    if not rows:
        return []
    columns = [
        *PLACE,
        Column("part_shown", "read by the probe"),
        Column("score", "AUC"),
        Column("less", "less that of x", "", "Paired over draws of word types."),
        Column("chance", "chance", "{:.3f}"),
        Column("fvu", "unexplained", "{:.3f}", "Share of the variance of x that is lost."),
        Column("s_model", "S of x", "{:.3f}", "Selectivity of activations, LinearSVC, 80/20."),
        Column("s_sae", "S of x̂", "{:.3f}", "The same of reconstructions."),
        Column("kept", "Δ selectivity", "", "S of x̂ less S of x, middle 95 % of controls."),
    ]
    lines = [
        {
            **row,
            "part_shown": PARTS[row["part"]],
            "score": between(row, "auc"),
            "less": between(row, "difference", "difference_low", "difference_high", gain),
            "kept": between(row, "delta", "delta_low", "delta_high", gain),
        }
        for row in rows
    ]
    return [
        "What does an SAE lose of the label? Its reconstruction and its codes are read by the same "
        "probe as the vector x, and so is the error, the part of x that it leaves out: a probe of "
        "the error that does well has found what the SAE does not carry.",
        Charts(
            probed_charts.losses(_of(rows, convention=first)),
            f"AUC of x, of its reconstruction, of the codes and of the error, vectors {first}; "
            "dashed: guessing.",
        ),
        Table(columns, lines, "What SAEs keep", _source("preserved"), is_folded=True),
    ]


def _gains(rows: Sequence[Row], first: str) -> list[str | Table | Charts]:
    if not rows:
        return []
    columns = [
        *PLACE,
        Column("before", "without SAE"),
        Column("after", "with it"),
        Column("more", "gain", "", "Paired over draws of word types."),
        Column("taken", "taken", "", "Folds in which a probe of these codes was chosen."),
        Column("chosen_with", "chosen, fold by fold"),
    ]
    lines = [
        {
            **row,
            "before": between(row, "without", "without_low", "without_high"),
            "after": between(row, "with", "with_low", "with_high"),
            "more": between(row, "gain", "gain_low", "gain_high", gain),
            "taken": f"{row['n_taken']} of {row['n_folds']}",
        }
        for row in rows
    ]
    return [
        "Does an SAE add to what probes can do without one? In each fold a set of probes chooses "
        "the one that is best inside the training texts, once without and once with the probes of "
        "codes; both predict texts that chose nothing. Random codes say what a set gains by "
        "having more to choose from.",
        Table(
            columns,
            [row for row in lines if row["convention"] == first],
            f"Gains, vectors {first}",
            _source("gains"),
        ),
        Table(columns, lines, "Gains, every vector", _source("gains"), is_folded=True),
    ]


def _source(name: str) -> str:
    return f"readout/{name}/*.parquet"
