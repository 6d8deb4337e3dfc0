"""The check of activation norms against those that the SAEs were scaled by."""

from collections.abc import Mapping

import numpy as np

from saegrid.base.words import POSITIONS, Site
from saegrid.metrics.verify import Fact
from saegrid.metrics.verify.expected import Norms
from saegrid.metrics.verify.text import Text

DEFINITION = "mean |x| over tokens of the study's own text that are not special"
OUTLIER = 8.0
"""Multiple of the median norm from which on a token is an attention sink: BOS, or its
substitute."""
ALIKE = 1.3
"""Factor within which ratios count as equal."""
BETTER = 2.0
"""Factor by which norms must be nearer to those of the other position for hooks to count as
swapped."""


def check_norms(expected: Norms, norms: Mapping[Site, np.ndarray], text: Text) -> list[Fact]:
    """A fact for each site of the table, and one for positions that look swapped.

    Args:
        expected: the table.
        norms: |x| (token,) by site, of tokens that are not special.
        text: these tokens.
    """
    known = {site: expected.at(site) for site in sorted(norms) if expected.at(site) is not None}
    means = {site: float(norms[site].mean()) for site in known}
    ratios = {site: means[site] / known[site] for site in known}
    swapped = _swapped(expected, means)
    facts = []
    for site, ratio in ratios.items():
        problem = ""
        if not 1 / expected.factor <= ratio <= expected.factor:
            problem = (
                f"{site}: the mean norm of {len(norms[site])} tokens must be {known[site]:g}, "
                f"within a factor of {expected.factor:g}; it is {means[site]:.4g}. "
                f"{_cause(site, norms, ratios, swapped, text)}"
            )
        n = len(norms[site])
        value, details = means[site], (expected.factor, n, DEFINITION, expected.source)
        facts.append(Fact(f"{site}: norm", value, known[site], *details, problem))
    return [*facts, *_swap_facts(expected, swapped, facts)]


def _distance(expected: Norms, means: Mapping[Site, float], own: str, other: str) -> float:
    """The mean |log| of the ratio of norms at position `own` to the table's at position `other`."""
    pairs = [(m, expected.at(Site(s.layer, other))) for s, m in means.items() if s.position == own]
    logs = [abs(np.log(mean / value)) for mean, value in pairs if value is not None]
    return float(np.mean(logs)) if logs else np.inf


def _swapped(expected: Norms, means: Mapping[Site, float]) -> tuple[str, str] | None:
    """Two positions whose norms fit each other's row of the table much better than their own, or
    None."""
    measured = [p for p in POSITIONS if any(site.position == p for site in means)]
    for number, one in enumerate(measured):
        for other in measured[number + 1 :]:
            own = _distance(expected, means, one, one) + _distance(expected, means, other, other)
            crossed = _distance(expected, means, one, other)
            crossed += _distance(expected, means, other, one)
            # Two factors of the table apart; below that headlines may differ from web text.
            if own > BETTER * crossed and own > np.log(expected.factor):
                return one, other
    return None


def _swap_facts(expected: Norms, swapped: tuple[str, str] | None, facts: list[Fact]) -> list[Fact]:
    """A fact about swapped positions, if all norms are within the factor."""
    if swapped is None or any(fact.problem for fact in facts):
        return []
    one, other = swapped
    problem = f"{_swap_text(swapped)} {_FAMILY}"
    what = "positions whose norms fit each other's expected norms better than their own"
    pair = [one, other]
    return [Fact("positions", pair, [], BETTER, len(facts), what, expected.source, problem)]


_FAMILY = "Check model.family and the names of its parts (src/saegrid/models)."


def _swap_text(swapped: tuple[str, str]) -> str:
    one, other = swapped
    return f"{one} and {other} look swapped: each has the norms that the other should have."


def _cause(
    site: Site,
    norms: Mapping[Site, np.ndarray],
    ratios: Mapping[Site, float],
    swapped: tuple[str, str] | None,
    text: Text,
) -> str:
    """The likely cause of a wrong norm, with its remedy."""
    lengths = norms[site]
    outliers = np.flatnonzero(lengths > OUTLIER * np.median(lengths))
    if ratios[site] > 1 and len(outliers):
        return _outlier_text(outliers, text)
    if swapped is not None and site.position in swapped:
        return f"{_swap_text(swapped)} {_FAMILY}"
    spread = max(ratios.values()) / min(ratios.values())
    if len(ratios) > 1 and spread < ALIKE:
        return (
            f"All sites are off by about the same factor, {ratios[site]:.2g}: the model's weights "
            "were changed (scaled, or a norm folded into them). Give the checkpoint as it was "
            "released."
        )
    return (
        "A wrong hook, another model, or changed weights (a norm folded into them). "
        f"{_FAMILY} Check model.path and model.revision."
    )


def _outlier_text(outliers: np.ndarray, text: Text) -> str:
    """An explanation of single tokens with huge norms."""
    first = text.position[outliers] == 0
    ids = np.unique(text.token_id[outliers])
    if first.all() and len(ids) > 1:
        return (
            "The first word of a row has a huge norm: no BOS opens the rows, so it takes its place "
            "as the attention sink. Set model.bos to auto, and check the tokenizer's special "
            "tokens."
        )
    return (
        f"{len(outliers)} of the tokens have huge norms (id {ids[0]} at position "
        f"{text.position[outliers[0]]}): BOS is counted as text. Check that the tokenizer names "
        "its special tokens."
    )
