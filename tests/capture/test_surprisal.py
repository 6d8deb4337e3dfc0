"""Surprisal: by hand, against a plain pass of single rows, and the same bytes in any company."""

import shutil
from itertools import pairwise
from math import log

import numpy as np
import pyarrow as pa
import pytest
import torch

from saegrid.capture import surprisal
from saegrid.capture.surprisal import NOTHING, SCHEMA, surprisals, surprisals_of
from saegrid.models import FAMILIES, family_of
from saegrid.models.forward import CaptureError
from saegrid.models.load import load
from saegrid.models.tiles import rows_of
from toys import TOYS, random_rows, save, tokens_table, toy_bert, toy_gpt2, toy_llama

LENGTHS = [9, 3, 17, 9, 1, 2, 24, 9, 40]
CAUSAL = [name for name in sorted(FAMILIES) if family_of({"model_type": name}).causal]


def quiet(line):
    pass


def some_rows(lengths=LENGTHS):
    """Rows, and every token that is not the first of its row."""
    rows = rows_of(tokens_table(random_rows(lengths))[0])
    return rows, np.setdiff1d(np.arange(len(rows.ids)), rows.starts)


def plainly(model, rows, wanted):
    """One row at a time through transformers' own model, softmax in float64."""
    nats = np.full(len(rows.ids), np.nan)
    for start, stop in pairwise(rows.starts):
        ids = torch.from_numpy(rows.ids[start:stop])
        with torch.inference_mode():
            log_p = model.model(input_ids=ids[None]).logits[0].double().log_softmax(-1)
        nats[start + 1 : stop] = -log_p[:-1].gather(1, ids[1:, None])[:, 0].numpy()
    return nats[wanted]


def settings_of(model, folder):
    return {"path": str(save(model, folder)), "dtype": str(model.dtype).removeprefix("torch.")}


def tables(rows, sides, edits, **columns):
    """Tokens and spans; columns of the spans are put in place of those by row."""
    tokens, spans = tokens_table(rows, sides, edits)
    return tokens, pa.table(
        {**dict(zip(spans.column_names, spans.columns, strict=True)), **columns}
    )


# --- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vocab", [64, 100])
def test_a_uniform_model_gives_log_v_to_every_token(vocab, tmp_path, monkeypatch):
    # No edit reaches the output of such a model.
    monkeypatch.setattr(surprisal, "check", lambda model: None)
    model = toy_llama(vocab=vocab)
    model.model.get_output_embeddings().weight.zero_()
    tokens, spans = tables(
        [[1, 5, 9, 7, 8], [1, 5, 6, 7], [1, 3, 4]],
        ["edited", "original", "plain"],
        [(2, 4), (2, 3), (0, 0)],
        item=pa.array([0, 0, 1], pa.int32()),
    )
    settings = settings_of(model, tmp_path / "model")
    result = surprisals_of(settings, tokens, spans, tmp_path / "store", say=quiet)
    assert result.table.schema.equals(SCHEMA)
    assert result.table.select(["item", "side", "n_tokens"]).to_pydict() == {
        "item": [0, 0, 1],
        "side": ["edited", "original", "plain"],
        "n_tokens": [2, 1, 2],
    }
    per = log(vocab)
    assert result.table["surprisal"].to_pylist() == pytest.approx([2 * per, per, 2 * per])
    assert result.table["mean"].to_pylist() == pytest.approx([per] * 3)
    assert result.table["first"].to_pylist() == pytest.approx([per] * 3)
    assert result.facts["because"] == ""


def test_a_bigram_model_gives_its_logits():
    """Without blocks the token before alone counts: logits by hand of embedding, norm and head."""
    model = toy_llama(layers=1, d=8, heads=2, vocab=5)
    for name, parameter in model.blocks[0].named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            parameter.zero_()
    rows = rows_of(tokens_table([[1, 3, 4, 2]])[0])
    x = model.body.embed_tokens.weight.double().numpy()
    normed = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6)
    logits = (
        normed
        * model.body.norm.weight.double().numpy()
        @ (model.model.lm_head.weight.double().numpy().T)
    )
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = [-log(p[1, 3]), -log(p[3, 4]), -log(p[4, 2])]
    assert surprisals(model, rows, np.array([1, 2, 3]), quiet) == pytest.approx(expected, abs=1e-5)


def test_a_span_without_a_token_or_behind_nothing_has_no_number(tmp_path):
    """An empty edit, one of the first token of a row without BOS, a text that begins its row."""
    tokens, spans = tables(
        [[5, 9, 7], [5, 9, 7], [5, 9, 7], [4, 3]],
        ["edited", "edited", "edited", "plain"],
        [(1, 1), (0, 2), (1, 3), (0, 0)],
        start=pa.array([0] * 4, pa.int32()),
    )
    tokens = tokens.set_column(
        tokens.column_names.index("special"), "special", pa.array([False] * tokens.num_rows)
    )
    settings = settings_of(toy_llama(), tmp_path / "model")
    table = surprisals_of(settings, tokens, spans, tmp_path / "store", say=quiet).table.to_pydict()
    assert table["n_tokens"] == [0, 2, 2, 2]
    for column in ("surprisal", "mean", "first"):
        assert [value is None for value in table[column]] == [True, True, False, True], column


def test_special_tokens_in_a_span_are_left_out(tmp_path):
    tokens, spans = tables([[1, 5, 2, 7]], ["edited"], [(1, 4)])
    special = pa.array([True, False, True, False])
    tokens = tokens.set_column(tokens.column_names.index("special"), "special", special)
    model = toy_llama()
    settings = settings_of(model, tmp_path / "model")
    table = surprisals_of(settings, tokens, spans, tmp_path / "store", say=quiet).table.to_pydict()
    expected = plainly(model, rows_of(tokens), np.array([1, 3]))
    assert table["n_tokens"] == [2]
    assert table["surprisal"] == pytest.approx([expected.sum()], abs=1e-5)
    assert table["first"] == pytest.approx([expected[0]], abs=1e-5)


def test_pieces_of_a_text_that_a_row_end_cuts_are_one_span(tmp_path):
    """And an original that two items share is one of each."""
    tokens, spans = tables(
        [[1, 5, 9, 7], [1, 8, 6, 3], [1, 5, 6]],
        ["edited", "edited", "original"],
        [(2, 4), (1, 3), (1, 2)],
    )
    spans = spans.take([0, 1, 2, 1, 2])
    items = pa.array([0, 0, 0, 1, 1], pa.int32())
    spans = spans.set_column(0, "item", items)
    model = toy_llama()
    settings = settings_of(model, tmp_path / "model")
    table = surprisals_of(settings, tokens, spans, tmp_path / "store", say=quiet).table.to_pydict()
    a, b, c, d, e = plainly(model, rows_of(tokens), np.array([2, 3, 5, 6, 9]))
    assert table["item"] == [0, 0, 1, 1]
    assert table["side"] == ["edited", "original", "edited", "original"]
    assert table["n_tokens"] == [4, 1, 2, 1]
    assert table["surprisal"] == pytest.approx([a + b + c + d, e, c + d, e], abs=1e-5)
    assert table["first"] == pytest.approx([a, e, c, e], abs=1e-5)


def test_a_model_that_predicts_nothing_says_so(tmp_path):
    tokens, spans = tables([[1, 5, 9], [1, 5, 9]], ["edited", "plain"], [(1, 2), (0, 0)])
    lines = []
    settings = settings_of(toy_bert(), tmp_path / "model")
    result = surprisals_of(settings, tokens, spans, tmp_path / "store", say=lines.append)
    assert result.facts["because"] == NOTHING and NOTHING in lines
    assert NOTHING == "the model does not predict the next token: no surprisal"
    assert result.table["n_tokens"].to_pylist() == [1, 2]
    assert result.table["surprisal"].null_count == result.table["first"].null_count == 2


# --- against a plain pass, and in any company -----------------------------------------------------


@pytest.mark.parametrize("kind", CAUSAL)
def test_every_kind_of_model_gives_what_a_plain_pass_gives(kind, monkeypatch):
    monkeypatch.setattr(surprisal, "WIDTH", 24)  # three blocks of the vocabulary
    model, (rows, wanted) = TOYS[kind](), some_rows()
    nats = surprisals(model, rows, wanted, quiet)
    assert nats == pytest.approx(plainly(model, rows, wanted), abs=1e-5)
    assert nats.std() > 0.01


def test_the_same_bytes_in_any_company():
    """Other rows, their order and how many are asked for change no bit."""
    model = toy_llama(vocab=300)
    rows, wanted = some_rows()
    whole = surprisals(model, rows, wanted, quiet)
    for row in range(len(LENGTHS)):
        here = wanted[rows.row_of(wanted) == row]
        if len(here):
            alone = surprisals(model, rows, here, quiet)
            assert alone.tobytes() == whole[np.isin(wanted, here)].tobytes(), row
    many = random_rows([*LENGTHS, *[30] * 20])
    more = rows_of(tokens_table(many[::-1])[0])
    last = len(many) - 1
    found = surprisals(model, more, np.setdiff1d(np.arange(len(more.ids)), more.starts), quiet)
    kept = np.setdiff1d(np.arange(len(more.ids)), more.starts)
    for row in range(len(LENGTHS)):
        there = found[more.row_of(kept) == last - row]
        assert there.tobytes() == whole[rows.row_of(wanted) == row].tobytes(), row


def test_logits_are_float32_where_the_model_is_not():
    """Surprisals from a head in bfloat16 would be off by more."""
    model, (rows, wanted) = toy_llama(dtype=torch.bfloat16), some_rows()
    nats = []
    for start, stop in pairwise(rows.starts):
        ids = torch.from_numpy(rows.ids[start:stop])
        with torch.inference_mode():
            hidden = model.hidden(ids[None])[0].double()
        head = model.model.get_output_embeddings().weight.double()
        log_p = (hidden @ head.T).log_softmax(-1)
        nats += (-log_p[:-1].gather(1, ids[1:, None])[:, 0]).tolist()
    found = surprisals(model, rows, wanted, quiet)
    off = np.abs(found - nats)
    assert off.max() < 5e-2  # hidden states of other heights
    # Where they are alike, nothing of a head in bfloat16, which is off by a thousandth everywhere.
    assert np.quantile(off, 0.1) < 1e-6
    assert np.median(np.abs(found - nats)) < 1e-5


def test_a_logit_that_is_not_finite_names_its_row():
    model, (rows, wanted) = toy_llama(), some_rows()
    model.model.get_output_embeddings().weight[7] = torch.nan
    with pytest.raises(CaptureError, match=r"^The logits hold NaN or infinity in row 0\."):
        surprisals(model, rows, wanted, quiet)


# --- block by block -------------------------------------------------------------------------------

LARGE = {
    "llama": toy_llama,
    "tied": lambda: toy_llama(tie_word_embeddings=True),
    "bfloat16": lambda: toy_llama(dtype=torch.bfloat16),
    "gpt2": toy_gpt2,
    **{kind: TOYS[kind] for kind in ("opt", "phi", "gemma2", "cohere", "granite")},
}


@pytest.mark.parametrize("kind", LARGE)
def test_block_by_block_gives_the_same_bytes(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(surprisal, "WIDTH", 24)
    settings = settings_of(LARGE[kind](), tmp_path / "model")
    sides = ["edited", "original", "plain"] * 3
    tokens, spans = tables(random_rows(LENGTHS), sides, [(min(n - 1, 1), n) for n in LENGTHS])
    store = tmp_path / "store"
    one = surprisals_of(settings, tokens, spans, store, say=quiet)
    monkeypatch.setattr(surprisal, "fits", lambda model, memory_mb: False)
    monkeypatch.setattr(surprisal, "load", None)
    other = surprisals_of(settings, tokens, spans, store, say=quiet)
    assert other.table.equals(one.table) and one.table["surprisal"].null_count == 1
    assert not store.exists()


def test_a_killed_pass_goes_on_from_what_it_left(tmp_path, monkeypatch):
    settings = settings_of(toy_llama(), tmp_path / "model")
    (rows, wanted), store, passes = some_rows(), tmp_path / "store", []
    original = surprisal.capture_layers

    def counted(*arguments):
        passes.append(1)
        return original(*arguments)

    monkeypatch.setattr(surprisal, "capture_layers", counted)
    arguments = settings, rows, wanted, store
    one = surprisal.surprisals_by_layers(*arguments, "spec", quiet)
    assert np.array_equal(one, surprisal.surprisals_by_layers(*arguments, "spec", quiet))
    assert len(passes) == 1
    surprisal.surprisals_by_layers(*arguments, "another", quiet)
    assert len(passes) == 2
    shutil.rmtree(store)
    assert one.tobytes() == surprisals(load(settings), rows, wanted, quiet).tobytes()
