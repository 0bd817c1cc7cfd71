"""What a person chooses in an equivalence class is what the next selection does."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.choice import Choice
from app.judged import DROPPED, KEPT, OPEN
from app.table import Table
from curation import stages
from curation.label_space_files import load_builtin
from curation.photo_similarity import LENGTH
from curation.rules import Settings, select
from curation.verdicts import DROP, KEEP, Verdict
from curation.workspace import Workspace, write_table

WHEN = datetime(2026, 1, 23, tzinfo=timezone.utc)
IDS = "abcdefghijkl"
SPACE = load_builtin("stanford8")


class World:
    """Tables of a few pairs, and what was said of them."""

    def __init__(self, classes, errors="", flawed="", copies=(), k=3, level=2, reweight=False, seed=0):
        """classes: "abc de", the representative first; copies: couples of the same photo."""
        self.ids = sorted(classes.replace(" ", ""))
        rng = np.random.default_rng(seed)
        self.scores = pd.DataFrame(
            {
                "pair_id": self.ids,
                "image": [f"{p}.jpg" for p in self.ids],
                "label": [f"{p}.png" for p in self.ids],
                "width": 64.0,
                "height": 48.0,
                "label_error": [0.9 if p in flawed else 0.1 for p in self.ids],
                "error": [f"{p}.jpg is damaged" if p in errors else None for p in self.ids],
            }
        )
        rows = [(p, c[0], 1 - 0.01 * i) for c in classes.split() if (c) for i, p in enumerate(c) if p not in errors]
        self.groups = pd.DataFrame(rows, columns=["pair_id", "representative", "similarity"])
        self.groups["equivalence_class"] = self.groups["representative"]
        self.groups["descriptor"] = [rng.integers(0, 255, LENGTH, np.uint8).tobytes() for _ in rows]
        self.duplicates = pd.DataFrame(
            [(a, b, "same", 0.99, 0.0) for a, b in copies],
            columns=["first", "second", "relation", "similarity", "labels_disagree"],
        )
        self.settings = Settings(level, keep_per_class=k, reweight=reweight)
        self.said: dict[str, str] = {}

    def kept(self):
        """What a selection made now keeps."""
        return set(self._select().kept)

    def choice(self) -> Choice:
        """As the app has it after a selection made now."""
        with TemporaryDirectory() as folder:
            work = Workspace(Path(folder), Path(folder), Path(folder), SPACE, "folder", {})
            write_table(work.scores, self.scores.astype({"error": "string"}), "scores")
            write_table(work.groups, self.groups, "groups")
            selection = self._select()
            write_table(work.faults, stages._faults(selection), "faults", stages._facts(selection))
            table = Table(work)
            assert len(table.classes.start)
            return Choice(table)

    def _select(self):
        decided = {p: Verdict(said, ("anna",), "", "equivalence_class", WHEN) for p, said in self.said.items()}
        return select(self.scores, self.duplicates, self.groups, self.settings, decided)

    @property
    def verdicts(self):
        code = {None: OPEN, KEEP: KEPT, DROP: DROPPED}
        return np.array([code[self.said.get(p)] for p in self.ids], np.int8)

    def at(self, pair_id):
        return self.ids.index(pair_id)

    def names(self, positions):
        return "".join(self.ids[p] for p in positions)

    def decide(self, keep, drop):
        self.said |= {self.ids[p]: KEEP for p in keep} | {self.ids[p]: DROP for p in drop}
        return self.names(keep), self.names(drop)


def test_a_pair_that_is_to_stay_comes_with_those_that_stay_now():
    world = World("abcde", k=2)
    before = world.kept()
    choice = world.choice()
    other = next(p for p in "edcba" if p not in before)
    keep, drop = world.decide(*choice.toggled(world.at(other), True, world.verdicts))
    assert set(keep) == before | {other} and keep[-1] == other and drop == ""
    assert world.kept() == before | {other}


def test_a_pair_that_is_to_go_may_be_followed_by_another_and_that_is_said():
    world = World("abcde", k=2)
    before, choice = world.kept(), world.choice()
    members = choice.members(0)
    assert choice.filled(members, world.verdicts) == 0
    gone = max(before)
    assert world.decide(*choice.toggled(world.at(gone), False, world.verdicts))[1] == gone
    assert choice.filled(members, world.verdicts) == 1
    assert world.kept() > before - {gone} and len(world.kept()) == 2
    world.decide(*choice.first(0, 1, world.verdicts))
    assert choice.filled(members, world.verdicts) == 0 and world.kept() == before - {gone}


def test_the_first_k_are_those_kept_then_the_most_similar_then_copies_then_the_faulty():
    world = World("abcdefg", errors="g", flawed="b", copies=[("c", "d")], k=1)
    world.said = {"e": DROP}
    choice = world.choice()
    kept = "".join(world.kept())
    assert kept in "acdf"  # the photo nearest to the mean of those that are clean
    rest = [p for p in "acdf" if p != kept and p != "d"]
    assert world.names(choice.order(choice.members(0), world.verdicts)) == kept + "".join(rest) + "d" + "b" + "e"
    world.said = {"d": KEEP, kept: DROP}
    assert world.names(choice.order(choice.members(0), world.verdicts))[0] == "d"
    assert world.names(choice.order(choice.members(0), world.verdicts))[-1] == kept


@pytest.mark.parametrize("k", range(7))
def test_keep_k_is_exact_below_and_above_what_the_rule_keeps(k):
    world = World("abcdef gh", k=3)
    choice = world.choice()
    expected = set(world.names(choice.order(choice.members(0), world.verdicts)[:k]))
    keep, drop = world.decide(*choice.first(0, k, world.verdicts))
    assert world.kept() == expected | {"g", "h"}
    if k == 3:
        assert keep == drop == ""  # it is so already
    if k > 3:
        assert set(keep) == expected and drop == ""  # the others go by the rule


def test_where_no_rule_limits_a_class_all_others_are_dropped_by_name():
    for world in (World("abcd ef", level=1), World("abcd ef", reweight=True)):
        choice = world.choice()
        assert world.kept() == set("abcdef") and choice.size_kept(choice.members(0), world.verdicts) is None
        assert world.decide(*choice.toggled(world.at("d"), False, world.verdicts)) == ("", "d")
        assert world.decide(*choice.first(0, 1, world.verdicts)) == ("a", "bc")
        assert world.kept() == set("aef")


def test_a_copy_that_is_to_stay_does_not_push_out_the_one_that_stood_for_it():
    for level in (1, 2):
        world = World("ab cd", copies=[("a", "b")], level=level)
        choice = world.choice()
        assert world.kept() == set("acd")
        assert world.decide(*choice.toggled(world.at("b"), True, world.verdicts)) == ("ab", "")
        assert world.kept() == set("abcd")


def test_a_copy_that_was_kept_elsewhere_stays_instead_of_the_one_that_stood_for_it():
    for level in (1, 2):
        world = World("abe cd", copies=[("a", "b")], level=level)
        choice, every = world.choice(), np.arange(5)
        world.said = {"b": KEEP}
        members = choice.members(0)
        assert set(world.names(every[choice.stays(every, world.verdicts)])) == world.kept() == set("bcde")
        assert choice.loose(members, world.verdicts) == 0  # the others could not be preferred to it
        world.said = {"b": DROP}
        assert set(world.names(every[choice.stays(every, world.verdicts)])) == world.kept() == set("acde")


def test_pairs_are_loose_where_others_could_be_kept_in_their_place():
    world = World("abcde", k=2)
    before, choice = world.kept(), world.choice()
    surplus = next(p for p in "edcba" if p not in before)
    world.said = {surplus: KEEP}
    assert choice.loose(choice.members(0), world.verdicts) == 2
    world.decide(*choice.first(0, 3, world.verdicts))
    assert choice.loose(choice.members(0), world.verdicts) == 0
    world.said = {p: DROP for p in "abcde" if p not in before}
    assert choice.loose(choice.members(0), world.verdicts) == 0  # nobody is left who could


def test_a_copy_may_take_the_place_of_the_pair_that_stood_for_it():
    for level in (1, 2):
        world = World("abc", copies=[("a", "b")], level=level)
        choice = world.choice()
        world.decide(*choice.toggled(world.at("c"), False, world.verdicts))
        assert choice.filled(choice.members(0), world.verdicts) == 0 and world.kept() == {"a"}
        world.decide(*choice.toggled(world.at("a"), False, world.verdicts))
        assert choice.filled(choice.members(0), world.verdicts) == 1 and world.kept() == {"b"}


def test_a_pair_that_cannot_be_read_or_is_in_no_class_is_refused():
    world = World("abc", errors="c")
    choice = world.choice()
    with pytest.raises(ValueError, match="c is in no equivalence class"):
        choice.toggled(2, False, world.verdicts)
    choice.table.classes.of[2] = 0
    with pytest.raises(ValueError, match="c cannot be read"):
        choice.toggled(2, True, world.verdicts)


@st.composite
def worlds(draw):
    n = draw(st.integers(3, len(IDS)))
    cut = sorted(draw(st.sets(st.integers(2, n - 1), max_size=2)))
    classes = " ".join(IDS[a:b] for a, b in zip([0, *cut], [*cut, n], strict=True))
    some = st.sets(st.sampled_from(IDS[:n]), max_size=3).map("".join)
    copies = draw(st.lists(st.lists(st.sampled_from(IDS[:n]), min_size=2, max_size=2, unique=True), max_size=3))
    world = World(
        classes,
        draw(some),
        draw(some),
        [sorted(c) for c in copies],
        draw(st.integers(1, 4)),
        2,
        False,
        draw(st.integers(0, 9)),
    )
    world.said = draw(st.dictionaries(st.sampled_from(IDS[:n]), st.sampled_from([KEEP, DROP]), max_size=4))
    return world


@settings(max_examples=100, deadline=None)
@given(worlds(), st.data())
def test_whatever_is_there_a_choice_holds_in_the_next_selection(world, data):
    choice = world.choice()
    classes = choice.table.classes
    if not len(classes.order):
        return
    position = int(data.draw(st.sampled_from(classes.order.tolist())))
    members = choice.members(position)
    for _ in range(data.draw(st.integers(0, 2))):
        other = int(data.draw(st.sampled_from(members.tolist())))
        stays = bool(choice.stays(np.array([other]), world.verdicts)[0])
        world.decide(*choice.toggled(other, not stays, world.verdicts))
        assert choice.stays(np.array([other]), world.verdicts)[0] != stays
    staying = set(world.names(members[choice.stays(members, world.verdicts)]))
    in_class = world.kept() & set(world.names(members))
    assert staying <= in_class
    if (world.verdicts[members] != OPEN).any():
        assert len(in_class - staying) <= choice.filled(members, world.verdicts)
    k = data.draw(st.integers(0, len(members)))
    expected = set(world.names(choice.order(members, world.verdicts)[:k]))
    world.decide(*choice.first(position, k, world.verdicts))
    assert set(world.names(members[choice.stays(members, world.verdicts)])) == expected
    assert world.kept() & set(world.names(members)) == expected
