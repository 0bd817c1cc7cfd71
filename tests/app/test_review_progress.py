from datetime import datetime, timezone

import numpy as np
import pytest

from app import progress
from app.counts import masks_of
from curation.verdicts import DROP, KEEP, SKIP, UNDO, Decision, current


def rows(shown: progress.Shown) -> dict:
    return {row[0]: dict(zip([name for name, _ in shown.columns], row, strict=True)) for row in shown.rows}


def decide(opened, *said: tuple[str, str, str, str]) -> None:
    """(pair id, verdict, reviewer, reason), one second after the other."""
    when = [datetime(2026, 5, 1, 12, 0, i, tzinfo=timezone.utc) for i in range(len(said))]
    opened.decisions.add([Decision(p, v, who, why, time=t) for (p, v, who, why), t in zip(said, when, strict=True)])
    opened.known.refresh(at_once=True)


def test_progress_by_reason_counts_the_rejected_that_are_decided(opened):
    table = opened.table
    coupled = [table.id(p) for p in table.dropped_for("coupling")[0]]
    clean = table.id(int(np.flatnonzero(table.kept)[0]))
    decide(
        opened,
        (coupled[0], KEEP, "anna", "coupling"),
        (coupled[1], DROP, "anna", "label_error"),  # decided, whatever was asked
        (coupled[1], DROP, "ben", "coupling"),
        (coupled[2], SKIP, "anna", "coupling"),
        (clean, DROP, "anna", "blur"),
    )
    masks = masks_of(table, opened.known.verdicts())
    found = rows(progress.by_reason(table, *masks, opened.decisions.counts()))
    n = len(coupled)
    assert found["coupling"] == {
        "reason": "coupling", "rejected": n, "decided": 2, "share": 2 / n, "keep": 1, "drop": 1, "skip": 1,
    }  # fmt: skip
    assert found["blur"] == {
        "reason": "blur", "rejected": 0, "decided": 0, "share": None, "keep": 0, "drop": 1, "skip": 0,
    }  # fmt: skip
    assert list(found) == [r for r in progress.REASONS if r in found] and "dark" not in found


def test_a_pair_that_a_person_kept_before_the_build_still_counts_as_rejected(opened):
    from app.building import Building
    from app.counts import last_settings
    from app.opened import Asked, open_work

    table = opened.table
    alone = next(p for p in table.dropped_for("coupling")[0] if len(table.faults(p)) == 1)
    before = rows(progress.by_reason(table, *masks_of(table, {}), {}))["coupling"]["rejected"]
    decide(opened, (table.id(alone), KEEP, "anna", "coupling"))
    building = Building(opened, last_settings(table))
    assert building.wait(60) and not building.error
    new = open_work(Asked(opened.work.folder, None, None, opened.asked.out, (), False)).table
    assert new.kept[alone]
    found = rows(progress.by_reason(new, *masks_of(new, opened.known.verdicts()), {}))["coupling"]
    assert (found["rejected"], found["decided"]) == (before, 1)


def test_progress_by_reviewer_has_all_reasons_and_each(opened):
    a, b, c = (opened.table.id(p) for p in range(3))
    decide(
        opened,
        (a, KEEP, "zoe", "blur"),
        (a, DROP, "zoe", "coupling"),
        (b, SKIP, "zoe", "coupling"),
        (c, DROP, "<b>", "blur"),
        (c, KEEP, "", "blur"),
    )
    shown = progress.by_reviewer(opened.decisions.counts())
    assert shown.rows == [
        ["somebody", progress.EVERY, 1, 0, 0],
        ["", "blur", 1, 0, 0],
        ["<b>", progress.EVERY, 0, 1, 0],
        ["", "blur", 0, 1, 0],
        ["zoe", progress.EVERY, 1, 1, 1],
        ["", "coupling", 0, 1, 1],
        ["", "blur", 1, 0, 0],
    ]
    assert shown.strong == [0, 2, 4]
    assert progress.by_reviewer({}).rows == [] and "Nobody" in progress.by_reviewer({}).says


def test_agreement_is_of_what_stands(opened):
    a, b = (opened.table.id(p) for p in range(2))
    first = Decision(a, DROP, "anna", "blur")
    said = [
        first,
        Decision(a, UNDO, "anna", "blur", undoes=first.uuid),
        Decision(a, KEEP, "anna", "blur"),
        Decision(a, KEEP, "ben", "dark"),
        Decision(b, KEEP, "anna", "blur"),
        Decision(b, DROP, "ben", "blur"),
        Decision(b, SKIP, "eve", "blur"),
    ]
    found = progress.agreed(said)
    assert (found.pairs, found.share) == (2, 0.5)
    shown = progress.agreement_shown(found)
    assert shown.rows == [["anna", "ben", 2, 0.5, 0.0]] and "50%" in shown.says
    assert progress.agreement_shown(progress.agreed(said[:3])).rows == ()


def test_levels_before_and_after():
    shown = progress.levels_shown(10, {0: 9, 1: 6, 2: 5}, {0: 9, 1: 7, 2: 4}, "says")
    assert shown.rows == [["Total", 9, 1, 9, 1, 0], ["Selection I", 6, 4, 7, 3, 1], ["Selection II", 5, 5, 4, 6, -1]]


@pytest.mark.parametrize("verdict", [KEEP, DROP])
def test_verdicts_on_pairs_that_are_not_there_are_passed_over(opened, verdict):
    masks = masks_of(opened.table, current([Decision("nobody", verdict, "anna")]))
    assert not masks[0].any() and not masks[1].any()
