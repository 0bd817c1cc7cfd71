import numpy as np
import pandas as pd
import pytest

from curation.calibration import CSV_COLUMNS, NODES, calibrate, fit, print_calibrations, update_thresholds
from curation.review_sample import sample
from curation.reviews import ReviewError
from curation.rules import RuleError
from curation.thresholds import read_thresholds


def some_scores(n: int = 1000, seed: int = 0) -> pd.Series:
    """Most near 0, few above one half, as detectors give; 4 decimals."""
    rng = np.random.default_rng(seed)
    values = 1 / (1 + np.exp(3.5 - 1.8 * rng.standard_normal(n)))
    return pd.Series(np.round(values, 4), index=[f"p{i:04d}" for i in range(n)])


def verdicts(scores: pd.Series, picked, drops: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"pair_id": list(picked), "drop": drops[list(picked)].astype(float).to_numpy()})


def reviewed(scores: pd.Series, drops: pd.Series, n: int = 40) -> pd.DataFrame:
    return verdicts(scores, sample(scores, "blur", 0.5, n)["pair_id"], drops)


def found(scores: pd.Series, reviews: pd.DataFrame, before=0.5, wanted=0.9):
    return calibrate("blur", scores, reviews, before, wanted, lambda n: f"get {n}")


def test_the_probability_never_falls_with_the_score_even_where_clicks_do():
    curve = fit(np.linspace(0.01, 0.99, 40), (np.arange(40) % 3 == 0).astype(float))
    assert (np.diff(curve.mean) >= -1e-12).all() and (np.diff(curve.draws, axis=1) >= -1e-12).all()
    assert curve.mean.min() > 0 and curve.mean.max() < 1 and curve.mean.shape == NODES.shape
    assert abs(curve.at(np.linspace(0.01, 0.99, 40)).mean() - 1 / 3) < 0.05


def test_clear_clicks_give_a_clear_step_and_a_gap_in_them_doubt():
    scores = np.r_[np.full(20, 0.1), np.full(20, 0.9)]
    curve = fit(scores, np.r_[np.zeros(20), np.ones(20)])
    at = curve.at(np.array([0.05, 0.1, 0.5, 0.9, 0.95]))
    assert at[1] < 0.06 and at[3] > 0.94 and 0.4 < at[2] < 0.6
    low, high = curve.interval(np.array([0.1, 0.5, 0.9]))
    assert (high - low)[1] > 0.7 and (high - low)[[0, 2]].max() < 0.3


def test_more_clicks_make_the_interval_narrower():
    widths = []
    for n in (20, 80, 320):
        scores = np.tile([0.2, 0.4, 0.6, 0.8], n // 4)
        drop = np.tile(np.r_[np.zeros(5), np.ones(5), np.ones(6), np.zeros(4)], n // 20)
        low, high = fit(scores, drop).interval(np.array([0.6]))
        widths.append(float(high[0] - low[0]))
    assert widths[0] > widths[1] > widths[2]


def test_two_reviewers_who_differ_lie_between_those_who_agree():
    scores = np.linspace(0.05, 0.95, 20)
    at = [fit(scores, np.full(20, drop)).at(np.array([0.5]))[0] for drop in (0.0, 0.5, 1.0)]
    assert at[0] < 0.1 and 0.4 < at[1] < 0.6 and at[2] > 0.9


def test_what_was_seen_is_known_exactly():
    scores = some_scores(60)
    drops = scores >= 0.03
    c = found(scores, verdicts(scores, scores.index, drops), wanted=1.0)
    assert (scores >= c.after.threshold).equals(drops)  # all seen: the very threshold
    assert (c.after.precision, c.after.low, c.after.high) == (1.0, 1.0, 1.0)
    assert (c.after.rejects, c.after.reviewed, c.reviews, c.dropped) == (drops.sum(), drops.sum(), 60, drops.sum())


def test_half_of_what_lies_above_and_was_seen_is_dropped():
    scores = pd.Series(np.r_[np.full(30, 0.02), np.linspace(0.6, 0.9, 20)], index=[f"p{i:02d}" for i in range(50)])
    drops = pd.Series(np.r_[np.zeros(30), np.tile([0.0, 1.0], 10)], index=scores.index)
    c = found(scores, verdicts(scores, scores.index, drops), wanted=0.5)
    assert c.before.precision == 0.5 and c.before.rejects == 20


@pytest.mark.parametrize("step", [0.15, 0.4, 0.6])
def test_forty_clicks_find_where_a_person_begins_to_drop(step):
    scores = some_scores(3000)
    drops = scores >= step
    c = found(scores, reviewed(scores, drops))
    over = scores >= c.after.threshold
    assert drops[over].mean() >= 0.85  # the true precision
    assert (drops & over).sum() / drops.sum() > 0.75
    assert c.after.low - 0.05 <= drops[over].mean() <= c.after.high + 0.05
    assert c.after.rejects == over.sum() and c.before.rejects == (scores >= 0.5).sum()


def test_wrong_clicks_do_not_throw_it_off_and_intervals_hold():
    """50 simulated reviewers, 1 click in 20 wrong: what is promised is what is got, and 95 % intervals hold the truth."""
    rng = np.random.default_rng(7)
    inside, promised, got, refused = [], [], [], 0
    for seed in range(50):
        scores = some_scores(800, seed)
        truth = rng.random(800) < 1 / (1 + np.exp(-3 * np.log((scores + 1e-4) / (1 - scores)) - 1))
        clicks = pd.Series(truth ^ (rng.random(800) < 0.05), index=scores.index)
        try:
            c = found(scores, reviewed(scores, clicks), wanted=0.8)
        except ReviewError:
            refused += 1
            continue
        real = clicks[scores >= c.after.threshold].mean()
        promised.append(c.after.precision)
        got.append(real)
        inside.append(c.after.low - 1e-3 <= real <= c.after.high + 1e-3)
    assert refused <= 5
    assert np.mean(inside) >= 0.9
    assert abs(np.mean(promised) - np.mean(got)) < 0.03


def test_a_sample_that_is_lopsided_is_put_right():
    """Half of the clicks lie in the top tenth of what the threshold rejects; the whole is judged, not the clicks."""
    scores = some_scores(4000)
    drops = scores >= 0.6
    over = scores[scores >= 0.3].sort_values(ascending=False).index
    picked = [*over[: len(over) // 10][:30], *over[:: len(over) // 15], *scores[scores < 0.3].index[:10]]
    c = found(scores, verdicts(scores, dict.fromkeys(picked), drops), before=0.3)
    real = drops[scores >= 0.3].mean()
    of_clicks = np.mean([drops[p] for p in picked if scores[p] >= 0.3])
    assert of_clicks > real + 0.2
    assert abs(c.before.precision - real) < 0.1 and c.before.low <= real <= c.before.high


def test_the_more_precise_the_higher_the_threshold():
    scores = some_scores(3000)
    drops = pd.Series(np.random.default_rng(1).random(3000) < scores, index=scores.index)
    thresholds = [found(scores, reviewed(scores, drops, 80), wanted=w).after.threshold for w in (0.3, 0.5, 0.7)]
    assert thresholds == sorted(thresholds) and thresholds[0] < thresholds[2]


def test_a_threshold_is_short_and_lies_in_the_gap():
    scores = pd.Series(
        np.r_[np.linspace(0.001, 0.02, 30), np.linspace(0.7, 0.9, 10)].round(4), index=[f"p{i:02d}" for i in range(40)]
    )
    c = found(scores, verdicts(scores, scores.index, scores > 0.5), wanted=1.0)
    assert c.after.threshold == 0.36 and c.after.rejects == 10
    high = scores.where(scores < 0.5, scores / 10 + 0.9)  # 0.9700 ... 0.9900 and one neighbour just below
    high.iloc[29] = 0.9699
    c = found(high, verdicts(high, high.index, high >= 0.97), wanted=1.0)
    assert c.after.threshold == 0.97


def test_it_does_not_depend_on_the_order_of_the_reviews_or_pairs():
    scores = some_scores()
    reviews = reviewed(scores, scores >= 0.4)
    one, two = found(scores, reviews), found(scores.sort_index(ascending=False), reviews[::-1])
    assert one.after == two.after and one.before == two.before
    pd.testing.assert_frame_equal(one.steps, two.steps)


def test_the_steps_give_the_curve_over_the_whole_scale():
    scores = some_scores()
    steps = found(scores, reviewed(scores, scores >= 0.4)).steps
    assert list(steps.columns) == CSV_COLUMNS and len(steps) == 101
    assert steps["probability"].is_monotonic_increasing and steps["score"].iloc[[0, -1]].tolist() == [0, 1]
    assert ((steps["low"] <= steps["probability"]) & (steps["probability"] <= steps["high"])).all()
    assert steps["pairs_at_or_above"].iloc[50] == (scores >= 0.5).sum() and steps["reviewed_at_or_above"].iloc[0] == 40


def test_too_few_reviews_are_refused_with_the_command_for_more():
    scores = some_scores()
    reviews = reviewed(scores, scores >= 0.4).iloc[:12]
    with pytest.raises(ReviewError, match=r"blur: 12 reviewed pairs are too few, 20 are the least.*get 28"):
        found(scores, reviews)
    elsewhere = reviewed(scores, scores >= 0.4).assign(pair_id=lambda t: "x" + t["pair_id"])
    with pytest.raises(ReviewError, match="0 reviewed pairs"):  # pairs without this score
        found(scores, elsewhere)


@pytest.mark.parametrize(("drop", "said", "where"), [(0.0, "keep", "higher"), (1.0, "drop", "lower")])
def test_one_verdict_alone_is_refused(drop, said, where):
    scores = some_scores()
    reviews = reviewed(scores, pd.Series(drop, index=scores.index))
    with pytest.raises(ReviewError, match=f"all 40 reviewed pairs have the verdict {said}.*{where} scores.*get 20"):
        found(scores, reviews)


def test_a_precision_that_is_nowhere_reached_is_refused_with_the_best():
    scores = some_scores(3000)
    drops = pd.Series(np.random.default_rng(3).random(3000) < 0.5 * (scores > 0.3), index=scores.index)
    with pytest.raises(
        ReviewError, match=r"no threshold is as precise as 0\.9; the best is 0\.\d\d \(95 %: 0\.\d\d-\d\.\d\d\) at"
    ) as told:
        found(scores, reviewed(scores, drops))
    assert "Ask for a lower precision" in str(told.value) and "get 20" in str(told.value)


def test_a_single_verdict_at_the_top_is_no_precision():
    scores = some_scores(1000)
    drops = pd.Series(False, index=scores.index)
    drops[scores.idxmax()] = True
    with pytest.raises(ReviewError, match=r"no threshold is as precise as 0\.9"):
        found(scores, verdicts(scores, scores.nlargest(40).index, drops))


def test_a_rule_that_was_off_has_nothing_before(capsys):
    scores = some_scores()
    c = found(scores, reviewed(scores, scores >= 0.4), before=None)
    assert c.before is None
    unreached = found(scores, reviewed(scores, scores >= 0.4), before=1.0)
    assert unreached.before.rejects == 0 and np.isnan(unreached.before.precision)
    print_calibrations([c, unreached], 0.9)
    shown = capsys.readouterr().out
    assert "off" in shown and "nan" not in shown and f"{c.after.threshold:g}" in shown


def test_the_file_of_thresholds_keeps_its_other_lines(tmp_path):
    scores = some_scores()
    c = found(scores, reviewed(scores, scores >= 0.4))
    file = tmp_path / "t.toml"
    update_thresholds(file, {"blur": c})
    assert read_thresholds(file) == {"blur": c.after.threshold}
    file.write_text('# mine\n[thresholds]\n"blur" = 0.9  # former\n# blur = 0.3\ncoupling = "off"')
    update_thresholds(file, {"blur": c, "dark": c})
    assert read_thresholds(file) == {"blur": c.after.threshold, "coupling": None, "dark": c.after.threshold}
    text = file.read_text()
    assert text.startswith("# mine\n") and "# blur = 0.3\n" in text and "former" not in text
    assert f"blur = {c.after.threshold:g}  # 40 reviews: precision 0.9" in text


def test_a_file_of_thresholds_that_cannot_be_changed_stays_as_it_is(tmp_path):
    scores = some_scores()
    c = found(scores, reviewed(scores, scores >= 0.4))
    file = tmp_path / "t.toml"
    for text in ("thresholds = { blur = 0.4 }\n", "thresholds.blur = 0.4\n"):
        file.write_text(text)
        with pytest.raises(RuleError, match="--out with another file"):
            update_thresholds(file, {"blur": c})
        assert file.read_text() == text and [p.name for p in tmp_path.iterdir()] == ["t.toml"]
    file.write_text("[")
    with pytest.raises(RuleError, match="not valid TOML"):
        update_thresholds(file, {"blur": c})
