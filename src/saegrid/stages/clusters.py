"""Clusters of texts by codes and by activations, and of features, with names and their firmness."""

from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.registry import entry, nearest
from saegrid.base.section import Number, Positive, Seed, Share, Strict
from saegrid.evidence.clusters import METHODS, WEIGHTINGS
from saegrid.stages import names, places
from saegrid.stages.stage import CORPUS, At, Many, Needs, Plan, Sizes, Source, Stage, Weight

KEY = "analyses.clusters"
UNITS = ("text", "original")
RELATIONS = ("firing", "decoder")
TABLES = ("clusterings", "ks", "clusters", "members", "flagged")
Most = Annotated[int, Field(ge=2, le=1000)]


class Settings(Strict):
    """Clusters of the texts of the main corpus by the codes of each cell, beside those by
    activations, and clusters of features."""

    label: str | None = None
    """Column of the items, read as text, that clusters are compared with; null: none."""
    unit: str = "text"
    """Unit that is clustered: text, or original (all edits or samples of one together)."""
    method: str = "kmeans"
    """Method: kmeans, or hdbscan, which finds the number of clusters and leaves texts out."""
    k: Most | None = None
    """Number of clusters of texts; null: by the rule, the largest silhouette among the stable ones
    of 2 to 12."""
    weighting: str = "idf"
    """Weights of codes: idf (share of the feature's largest activation, times the log of its
    rarity), standard (by standard deviation) or none. Activations are standardised."""
    components: Annotated[int, Field(ge=2, le=500)] = 20
    """Components of the truncated SVD in which is clustered."""
    stable: Share = 0.6
    """Stability that a number of clusters must have to be chosen: adjusted Rand index of clusters
    of 80 % of the originals with those of all."""
    draws: Annotated[int, Field(ge=20, le=10_000)] = 50
    """Draws of originals behind the stability."""
    nulls: Annotated[int, Field(ge=1, le=1000)] = 20
    """Shuffles of the components, which have no clusters, that the silhouette is compared with;
    below 19 no p can be 0.05 or less."""
    intervals: Annotated[int, Field(ge=20, le=100_000)] = 1000
    """Draws of originals behind intervals of the agreement with labels."""
    permutations: Annotated[int, Field(ge=19, le=100_000)] = 999
    """Shuffles of labels, for chance."""
    dense: Annotated[Number, Field(gt=0, le=1)] = 0.1
    """Share of tokens from which on a feature is dense and left out."""
    massive: Annotated[Number, Field(gt=0, le=1)] = 0.1
    """Share of the squared norm from which on a column is massive and left out."""
    least: Annotated[int, Field(ge=2, le=10_000)] = 5
    """Members of the smallest cluster of hdbscan."""
    features: list[str] = ["firing"]
    """Relations by which features are clustered: firing (tokens on which they fire), decoder
    (directions); empty: none."""
    feature_ks: Annotated[list[Most], Field(min_length=1)] = [5, 10, 20, 40]
    """Numbers of clusters of features from which the rule chooses."""
    most_features: Positive = 1000
    """Features of a cell that are clustered, those that fire on most tokens."""
    picture: str = "svd"
    """Picture: svd (the first two components), or umap, where umap-learn is installed."""
    namer: str = "lexical"
    """Namer of clusters: lexical (commonest words), or openai or local, which take their settings
    from analyses.names."""
    seed: Seed = 42
    """Seed of all starts, draws and shuffles."""


def section(plan: Plan) -> Any:
    """The settings of the analysis."""
    return plan.study.analyses.clusters


def check(plan: Plan) -> None:
    """ConfigError where a name is unknown, or the main corpus has no such label."""
    named = section(plan)
    try:
        entry(METHODS, named.method, f"{KEY}.method:")
        entry(WEIGHTINGS, named.weighting, f"{KEY}.weighting:")
        entry(names.NAMERS, named.namer, f"{KEY}.namer:")
        entry(dict.fromkeys(UNITS, ""), named.unit, f"{KEY}.unit:")
        entry(dict.fromkeys(("svd", "umap"), ""), named.picture, f"{KEY}.picture:")
        for relation in named.features:
            entry(dict.fromkeys(RELATIONS, ""), relation, f"{KEY}.features:")
    except ValueError as problem:
        raise ConfigError(str(problem)) from None
    check_label(plan, named.label)
    if named.picture == "umap" and find_spec("umap") is None:
        raise ConfigError(
            f"{KEY}.picture: umap needs the package umap-learn, which is not installed. Install "
            "it, or set picture: svd."
        )


def check_label(plan: Plan, label: str | None) -> None:
    """ConfigError where the main corpus has no such label of texts."""
    labels = plan.study.corpora[plan.main].source.labels
    if label is None or labels.get(label) == "text":
        return
    known = ", ".join(f"{name} ({kind})" for name, kind in labels.items()) or "none"
    raise ConfigError(
        f"{KEY}.label: {label!r} must be a label of {plan.main} that is read as text."
        f"{nearest(label, list(labels))} Its labels: {known}."
    )


def namer(plan: Plan) -> dict[str, Any]:
    """The namer, with what it needs from the section of names."""
    named = section(plan).namer
    of = plan.study.analyses.names
    if named == "lexical":
        return {"namer": named}
    asked = {**of.model_dump(mode="json"), "namer": named} if of else None
    if asked is None:
        raise ConfigError(
            f"{KEY}.namer: {named!r} takes its settings from analyses.names, which the study does "
            "not name. Add it, or set namer: lexical."
        )
    names.check(asked)
    if named == "local":
        asked["model_content"] = names.model_content(asked["model"])
    return asked


def cells(plan: Plan, at: At) -> list[str]:
    """The cells of the job's site."""
    return [str(cell) for cell in plan.cells if str(cell.site) == at.site]


def of_cells(output: str) -> Many:
    """An output of each cell of the site."""
    return Many(lambda plan, at: [Source(output, At(at.corpus, c)) for c in cells(plan, at)])


def saes(plan: Plan, at: At) -> list[Source]:
    """The files of the SAEs, two of each, where directions are asked for."""
    wanted = cells(plan, at) if "decoder" in section(plan).features else []
    return [one for cell in wanted for one in places.sae(plan, At(cell=cell))]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cells, and the namer."""
    check(plan)
    return {
        "cells": cells(plan, at),
        "namer": namer(plan),
        "answers": f"results/{plan.study.study}/answers",
    }


def code(plan: Plan, at: At) -> list[str]:
    """Code of the method and of weights, of the namer, and that reads the SAEs."""
    named = section(plan)
    wanted = [METHODS.get(named.method), WEIGHTINGS.get(named.weighting)]
    wanted += [WEIGHTINGS["none"], WEIGHTINGS["standard"], names.NAMERS.get(named.namer)]
    read = [plan.saes.reader(c) for c in cells(plan, at)] if "decoder" in named.features else []
    return [one for one in dict.fromkeys([*wanted, *read]) if one]


def sites(plan: Plan) -> list[At]:
    """Each site that has cells, on the main corpus."""
    return [At(plan.main, site=site) for site in dict.fromkeys(str(c.site) for c in plan.cells)]


def weighs(sizes: Sizes, at: At) -> Weight:
    """Rows of members, of three clusterings of each representation."""
    n = len(cells(sizes.plan, at))
    texts = sizes.text(at.corpus).items
    rows = 3 * (n + 1) * texts + n * section(sizes.plan).most_features
    return Weight(write=30 * rows + 60_000 * (n + 1))


CLUSTERS = Stage(
    "clusters",
    reads={
        "features": of_cells("encode.features"),
        "activations": Many(places.all_activations),
        "saes": Many(saes, counted=False),
        "concepts": of_cells("concepts.table"),
        "tokens": "tokens.tokens",
        "spans": "tokens.spans",
        "selection": "selection.selection",
        "texts": "items.table",
    },
    writes={name: CORPUS + f"clusters/{{site}}/{name}.parquet" for name in TABLES},
    config=Settings,
    ends=sites,
    settings=settings,
    code=code,
    needs=Needs(
        memory=4000, minutes=60, hub=lambda plan, at: int(bool(saes(plan, at))), group="study"
    ),
    weighs=weighs,
)
