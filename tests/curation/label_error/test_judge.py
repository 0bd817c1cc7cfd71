"""The judge: out of fold, a ridge regression as the book says, calibrated, and kept as it was."""

import numpy as np
import pytest

from curation.label_error import judge

WIDTH, CLASSES = 7, 3


def samples(n=24, cells=60, seed=0):
    """Clouds of three classes, in all folds."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 1, (CLASSES, WIDTH))
    found = []
    for i in range(n):
        classes = rng.integers(0, CLASSES, cells)
        x = (middles[classes] + rng.normal(0, 0.7, (cells, WIDTH))).astype(np.float32)
        found.append((i % judge.FOLDS, x, np.eye(CLASSES, dtype=np.float32)[classes]))
    return found


def fit(given):
    return judge.fit("plain", given, lambda: given)


@pytest.fixture(scope="module")
def fitted():
    return fit(samples())


def test_folds_depend_on_the_id_alone_and_are_about_even():
    folds = np.array([judge.fold_of(f"pair{i}") for i in range(4000)])
    assert np.bincount(folds, minlength=judge.FOLDS).min() > 900
    assert [judge.fold_of(name) for name in ("0001", "0002", "a/b", "天空")] == [1, 0, 1, 3]  # on any machine


@pytest.mark.parametrize("fold", range(judge.FOLDS))
def test_no_pair_is_judged_by_a_model_that_saw_it(fold, fitted):
    """Whatever the labels of the pairs of a fold, what is said of that fold stays the same to the last bit."""
    rng = np.random.default_rng(1)
    changed = [(f, x, rng.permutation(y) if f == fold else y) for f, x, y in samples()]
    again = fit(changed)
    assert np.array_equal(fitted.weights[fold], again.weights[fold])
    again.temperature = fitted.temperature  # one number for the whole set
    x = samples()[fold][1]
    assert np.array_equal(fitted.log_p(x, fold), again.log_p(x, fold))
    other = (fold + 1) % judge.FOLDS
    assert np.abs(fitted.log_p(x, other) - again.log_p(x, other)).max() > 0.01


def test_it_knows_classes_of_pairs_it_never_saw(fitted):
    right = np.mean([(fitted.log_p(x, fold).argmax(1) == y.argmax(1)).mean() for fold, x, y in samples()])
    assert right > 0.9


def test_log_p_is_the_log_of_a_probability(fitted):
    x = samples(1, 24 * 32)[0][1].reshape(24, 32, WIDTH)
    log_p = fitted.log_p(x, 2)
    assert log_p.shape == (24, 32, CLASSES) and log_p.dtype == np.float32
    assert log_p.min() >= judge.LOWEST and log_p.max() <= 0
    np.testing.assert_allclose(np.exp(log_p).sum(2), 1, atol=CLASSES * np.exp(judge.LOWEST) + 1e-5)


def test_impossible_classes_are_as_unlikely_as_can_be(fitted):
    one = judge.Judge("plain", fitted.mean, fitted.scale, fitted.weights * 100, 12.0)
    assert one.log_p(samples()[0][1], 0).min() == judge.LOWEST


def test_the_weights_solve_the_ridge_regression(fitted):
    """Against least squares on the stacked cells, the penalty as further rows; the cells lifted once more, by hand."""
    given, fold = samples(), 1
    stacked = np.concatenate([x for _, x, _ in given]).astype(np.float64)
    np.testing.assert_allclose(fitted.mean, stacked.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted.scale, stacked.std(0), rtol=1e-4)
    x = np.concatenate([x for f, x, _ in given if f != fold])
    y = np.concatenate([y for f, _, y in given if f != fold])
    standard = np.clip((x - fitted.mean) / fitted.scale, -5, 5)
    mix, shift = judge._mixture(WIDTH)
    lifted = np.hstack([np.ones((len(x), 1)), standard, np.maximum(standard @ mix + shift, 0)])
    penalty = np.sqrt(judge.RIDGE * (lifted**2).sum() / lifted.shape[1])
    rows = np.vstack([lifted, penalty * np.eye(lifted.shape[1])])
    expected = np.linalg.lstsq(rows, np.vstack([y, np.zeros((lifted.shape[1], CLASSES))]), rcond=None)[0]
    np.testing.assert_allclose(lifted @ fitted.weights[fold], lifted @ expected, atol=2e-3)


def test_features_that_tell_nothing_leave_the_shares_of_the_classes():
    rng = np.random.default_rng(2)
    shares = np.float32([0.6, 0.3, 0.1])
    blind = fit(
        [(i % 4, rng.normal(size=(400, WIDTH)).astype(np.float32), np.tile(shares, (400, 1))) for i in range(8)]
    )
    evidence = blind._evidence(rng.normal(size=(50, WIDTH)).astype(np.float32), 0)
    np.testing.assert_allclose(evidence, np.tile(shares, (50, 1)), atol=0.03)


def test_the_temperature_is_the_one_that_fits_pairs_not_seen(fitted):
    def loss(temperature):
        warm = judge.Judge("plain", fitted.mean, fitted.scale, fitted.weights, temperature)
        return -sum(float((y * warm.log_p(x, fold)).sum()) for fold, x, y in samples())

    assert fitted.temperature == min(judge.TEMPERATURES, key=loss)
    rng = np.random.default_rng(3)
    noisy = fit([(f, x, rng.permutation(y)) for f, x, y in samples()])
    assert noisy.temperature < fitted.temperature  # labels that mean nothing make it careful


def test_the_order_of_the_pairs_changes_nothing_but_rounding(fitted):
    again, x = fit(samples()[::-1]), samples()[0][1]
    assert again.temperature == fitted.temperature
    np.testing.assert_allclose(again.log_p(x, 0), fitted.log_p(x, 0), atol=1e-3)


def test_a_pair_without_cells_changes_nothing(fitted):
    nothing = (2, np.zeros((0, WIDTH), np.float32), np.zeros((0, CLASSES), np.float32))
    assert np.array_equal(fit([nothing, *samples()]).weights, fitted.weights)


def test_label_maps_that_know_nothing_leave_all_classes_alike():
    nothing = [(i % 4, np.zeros((0, WIDTH), np.float32), np.zeros((0, CLASSES), np.float32)) for i in range(8)]
    log_p = fit(nothing).log_p(samples()[0][1], 0)
    np.testing.assert_allclose(log_p, np.log(1 / CLASSES), rtol=1e-6)


def test_one_class_is_certain():
    sure = fit([(f, x, np.ones((len(x), 1), np.float32)) for f, x, _ in samples()])
    assert sure.n_classes == 1 and not sure.log_p(samples()[0][1], 0).any()


def test_it_says_how_far_it_is():
    told = []
    judge.fit("plain", samples(8, 20), lambda: samples(2, 20), told.append)
    assert sum(told) == 8


def test_it_is_read_back_as_it_was_saved(fitted, tmp_path):
    fitted.save(tmp_path / "judge.npz")
    again = judge.Judge.load(tmp_path / "judge.npz")
    assert (again.features, again.temperature, again.n_classes) == ("plain", fitted.temperature, CLASSES)
    assert np.array_equal(fitted.log_p(samples()[0][1], 3), again.log_p(samples()[0][1], 3))
    first = (tmp_path / "judge.npz").read_bytes()
    fit(samples()).save(tmp_path / "judge.npz")
    assert (tmp_path / "judge.npz").read_bytes() == first
