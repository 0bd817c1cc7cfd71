"""Every page of the app in a real browser, looked at and not decided on: what fits, what can be read, what is asked of whom."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from served import DESKTOP, PHONE, Served, at

# page -> what stands there when it is drawn
PAGES = {
    "": ".queue .evidence img",
    "grid": ".tile img",
    "classes": ".strip img",
    "thresholds": "section.card svg",
    "overview": "text=/Build Selection II/",
    "compare": "[data-testid=stMain] p",
}
READABLE = 4.5  # WCAG 2.1, success criterion 1.4.3
# Of each visible text its contrast [WCAG 2.1, contrast ratio] with what lies below it, the least readable first; in shadow roots, too.
# Icons, and buttons that cannot be pressed, are no texts.
CONTRASTS = r"""() => {
  const up = (e) => e.parentElement || (e.getRootNode() instanceof ShadowRoot ? e.getRootNode().host : null);
  const pen = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (p) => {
    const [r, g, b] = p.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    const all = [];
    for (; e; e = up(e)) all.push(rgba(getComputedStyle(e).backgroundColor));
    return all.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const found = [];
  const walk = (root) => {
    for (const e of root.querySelectorAll('*')) {
      if (e.shadowRoot) walk(e.shadowRoot);
      const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent).join('').trim();
      const shown = e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getBoundingClientRect().width > 1;
      if (!text || !shown || e.closest('style, script, [data-testid=stIconMaterial], :disabled, [aria-disabled=true]')) continue;
      const below = ground(e), ink = rgba(getComputedStyle(e).color);
      for (let a = e; a; a = up(a)) ink[3] *= +getComputedStyle(a).opacity;
      const [x, y] = [light(over(ink, below)), light(below)];
      found.push([(Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05), text.slice(0, 40)]);
    }
  };
  walk(document);
  return found.sort((a, b) => a[0] - b[0]);
}"""


@pytest.fixture(scope="module")
def looked_at(reviewed_work, tmp_path_factory) -> Iterator[Served]:
    """One server for all who only look."""
    folder = tmp_path_factory.mktemp("looked_at")
    there = Served(shutil.copytree(reviewed_work, folder / "work"), folder)
    yield there
    assert there.decisions() == []
    there.kill()


@pytest.mark.parametrize("name", PAGES, ids=[name or "queue" for name in PAGES])
def test_a_page_fits_can_be_read_and_asks_nothing_of_another_host(browser, looked_at, name):
    page, asked = at(browser, looked_at, "anna", name), set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.reload()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for size in (DESKTOP, PHONE):
            page.set_viewport_size(size)
            page.locator(PAGES[name]).first.wait_for(state="attached")
            wide = page.evaluate("document.scrollingElement.scrollWidth")
            assert wide <= size["width"], (theme, wide)
            for _ in range(20):  # while it is being drawn anew
                hard = [
                    (round(contrast, 2), text) for contrast, text in page.evaluate(CONTRASTS) if contrast < READABLE
                ]
                if not hard:
                    break
                page.wait_for_timeout(200)
            assert hard == [], (theme, size)
    assert asked - {None, ""} == {"127.0.0.1"}  # "": pictures that are part of the page
    page.context.close()
