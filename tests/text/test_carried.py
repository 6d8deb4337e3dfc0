"""Words in carrier sentences: rows, labels, and the tokens of the word in each sentence."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mistaken import changed, told
from saegrid.evidence.probes.labelled import carried, words
from saegrid.text import tokenizer
from saegrid.text.corpora.items import items
from saegrid.text.corpora.rows import CorpusError
from saegrid.text.tokens import tokens

TOY = Path(__file__).parents[2] / "resources/toy/model"
TEMPLATES = ["I saw the {word} today.", "{word}, said the cat.", "the cat and the {word}"]


def source_of(tmp_path, names=("cat", " pizza", "Xylophone"), **settings):
    with (tmp_path / "names.csv").open("w", newline="") as file:
        kinds = ["animal" if i % 2 else "other" for i in range(len(names))]
        csv.writer(file).writerows(
            [("n", "name", "kind"), *zip(range(len(names)), names, kinds, strict=True)]
        )
    own = {"kind": "carried", "of": "csv", "files": {"all": str(tmp_path / "names.csv")}}
    columns, labels = {"id": "n", "text": "name"}, {"kind": "text"}
    return {**own, "columns": columns, "labels": labels, "templates": TEMPLATES, **settings}


def test_each_word_stands_in_every_template_and_its_sentences_are_one_group(tmp_path):
    table = items(source_of(tmp_path)).table
    assert table["edited"].to_pylist()[:4] == [
        "I saw the cat today.",
        "cat, said the cat.",
        "the cat and the cat",
        "I saw the pizza today.",
    ]
    assert table["word"].to_pylist() == ["cat"] * 3 + ["pizza"] * 3 + ["Xylophone"] * 3
    assert table["template"].to_pylist() == TEMPLATES * 3
    assert table["kind"].to_pylist() == ["other"] * 3 + ["animal"] * 3 + ["other"] * 3
    assert table["id"].to_pylist()[:4] == ["0-1", "0-2", "0-3", "1-1"]
    assert table["group"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    numbered = source_of(tmp_path, columns={"id": None, "text": "name"})
    assert items(numbered).table["id"].to_pylist() == [str(i) for i in range(1, 10)]


def test_the_tokens_of_the_word_are_found_in_each_sentence(tmp_path):
    table, encoder = items(source_of(tmp_path)).table, tokenizer.load(TOY)
    rows = tokens(table, None, encoder, "headline", "difference").tokens
    text, item = np.array(rows["text"].to_pylist()), rows["item"].to_numpy()
    special = rows["special"].to_numpy(zero_copy_only=False)
    every = [np.flatnonzero((item == i) & ~special) for i in range(table.num_rows)]
    found = ["".join(text[own]) for own in carried(table, rows, every)]
    # The second cat of a sentence is not the word.
    assert found[:3] == [" cat", "cat", " cat"] and found[3] == " pizza"
    assert [len(own) for own in carried(table, rows, every)][2] == 1
    assert carried(table, rows, every)[2][0] == every[2][-1]
    # The blank before it is a token of its own there, and none of the word's.
    assert found[6:] == ["Xylophone"] * 3


def test_sentences_of_one_word_are_one_type_in_one_fold(tmp_path):
    names = [f"{first}{last}" for first in "abcdef" for last in ("at", "ow")]
    table, encoder = items(source_of(tmp_path, names)).table, tokenizer.load(TOY)
    rows, spans, _ = tokens(table, None, encoder, "headline", "difference")
    settings = {"corpus": "names", "label": "kind", "classes": None, "type": None, "folds": 3}
    kept = np.ones(table.num_rows, bool)
    made, _ = words((table, rows, spans), kept, [], settings | {"seed": 0, "carried": True})
    assert made["text"].to_pylist() == [name for name in names for _ in TEMPLATES]
    kind, fold = made["type"].to_numpy(), made["fold"].to_numpy()
    assert len(set(kind)) == 12
    assert all(len(set(fold[kind == one])) == 1 for one in set(kind))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"of": None}, "of: a source of kind carried needs the kind of the words"),
        ({"templates": []}, "templates: a source of kind carried needs sentences with {word}"),
        ({"templates": ["a {word} {word}"]}, "templates: a sentence must hold {word} once; 'a"),
        ({"columns": {"text": "word"}}, "columns: word and template are names of labels that"),
        (
            {"columns": {"original": "name", "edit": "kind"}},
            "columns: words are plain text: map `text`",
        ),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(tmp_path, change, message):
    with pytest.raises(CorpusError) as problem:
        items(source_of(tmp_path, **change))
    assert str(problem.value).startswith(message)


def test_a_config_is_told_of_them():
    messages = told(changed(corpora__headlines__source__kind="carried"))
    assert any(
        m.startswith("corpora.headlines.source.templates: a source of kind carried needs")
        for m in messages
    )
