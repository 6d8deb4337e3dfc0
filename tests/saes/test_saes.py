"""The one view of an SAE: gates, gauges, folding, where checkpoints lie."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints import llama_scope, to_bits
from loopback import COMMIT, serve, use
from saegrid.base.errors import CheckpointError
from saegrid.base.registry import pick
from saegrid.base.tensors import header, widen
from saegrid.saes.cache import FOLDER
from saegrid.saes.formats import FORMATS
from saegrid.saes.norms import column_norms, row_norms
from saegrid.saes.reference import NORMS, REFERENCE, content_of, import_sae, look, open_sae, resolve
from saegrid.saes.sae import (
    SAE,
    Decoder,
    Encoder,
    decode,
    encode,
    fold_decoder_norms,
    gate,
    pre_activations,
)

D_MODEL, D_SAE = 8, 24


def small(threshold=None, k=None, norms=None, seed=0):
    """An SAE in memory that decodes with rows as stored."""
    rng = np.random.default_rng(seed)
    W_enc = rng.normal(size=(D_SAE, D_MODEL)).astype(np.float32)
    W_dec = rng.normal(size=(D_SAE, D_MODEL))
    W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    W_dec = (W_dec * (rng.uniform(0.3, 3, D_SAE) if norms is None else norms)[:, None]).astype(
        np.float32
    )
    encoder = Encoder(
        D_MODEL,
        D_SAE,
        np.ones(D_SAE),
        rng.normal(size=D_SAE),
        threshold,
        k,
        "float32",
        lambda start, stop: W_enc[start:stop],
    )
    decoder = Decoder(D_MODEL, D_SAE, lambda f: W_dec[f], lambda: row_norms(W_dec))
    return SAE(encoder, decoder, rng.normal(size=D_MODEL), unit=False)


X = np.random.default_rng(1).normal(size=(50, D_MODEL))


def test_bfloat16_bits_widen_exactly():
    values = np.array([0.0, -0.0, 1.0, -1.5, 0.35546875, 3.0e38, 1e-40], np.float32)
    bits = to_bits(values)
    assert bits.dtype == np.uint16
    assert widen(bits)[:5].tolist() == values[:5].tolist()
    torch = pytest.importorskip("torch")
    every = np.arange(1 << 16, dtype=np.uint16)
    same = torch.from_numpy(every.copy()).view(torch.bfloat16).float().numpy()
    assert widen(every).tobytes() == same.tobytes()


def test_gate_is_strict_at_the_threshold_and_does_not_shift():
    encoder = replace(small(np.full(D_SAE, 0.7)).encoder, d_sae=3, threshold=np.full(3, 0.7))
    assert gate(encoder, np.array([[0.7, np.nextafter(0.7, 1), -2.0]])).tolist() == [
        [0.0, np.nextafter(0.7, 1), 0.0]
    ]


def test_topk_ties_go_to_the_smaller_feature_id():
    encoder = replace(small(k=2).encoder, d_sae=4)
    pre = np.array([[1.0, 3.0, 1.0, 1.0], [-1.0, -2.0, 0.5, -3.0], [2.0, 2.0, 2.0, 2.0]])
    assert gate(encoder, pre).tolist() == [[1, 3, 0, 0], [0, 0, 0.5, 0], [2, 2, 0, 0]]


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6), min_size=1, max_size=5),
    st.integers(1, 6),
)
def test_topk_equals_a_stable_sort(rows, k):
    pre = np.array(rows, np.float64)
    expected = np.zeros_like(pre)
    for row, kept in zip(np.maximum(pre, 0), expected, strict=True):
        chosen = sorted(range(6), key=lambda i: (-row[i], i))[:k]
        kept[chosen] = row[chosen]
    encoder = replace(small(k=k).encoder, d_sae=6)
    assert gate(encoder, pre).tolist() == expected.tolist()


def test_encode_and_decode_are_the_formulas():
    sae = small(np.full(D_SAE, 0.7))
    W = sae.encoder.rows(0, D_SAE).astype(np.float64)
    pre = X @ W.T + sae.encoder.bias
    np.testing.assert_allclose(pre_activations(sae.encoder, X), pre, rtol=1e-12)
    z = encode(sae.encoder, X)
    np.testing.assert_array_equal(z > 0, pre > 0.7)
    rows = sae.decoder.rows(np.arange(D_SAE))
    np.testing.assert_allclose(decode(sae, z), z @ rows + sae.b_dec, rtol=1e-12)


@pytest.mark.parametrize("threshold", [0.0, 0.7], ids=["relu", "jumprelu"])
def test_folding_norms_keeps_the_reconstruction(threshold):
    sae = small(np.full(D_SAE, threshold))
    folded = fold_decoder_norms(sae)
    z, other = encode(sae.encoder, X), encode(folded.encoder, X)
    n = sae.decoder.norms
    np.testing.assert_array_equal(z > 0, other > 0)
    np.testing.assert_allclose(other, z * n, rtol=1e-12)
    np.testing.assert_allclose(decode(folded, other), decode(sae, z), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(folded.decoder_rows(range(D_SAE)), axis=1), 1, 1e-6)
    assert folded.gain.tolist() == [1.0] * D_SAE


def test_folding_twice_is_folding_once():
    once = fold_decoder_norms(small(np.full(D_SAE, 0.7)))
    assert fold_decoder_norms(once) is once


def test_folding_without_the_threshold_would_change_the_mask():
    sae = small(np.full(D_SAE, 0.7))
    wrong = replace(fold_decoder_norms(sae).encoder, threshold=sae.encoder.threshold)
    assert ((encode(wrong, X) > 0) != (encode(sae.encoder, X) > 0)).any()


def test_topk_without_decoder_norms_is_not_invariant():
    """Norms 1 and 10: the folded gauge prefers the second feature, the stored one the first."""
    W = np.array([[1.0], [0.5]], np.float32)
    W_dec = np.array([[1.0], [10.0]], np.float32)
    encoder = Encoder(
        1, 2, np.ones(2), np.zeros(2), None, 1, "float32", lambda start, stop: W[start:stop]
    )
    decoder = Decoder(1, 2, lambda f: W_dec[f], lambda: row_norms(W_dec))
    sae = SAE(encoder, decoder, np.zeros(1), unit=False)
    x = np.ones((1, 1))
    assert encode(encoder, x).tolist() == [[1.0, 0.0]]
    assert decode(sae, encode(encoder, x)).tolist() == [[1.0]]
    folded = fold_decoder_norms(sae)
    assert encode(folded.encoder, x).tolist() == [[0.0, 5.0]]
    assert decode(folded, encode(folded.encoder, x)).tolist() == [[5.0]]


def test_topk_with_decoder_norms_is_invariant():
    """Folded beforehand or not, k decides on z times the norm: equal choices, equal x_hat (D4)."""
    stored = small(k=4)
    n = stored.decoder.norms
    # What `rescale_acts_by_decoder_norm` means: the gate and z in the gauge of unit rows.
    rescaled = fold_decoder_norms(stored)
    W_enc = (stored.encoder.rows(0, D_SAE) * n[:, None]).astype(np.float32)
    rows = stored.decoder.rows(range(D_SAE)) / n[:, None]
    before = SAE(
        replace(
            stored.encoder, bias=stored.encoder.bias * n, read=lambda start, stop: W_enc[start:stop]
        ),
        Decoder(D_MODEL, D_SAE, lambda f: rows[f].astype(np.float32), lambda: row_norms(rows)),
        stored.b_dec,
        unit=False,
    )
    z, other = encode(rescaled.encoder, X), encode(before.encoder, X)
    np.testing.assert_array_equal(z > 0, other > 0)
    np.testing.assert_allclose(z, other, rtol=1e-5)
    np.testing.assert_allclose(decode(rescaled, z), decode(before, other), atol=1e-5)
    again = fold_decoder_norms(before)
    np.testing.assert_allclose(
        decode(again, encode(again.encoder, X)), decode(rescaled, z), atol=1e-5
    )
    assert ((z > 0) != (encode(stored.encoder, X) > 0)).any(), "norms do decide here"


def test_a_scale_of_the_input_folds_away():
    """Trained on s x: W as it is, b_enc / s, threshold / s, b_dec / s take raw x (D4, D3)."""
    s, scaled = 0.37, small(np.full(D_SAE, 0.7))
    z = encode(scaled.encoder, s * X)
    folded = SAE(
        replace(
            scaled.encoder,
            bias=scaled.encoder.bias / s,
            threshold=scaled.encoder.threshold / s,
        ),
        scaled.decoder,
        scaled.b_dec / s,
        unit=False,
    )
    raw = encode(folded.encoder, X)
    np.testing.assert_array_equal(raw > 0, z > 0)
    np.testing.assert_allclose(raw, z / s, rtol=1e-12)
    np.testing.assert_allclose(decode(folded, raw), decode(scaled, z) / s, rtol=1e-9)


def test_norms_do_not_depend_on_the_layout():
    rows = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)
    expected = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))
    np.testing.assert_allclose(row_norms(rows), expected, rtol=1e-14)
    np.testing.assert_allclose(column_norms(rows.T), expected, rtol=1e-14)


def test_a_zero_decoder_row_stays_zero():
    norms = np.ones(D_SAE)
    norms[3] = 0
    sae = small(np.zeros(D_SAE), norms=norms)
    assert sae.decoder_rows([3]).tolist() == [[0.0] * D_MODEL]


# --- references -----------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path):
    return llama_scope(tmp_path / "checkpoint")


def imported(tmp_path, checkpoint, cell="L15R-8x"):
    folder = tmp_path / "saes" / cell
    sae = {"format": "llama_scope", "path": str(checkpoint), "repo": None}
    import_sae(sae, cell, folder / REFERENCE, folder / NORMS, '{"stage":"import_sae"}')
    return folder


def test_a_reference_opens_the_checkpoint_without_its_decoder(tmp_path, checkpoint, monkeypatch):
    folder = imported(tmp_path, checkpoint)
    monkeypatch.setattr("saegrid.saes.formats.llama_scope.column_norms", None)
    sae = open_sae(folder)
    monkeypatch.undo()
    from saegrid.saes.formats.llama_scope import open_checkpoint

    direct = open_checkpoint(checkpoint)
    x = np.random.default_rng(0).normal(size=(9, direct.encoder.d_model))
    assert encode(sae.encoder, x).tobytes() == encode(direct.encoder, x).tobytes()
    assert str(sae.site) == "L15R"


def test_a_reference_writes_the_same_bytes_twice(tmp_path, checkpoint):
    folder = imported(tmp_path, checkpoint)
    first = [(folder / name).read_bytes() for name in (REFERENCE, NORMS)]
    imported(tmp_path, checkpoint)
    assert [(folder / name).read_bytes() for name in (REFERENCE, NORMS)] == first


def test_a_changed_checkpoint_is_refused(tmp_path, checkpoint):
    folder = imported(tmp_path, checkpoint)
    llama_scope(checkpoint, seed=1)
    with pytest.raises(CheckpointError) as error:
        open_sae(folder)
    told = str(error.value)
    assert told.startswith(f"{checkpoint}: this checkpoint has changed since it was imported")
    assert told.endswith(
        "Give the same snakemake command again: it imports the checkpoint as it is now, and makes "
        "again what came from it."
    )


@pytest.mark.parametrize("change", ["a byte in the middle", "the threshold", "a file beside"])
def test_content_is_that_of_the_files_that_the_format_reads(checkpoint, change):
    files = pick(FORMATS, "llama_scope", "format").files
    before = content_of(checkpoint, files)
    if change == "a byte in the middle":
        path = checkpoint / files[1]
        raw = bytearray(path.read_bytes())
        raw[-len(raw) // 3] ^= 1
        path.write_bytes(raw)
    elif change == "the threshold":
        path = checkpoint / files[0]
        facts = json.loads(path.read_text()) | {"jump_relu_threshold": 9.8125}
        path.write_text(json.dumps(facts))
    else:
        (checkpoint / "README.md").write_text("hello")
    assert (content_of(checkpoint, files) == before) == (change == "a file beside")


def test_content_of_files_that_are_not_there_or_never_end(tmp_path, checkpoint):
    with pytest.raises(CheckpointError) as error:
        content_of(checkpoint, ["nowhere.json"])
    assert str(error.value) == f"{checkpoint / 'nowhere.json'}: the file is not there."
    (checkpoint / "zero").symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="must be a regular file"):
        content_of(checkpoint, ["zero"])


def test_a_look_at_a_checkpoint_reads_no_weight_and_makes_the_checks_of_its_import(
    checkpoint, monkeypatch
):
    sae = {"format": "llama_scope", "path": str(checkpoint)}
    monkeypatch.setattr("saegrid.base.tensors.np.memmap", None)
    found = look(sae, "L15R-8x")
    assert str(found.site) == "L15R"
    monkeypatch.undo()
    opened = pick(FORMATS, "llama_scope", "format").open(checkpoint)
    assert found.encoder.d_model == opened.encoder.d_model
    assert found.encoder.d_sae == opened.encoder.d_sae
    with pytest.raises(CheckpointError, match="but the cell L13R-8x needs L13R"):
        look(sae, "L13R-8x")
    facts = json.loads((checkpoint / "hyperparams.json").read_text())
    for key, value in (("d_sae", 7), ("jump_relu_threshold", float("nan"))):
        (checkpoint / "hyperparams.json").write_text(json.dumps(facts | {key: value}))
        with pytest.raises(CheckpointError):
            look(sae, "L15R-8x")


@pytest.mark.parametrize("name", ["decoder.weight", "decoder.bias", "encoder.bias"])
def test_numbers_that_are_none_are_told_with_file_and_tensor(tmp_path, checkpoint, name):
    path = checkpoint / "checkpoints" / "final.safetensors"
    start = header(path).entries[name].start
    raw = bytearray(path.read_bytes())
    raw[start : start + 2] = (0x7FC0).to_bytes(2, "little")  # a NaN in bfloat16
    path.write_bytes(raw)
    with pytest.raises(CheckpointError) as error:
        imported(tmp_path, checkpoint)
    assert str(error.value) == f"{path}: the tensor {name!r} holds NaN or infinity. Fetch it again."


def test_a_checkpoint_of_another_site_is_refused(tmp_path, checkpoint):
    with pytest.raises(CheckpointError) as error:
        imported(tmp_path, checkpoint, "L13R-8x")
    assert str(error.value) == (
        f"{checkpoint / 'hyperparams.json'}: this SAE reads L15R "
        "(hook point 'blocks.15.hook_resid_post'), but the cell L13R-8x needs L13R."
    )


def test_paths_keep_their_variables(tmp_path, checkpoint, monkeypatch):
    monkeypatch.setenv("CHECKPOINTS", str(tmp_path))
    folder = tmp_path / "saes" / "L15R-8x"
    sae = {"format": "llama_scope", "path": "${CHECKPOINTS}/checkpoint"}
    import_sae(sae, "L15R-8x", folder / REFERENCE, folder / NORMS)
    assert json.loads((folder / REFERENCE).read_text())["path"] == "${CHECKPOINTS}/checkpoint"
    assert str(open_sae(folder).site) == "L15R"


def test_missing_folders_and_loose_revisions_are_refused(tmp_path):
    with pytest.raises(CheckpointError) as error:
        resolve({"format": "sae_lens", "path": str(tmp_path / "nowhere")})
    assert str(error.value) == f"{tmp_path}/nowhere: there is no such folder (path of an SAE)."
    with pytest.raises(CheckpointError) as error:
        resolve({"format": "sae_lens", "repo": "some/one", "revision": "main"})
    assert str(error.value) == (
        "some/one: revision must be a commit of 40 hexadecimal digits, "
        "so that the results can be repeated; got 'main'."
    )


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on this machine."""
    with serve(tmp_path / "hub") as served:
        use(served, monkeypatch, tmp_path / "own")
        monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
        yield served


def test_only_the_needed_files_come_from_the_hub(tmp_path, hub):
    inside = "Llama3_1-8B-Base-L15R-8x"
    llama_scope(hub.root / "some/saes" / inside)
    (hub.root / "some/saes" / inside / "lm_config.json").write_text("{}")
    sae = {"format": "llama_scope", "repo": "some/saes", "folder": inside, "revision": COMMIT}
    folder = tmp_path / "saes" / "L15R-8x"
    import_sae(sae, "L15R-8x", folder / REFERENCE, folder / NORMS)
    files = ("hyperparams.json", "checkpoints/final.safetensors")
    once = {f"some/saes/{inside}/{name}": 1 for name in files}
    assert hub.fetched() == once
    asked = len(hub.heads)
    assert str(open_sae(folder).site) == "L15R"
    assert hub.fetched() == once
    assert len(hub.heads) == asked, "a commit in the cache is not asked for again"


def test_a_file_that_the_hub_lacks_is_named(tmp_path, hub):
    sae = {"format": "llama_scope", "repo": "some/saes", "folder": "L1", "revision": COMMIT}
    with pytest.raises(CheckpointError) as error:
        resolve(sae)
    assert str(error.value).startswith(
        "some/saes: L1/hyperparams.json at 0123456789ab does not come from the hub ("
    )
