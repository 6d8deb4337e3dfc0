"""Probes in nested folds and their controls: known answers first (D14), then protocols by hand."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.svm import LinearSVC

from saegrid.base.registry import pick
from saegrid.evidence.probes import controls, fits, nested
from saegrid.evidence.probes.classify import SPARSE, classify
from saegrid.evidence.probes.linear import LINEAR
from saegrid.evidence.probes.nested import Task
from saegrid.evidence.probes.preserved import areas, draws, interval
from saegrid.evidence.probes.problem import folds
from saegrid.evidence.probes.representations.pca import components
from saegrid.evidence.probes.selection import strengths, strongest


def task(y, type, n_folds=5, seed=0):
    """Texts with folds of whole types."""
    return Task(y, type, folds(type, y, n_folds, seed, "readout"), seed)


def methods(*names):
    """Linear probes by name."""
    return {name: pick(LINEAR, name, "Method") for name in names}


def planted(n=200, d_sae=60, d=16, seed=0):
    """Codes of which one decides the label, and activations that are made of them."""
    rng = np.random.default_rng(seed)
    z = rng.random((n, d_sae)) * (rng.random((n, d_sae)) < 0.1)
    z[:, 7] = (0.5 + rng.random(n)) * (rng.random(n) < 0.4)
    decoder = rng.standard_normal((d_sae, d))
    return sparse.csc_matrix(z), z @ decoder, (z[:, 7] > 0) * 1.0


def scored(of, one):
    """The mean AUROC of the folds."""
    return areas(of, one.prediction, draws(of, 0))[0]


def types_of(n_types, each):
    """One unit a word type, `each` texts a type, and random labels of the types."""
    rng = np.random.default_rng(0)
    type = np.repeat(np.arange(n_types), each)
    label = rng.permutation(np.repeat([0.0, 1.0], n_types // 2))
    return np.eye(n_types)[type], label[type], type


# --- known answers ----------------------------------------------------------------------------


def test_a_planted_latent_is_told_by_one_unit_and_by_no_component_alone():
    """D14 i."""
    z, x, y = planted()
    of = task(y, np.arange(len(y)))
    (one,) = nested.sparse_curve(of, z, [1])
    assert scored(of, one) == 1
    assert (one.validation == 1).all() and (one.n_nonzero == 1).all()
    (baseline,) = nested.sparse_curve(of, lambda split: components(x, split.train), [1])
    assert scored(of, baseline) < 0.95
    for found in nested.nested(of, z, methods("l1", "difference")):
        assert scored(of, found) > 0.97


@pytest.mark.parametrize("name", ["l1", "l2", "svm", "difference"])
def test_random_labels_are_predicted_by_chance(name):
    """D14 ii: all that is chosen is chosen inside the training folds."""
    values, inside = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = sparse.csc_matrix((rng.random((60, 200)) < 0.2) * rng.random((60, 200)))
        y = rng.permutation(np.repeat([0.0, 1.0], 30))
        of = task(y, np.arange(60) // 2)
        (one,) = nested.nested(of, x, methods(name))
        values.append(scored(of, one))
        inside.append(one.validation.mean())
    for each in (values, inside):
        assert abs(np.mean(each) - 0.5) < 3 * np.std(each, ddof=1) / np.sqrt(5) + 0.02


def test_units_chosen_outside_the_folds_would_find_something_in_random_labels():
    """D14 ii, the trap: N = 100, 20,000 units."""
    rng = np.random.default_rng(0)
    x = (rng.random((100, 20_000)) < 0.2) * rng.random((100, 20_000))
    z, y = sparse.csc_matrix(x), rng.permutation(np.repeat([0.0, 1.0], 50))
    of = task(y, np.arange(100))
    outside = strongest(strengths(z, y[:, None], np.ones((100, 1), bool))[:, 0], 10)
    (trapped,) = nested.sparse_curve(of, z[:, outside], [10], validated=False)
    (honest,) = nested.sparse_curve(of, z, [10], validated=False)
    assert scored(of, trapped) > 0.8
    low, high = interval(areas(of, honest.prediction, draws(of, 200)))[1:]
    assert low < 0.5 < high


def test_a_probe_that_memorises_random_labels_of_types_has_no_selectivity():
    """D14 iii: types that recur; the control is learned by heart as the task is."""
    x, y, type = types_of(40, 10)
    found = controls.by_types(x, y, type, 20)
    assert found.recurring > 0.99
    assert found.control_seen > 0.99 and found.task_test > 0.99
    low, high = found.interval
    assert low <= 0 <= high
    assert abs(found.mean) < 0.01
    assert found.note == ""


def test_types_of_one_text_leave_the_control_at_guessing_and_the_table_says_so():
    """D14 iii: the flaw of the published study."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 5))
    y = (x[:, 0] > np.median(x[:, 0])) * 1.0
    for found in (controls.by_types(x, y, np.arange(300), 25), controls.published(x, y, 25)):
        accuracy = np.mean(found.task_test - found.values[1:])
        assert 0.45 < accuracy < 0.55
        assert "guessing" in found.note
        assert found.mean > 0.4 and found.interval[1] > 0.4
    assert np.isnan(found.control_seen)
    assert controls.by_types(x, y, np.arange(300), 3).recurring == 0


def test_a_planted_direction_that_types_share_has_the_selectivity_of_an_unlearnable_control():
    """A concept in one channel and nothing else: the task is told, the control is not."""
    type = np.repeat(np.arange(60), 8)
    y = (type % 2) * 1.0
    found = controls.by_types(y[:, None] * 2 - 1, y, type, 30)
    assert found.task_test == 1
    assert found.mean == pytest.approx(0.5, abs=0.06)


# --- protocols --------------------------------------------------------------------------------


def test_the_published_protocol_is_that_of_the_notebook():
    """The published cells again, in numpy, with torch's global generator."""
    import torch

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 80)), (rng.random(60) < 0.5) * 1.0
    torch.manual_seed(1024)
    order, second = torch.randperm(60).numpy(), torch.randperm(60).numpy()

    def accuracy(labels_train, labels_test):
        fit = LinearSVC(random_state=0).fit(x[order[15:]], labels_train)
        return (fit.predict(x[order[:15]]) == labels_test).mean()

    task_accuracy = accuracy(y[order[15:]], y[order[:15]])
    control = accuracy(y[second[15:]], y[second[:15]])
    found = controls.published(x, y, 4)
    assert (found.task_test, found.control_test) == (task_accuracy, control)
    for i, value in enumerate(found.values):
        torch.manual_seed(1024 + i)
        again = torch.randperm(60).numpy()
        assert value == task_accuracy - accuracy(y[again[15:]], y[again[:15]])
    assert found.values[0] == 0
    counts, edges = found.histogram()
    assert counts.sum() == 4 and len(edges) == 11


def test_control_labels_belong_to_types_and_keep_both_classes():
    _, y, type = types_of(40, 5)
    rng = np.random.default_rng(1)
    drawn = [controls.control_labels(y, type, rng) for _ in range(20)]
    for labels in drawn:
        assert labels.mean() == 0.5
        assert all(len(np.unique(labels[type == one])) == 1 for one in range(40))
    assert 0.4 < np.mean([labels == y for labels in drawn]) < 0.6


def test_the_penalty_is_that_of_the_least_loss_inside_the_training_folds():
    """One outer fold by hand with scikit-learn."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 10))
    y = (x[:, 0] + 2 * rng.standard_normal(120) > 0) * 1.0
    of = task(y, np.arange(120) // 2, 4)
    method = pick(LINEAR, "l2", "Method")
    (found,) = nested.nested(of, x, {"l2": method})
    split = of.outer(1)

    def fitted(rows, penalty):
        scale = fits.scale(x[rows])
        c = 1 / (penalty * len(rows))
        fit = LogisticRegression(C=c, tol=1e-10, max_iter=5000).fit(scale.of(x[rows]), y[rows])
        return lambda asked: fit.predict_proba(scale.of(x[asked]))[:, 1]

    losses, inside = [], []
    for penalty in method.penalties:
        of_folds = [(fitted(one.train, penalty)(one.test), y[one.test]) for one in of.inner(1)]
        losses.append(np.mean([log_loss(label, p) for p, label in of_folds]))
        inside.append(np.mean([roc_auc_score(label, p) for p, label in of_folds]))
    best = int(np.argmin(losses))
    assert found.penalty[1] == method.penalties[best]
    assert found.validation[1] == pytest.approx(inside[best])
    p = fitted(split.train, method.penalties[best])(split.test)
    assert np.allclose(1 / (1 + np.exp(-found.prediction[split.test])), p, atol=1e-3)
    assert not {*split.train} & {row for one in of.inner(1) for row in one.test} ^ {*split.train}


def test_the_curve_is_that_of_the_classifiers_and_its_validation_sees_no_held_out_label():
    z, _, y = planted()
    noisy = np.where(np.random.default_rng(0).random(len(y)) < 0.2, 1 - y, y)
    of = task(noisy, np.arange(len(y)) // 2)
    nothing = np.empty((len(y), 0))
    whole = classify(nested.problem_of(of), z, [1, 5], (), nothing, methods=(SPARSE,))
    for one, quick, other in zip(
        nested.sparse_curve(of, z, [1, 5]),
        nested.sparse_curve(of, z, [1, 5], validated=False),
        whole,
        strict=True,
    ):
        assert np.allclose(one.prediction, other.prediction)
        assert np.array_equal(quick.prediction, other.prediction)
        assert one.label == f"k_sparse {one.k}"
    test = of.fold == 2
    flipped = of._replace(y=np.where(test, 1 - of.y, of.y))
    for one, other in zip(
        [*nested.sparse_curve(of, z, [5]), *nested.nested(of, z, methods("l1"))],
        [*nested.sparse_curve(flipped, z, [5]), *nested.nested(flipped, z, methods("l1"))],
        strict=True,
    ):
        assert np.array_equal(one.prediction[test], other.prediction[test])
        assert one.validation[2] == other.validation[2]


def test_a_method_that_cannot_be_fitted_has_a_note_and_no_number():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 60)), np.tile([0.0, 1.0], 25)
    of = task(y, np.arange(50))
    refused, fitted = nested.nested(of, x, methods("unpenalised", "l2"))
    assert "'Singular matrix'" in refused.note
    assert np.isnan(refused.prediction).all() and np.isnan(refused.validation).all()
    assert np.isnan(refused.explained)
    assert fitted.note == "" and not np.isnan(fitted.prediction).any()
    assert np.isnan(interval(areas(of, refused.prediction, draws(of, 20))).value)


def test_shuffled_labels_move_between_whole_types():
    _, y, type = types_of(40, 5)
    of = task(y, type)
    for one in of.shuffled(3):
        assert all(len(np.unique(one.y[type == t])) == 1 for t in range(40))
        assert one.y.mean() == y.mean()
        assert not np.array_equal(one.y, y)
