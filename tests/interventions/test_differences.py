"""Prompts with two tokens that may follow: from edits, from plain texts, and what gives none."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.base.errors import ConfigError
from saegrid.interventions.differences import BEST, REASONS, choose, facts
from toys import tokens_table

BOS = 1


def corpus(pairs, group=None):
    """The tables of pairs of texts, each a list of token texts with the edit's beginning and end.

    A text is ([tokens], start, stop); token ids are those of the texts.
    """
    ids: dict[str, int] = {}
    rows, sides, edits = [], [], []
    for side, number in (("edited", 0), ("original", 1)):
        for pair in pairs:
            tokens, start, stop = pair[number]
            rows.append([BOS, *(ids.setdefault(t, 3 + len(ids)) for t in tokens)])
            sides.append(side)
            edits.append((start + 1, stop + 1))
    tokens, spans = tokens_table(rows, sides, edits)
    names = {number: text for text, number in ids.items()}
    texts = [names.get(i, "<s>") for i in tokens["token_id"].to_pylist()]
    tokens = tokens.set_column(tokens.column_names.index("text"), "text", pa.array(texts))
    n = len(pairs)
    items = pa.array(np.tile(np.arange(n), 2), pa.int32())
    spans = spans.set_column(spans.column_names.index("item"), "item", items)
    return tokens, spans, np.arange(n) if group is None else np.array(group), ids


CHEF = ([" a", " chef", " ran"], 1, 2), ([" a", " dog", " ran"], 1, 2)


def test_an_edit_is_held_against_what_it_replaced():
    pair = ([" the", " old", " ch", "ef", " ran"], 2, 4), ([" the", " old", " dog", " ran"], 2, 3)
    tokens, spans, group, ids = corpus([pair])
    prompts, counts = choose(tokens, spans, group, None, 10)
    assert prompts.rows.ids.tolist() == [BOS, ids[" the"], ids[" old"]]
    assert prompts.special.tolist() == [True, False, False]
    assert (prompts.plus.tolist(), prompts.minus.tolist()) == ([ids[" ch"]], [ids[" dog"]])
    assert prompts.text == [" the old"]
    assert facts(counts) == {"items": {"usable": 1}}


LEFT_OUT = {
    "no word on one side of the edit, or too few tokens": (
        ([" a", " b"], 1, 1),
        ([" a", " c", " b"], 1, 2),
    ),
    "nothing before it but special tokens": (([" c", " b"], 0, 1), ([" d", " b"], 0, 1)),
    "more tokens before it than `longest`": (
        ([" a"] * 9 + [" c"], 9, 10),
        ([" a"] * 9 + [" d"], 9, 10),
    ),
    "other tokens before the edit than before what it replaced": (
        ([" a", " b", " c"], 2, 3),
        ([" a", " x", " d"], 2, 3),
    ),
    "both words begin with the same token": (([" un", "kind"], 1, 2), ([" un", "well"], 1, 2)),
    "a word begins with a lone blank": (([" a", " ", "Q"], 1, 3), ([" a", " dog"], 1, 2)),
}


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_what_gives_no_prompt_is_counted_by_its_reason(reason):
    tokens, spans, group, _ = corpus([CHEF, LEFT_OUT[reason]])
    prompts, counts = choose(tokens, spans, group, None, 10, longest=8)
    assert prompts.item.tolist() == [0]
    assert facts(counts) == {"items": {"usable": 1, reason: 1}}
    assert sum(counts.values()) == 2


def test_one_text_of_a_group_and_only_kept_ones():
    tokens, spans, group, _ = corpus([CHEF] * 5, [0, 0, 1, 1, 2])
    prompts, counts = choose(tokens, spans, group, np.array([1, 1, 1, 1, 0], bool), 10)
    assert sorted(group[prompts.item]) == [0, 1]
    assert facts(counts) == {
        "items": {"usable": 2, "not kept by the filter": 1, "its text has a prompt": 2}
    }
    assert set(counts) == set(REASONS)
    again, _ = choose(tokens, spans, group, np.array([1, 1, 1, 1, 0], bool), 1)
    assert again.item.tolist() == prompts.item[:1].tolist(), "fewer are the first of more"
    drawn = {tuple(choose(tokens, spans, group, None, 3, seed)[0].item) for seed in range(20)}
    assert len(drawn) > 5, "the seed decides"


def test_plain_text_is_cut_where_a_word_goes_on_or_begins():
    rows = [[BOS, *range(3, 3 + n)] for n in (12, 2, 1, 30)]
    tokens, spans = tokens_table(rows)
    prompts, counts = choose(tokens, spans, np.arange(4), None, 10, shortest=2, longest=9)
    assert facts(counts)["items"] == {"usable": 2, REASONS[2]: 2}
    assert sorted(prompts.item.tolist()) == [0, 3]
    assert prompts.minus.tolist() == [BEST, BEST]
    for number, item in enumerate(prompts.item.tolist()):
        ids = prompts.rows.ids[slice(*prompts.rows.starts[number : number + 2])].tolist()
        assert 3 <= len(ids) <= 9
        assert ids == rows[item][: len(ids)]
        assert prompts.plus[number] == rows[item][len(ids)]
    lengths = {
        len(choose(tokens, spans, np.arange(4), None, 10, seed, 2, 9)[0].rows.ids)
        for seed in range(20)
    }
    assert len(lengths) > 3, "the place is drawn"


def test_a_corpus_without_a_prompt_is_refused_in_one_sentence():
    tokens, spans, group, _ = corpus([LEFT_OUT["a word begins with a lone blank"]] * 2)
    with pytest.raises(ConfigError) as error:
        choose(tokens, spans, group, None, 10)
    assert str(error.value) == (
        "analyses.attribution: none of the 2 texts gives a prompt (a word begins with a lone "
        "blank: 2). Lower `shortest`, raise `longest`, or mend the filter."
    )


def test_prompts_are_taken_in_any_order():
    tokens, spans, group, _ = corpus([CHEF, *LEFT_OUT.values(), CHEF])
    prompts, _ = choose(tokens, spans, group, None, 2)
    turned = prompts.take([1, 0])
    assert turned.item.tolist() == prompts.item[::-1].tolist()
    assert turned.rows.starts.tolist() == [0, *np.cumsum(np.diff(prompts.rows.starts)[::-1])]
    back = turned.take([1, 0])
    assert np.array_equal(back.rows.ids, prompts.rows.ids)
    assert back.text == prompts.text
