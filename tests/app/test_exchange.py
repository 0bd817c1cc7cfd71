import csv
import io

import pytest

from app import exchange
from curation.reviews import ReviewError
from curation.verdicts import DROP, KEEP, Decision

HEADER = "pair_id,reason,verdict,reviewer,time,note\n"


def test_what_goes_out_comes_in_again_elsewhere_and_only_once(opened, tmp_path):
    a, b = opened.table.id(0), opened.table.id(1)
    opened.decisions.add(
        [Decision(a, KEEP, "anna", "blur", "=1+1"), Decision(b, DROP, "<b>ben", "coupling", 'a "fence", and\nmore')]
    )
    opened.known.refresh(at_once=True)
    content = exchange.to_csv(opened.known.decisions())
    assert [row["pair_id"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))] == [a, b]
    (opened.work.decisions).rename(tmp_path / "elsewhere.sqlite")
    opened.decisions.close()
    from curation.decisions import open_decisions

    fresh = open_decisions(opened.work)
    object.__setattr__(opened, "decisions", fresh)
    assert exchange.from_csv(opened, "mine.csv", content).stored == 2
    again = exchange.from_csv(opened, "mine.csv", content)
    assert (again.stored, again.known) == (0, 2)
    assert {d.pair_id: (d.verdict, d.reviewer, d.note) for d in fresh.all()} == {
        a: (KEEP, "anna", "=1+1"),
        b: (DROP, "<b>ben", 'a "fence", and\nmore'),
    }


def test_ids_without_their_zeros_are_found_and_others_told(opened):
    a = opened.table.id(7)
    assert a.startswith("0") and a.strip("0")
    rows = f"{a.lstrip('0')},blur,keep,anna,,\nnobody,blur,drop,anna,,\n"
    done = exchange.from_csv(opened, "x.csv", (HEADER + rows).encode())
    assert (done.stored, done.unknown) == (1, ["nobody"])
    assert [d.pair_id for d in opened.decisions.all()] == [a]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"pair_id,verdict\n", "<i>mine.csv lacks the column reason"),
        ((HEADER + "p,blur,perhaps,anna,,\n").encode(), "<i>mine.csv, row 2: no verdict"),
        ((HEADER + "nobody,blur,keep,anna,,\n").encode(), "None of the 1 reviewed pairs"),
        (b"\xff\xfe\x00", "<i>mine.csv is not text"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_told_by_its_own_name(opened, content, message):
    with pytest.raises(ReviewError, match=message):
        exchange.from_csv(opened, "<i>mine.csv", content)
    assert list(opened.decisions.all()) == []
