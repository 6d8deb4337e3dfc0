"""Linear probes: known answers, then agreement with scikit-learn for each."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import d2_log_loss_score
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from saegrid.base.registry import pick
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes import fits
from saegrid.evidence.probes.linear import LINEAR
from saegrid.evidence.probes.linear.method import by_column, explained, scaled


def texts(n=300, d=12, seed=0, is_sparse=False):
    """Columns and a noisy label of the first two of them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * rng.uniform(0.5, 3, d) + rng.uniform(-1, 1, d)
    if is_sparse:
        x = np.abs(x) * (rng.random((n, d)) < 0.3)
    signal = x[:, 0] - x[:, 1]
    y = (signal + rng.standard_normal(n) > np.median(signal)) * 1.0
    return (sparse.csr_matrix(x) if is_sparse else x), y


def lines(name, x, y, penalties=None):
    """The probes of a method."""
    method = pick(LINEAR, name, "Method")
    return method.path(x, y, method.penalties if penalties is None else penalties)


def logistic(x, y, **options):
    """scikit-learn's regression to the last digit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LogisticRegression(tol=1e-11, max_iter=200_000, **options).fit(x, y)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize(("name", "ratio"), [("l1", 1.0), ("elastic_net", 0.5)])
def test_penalties_on_sizes_have_the_minima_of_scikit_learn(name, ratio, is_sparse):
    x, y = texts(is_sparse=is_sparse)
    unit = by_column(x)
    columns, n = scaled(x, unit), len(y)
    most = np.abs(columns.T @ (y - y.mean())).max() / (n * ratio)
    for line in lines(name, x, y)[2::4]:
        c = 1 / (n * line.penalty * most)
        theirs = logistic(columns, y, C=c, solver="saga", l1_ratio=ratio, random_state=0)
        assert np.allclose(line.w * unit.unit, theirs.coef_[0], atol=2e-4)
        assert np.allclose(line.of(x), theirs.decision_function(columns), atol=1e-3)
        assert line.converged


def test_the_strongest_penalty_leaves_the_share_alone_and_weaker_ones_more_units():
    x, y = texts(d=40)
    all_zero, *rest = lines("l1", x, y, (1.0, 0.5, 0.1, 0.02))
    assert all_zero.n_nonzero == 0
    assert all_zero.b == pytest.approx(np.log(y.mean() / (1 - y.mean())))
    counts = [line.n_nonzero for line in rest]
    assert counts == sorted(counts)
    assert 0 < counts[0] < 5 < 20 < counts[-1]


def test_more_columns_than_texts_have_one_answer_under_a_penalty():
    x, y = texts(n=80, d=500)
    for name in ("l1", "elastic_net", "l2", "svm"):
        every = lines(name, x, y)
        assert all(line.converged and np.isfinite(line.w).all() for line in every)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_squared_weights_have_the_minimum_of_scikit_learn(is_sparse):
    x, y = texts(is_sparse=is_sparse)
    columns = fits.scale(x).of(x)
    (line,) = lines("l2", x, y, [0.01])
    theirs = logistic(columns, y, C=1 / (0.01 * len(y)))
    assert np.allclose(line.of(x), theirs.decision_function(columns), atol=1e-3)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_scaled_machine_is_that_of_scikit_learn_on_scaled_columns(is_sparse):
    x, y = texts(is_sparse=is_sparse)
    columns = fits.scale(x).of(x)
    (line,) = lines("svm", x, y, [0.5])
    theirs = LinearSVC(C=2, max_iter=100_000, tol=1e-8, random_state=0).fit(columns, y)
    assert np.allclose(line.of(x), theirs.decision_function(columns), atol=1e-3)
    if not is_sparse:
        wanted = StandardScaler().fit_transform(x) / np.sqrt(x.shape[1])
        assert np.allclose(columns, wanted)


def test_the_published_machine_has_the_defaults_and_says_where_it_stopped_early():
    x, y = texts()
    (line,) = lines("svm_published", x, y)
    theirs = LinearSVC(random_state=0).fit(x, y)
    assert np.array_equal(line.w, theirs.coef_[0])
    assert line.converged
    assert theirs.C == 1 and theirs.max_iter == 1000
    rng = np.random.default_rng(1)
    far, noise = 1e3 + rng.standard_normal((100, 120)), rng.permutation(np.repeat([0.0, 1.0], 50))
    assert not lines("svm_published", far, noise)[0].converged
    assert lines("svm", far, noise, [1.0])[0].converged


def test_the_difference_of_means_is_the_nearest_of_both_means():
    x, y = texts()
    (line,) = lines("difference", x, y)
    theirs = NearestCentroid().fit(fits.scale(x).of(x), y)
    assert np.array_equal(line.of(x) > 0, theirs.predict(fits.scale(x).of(x)) > 0)
    unit = x.std(axis=0)
    wanted = (x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)) / unit**2
    assert np.allclose(line.w / np.linalg.norm(line.w), wanted / np.linalg.norm(wanted))


def test_no_penalty_is_the_likelihood_alone_where_texts_are_more_than_columns():
    x, y = texts()
    (line,) = lines("unpenalised", x, y)
    theirs = logistic(x, y, C=np.inf)
    assert np.allclose(line.of(x), theirs.decision_function(x), atol=1e-3)
    assert line.converged
    separable = (x[:, 0] > 0) * 1.0
    assert not lines("unpenalised", x, separable)[0].converged


@pytest.mark.parametrize("n", [12, 5])
def test_no_penalty_is_refused_where_columns_are_as_many_as_texts_in_one_sentence(n):
    x, y = texts(n=n)
    with pytest.raises(Unusable) as error:
        lines("unpenalised", x, y)
    words = str(error.value)
    assert f"{n} texts have 12 columns" in words
    assert "'Singular matrix'" in words
    assert "l1, l2 or elastic_net" in words
    design = np.column_stack([np.ones(n), x])
    assert np.linalg.matrix_rank(design.T @ design) < 13


def test_explained_deviance_is_that_of_scikit_learn():
    x, y = texts()
    margin = lines("l2", x, y, [0.01])[0].of(x)
    p = 1 / (1 + np.exp(-margin))
    assert explained(margin, y, y.mean()) == pytest.approx(d2_log_loss_score(y, p))
    assert explained(np.full(len(y), np.log(y.mean() / (1 - y.mean()))), y, y.mean()) == (
        pytest.approx(0)
    )


@pytest.mark.parametrize("name", sorted(LINEAR))
def test_dense_and_sparse_columns_give_the_same_probe_where_the_scale_is_the_same(name):
    x, y = texts(is_sparse=True)
    method = pick(LINEAR, name, "Method")
    assert method.title and method.definition
    (line,) = lines(name, x, y, method.penalties[:1])
    (again,) = lines(name, x, y, method.penalties[:1])
    assert line.w.tobytes() == again.w.tobytes()
    assert line.of(x).shape == (len(y),)
