"""Tokenizers, tokens and spans on small handmade tokenizers, and laws of the tables."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from saegrid.base import registry
from saegrid.text.layouts import LAYOUTS
from saegrid.text.layouts.placement import Plan
from saegrid.text.tokenizer import Encoder, Special, load
from saegrid.text.tokens import Tokens, remarks, tokens
from saegrid.text.wrapped import Around

END = "<|endoftext|>"


def save(folder: Path, tokenizer: Tokenizer, **settings: object) -> Path:
    """A tokenizer folder."""
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def byte_tokenizer() -> Tokenizer:
    """Every byte a token, as GPT-2 would without merges; BOS and EOS are one."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([END])
    return tokenizer


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GPT-2's ways: a byte a token, BOS equal to EOS, no post-processor."""
    folder = tmp_path_factory.mktemp("gpt2")
    return save(folder, byte_tokenizer(), bos_token={"content": END}, eos_token=END)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BERT's ways: lower case, word pieces, [CLS] and [SEP], a file that pads and truncates."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "sheep", "dog", "##s", "run", "a", "[", "]", "sep"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]"])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    folder = tmp_path_factory.mktemp("bert")
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    return save(folder, tokenizer, **names)


def table(*pairs: tuple[str | None, str], edit: str | None = None) -> pa.Table:
    """An items table; equal originals are one group."""
    originals = [original for original, _ in pairs]
    groups: dict[str, int] = {}
    keys = [edited if original is None else original.strip() for original, edited in pairs]
    return pa.table(
        {
            "item": pa.array(range(len(pairs)), pa.int32()),
            "id": [f"n{number}" for number in range(len(pairs))],
            "original": pa.array(originals, pa.string()),
            "edited": [edited for _, edited in pairs],
            "edit": pa.array([edit] * len(pairs), pa.string()),
            "group": pa.array([groups.setdefault(key, len(groups)) for key in keys], pa.int32()),
        }
    )


def columns(found: pa.Table, *names: str) -> list[tuple]:
    return list(zip(*(found[name].to_pylist() for name in names), strict=True))


# Tokenizers


def test_gpt2_opens_rows_with_its_one_special(gpt2: Path) -> None:
    encoder = load(gpt2)
    end = Special(256, END)
    assert (encoder.prefix, encoder.suffix, encoder.eos, encoder.pad) == ((end,), (), end, end)
    assert encoder.special_ids == [256]
    assert load(gpt2, bos=False).prefix == ()
    assert load(gpt2 / "tokenizer.json", bos=True).prefix == (end,)


def test_bert_closes_rows_and_its_file_neither_cuts_nor_pads(bert: Path) -> None:
    encoder = load(bert)
    assert (encoder.prefix, encoder.suffix) == ((Special(2, "[CLS]"),), (Special(3, "[SEP]"),))
    assert (encoder.eos, encoder.pad) == (None, Special(0, "[PAD]"))
    assert encoder.encode(["Dogs run a sheep"]).ids.tolist() == [5, 6, 7, 8, 4]
    assert load(bert, bos=True).prefix == encoder.prefix
    assert load(bert, bos=False).prefix == ()
    assert load(bert, ids={"bos": 8}).prefix == (Special(8, "a"),)


def test_ids_from_settings_and_from_the_model_win_in_this_order(tmp_path: Path) -> None:
    folder = save(tmp_path, byte_tokenizer())
    assert load(folder).prefix == ()
    (folder / "config.json").write_text(json.dumps({"bos_token_id": 256, "eos_token_id": [256, 9]}))
    assert load(folder).prefix == (Special(256, END),)
    assert load(folder).eos == Special(256, END)
    assert load(folder, ids={"bos": 0}).prefix == (Special(0, "!"),)


def test_a_name_that_the_vocabulary_does_not_have_is_told(tmp_path: Path) -> None:
    """The role has no token then, whatever config.json gives, and nobody guesses one in silence."""
    folder = save(tmp_path, byte_tokenizer(), bos_token="<s>", eos_token=END, pad_token="[PAD]")
    (folder / "config.json").write_text(json.dumps({"bos_token_id": 256}))
    encoder = load(folder)
    assert encoder.prefix == () and encoder.absent == {"bos_token": "<s>", "pad_token": "[PAD]"}
    found = tokens(table((None, "ab")), None, encoder, "headline", "difference")
    assert found.facts["absent"] == encoder.absent
    told = [line for line in remarks(found.facts) if "vocabulary" in line]
    assert told == [
        f"the tokenizer's files name {name!r} as {key}, which its vocabulary does not have; "
        "there is no such token here"
        for key, name in encoder.absent.items()
    ]
    assert encoder.describe().endswith("; ".join(told))
    given = load(folder, ids={"bos": 0, "pad": 1})
    found = tokens(table((None, "ab")), None, given, "headline", "difference")
    assert "absent" not in found.facts


def test_a_special_written_in_a_text_is_text(gpt2: Path) -> None:
    encoded = load(gpt2).encode([END])
    assert encoded.ids.max() < 256
    assert len(encoded.ids) == len(END)


def test_ends_that_fall_are_made_to_ascend(gpt2: Path) -> None:
    class Encoding(NamedTuple):
        ids: list[int]
        offsets: list[tuple[int, int]]

        def __len__(self) -> int:
            return len(self.ids)

    class Falling:
        """A tokenizer that goes back in a text."""

        def encode_batch(self, texts: list[str], add_special_tokens: bool) -> list[Encoding]:
            assert not add_special_tokens
            return [Encoding([1, 2, 3], [(0, 2), (0, 1), (2, 3)]) for _ in texts]

    encoded = load(gpt2)._replace(tokenizer=Falling()).encode(["abc", "xyz"])
    assert encoded.ends.tolist() == [2, 2, 3, 2, 2, 3]
    assert encoded.cut(["abc", "xyz"]) == ["ab", "", "c", "xy", "", "z"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bos": "yes"}, "bos: must be auto, true or false; got 'yes'."),
        (
            {"bos": True},
            "bos: true needs a BOS token, which {folder} does not name: set bos_token in "
            "tokenizer_config.json, or take `bos: auto`.",
        ),
        (
            {"ids": {"boss": 1}},
            "ids: a special token is one of bos, eos, cls, sep, pad; got 'boss'.",
        ),
        (
            {"ids": {"bos": 900}},
            "ids: bos must be a token id of the tokenizer, which has 257 tokens; got 900.",
        ),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict, message: str) -> None:
    folder = save(tmp_path, byte_tokenizer())
    with pytest.raises(ValueError) as caught:
        load(folder, **settings)
    assert str(caught.value) == message.format(folder=folder)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"tokenizer: {tmp_path / 'tokenizer.json'} is missing. A tokenizer is a folder that holds "
        "tokenizer.json, or that file."
    )


# The layout `headline`


@pytest.fixture(scope="module")
def three(gpt2: Path) -> Tokens:
    """Two edits of one headline and one of another, a byte a token."""
    items = table(("ab c", "ax c"), ("ab c", "ab yz"), ("q", "é"))
    return tokens(items, None, load(gpt2), "headline", "difference")


def test_headline_rows(three: Tokens) -> None:
    found = columns(three.tokens, "row", "position", "text", "side", "group", "item")
    assert found[:5] == [
        (0, 0, END, "edited", 0, 0),
        (0, 1, "a", "edited", 0, 0),
        (0, 2, "x", "edited", 0, 0),
        (0, 3, " ", "edited", 0, 0),
        (0, 4, "c", "edited", 0, 0),
    ]
    assert found[11:14] == [
        (2, 0, END, "edited", 1, 2),
        (2, 1, "é", "edited", 1, 2),
        (2, 2, "", "edited", 1, 2),
    ]
    assert found[14:] == [
        (3, 0, END, "original", 0, -1),
        (3, 1, "a", "original", 0, -1),
        (3, 2, "b", "original", 0, -1),
        (3, 3, " ", "original", 0, -1),
        (3, 4, "c", "original", 0, -1),
        (4, 0, END, "original", 1, -1),
        (4, 1, "q", "original", 1, -1),
    ]
    assert np.flatnonzero(three.tokens["in_edit"].to_numpy()).tolist() == [2, 9, 10, 12, 13]
    assert np.flatnonzero(three.tokens["special"].to_numpy()).tolist() == [0, 5, 11, 14, 19]


def test_headline_spans(three: Tokens) -> None:
    assert columns(three.spans, *three.spans.column_names) == [
        (0, "edited", 0, 1, 5, 2, 3),
        (0, "original", 3, 1, 5, 2, 3),
        (1, "edited", 1, 1, 6, 4, 6),
        (1, "original", 3, 1, 5, 4, 5),
        (2, "edited", 2, 1, 3, 1, 3),
        (2, "original", 4, 1, 2, 1, 2),
    ]


def test_schemas(three: Tokens) -> None:
    side = pa.dictionary(pa.int8(), pa.string())
    number, flag = pa.int32(), pa.bool_()
    kinds = [number, number, number, pa.string(), side, number, number, flag, flag]
    names = ["row", "position", "token_id", "text", "side", "group", "item", "special", "in_edit"]
    assert three.tokens.schema == pa.schema(list(zip(names, kinds, strict=True)))
    names = ["item", "side", "row", "start", "stop", "edit_start", "edit_stop"]
    assert three.spans.schema == pa.schema(
        [(name, side if name == "side" else number) for name in names]
    )


def test_facts(three: Tokens) -> None:
    counted = {
        "items": 3,
        "pairs": 3,
        "tokens_mean": 11 / 3,
        "tokens_max": 5,
        "masked_edited": 5,
        "masked_original": 3,
        "token_lengths": {"2": 1, "4": 1, "5": 1},
        "edit_lengths": {"1": 1, "2": 2},
    }
    assert three.facts == {
        "layout": "headline",
        "mask": "difference",
        "rows": 5,
        "positions": 21,
        "specials": 5,
        "opening": {
            "tokens": [END],
            "ids": [256],
            "because": "the tokenizer's files name it as bos_token; transformers by itself puts "
            "none there",
        },
        "closing": {"tokens": [], "ids": [], "because": "its post-processor puts none"},
        "padding": {
            "tokens": [],
            "ids": [],
            "because": "the tokenizer names none; rows are not padded",
        },
        "special_in_texts": {"are": "plain", "texts": 0, "counts": {}},
        "masked": {"made": 5, "in_rows": 5, "special": 0, "tail": 0},
        "set_aside": [],
        "all": counted,
        "kept": counted,
    }
    json.dumps(three.facts)


def test_bert_rows_end_with_sep(bert: Path) -> None:
    found = tokens(table(("a dog", "A Sheep ")), None, load(bert), "headline", "difference").tokens
    assert columns(found, "position", "text", "special", "in_edit") == [
        (0, "[CLS]", True, False),
        (1, "A", False, False),
        (2, " Sheep ", False, True),
        (3, "[SEP]", True, False),
        (0, "[CLS]", True, False),
        (1, "a", False, False),
        (2, " dog", False, False),
        (3, "[SEP]", True, False),
    ]


def test_a_special_that_a_text_yields_is_neither_counted_nor_in_an_edit(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"<s>": 0, "a": 1, "b": 2}, unk_token="b"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    encoder = load(save(tmp_path, tokenizer, bos_token="<s>"))
    found = tokens(table(("a b", "a <s> a")), None, encoder, "headline", "difference")
    assert columns(found.tokens, "text", "special", "in_edit")[:4] == [
        ("<s>", True, False),
        ("a", False, False),
        (" <s>", True, False),
        (" a", False, True),
    ]
    assert found.facts["masked"] == {"made": 2, "in_rows": 2, "special": 1, "tail": 0}


def test_plain_texts_and_an_empty_edit(gpt2: Path) -> None:
    items = table((None, "abc"), ("axb", "ab"))
    found = tokens(items, None, load(gpt2, bos=False), "headline", "difference")
    assert columns(found.tokens, "text", "side", "item", "in_edit")[:4] == [
        ("a", "plain", 0, False),
        ("b", "plain", 0, False),
        ("c", "plain", 0, False),
        ("a", "edited", 1, False),
    ]
    assert columns(found.spans, "item", "side", "start", "stop", "edit_start", "edit_stop") == [
        (0, "plain", 0, 3, 0, 0),
        (1, "edited", 0, 2, 1, 1),
        (1, "original", 0, 3, 1, 2),
    ]
    assert found.facts["all"]["pairs"] == 1
    assert found.facts["all"]["edit_lengths"] == {"0": 1}


def test_the_filter_counts_but_does_not_move_headline_rows(gpt2: Path) -> None:
    items = table(("ab", "xb"), ("cd", "cyy"))
    every = tokens(items, None, load(gpt2), "headline", "difference")
    some = tokens(items, np.array([False, True]), load(gpt2), "headline", "difference")
    assert some.tokens.equals(every.tokens)
    assert some.spans.equals(every.spans)
    assert (some.facts["kept"]["items"], some.facts["kept"]["masked_edited"]) == (1, 2)


def test_originals_of_a_group_with_other_blanks_are_rows_of_their_own(gpt2: Path) -> None:
    items = table(("a b", "a x"), ("a b ", "y b "), ("a b", "a z"))
    found = tokens(items, None, load(gpt2), "headline", "difference")
    original = found.spans["side"].to_numpy(zero_copy_only=False) == "original"
    assert found.spans["row"].to_numpy()[original].tolist() == [3, 4, 3]


# The layout `packed`


@pytest.fixture(scope="module")
def stream(gpt2: Path) -> Tokens:
    """Rows of 5 cut from `. abc . xyz . r .`, the second item not kept."""
    items = table(("abd", "abc"), ("zz", "zy"), ("xy", "xyz"), ("q", "r"))
    kept = np.array([True, False, True, True])
    return tokens(items, kept, load(gpt2), "packed", "difference", row_length=5)


def test_packed_rows(stream: Tokens) -> None:
    found = columns(stream.tokens, "row", "text", "item", "group", "special", "in_edit")
    dot = (END, -1, -1, True, False)
    assert [entry[1:] for entry in found[:10]] == [
        dot,
        dot,
        ("a", 0, 0, False, False),
        ("b", 0, 0, False, False),
        ("c", 0, 0, False, True),
        dot,
        (END, 0, 0, True, False),
        ("x", 2, 2, False, False),
        ("y", 2, 2, False, False),
        ("z", 2, 2, False, True),
    ]
    assert [entry[1] for entry in found[10:]] == [END, *"abd", END, *"xy", END, "q"]
    assert {entry[0] for entry in found[10:]} == {2, 3, 4}


def test_packed_spans_leave_out_the_tail_and_what_is_not_kept(stream: Tokens) -> None:
    assert columns(stream.spans, *stream.spans.column_names) == [
        (0, "edited", 0, 2, 5, 4, 5),
        (0, "original", 2, 1, 4, 3, 4),
        (2, "edited", 1, 2, 5, 4, 5),
        (2, "original", 3, 1, 3, 3, 3),
        (3, "original", 4, 1, 2, 1, 2),
    ]


def test_packed_facts(stream: Tokens) -> None:
    facts = stream.facts
    assert facts["masked"] == {"made": 3, "in_rows": 2, "special": 0, "tail": 1}
    assert (facts["packed_rows"], facts["packed_positions"]) == (2, 10)
    assert (facts["stream"], facts["stream_dropped"]) == (11, 3)
    assert (facts["rows"], facts["positions"]) == (5, 19)
    assert (facts["all"]["items"], facts["kept"]["items"]) == (4, 3)


def test_a_text_cut_by_a_row_end_has_two_spans(gpt2: Path) -> None:
    items = table(("a1234g", "axyzwg"))
    found = tokens(items, None, load(gpt2), "packed", "difference", row_length=4).spans
    assert columns(found, "side", "row", "start", "stop", "edit_start", "edit_stop") == [
        ("edited", 0, 2, 4, 3, 4),
        ("edited", 1, 1, 4, 1, 4),
        ("original", 2, 1, 7, 2, 6),
    ]


# Refusals


def test_texts_too_long_or_empty_are_refused_or_set_aside(gpt2: Path) -> None:
    items = table(("ab", "xb"), ("abcdef", "x"), (None, ""), ("ab", "abcde"), ("a" * 9, "b" * 9))
    encoder = load(gpt2)
    with pytest.raises(ValueError) as caught:
        tokens(items, None, encoder, "headline", "difference", max_length=5)
    assert str(caught.value) == (
        "4 item(s) cannot be model input; the first is 'n1': the original text takes 7 positions, "
        "max_length 5. Shorten or leave out its text, or raise max_length of the corpus, to the "
        "model's context at most."
    )
    found = tokens(
        items, None, encoder, "headline", "difference", max_length=5, too_long="set_aside"
    )
    assert found.facts["set_aside"] == [
        {
            "item": 1,
            "id": "n1",
            "reason": "the original text takes 7 positions, max_length 5",
        },
        {"item": 2, "id": "n2", "reason": "the plain text has no token"},
        {"item": 3, "id": "n3", "reason": "the edited text takes 6 positions, max_length 5"},
        {"item": 4, "id": "n4", "reason": "the edited text takes 10 positions, max_length 5"},
    ]
    assert columns(found.spans, "item", "side") == [(0, "edited"), (0, "original")]
    assert found.facts["all"]["items"] == 1
    assert found.facts["rows"] == 2


def test_packed_asks_only_originals_to_be_short(gpt2: Path) -> None:
    found = tokens(
        table(("a", "bcdefgh")),
        None,
        load(gpt2),
        "packed",
        "difference",
        row_length=4,
        max_length=4,
    )
    assert found.facts["set_aside"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"layout": "headlines"},
            "layout 'headlines' is unknown. Did you mean 'headline'? Known: headline, packed.",
        ),
        (
            {"mask": "mark"},
            "mask 'mark' is unknown. Did you mean 'marker'? Known: difference, marker.",
        ),
        ({"too_long": "drop"}, "too_long: must be error or set_aside; got 'drop'."),
        (
            {"layout": "packed", "row_length": 9, "max_length": 8},
            "row_length: 9 must not exceed the model's 8 positions.",
        ),
        (
            {"layout": "packed", "row_length": 9},
            "row_length: 9 must leave room for a text token and be filled at least once; the "
            "stream of 1 kept texts has 4 tokens. Take a smaller row_length, a wider filter or "
            "`layout: headline`.",
        ),
        ({"kept": np.ones(2, dtype=bool)}, "kept must have one entry for each of 1 items; got 2."),
        (
            {"items": table(("ab", "xb")).set_column(0, "item", [pa.array([1])])},
            "items: the column item must count 0 to 0; it does not.",
        ),
    ],
)
def test_wrong_arguments_are_named(gpt2: Path, settings: dict, message: str) -> None:
    given = {"items": table(("ab", "xb")), "kept": None, "layout": "headline", "mask": "difference"}
    with pytest.raises(ValueError) as caught:
        tokens(encoder=load(gpt2), **(given | settings))
    assert str(caught.value) == message


def test_packed_without_eos_is_refused(bert: Path) -> None:
    with pytest.raises(ValueError) as caught:
        tokens(table(("a dog", "a run")), None, load(bert), "packed", "difference")
    assert str(caught.value) == (
        "layout: 'packed' joins texts by an EOS token, which this tokenizer does not name. Give "
        "its id as `ids: {eos: ...}` or take `layout: headline`."
    )


# Laws

text = st.text("ab é☃", min_size=1, max_size=6)
pairs = st.lists(st.tuples(st.none() | text, text), min_size=1, max_size=6)


def check_laws(found: Tokens, items: pa.Table) -> None:
    """The properties that hold in every layout."""
    words = found.tokens.to_pandas()
    assert not (words.special & words.in_edit).any()
    assert not (words.in_edit & (words.side != "edited")).any()
    rows, position = words.row.to_numpy(), words.position.to_numpy()
    opens = np.flatnonzero(position == 0)
    assert rows[opens].tolist() == list(range(found.facts["rows"]))
    assert (position == np.arange(len(rows)) - opens[rows]).all()
    in_spans = np.zeros(len(words), dtype=bool)
    for span in found.spans.to_pylist():
        assert span["start"] <= span["edit_start"] <= span["edit_stop"] <= span["stop"]
        piece = words[words.row == span["row"]].iloc[span["start"] : span["stop"]]
        assert not piece.special.any()
        assert (piece.side == span["side"]).all()
        assert (
            "".join(piece.text)
            in items["original" if span["side"] == "original" else "edited"][span["item"]].as_py()
        )
        if span["side"] == "edited":
            at = opens[span["row"]]
            in_spans[at + span["edit_start"] : at + span["edit_stop"]] = True
    assert (in_spans == words.in_edit).all()


@settings(deadline=None, max_examples=50)
@given(pairs, st.booleans())
def test_laws_of_headline(gpt2: Path, drawn: list, bos: bool) -> None:
    items = table(*drawn)
    found = tokens(items, None, load(gpt2, bos=bos), "headline", "difference")
    check_laws(found, items)
    words = found.tokens.to_pandas()
    joined = words[~words.special].groupby("row").text.sum().tolist()
    originals = {o: None for o in items["original"].to_pylist() if o is not None}
    assert joined[: len(drawn)] == items["edited"].to_pylist()
    assert sorted(joined[len(drawn) :]) == sorted(originals)


@settings(deadline=None, max_examples=50)
@given(pairs, st.booleans(), st.integers(3, 7), st.data())
def test_laws_of_packed(
    gpt2: Path, drawn: list, bos: bool, length: int, data: st.DataObject
) -> None:
    items, encoder = table(*drawn), load(gpt2, bos=bos)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn))))
    chosen = [pair[1] for pair, keep in zip(drawn, kept, strict=True) if keep]
    wanted = [256] * bos
    for one in chosen:
        wanted += [*encoder.encode([one]).ids.tolist(), 256]
    width = length - bos
    if len(wanted) < width:
        with pytest.raises(ValueError, match="must leave room"):
            tokens(items, kept, encoder, "packed", "difference", row_length=length)
        return
    found = tokens(items, kept, encoder, "packed", "difference", row_length=length)
    check_laws(found, items)
    count = found.facts["packed_positions"]
    rows = found.tokens["token_id"].to_numpy()[:count].reshape(-1, length)
    assert rows[:, bos:].ravel().tolist() == wanted[: len(wanted) // width * width]
    assert not bos or (rows[:, 0] == 256).all()
    assert count - found.facts["packed_rows"] * bos + found.facts["stream_dropped"] == len(wanted)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_numbers_rows_and_positions(name: str) -> None:
    numbers = np.arange(3)
    plan = Plan(np.array([0, 2, 5, 9]), numbers[:2], numbers[2:], numbers[:2], numbers[2:],
                (-1,), Around.same([-1], 3), Around.same([-2], 3), -2, 4)  # fmt: skip
    placed = registry.pick(LAYOUTS, name, "layout")(plan)
    assert len({len(array) for array in placed[:4]}) == 1
    assert (np.diff(placed.row) >= 0).all()
    assert placed.position[np.flatnonzero(np.diff(placed.row, prepend=-1))].tolist() == [0] * (
        placed.row[-1] + 1
    )
    inside = placed.source >= 0
    owner = np.searchsorted(plan.indptr, placed.source[inside], "right") - 1
    assert (owner == placed.text[inside]).all()


def test_batches_decide_nothing(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder: Encoder = load(gpt2)
    texts = ["é", "", "abc", "☃ x"]
    whole = encoder.encode(texts)
    monkeypatch.setattr("saegrid.text.tokenizer.BATCH", 1)
    for one, other in zip(whole, encoder.encode(texts), strict=True):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()
    assert whole.indptr.tolist() == [0, 2, 2, 5, 10]
