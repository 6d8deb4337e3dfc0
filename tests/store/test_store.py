"""The activation store: what is in it, appending, going on after a kill, more sites."""

import json
import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from forked import start
from saegrid.base import io
from saegrid.store import blocks
from saegrid.store.fill import fill
from saegrid.store.manifest import read_manifest, verify
from saegrid.store.rows import Rower
from saegrid.store.settings import StoreError, settings_of
from saegrid.store.texts import Offset, Text
from saegrid.text import tokenizer
from saegrid.text.corpora.rows import CorpusError
from stores import SITES, TOKENIZER, column, contents, make, make_model, plain, words, write_texts

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def texts():
    return words(60)


@pytest.fixture(scope="module")
def source(tmp_path_factory, texts):
    return write_texts(tmp_path_factory.mktemp("texts"), texts[:25], texts[25:])


@pytest.fixture(scope="module")
def whole(tmp_path_factory, model, source):
    """A store of all tokens of all texts."""
    folder = tmp_path_factory.mktemp("whole")
    make(folder, model, source)
    return folder


# --- what is in it ------------------------------------------------------------------------------


def test_all_tokens_are_those_of_each_text_alone(whole, model, texts):
    rows = [row for text in plain(model, texts) for row in text]
    ids = np.concatenate([ids for ids, _ in rows])
    for site in SITES:
        expected = np.concatenate([x[site] for _, x in rows])
        np.testing.assert_allclose(column(whole, site), expected, **CLOSE)
        assert column(whole, site, "token").tolist() == list(range(len(ids)))
        assert column(whole, site, "token_id").tolist() == ids.tolist()
    of_text = [sum(len(ids) for ids, _ in rows) for rows in plain(model, texts)]
    assert column(whole, "L0R", "row").tolist() == np.repeat(range(len(texts)), of_text).tolist()


def test_last_random_and_mean(tmp_path, model, source, texts):
    rows = [row for text in plain(model, texts) for row in text]
    length = np.array([len(ids) for ids, _ in rows])
    begins = np.cumsum(length) - length
    for choice in ("last", "random", "mean"):
        make(tmp_path / choice, model, source, choice=choice, shard_tokens=20)
        x, token = column(tmp_path / choice, "L1R"), column(tmp_path / choice, "L1R", "token")
        ids = column(tmp_path / choice, "L1R", "token_id")
        assert len(x) == len(rows)
        if choice == "mean":
            expected = np.stack([x["L1R"].mean(axis=0, dtype=np.float64) for _, x in rows])
            assert token.tolist() == begins.tolist()
            assert set(ids) == {-1}
        else:
            at = length - 1 if choice == "last" else token - begins
            assert ((at >= 0) & (at < length)).all()
            assert token.tolist() == (begins + at).tolist()
            expected = np.stack([x["L1R"][i] for (_, x), i in zip(rows, at, strict=True)])
            assert ids.tolist() == [row[i] for (row, _), i in zip(rows, at, strict=True)]
        np.testing.assert_allclose(x, expected, **CLOSE)
    # Random tokens stand anywhere.
    drawn = (column(tmp_path / "random", "L1R", "token") - begins + 0.5) / length
    assert abs(drawn.mean() - 0.5) < 4 * (1 / 12 / len(drawn)) ** 0.5
    assert drawn.std() == pytest.approx(12**-0.5, rel=0.3)


def test_a_random_token_follows_from_text_and_seed_alone(tmp_path, model, texts):
    def drawn(listed, seed, name):
        source = write_texts(tmp_path / name, listed)
        make(tmp_path / f"{name}-{seed}", model, source, ["L0R"], choice="random", seed=seed)
        return column(tmp_path / f"{name}-{seed}", "L0R", "token_id").tolist()

    first = drawn(texts, 3, "all")
    assert drawn(texts[:20], 3, "some") == first[: len(drawn(texts[:20], 3, "some"))]
    assert drawn(texts, 4, "all") != first


def test_a_token_tagged_in_a_channel_is_found_at_its_row(tmp_path, texts):
    """D12: blocks that add nothing, and embeddings that hold the id of the token."""

    def alter(net):
        for layer in net.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        weight = net.model.embed_tokens.weight
        weight[:, 0] = torch.arange(len(weight))

    # A block that changes nothing is refused by the model's check: it says so.
    from saegrid.models import check

    tagged = make_model(tmp_path / "model", alter=alter)
    source = write_texts(tmp_path / "texts", texts)
    original = check._check_editing
    check._check_editing = lambda *_: None
    try:
        for number, told in enumerate([{}, {"max_length": 8}, {"cut": "truncate"}]):
            make(tmp_path / str(number), tagged, source, **told)
            for site in ("L0R", "L1R"):
                tags = column(tmp_path / str(number), site)[:, 0]
                assert tags.tolist() == column(tmp_path / str(number), site, "token_id").tolist()
    finally:
        check._check_editing = original


def test_what_is_longer_than_a_row_is_cut_or_goes_on(tmp_path, model, texts):
    source = write_texts(tmp_path / "texts", texts)
    long = make(tmp_path / "rows", model, source, ["L0R"], max_length=9)
    cut = make(tmp_path / "cut", model, source, ["L0R"], max_length=9, cut="truncate")
    assert long.shards[-1].end.token == len(column(tmp_path / "rows", "L0R"))
    ids = [np.concatenate([ids for ids, _ in rows]) for rows in plain(model, texts)]
    expected = np.concatenate([found[:8] for found in ids])
    assert column(tmp_path / "cut", "L0R", "token_id").tolist() == expected.tolist()
    assert cut.shards[-1].end.token == len(expected)
    characters = make(tmp_path / "chars", model, source, ["L0R"], max_characters=25, cut="truncate")
    assert characters.shards[-1].end.token < sum(map(len, ids)) / 2
    assert characters.shards[-1].end.text == len(texts)


def test_norms(tmp_path, model, source, texts):
    raw = [row for text in plain(model, texts) for row in text]
    x = np.concatenate([x["L1R"] for _, x in raw]).astype(np.float64)
    make(tmp_path / "layer", model, source, ["L1R"], norm="layer")
    centred = x - x.mean(axis=1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(column(tmp_path / "layer", "L1R"), expected, rtol=1e-3, atol=1e-4)
    # At the deepest site the final norm gives what transformers calls the last hidden state.
    make(tmp_path / "final", model, source, ["L1R"], norm="final")
    last = [x["last"] for text in plain(model, texts, normed=True) for _, x in text]
    np.testing.assert_allclose(column(tmp_path / "final", "L1R"), np.concatenate(last), **CLOSE)


def test_the_size_of_blocks_changes_no_byte(tmp_path, model, source, whole, monkeypatch):
    """Memory is bounded by blocks, and what a row gives does not depend on its company."""
    ran, original = [], blocks.capture

    def capture(loaded, rows, *others):
        ran.append(len(rows.ids))
        return original(loaded, rows, *others)

    monkeypatch.setattr(blocks, "capture", capture)
    monkeypatch.setattr(blocks, "MOST", 50)
    monkeypatch.setattr(blocks, "FEWEST", 50)
    make(tmp_path / "small", model, source)
    assert max(ran) <= 50
    assert contents(tmp_path / "small") == contents(whole)


def test_half_precision_is_stored_as_it_is_and_averaged_in_double(tmp_path, model, source):
    make(tmp_path / "mean", {**model, "dtype": "bfloat16"}, source, choice="mean")
    make(tmp_path / "all", {**model, "dtype": "bfloat16"}, source)
    assert read_manifest(tmp_path / "mean").dtype == "bfloat16"
    x, token = (
        column(tmp_path / "all", "L1R").astype(np.float64),
        column(tmp_path / "mean", "L1R", "token"),
    )
    sums = np.add.reduceat(x, token)
    means = torch.from_numpy(sums / np.diff(np.append(token, len(x)))[:, None]).bfloat16()
    found = torch.from_numpy(column(tmp_path / "mean", "L1R")).bfloat16()
    assert torch.equal(found, means)


def test_unusable_texts_keep_their_numbers_and_are_counted(tmp_path, model):
    path = tmp_path / "texts.jsonl"
    lines = ['{"text": "the dog"}', "broken", '{"text": 3}', '{"text": "a cat"}', '{"text": ""}']
    path.write_text("\n".join(lines))
    found = make(tmp_path / "s", model, {"kind": "jsonl", "files": {"t": str(path)}}, ["L0R"])
    assert sorted(set(column(tmp_path / "s", "L0R", "row").tolist())) == [0, 3]
    assert found.shards[0].set_aside == {
        "not JSON": {"n": 1, "first": 1},
        "no text": {"n": 2, "first": 2},
    }


def test_too_many_unusable_texts_stop_a_store(tmp_path, model):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "the dog"}\nbroken\n{"text": 3}\n')
    source, encoder = {"kind": "jsonl", "files": {"t": str(path)}}, tokenizer.load(TOKENIZER)
    settings = settings_of({"shard_tokens": 300})

    def filled(share):
        return fill(
            tmp_path / "s", model, encoder, source, settings, ["L0R"], say=print, share=share
        )

    assert filled(0.7).complete
    for share in (0.5, None):  # of a store that is complete as well
        with pytest.raises(CorpusError) as raised:
            filled(share)
        assert str(raised.value).startswith(
            "set_aside: 2 of 3 rows cannot be used, more than the share "
            f"{share or 0.05:g}: not JSON (1, first text 1), no text (1, first text 2)"
        )


def test_special_tokens_in_streamed_texts_are_parsed_as_asked():
    plain, parsed = tokenizer.load(TOKENIZER), tokenizer.load(TOKENIZER, parses=True)
    bos, eos = plain.prefix[0], plain.eos
    settings = settings_of({"shard_tokens": 300})
    text = Text(0, 0, f"{bos.text}the dog{eos.text}")
    for encoder in (plain, parsed):
        rower = Rower(encoder, settings, 64)
        (pieces,) = rower.pieces(iter([text]))
        (row,) = pieces.rows
        # The text brings its BOS, and gets no second one.
        assert (row == bos.id).sum() == 1 and row[0] == bos.id
        assert (row == eos.id).sum() == (1 if encoder.parses else 0)
        assert (~rower.real(row)).sum() == (2 if encoder.parses else 1)


def test_a_store_without_a_token_is_refused(tmp_path, model):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": ""}\n')
    with pytest.raises(StoreError, match=r"No token of .+ is kept"):
        make(tmp_path / "s", model, {"kind": "jsonl", "files": {"t": str(path)}}, ["L0R"])


# --- the manifest -------------------------------------------------------------------------------


def test_the_manifest_says_what_was_done(whole, texts, source):
    facts = json.loads((whole / "manifest.json").read_text())
    assert facts["model"] == "toy"
    assert facts["dtype"] == "float32"
    assert facts["complete"] is True
    assert facts["settings"]["choice"] == "all"
    assert [file["name"] for file in facts["files"]] == ["part-0.txt", "part-1.txt"]
    assert all(len(file["sha256"]) == 64 for file in facts["files"])
    assert facts["widths"] == dict.fromkeys(SITES, 32)
    assert facts["shards"][-1]["end"]["text"] == len(texts)
    assert "T" in facts["last_updated"]
    manifest = read_manifest(whole)
    assert all(300 <= shard.entries < 300 + 40 * 9 for shard in manifest.shards[:-1])
    assert manifest.shards[0].begin == Offset()
    assert [a.end for a in manifest.shards[:-1]] == [b.begin for b in manifest.shards[1:]]
    assert verify(whole) == len(SITES) * len(manifest.shards)
    # Headers say what a file is, and no date.
    header = io.read_header(whole / "L1A/00001.safetensors")
    assert header["site"] == "L1A"
    assert header["store"] == "id"
    assert "last_updated" not in header


def test_a_spoilt_shard_is_found(tmp_path, model, source):
    make(tmp_path / "s", model, source, ["L0R"])
    path = tmp_path / "s/L0R/00001.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"L0R/00001.safetensors: sha256 must be"):
        verify(tmp_path / "s")


# --- appending ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shard_tokens", [100, 300, 5000])
def test_appending_is_made_at_once(tmp_path, model, texts, shard_tokens):
    """More tokens, more texts, more files, in steps or at once: byte for byte."""
    parts = [texts[:25], texts[25:40], texts[40:]]
    three = write_texts(tmp_path / "t", *parts)
    files = three["files"]["train"]
    steps = [
        ({"max_tokens": 150}, files[:1]),
        ({"max_tokens": 400}, files[:1]),
        ({"max_texts": 20}, files[:1]),
        ({}, files[:1]),
        ({"max_texts": 45}, files),
        ({}, files),
    ]
    for number, (told, listed) in enumerate(steps):
        source = {**three, "files": {"train": listed}}
        told = {"shard_tokens": shard_tokens, **told}
        make(tmp_path / "grown", model, source, **told)
        make(tmp_path / f"once-{number}", model, source, **told)
        assert contents(tmp_path / "grown") == contents(tmp_path / f"once-{number}"), number
        # Once more: nothing to do, and the model is not even loaded.
        make(tmp_path / "grown", {"path": "nowhere", "name": "toy"}, source, **told)


def test_appending_leaves_full_shards_alone(tmp_path, model, source):
    make(tmp_path / "s", model, source, max_tokens=700)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s").rglob("*.safetensors")}
    full = [p for p in before if p.stem in ("00000", "00001")]
    assert len(full) == 2 * len(SITES)
    make(tmp_path / "s", model, source)
    assert all(p.stat().st_mtime_ns == before[p] for p in full)


def test_less_text_or_another_file_is_made_at_once_too(tmp_path, model, texts):
    source = write_texts(tmp_path / "t", texts[:30], texts[30:])
    make(tmp_path / "s", model, source)
    make(tmp_path / "s", model, source, max_tokens=350)
    make(tmp_path / "less", model, source, max_tokens=350)
    assert contents(tmp_path / "s") == contents(tmp_path / "less")
    make(tmp_path / "s", model, source)
    Path(source["files"]["train"][1]).write_text("the dog\n---\na cat")
    make(tmp_path / "s", model, source)
    make(tmp_path / "other", model, source)
    assert contents(tmp_path / "s") == contents(tmp_path / "other")
    make(tmp_path / "s", model, source, choice="last")
    make(tmp_path / "last", model, source, choice="last")
    assert contents(tmp_path / "s") == contents(tmp_path / "last")


def test_a_further_site_is_captured_alone(tmp_path, model, source, whole):
    make(tmp_path / "s", model, source, ["L1R"])
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s/L1R").iterdir()}
    make(tmp_path / "s", model, source, SITES)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "s/L1R").iterdir()} == before
    assert contents(tmp_path / "s") == contents(whole)
    # A lost file is made again, alone.
    (tmp_path / "s/L0R/00001.safetensors").unlink()
    make(tmp_path / "s", model, source, SITES)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "s/L1R").iterdir()} == before
    assert contents(tmp_path / "s") == contents(whole)


# --- kills --------------------------------------------------------------------------------------

FILL = """
from stores import make
make(*arguments, shard_tokens=60, say=print)
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, {"sites": ["L1R"], "max_tokens": 700}])
def test_a_store_killed_at_any_moment_ends_as_if_undisturbed(tmp_path, model, source, before):
    """Filled from nothing, or grown by text and by sites."""
    if before:
        make(tmp_path / "killed", model, source, shard_tokens=60, **before)
    make(tmp_path / "undisturbed", model, source, shard_tokens=60)
    expected = contents(tmp_path / "undisturbed")
    rng, states = random.Random(5), []
    while len(states) < 8:
        process, out = start(FILL, tmp_path / "killed", model, source)
        for _ in range(rng.randint(0, 3)):
            out.readline()
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        manifest = read_manifest(tmp_path / "killed")
        # What the manifest counts is there, and whole.
        states.append(verify(tmp_path / "killed") if manifest else -1)
    make(tmp_path / "killed", model, source, shard_tokens=60)
    for path in (tmp_path / "killed").rglob("*.tmp"):  # what a run removes at its end
        path.unlink()
    assert contents(tmp_path / "killed") == expected
    assert len(set(states)) > 2, states
    assert max(states) < len(SITES) * len(read_manifest(tmp_path / "killed").shards), states


def test_settings_are_strict():
    with pytest.raises(StoreError, match=r"store\.choice must be one of all, last, random, mean"):
        settings_of({"choice": "first"})
    with pytest.raises(StoreError, match="shard_size is unknown"):
        settings_of({"shard_size": 3})
    with pytest.raises(StoreError, match="shard_tokens must be at least 1"):
        settings_of({"shard_tokens": 0})
    assert callable(fill)
