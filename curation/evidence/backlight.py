"""Backlight: the dark mass in blue and the lit ground in yellow, at the limits where the score draws them.

What is crushed to black or burnt out to white, and so cannot be brought back, is in full colour.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curation.evidence.marks import BLUE, YELLOW, grey, tint
from curation.evidence.panel import Panel, Picture, percent
from curation.evidence.seen import SeenPair
from curation.scores.backlight import DARK, LIGHT, cells, light_of, sky_stops

CRUSHED, BURNT = -7.0, -0.15  # stops (8-bit codes 23 and 243): beyond them no detail is left


class Areas(NamedTuple):
    """(h, w) bool each; crushed lies within dark, burnt within lit."""

    dark: np.ndarray
    crushed: np.ndarray
    lit: np.ndarray
    burnt: np.ndarray


def show(pair: SeenPair) -> Picture:
    """Photo, and photo with its dark and lit areas marked; the stops between the two, and between sky and the rest."""
    found = areas(pair)
    marked = grey(pair.display)
    for area, colour, share in zip(found, (BLUE, BLUE, YELLOW, YELLOW), (0.5, 0.85, 0.45, 0.9), strict=True):
        marked = tint(marked, pair.enlarge(area), colour, share)
    says = in_words(pair, found)
    return Picture(((Panel(pair.display, "photo"), Panel(marked, says)),), says)


def areas(pair: SeenPair) -> Areas:
    """Where the photo is darker than DARK and brighter than LIGHT, and where nothing but black or white is left."""
    light = pair.view.luminance
    return Areas(light < 2**DARK, light < 2**CRUSHED, light > 2**LIGHT, light > 2**BURNT)


def in_words(pair: SeenPair, found: Areas) -> str:
    """One sentence: how much is dark and lit, how far apart the two are, what lies between them."""
    light = pair.view.luminance
    sides = [
        f"{percent(side.mean())} {name} ({colour}{f', {percent(lost.mean())} {gone}' if lost.any() else ''})"
        for side, name, colour, lost, gone in (
            (found.dark, "dark", "blue", found.crushed, "crushed to black"),
            (found.lit, "lit", "yellow", found.burnt, "burnt out"),
        )
    ]
    says = " and ".join(sides)
    if found.dark.any() and found.lit.any():
        below, above = (max(float(light[side].mean()), 2**-10) for side in (found.dark, found.lit))
        says += f", {np.log2(above / below):.1f} stops apart"
    stops = cells(pair.view)
    says += f"; mid-tones cover {percent(light_of(stops).midtones)}"
    sky = sky_stops(pair.view, stops)
    if sky is not None:
        says += f"; the sky lies {abs(sky):.1f} stops {'above' if sky >= 0 else 'below'} the rest"
    return says
