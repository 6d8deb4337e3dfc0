"""SAEs that read activations less their mean over channels, as TransformerLens centres them."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from encoders import STORED, dense, draw, make_encoder, same
from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.codes import screen as screens
from saegrid.codes.budget import fit
from saegrid.codes.device import DeviceScreen
from saegrid.codes.device import arrange as arrange_there
from saegrid.codes.encode import encode
from saegrid.metrics.codes import Coder, decode, dense_codes
from saegrid.metrics.measure import measure
from saegrid.metrics.metric import Subject
from saegrid.saes.norms import row_norms
from saegrid.saes.sae import SAE, Decoder, as_read, gate, pre_activations

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    ),
]


def drawn(dtype="float32", k=None, threshold=2.0, held="float32", d_model=64, d_sae=300):
    """Activations whose channels have a large mean, as a stream has; an encoder; z of the formula.

    The formula is the original's: centre x, then the ordinary SAE, all in float64.
    """
    x, weights = draw(11, 90, d_model, d_sae)
    x += np.linspace(-20, 20, 90, dtype=np.float32)[:, None]
    x = screens.narrow(x) if held == "bfloat16" else x.astype(STORED[held])
    encoder = replace(make_encoder(weights, dtype, threshold, k), centred=True)
    wide = widen(x).astype(np.float64)
    rows = widen(encoder.rows(0, d_sae)).astype(np.float64)
    pre = (wide - wide.mean(axis=1, keepdims=True)) @ rows.T
    return x, encoder, gate(encoder, pre * encoder.scale + encoder.bias)


@pytest.mark.parametrize("k", [None, 9])
@pytest.mark.parametrize("dtype", list(STORED))
@pytest.mark.parametrize("held", list(STORED))
def test_z_is_that_of_centred_activations(dtype, k, held):
    x, encoder, expected = drawn(dtype, k, held=held)
    z = dense(encode(x, np.arange(90), encoder))
    np.testing.assert_array_equal(z > 0, expected > 0)
    np.testing.assert_allclose(z, expected, rtol=1e-5)
    plain = dense(encode(x, np.arange(90), replace(encoder, centred=False)))
    assert ((plain > 0) != (expected > 0)).mean() > 0.01


def test_relu_without_a_threshold_opens_the_same_features():
    x, encoder, expected = drawn(threshold=0.0)
    z = dense(encode(x, np.arange(90), encoder))
    np.testing.assert_array_equal(z > 0, expected > 0)
    np.testing.assert_allclose(z, expected, rtol=1e-5)


def test_a_constant_over_the_channels_changes_nothing():
    x, encoder, _ = drawn()
    x = np.round(x * 64) / 64  # so that adding and taking away are exact
    shifted = x + np.float32(8)
    one, other = (encode(values, np.arange(90), encoder) for values in (x, shifted))
    assert same(one, other)


@pytest.mark.parametrize("k", [None, 9])
@pytest.mark.parametrize("held", list(STORED))
@pytest.mark.parametrize("device", [None, *DEVICES])
def test_no_option_changes_a_byte(held, k, device):
    x, encoder, _ = drawn("bfloat16", k, held=held)
    token = np.arange(90)
    first = encode(x, token, encoder)
    for options in (
        {"screen": "bfloat16"},
        {"screen": "float32", "threads": 2, "feature_block": 64, "token_tile": 7},
        {"screen": "bfloat16", "feature_block": 33, "token_tile": 50},
    ):
        assert same(first, encode(x, token, encoder, device=device, **options)), options
    for part in (token[:1], token[13:57]):
        some = dense(encode(x[part], part, encoder))
        np.testing.assert_array_equal(some, dense(first)[part])


@pytest.mark.parametrize("form", ["float32", "bfloat16"])
def test_screens_keep_their_bounds(form):
    x, encoder, _ = drawn("bfloat16", d_model=192)
    host = screens.SCREENS[form](screens.arrange(x, 40, centred=True))
    there = DeviceScreen(arrange_there(x, 40, "cpu", centred=True), form)
    rows = np.ascontiguousarray(encoder.rows(0, encoder.d_sae))
    wide = x.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    for screen in (host, there):
        buffer = screen.buffer(len(rows), rows.dtype)
        buffer.host[:] = rows
        sent = screen.send(buffer, len(rows))
        exact = widen(rows).astype(np.float64) @ wide[screen.activations.order].T
        values = screen.values(screen.product(screen.hold(sent), slice(0, 90))).astype(np.float64)
        bound = np.outer(screen.norms(sent), screen.error) + screen.rounding * np.abs(values)
        assert (np.abs(values - exact) <= bound + 192 * 2.0**-125).all()
        np.testing.assert_allclose(
            screen.activations.norms, np.linalg.norm(wide, axis=1)[screen.activations.order], 1e-12
        )


@pytest.mark.parametrize("device", DEVICES)
def test_exact_products_have_the_same_bits_everywhere(device):
    x, encoder, _ = drawn("bfloat16", d_model=768, held="bfloat16")
    rows = encoder.rows(0, encoder.d_sae)
    host = screens.Float32Screen(screens.arrange(x, 20, centred=True))
    there = DeviceScreen(arrange_there(x, 20, device, centred=True), "bfloat16")
    rng = np.random.default_rng(0)
    feature, row = rng.integers(0, len(rows), 600), rng.integers(0, 90, 600)
    sent = torch.from_numpy(np.ascontiguousarray(rows).view(np.int16)).view(torch.bfloat16)
    found = there.dots(sent.to(device), feature, row)
    assert host.activations.order.tolist() == there.activations.order.tolist()
    assert found.tobytes() == host.dots(rows, feature, row).tobytes()


def test_what_is_not_finite_is_named():
    x, encoder, _ = drawn()
    x[6, 2], x[8, 1] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"x must be finite; row 6 \(token 6\)"):
        encode(x, np.arange(90), encoder)


def test_the_centred_copy_counts_in_the_memory():
    x, encoder, _ = drawn()
    x = np.zeros((200_000, 64), np.float32)
    plain, centred = (
        fit(replace(encoder, centred=yes), x, "float32", 1, 4000).megabytes for yes in (False, True)
    )
    assert centred - plain == pytest.approx(x.nbytes / 1e6, abs=1)


# --- decoding -----------------------------------------------------------------------------------


def whole(centred=True):
    """An SAE that reconstructs centred activations, and such activations with a mean."""
    x, encoder, _ = drawn(threshold=0.0, d_model=16, d_sae=48)
    rows = np.random.default_rng(3).normal(size=(48, 16)).astype(np.float32)
    decoder = Decoder(16, 48, lambda features: rows[features], lambda: row_norms(rows))
    bias = np.random.default_rng(4).normal(size=16)
    return x, SAE(replace(encoder, centred=centred), decoder, bias, unit=False)


def test_metrics_compare_x_hat_with_what_the_sae_reads():
    """FVU and cosine are the original's: of centred activations and their reconstruction."""
    x, sae = whole()
    coder = Coder(sae)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axis=1, keepdims=True)
    x_hat = gate(sae.encoder, pre_activations(sae.encoder, x)) @ sae.decoder.rows(range(48))
    x_hat += sae.b_dec
    error = ((x_hat - centred) ** 2).sum()
    spread = ((centred - centred.mean(axis=0)) ** 2).sum()
    subject = Subject(sae, np.zeros(16), coder.reconstruct, Site(3, "R"))
    values = measure(subject, coder, [x]).values
    assert values["fvu"].value == pytest.approx(error / spread, rel=1e-6)
    cosine = (x_hat * centred).sum(axis=1)
    cosine /= np.linalg.norm(x_hat, axis=1) * np.linalg.norm(centred, axis=1)
    assert values["cosine"].value == pytest.approx(cosine.mean(), rel=1e-6)
    np.testing.assert_array_equal(as_read(sae.encoder, wide), centred)


def test_what_is_spliced_into_the_model_has_the_mean_again():
    x, sae = whole()
    wide = x.astype(np.float64)
    found = Coder(sae).reconstruct(x)
    x_hat = decode(sae, dense_codes(sae.encoder, x))
    np.testing.assert_allclose(found, x_hat + wide.mean(axis=1, keepdims=True), rtol=1e-12)
    _, plain = whole(centred=False)
    np.testing.assert_array_equal(
        Coder(plain).reconstruct(x), decode(plain, dense_codes(plain.encoder, x))
    )


# --- what TransformerLens does ------------------------------------------------------------------


def test_a_model_with_centred_writing_weights_has_less_its_mean_everywhere():
    """center_writing_weights of a GPT-2: embeddings and output projections less their means.

    Stream, attention output and MLP output then are those of the model as it is, less their means
    over channels; the hidden neurons of the MLP stay.
    """
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=50, n_positions=16)
    model = transformers.GPT2Model(config).eval().double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    centred = copy.deepcopy(model)
    writing = [centred.wte, centred.wpe]
    for block in centred.h:
        writing += [block.attn.c_proj, block.mlp.c_proj]
    for module in writing:
        module.weight.data -= module.weight.data.mean(-1, keepdim=True)
        if getattr(module, "bias", None) is not None:
            module.bias.data -= module.bias.data.mean()

    def read(network):
        found = {}
        block = network.h[1]
        places = {"R": block, "A": block.attn, "M": block.mlp, "N": block.mlp.act}
        for name, module in places.items():
            module.register_forward_hook(
                lambda _module, _inputs, output, name=name: found.update(
                    {name: (output[0] if isinstance(output, tuple) else output).detach()[0]}
                )
            )
        network(torch.tensor([[3, 7, 1, 20, 11]]))
        return {name: value.numpy() for name, value in found.items()}

    before, after = read(model), read(centred)
    for position in "RAM":
        x = before[position]
        np.testing.assert_allclose(after[position], x - x.mean(axis=1, keepdims=True), atol=1e-12)
        assert np.abs(x.mean(axis=1)).max() > 0.01
    np.testing.assert_allclose(after["N"], before["N"], atol=1e-12)
