"""From measures to verdicts: wrong maps stand out, none judges itself, and the share of wrong ones is estimated."""

import numpy as np
import pytest

from curation.label_error import ranking
from curation.label_error.simulated import KINDS

N, M = 240, 12


def moved_by(kind):
    """Each kind of error moves a measure of its own far out, and the first a little."""
    move = np.zeros(M)
    move[0], move[1 + KINDS.index(kind)] = 1, 16
    return move


def simulated_set(rng, kinds=KINDS, each=60):
    kind = np.repeat(np.array(kinds, dtype=object), each)
    values = rng.normal(0, 1, (len(kind), M)) + np.array([moved_by(k) for k in kind])
    return values, kind, rng.integers(0, 4, len(kind))


def given_set(rng, wrong, n=N):
    """`wrong` of the maps are wrong, in the kinds by turns: (values, fold, truth)."""
    values, truth = rng.normal(0, 1, (n, M)), np.full(n, "", dtype=object)
    for i in range(wrong):
        truth[i] = KINDS[i % len(KINDS)]
        values[i] += moved_by(truth[i])
    return values, rng.integers(0, 4, n), truth


@pytest.fixture(scope="module")
def ranked():
    rng = np.random.default_rng(0)
    given, wrong = given_set(rng, 28), simulated_set(rng)
    return given, wrong, ranking.rank(given[0], given[1], *wrong)


def test_wrong_maps_stand_out(ranked):
    (_, _, truth), _, said = ranked
    wrong = truth != ""
    assert said.score.min() >= 0 and said.score.max() <= 1
    assert np.array_equal(said.score, np.round(said.score, 3))
    assert (said.score[wrong] > 0.5).mean() > 0.6
    assert wrong[np.argsort(-said.score, kind="stable")[:20]].all()
    assert (said.score[~wrong] > 0.5).mean() < 0.03


def test_it_says_what_kind_of_error_it_is(ranked):
    (_, _, truth), _, said = ranked
    found = (truth != "") & (said.score > 0.5)
    assert (said.kind[found] == truth[found]).mean() > 0.9


@pytest.mark.parametrize("wrong", [40, 80, 240])
def test_the_share_of_wrong_maps_is_estimated(wrong):
    rng = np.random.default_rng(wrong)
    (values, fold, _), simulated = given_set(rng, wrong, 800), simulated_set(rng)
    assert 0.5 * wrong / 800 < ranking.rank(values, fold, *simulated).wrong < 1.2 * wrong / 800  # rather too few


@pytest.mark.parametrize("n", [50, 80, 150])
def test_few_maps_are_believed_less(n):
    """None is wrong, and next to nothing is known of what right ones look like: hardly any may be rejected."""
    over = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        (values, fold, _), simulated = given_set(rng, 0, n), simulated_set(rng)
        over += (ranking.rank(values, fold, *simulated).score >= 0.5).sum()
    assert over <= 0.02 * 4 * n


def test_only_maps_that_may_teach_are_learned_from():
    rng = np.random.default_rng(5)
    (values, fold, _), simulated = given_set(rng, 0), simulated_set(rng)
    teaches = rng.random(N) < 0.5
    before = ranking.rank(values, fold, *simulated, teaches).score
    changed = np.where(teaches[:, None], values, rng.normal(0, 1, values.shape))
    assert np.array_equal(ranking.rank(changed, fold, *simulated, teaches).score[teaches], before[teaches])


def test_the_estimated_share_explains_odds_that_leave_no_doubt():
    assert ranking._share_of_wrong(np.repeat([50.0, -50.0], [20, 80])) == pytest.approx(0.2, abs=1e-6)
    assert ranking._share_of_wrong(np.full(50, -50.0)) == ranking.LEAST_WRONG
    assert ranking._share_of_wrong(np.full(50, 50.0)) == ranking.MOST_WRONG


@pytest.mark.parametrize("fold", range(4))
def test_no_map_takes_part_in_its_own_verdict(ranked, fold):
    """Other maps of its fold, given or simulated, may be anything: what is said of a map stays the same to the last bit."""
    (values, folds, _), (simulated, kind, simulated_folds), _ = ranked
    rng, trusted = np.random.default_rng(9), np.ones(N, bool)
    before = ranking._out_of_fold(values, folds, trusted, simulated, kind, simulated_folds)
    asked = np.flatnonzero(folds == fold)[::2]  # the rest of the fold is changed
    change = (folds == fold) & ~np.isin(np.arange(N), asked)
    values = np.where(change[:, None], rng.normal(3, 5, values.shape), values)
    simulated = np.where((simulated_folds == fold)[:, None], rng.normal(-3, 5, simulated.shape), simulated)
    after = ranking._out_of_fold(values, folds, trusted & ~change, simulated, kind, simulated_folds)
    assert before.shape == (N, len(KINDS))
    np.testing.assert_allclose(after[asked], before[asked], atol=1e-9)
    assert np.abs(after[folds != fold] - before[folds != fold]).max() > 0.1


def test_wrong_maps_among_the_given_do_not_teach_that_wrong_is_right():
    """Many are wrong in the same way: a second round without those that are surely wrong puts them further up."""
    rng = np.random.default_rng(4)
    values, fold, _ = given_set(rng, 0)
    values[:20] += moved_by("swapped")
    wrong = simulated_set(rng)
    once = ranking._out_of_fold(values, fold, np.ones(N, bool), *wrong)
    again = ranking._out_of_fold(values, fold, once.max(1) < ranking.SURE, *wrong)
    swapped = KINDS.index("swapped")
    assert np.median(again[:20, swapped]) > np.median(once[:20, swapped]) + 0.3
    said = ranking.rank(values, fold, *wrong)
    assert np.argsort(-said.score, kind="stable")[:15].max() < 20
    prior = np.log(said.wrong / (1 - said.wrong))  # what is said is said by the second round
    log_odds = np.log(np.exp(again).mean(1))
    np.testing.assert_allclose(said.score, 1 / (1 + np.exp(-log_odds - prior)), atol=6e-4)


def test_the_order_of_the_maps_changes_nothing(ranked):
    (values, fold, _), (simulated, kind, simulated_fold), said = ranked
    a, b = np.random.default_rng(5).permutation(N), np.random.default_rng(6).permutation(len(kind))
    again = ranking.rank(values[a], fold[a], simulated[b], kind[b], simulated_fold[b])
    np.testing.assert_allclose(again.score, said.score[a], atol=2e-3)
    assert np.array_equal(again.kind, said.kind[a])


def test_a_kind_that_cannot_happen_is_not_named():
    rng = np.random.default_rng(7)
    (values, fold, _), wrong = given_set(rng, 28), simulated_set(rng, KINDS[:3])
    assert set(ranking.rank(values, fold, *wrong).kind) <= set(KINDS[:3])


@pytest.mark.parametrize("folds", [1, 4])
def test_without_anything_to_learn_from_all_are_alike(folds):
    """No simulated maps at all, or all pairs in one fold."""
    rng = np.random.default_rng(8)
    values, fold, _ = given_set(rng, 0)
    simulated, kind, simulated_fold = simulated_set(rng)
    if folds == 1:
        fold, simulated_fold = fold * 0, simulated_fold * 0
    else:
        simulated, kind, simulated_fold = simulated[:0], kind[:0], simulated_fold[:0]
    said = ranking.rank(values, fold, simulated, kind, simulated_fold)
    assert len(said.score) == len(said.kind) == N and len(set(said.score)) == 1 and said.score[0] < 0.5


def test_measures_that_are_the_same_everywhere_do_no_harm(ranked):
    (values, fold, _), (simulated, kind, simulated_fold), said = ranked
    values, simulated = (np.hstack([v, np.zeros((len(v), 1))]) for v in (values, simulated))
    again = ranking.rank(values, fold, simulated, kind, simulated_fold)
    assert np.isfinite(again.score).all()
    assert ((again.score > 0.5) == (said.score > 0.5)).mean() > 0.97
