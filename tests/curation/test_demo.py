"""The demo data set: the same bytes again, honest label maps, and every planted defect as truth.csv says."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.demo.classes import CLASS_ID, CLASSES
from curation.demo.dataset import plan, write_demo
from curation.demo.defects import COPIES, DEFECTS, IN_PLACE, LIGHT_OF, clean
from curation.demo.landscape import luminance, render
from curation.demo.noise import blur, doubled, fbm, noise_table, value_noise
from curation.demo.png_writer import encode_label_png
from curation.demo.view import first_hits

SIZE = (96, 128)
SKY = CLASS_ID["sky"]


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def as_photo(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int64)


def as_label(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.int64)


def linear_light(photo: np.ndarray) -> np.ndarray:
    coded = photo / 255.0
    return luminance(np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4))


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """72 small pairs: each of the 24 kinds of defect at least once."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder, 72, seed=3, height=SIZE[0], width=SIZE[1])
    return folder


@pytest.fixture(scope="module")
def truth(demo) -> dict[str, tuple[str, str]]:
    with open(demo / "truth.csv", newline="") as file:
        return {row["pair_id"]: (row["defect"], row["detail"]) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def scene():
    return render(np.random.default_rng([4, 13]), *SIZE, light="day")


def planted(name: str, scene, tries: int = 20):
    """The files of a defect in a scene, or in another where it would not show."""
    for k in range(tries):
        files = DEFECTS[name](scene, np.random.default_rng([9, k]))
        if files is not None:
            return scene, files
        scene = render(np.random.default_rng([10, k]), *SIZE, light=LIGHT_OF.get(name))
    raise AssertionError(f"{name} never showed")


# The data set


def test_the_same_seed_gives_the_same_bytes_and_a_second_run_changes_nothing(tmp_path):
    for folder in ("a", "b"):
        write_demo(tmp_path / folder, 12, seed=8, height=48, width=64)
    once = read_files(tmp_path / "a")
    assert once == read_files(tmp_path / "b")
    write_demo(tmp_path / "a", 12, seed=8, height=48, width=64)
    assert once == read_files(tmp_path / "a")


def test_another_seed_gives_other_landscapes(tmp_path):
    for seed in (1, 2):
        write_demo(tmp_path / str(seed), 2, seed=seed, height=48, width=64)
    one, two = (read_files(tmp_path / str(seed)) for seed in (1, 2))
    assert one["images/0000.jpg"] != two["images/0000.jpg"]
    assert one["labels/0000.png"] != two["labels/0000.png"]


def test_at_240_pairs_each_defect_is_planted_four_times_with_its_original_clean():
    pairs = plan(240, seed=1)
    kinds = [kind for kind, _ in pairs if kind]
    assert {kind: kinds.count(kind) for kind in DEFECTS} == dict.fromkeys(DEFECTS, 4)
    originals = [original for kind, original in pairs if kind in COPIES]
    assert len(set(originals)) == 20
    assert all(pairs[original] == ("", None) for original in originals)
    assert all(original is None for kind, original in pairs if kind not in COPIES)


def test_classes_are_written_by_id(demo):
    names = json.loads((demo / "classes.json").read_text())
    assert [names[str(k)] for k in range(29)] == list(CLASSES)


def test_clean_pairs_have_known_classes_and_a_map_of_the_photos_size(demo, truth):
    ids = [f"{k:04d}" for k in range(72) if f"{k:04d}" not in truth]
    assert len(ids) == 72 - 28
    for pair_id in ids:
        label = as_label((demo / "labels" / f"{pair_id}.png").read_bytes())
        assert as_photo((demo / "images" / f"{pair_id}.jpg").read_bytes()).shape == (*label.shape, 3) == (*SIZE, 3)
        assert label.max() <= 28
        assert len(np.unique(label)) >= 3


def test_truth_names_every_kind_and_what_it_did_to_the_files(demo, truth):
    assert {defect for defect, _ in truth.values()} == set(DEFECTS)
    for pair_id, (defect, detail) in truth.items():
        photo, label = demo / "images" / f"{pair_id}.jpg", demo / "labels" / f"{pair_id}.png"
        assert photo.exists()
        assert label.exists() == (defect != "missing_label")
        if defect == "truncated_image":
            with pytest.raises(OSError, match="truncated"):
                Image.open(photo).load()
        elif defect == "empty_image":
            assert photo.stat().st_size == 0
        elif defect == "id_out_of_range":
            assert as_label(label.read_bytes()).max() == int(detail) > 28
        elif defect == "copy_exact":
            assert photo.read_bytes() == (demo / "images" / f"{detail}.jpg").read_bytes()
            assert label.read_bytes() == (demo / "labels" / f"{detail}.png").read_bytes()


def test_progress_counts_every_pair(tmp_path):
    seen = []
    write_demo(tmp_path, 3, progress=lambda done, total: seen.append((done, total)), height=48, width=64)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_folder_with_other_photos_is_refused_and_left_alone(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"holiday\.jpg.*empty folder"):
        write_demo(tmp_path, 2, height=48, width=64)
    assert (tmp_path / "images" / "holiday.jpg").read_bytes() == b"mine"


def test_less_than_one_pair_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1 pair"):
        write_demo(tmp_path, 0)


# Landscapes


def test_against_a_low_sun_land_is_far_darker_than_sky_and_by_day_it_is_not():
    for k in range(3):
        sun = render(np.random.default_rng([6, k]), *SIZE, light="day")
        dusk = render(np.random.default_rng([7, k]), *SIZE, light="low_sun", geometry=sun.geometry)
        ratio = {}
        for picture in (sun, dusk):
            light, sky = linear_light(picture.photo), picture.label == SKY
            ratio[picture.light] = light[sky].mean() / light[~sky].mean()
        assert ratio["day"] < 4.0
        assert ratio["low_sun"] > 2.0 * ratio["day"]


def test_the_same_geometry_in_another_light_keeps_its_layout(scene):
    again = render(np.random.default_rng(0), *SIZE, light="golden", geometry=scene.geometry)
    assert (again.label == scene.label).mean() > 0.95
    assert np.abs(again.photo.astype(int) - scene.photo).mean() > 10


def test_an_unknown_light_is_refused():
    with pytest.raises(KeyError, match="moonlight"):
        render(np.random.default_rng(0), *SIZE, light="moonlight")


def test_layouts_differ_from_each_other_and_from_their_mirror_images():
    labels = [render(np.random.default_rng([11, k]), 48, 64).label for k in range(12)]
    agreement = [(a == b).mean() for k, a in enumerate(labels) for b in labels[:k]]
    assert max(agreement) < 0.9 and np.median(agreement) < 0.55
    assert np.median([(a == a[:, ::-1]).mean() for a in labels]) < 0.85


# Defects of the label map


def test_mirrored_and_rotated_labels_are_the_clean_map_turned(scene):
    host, files = planted("mirrored_label", scene)
    assert (as_label(files.label) == host.label[:, ::-1]).all()
    assert files.photo == clean(host, np.random.default_rng(0)).photo
    host, files = planted("rotated_label", scene)
    assert (as_label(files.label) == host.label[::-1, ::-1]).all()


def test_a_shifted_label_is_the_clean_map_moved_by_its_detail(scene):
    host, files = planted("shifted_label", scene)
    right, down = map(int, files.detail.split(","))
    assert (abs(right), abs(down)) == (10, 8)  # 8 % of 128 and of 96
    inner = np.s_[20:-20, 20:-20]
    assert (np.roll(as_label(files.label), (-down, -right), (0, 1))[inner] == host.label[inner]).all()


def test_a_wrong_pair_has_a_map_that_hardly_fits(scene):
    host, files = planted("wrong_pair", scene)
    assert (as_label(files.label) == host.label).mean() <= 0.6


def test_a_swapped_class_is_gone(scene):
    host, files = planted("class_swapped", scene)
    right, wrong = (CLASS_ID[name] for name in files.detail.split("->"))
    assert (as_label(files.label) == np.where(host.label == right, wrong, host.label)).all()
    assert (host.label == right).mean() >= 0.12


def test_a_wrong_patch_changes_one_region_to_one_class(scene):
    host, files = planted("wrong_patch", scene)
    label = as_label(files.label)
    assert set(label[label != host.label]) == {CLASS_ID[files.detail]}
    assert 0.06 <= (label != host.label).mean() < 0.2


def test_a_blank_label_is_one_class(scene):
    _, files = planted("blank_label", scene)
    assert set(as_label(files.label).ravel()) == {CLASS_ID[files.detail]}


def test_coupled_labels_interleave_two_classes_and_touch_no_other(scene):
    host, files = planted("coupled_labels", scene)
    a, b = (CLASS_ID[name] for name in files.detail.split("/"))
    label, region = as_label(files.label), np.isin(host.label, (a, b))
    assert (label[~region] == host.label[~region]).all()
    assert set(label[region]) == {a, b}
    edges = {name: (m[:, 1:] != m[:, :-1]).mean() for name, m in (("planted", label), ("clean", host.label))}
    assert edges["planted"] > 2.0 * edges["clean"]


# Defects of the photo


def test_a_backlit_pair_is_dark_land_below_a_bright_sky(scene):
    _, files = planted("backlit", scene)
    light, sky = linear_light(as_photo(files.photo)), as_label(files.label) == SKY
    assert light[sky].mean() > 6.0 * light[~sky].mean()


def test_dark_and_overexposed_photos_are(scene):
    assert as_photo(planted("dark", scene)[1].photo).mean() < 50
    photo = as_photo(planted("overexposed", scene)[1].photo)
    assert photo.mean() > 215 and (photo.min(axis=2) > 250).mean() > 0.2


def test_a_blurred_photo_has_lost_its_fine_detail(scene):
    def detail(photo):
        return np.abs(np.diff(photo.astype(int).sum(axis=2), axis=1)).mean()

    assert detail(as_photo(planted("blurred", scene)[1].photo)) < 0.5 * detail(scene.photo)


def test_a_monochrome_photo_has_equal_channels(scene):
    photo = as_photo(planted("monochrome", scene)[1].photo)
    assert (photo[..., 0] == photo[..., 1]).all() and (photo[..., 1] == photo[..., 2]).all()


def test_a_photo_of_low_information_is_nearly_flat(scene):
    host, files = planted("low_information", scene)
    assert as_photo(files.photo).std() < 6 < 0.2 * host.photo.std()
    assert (as_label(files.label) == host.label).mean() > 0.95


# Defects of files, copies


def test_a_label_of_another_size_says_which(scene):
    label = as_label(planted("label_other_size", scene)[1].label)
    assert label.shape == (64, 128) and planted("label_other_size", scene)[1].detail == "128x64"


def test_copies_relate_to_their_original(scene):
    rng = np.random.default_rng(0)
    exact = clean(scene, rng)
    assert COPIES["copy_exact"](scene, rng) == exact
    reencoded = COPIES["copy_reencoded"](scene, rng)
    assert reencoded.label == exact.label and len(reencoded.photo) < len(exact.photo)
    assert np.abs(as_photo(reencoded.photo) - scene.photo).mean() < 8
    resized = COPIES["copy_resized"](scene, rng)
    assert (as_label(resized.label) == scene.label[::2, ::2]).all()
    mean = scene.photo.reshape(48, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(as_photo(resized.photo) - mean).mean() < 5
    mirrored = COPIES["copy_mirrored"](scene, rng)
    assert (as_label(mirrored.label) == scene.label[:, ::-1]).all()
    assert np.abs(as_photo(mirrored.photo) - scene.photo[:, ::-1]).mean() < 5


def test_a_layout_twin_has_nearly_the_same_map_and_quite_another_photo(scene):
    twin = COPIES["layout_twin"](scene, np.random.default_rng(0))
    assert (as_label(twin.label) == scene.label).mean() > 0.95
    assert np.abs(as_photo(twin.photo) - scene.photo).mean() > 15


def test_no_defect_is_listed_twice():
    assert len(DEFECTS) == len(IN_PLACE) + len(COPIES) == 24


# Parts


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (192, 256), (300, 400)])
def test_the_png_writer_is_read_back_by_pillow_and_opencv(shape):
    import cv2

    label = np.random.default_rng(0).integers(0, 65536, shape)
    data = encode_label_png(label)
    picture = Image.open(io.BytesIO(data))
    assert picture.mode.startswith("I;16") and (np.asarray(picture) == label).all()
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) == label).all()


def test_the_png_writer_writes_these_very_bytes():
    data = encode_label_png(np.array([[0, 28], [300, 65535]]))
    assert data.hex() == (
        "89504e470d0a1a0a"
        "0000000d4948445200000002000000021000000000074d8ebb"
        "00000015494441547801010a00f5ff000000001c00012cffff043702484e450d26"
        "0000000049454e44ae426082"
    )


def test_the_png_writer_refuses_what_16_bits_cannot_hold():
    with pytest.raises(ValueError, match="0-65535"):
        encode_label_png(np.array([[70000]]))
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        encode_label_png(np.zeros((2, 2, 3), int))


def test_value_noise_equals_its_table_on_the_lattice_and_tiles():
    table = noise_table(np.random.default_rng(1))
    y, x = np.mgrid[0:64, 0:64].astype(np.float64)
    assert (value_noise(table, x, y) == table[0].reshape(64, 64)).all()
    assert (value_noise(table, x - 128.0, y + 64.0) == table[0].reshape(64, 64)).all()
    big = np.linspace(-9.0, 9.0, 20000)[:, None]
    assert np.abs(value_noise(table, big, 0.3 * big)).max() <= 1.0


def test_noise_leaves_out_octaves_finer_than_the_samples():
    table, x = noise_table(np.random.default_rng(1)), np.linspace(0.0, 9.0, 500)[:, None]
    coarse = fbm(table, x, x, 6, np.full((500, 1), 0.25), wavelength=1.0)
    assert (coarse == value_noise(table, x, x)).all()  # 0.5 is 2 samples: gone, 1.0 is 4: whole


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (5, 4)])
def test_doubling_a_grid_fills_in_averages(shape):
    grid = np.add.outer(np.arange(shape[0]), 10.0 * np.arange(shape[1]))
    assert (doubled(grid[::2, ::2], *shape)[:-1, :-1] == grid[:-1, :-1]).all()


def test_blur_keeps_a_flat_picture_and_spreads_a_point_by_sigma():
    assert np.allclose(blur(np.full((9, 11), 0.25), 2.0), 0.25)
    point = np.zeros((41, 41))
    point[20, 20] = 1.0
    spread = blur(point, 3.0).sum(axis=0)
    assert np.isclose(np.sum(spread * (np.arange(41) - 20.0) ** 2), 9.0, rtol=0.03)


def test_a_pixel_sees_the_first_node_that_reaches_its_row():
    node_rows = np.array([[9.0], [6.0], [8.0], [4.0]])  # the third node hides behind the second
    hits = first_hits(node_rows, np.array([3.0, 5.0, 7.0, 10.0]))
    assert hits.sky[:, 0].tolist() == [True, False, False, False]
    assert hits.node[1:, 0].tolist() == [3, 1, 0]
    assert hits.part[1:3, 0].tolist() == [0.75, 2.0 / 3.0]
