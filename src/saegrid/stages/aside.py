"""Rows of the corpora that were set aside, for the end of a run."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from saegrid.stages.sizes import finished
from saegrid.stages.stage import At, Plan, Source
from saegrid.store.manifest import MANIFEST


def lines(plan: Plan) -> Iterator[str]:
    """A line for each corpus in use of which rows are set aside, with how many, why and where."""
    for name in plan.used_corpora():
        n, of, counts, where = _streamed(plan, name) or _tabled(plan, name)
        if n:
            why = ", ".join(f"{reason} {several:,}" for reason, several in counts.items())
            yield f"{name}: {n:,} of {of:,} rows were set aside ({why}), see {where}"


Aside = tuple[int, int, Counter[str], str]
"""Number of rows set aside, of all rows, by reason, and where they stand."""
NONE: Aside = (0, 0, Counter(), "")


def _tabled(plan: Plan, name: str) -> Aside:
    facts = finished(plan, Source("items.facts", At(name)))
    if facts is None:
        return NONE
    counts = Counter(facts["set_aside"])
    (where,) = plan.graph.paths(Source("items.set_aside", At(name)))
    return counts.total(), sum(one["read"] for one in facts["rows"].values()), counts, where


def _streamed(plan: Plan, name: str) -> Aside | None:
    """Rows set aside of a streamed corpus; None of one in tables."""
    if not plan.corpora[name].is_streamed:
        return None
    source = Source("fill_store.facts", At(name, site=str(plan.sites[0])))
    facts = finished(plan, source)
    if facts is None:
        return NONE
    counts: Counter[str] = Counter()
    for shard in facts["set_aside"]:
        counts.update({reason: one["n"] for reason, one in shard.items()})
    where = str(Path(plan.graph.paths(source)[0]).with_name(MANIFEST))
    return counts.total(), facts["texts"], counts, where
