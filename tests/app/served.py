"""The review app as a user starts it, and what a person does with it in a browser."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import served

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 400, "height": 800}


class Served(served.Served):
    """`streamlit run app/review.py -- --work WORK`, running."""

    def __init__(self, work: Path, cwd: Path, *words: object, options: tuple[str, ...] = ()) -> None:
        super().__init__("--work", work, *words, cwd=cwd, options=options)
        self.work = work
        self.start()

    def decisions(self, what: str = "pair_id, verdict, reviewer") -> list[tuple]:
        """Rows of the database, in order; none where there is none yet."""
        file = self.work / "decisions.sqlite"
        if not file.exists():
            return []
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as database:
            try:
                return database.execute(f"select {what} from decisions order by id").fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # it is being made
                    return []
                raise


def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it does not come to hold"
        time.sleep(0.05)


def at(browser, served, reviewer: str = "anna", page: str = "", size=DESKTOP, **options):
    """A page of the app, in a browser profile of its own."""
    there = browser.new_context(viewport=size, **options).new_page()
    there.set_default_timeout(30_000)
    there.goto(f"{served.url}/{page}?reviewer={reviewer}")
    return there


def shown(page) -> str:
    """The id of the pair on the screen, once its photo is there."""
    page.locator(".queue .title:not(:empty)").first.wait_for()
    page.wait_for_function(
        "() => { const q = [...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('.queue .frame img')).find(Boolean);"
        " return !q || !q.getAttribute('src') || q.complete; }"
    )
    return page.locator(".queue .title").first.inner_text()


def press(page, key: str) -> str:
    """Press a key that leads to another pair -> its id."""
    before = shown(page)
    page.keyboard.press(key)
    eventually(lambda: page.locator(".queue .title").first.inner_text() != before)
    return shown(page)


def decide(page, keys: str) -> list[tuple[str, str]]:
    """(pair, verdict) for each key that decides."""
    done = []
    for key in keys:
        done.append((shown(page), {"k": "keep", "d": "drop", "s": "skip"}[key]))
        press(page, key)
    return done


def contrast(page, selector: str) -> float:
    """Contrast of a text on the page's background [WCAG 2.1, contrast ratio]."""
    colours = page.locator(selector).first.evaluate(
        """e => {
             const paint = (colour, below) => { const c = document.createElement('canvas').getContext('2d');
               c.fillStyle = below; c.fillRect(0, 0, 1, 1); c.fillStyle = colour; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
             const app = document.querySelector('[data-testid=stApp]'), ground = getComputedStyle(app).backgroundColor;
             return [paint(getComputedStyle(e).color, ground), paint(ground, '#fff')];
           }"""
    )
    light = []
    for rgb in colours:
        linear = [v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb[:3]]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)
