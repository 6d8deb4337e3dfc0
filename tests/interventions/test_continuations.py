"""Prompts continued by a model: one row a generated token, with what the token carried."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from saegrid.base.words import PROMPT, Site
from saegrid.capture.choice import captured_tokens
from saegrid.interventions import continuations as module
from saegrid.interventions.continuations import continuations
from saegrid.interventions.generate import generate
from saegrid.interventions.live import InterventionError
from saegrid.models.forward import capture
from saegrid.models.tiles import rows_of
from saegrid.text import tokenizer
from saegrid.text.tokens import tokens
from toys import toy_bert, toy_gpt2, toy_llama

TOY = Path(__file__).parents[2] / "resources/toy/model"
PROMPTS = ["The cake", "A goat saw the old mayor of the town, and", "x", "Voters reject the goat"]
HOW = {"new_tokens": 9, "temperature": 1.0, "stop": True, "seed": 3}
SITES = [Site(0, "A"), Site(1, "R")]
CHOICE = {"edited": True, "original": True, "context": "all", "seed": 0}


def quiet(line):
    pass


@pytest.fixture(scope="module")
def encoder():
    return tokenizer.load(TOY)


def model_of(kind=toy_llama):
    return kind(vocab=2100, context=64)


def rows_in(table):
    ids = table["token_id"].to_pylist()
    bounds = np.searchsorted(table["item"].to_numpy(), np.arange(len(PROMPTS) + 1))
    return [ids[a:b] for a, b in pairwise(bounds)]


def items_of(texts):
    n = range(len(texts))
    nothing = pa.nulls(len(texts), pa.string())
    ids = {"item": pa.array(n, pa.int32()), "id": [str(i) for i in n], "original": nothing}
    return pa.table({**ids, "edited": texts, "edit": nothing, "group": pa.array(n, pa.int32())})


@pytest.mark.parametrize("kind", [toy_llama, toy_gpt2])
def test_captured_rows_are_what_the_tokens_carried_when_they_were_drawn(encoder, kind):
    """D12: one row a generated token, equal to what the cached pass saw of it."""
    model = model_of(kind)
    drawn = continuations(model, encoder, PROMPTS, HOW, quiet)
    table, spans, _ = tokens(
        *(items_of(PROMPTS), None, encoder, "headline", "difference"), drawn=drawn
    )
    wanted = captured_tokens(table, spans, CHOICE)
    assert len(wanted) == drawn.num_rows > 20
    assert table["token_id"].take(pa.array(wanted)).equals(drawn["token_id"])
    prompts = [[0, *encoder.encode([text]).ids.tolist()] for text in PROMPTS]  # BOS first
    noise = [(item, 3) for item in range(len(PROMPTS))]
    more = {"temperature": 1.0, "noise": noise, "ends": encoder.special_ids, "sites": SITES}
    seen = generate(model, prompts, 9, **more)
    captured = capture(model, rows_of(table), wanted, SITES, quiet)
    lengths = [len(ids) for ids in rows_in(drawn)]
    for site in SITES:
        carried = torch.cat([x[:n] for x, n in zip(seen.x[site], lengths, strict=True)])
        torch.testing.assert_close(captured[site], carried, atol=1e-5, rtol=1e-5)
    side = table["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
    assert (side[wanted] != PROMPT).all() and (side == PROMPT).sum() == sum(map(len, prompts))


def test_the_same_tokens_are_drawn_alone_and_in_a_batch(encoder, monkeypatch):
    model = model_of()
    together = continuations(model, encoder, PROMPTS, HOW, quiet)
    monkeypatch.setattr(module, "ROWS", 1)
    alone = continuations(model, encoder, PROMPTS, HOW, quiet)
    assert together.equals(alone)
    other = continuations(model, encoder, PROMPTS, HOW | {"seed": 4}, quiet)
    assert not other["token_id"].equals(alone["token_id"])


def test_a_text_ends_before_a_special_token(encoder, monkeypatch):
    def drawn(model, prompts, new, **more):
        assert more["ends"] == [0, 1, 2]
        rows = [[5, 6, 1], [1], [7, 8, 9], [4]]
        places = [row for row, _ in more["noise"]]
        return type("Generated", (), {"rows": lambda self: [rows[row] for row in places]})()

    monkeypatch.setattr(module, "generate", drawn)
    table = continuations(model_of(), encoder, PROMPTS, HOW, quiet)
    assert rows_in(table) == [[5, 6], [], [7, 8, 9], [4]]
    assert table["step"].to_pylist() == [0, 1, 0, 1, 2, 0]


def test_a_text_goes_on_behind_a_special_token_where_it_is_to(encoder):
    """Each row has all its tokens then, and the special ones among them are not captured."""
    drawn = continuations(model_of(), encoder, PROMPTS, HOW | {"stop": False}, quiet)
    assert [len(ids) for ids in rows_in(drawn)] == [9] * len(PROMPTS)
    ids = pa.array(np.where(np.arange(36) % 9 == 4, 1, drawn["token_id"].to_numpy()), pa.int32())
    table, spans, _ = tokens(
        *(items_of(PROMPTS), None, encoder, "headline", "difference"),
        drawn=drawn.set_column(2, "token_id", ids),
    )
    assert len(captured_tokens(table, spans, CHOICE)) == 32


def test_what_cannot_be_continued_is_refused(encoder):
    with pytest.raises(InterventionError, match="cannot generate"):
        continuations(toy_bert(vocab=2100), encoder, PROMPTS, HOW, quiet)
    with pytest.raises(InterventionError, match="more than the 64 that toy llama takes"):
        continuations(model_of(), encoder, ["x " * 60], HOW, quiet)
