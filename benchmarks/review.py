"""The review app at size, in a real browser: first page, key to next pair, memory.

    python -m benchmarks.review [--n 10000 1000000] [--keys 100] [--folder DIR]

Some hundred landscapes are drawn once, at the size of photos, and measured by `curate build-selection --level 2`. For each N a work directory
of N pairs is made of them: many pairs share a file, each has its own id, scores (those of its file, a little off), class and copies, and
the rules say what is dropped. The app is started on it as a user starts it. Printed:

- start: from the command until it listens
- first page, cold: the first browser's navigation until the photo of the first pair is complete; the app reads its tables meanwhile
- first page, warm: the same for a second reviewer
- key: in the page, from keydown until the photo of the next pair is complete, over --keys decisions at the pace of a quick reviewer
- the other pages, warm: the navigation until the first thumbnail, histogram or button stands
- memory: the most that the app's processes held (PSS), asked after each step; and after a new selection was opened and looked at
- others: processors that were busy with anything else than the app and its browser meanwhile
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from benchmarks.measured import Others, machine
from benchmarks.served import browser, served, why_no_browser
from curation import rules, stages
from curation.demo.dataset import write_demo
from curation.scores import SCORES
from curation.workspace import Workspace, facts_of, read_frame, write_table

if TYPE_CHECKING:
    from playwright.sync_api import Page

DRAWN, SCALE = 200, 4  # pairs of 256x192 pixels, shown at 1024x768 as photos are
DEFECTS = 0.1  # share of the pairs that come from landscapes with a reason against them
MEMBERS, COPIED = 4, 100  # of an equivalence class on average; one pair in so many is a copy
SETTLES = 3.0  # seconds between the first page of one reviewer and that of the next
PACE = 0.5  # seconds between a pair on the screen and the next key
OTHERS = {
    "grid": ".tile img",
    "classes": ".strip img",
    "thresholds": "section.card svg",
    "overview": "button >> text=Build Selection",
}
NOISE = 0.03  # of scores, standard deviation
# In the page: deep() finds elements in shadow roots, too; shown() is the id of the pair on the screen once its photo is complete, or its error
# stands there; __times gets for each key the ms until another pair is shown and painted.
SCRIPT = """
window.deep = (selector, root = document) => {
  const found = [...root.querySelectorAll(selector)];
  for (const e of root.querySelectorAll('*')) if (e.shadowRoot) found.push(...deep(selector, e.shadowRoot));
  return found;
};
window.shown = () => {
  const image = deep('.frame img')[0], title = deep('.title')[0], unseen = deep('.unseen')[0];
  const whole = image && (image.getAttribute('src') ? image.complete && image.naturalWidth : unseen.textContent);
  return whole ? title.textContent : '';
};
window.__times = [];
addEventListener('keydown', () => {
  const began = performance.now(), before = shown();
  const look = () => {
    const now = shown(), ms = performance.now() - began;
    if (now && now !== before) deep('.frame img')[0].decode().catch(() => 0).then(() => requestAnimationFrame(() => __times.push(performance.now() - began)));
    else if (ms < 20000) requestAnimationFrame(look);
    else __times.push(Infinity);
  };
  requestAnimationFrame(look);
}, true);
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where what is drawn and made stays for the next run")
    arguments = parser.parse_args()
    if why := why_no_browser():
        raise SystemExit(why)
    print(f"{machine()}; {datetime.date.today()}")
    print(
        f"{'':9}{'start':>8}{'first page, s':>16}{'key to next pair, ms':>24}{'other pages, s':>48}{'memory, MB':>16}"
    )
    heads = ("s", "cold", "warm", "median", "p95", "most", *OTHERS, "most", "again", "others")
    print(f"{'pairs':>9}" + "".join(f"{word:>{12 if word in OTHERS else 8}}" for word in heads))
    with _folder(arguments.folder) as folder:
        drawn = _drawn(folder)
        for n in arguments.n:
            work = folder / f"work-{n}"
            if not (work / "work.json").exists():
                _blow_up(drawn, work, n)
            print(f"{n:9}" + _row(work, arguments.keys), flush=True)


def _row(work: Path, keys: int) -> str:
    for file in work.glob("decisions.sqlite*"):
        file.unlink()
    began = time.perf_counter()
    with served("--work", work, cwd=work.parent) as app:
        start, firsts, memory = time.perf_counter() - began, [], [app.memory]
        with browser() as opened:
            idle = Others()
            for reviewer in ("anna", "ben"):
                page = opened.new_context(viewport={"width": 1280, "height": 800}).new_page()
                page.add_init_script(SCRIPT)
                began = time.perf_counter()
                page.goto(f"{app.url}/?reviewer={reviewer}")
                page.wait_for_function("window.shown && shown()", timeout=120_000)
                firsts.append(time.perf_counter() - began)
                memory.append(app.memory)
                page.wait_for_timeout(1000 * SETTLES)
            for k in range(keys):
                page.wait_for_timeout(1000 * PACE)
                page.keyboard.press("s" if k % 10 == 9 else "kd"[k % 2])
                page.wait_for_function(f"window.__times.length > {k}", timeout=30_000)
            times = np.array(page.evaluate("window.__times"))
            memory.append(app.memory)
            pages = [_seconds(page, app.url, name) for name in OTHERS]
            memory.append(app.memory)
            os.utime(work / "faults.parquet")  # as after a new selection
            for name in OTHERS:
                _seconds(page, app.url, name)
            again, others = app.memory, idle.busy()
    key = "".join(f"{ms:8.0f}" for ms in (np.median(times), np.quantile(times, 0.95), times.max()))
    page_s = "".join(f"{s:12.2f}" for s in pages)
    held = f"{max(memory) / 1e6:8.0f}{again / 1e6:8.0f}"
    return f"{start:8.1f}{firsts[0]:8.2f}{firsts[1]:8.2f}{key}{page_s}{held}{others:8.2f}"


def _seconds(page: Page, url: str, name: str) -> float:
    """Until a page stands; it is left there for a while, to make what it makes ahead."""
    began = time.perf_counter()
    page.goto(f"{url}/{name}?reviewer=ben")
    page.locator(OTHERS[name]).first.wait_for(timeout=60_000)
    stood = time.perf_counter() - began
    page.wait_for_timeout(1000 * SETTLES)
    return stood


def _drawn(folder: Path) -> Workspace:
    """Landscapes of the size of photos, measured and selected from."""
    data, work = folder / "landscapes", folder / "drawn"
    if not work.exists():
        write_demo(data, DRAWN, 1)
        for file in sorted(data.glob("*/*")):
            pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            if pixels is None:
                continue  # a file that cannot be read is one of the defects
            how = cv2.INTER_CUBIC if file.suffix == ".jpg" else cv2.INTER_NEAREST
            cv2.imwrite(str(file), cv2.resize(pixels, None, fx=SCALE, fy=SCALE, interpolation=how))
    run = stages.Run(quiet=True)
    found = stages.index(run, work, data)
    stages.build_selection(run, found, folder / "manifests", rules.Settings(2))
    return found


def _blow_up(drawn: Workspace, folder: Path, n: int) -> None:
    """A work directory of n pairs of the files that are drawn."""
    rng = np.random.default_rng(n)
    base, fit = read_frame(drawn.scores), read_frame(drawn.label_fit).set_index("pair_id")
    faulty = base["pair_id"].isin(set(read_frame(drawn.faults)["pair_id"])).to_numpy()
    of = np.where(
        rng.random(n) < DEFECTS, rng.choice(np.flatnonzero(faulty), n), rng.choice(np.flatnonzero(~faulty), n)
    )
    ids = np.array([f"{i:08d}" for i in range(n)], object)
    scores = base.iloc[of].reset_index(drop=True)
    files_of = scores["pair_id"].to_numpy()
    scores["pair_id"] = ids
    for name in SCORES:
        scores[name] = np.round(np.clip(scores[name] + rng.normal(0, NOISE, n), 0, 1), 4)
    copies = rng.permutation(n)[: 2 * (n // COPIED)].reshape(2, -1)
    duplicates = pd.DataFrame({"first": ids[copies[0]], "second": ids[copies[1]], "relation": "same"})
    duplicates[["similarity", "left", "right", "top", "bottom", "labels_disagree"]] = 0.99, 0.0, 1.0, 0.0, 1.0, 0.0
    groups = _groups(scores, files_of, read_frame(drawn.groups), rng)
    work = Workspace(folder, drawn.data, drawn.source, drawn.space, drawn.layout, drawn.options)
    folder.mkdir(parents=True, exist_ok=True)
    selection = rules.select(scores, duplicates, groups, rules.Settings(2))
    write_table(work.scores, scores, "generated", facts_of(drawn.scores))
    write_table(work.duplicates, duplicates, "generated")
    write_table(work.groups, groups, "generated", facts_of(drawn.groups))
    judged = np.isin(files_of, fit.index)
    fits = fit.loc[files_of[judged]].reset_index(drop=True).assign(pair_id=ids[judged])
    write_table(work.label_fit, fits, "generated")
    write_table(work.coupled_classes, read_frame(drawn.coupled_classes), "generated")
    stages.write_faults(work, selection)
    for judge in drawn.label_error.glob("*.npz"):
        work.label_error.mkdir(exist_ok=True)
        (work.label_error / judge.name).write_bytes(judge.read_bytes())
    work.save()


def _groups(scores: pd.DataFrame, files_of: np.ndarray, drawn: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Random classes of the readable pairs, each with the description of its photo."""
    described = drawn.set_index("pair_id")["descriptor"]
    there = np.flatnonzero(np.isin(files_of, described.index))
    ids = scores["pair_id"].to_numpy()[there]
    stands = ids[rng.integers(0, max(1, len(ids) // MEMBERS), len(ids))]
    groups = pd.DataFrame({"pair_id": ids, "equivalence_class": stands, "representative": stands})
    groups[["similarity", "radius"]] = 0.95, 0.05
    groups["members"] = groups.groupby("equivalence_class")["pair_id"].transform("size")
    groups["descriptor"] = described.loc[files_of[there]].to_numpy()
    return groups


@contextmanager
def _folder(named: Path | None):
    if named:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


if __name__ == "__main__":
    main()
