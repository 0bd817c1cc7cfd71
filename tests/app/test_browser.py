"""The app in a real browser: started as a user starts it, decided by keys, killed, locked, made small and dark."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from command import ROOT
from served import DESKTOP, PHONE, Served, at, contrast, decide, eventually, press, shown

from curation import stages
from curation.demo.dataset import write_demo
from curation.rules import Settings

HOSTILE = "<img src=x onerror=window.__hit=1>"


def test_a_review_by_keyboard_is_stored_undone_and_goes_into_the_selection(browser, served):
    page = at(browser, served)
    began = time.monotonic()
    first = decide(page, "kdsdkdkdks")
    assert len({pair for pair, _ in first}) == 10
    assert press(page, "ArrowLeft") == first[-1][0]
    page.wait_for_timeout(1000)
    assert shown(page) == first[-1][0]  # it stays until a person goes on
    press(page, "ArrowRight")
    page.keyboard.press("u")  # takes back the skip
    eventually(lambda: shown(page) == first[-1][0])
    second = decide(page, "ddkdkdkdkdk")
    assert time.monotonic() - began < 60  # twenty pairs in less than a minute
    assert second[0][0] == first[-1][0]
    said = [(*click, "anna") for click in [*first, (first[-1][0], "undo"), *second]]
    eventually(lambda: served.decisions() == said)
    done = subprocess.run(
        [sys.executable, "-m", "curation.cli", "build-selection", "--level", "2", "--work", served.work, "--out", "m"],
        cwd=served.cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = pd.read_csv(served.cwd / "m/selection2.csv", dtype=str).set_index("pair_id")
    dropped = pd.read_csv(served.cwd / "m/selection2.rejected.csv", dtype=str).set_index("pair_id")
    verdicts = dict(first[:-1]) | dict(second)
    for pair, verdict in verdicts.items():
        if verdict == "keep":
            assert kept.loc[pair, "by"] == "person"
        elif verdict == "drop":
            assert dropped.loc[pair, ["reason", "by"]].tolist() == ["person", "person"]
    assert (kept["by"] == "person").sum() + (dropped["by"] == "person").sum() == len(verdicts) - 1  # one was skipped


def test_pairs_that_were_passed_by_come_again(browser, served):
    page = at(browser, served)
    seen = [shown(page)] + [press(page, "ArrowRight") for _ in range(11)]
    assert len(set(seen)) == 8 and seen[8:] == seen[:4]  # as many as are on a desk
    assert press(page, "ArrowLeft") == seen[2 + 8]
    assert served.decisions() == []


def test_undo_takes_back_what_was_said_last_wherever_that_was(browser, served):
    page = at(browser, served)
    first, second, third = (pair for pair, _ in decide(page, "ddd"))
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    eventually(lambda: shown(page) == first)
    page.keyboard.press("k")
    eventually(lambda: shown(page) == second)
    page.keyboard.press("s")  # is decided: there is nothing to skip
    eventually(lambda: shown(page) == third)
    page.keyboard.press("u")
    eventually(lambda: shown(page) == first)
    assert page.locator(".queue .state").inner_text() == "you drop it"
    said = [(first, "drop"), (second, "drop"), (third, "drop"), (first, "keep"), (first, "undo")]
    eventually(lambda: served.decisions("pair_id, verdict") == said)


def test_a_note_stays_with_the_pair_it_was_written_for(browser, served):
    page = at(browser, served)
    note, first = page.locator(".queue .note"), shown(page)
    page.keyboard.press("n")
    page.keyboard.type("a wrong sky")
    page.keyboard.press("Enter")
    second = press(page, "ArrowRight")
    assert note.input_value() == ""
    press(page, "k")
    press(page, "ArrowLeft")
    assert press(page, "ArrowLeft") == first and note.input_value() == "a wrong sky"
    press(page, "d")
    said = [(second, "keep", ""), (first, "drop", "a wrong sky")]
    eventually(lambda: served.decisions("pair_id, verdict, note") == said)


def test_a_key_that_is_held_decides_once(browser, served):
    page = at(browser, served)
    pair = shown(page)
    for _ in range(5):
        page.keyboard.down("k")  # the second and later ones are repeats
    page.keyboard.up("k")
    page.wait_for_timeout(1500)
    assert served.decisions() == [(pair, "keep", "anna")]


def test_two_tabs_keep_each_others_clicks(browser, served):
    context = browser.new_context(viewport=DESKTOP)
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto(f"{served.url}/?reviewer=anna")
        pair = shown(page)
        press(page, "ArrowRight")  # the next one has come, too
        assert press(page, "ArrowLeft") == pair
    served.kill()
    one.keyboard.press("d")
    eventually(lambda: shown(one) != pair)
    two.keyboard.press("ArrowRight")
    eventually(lambda: shown(two) != pair)
    other = shown(two)
    two.keyboard.press("d")
    one.close()
    two.close()
    served.start()
    page = context.new_page()
    page.goto(f"{served.url}/?reviewer=anna")
    eventually(lambda: set(served.decisions()) == {(pair, "drop", "anna"), (other, "drop", "anna")}, 40)


def test_a_second_reviewer_gets_other_pairs(browser, served):
    anna, ben = at(browser, served, "anna"), at(browser, served, "ben")
    hers, his = [shown(anna)], [shown(ben)]
    for _ in range(4):
        hers.append(press(anna, "k"))
        his.append(press(ben, "d"))
    assert not set(hers) & set(his)
    eventually(lambda: len(served.decisions()) == 8)


def test_a_click_survives_kill_9_and_a_reload_goes_on(browser, served):
    page = at(browser, served)
    first = shown(page)
    eventually(lambda: served.decisions("1") == [] and shown(page))
    served.kill()
    for _ in range(8):  # nobody listens
        page.keyboard.press("d")
        page.wait_for_timeout(100)
    page.locator(".queue .message").filter(has_text="safe in this browser").wait_for()
    assert page.get_by_text("Nothing is left to decide").count() == 0
    served.start()
    page.reload()
    eventually(lambda: served.decisions() and served.decisions()[0] == (first, "drop", "anna"), 40)
    assert shown(page) not in {pair for pair, *_ in served.decisions()}


def test_killed_right_after_a_click_it_goes_on_without_a_reload(browser, served):
    page = at(browser, served)
    pairs = [shown(page), press(page, "ArrowRight"), press(page, "ArrowLeft")]
    eventually(lambda: page.locator(".queue .evidence img").count() == 1)
    page.keyboard.press("d")
    served.kill()  # before or after it heard of it
    pairs[2] = shown(page)
    page.keyboard.press("k")  # of the next pair, which is here already
    served.start()
    eventually(lambda: served.decisions() == [(pairs[0], "drop", "anna"), (pairs[2], "keep", "anna")], 60)
    press(page, "s")
    eventually(lambda: len(served.decisions()) == 3)


def test_a_reload_goes_on_where_it_was(browser, served):
    page = at(browser, served)
    done = [pair for pair, _ in decide(page, "kds")]
    at_work = shown(page)
    eventually(lambda: len(served.decisions()) == 3)
    page.reload()
    assert shown(page) == at_work not in done
    page.locator(".queue .count").filter(has_text="2 decided by anna").wait_for()
    page.keyboard.press("u")  # also what was decided before the reload
    eventually(lambda: shown(page) == done[-1])
    eventually(lambda: served.decisions()[-1] == (done[-1], "undo", "anna"))


def test_a_locked_database_says_so_and_loses_nothing(browser, served):
    page = at(browser, served)
    pairs = [shown(page), press(page, "k")]
    eventually(lambda: len(served.decisions()) == 1)
    other = sqlite3.connect(served.work / "decisions.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    page.keyboard.press("d")
    page.locator(".queue .message").filter(has_text="waits in this browser").wait_for()
    other.execute("rollback")
    other.close()
    eventually(lambda: served.decisions() == [(pairs[0], "keep", "anna"), (pairs[1], "drop", "anna")], 40)
    page.locator(".queue .message").filter(has_text="waits in this browser").wait_for(state="hidden")


def test_clicks_that_wait_are_told_on_the_overview_and_stored_from_there(browser, served):
    page = at(browser, served)
    pairs = [shown(page), press(page, "k")]
    eventually(lambda: len(served.decisions()) == 1)
    other = sqlite3.connect(served.work / "decisions.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    page.keyboard.press("d")
    page.locator(".queue .message").filter(has_text="waits in this browser").wait_for()
    page.get_by_role("link", name="Overview").click()
    told = page.get_by_text("Not counted here yet: 1 of your clicks.")
    told.wait_for()
    page.get_by_text("1 pair has a verdict of a person").wait_for()
    other.execute("rollback")
    other.close()
    eventually(lambda: served.decisions() == [(pairs[0], "keep", "anna"), (pairs[1], "drop", "anna")], 40)
    page.get_by_text("2 pairs have a verdict of a person").wait_for()  # counted again
    told.wait_for(state="hidden")


def test_a_message_with_an_address_in_it_makes_no_browser_ask_there(browser, served, tmp_path):
    named = "![x](http://elsewhere.invalid/x.png)"
    (tmp_path / f"{named.replace('/', '')}.csv").write_text(f"pair_id,reason,verdict\n0003,{named},keep\n")
    page, asked = at(browser, served, page="overview"), set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.locator("input[type=file]").set_input_files(tmp_path / f"{named.replace('/', '')}.csv")
    page.get_by_role("button", name="Store these decisions").click()
    page.get_by_text(f'no reason "{named}"').wait_for()
    page.wait_for_timeout(500)
    assert asked - {None, ""} == {"127.0.0.1"} and page.locator("[data-testid=stAlert] img").count() == 0


def test_a_page_of_the_grid_is_dropped_and_the_selection_built_without_it(browser, served):
    page = at(browser, served, page="grid")
    page.locator(".tile").first.wait_for()
    ids = {tile.get_attribute("data-id") for tile in page.locator(".tile").all()}
    page.keyboard.press("Shift+D")
    eventually(lambda: {pair for pair, verdict, _ in served.decisions() if verdict == "drop"} == ids)
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Build Selection II").click()
    rejected = served.work.parent / "out" / "selection2.rejected.csv"
    eventually(rejected.exists, 60)
    rows = pd.read_csv(rejected, dtype=str)
    first = rows.drop_duplicates("pair_id").set_index("pair_id")
    by_person = set(first.index[first["by"] == "person"])
    unreadable = set(first.index[first["reason"] == "unreadable"])
    assert by_person == ids - unreadable and (first.loc[sorted(by_person), "reason"] == "person").all()


def test_a_threshold_is_moved_and_the_selection_built_with_it(browser, served):
    page = at(browser, served, page="thresholds")
    handle = page.get_by_role("slider", name="backlight threshold")
    handle.wait_for()
    handle.focus()
    before = page.locator("text=/^Selection II keeps/").count()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    moved = float(handle.get_attribute("aria-valuenow"))
    assert moved < 0.5 and before <= 1
    page.locator(".levels").filter(has_text="worked out by the rules").wait_for()  # it is known to the server
    assert "≈" not in page.locator(".levels").inner_text()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Build Selection II").click()
    recipe = served.work.parent / "out" / "selection2.json"
    eventually(recipe.exists, 60)
    assert json.loads(recipe.read_text())["thresholds"]["backlight"] == pytest.approx(moved)


def test_a_click_on_an_example_counts_although_a_number_was_being_typed(browser, served):
    page = at(browser, served, page="thresholds")
    number = page.get_by_label("label_error threshold as a number")
    number.wait_for()
    number.fill("0.6")
    page.locator(".examples .thumb img").first.wait_for()
    page.locator(".examples .thumb").first.click()
    page.locator(".evidence img").wait_for()
    assert number.input_value() == "0.6"


def test_words_that_the_app_does_not_know_are_told_on_the_page(browser, served):
    wrong = Served(served.work, served.cwd, "--wrok", "x")
    try:
        page = at(browser, wrong)
        page.get_by_text("unrecognized arguments").wait_for()
        assert "--wrok" in page.locator("[data-testid=stAlert] code").first.inner_text()
        assert "--folders-from-page" in page.locator("[data-testid=stCode]").inner_text()
    finally:
        wrong.kill()


def test_names_and_notes_stay_text(browser, tmp_path):
    data = tmp_path / "data"
    write_demo(data, 60, seed=9)
    for folder, ending in (("images", "jpg"), ("labels", "png")):
        for file in sorted((data / folder).iterdir())[:8]:
            file.rename(file.with_name(f"{HOSTILE}{file.stem}.{ending}"))
    names = json.loads((data / "classes.json").read_text())
    (data / "classes.json").write_text(json.dumps({number: HOSTILE + name for number, name in names.items()}))
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", data)
    stages.build_selection(run, work, tmp_path / "out", Settings(2), judge="none")
    (tmp_path / "cwd").mkdir()
    served = Served(tmp_path / "work", tmp_path / "cwd")
    try:
        asked, dialogs = set(), []
        page = at(browser, served, HOSTILE.replace("<", "%3C").replace(">", "%3E"))
        page.on("dialog", lambda dialog: dialogs.append(dialog.dismiss()))
        page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
        page.goto(f"{served.url}/?reviewer={HOSTILE}")
        shown(page)
        page.get_by_label("Reason").first.click()
        page.get_by_role("option", name="kept pairs").click()
        page.locator(".queue .state").filter(has_text="kept by the rules").wait_for()
        page.get_by_label("Containing").fill("__hit=1>0")  # as ids have it, and no class name
        page.get_by_label("Containing").press("Enter")
        eventually(lambda: page.evaluate("document.activeElement.tagName") == "BODY")  # the keys decide again
        assert shown(page).startswith(HOSTILE)
        assert page.locator(".queue .legend li").first.inner_text().startswith(HOSTILE)
        page.keyboard.press("n")
        page.keyboard.type(HOSTILE)
        page.keyboard.press("Enter")
        page.keyboard.press("d")
        eventually(lambda: served.decisions("note, reviewer") == [(HOSTILE, HOSTILE)])
        for name in ("grid", "classes", "overview"):
            page.goto(f"{served.url}/{name}?reviewer={HOSTILE}")
            page.get_by_role("link", name="Grid").wait_for()
            page.wait_for_timeout(1500)
        assert not dialogs and page.evaluate("window.__hit") is None
        assert asked - {None, ""} == {"127.0.0.1"}
    finally:
        served.kill()


def test_photos_that_go_away_under_the_app_say_so_in_their_place(browser, tmp_path, demo_set):
    data = shutil.copytree(demo_set, tmp_path / "data")
    run = stages.Run(workers=1, quiet=True)
    work = stages.index(run, tmp_path / "work", data)
    stages.build_selection(run, work, tmp_path / "out", Settings(2), judge="none")
    (tmp_path / "cwd").mkdir()
    served = Served(tmp_path / "work", tmp_path / "cwd")
    try:
        shown(at(browser, served))
        for i, file in enumerate(sorted((data / "images").iterdir())):
            if i % 2:
                file.unlink()
            else:
                file.write_bytes(file.read_bytes()[:300])
        page, seen = at(browser, served, "ben"), set()  # whose pairs nobody has looked at yet
        shown(page)
        for _ in range(6):
            page.locator(".queue .unseen").filter(has_text="cannot be shown").wait_for()
            seen.add("file does not exist" in page.locator(".queue .unseen").inner_text())
            page.locator(".queue .keep").and_(page.locator(":disabled")).wait_for()  # it can be dropped or skipped
            press(page, "s")
        assert seen == {True, False}  # gone, and cut off
        data.rename(tmp_path / "moved")
        page.reload()
        page.locator("text=/is gone: moved, renamed/").first.wait_for()
        assert "Traceback" not in page.content()
    finally:
        served.kill()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_on_a_phone_and_in_either_theme(browser, served, theme):
    page = at(browser, served, size=PHONE, color_scheme=theme)
    shown(page)
    for name in ("keep", "drop", "skip", "undo"):
        box = page.locator(f".queue .act.{name}").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]
    for selector in (".queue .title", ".queue .why", ".queue .legend li span:nth-child(2)"):
        eventually(
            lambda selector=selector: contrast(page, selector) >= 4.5
        )  # it is drawn anew when more of the pair has come


def test_it_listens_on_this_machine_alone(served):
    rows = [row for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    here = [
        row.split()[1]
        for row in rows
        if row.split()[3] == "0A" and int(row.split()[1].split(":")[1], 16) == served.port
    ]
    assert here == [f"0100007F:{served.port:04X}"]


def test_decisions_leave_and_come_back_as_a_table(browser, served):
    page = at(browser, served)
    decide(page, "kd")
    eventually(lambda: len(served.decisions()) == 2)
    page.get_by_role("link", name="Overview").click()
    page.get_by_text("Class balance before and after").wait_for()  # until then the page is drawn again
    with page.expect_download() as taken:
        page.get_by_role("button", name="Export decisions").click()
    rows = list(csv.DictReader(Path(taken.value.path()).read_text(encoding="utf-8-sig").splitlines()))
    assert [row["verdict"] for row in rows] == ["keep", "drop"] and {row["reviewer"] for row in rows} == {"anna"}
