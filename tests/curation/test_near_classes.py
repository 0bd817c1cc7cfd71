"""Near classes: as a person writes them, and how much layouts agree with them."""

import numpy as np
import pytest

from curation.layout import SLOTS
from curation.near_classes import NearClasses, NearClassesError, parse

NAMES = ["sky", "river", "lake", "water", "rock", "stone"]


def test_a_person_names_classes_and_how_much_they_agree():
    near = parse(["river,lake, water=0.8", "stone,rock"], NAMES.index)
    assert near.groups == (((1, 2, 3), 80), ((4, 5), 100))
    assert NearClasses.from_list(near.to_list()) == near


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["river=0.8"], "two classes or more"),
        (["river,river=0.8"], "two classes or more"),
        (["river,lake=high"], "0-1, such as 0.8"),
        (["river,lake=1.2"], "0-1, such as 0.8"),
        (["river,lake", "lake,water=0.5"], "one group only"),
    ],
)
def test_what_cannot_be_is_refused(texts, says):
    with pytest.raises(NearClassesError, match=says):
        parse(texts, NAMES.index)


def test_agreement_counts_near_classes_in_part():
    near = NearClasses((((1, 2, 3), 80), ((4, 5), 50)))
    a, b = np.zeros((2, 1, SLOTS), np.uint8)
    a[0, :6] = [0, 1, 1, 4, 4, 0]
    b[0, :6] = [0, 1, 3, 5, 1, 1]
    others = SLOTS - 6
    assert near.agreement(a, b).tolist() == [100 + 100 + 80 + 50 + 100 * others]
    assert near.agreement(b, a).tolist() == [330 + 100 * others]
    assert near.merged(b[:, :6]).tolist() == [[0, 1, 1, 4, 1, 1]]
    assert NearClasses().agreement(a, b).tolist() == [2 + others] and NearClasses().unit == 1
