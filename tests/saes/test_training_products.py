"""What a step multiplies: largest entries, products by entries, and the pass of ReLU."""

import pytest
import torch

from saegrid.saes.training import dense
from saegrid.saes.training.chosen import largest, largest_of_batch
from saegrid.saes.training.dense import BLOCK, FEW, Weights, relu_pass
from saegrid.saes.training.entries import Entries, auxiliary, explained


def draw(*shapes, seed=0):
    """Random float64 tensors."""
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes]


# --- the largest ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d_sae", "k"), [(512, 5), (500, 5), (64, 20), (64, 64), (2048, 12), (80, 5)]
)
def test_largest_is_topk(d_sae, k):
    pre = torch.randn(40, d_sae, generator=torch.Generator().manual_seed(0))
    assert torch.equal(largest(pre, k), pre.topk(k, dim=1).indices.sort(dim=1).values)


@pytest.mark.parametrize("d_sae", [16, 8 * 16])
def test_of_equal_entries_as_many_are_taken_as_there_is_room_for(d_sae):
    """Only the least are left out, whichever way the search goes."""
    pre = torch.randint(0, 4, (200, d_sae), generator=torch.Generator().manual_seed(0)).float()
    found = largest(pre, 3)
    assert (found.diff(dim=1) > 0).all()  # none twice
    values = pre.gather(1, found).sort(dim=1, descending=True).values
    assert torch.equal(values, pre.topk(3, dim=1).values)
    assert largest(torch.zeros(2, 16), 3).tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize("d_sae", [12, 8 * 12])
def test_a_training_that_has_gone_astray_is_told(d_sae):
    pre = torch.zeros(3, d_sae)  # equal entries, of which there are too many
    pre[1] = torch.arange(d_sae)
    pre[1, 0] = torch.nan
    with pytest.raises(ValueError, match=r"^Pre-activations are not finite: training has gone"):
        largest(pre, 3)


def test_the_largest_of_a_batch_are_found_whatever_is_guessed():
    pre = draw((500, 8))[0].float()
    expected = pre.flatten().sort(descending=True).values[:700]
    for guess in (-1.0, 0.1, float(expected[-1]) * 0.8, 50.0):
        token, feature = largest_of_batch(pre, 700, guess)
        assert torch.equal(pre[token, feature].sort(descending=True).values, expected)
        assert (token.diff() >= 0).all()
    token, feature = largest_of_batch(-pre.abs() + 0.01, 10**6, 0.0)
    assert (pre[token, feature].abs() < 0.01).all()


# --- products by entries --------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_products_by_entries_are_those_of_the_whole_matrix(share):
    """Given in any order; tokens and features without any entry among them."""
    z, rows, W = draw((9, 13), (9, 4), (13, 4))
    generator = torch.Generator().manual_seed(1)
    z *= torch.rand(z.shape, generator=generator) < share
    token, feature = z.nonzero(as_tuple=True)
    mixed = torch.randperm(len(token), generator=generator)
    token, feature = token[mixed], feature[mixed]
    entries = Entries.of(token.numpy(), feature.numpy(), z[token, feature], (9, 13))
    assert all(t.dtype == torch.int32 for t in entries[1:])
    torch.testing.assert_close(entries.decode(entries.value, W), z @ W)
    torch.testing.assert_close(entries.spread(entries.value, rows), z.T @ rows)
    torch.testing.assert_close(entries.sums(entries.value), z.sum(dim=0))
    assert torch.equal(entries.fired(), (z != 0).any(dim=0))
    assert entries.l0() == float((z != 0).sum()) / 9
    along = torch.zeros_like(z)
    by_token = z.nonzero(as_tuple=True)[0]
    along[by_token, entries.feature.long()] = entries.along(rows, W)
    torch.testing.assert_close(along, (rows @ W.T) * (z != 0))


def test_only_positive_entries_count():
    pre = torch.tensor([[1.0, -2.0, 0.0], [3.0, 4.0, -1.0]])
    token, feature = torch.tensor([1, 0, 0, 0, 1]), torch.tensor([1, 2, 1, 0, 2])
    found = Entries.positive(pre, token, feature)
    assert (found.value.tolist(), found.feature.tolist()) == ([1.0, 4.0], [0, 1])
    assert found.token_starts.tolist() == [0, 1, 2]
    for threshold in (0.0, torch.zeros(3)):
        above = Entries.above(pre, threshold)
        assert (above.value.tolist(), above.feature.tolist()) == ([1.0, 3.0, 4.0], [0, 0, 1])
    own = Entries.above(pre, torch.tensor([1.0, 3.5, -9.0]))
    assert own.value.tolist() == [0.0, 3.0, 4.0, -1.0]


def test_products_by_entries_have_the_gradients_of_the_dense_ones():
    x, W, b, D, weights = draw((7, 5), (11, 5), (11,), (11, 5), (7, 5))
    given = [t.requires_grad_() for t in (x, W, b, D)]
    pre = (x @ W.T + b).detach()
    token = torch.arange(7).repeat_interleave(3)
    feature = pre.topk(3, dim=1).indices.flatten()
    kept = torch.arange(21) % 5 > 0  # another number for every token
    chosen = torch.zeros(7, 11, dtype=torch.float64)
    chosen[token[kept], feature[kept]] = 1.0
    z, x_hat = explained(x, W, b, D, Entries.positive(pre, token[kept], feature[kept]))
    found = torch.autograd.grad((x_hat * weights).sum() + 2 * z.sum(), given)
    whole = torch.relu(x @ W.T + b) * chosen
    expected = torch.autograd.grad((whole @ D * weights).sum() + 2 * whole.sum(), given)
    torch.testing.assert_close(x_hat, whole @ D)
    for a, e in zip(found, expected, strict=True):
        torch.testing.assert_close(a, e)


def test_the_auxiliary_loss_is_a_share_of_the_error():
    x, error, W = draw((6, 5), (6, 5), (9, 5))
    b, dead = torch.zeros(9, dtype=torch.float64), torch.tensor([2, 7])
    pre = x @ W.T + b
    nothing = auxiliary(x, W, b, torch.zeros_like(W), pre, error, dead, 4)
    assert float(nothing) == pytest.approx(1)
    z = torch.relu(pre) * torch.isin(torch.arange(9), dead)
    expected = (error - z @ W).square().sum() / error.square().sum()
    torch.testing.assert_close(auxiliary(x, W, b, W, pre, error, dead, 4), expected)


# --- the pass of ReLU -----------------------------------------------------------------------

BIASES = {
    "many active": (0.0, 0.0),
    "few active": (-4.0, -4.0),
    "few in some blocks": (0.0, -4.0),
    "none": (-100.0, -100.0),
}


@pytest.mark.parametrize("biases", BIASES.values(), ids=BIASES)
@pytest.mark.parametrize("centred", [False, True])
def test_a_pass_is_the_formula_however_many_are_active(biases, centred, monkeypatch):
    """By autograd in float64; blocks of 64 features go one way or the other."""
    monkeypatch.setattr(dense, "BLOCK", 64 * 50)
    x, W_enc, W_dec, target, bias = draw((50, 3), (200, 3), (200, 3), (50, 3), (3,))
    b_enc, penalty = draw((200,), (200,), seed=1)
    b_enc[:100] += biases[0]
    b_enc[100:] += biases[1]
    bias = None if centred else bias
    weights = Weights(W_enc, b_enc, W_dec)
    for w in weights:
        w.requires_grad_()
    z = torch.relu(x @ W_enc.T + b_enc)
    error = z @ W_dec - target if bias is None else z @ W_dec + bias - target
    loss = 0.3 * error.square().sum() + (z @ penalty).sum()
    expected = torch.autograd.grad(loss, weights)
    shares = [float((part > 0).double().mean()) for part in z.split(64, dim=1)]
    assert (min(shares) <= FEW) == (biases[1] < 0) and (max(shares) <= FEW) == (biases[0] < 0)

    gradients = Weights(*(torch.full_like(w, torch.nan) for w in weights))
    found = relu_pass(x, target, weights, bias, 0.3, penalty, gradients)
    torch.testing.assert_close(found.squared, error.square().sum())
    torch.testing.assert_close(found.error, 0.6 * error)
    torch.testing.assert_close(found.total, z.sum(dim=0))
    assert found.n_active == int((z > 0).sum())
    assert found.l0() == float((z > 0).sum()) / 50
    for a, e in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, e)
    torch.testing.assert_close(relu_pass(x, target, weights, bias).error, error)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_both_ways_agree_in_the_precision_that_is_asked_for(dtype, monkeypatch):
    """The same pass by entries and by products, as a batch of a training has it."""
    x, W, penalty = (t.float() for t in draw((512, 48), (384, 48), (384,)))
    b = torch.full((384,), -12.0)
    ways = []
    for few in (0.0, 1.0):
        monkeypatch.setattr(dense, "FEW", few)
        gradients = Weights(torch.empty(384, 48), torch.empty(384), torch.empty(384, 48))
        found = relu_pass(x, x, Weights(W, b, W), None, 1 / 512, penalty, gradients, dtype)
        ways.append((found.error, found.total, *gradients))
    for a, e in zip(*ways, strict=True):
        scale = float(e.abs().max())
        assert float((a - e).abs().max()) <= scale * (1e-5 if dtype == "float32" else 1e-2)


def test_a_block_of_features_has_room_for_a_large_batch():
    """At least 64 features a block, each of them met once."""
    x, W = draw((BLOCK // 32, 2), (150, 2))
    b = torch.zeros(150, dtype=torch.float64)
    found = relu_pass(x, x, Weights(W, b, W), None)
    z = torch.relu(x @ W.T)
    torch.testing.assert_close(found.total, z.sum(dim=0))
    torch.testing.assert_close(found.squared, (z @ W - x).square().sum())
