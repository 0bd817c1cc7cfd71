import pandas as pd
import pytest

from curation.reviews import SCORED, ReviewError, check_reason, of_known_pairs, read_reviews

HEADER = "pair_id,reason,verdict,reviewer,time,note\n"


@pytest.fixture
def written(tmp_path):
    """Write a file of reviews; returns its path."""

    def write(text: str, name: str = "reviews.csv"):
        (tmp_path / name).write_bytes(text.encode())
        return tmp_path / name

    return write


def drops(*files) -> dict:
    return {(r.pair_id, r.reason): (r.drop, r.reviewers) for r in read_reviews(files).itertuples()}


def test_a_row_without_a_verdict_is_not_reviewed_yet(written):
    file = written("pair_id,reason,verdict,score\na,backlight,drop,0.9\nb,backlight,,0.4\nc,backlight, Keep ,0.1\n")
    assert drops(file) == {("a", "backlight"): (1.0, 1), ("c", "backlight"): (0.0, 1)}


def test_the_last_verdict_of_a_reviewer_counts_and_all_reviewers_do(written):
    file = written(
        HEADER
        + "a,blur,drop,ann,,\na,blur,keep,ann,,\na,blur,drop,bo,,\na,dark,drop,ann,,\nb,blur,drop,,,\nb,blur,keep,,,\n"
    )
    assert drops(file) == {("a", "blur"): (0.5, 2), ("a", "dark"): (1.0, 1), ("b", "blur"): (0.0, 1)}


def test_later_files_replace_earlier_ones(written):
    first = written("pair_id,reason,verdict\na,blur,drop\n", "1.csv")
    second = written("pair_id,reason,verdict\na,blur,keep\n", "2.csv")
    assert drops(first, second)["a", "blur"] == (0.0, 1)
    assert drops(second, first)["a", "blur"] == (1.0, 1)


def test_times_decide_what_is_later_where_every_row_has_one(written):
    early, late = "2026-05-31T14:05:00+02:00", "2026-05-31T13:00:00Z"  # the second is later, though its hour is less
    assert drops(written(HEADER + f"a,blur,keep,ann,{late},\na,blur,drop,ann,{early},\n"))["a", "blur"] == (0.0, 1)
    assert drops(written(HEADER + f"a,blur,keep,ann,{late},\na,blur,drop,ann,,\n"))["a", "blur"] == (1.0, 1)


def test_tables_of_spreadsheets_are_read(written):
    file = written('\ufeffPair_ID;Reason;Verdict;note\r\n007;blur;drop;"two\r\nlines; one note"\r\n\r\n')
    assert drops(file) == {("007", "blur"): (1.0, 1)}
    found, unknown = of_known_pairs(
        read_reviews([written("pair_id,reason,verdict\n51,blur,drop\n7,blur,keep\n")]), ["0051", "07", "007"]
    )
    assert list(found["pair_id"]) == ["0051"]  # 7 may mean two pairs
    assert unknown == ["7"]


def test_reviews_of_other_pairs_are_set_aside_and_named():
    reviews = pd.DataFrame({"pair_id": ["a", "b", "gone"], "reason": "blur", "drop": [0.0, 1.0, 1.0], "reviewers": 1})
    found, unknown = of_known_pairs(reviews, ["a", "b", "c"])
    assert list(found["pair_id"]) == ["a", "b"] and unknown == ["gone"]
    with pytest.raises(ReviewError, match=r"None of the 3 reviewed pairs \(a, b, gone\).*ids look like x, y.*--work"):
        of_known_pairs(reviews, ["x", "y"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"lacks the column pair_id, reason, verdict; it has none"),
        ("id,reason,verdict\na,blur,drop\n", r"lacks the column pair_id; it has id, reason, verdict"),
        ("pair_id,reason,verdict\na,blur,drop\nb,blur,reject\n", r'row 3: no verdict "reject".*keep or drop'),
        ("pair_id,reason,verdict\na,backligt,drop\n", r'row 2: no reason "backligt"; the nearest is "backlight"'),
        ("pair_id,reason,verdict\n,blur,drop\n", r"row 2 has a verdict and no pair_id"),
        ("pair_id,reason,verdict,note\na,blur,drop,well, no\n", r"row 2 has 5 cells under 4 columns.*in quotes"),
        (HEADER + "a,blur,drop,ann,yesterday,\n", r'row 2: "yesterday" is no time.*2026-05-31T14:05:00'),
    ],
)
def test_a_wrong_table_says_where_and_how_to_mend_it(written, text, says):
    with pytest.raises(ReviewError, match=says):
        read_reviews([written(text)])


def test_what_is_no_table_is_named(tmp_path):
    with pytest.raises(ReviewError, match=r"none\.csv does not exist.*curate sample"):
        read_reviews([tmp_path / "none.csv"])
    with pytest.raises(ReviewError, match="is a folder"):
        read_reviews([tmp_path])
    (tmp_path / "utf16.csv").write_bytes("pair_id,reason,verdict\n".encode("utf-16"))
    with pytest.raises(ReviewError, match=r"utf16\.csv is not text in UTF-8"):
        read_reviews([tmp_path / "utf16.csv"])


def test_only_reasons_with_a_score_have_a_threshold_to_find():
    assert SCORED == [
        "label_error",
        "coupling",
        "backlight",
        "monochrome",
        "dark",
        "overexposed",
        "blur",
        "low_information",
    ]
    assert check_reason("blur") == "blur"
    with pytest.raises(ReviewError, match="near_duplicate is not read off a score"):
        check_reason("near_duplicate")
    with pytest.raises(ReviewError, match='nearest is "coupling"'):
        check_reason("couplings")
