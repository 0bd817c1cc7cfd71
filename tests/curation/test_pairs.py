"""Finding pairs: every layout, globs, CSV; what is wrong with a pair, by its message; names as people give them."""

import os
import random
import re
import sys

import pytest

from curation.pair_layouts import LAYOUTS, best_layout, glob_pattern, match_key
from curation.pairs import NoPairsError, find_pairs, list_files


@pytest.fixture
def data(tmp_path):
    """Makes files, each with its own path as content, in a data folder."""
    folder = tmp_path / "data"
    folder.mkdir()

    def make(*paths):
        for path in paths:
            full = os.path.join(os.fsencode(folder), os.fsencode(path))
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as f:
                f.write(os.fsencode(path))
        return folder

    return make


@pytest.fixture
def table(data):
    """Writes a CSV into a data folder that holds a/1.jpg, b/1.png, a/2.jpg and b/2.png."""

    def write(text, name="pairs.csv"):
        path = data("a/1.jpg", "b/1.png", "a/2.jpg", "b/2.png") / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def triples(found):
    return [(p.pair_id, p.image, p.label) for p in found.pairs]


def errors(found):
    return {p.pair_id: p.error for p in found.pairs if p.error}


# --- layouts ------------------------------------------------------------------------------


EXAMPLES = [  # layout, its label space, photo, label map, id
    ("images + labels", None, "images/1.jpg", "labels/1.png", "1"),
    ("images + labels", None, "train/images/deep/er/1.jpg", "train/labels/deep/er/1.png", "1"),
    ("images + labels", None, "JPEGImages/2007_000032.jpg", "SegmentationClass/2007_000032.png", "2007_000032"),
    ("images + labels", None, "img/1.JPEG", "Masks/1.tif", "1"),
    ("images + labels", None, "photos/a.b.c.webp", "annotations/a.b.c.bmp", "a.b.c"),
    ("contest", "landscape29", "imgs/1.jpg", "labels/1.png", "1"),
    ("contest", "landscape29", "train/imgs/x/1.jpg", "train/labels/x/1.png", "1"),
    ("ADE20K", "ade20k150", "images/training/A_1.jpg", "annotations/training/A_1.png", "A_1"),
    ("ADE20K", "ade20k150", "images/validation/A_1.jpg", "annotations/validation/A_1.png", "A_1"),
    (
        "Cityscapes",
        "cityscapes19",
        "leftImg8bit/train/ulm/ulm_0_19_leftImg8bit.png",
        "gtFine/train/ulm/ulm_0_19_gtFine_labelIds.png",
        "ulm_0_19",
    ),
    (
        "Cityscapes",
        "cityscapes19",
        "cs/leftImg8bit/val/ulm_0_19_leftImg8bit.png",
        "cs/gtFine/val/ulm_0_19_gtFine_labelIds.png",
        "ulm_0_19",
    ),
    ("Cityscapes", "cityscapes19", "ulm_0_leftImg8bit.png", "ulm_0_gtFine_labelIds.png", "ulm_0"),
    (
        "Cityscapes, train ids",
        "cityscapes19",
        "leftImg8bit/train/ulm/ulm_0_19_leftImg8bit.png",
        "gtFine/train/ulm/ulm_0_19_gtFine_labelTrainIds.png",
        "ulm_0_19",
    ),
    ("CamVid", "camvid", "train/0001TP_1.png", "trainannot/0001TP_1.png", "0001TP_1"),
    ("CamVid", "camvid", "test/1.png", "testannot/1.png", "1"),
    (
        "COCO-Stuff",
        "cocostuff",
        "images/train2017/000000000009.jpg",
        "annotations/stuffthingmaps_trainval2017/train2017/000000000009.png",
        "000000000009",
    ),
    ("COCO-Stuff", "cocostuff", "val2017/9.jpg", "stuffthingmaps/val2017/9.png", "9"),
    ("suffix", None, "1.jpg", "1_mask.png", "1"),
    ("suffix", None, "all/1.png", "all/1_labelIds.png", "1"),
    ("side by side", None, "1.jpg", "1.png", "1"),
    ("side by side", None, "a/b/1.JPG", "a/b/1.PNG", "1"),
]


@pytest.mark.parametrize(("layout", "space", "image", "label", "pair_id"), EXAMPLES)
def test_every_layout_is_found(data, layout, space, image, label, pair_id):
    found = find_pairs(data(image, label, "README.md"))
    assert (found.layout, found.label_space) == (layout, space)
    assert triples(found) == [(pair_id, image, label)]
    assert errors(found) == {}


def test_every_layout_has_an_example():
    assert {layout for layout, *_ in EXAMPLES} == {layout.name for layout in LAYOUTS}


def test_cityscapes_with_all_its_files_takes_the_label_ids(data):
    kinds = ["color.png", "instanceIds.png", "labelIds.png", "labelTrainIds.png", "polygons.json"]
    folder = data(
        "leftImg8bit/train/ulm/ulm_0_leftImg8bit.png", *(f"gtFine/train/ulm/ulm_0_gtFine_{kind}" for kind in kinds)
    )
    assert triples(find_pairs(folder)) == [
        ("ulm_0", "leftImg8bit/train/ulm/ulm_0_leftImg8bit.png", "gtFine/train/ulm/ulm_0_gtFine_labelIds.png")
    ]


def test_the_layout_with_most_pairs_wins_and_the_earlier_one_on_a_tie():
    images = [f"images/{i}.jpg" for i in range(3)] + [f"labels/{i}.png" for i in range(3)]
    assert best_layout({p: (1, 0) for p in [*images, "x.jpg", "x_mask.png"]}).name == "images + labels"
    assert best_layout({p: (1, 0) for p in ["imgs/1.jpg", "labels/1.png", "x.jpg", "x.png"]}).name == "contest"
    assert best_layout({"images/1.jpg": (1, 0), "labels/2.png": (1, 0)}) is None


def test_other_files_are_no_pairs(data):
    found = find_pairs(
        data("images/1.jpg", "labels/1.png", "images/notes.txt", "labels/classes.json", "class_dict.csv")
    )
    assert triples(found) == [("1", "images/1.jpg", "labels/1.png")]


def test_a_mask_beside_its_photo_is_no_photo(data):
    found = find_pairs(data("1.png", "1_mask.png", "2.png", "2_mask.png"))
    assert triples(found) == [("1", "1.png", "1_mask.png"), ("2", "2.png", "2_mask.png")]


def test_size_and_time_of_each_file_are_kept(data):
    folder = data("images/1.jpg", "labels/1.png")
    os.utime(folder / "images/1.jpg", ns=(5, 2_234_567_890_123_456_789))  # later than any change of rights
    (pair,) = find_pairs(folder).pairs
    assert pair.image_stat == (len("images/1.jpg"), 2_234_567_890_123_456_789)
    assert pair.label_stat[0] == len("labels/1.png")


def test_photos_only(data):
    folder = data("a/1.jpg", "a/2.png", "readme.txt")
    found = find_pairs(folder, photos_only_ok=True)
    assert (found.layout, found.label_space) == ("photos only", None)
    assert triples(found) == [("1", "a/1.jpg", None), ("2", "a/2.png", None)]
    assert errors(found) == {}
    with pytest.raises(NoPairsError, match="No pairs found"):
        find_pairs(folder)


def test_label_maps_that_fit_no_photo_are_not_taken_for_photos_only(data):
    with pytest.raises(NoPairsError, match="No pairs found"):
        find_pairs(data("images/1.jpg", "labels/2.png"), photos_only_ok=True)


# --- ids ----------------------------------------------------------------------------------


def test_a_stem_that_repeats_gives_way_to_the_path(data):
    folder = data("train/images/1.jpg", "train/labels/1.png", "val/images/1.jpg", "val/labels/1.png")
    folder = data("val/images/2.jpg", "val/labels/2.png")
    assert [p.pair_id for p in find_pairs(folder).pairs] == ["2", "train/images/1", "val/images/1"]


def test_ids_are_distinct_and_sorted_even_where_paths_and_stems_meet(data):
    paths = ["1.jpg", "a/1.jpg", "a.1.jpg", "b/a.jpg", "c/a.jpg", "c/a.b.jpg"]
    found = find_pairs(data(*paths, *(p[:-3] + "png" for p in paths)))
    ids = [p.pair_id for p in found.pairs]
    assert ids == sorted(set(ids))
    assert len(ids) == len(paths)
    assert errors(found) == {}


def test_the_order_in_which_files_are_listed_does_not_matter(data, monkeypatch):
    paths = [
        f"{a}/{b}/{i}.{c}" for a in ("x", "y") for b, c in (("images", "jpg"), ("labels", "png")) for i in range(6)
    ]
    folder = data(*paths, "x/images/lonely.jpg", "y/images/0.jpeg")
    expected = find_pairs(folder)
    real, chance = os.scandir, random.Random(0)

    def shuffled(path):
        entries = list(real(path))
        chance.shuffle(entries)
        return entries

    monkeypatch.setattr(os, "scandir", shuffled)
    for _ in range(5):
        assert find_pairs(folder) == expected


# --- what is wrong with a pair --------------------------------------------------------------


def test_a_missing_partner_is_an_error_either_way(data):
    found = find_pairs(data("images/1.jpg", "labels/1.png", "images/2.jpg", "labels/3.png"))
    assert triples(found)[1:] == [("2", "images/2.jpg", None), ("3", None, "labels/3.png")]
    assert errors(found) == {"2": "no label map for images/2.jpg", "3": "no photo for labels/3.png"}


def test_two_files_with_one_stem_are_an_error(data):
    found = find_pairs(
        data("images/1.jpg", "images/1.png", "labels/1.png", "images/2.jpg", "labels/2.png", "labels/2.bmp")
    )
    assert errors(found) == {
        "1": "2 photos share one stem: images/1.jpg, images/1.png; rename or remove all but one",
        "2": "2 label maps share one stem: labels/2.bmp, labels/2.png; rename or remove all but one",
    }


def test_a_folder_called_like_a_photo_is_reported(data):
    folder = data("images/1.jpg", "labels/1.png", "images/2.jpg/inside.txt", "labels/2.png", "images/3.jpg/x.txt")
    assert errors(find_pairs(folder)) == {
        "2": "images/2.jpg is a folder, not a file",
        "3": "images/3.jpg is a folder, not a file",
    }


def test_a_dangling_link_is_reported(data):
    folder = data("images/1.jpg", "labels/1.png", "images/2.jpg")
    (folder / "labels/2.png").symlink_to(folder / "gone.png")
    assert errors(find_pairs(folder)) == {"2": "labels/2.png is a link to nothing"}


def test_links_to_files_and_folders_are_followed_once_round(data):
    folder = data("photos/1.jpg", "labels/1.png")
    (folder / "photos").rename(folder / "elsewhere")
    (folder / "images").symlink_to(folder / "elsewhere")
    (folder / "elsewhere" / "up").symlink_to(folder)  # a loop
    (folder / "labels" / "here").symlink_to(folder / "labels")
    assert set(list_files(folder)) == {"elsewhere/1.jpg", "images/1.jpg", "labels/1.png"}
    assert triples(find_pairs(folder)) == [("1", "images/1.jpg", "labels/1.png")]


def test_dot_files_and_what_macos_leaves_are_not_seen(data):
    folder = data("images/1.jpg", "labels/1.png", "images/._1.jpg", ".cache/images/2.jpg", ".cache/labels/2.png")
    folder = data("__MACOSX/images/1.jpg", "__MACOSX/labels/1.png", "images/.DS_Store")
    assert list(list_files(folder)) == ["images/1.jpg", "labels/1.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_reported(data):
    folder = data("images/1.jpg", "labels/1.png", "images/secret/2.jpg")
    (folder / "images/secret").chmod(0)
    try:
        assert list(errors(find_pairs(folder)).values()) == [
            "images/secret/(folder may not be read).jpg may not be read"
        ]
    finally:
        (folder / "images/secret").chmod(0o700)


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stem",
    [
        "two words",
        " leading and trailing ",
        "comma, semicolon; and #",
        'it\'s "quoted"',
        "line\nbreak\r\nand\ttab",
        "100%",
        "a.b.c",
        "[1] (2) {3} $x ^y + *?",
        "back\\slash",
        "Märzwiese 春の空 🌊",
        "e\u0301 decomposed",
        "-rf",
        "jpg",
    ],
)
def test_odd_names_are_kept_as_they_are(data, stem):
    found = find_pairs(data(f"images/{stem}.jpg", f"labels/{stem}.png"))
    assert triples(found) == [(stem, f"images/{stem}.jpg", f"labels/{stem}.png")]
    assert errors(found) == {}


def test_a_name_that_is_not_utf8_is_an_error_that_can_be_written_down(data):
    found = find_pairs(data("images/1.jpg", "labels/1.png", b"images/caf\xe9.jpg", b"labels/caf\xe9.png"))
    bad = found.pairs[1]
    assert (bad.pair_id, bad.image, bad.label) == ("caf\\xe9", "images/caf\\xe9.jpg", "labels/caf\\xe9.png")
    assert bad.error == "file name is not valid UTF-8: images/caf\\xe9.jpg"
    assert found.pairs[0].error is None


# --- globs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "path", "key"),
    [
        ("a/*.jpg", "a/1.jpg", "1"),
        ("./a/*.jpg", "a/1.jpg", "1"),
        ("a/*.jpg", "a/b/1.jpg", None),
        ("a/*.jpg", "a/1xjpg", None),
        ("a/**/*.jpg", "a/1.jpg", "1"),
        ("a/**/*.jpg", "a/b/c/1.jpg", "b/c/1"),
        ("**.jpg", "a/b/1.jpg", "a/b/1"),
        ("*/img_*_?.jpg", "a/img_12_b.jpg", "a/12/b"),
        ("*/img_?.jpg", "a/img_12.jpg", None),
        ("t[12]/*.jpg", "t2/x.jpg", "2/x"),
        ("t[!12]/*.jpg", "t2/x.jpg", None),
        ("t[/*.jpg", "t[/x.jpg", "x"),
        ("(a)+/*.jpg", "(a)+/x.jpg", "x"),
        ("*/*.jpg", "a/line\nbreak.jpg", "a/line\nbreak"),
    ],
)
def test_the_key_is_what_the_wildcards_match(glob, path, key):
    assert match_key(glob_pattern(glob), path) == key


def test_two_globs(data):
    folder = data("a/p1.jpg", "b/1_m.png", "a/p2.jpg", "b/3_m.png", "a/other.jpg")
    found = find_pairs(folder, "a/p*.jpg", "b/*_m.png")
    assert (found.layout, found.label_space) == ("globs", None)
    assert triples(found) == [("1", "a/p1.jpg", "b/1_m.png"), ("2", "a/p2.jpg", None), ("3", None, "b/3_m.png")]
    assert errors(found) == {"2": "no label map for a/p2.jpg", "3": "no photo for b/3_m.png"}


def test_brackets_in_globs_tell_folders_apart(data):
    folder = data("t1/x.jpg", "t2/x.jpg", "m1/x.png", "m2/x.png")
    found = find_pairs(folder, "t[12]/*.jpg", "m[12]/*.png")
    assert triples(found) == [("t1/x", "t1/x.jpg", "m1/x.png"), ("t2/x", "t2/x.jpg", "m2/x.png")]


def test_one_glob_is_not_enough(data):
    with pytest.raises(NoPairsError, match=r"Give both --images and --labels, for example --images 'a/\*\.jpg'"):
        find_pairs(data("a/1.jpg"), images="a/*.jpg")


def test_globs_that_match_nothing_say_what_there_is(data):
    with pytest.raises(NoPairsError) as caught:
        find_pairs(data("a/1.jpg", "b/1.png"), "c/*.jpg", "b/*.png")
    assert "Looked for --images 'c/*.jpg' and --labels 'b/*.png'; saw 1 a/*.jpg, 1 b/*.png." in str(caught.value)


# --- nothing found --------------------------------------------------------------------------


def test_a_data_folder_that_does_not_exist(tmp_path):
    with pytest.raises(NoPairsError) as caught:
        find_pairs(tmp_path / "gone")
    assert str(caught.value) == (
        f"{tmp_path / 'gone'} does not exist. Give the folder that holds the photos and label maps, or a CSV of paths."
    )


def test_images_and_labels_that_share_no_stem(data):
    folder = data("images/1.jpg", "images/2.jpg", "labels/a.png", "LICENSE", "my.folder/LICENSE")
    with pytest.raises(NoPairsError) as caught:
        find_pairs(folder)
    assert str(caught.value) == (
        f"No pairs found in {folder}. Looked for images/ + labels/ and the other layouts `curate index --help` names; "
        "saw 2 images/*.jpg, 1 ./*, 1 labels/*.png, 1 my.folder/*. A photo and its label map must share a name. "
        "Other layouts: --images 'a/*.jpg' --labels 'b/*_mask.png', or a CSV or Parquet table with the columns image and label."
    )


def test_an_empty_folder(data):
    with pytest.raises(NoPairsError, match=r"saw no files at all\."):
        find_pairs(data())


def test_a_long_list_is_cut_and_can_be_printed(data):
    with pytest.raises(NoPairsError, match=r"and 3 more kinds\. A photo") as caught:
        find_pairs(data(*(b"x\xff%d/1.txt" % i for i in range(11))))
    str(caught.value).encode()


# --- CSV ------------------------------------------------------------------------------------


def test_csv(table):
    found = find_pairs(table("image,label\na/2.jpg,b/2.png\n./a/1.jpg, b//1.png \n"))
    assert (found.layout, found.label_space) == ("CSV", None)
    assert triples(found) == [("1", "a/1.jpg", "b/1.png"), ("2", "a/2.jpg", "b/2.png")]
    assert errors(found) == {}
    assert found.pairs[0].image_stat[0] == len("a/1.jpg")


def test_csv_with_ids_bom_and_more_columns(table):
    found = find_pairs(table("\ufeffsplit,pair_id,label,image\r\ntrain,z,b/1.png,a/1.jpg\r\nval,,b/2.png,a/2.jpg\r\n"))
    assert triples(found) == [("a/2", "a/2.jpg", "b/2.png"), ("z", "a/1.jpg", "b/1.png")]
    assert errors(found) == {}


def test_csv_with_quoted_names(table, data):
    name = 'two words, "quoted"\nand a line break'
    data(f"a/{name}.jpg", f"b/{name}.png")
    quoted = name.replace('"', '""')
    found = find_pairs(table(f'image,label\n"a/{quoted}.jpg","b/{quoted}.png"\n'))
    assert triples(found) == [(name, f"a/{name}.jpg", f"b/{name}.png")]
    assert errors(found) == {}


def test_csv_ids_are_paths_where_stems_repeat(table, data):
    data("b/1.jpg")
    found = find_pairs(table("image,label\na/1.jpg,b/1.png\nb/1.jpg,b/1.png\na/1.jpg,b/2.png\n"))
    assert [p.pair_id for p in found.pairs] == ["1#2", "a/1", "b/1"]
    assert errors(found) == {"1#2": "pair_id a/1 stands in pairs.csv more than once"}


def test_csv_with_the_same_id_twice(table):
    text = "pair_id,image,label\nx,a/1.jpg,b/1.png\nx#2,a/2.jpg,b/2.png\nx,a/2.jpg,b/2.png\nx,a/1.jpg,b/1.png\n"
    found = find_pairs(table(text))
    again = "pair_id x stands in pairs.csv more than once"
    assert {p.pair_id: p.error for p in found.pairs} == {"x": None, "x#2": None, "x#3": again, "x#4": again}


def test_csv_paths_may_not_leave_the_root(table, data, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"x")
    root = data()
    found = find_pairs(
        table(
            "pair_id,image,label\n"
            "good,a/1.jpg,b/1.png\nup,../secret.jpg,b/1.png\nabsolute,a/1.jpg,/etc/passwd\n"
            f"hidden,a/../../secret.jpg,b/1.png\nbeside,{root}-2/x.jpg,b/1.png\nsame,{root}/a/1.jpg,b/1.png\n"
        )
    )
    way_out = f"lies outside {root}; pass --root with the folder that holds all files"
    assert errors(found) == {
        "up": f"../secret.jpg {way_out}",
        "absolute": f"/etc/passwd {way_out}",
        "hidden": f"a/../../secret.jpg {way_out}",
        "beside": f"{root}-2/x.jpg {way_out}",
    }
    assert next(p for p in found.pairs if p.pair_id == "same").image == "a/1.jpg"


def test_csv_with_both_paths_outside_in_half_its_rows_is_not_all_outside(table):
    found = find_pairs(table("pair_id,image,label\nin,a/1.jpg,b/1.png\nout,../1.jpg,../1.png\n"))
    assert list(errors(found)) == ["out"]


def test_csv_with_every_path_outside(table, data):
    path = table("image,label\n../a.jpg,../b.png\n../c.jpg,b/1.png\n")
    with pytest.raises(NoPairsError) as caught:
        find_pairs(path)
    assert str(caught.value) == (
        f"Every path in {path} lies outside {data()}. Pass --root with the folder that holds all files."
    )


def test_csv_root(table, data, tmp_path):
    path = table("image,label\ndata/a/1.jpg,data/b/1.png\n")
    found = find_pairs(path, root=tmp_path)
    assert triples(found) == [("1", "data/a/1.jpg", "data/b/1.png")]
    assert errors(found) == {}


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("a/1.jpg,", "the label column is empty"),
        (",b/1.png", "the image column is empty"),
        (" , ", "the image column is empty"),
        ("a/1.jpg", "the label column is empty"),
        ("a/9.jpg,b/1.png", "a/9.jpg does not exist"),
        ("a/1.jpg,b/9.png", "b/9.png does not exist"),
        ("a,b/1.png", "a is a folder, not a file"),
        (".,b/1.png", ". is a folder, not a file"),
        pytest.param(
            "a/1.jpg\0,b/1.png",
            "a/1.jpg\0 does not exist",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="refuses the whole table"),
        ),
        (f"{'x' * 300}.jpg,b/1.png", f"{'x' * 300}.jpg does not exist"),
    ],
)
def test_csv_rows_that_are_no_pair(table, row, error):
    found = find_pairs(table(f"image,label\na/2.jpg,b/2.png\n{row}\n"))
    assert [p.error for p in found.pairs if p.pair_id != "2"] == [error]


def test_csv_names_that_are_not_utf8_can_be_written_down(table):
    found = find_pairs(table(b"pair_id,image,label\n\xe9,a/\xe9.jpg,b/1.png\nx,a/1.jpg,b/1.png\n"))
    bad = next(p for p in found.pairs if p.error)
    assert (bad.pair_id, bad.image) == ("\\xe9", "a/\\xe9.jpg")
    assert bad.error == "file name is not valid UTF-8: a/\\xe9.jpg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs the columns image and label (and, if wished, pair_id); it has: none."),
        ("photo,label\n1,2\n", "it has: photo, label."),
        ("Image,label\n1,2\n", "it has: Image, label."),
        (b"\xff\xd8\xff\xe0 not a table", "it has: \\xff\\xd8\\xff\\xe0 not a table."),
        ("image,label\n", "has a header and no rows."),
        ("image,label\n" + "x" * 200_000 + ",1\n", "cannot be read as a CSV of paths: field larger than field limit"),
    ],
)
def test_a_csv_that_cannot_be_used(table, text, message):
    path = table(text)
    with pytest.raises(NoPairsError, match=re.escape(message)) as caught:
        find_pairs(path)
    assert str(caught.value).startswith(f"{path} ")
    str(caught.value).encode()


def test_the_plainest_globs_pair_by_stem(data):
    found = find_pairs(data("imgs/1.jpg", "labels/1.png", "imgs/2.jpg", "labels/2.png"), "imgs/*", "labels/*")
    assert [p.pair_id for p in found.pairs] == ["1", "2"] and all(p.error is None for p in found.pairs)


def test_label_maps_in_a_folder_of_unknown_name_are_not_taken_for_photos(data):
    with pytest.raises(NoPairsError, match=r"saw 2 gt/\*\.png, 2 images/\*\.jpg"):
        find_pairs(data("images/1.jpg", "images/2.jpg", "gt/1.png", "gt/2.png"), photos_only_ok=True)
