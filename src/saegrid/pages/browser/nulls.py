"""The panel of nulls: a result beside the same number with something taken away."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from saegrid.pages.browser.charts import linear, root, rounded
from saegrid.pages.browser.charts import shown as tick
from saegrid.pages.browser.classifiers import Probe
from saegrid.pages.browser.sentences import (
    Contrast,
    Part,
    Sentence,
    is_number,
    listed,
    sentence,
)

RESULT, SHUFFLED, UNTRAINED, FROZEN, WORDS = NAMES = (
    "This study",
    "Labels shuffled",
    "Untrained model",
    "Frozen SAE",
    "Words + surprisal",
)
LEGEND = {
    RESULT: "the real thing: the trained model, its SAEs, the true labels",
    SHUFFLED: "the labels are dealt out anew within what belongs together; what is left is luck",
    UNTRAINED: "the same network before it has learnt anything; what is left comes from the tokens",
    FROZEN: "an SAE of which a part stayed random; what is left needs no learnt dictionary",
    WORDS: "no features at all: which word, how rare, how unexpected; if it does as well, features "
    "add nothing",
}
ADD_FROZEN = "not run: add an SAE with `freeze: decoder` to the study"
ADD_PROBES = "not run: add the line `probes: {}` below `analyses:` in the study's config file"
PROBES = (
    "To have them here, write the line `probes: {}` below `analyses:` in the config file of the "
    "study, beside `tests:`, and run it again with `--configfile`. That is the file named there "
    "the first time; config/config.yaml where none was named; of `saegrid compare` the file of the "
    "study's name in results/."
)


NEAR = 0.25
"""Least distance of two ticks, as a share of the scale: a number takes so much on a telephone."""


class Row(NamedTuple):
    """A row of a panel."""

    name: str
    parts: Sequence[Part]
    """Numbers, or the reason why there is none."""
    place: float | None = None
    """The place from 0 to 1; None where there is no number."""
    span: tuple[float, float] | None = None
    is_missing: bool = True
    """True where a row without a number could have one."""


class Panel(NamedTuple):
    """Five rows over one scale."""

    anchor: str
    title: str
    unit: str
    rows: list[Row]
    ticks: list[tuple[float, str]]
    verdict: Sentence


def of_contrast(contrast: Contrast) -> Panel:
    """Confirmed features of 1,000 that were tested: the cells of a null are others in number."""
    rates = {
        key: _rate(contrast.get(f"{prefix}n_confirmed"), contrast.get(f"{prefix}n_tested"))
        for key, prefix in ((RESULT, ""), (UNTRAINED, "untrained."), (FROZEN, "frozen."))
    }
    n = contrast["n_tested"]
    shuffles = [rate for count in contrast.shuffles() if (rate := _rate(count, n)) is not None]
    high = max([rate for rate in rates.values() if rate is not None] + shuffles, default=0) or 1
    place = root(1.08 * high)

    def of(key: str, prefix: str, missing: str) -> Row:
        rate = rates[key]
        if rate is None:
            return Row(key, [missing])
        parts = [contrast.number(f"{prefix}n_confirmed"), " of ",
                 contrast.number(f"{prefix}n_tested")]  # fmt: skip
        return Row(key, parts, place(rate))

    rows = [of(RESULT, "", "nothing was tested")]
    if shuffles:
        ends = contrast.shuffled("smallest"), contrast.shuffled("largest")
        parts = (
            [ends[0], " in each"]
            if ends[0].text == ends[1].text
            else [contrast.shuffled("mean"), ", ", ends[0], " to ", ends[1]]
        )
        span = (place(min(shuffles)), place(max(shuffles)))
        rows.append(Row(SHUFFLED, parts, place(sum(shuffles) / len(shuffles)), span))
    else:
        rows.append(Row(SHUFFLED, ["not run: `tests` makes it where something can be tested"]))
    missing = contrast.get("untrained_words") or "not run"
    rows.append(of(UNTRAINED, "untrained.", f"not run: {missing.removeprefix('not run: ')}"))
    rows.append(of(FROZEN, "frozen.", ADD_FROZEN))
    rows.append(Row(WORDS, ["has no features to count: see the classifiers"], is_missing=False))
    ticks = apart([(place(v), tick(v)) for v in _roots(1.08 * high)])
    verdict = _verdict(contrast, rates, shuffles)
    unit = "confirmed features; the scale is of 1,000 tested"
    return Panel(f"{contrast.anchor}-null", contrast["title"], unit, rows, ticks, verdict)


def _verdict(
    contrast: Contrast, rates: Mapping[str, float | None], shuffles: Sequence[float]
) -> Sentence:
    own = rates[RESULT]
    if not own:
        return sentence("There is nothing to set above chance.")
    above: list[list[Part]] = []
    level: list[list[Part]] = []
    if shuffles:
        words = ["the luckiest shuffle"]
        (above if own > max(shuffles) else level).append(words)
    for key, words in ((UNTRAINED, "the untrained model"), (FROZEN, "the frozen SAE")):
        if (rate := rates[key]) is not None:
            (above if own > rate else level).append([words])
    parts: list[Part] = []
    if above:
        parts += ["More, for the features tested, than ", *listed(above), "."]
    if level:
        parts += [" " if above else "", "No more than ", *listed(level, " or "), "."]
    return sentence(*(parts or ["Nothing was run to compare it with."]))


def of_probe(probe: Probe, untrained: str = "") -> Panel:
    """Scores of classifiers that read the same number of features."""
    best, frozen, words = probe.best(), probe.best(frozen=True), probe.words
    chance = best.get("chance") if best else None
    values = [
        value
        for row in (best, frozen, words)
        if row
        for value in (row["score"], row.get("low"), row.get("high"))
        if is_number(value)
    ]
    values += [chance] if is_number(chance) else []
    low = min([*values, probe.chance_level])
    high = max([*values, low + 0.05])
    place = linear(low - 0.02 * (high - low), high + 0.04 * (high - low))

    def of(key: str, row: Mapping[str, Any] | None, missing: str) -> Row:
        if row is None:
            return Row(key, [missing])
        span = None
        if is_number(row.get("low")) and is_number(row.get("high")):
            span = (place(row["low"]), place(row["high"]))
        return Row(key, [probe.number(row)], place(row["score"]), span)

    rows = [of(RESULT, best, "no scores")]
    if is_number(chance):
        rows.append(Row(SHUFFLED, [probe.number(best, "chance")], place(chance)))
    else:
        rows.append(Row(SHUFFLED, ["not run"]))
    rows += [
        Row(UNTRAINED, [untrained or "not run"]),
        of(FROZEN, frozen, ADD_FROZEN),
        of(WORDS, words, ADD_PROBES),
    ]
    ticks = apart([(place(v), tick(v)) for v in rounded(low, high, 4)])
    unit = f"{probe.metric}, {'k = ' + str(probe.k) if probe.k else ''}"
    return Panel(f"{probe.anchor}-null", probe.title, unit, rows, ticks, _compared(probe))


def _compared(probe: Probe) -> Sentence:
    best = probe.best()
    if best is None or not is_number(best.get("low")):
        return sentence("There is no interval to compare.")
    above, level = [], []
    if is_number(best.get("chance")):
        (above if best["low"] > best["chance"] else level).append("shuffled labels")
    frozen = probe.best(frozen=True)
    if frozen and is_number(frozen.get("high")):
        (above if best["low"] > frozen["high"] else level).append("the frozen SAE")
    parts: list[Part] = []
    if above:
        parts += ["Clearly above ", *listed([[one] for one in above]), "."]
    if level:
        parts += [" " if above else "", "Not clearly above ", *listed([[x] for x in level], " or ")]
        parts.append(".")
    if probe.words and is_number(best.get("gain_low")):
        adds = "Clearly adds to" if best["gain_low"] > 0 else "Does not clearly add to"
        parts += [" " if parts else "", f"{adds} words + surprisal."]
    return sentence(*(parts or ["Nothing was run to compare it with."]))


def _rate(n: Any, of: Any) -> float | None:
    return 1000 * n / of if is_number(n) and is_number(of) and of else None


def apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The ticks whose numbers do not touch: both ends of the scale, and those of the others that
    are `NEAR` from each that is kept."""
    kept = [*ticks[:1], *ticks[1:][-1:]]
    for one in ticks[1:-1]:
        if all(abs(one[0] - other) >= NEAR for other, _ in kept):
            kept.append(one)
    return sorted(kept)


def _roots(high: float) -> list[float]:
    """Ticks of a scale by square root: zero, and round numbers about a half and a quarter of it."""
    ends = rounded(0, high, 4)
    near = [value for value in rounded(0, high / 4, 3) if value]
    return sorted({*ends, *near[-1:]})
