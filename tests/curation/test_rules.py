"""Rules are checked by their reason."""

import numpy as np
import pandas as pd
import pytest

from curation import keepers, photo_similarity
from curation.photo_similarity import LENGTH, TAU_PHOTO
from curation.rules import RULES, RuleError, Selection, Settings, count_by_reason, select
from curation.scores import SCORES


def table(**columns) -> pd.DataFrame:
    """A score table of pairs a, b, c ... in which every score is 0 unless it is given."""
    n = max(len(v) for v in columns.values())
    base = {"pair_id": [chr(97 + i) for i in range(n)], "image": "i", "label": "l", "width": 320, "height": 240}
    base |= {name: [0.0] * n for name in SCORES}
    return pd.DataFrame(base | {"error": [None] * n} | columns)


def duplicates(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["first", "second", "relation", "similarity"])


def photo(value) -> bytes:
    """A descriptor; those 8 apart (of 255) are of different photos."""
    return np.full(LENGTH, value, np.uint8).tobytes()


def groups(**classes) -> pd.DataFrame:
    """groups(x="abc") puts the pairs a, b, c into class x, each less similar to it than the one before."""
    rows = [
        (p, name, name, 1 - i / 100, photo(20 * i)) for name, members in classes.items() for i, p in enumerate(members)
    ]
    return pd.DataFrame(rows, columns=["pair_id", "equivalence_class", "representative", "similarity", "descriptor"])


def reasons(selection: Selection) -> dict[str, list[str]]:
    return {p: [f.reason for f in faults] for p, faults in selection.faults.items()}


NONE, ALONE = duplicates(), groups()


def test_level_0_drops_only_what_cannot_be_measured():
    scores = table(error=[None, "truncated image", None], label_error=[1.0, np.nan, 0], backlight=[1.0, np.nan, 0])
    selection = select(scores, duplicates(("a", "c", "exact", 1.0)), ALONE, Settings(0))
    assert selection.kept == ["a", "c"]
    assert selection.faults["b"][0].detail == "truncated image"


def test_level_1_adds_duplicates_label_errors_and_coupling_and_level_2_the_rest():
    scores = table(
        label_error=[0.9, 0, 0, 0, 0],
        coupling=[0, 0.9, 0, 0, 0],
        backlight=[0, 0, 0.9, 0, 0],
        monochrome=[0, 0, 0, 1.0, 0],
    )
    assert reasons(select(scores, NONE, ALONE, Settings(1))) == {"a": ["label_error"], "b": ["coupling"]}
    assert reasons(select(scores, NONE, ALONE, Settings(2))) == {
        "a": ["label_error"],
        "b": ["coupling"],
        "c": ["backlight"],
        "d": ["monochrome"],
    }


def test_a_pair_is_dropped_at_its_threshold_and_kept_just_below():
    scores = table(backlight=[0.5, 0.4999])
    assert select(scores, NONE, ALONE, Settings(2)).kept == ["b"]


def test_every_dropped_pair_has_one_first_reason_and_lists_the_others():
    scores = table(backlight=[0.9], coupling=[0.8], label_error=[0.7])
    faults = select(scores, NONE, ALONE, Settings(2)).faults["a"]
    assert [(f.reason, f.score, f.threshold) for f in faults] == [
        ("label_error", 0.7, 0.5),
        ("coupling", 0.8, 0.5),
        ("backlight", 0.9, 0.5),
    ]


def test_a_score_without_a_level_rejects_only_when_asked():
    scores = table(blur=[0.9, 0.0])
    assert select(scores, NONE, ALONE, Settings(2)).kept == ["a", "b"]
    assert reasons(select(scores, NONE, ALONE, Settings(1, {"blur": 0.5}))) == {"a": ["blur"]}


def test_a_rule_can_be_switched_off():
    scores = table(coupling=[0.9])
    assert select(scores, NONE, ALONE, Settings(2, {"coupling": None})).kept == ["a"]


def test_of_two_copies_the_clean_one_stays_then_the_larger_then_the_sharper_then_the_first():
    same = duplicates(("a", "b", "same", 0.99))
    settings = Settings(1)
    assert select(table(label_error=[0.9, 0]), same, ALONE, settings).kept == ["b"]
    assert select(table(width=[160, 320]), same, ALONE, settings).kept == ["b"]
    assert select(table(blur=[0.3, 0.1]), same, ALONE, settings).kept == ["b"]
    assert select(table(blur=[0.1, 0.1]), same, ALONE, settings).kept == ["a"]
    assert select(table(width=[160, 320]), same, ALONE, Settings(1, keeper=("first",))).kept == ["a"]


def test_duplicates_do_not_chain():
    """a = b and b = c does not make a = c: c is dropped only for a pair that is kept and that it equals."""
    chain = duplicates(("a", "b", "same", 0.99), ("b", "c", "same", 0.99))
    assert select(table(blur=[0, 0, 0]), chain, ALONE, Settings(1)).kept == ["a", "c"]


def test_a_duplicate_names_the_pair_that_is_kept_and_how_they_are_alike():
    copies = duplicates(("a", "b", "exact", 1.0), ("a", "c", "mirrored", 0.97))
    faults = select(table(blur=[0, 0, 0]), copies, ALONE, Settings(1)).faults
    assert (faults["b"][0].reason, faults["b"][0].representative) == ("exact_duplicate", "a")
    assert (faults["c"][0].reason, faults["c"][0].score, faults["c"][0].detail) == (
        "near_duplicate",
        0.97,
        "same photo as a, mirrored",
    )


def test_near_duplicates_obey_their_threshold():
    same = duplicates(("a", "b", "same", 0.96))
    assert select(table(blur=[0, 0]), same, ALONE, Settings(1, {"near_duplicate": 0.97})).kept == ["a", "b"]


def test_of_a_class_the_photo_nearest_to_the_mean_stays_and_those_that_differ_most():
    selection = select(table(blur=[0] * 5), NONE, groups(a="abcde"), Settings(2, keep_per_class=2))
    assert selection.kept == ["a", "c"]  # c is the middle, a and e are as far from it
    fault = selection.faults["e"][0]
    assert (fault.reason, fault.representative, fault.score) == ("equivalence_class", "c", pytest.approx(0.96))
    assert selection.faults["b"][0].representative == "a"  # as near as c, and before it


def like(*values, name="a") -> pd.DataFrame:
    """One class of pairs a, b, c ... whose photos are so light; up to 7 apart they are practically the same."""
    rows = [(chr(97 + i), name, name, 1 - i / 100, photo(v)) for i, v in enumerate(values)]
    return pd.DataFrame(rows, columns=["pair_id", "equivalence_class", "representative", "similarity", "descriptor"])


def test_of_practically_the_same_photos_in_a_class_the_better_one_stays():
    scores = table(blur=[0.3, 0.1, 0.2, 0.0])
    selection = select(scores, NONE, like(50, 52, 54, 200), Settings(2))
    assert selection.kept == ["b", "d"] and reasons(selection) == {"a": ["near_duplicate"], "c": ["near_duplicate"]}
    fault = selection.faults["a"][0]
    assert (fault.representative, fault.score, fault.threshold) == ("b", 1 - 2 / 32, TAU_PHOTO)
    assert fault.detail == "practically the same photo as b, and practically the same label map"
    assert select(scores, NONE, like(50, 52, 54, 200), Settings(1)).kept == list("abcd")
    off = Settings(2, {"near_duplicate": None})
    assert select(scores, NONE, like(50, 52, 54, 200), off).faults["b"][0].reason == "equivalence_class"
    assert select(scores, NONE, like(50, 52, 54, 200), Settings(2, {"equivalence_class": None})).faults == {}


def test_practically_the_same_photos_do_not_chain():
    """Each is 6 from the next: b goes for a, and c, which is alike to b alone, stays."""
    assert select(table(blur=[0, 0, 0]), NONE, like(50, 56, 62), Settings(2)).kept == ["a", "c"]


def test_every_pair_dropped_from_a_class_names_one_that_is_kept():
    rng = np.random.default_rng(0)
    n = 26
    scores = table(blur=rng.random(n).tolist(), label_error=[0.9 if i % 7 == 0 else 0.0 for i in range(n)])
    for k in (1, 2, 3, 30):
        selection = select(scores, NONE, like(*rng.integers(0, 255, n)), Settings(2, keep_per_class=k))
        assert len(selection.kept) <= k
        for faults in selection.faults.values():
            assert faults[0].reason == "label_error" or faults[0].representative in selection.kept


def test_reweighting_still_drops_practically_the_same_photos():
    chosen = select(table(blur=[0] * 4), NONE, like(50, 52, 100, 200), Settings(2, keep_per_class=2, reweight=True))
    assert chosen.kept == ["a", "c", "d"] and reasons(chosen) == {"b": ["near_duplicate"]}
    assert chosen.weights == dict.fromkeys("acd", 2 / 3)


def test_a_class_of_many_costs_each_of_it_no_more(monkeypatch):
    """What is compared grows with the size of the class, not with its square."""
    compared = []
    difference = photo_similarity.difference

    def count(descriptors, one):
        compared.append(len(descriptors))
        return difference(descriptors, one)

    monkeypatch.setattr(photo_similarity, "difference", count)
    n = 3000
    photos = np.random.default_rng(0).integers(0, 255, (n, LENGTH), dtype=np.uint8)
    ids = [f"{i:05d}" for i in range(n)]
    members = pd.DataFrame(
        {"pair_id": ids, "equivalence_class": "x", "similarity": 1.0, "descriptor": [p.tobytes() for p in photos]}
    )
    found = dict(keepers.class_surplus(members, ids, 3, {p: i for i, p in enumerate(ids)}, True))
    assert len(found) == n - 3 and 0 < sum(compared) <= n * (keepers.MOST_COMPARED + 3)


def test_identical_photos_are_one_whichever_was_compared():
    """b and c equal a byte for byte; the clean one stays, though it was not compared with the third."""
    star = duplicates(("a", "b", "exact", 1.0), ("a", "c", "exact", 1.0), ("a", "d", "same", 0.98))
    selection = select(table(label_error=[0.9, 0.9, 0, 0], width=[320, 320, 320, 160]), star, ALONE, Settings(1))
    assert selection.kept == ["c"]
    assert [selection.faults[p][0].reason for p in "ab"] == ["exact_duplicate"] * 2
    assert (selection.faults["d"][0].reason, selection.faults["d"][0].representative) == ("near_duplicate", "c")


def test_a_copy_whose_label_map_differs_says_on_how_much():
    same = duplicates(("a", "b", "same", 0.99), ("c", "d", "cropped", 0.99), ("e", "f", "exact", 1.0))
    faults = select(table(blur=[0] * 6), same.assign(labels_disagree=[0.234, 0.01, np.nan]), ALONE, Settings(1)).faults
    assert faults["b"][0].detail == "same photo as a; their label maps disagree on 23 % of it"
    assert faults["d"][0].detail == "same photo as c, cropped"
    assert faults["f"][0].detail == "same photo as e, byte for byte"


def test_dropped_pairs_take_no_place_in_their_class():
    scores = table(label_error=[0.9, 0, 0, 0])
    assert select(scores, NONE, groups(a="abcd"), Settings(2, keep_per_class=3)).kept == ["b", "c", "d"]


def test_target_size_keeps_the_best_and_says_where_the_border_was():
    scores = table(backlight=[0.1, 0.4, 0.2, 0.9])
    selection = select(scores, NONE, ALONE, Settings(2, target_size=2))
    assert selection.kept == ["a", "c"]
    assert reasons(selection) == {"b": ["target_size"], "d": ["backlight"]}
    assert (selection.faults["b"][0].score, selection.faults["b"][0].threshold) == (0.8, 0.4)


def test_target_size_takes_back_the_least_bad_but_never_the_unreadable():
    scores = table(backlight=[0.1, 0.6, 0.9, np.nan], error=[None, None, None, "empty file"])
    assert select(scores, NONE, ALONE, Settings(2, target_size=2)).kept == ["a", "b"]
    assert select(scores, NONE, ALONE, Settings(2, target_size=9)).kept == ["a", "b", "c"]


def test_counts_follow_the_first_reason():
    scores = table(backlight=[0.9, 0.9, 0], label_error=[0.9, 0, 0])
    assert count_by_reason(select(scores, NONE, ALONE, Settings(2))) == {"label_error": 1, "backlight": 1}


def test_missing_scores_reject_nothing():
    scores = table(backlight=[0.0, 0.0]).drop(columns=["label_error"])
    scores["coupling"] = np.nan
    assert select(scores, NONE, ALONE, Settings(2)).kept == ["a", "b"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"thresholds": {"backlite": 0.5}}, 'the nearest is "backlight"'),
        ({"thresholds": {"backlight": 1.5}}, "scores lie in 0-1"),
        ({"level": 3}, "levels are 0"),
        ({"keeper": ("biggest",)}, "known: clean, largest"),
        ({"keep_per_class": 0}, "at least 1"),
        ({"target_size": 0}, "at least 1"),
        ({"thresholds": {"person": None}}, "No threshold"),
    ],
)
def test_settings_that_cannot_be_say_the_way_out(settings, message):
    with pytest.raises(RuleError, match=message):
        Settings(**settings)


def test_every_score_has_a_rule():
    assert set(SCORES) <= {rule.reason for rule in RULES}


def test_target_size_never_takes_back_a_copy():
    same = duplicates(("a", "b", "exact", 1.0), ("a", "c", "exact", 1.0))
    selection = select(table(blur=[0, 0, 0, 0]), same, ALONE, Settings(1, target_size=3))
    assert selection.kept == ["a", "d"]


def test_rules_without_a_threshold_can_be_switched_off_too():
    selection = select(
        table(blur=[0] * 4), NONE, groups(a="abcd"), Settings(2, {"equivalence_class": None}, keep_per_class=1)
    )
    assert len(selection.kept) == 4


def test_levels_nest_also_where_the_better_copy_is_dropped_later():
    scores = table(monochrome=[0.9, 0.0], width=[640, 320])
    same = duplicates(("a", "b", "same", 0.99))
    assert select(scores, same, ALONE, Settings(1)).kept == select(scores, same, ALONE, Settings(2)).kept == ["b"]


def test_reweighting_keeps_a_large_class_and_draws_it_as_often_as_what_would_have_stayed():
    scores = table(blur=[0] * 8, label_error=[0.9] + [0] * 7)
    chosen = select(scores, NONE, groups(a="abcdef", g="gh"), Settings(2, keep_per_class=2, reweight=True))
    assert chosen.kept == list("bcdefgh") and reasons(chosen) == {"a": ["label_error"]}
    assert chosen.weights == dict.fromkeys("bcdef", 2 / 5)  # a is no longer one of them
    assert select(scores, NONE, groups(a="abcdef"), Settings(1, keep_per_class=2, reweight=True)).weights == {}
    best = select(scores, NONE, groups(a="abcdef", g="gh"), Settings(2, {}, 2, target_size=3, reweight=True))
    assert best.kept == ["b", "c", "d"] and best.weights == dict.fromkeys("bcd", 2 / 3)
