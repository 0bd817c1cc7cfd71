"""Class evidence out of fold, and the ranking made of it."""

import numpy as np
import pytest

from curation.label_error import judge, ranking
from curation.label_error.features import FEATURES, GRID, cell_classes, cell_features


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of three textures, with its label map: bright smooth, dark rough, reddish striped."""
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.permutation(np.repeat([0, 1, 2], 4)).reshape(3, 4), np.ones((32, 32))).astype(np.uint8)
    photo = np.empty((*ids.shape, 3))
    photo[ids == 0] = 200 + rng.normal(0, 2, ((ids == 0).sum(), 3))
    photo[ids == 1] = 60 + rng.normal(0, 30, ((ids == 1).sum(), 3))
    stripes = np.broadcast_to(40 * (np.arange(ids.shape[1]) % 8 < 4), ids.shape)
    photo[ids == 2] = (np.float64([150, 60, 60]) + stripes[ids == 2][:, None]) + rng.normal(0, 2, ((ids == 2).sum(), 3))
    return np.clip(photo, 0, 255).astype(np.uint8), ids


@pytest.fixture(scope="module")
def judged():
    """40 pairs, the first with a wrong map, the second with a wrong patch: scores."""
    names = [f"{i:02d}" for i in range(60)]
    pairs = [pair(i) for i in range(60)]
    pairs[0] = (pairs[0][0], np.rot90(pairs[0][1], 2).copy())
    pairs[1][1][:40, :40] = (pairs[1][1][:40, :40] + 1) % 3
    cells = [(cell_features(p), cell_classes(ids, 3)) for p, ids in pairs]
    model = judge.fit(
        [(judge.fold_of(n), f.reshape(-1, FEATURES), c.reshape(-1, 3)) for n, (f, c) in zip(names, cells, strict=True)]
    )
    found = [ranking.measures(model.evidence(f, judge.fold_of(n)), c) for n, (f, c) in zip(names, cells, strict=True)]
    return model, cells, np.array(found)


def test_features_are_finite_on_any_picture():
    for photo in (np.zeros((192, 256, 3), np.uint8), np.full((16, 300, 3), 255, np.uint8), pair(0)[0]):
        features = cell_features(photo)
        assert features.shape == (*GRID, FEATURES) and np.isfinite(features).all()


def test_cell_classes_are_area_shares_and_unknown_has_none():
    ids = np.zeros((24, 32), np.uint8)
    ids[:, 16:] = 255
    shares = cell_classes(ids, 2)
    assert (shares[:, :16, 0] == 1).all() and (shares[:, 16:] == 0).all()
    assert cell_classes(np.full((48, 64), 1, np.uint8), 2)[..., 1].mean() == 1


def test_the_evidence_names_the_right_class_of_pairs_the_model_never_saw(judged):
    model, cells, _ = judged
    right = [
        (model.evidence(f, judge.fold_of(f"{i:02d}")).argmax(2) == c.argmax(2)).mean()
        for i, (f, c) in enumerate(cells)
        if i > 1
    ]
    assert np.mean(right) > 0.9


def test_wrong_labels_stand_out(judged):
    _, _, found = judged
    scores = ranking.scores(found[:, 0], found[:, 1])
    assert scores[0] > 0.5 and scores[1] > 0.5
    assert np.median(scores[2:]) < 0.05


def test_no_pair_is_judged_by_a_model_that_saw_it():
    """Whatever the labels of the pairs of one fold, the model of that fold stays the same."""
    rng = np.random.default_rng(0)
    samples = [(i % judge.FOLDS, rng.normal(size=(30, FEATURES)), rng.random((30, 3))) for i in range(12)]
    before = judge.fit(samples).weights
    changed = [(f, x, rng.random(y.shape) if f == 1 else y) for f, x, y in samples]
    after = judge.fit(changed).weights
    assert np.array_equal(before[1], after[1]) and not np.allclose(before[0], after[0])


def test_a_judge_is_read_back_as_it_was_saved(judged, tmp_path):
    model, cells, _ = judged
    model.save(tmp_path / "judge.npz")
    again = judge.Judge.load(tmp_path / "judge.npz")
    assert np.array_equal(model.evidence(cells[0][0], 2), again.evidence(cells[0][0], 2))


def test_folds_depend_on_the_id_alone_and_are_about_even():
    folds = np.array([judge.fold_of(f"pair{i}") for i in range(4000)])
    assert np.bincount(folds, minlength=judge.FOLDS).min() > 900


def test_a_pair_without_known_pixels_is_no_label_error():
    assert ranking.measures(
        np.random.default_rng(0).random((24, 32, 3)).astype(np.float32), np.zeros((24, 32, 3), np.float32)
    ) == (0.0, 0.0)


def test_half_is_eight_units_of_honest_noise_above_the_median():
    margin = np.concatenate([np.linspace(-1, 1, 999), [1e9]])
    unit = -np.quantile(margin, 0.16)
    margin[-1] = ranking.LIMIT * unit
    scores = ranking.scores(margin, np.zeros(1000))
    assert scores[-1] == pytest.approx(0.5, abs=0.02) and scores[:-1].max() < 0.05
