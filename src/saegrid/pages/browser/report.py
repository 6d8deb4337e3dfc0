"""The report on what a model writes: prompts, layer, SAE, sparsity, features, clamps, what is left.

Every number comes from a table of the study, which is named beside it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from saegrid.pages.browser import clustered, clustered_said, report_charts, reported
from saegrid.pages.browser.clustered_tables import Site, rows_of
from saegrid.pages.browser.render import render_study, require
from saegrid.pages.browser.report_rows import ARMS, KINDS, Report, clamped_of, feature_of
from saegrid.pages.browser.reported import signed, two
from saegrid.pages.browser.sentences import count, percent

REQUIRED = ("study", "model", "spec", "corpus", "source", "section", "saes")
"""Keys that `facts` must hold."""


def report_page(facts: Mapping[str, Any], tables: Report) -> str:
    """The text of report.html. The same arguments give the same bytes.

    facts: study, model, spec, corpus (its name), source (of it),
    section (analyses.hooks), saes (settings by cell), and where known `title`.
    """
    require(facts, REQUIRED, "The facts of a report")
    cell, sizes = tables.facts["cell"], tables.facts["sizes"]
    layers = tables.choice.to_pylist()
    chosen = next(row for row in layers if row["chosen"])
    kinds = dict(zip(*(tables.concepts[n].to_pylist() for n in ("feature", "kind")), strict=True))
    shown = [feature_of(row, tables, kinds) for row in tables.features.to_pylist()]
    clamped = clamped_of(tables)
    return render_study(
        "report.html.jinja",
        facts,
        f"{facts['study']}: report",
        named=[cell],
        cell=cell,
        sizes=sizes,
        chosen=chosen,
        verdict=reported.verdict(cell, shown, clamped),
        answers=reported.answers(facts, tables, chosen, shown, clamped),
        prompts=tables.prompts.to_pylist(),
        examples=[
            {**one, "text": "".join(map(tables.spell, one["tokens"]))}
            for one in tables.facts["examples"]
        ],
        of_prompts=reported.of_prompts(facts, tables),
        of_sites=reported.of_sites(sizes, layers, chosen),
        layers=layers,
        similar=report_charts.similar(layers),
        norms=report_charts.norms(layers),
        of_sae=reported.of_sae(facts, tables, cell),
        curve=report_charts.curve(tables.histories, cell),
        settings=list(reported.settings_of(facts["saes"][cell])),
        of_codes=reported.of_codes(tables.facts["latents"]),
        histogram=report_charts.histogram(tables.facts["latents"]),
        shown=shown,
        of_features=reported.of_features(facts),
        clamped=clamped,
        of_clamps=reported.of_clamps(facts, clamped),
        left=reported.left(tables, shown, kinds),
        clusters=clusters_of(facts, tables.clusters, cell),
        page_of=f"{quote(facts['corpus'])}/cells/{quote(cell)}/features.html",
        kinds=KINDS,
        arms=ARMS,
        count=count,
        percent=percent,
        signed=signed,
        two=two,
    )


def clusters_of(facts: Mapping[str, Any], site: Site | None, cell: str) -> dict[str, Any] | None:
    """The clusters of the texts by the codes of a cell: sentences, and a part of the page."""
    if site is None:
        return None
    rows, flagged = rows_of([site], "clusterings"), rows_of([site], "flagged")
    rows = [row for row in rows if row["cell"] in (None, cell)]
    flagged = [row for row in flagged if row["cell"] in (None, cell)]
    parts = clustered.parts_of(facts, site)
    own = [one for one in parts if one["row"]["cell"] == cell and one["row"]["of"] == "texts"]
    return {"lines": clustered_said.lines(rows, flagged), "part": own[0]}
