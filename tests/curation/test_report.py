"""The report: one file that loads nothing, has the right numbers, shows names as text, and is the same every time."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.coupling_matrix import suggestions
from curation.report import command, write_report
from curation.report.charts import histogram
from curation.report.errors import MOST_FILES, error_kinds
from curation.report.facts import EXAMPLES, NEARLY, gather
from curation.report.shares import class_shares
from curation.report.thumbnails import data_uris
from curation.report.words import Images, text
from curation.rules import Settings, select

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags with their attributes, and the text; fails on a tag that is not closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def values(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def make(curated, out, **settings):
    return write_report(out, curated.work, *curated.tables, Settings(**settings)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(curated, tmp_path_factory):
    return make(curated, tmp_path_factory.mktemp("report") / "report.html")


def test_nothing_is_loaded_and_nothing_can_run(html):
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    assert all(src.startswith("data:image/jpeg;base64,") for src in page.values("src")) and page.values("src")
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert not re.search(r"https?://|url\(|@import", html)


def test_every_link_leads_to_a_section(html):
    page = Page(html)
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {href.removeprefix("#") for href in page.values("href")} <= set(ids)


def test_names_show_as_text(html):
    assert "<img onerror" not in html and "<b>soil" not in html
    assert "&lt;img onerror=alert(1)&gt;" in html
    assert "&quot;rock&quot; &amp; &lt;b&gt;soil&lt;/b&gt;" in html
    assert "images/<img onerror=alert(1)>.png, labels/<img onerror=alert(1)>.png" in Page(html).words


def test_the_same_tables_give_the_same_bytes(curated, html, tmp_path):
    assert make(curated, tmp_path / "again.html") == html


def test_the_numbers_are_those_of_the_selection(curated, html):
    kept = {level: len(select(*curated.tables, Settings(level=level)).kept) for level in (0, 1, 2)}
    counts = re.findall(r'class="count num">([\d,]+)', html)
    assert counts == [str(n) for n in (64, kept[0], kept[1], kept[2])]
    facts = gather(curated.work, *curated.tables, Settings())
    assert sum(r.first for r in facts.reasons) == 64 - kept[2]
    assert facts.funnel[-2].kept - sum(facts.funnel[-1].dropped.values()) + facts.funnel[-1].back == kept[2]


def test_a_level_below_two_ends_the_funnel_there(curated, tmp_path):
    page = make(curated, tmp_path / "one.html", level=1)
    assert "Selection I<" in page and "Selection II<" not in page


def test_a_score_that_is_not_applied_says_what_it_would_drop(curated, html, tmp_path):
    assert "<code>--set dark=0.5</code>" in html and "not applied; would drop" in html
    page = make(curated, tmp_path / "dark.html", thresholds={"dark": 0.5})
    assert "<code>--set dark=0.5</code>" not in page


def test_the_examples_are_the_worst_and_the_nearly_ones_are_kept(curated):
    settings = Settings(thresholds={"label_error": 0.9, "blur": 0.1})
    facts = gather(curated.work, *curated.tables, settings)
    kept = set(facts.selection.kept)
    for reason in facts.reasons:
        assert len(reason.examples) <= EXAMPLES and len(reason.nearly) <= NEARLY
        assert all(e.picture is not None for e in [*reason.examples, *reason.nearly])
        assert all(e.pair_id in kept and e.score < reason.rule.threshold for e in reason.nearly)
    coupling = next(r for r in facts.reasons if r.rule.reason == "coupling")
    assert [e.pair_id for e in coupling.examples] == ["coupled"] and coupling.examples[0].also == ("label_error",)


def test_photos_without_label_maps_have_a_report_too(curated_photos, tmp_path):
    page = make(curated_photos, tmp_path / "photos.html", thresholds={"dark": 0.5})
    Page(page)
    assert 'id="reason-dark"' in page and 'id="class-shares"' not in page and "photos without label maps" in page
    assert not re.search(">(label_error|coupling|equivalence_class)<", page)


def test_class_shares_are_mean_shares_before_and_after(curated):
    every = set(curated.scores["pair_id"])
    n, shares = class_shares(curated.work.parts, curated.work.space, every)
    assert n == int(curated.scores["error"].isna().sum())
    assert sum(s.area[0] for s in shares) == pytest.approx(1)
    assert all(s.area[0] == s.area[1] and s.pairs[0] == s.pairs[1] for s in shares)
    _, shares = class_shares(curated.work.parts, curated.work.space, {"p12"})
    assert sum(s.area[1] for s in shares) == pytest.approx(1) and all(s.pairs[1] in (0, 1) for s in shares)


def test_the_coupled_classes_are_a_matrix_with_words(curated, html, curated_photos, tmp_path):
    assert html.count('class="matrix"') == 1
    for line in suggestions(pd.read_parquet(curated.work.coupled_classes)):
        assert text(line) in html
    assert "contagion" not in html and "interspersion" in html
    assert 'id="coupled-classes"' not in make(curated_photos, tmp_path / "photos.html")


def test_errors_of_one_kind_stand_together():
    errors = [
        ("a", "images/a.jpg", "labels/a.png", "size mismatch 320x240 / 320x160"),
        ("b", "images/b.jpg", "labels/b.png", "size mismatch 10x10 / 20x20; photo: truncated image"),
        ("c", "images/c.jpg", "labels/c.png", "size mismatch 64x64 / 65x64"),
        ("d", "images/d.jpg", None, "no label map for images/d.jpg"),
        ("e", "images/e.jpg", None, "no label map for images/e.jpg"),
        ("f", "images/f.jpg", "labels/f.png", None),
    ]
    kinds = error_kinds(pd.DataFrame(errors, columns=["pair_id", "image", "label", "error"]))
    assert [(kind.kind, kind.count) for kind in kinds] == [
        ("no label map for …", 2),
        ("size mismatch … / …", 2),
        ("size mismatch 10x10 / 20x20; photo: truncated image", 1),
    ]
    assert kinds[0].rows[0] == ("d", "images/d.jpg", "no label map for images/d.jpg")


def test_the_list_of_errors_has_an_end():
    rows = [(f"{i}", f"{i}.jpg", None, "empty file (0 bytes)") for i in range(MOST_FILES + 500)]
    (kind,) = error_kinds(pd.DataFrame(rows, columns=["pair_id", "image", "label", "error"]))
    assert (kind.count, len(kind.rows)) == (MOST_FILES + 500, MOST_FILES)


def test_pictures_share_a_budget():
    noise = [np.random.default_rng(i).integers(0, 255, (256, 256, 3), np.uint8) for i in range(20)]
    assert sum(map(len, data_uris(noise, 200_000))) <= 200_000
    assert data_uris([]) == []


def test_a_histogram_colours_the_bars_from_its_threshold_on():
    chart = histogram(np.array([0.0, 0.1, 0.5, 0.99, 1.0]), 0.5, "x")
    assert chart.count('class="over"') == 2 and chart.count('class="under"') == 2
    assert "0.975 to 1.000: 2 pairs" in chart


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#x27;"),
        ("\0\x1b\u202e", "\ufffd" * 3),
        ("\udc80", "?"),
        ("a\u00a0b\nc", "a b c"),
        ("44 % of", "44&nbsp;% of"),
    ],
)
def test_any_text_is_safe(raw, shown):
    assert text(raw) == shown


def test_a_name_that_looks_like_the_mark_of_a_picture_stays_a_name():
    images = Images()
    assert images.fill(text("\0" + "0\0")) == "\ufffd0\ufffd"


def test_the_command_repeats_the_selection(curated):
    words = command(curated.work, Settings(1, {"blur": 0.5, "coupling": None}, 2, ("first",), 9), ["--no-mirror"])
    assert words == (
        f"curate build-selection --level 1 --data {curated.data} --set blur=0.5 --set coupling=off "
        "--keep-per-class 2 --keeper first --target-size 9 --no-mirror"
    )
    merged = command(curated.work, Settings(merges=(("sky", "tree"), ("a b", "c"))), [])
    assert merged.endswith("--level 2 --data " + f"{curated.data} --merge sky,tree --merge 'a b,c'")


def test_curate_report_writes_the_page_where_it_is_told(curated, html, tmp_path):
    out = tmp_path / "deep" / "er" / "page.html"
    told = CliRunner().invoke(app, ["report", "--work", str(curated.work.folder), "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert told.output.strip().splitlines()[-1] == str(out)
    assert out.read_text(encoding="utf-8") == html


def test_the_command_to_repeat_is_one_that_works_on_photos_alone(curated, curated_photos):
    settings = Settings(2, {"blur": 0.5})
    assert command(curated.work, settings, []).startswith("curate build-selection --level 2 --data ")
    assert command(curated_photos.work, settings, []).startswith("curate report --level 2 --data ")


def test_same_photos_whose_label_maps_differ_are_told_the_worst_first(curated, html, tmp_path):
    assert "None of their label maps differ on more than 5&nbsp;% of the picture" in html
    nasty = "<img onerror=alert(1)>"
    duplicates = curated.duplicates.assign(labels_disagree=[0.3, np.nan])
    duplicates = pd.concat([duplicates, duplicates.assign(first="p01", second=nasty, labels_disagree=[0.5, 0.04])])
    page = write_report(
        tmp_path / "r.html", curated.work, curated.scores, duplicates.reset_index(drop=True), curated.groups, Settings()
    ).read_text(encoding="utf-8")
    Page(page)
    section = page.split('<section id="same-photo-other-labels">')[1].split("</section>")[0]
    assert "3 couples" in section and re.search(r">2</span> differ on more than 5&nbsp;%", section)
    assert section.index("50&nbsp;%") < section.index("30&nbsp;%") and nasty not in section
