"""Steering with the features of a cell: choice, doses and texts, as tables."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features
from saegrid.interventions import choice, choice_table, dose, dose_table, headline
from saegrid.interventions.arms import Settings, arms_of, place_of
from saegrid.interventions.generate import check_prompts
from saegrid.interventions.live import InterventionError, Live
from saegrid.interventions.prompts import (
    CHOOSE,
    DOSE,
    REPORT,
    Texts,
    own_words,
    pool,
    split,
)
from saegrid.models.load import Loaded
from saegrid.text.tokenizer import Encoder


class Steered(NamedTuple):
    """The tables of a cell."""

    choice: pa.Table
    """`choice_table.SCHEMA`."""
    doses: pa.Table
    """`dose_table.SCHEMA`."""
    texts: pa.Table
    """`dose_table.TEXTS`."""
    summary: pa.Table
    """`headline.SCHEMA`."""
    facts: dict[str, str]
    """Counts in words, and definitions of columns by name."""


def neutral_texts(part: Texts, prompts: int, n: int, length: int) -> list[list[int]]:
    """The beginnings of n texts behind those that prompts are from, of one length: at most
    `length`, and the median's where texts are shorter."""
    rows = part.rows[prompts : prompts + 4 * n]
    length = min(length, int(np.median([len(row) for row in rows])))
    return [row[:length] for row in rows if len(row) >= length][:n]


def steer_cell(
    model: Loaded,
    live: Live,
    features: Features,
    tokens: pa.Table,
    x: np.ndarray,
    token: np.ndarray,
    encoder: Encoder,
    settings: Mapping[str, Any],
) -> Steered:
    """Steering with the features of a cell.

    Args:
        model: a causal model.
        live: the cell's SAE.
        features: its codes on the corpus, from which words and maxima are.
        tokens: tokens.parquet of the corpus.
        x, token: captured activations (token, channel) of the site that the SAE writes, and their
            token indices.
        encoder: the model's tokenizer.
        settings: the section `steering` of the config.

    Raises:
        InterventionError: the model cannot generate, or there are too few texts or features.
    """
    s, length = settings, settings["length"]
    needed = max(s["choose_prompts"], s["dose_prompts"] + s["texts"], s["prompts"] + s["texts"])
    parts = split(tokens, s["seed"], length, needed)
    check_prompts(model, parts[REPORT].prompts(s["prompts"], length), s["new"])
    own = own_words(features, tokens, s["common"])
    among = pool(own)
    if len(among) < 2:
        raise InterventionError(
            f"analyses.steering: of {len(own)} features of the SAE at {live.site} that fire on 20 "
            f"tokens or more, {len(among)} fire on whole content words; two are needed. Give a "
            "larger corpus, or raise common."
        )
    prompts = parts[CHOOSE].prompts(s["choose_prompts"], length)
    scores = choice.scores(model, live, own, among, prompts, s["strength"])
    coherence = np.array([choice.meaning(model, own[f].targets) for f in among])
    groups, controls = choice.choose(own, among, scores, coherence, s["features"])
    chosen = choice.table(own, among, scores, coherence, groups, controls)
    place = place_of(x, token, tokens["token_id"].to_numpy(), own, list(controls))
    of = Settings(s["doses"], s["seeds"], s["new"], s["temperature"], s["template"])

    def encode(text: str) -> list[int]:
        return encoder.encode([text]).ids.tolist()

    def decode(ids: list[int]) -> str:
        return encoder.tokenizer.decode(ids, skip_special_tokens=True)

    arms = arms_of(own, list(controls), controls, live, place, of, encode)
    tables = []
    for name, n in ((DOSE, s["dose_prompts"]), (REPORT, s["prompts"])):
        neutral = neutral_texts(parts[name], n, s["texts"], s["text_length"])
        begun = parts[name].prompts(n, length)
        tables.append(dose.measure(model, live, name, arms, begun, neutral, own, of, decode))
    doses, texts = (pa.concat_tables(some) for some in zip(*tables, strict=True))
    facts = choice_table.DEFINITIONS | dose_table.DEFINITIONS
    facts |= {f"summary {name}": words for name, words in headline.DEFINITIONS.items()}
    facts["counts"] = (
        f"{len(own)} features fire on 20 tokens or more, {len(among)} of them on whole content "
        f"words; {len(controls)} chosen, {len(arms)} arms, {texts.num_rows} texts"
    )
    return Steered(chosen, doses, texts, headline.summary(doses, chosen, s["seed"]), facts)
