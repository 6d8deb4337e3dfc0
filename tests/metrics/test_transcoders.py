"""Metrics of transcoders, which write another site than they read, and of normalised inputs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_metrics import SETTINGS
from test_spliced import text_of_rows

from saegrid.base.words import Site
from saegrid.codes.encode import encode
from saegrid.metrics.codes import Coder, dense_codes
from saegrid.metrics.measure import metrics_of
from saegrid.metrics.metric import MetricsError, Subject
from saegrid.metrics.sources import Captured
from saegrid.metrics.spliced import spliced
from saegrid.models.forward import capture
from saegrid.models.hooks import editing
from saegrid.models.tiles import rows_of
from saegrid.saes import sae as reference
from saegrid.saes.fronts import CONSTANT_NORM, LAYER_NORM
from saegrid.saes.reference import NORMS, REFERENCE, described, import_sae, open_sae
from subjects import RNG, TOKENS, X, identity_sae, random_sae, sae_of, written
from toys import TOYS, random_rows, tokens_table, toy_llama

TOKEN = np.flatnonzero(~TOKENS["special"].to_numpy())
MIXED = RNG(3).normal(size=(16, 16))
"""A linear map of the channels."""


def linear(skip=None):
    """The transcoder x -> x @ MIXED + 1, written with one feature for each sign of each channel."""
    both = np.concatenate([np.eye(16), -np.eye(16)])
    sae = sae_of(both, np.zeros(32), both @ MIXED, np.ones(16))
    return replace(sae, site=Site(0, "I"), writes=Site(0, "M"), skip=skip)


def sources(folder, y):
    """Both sites as files: x is read, y written."""
    for name in ("x", "y"):
        (folder / name).mkdir()
    return (
        Captured(written(folder / "x", X, TOKEN, parts=3), TOKENS),
        Captured(written(folder / "y", y.astype(np.float32), TOKEN, parts=3), TOKENS),
    )


def measured(sae, source, target):
    facts = metrics_of(sae, source, {**SETTINGS, "cell": "L0I-tc"}, 2000, target=target)
    return facts, {name: entry["value"] for name, entry in facts["metrics"].items()}


def test_a_transcoder_is_held_against_what_it_writes(tmp_path):
    facts, values = measured(linear(), *sources(tmp_path, X @ MIXED + 1))
    assert facts["writes"] == "L0M"
    assert values["fvu"] < 1e-10 and values["cosine"] == pytest.approx(1)
    assert values["ce_original"] is None and values["l0"] == pytest.approx(16)


def test_the_error_of_a_transcoder_is_that_of_its_formula(tmp_path):
    noise = RNG(1).normal(size=X.shape)
    source, target = sources(tmp_path, X @ MIXED + 1 + noise)
    values = measured(linear(), source, target)[1]
    kept = source.split(0.3, 5, 1, 1).measured
    y = (X @ MIXED + 1 + noise).astype(np.float32).astype(np.float64)[kept]
    error = X[kept].astype(np.float64) @ MIXED.astype(np.float32) + 1 - y
    spread = ((y - y.mean(axis=0)) ** 2).sum()
    assert values["fvu"] == pytest.approx((error**2).sum() / spread, rel=1e-6)


def test_the_skip_is_added(tmp_path):
    skip = RNG(2).normal(size=(16, 16)).astype(np.float32)
    y = X @ MIXED + 1 + X @ skip.T
    source, target = sources(tmp_path, y)
    assert measured(linear(skip), source, target)[1]["fvu"] < 1e-10
    assert measured(linear(), source, target)[1]["fvu"] > 0.1


def test_other_tokens_at_the_site_that_is_written_are_refused(tmp_path):
    source, _ = sources(tmp_path, X)
    (tmp_path / "less").mkdir()
    less = Captured(written(tmp_path / "less", X[:-1], TOKEN[:-1]), TOKENS)
    with pytest.raises(MetricsError, match="must hold the same tokens"):
        measured(linear(), source, less)


def test_a_transcoder_is_spliced_in_where_it_writes():
    """Against whole passes, one row at a time."""
    model, text = toy_llama(), text_of_rows([9, 5, 12])
    site, writes = Site(0, "R"), Site(1, "M")
    sae = replace(random_sae(d=32, m=160, k=9), site=site, writes=writes)
    subject = Subject(sae, np.zeros(1), Coder(sae).reconstruct, site, text=text)
    values = spliced(model, subject)
    loss, n = 0.0, 0
    for row in text.chosen:
        part = slice(*text.starts[row : row + 2])
        ids = torch.from_numpy(text.ids[part])[None]
        special = torch.from_numpy(text.special[part])
        seen = []
        with torch.inference_mode():
            with editing(model, {site: lambda x, seen=seen: seen.append(x[0])}):
                model.output(ids)
            z = reference.encode(sae.encoder, seen[0].double().numpy())
            x_hat = torch.from_numpy(reference.decode(sae, z)).float()

            def swap(y, special=special, x_hat=x_hat):
                return torch.where(special[:, None], y[0], x_hat)[None]

            with editing(model, {writes: swap}):
                log_p = model.output(ids)[0].double().log_softmax(-1)
        for at in np.flatnonzero(~special.numpy()[:-1]):
            loss -= float(log_p[at, ids[0, at + 1]])
            n += 1
    assert values["ce_spliced"].value == pytest.approx(loss / n, rel=1e-5)


def test_a_transcoder_of_gemma_scope_in_its_model(tmp_path):
    """Codes and metrics in a tiny Gemma 2, by a hook on its norm: x / rms, which is what the norm
    gives without its gain 1 + weight."""
    model, d, m, layer = TOYS["gemma2"](), 32, 96, 1
    norm, after = (model.part(layer, f"{name}_feedforward_layernorm") for name in ("pre", "post"))
    values = {
        "W_enc": RNG(1).normal(size=(d, m)) / 3,
        "W_dec": RNG(2).normal(size=(m, d)) / 9,
        "b_enc": RNG(3).normal(size=m) / 4,
        "b_dec": RNG(4).normal(size=d),
        "threshold": RNG(5).uniform(-0.2, 1, m),
    }
    values = {name: value.astype(np.float32) for name, value in values.items()}
    np.savez(tmp_path / "params.npz", **values)
    table, _ = tokens_table(random_rows([24] * 12))
    rows, wanted = rows_of(table), np.flatnonzero(~table["special"].to_numpy())
    seen = {}
    handles = [
        norm.register_forward_hook(lambda _, x, y: seen.update(stream=x[0], normal=y)),
        after.register_forward_hook(lambda _, x, y: seen.update(written=y)),
    ]
    with torch.inference_mode():
        model.output(torch.from_numpy(rows.ids.reshape(12, 24)))
    for handle in handles:
        handle.remove()
    names = ("stream", "normal", "written")
    stream, normal, y = (seen[name].reshape(-1, d)[wanted].double().numpy() for name in names)
    bare = stream / np.sqrt((stream**2).mean(axis=1, keepdims=True) + 1e-6)
    gain = 1 + norm.weight.double().numpy()
    np.testing.assert_allclose(bare * gain, normal, rtol=1e-5, atol=1e-6)
    pre = bare @ values["W_enc"].astype(np.float64) + values["b_enc"]
    expected = np.where(pre > np.maximum(values["threshold"], 0), pre, 0)

    reads, writes = Site(layer, "H"), Site(layer, "M")
    place = tmp_path / "saes" / f"{reads}-tc"
    section = {"format": "gemma_scope", "path": str(tmp_path), "writes": "m"}
    import_sae(section, place.name, place / REFERENCE, place / NORMS)
    assert "the norm before its gain" in described(place / REFERENCE)
    x = capture(model, rows, wanted, [reads, writes])
    with open_sae(place) as sae:
        z = dense_of(encode(x[reads].numpy(), np.arange(len(wanted)), sae.encoder))
        np.testing.assert_array_equal(z > 0, expected > 0)
        np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)
        assert (z > 0).mean() > 0.1
        for name in ("x", "y"):
            (tmp_path / name).mkdir()
        source, target = (
            Captured(written(tmp_path / name, x[site].numpy(), wanted), table)
            for name, site in (("x", reads), ("y", writes))
        )
        settings = {**SETTINGS, "cell": place.name}
        facts = metrics_of(sae, source, settings, 2000, target=target)
    kept = source.split(0.3, 5, 1, 1).measured
    y_hat = expected @ values["W_dec"].astype(np.float64) + values["b_dec"]
    error, spread = ((y - y_hat)[kept] ** 2).sum(), ((y[kept] - y[kept].mean(axis=0)) ** 2).sum()
    found = {name: entry["value"] for name, entry in facts["metrics"].items()}
    assert found["fvu"] == pytest.approx(error / spread, rel=1e-5)
    assert found["l0"] == pytest.approx((expected[kept] > 0).sum(axis=1).mean())
    assert facts["writes"] == str(writes)


# --- normalised inputs -------------------------------------------------------------------------


def normalised(front, sae=None):
    sae = sae or identity_sae(16)
    return replace(sae, encoder=replace(sae.encoder, front=front))


def test_a_layer_norm_in_front():
    """Against its formula: the deviation is that of a sample, and 1e-5 is added to it."""
    x = torch.from_numpy(X).double()
    expected = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5)
    np.testing.assert_allclose(LAYER_NORM.apply(X), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        Coder(normalised(LAYER_NORM)).reconstruct(X), X, rtol=1e-4, atol=1e-4
    )


def test_a_constant_norm_in_front():
    fed = CONSTANT_NORM.apply(X).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(fed, axis=1), 4, rtol=1e-6)
    back = Coder(normalised(CONSTANT_NORM)).reconstruct(X)
    np.testing.assert_allclose(back, X, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("front", [LAYER_NORM, CONSTANT_NORM], ids=lambda front: front.name)
@pytest.mark.parametrize("k", [None, 5])
def test_codes_of_normalised_tokens(front, k):
    """The screen, dense products and the reference agree, and each is the plain formula."""
    sae = normalised(front, random_sae(k=k))
    z = encode(X, np.arange(len(X)), sae.encoder)
    for one, other in zip(z, dense_codes(sae.encoder, X), strict=True):
        np.testing.assert_array_equal(one, other)
    W = sae.encoder.rows(0, 64).astype(np.float64)
    pre = front.apply(X).astype(np.float64) @ W.T + sae.encoder.bias
    expected = reference.gate(sae.encoder, pre.astype(np.float32))
    np.testing.assert_array_equal(dense_of(z), expected)


def dense_of(z):
    dense = np.zeros((len(z.token), z.d_sae), np.float32)
    dense[z.indices, z.owners()] = z.data
    return dense
