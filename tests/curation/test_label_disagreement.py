"""Label maps of one photo: other classes are a disagreement, borders at another scale are none, whatever part a copy shows."""

import cv2
import numpy as np
import pandas as pd
import pytest

from curation.alignment import WHOLE
from curation.label_disagreement import disagreement, with_disagreement
from curation.layout import layout_of


def label_map(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rough = cv2.resize(rng.normal(0, 1, (6, 8)).astype(np.float32), (320, 240), interpolation=cv2.INTER_CUBIC)
    return np.digitize(rough, [-0.7, 0, 0.7]).astype(np.uint8)


def share(first, second, box=WHOLE, mirror=False):
    return disagreement(layout_of(first), layout_of(second), np.array(box, float), mirror)


@pytest.mark.parametrize("seed", range(5))
def test_copies_at_another_scale_mirrored_or_cropped_agree(seed):
    ids = label_map(seed)
    small = cv2.resize(ids, (160, 120), interpolation=cv2.INTER_NEAREST)
    assert share(ids, ids) == 0
    assert share(ids, small) < 0.005
    assert share(ids, small[:, ::-1], mirror=True) < 0.005
    box = (0.05, 0.97, 0.0, 0.91)
    part = ids[0:218, 16:310]
    assert share(ids, part, box) < 0.01
    assert share(ids, part[:, ::-1], box, mirror=True) < 0.01
    wide, high = box[1] - box[0], box[3] - box[2]
    beyond = (-box[0] / wide, (1 - box[0]) / wide, -box[2] / high, (1 - box[2]) / high)
    assert share(part, ids, beyond) < 0.01
    assert share(ids, ids[:, ::-1]) > 0.1  # what looking at the wrong side would give


def test_the_share_is_that_of_the_area_with_another_class():
    ids = np.zeros((240, 320), np.uint8)
    other = ids.copy()
    other[:, 240:] = 1
    assert share(ids, other) == share(other, ids) == pytest.approx(0.25, abs=0.001)
    part = other[:, 32:]  # 0.9 of the width, of which 80 / 288 have the other class
    assert share(ids, part, (0.1, 1, 0, 1)) == pytest.approx(80 / 288, abs=0.02)


def test_what_one_of_them_does_not_know_is_not_compared():
    ids = np.zeros((240, 320), np.uint8)
    other = ids.copy()
    other[:120] = 255
    other[120:, :160] = 1
    assert share(ids, other) == pytest.approx(0.5, abs=0.01)
    assert share(ids, np.full_like(ids, 255)) is None


def test_couples_without_two_label_maps_get_no_share():
    row = {"relation": "same", "similarity": 1.0, "left": 0.0, "right": 1.0, "top": 0.0, "bottom": 1.0}
    couples = pd.DataFrame([{"first": "a", "second": "b", **row}, {"first": "a", "second": "c", **row}])
    layouts = np.stack([layout_of(label_map(1)), layout_of(label_map(1))])
    found = with_disagreement(couples, ["a", "b"], layouts)["labels_disagree"]
    assert found[0] == 0 and np.isnan(found[1])
    assert list(with_disagreement(couples[:0], [], layouts[:0])["labels_disagree"]) == []
