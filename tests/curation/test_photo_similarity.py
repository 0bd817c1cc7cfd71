"""Similarity of photos: a neighbouring frame is practically the same photo, another scene or another light is not."""

import cv2
import numpy as np

from curation.photo_similarity import COLOURS, FARTHEST, LENGTH, TAU_PHOTO, describe, representatives, similarity


def scene(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (9, 12, 3)).astype(np.float32)
    fine = cv2.resize(coarse, (256, 192), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 6, (192, 256, 1))
    return np.clip(fine, 0, 255).astype(np.uint8)


def alike(a: np.ndarray, b: np.ndarray) -> float:
    return float(similarity(describe(a)[None], describe(b))[0])


def test_colours_are_the_mean_lab_of_each_cell_and_gradients_lie_across_edges():
    photo = np.zeros((96, 128, 3), np.uint8)
    photo[:, 72:] = 255  # an upright edge in the middle of the fifth column of cells
    one = describe(photo)
    assert one.shape == (LENGTH,) and one.dtype == np.uint8
    colours, gradients = one[:COLOURS].reshape(6, 8, 3), one[COLOURS:].reshape(6, 8, 8)
    assert (colours[:, :4] == (0, 128, 128)).all() and (colours[:, 5:] == (255, 128, 128)).all()
    assert (
        (gradients[:, 4, 0] > 200).all() and not np.delete(gradients, 4, axis=1).any() and not gradients[:, 4, 1:].any()
    )


def test_similarity_is_one_for_the_same_and_falls_with_the_mean_difference():
    grey = np.full((2, LENGTH), 100, np.uint8)
    grey[1] += 8
    assert similarity(grey, grey[0]).tolist() == [1.0, 1 - 8 / FARTHEST]
    assert similarity(np.full((1, LENGTH), 255, np.uint8), np.zeros(LENGTH, np.uint8)).tolist() == [0.0]


def test_a_neighbouring_frame_is_practically_the_same_photo_and_another_scene_is_not():
    photo = scene(1)
    moved = cv2.resize(photo[4:188, 6:250], (256, 192), interpolation=cv2.INTER_LINEAR)
    brighter = np.clip(photo * 1.08, 0, 255).astype(np.uint8)
    assert alike(photo, moved) >= TAU_PHOTO and alike(photo, brighter) >= TAU_PHOTO
    assert max(alike(photo, scene(k)) for k in range(2, 40)) < TAU_PHOTO
    assert alike(photo, photo[:, :, ::-1]) < TAU_PHOTO  # the same edges in other colours
    night = (photo // 3).astype(np.uint8)
    assert alike(photo, night) < TAU_PHOTO


def test_a_photo_without_edges_has_no_gradients():
    assert not describe(np.full((64, 64, 3), 90, np.uint8))[COLOURS:].any()


def test_the_first_representative_is_nearest_to_the_mean_and_the_others_are_far_from_it_and_each_other():
    points = np.full((7, LENGTH), [[0], [10], [20], [30], [90], [95], [31]], np.uint8)  # mean 39.4
    assert representatives(points, 1) == [6]
    assert representatives(points, 3) == [6, 5, 0]  # 64 from the first; then 31 from it
    assert representatives(points[[0, 0, 0]], 5) == [0, 1, 2]


def test_representatives_do_not_depend_on_the_order_but_for_equals():
    points = np.random.default_rng(0).integers(0, 255, (50, LENGTH), dtype=np.uint8)
    order = np.random.default_rng(1).permutation(50)
    assert [int(order[i]) for i in representatives(points[order], 6)] == representatives(points, 6)
