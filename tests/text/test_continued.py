"""Prompts that a model continues: its ids stand in the rows as they are, on a side of their own."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mistaken import changed, told
from saegrid.capture.choice import captured_tokens
from saegrid.features.density import counted
from saegrid.meaning.vocabulary import occurrences_of
from saegrid.text import tokenizer
from saegrid.text.continued import DRAWN, drawn_texts, pieces_of
from saegrid.text.corpora.items import items
from saegrid.text.corpora.rows import CorpusError
from saegrid.text.tokens import tokens

TOY = Path(__file__).parents[2] / "resources/toy/model"
CHOICE = {"edited": True, "original": True, "context": "all", "seed": 0}


def source_of(tmp_path, **settings):
    """A source of two prompts."""
    with (tmp_path / "prompts.csv").open("w", newline="") as file:
        rows = [("id", "theme", "prompt"), ("a", "food", "The cake"), ("b", "news", "A goat saw")]
        csv.writer(file).writerows(rows)
    own = {"kind": "continued", "of": "csv", "files": {"all": str(tmp_path / "prompts.csv")}}
    columns, labels = {"id": "id", "text": "prompt"}, {"theme": "text"}
    return {**own, "columns": columns, "labels": labels, "new_tokens": 3, **settings}


def drawn(*rows):
    """A table of drawn tokens: ids of each item."""
    entries = [(i, k, token) for i, ids in enumerate(rows) for k, token in enumerate(ids)]
    return pa.table(dict(zip(DRAWN.names, zip(*entries, strict=True), strict=True)), DRAWN)


def test_prompts_are_items_with_their_labels_and_samples_are_one_group(tmp_path):
    table = items(source_of(tmp_path)).table
    assert table["edited"].to_pylist() == ["The cake", "A goat saw"]
    assert (table["id"].to_pylist(), table["theme"].to_pylist()) == (["a", "b"], ["food", "news"])
    twice = items(source_of(tmp_path, samples=2)).table
    assert twice["id"].to_pylist() == ["a-1", "a-2", "b-1", "b-2"]
    assert twice["group"].to_pylist() == [0, 0, 1, 1]
    numbered = items(source_of(tmp_path, samples=2, columns={"id": None, "text": "prompt"})).table
    assert numbered["id"].to_pylist() == ["1", "2", "3", "4"]


def test_what_was_drawn_is_not_tokenised_again(tmp_path):
    """Ids of `ca` + `ke` stay two tokens, though the tokenizer would read their text as one."""
    encoder, table = tokenizer.load(TOY), items(source_of(tmp_path)).table
    prompts = [encoder.encode([text]).ids.tolist() for text in table["edited"].to_pylist()]
    letters = encoder.encode([" ", "c", "a", "k", "e"]).ids.tolist()
    rows, spans, facts = tokens(
        *(table, None, encoder, "headline", "difference"), drawn=drawn(letters, [])
    )
    assert rows["token_id"].to_pylist() == [0, *prompts[0], *letters, 0, *prompts[1]]
    first = rows.filter(pa.compute.equal(rows["row"], 0))
    assert "".join(first["text"].to_pylist()) == "<|begin_of_text|>The cake cake"
    assert first["text"].to_pylist()[-5:] == [" ", "c", "a", "k", "e"]
    sides = first["side"].cast(pa.string()).to_pylist()
    assert sides == ["prompt"] * (1 + len(prompts[0])) + ["plain"] * 5
    assert spans["stop"].to_pylist() == [1 + len(prompts[0]) + 5, 1 + len(prompts[1])]
    assert facts["prompt_tokens"] == sum(map(len, prompts))


def test_one_row_is_captured_and_counted_a_drawn_token(tmp_path):
    encoder, table = tokenizer.load(TOY), items(source_of(tmp_path)).table
    ids = encoder.encode([" the cake melts", " bites"]).ids.tolist()
    rows, spans, _ = tokens(
        *(table, None, encoder, "headline", "difference"), drawn=drawn(ids[:3], ids[3:])
    )
    captured = captured_tokens(rows, spans, CHOICE)
    assert rows["token_id"].take(pa.array(captured)).to_pylist() == ids
    kept = np.ones(2, bool)
    count = counted(rows, kept, captured)
    assert np.flatnonzero(count.masked).tolist() == captured.tolist()
    assert (count.n_tokens, count.n_edit) == (len(ids), 0)
    assert "".join(drawn_texts(rows)) == " the cake melts bites"
    words = occurrences_of(rows, table, kept)
    assert list(words.word) == ["the", "cake", "melts", "bites"]


def test_a_character_of_several_tokens_is_the_text_of_the_last():
    encoder = tokenizer.load(TOY)
    prompt, new = encoder.encode(["a", " ü€."]).ids[:1].tolist(), encoder.encode([" ü€."]).ids
    pieces = pieces_of(prompt, new.tolist(), encoder.decode)
    assert "".join(pieces) == " ü€." and pieces == [" ", "", "ü", "", "", "€", "."]
    cut = pieces_of(prompt, new[:2].tolist(), encoder.decode)
    assert cut == [" ", "\ufffd"], "bytes that end too early are shown as such"


def test_tables_that_do_not_belong_together_are_refused(tmp_path):
    encoder, table = tokenizer.load(TOY), items(source_of(tmp_path)).table
    with pytest.raises(ValueError, match="continuations: items must ascend and be below 2"):
        tokens(*(table, None, encoder, "headline", "difference"), drawn=drawn([5], [5], [5]))
    with pytest.raises(CorpusError, match="columns: prompts are plain text"):
        items(source_of(tmp_path, columns={"original": "prompt", "edited": "prompt"}))


SOURCE = {
    "kind": "continued",
    "of": "csv",
    "files": {"all": "resources/hooks/prompts.csv"},
    "columns": {"id": "id", "text": "prompt"},
    "new_tokens": 8,
}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, None),
        ({"source": SOURCE | {"of": None}}, "source.of: a source of kind continued needs"),
        ({"source": SOURCE | {"new_tokens": None}}, "source.new_tokens: a source of kind contin"),
        (
            {"source": SOURCE | {"new_tokens": 256}},
            "source.new_tokens: rows have 256 tokens",
        ),
        ({"max_length": 8}, "source.new_tokens: rows have 8 tokens at most"),
        ({"source": SOURCE | {"temperature": 0}}, "source.temperature must be above 0; got 0."),
        ({"layout": "packed"}, "layout: the model continues a prompt as plain text in a row"),
        ({"source": SOURCE | {"kind": "csv"}}, "source.of: it says what a source of kind random"),
    ],
)
def test_a_mistake_is_one_sentence(settings, words):
    corpus = {"role": "main", "source": SOURCE} | settings
    problems = told(changed(corpora__headlines=corpus))
    assert len(problems) == bool(words), problems
    if words:
        assert problems[0].startswith(f"corpora.headlines.{words}")


def test_surveyed_layers_are_those_of_the_model():
    (problem,) = told(changed(survey__layers=[0, 32]))
    assert problem.startswith("survey.layers: layers [32] are not in the model, which has the")
