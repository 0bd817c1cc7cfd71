"""Watched: a run of the stages that tells how far it is."""

from app.watched import Watched


def test_progress_is_told():
    told = []
    run = Watched(workers=1, tell=lambda *what: told.append(what))
    assert list(run.over(len, ["a", "bb"], "measure", weigh=len)) == [1, 2]
    with run.progress("find", 4) as tick:
        tick(3)
    assert told == [
        ("measure", 0, 3),
        ("measure", 1, 3),
        ("measure", 3, 3),
        ("find", 0, 4),
        ("find", 3, 4),
        ("find", 4, 4),
    ]
