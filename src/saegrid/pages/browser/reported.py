"""The sentences of a report; each number knows the table and the column that it is from."""

from collections.abc import Mapping, Sequence
from typing import Any

from saegrid.pages.browser.report_rows import KINDS, NAMED, Report, zeros_of
from saegrid.pages.browser.sentences import (
    NONE,
    Line,
    Number,
    Part,
    Sentence,
    count,
    general,
    listed,
    percent,
    sentence,
)


def number(value: Any, source: str, form: Any = count) -> Number:
    """A number with the file and column that it is from; a dash where it is missing."""
    missing = value is None or (isinstance(value, float) and value != value)
    return Number(NONE if missing else form(value), source, "")


def signed(value: float) -> str:
    """A change with its sign."""
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def two(value: float) -> str:
    """A number with two digits behind the point."""
    return f"{value:.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def verdict(cell: str, shown: Sequence[Mapping[str, Any]], clamped: Sequence[Any]) -> Sentence:
    """The whole report in one sentence."""
    named = sum(one["kind"] in NAMED for one in shown)
    first: list[Part] = [
        f"In {cell}, ",
        number(named, "hooks/features.parquet with concepts.parquet: kind"),
        " of ",
        number(len(shown), "hooks/features.parquet: rows"),
        " features that a rule drew are about something with a name",
    ]
    if not clamped:
        return sentence(*first, ".")
    moved = [one for one in clamped if one["rows"][0]["specificity"] > 2 * _error(one)]
    return sentence(
        *first,
        "; held high, ",
        number(len(moved), "hooks/clamps.parquet: specificity beyond two standard errors"),
        f" of {len(clamped)} make their own tokens likelier than a control does.",
    )


def _error(one: Mapping[str, Any]) -> float:
    error = one["rows"][0]["error"]
    return error if error == error else float("inf")


def answers(
    facts: Mapping[str, Any],
    tables: Report,
    chosen: Mapping[str, Any],
    shown: Sequence[Any],
    clamped: Sequence[Any],
) -> list[Line]:
    """The report in a few lines."""
    every = tables.prompts.to_pylist()[-1]
    codes, cell = tables.facts["latents"], tables.facts["cell"]
    lines = [
        Line(
            "Data",
            (
                sentence(
                    number(every["prompts"], "hooks/prompts.parquet: prompts"),
                    " prompts, ",
                    number(every["texts"], "hooks/prompts.parquet: texts"),
                    " texts that the model wrote after them, ",
                    number(every["drawn"], "hooks/prompts.parquet: drawn"),
                    " tokens with a row of activations each.",
                ),
            ),
        ),
        Line(
            "Layer",
            (
                sentence(
                    f"{chosen['site']}: of the layers in the middle with an SAE, the one whose "
                    "tokens are least alike (mean cosine ",
                    number(chosen["anisotropy"], "hooks/choice.parquet: anisotropy", two),
                    ").",
                ),
            ),
        ),
        Line(
            "Sparsity",
            (
                sentence(
                    number(zeros_of(codes), "hooks/facts.json: latents.zeros", percent),
                    f" of the codes of {cell} are exactly zero; a token has ",
                    number(codes["l0"], "hooks/facts.json: latents.l0", lambda v: f"{v:.1f}"),
                    " active features of ",
                    number(codes["d_sae"], "hooks/facts.json: latents.d_sae"),
                    ".",
                ),
            ),
        ),
        Line(
            "Features",
            (sentence(*_kinds_of(shown)),),
        ),
    ]
    if clamped:
        parts = [
            [
                f"#{one['feature']} ",
                number(
                    one["rows"][0]["specificity"], "hooks/clamps.parquet: specificity, high", signed
                ),
                "\u00a0±\u00a0",
                number(one["rows"][0]["error"], "hooks/clamps.parquet: error, high", two),
            ]
            for one in clamped
        ]
        text = "Specificity of a high clamp in nats (±\u00a0standard error): "
        lines.append(Line("Clamping", (sentence(text, *listed(parts), "."),)))
    return lines


def _kinds_of(shown: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Counts of the features that are shown by what they are about."""
    names = [one["kind"] or "unjudged" for one in shown]
    parts = [
        [
            number(names.count(name), "hooks/features.parquet with concepts.parquet: kind"),
            f" of {KINDS[name]}" if name in KINDS else " on too few words to be judged",
        ]
        for name in dict.fromkeys(sorted(names, key=[*KINDS, "unjudged"].index))
    ]
    return [f"Of {len(shown)}, by the words on which they are strongest: ", *listed(parts), "."]


def of_prompts(facts: Mapping[str, Any], tables: Report) -> list[Sentence]:
    """The prompts and what was drawn after them."""
    every, source = tables.prompts.to_pylist()[-1], facts["source"]
    file = "hooks/prompts.parquet"
    ends: list[Part] = ["A text ends where the model draws a special token."]
    if not source["stop"]:
        times = number(every["special"], f"{file}: special")
        words = "Where it draws a special token, which it did "
        ends = [
            words,
            times,
            " times, it goes on with another text (¶), and the token is left out.",
        ]
    return [
        sentence(
            "The prompts have ",
            number(every["words"], f"{file}: words"),
            " words, ",
            number(every["words_mean"], f"{file}: words_mean", lambda v: f"{v:.1f}"),
            " on average. The model's tokenizer reads ",
            number(every["tokens_a_word"], f"{file}: tokens_a_word", two),
            " tokens a word; it does not know ",
            number(every["unknown"], f"{file}: unknown", percent),
            " of these tokens.",
        ),
        sentence(
            f"After each prompt the model draws up to {source['new_tokens']} tokens at temperature "
            f"{source['temperature']:g}, {source['samples']} texts a prompt, seed "
            f"{source['seed']}. ",
            *ends,
        ),
        sentence(
            "Every drawn token gives one row of activations, ",
            number(every["drawn"], f"{file}: drawn"),
            " in all, equal to what the token carried while it was drawn. Tokens of the prompts "
            "give none: the model read them and did not choose them.",
        ),
    ]


def of_sites(
    sizes: Mapping[str, int], layers: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any]
) -> list[Sentence]:
    """The choice of the layer."""
    best = next((row for row in layers if row["best"]), None)
    trained = [row["site"] for row in layers if row["trained"]]
    source = "hooks/choice.parquet"
    sentences = [
        sentence(
            f"Of {sizes['n_layers']} layers, {len(layers)} were surveyed, and SAEs are trained at "
            f"{', '.join(trained)}. The rule, which looks at no SAE: among layers in the middle "
            "half, the one whose tokens have the smallest mean cosine with one another. It gives "
            f"{chosen['site']}, mean cosine ",
            number(chosen["anisotropy"], f"{source}: anisotropy", two),
            ".",
        )
    ]
    if best is not None and best["site"] != chosen["site"]:
        sentences.append(
            sentence(
                f"Were an SAE trained at every layer, the rule would take {best['site']} (",
                number(best["anisotropy"], f"{source}: anisotropy", two),
                ").",
            )
        )
    if not chosen["middle"]:
        sentences.append(sentence("No layer of the middle has an SAE: it is one of the others."))
    return sentences


def of_sae(facts: Mapping[str, Any], tables: Report, cell: str) -> list[Sentence]:
    """The training of the SAE."""
    if cell not in tables.histories:
        return [sentence("The SAE was trained elsewhere, so that there is no loss curve.")]
    rows = tables.histories[cell].to_pylist()
    last = next((row for row in reversed(rows) if row["held_fvu"] is not None), rows[-1])
    file = f"saes/{cell}/history.parquet"
    return [
        sentence(
            f"A {facts['saes'][cell]['recipe']} SAE learns to rebuild the activations, from ",
            number(rows[-1]["tokens"], f"{file}: tokens"),
            " tokens in ",
            number(rows[-1]["step"], f"{file}: step"),
            " steps. At the end it leaves ",
            number(last["fvu"], f"{file}: fvu", percent),
            " of the variance unexplained on tokens that it learns from, and ",
            number(last["held_fvu"], f"{file}: held_fvu", percent),
            " on texts that were held out.",
        )
    ]


def of_codes(codes: Mapping[str, Any]) -> list[Sentence]:
    """The share of exact zeros."""
    file = "hooks/facts.json: latents"
    return [
        sentence(
            "Of ",
            number(codes["zeros"] + codes["active"], f"{file}.zeros + active"),
            " codes, one for each feature and token, ",
            number(codes["zeros"], f"{file}.zeros"),
            " are exactly zero: ",
            number(zeros_of(codes), f"{file}.zeros", percent),
            ". A narrow histogram would not show that: numbers near zero are not zeros, and a code "
            "without exact zeros is not sparse.",
        )
    ]


def of_features(facts: Mapping[str, Any]) -> list[Sentence]:
    """The rule by which features were drawn."""
    section = facts["section"]
    return [
        sentence(
            f"Nobody chose them: the features that are active on {section['least']} tokens or more "
            f"are cut into {section['strata']} parts of equal number by density, and "
            f"{section['each']} are drawn at random from each, seed {section['seed']}. Of each "
            f"stand the {section['texts']} texts in which it is strongest, around its strongest "
            "token.",
        )
    ]


def of_clamps(facts: Mapping[str, Any], clamped: Sequence[Any]) -> list[Sentence]:
    """The clamps, and the numbers that stand in their tables."""
    section = facts["section"]
    if not clamped:
        return [sentence("No feature was clamped: none of those drawn has a control as dense.")]
    n = number(clamped[0]["rows"][0]["n_texts"], "hooks/clamps.parquet: n_texts")
    return [
        sentence(
            "Of the features drawn, those are clamped whose activation falls most on few tokens, "
            "for only these have tokens of their own. While the model reads, z is held at "
            f"{section['strength']:g} times the largest activation of the feature, at 0, or as far "
            "below 0, at every position but BOS, and what the SAE does not explain stays.",
        ),
        sentence(
            "Δ target is the change of the log-probability of the feature's own tokens, in nats, "
            "over all positions of ",
            n,
            " texts that the model wrote. Δ control is the same for another feature that is about "
            "as dense, silent on these tokens, and pushed equally far. Specificity is their "
            "difference. KL says how much else changes.",
        ),
    ]


def left(
    tables: Report, shown: Sequence[Mapping[str, Any]], kinds: Mapping[int, str]
) -> list[Sentence]:
    """Features that were not interpretable, of those drawn and of all that were judged."""
    none = [one for one in shown if one["kind"] in (None, "none")]
    counts = {kind: list(kinds.values()).count(kind) for kind in KINDS}
    parts = [
        [number(n, "concepts.parquet: kind"), f" of {KINDS[kind]}"]
        for kind, n in counts.items()
        if n
    ]
    names = ", ".join(f"#{one['feature']}" for one in none)
    first = (
        sentence(
            number(len(none), "hooks/features.parquet with concepts.parquet: kind"),
            f" of {len(shown)} drawn features have no interpretation here ({names}): no concept, "
            "no form and no related words fit the words on which they are strongest, or these are "
            "too few.",
        )
        if none
        else sentence("Each of the drawn features has an interpretation.")
    )
    whole = sentence(
        "Of all ",
        number(len(kinds), "concepts.parquet: rows"),
        " features of the cell that could be judged, by kind: ",
        *listed(parts),
        ".",
    )
    return [first, whole] if parts else [first]


def settings_of(sae: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The settings of an SAE, for a list."""
    plain = {name: value for name, value in sae.items() if name not in ("settings", "source")}
    return [
        (name, general(value))
        for name, value in {**plain, **(sae.get("settings") or {})}.items()
        if value is not None
    ]
