"""Backlight: is the subject a dark mass before a bright ground, with nothing between the two?

Enters: a View. Leaves: the probability that a person calls the photo severely backlit.

Measured in linear light on a coarse picture of at most CELLS x CELLS cells, in stops (log2 of relative luminance; 0 is
white). What counts is where the light is, not only how much: a silhouette is one large dark shape against one large bright
one. A dark car in daylight lacks the large shapes, a forest under an overcast sky has its mid-tones, a photo that is only
underexposed, or taken at night, has no bright ground for the dark to meet.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from curation.scores.view import View

CELLS = 64  # along the long side: large shapes survive, texture does not, and the photo's size does not matter
BLACK = -10.0  # stops; darker is as dark (8-bit code 3)
DARK, LIGHT = -4.5, -2.0  # stops (8-bit codes 59 and 137): below is a dark mass, above is lit
MIDTONES = (-4.5, -1.5)  # stops: where most of a well-lit photo lies
GROUND, ENOUGH = -3.0, 0.2  # stops, and the share of the cells above them that makes a bright ground; less is lamps
REACH = 2  # cells between dark and light that still meet
LEAST_SKY = 0.05  # share of the picture; a smaller sky says nothing about the light, nor does a smaller rest
LEAST_LAND = 0.03  # share of the cells; with less than that beside it, water is the subject

_WINDOW = np.ones((3, 3), np.uint8)
_REACHED = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)


class Light(NamedTuple):
    """How the light lies in a photo.

    spread    standard deviation of the cells, in stops
    clutter   mean range of stops within 3x3 cells: high when dark and light are many small patches
    meeting   square root of the share of cells that are below DARK and have a cell above LIGHT within REACH; the root,
              because a second border between dark and light says less than the first
    midtones  share of the cells within MIDTONES
    ground    share of the cells above GROUND, in parts of ENOUGH and at most 1: 1 for nearly every photo by day
    """

    spread: float
    clutter: float
    meeting: float
    midtones: float
    ground: float


# Log odds. Signs follow from physics: stops between masses count for backlight, clutter and mid-tones against it, and there
# must be a bright ground. How the numbers were found: see `measure`.
INTERCEPT = -15.01
WEIGHTS = Light(spread=4.16, clutter=-3.39, meeting=11.2, midtones=-3.34, ground=7.92)
SKY_INTERCEPT, SKY_PHOTO, SKY_STOPS = -3.5, 0.7, 0.8
SKY_TRUSTED = 1.5  # stops between sky and subject from which the label map is believed in full


def cells(view: View) -> np.ndarray:
    """(h, w) float32 stops of the mean luminance of each cell, BLACK to 0; long side <= CELLS."""
    light = view.luminance
    scale = min(1.0, CELLS / max(light.shape))
    size = [max(1, round(side * scale)) for side in light.shape[::-1]]
    return np.log2(np.maximum(cv2.resize(light, size, interpolation=cv2.INTER_AREA), 2**BLACK))


def light_of(stops: np.ndarray) -> Light:
    """The (h, w) cells of a photo -> what the score is made of."""
    dark, lit = stops < DARK, stops > LIGHT
    near_light = cv2.dilate(lit.view(np.uint8), _REACHED).view(bool)
    low, high = MIDTONES
    return Light(
        spread=float(stops.std(dtype=np.float64)),
        clutter=float((cv2.dilate(stops, _WINDOW) - cv2.erode(stops, _WINDOW)).mean(dtype=np.float64)),
        meeting=float((dark & near_light).mean() ** 0.5),
        midtones=float(((stops > low) & (stops < high)).mean()),
        ground=min(float((stops > GROUND).mean()) / ENOUGH, 1.0),
    )


def light_ground(view: View, stops: np.ndarray) -> np.ndarray | None:
    """(h, w) bool cells of the sky, and of water that is as bright as one: what a subject may stand dark against.

    Water counts where it is nearer to the sky than to the land, in stops. None without label map, sky class, or with
    less than LEAST_SKY of either sky or rest.
    """
    sky = view.role("sky")
    if sky is None or not LEAST_SKY <= sky.mean() <= 1 - LEAST_SKY:
        return None
    ground = _most_of(sky, stops.shape)
    if not 0 < ground.mean() < 1:  # a sky of scattered pixels has no cell of its own
        return None
    water = view.role("water")
    if water is None:
        return ground
    water = _most_of(water, stops.shape) & ~ground
    land = ~ground & ~water
    if land.mean() < LEAST_LAND:
        return ground
    return ground | (water & (stops > (stops[ground].mean() + stops[land].mean()) / 2))


def sky_stops(view: View, stops: np.ndarray | None = None) -> float | None:
    """Stops by which the light ground lies above the subject, each by the mean of its cells; None without a usable sky."""
    stops = cells(view) if stops is None else stops
    ground = light_ground(view, stops)
    if ground is None or ground.all():
        return None
    return float(stops[ground].mean(dtype=np.float64) - stops[~ground].mean(dtype=np.float64))


def measure(view: View) -> float:
    """Probability in [0, 1] that a person calls the photo severely backlit; 0.5 is the default threshold.

    Logistic regression with a ridge penalty on the first four numbers of Light. Fitted on 24 outdoor photos that their
    collectors call backlit and the 715 photos of Stanford Background judged by eye (benchmarks/stanford_backlit.csv: 13
    backlit, 19 borderline, which count half), each also 0.5 stop lighter, 0.5 stop darker and cropped; and, as photos
    without backlight, the latter darkened and overexposed. The weight of `ground` was then fitted alone, with made night
    scenes (photos sunk by 4-7 stops, lamps set into them). Last, slope and intercept were set on predictions of 5-fold
    cross-validation, all backlit photos together weighing as much as the 13. So the probability holds where, as there,
    about 1 photo in 40 is backlit; where more are, it is too low.

    With a sky in the label map, `sky_stops` joins in. Its weights come from the judged photos and from ordinary ones whose
    land was darkened under a kept sky, rounded towards the photo's own evidence, so that a wrong label map costs little;
    and where the map's sky is not brighter than the rest, as in a map of another photo, the photo alone decides.
    """
    stops = cells(view)
    evidence = INTERCEPT + sum(weight * value for weight, value in zip(WEIGHTS, light_of(stops), strict=True))
    sky = sky_stops(view, stops)
    if sky is not None:
        with_sky = SKY_INTERCEPT + SKY_PHOTO * evidence + SKY_STOPS * sky
        trust = min(max(sky / SKY_TRUSTED, 0.0), 1.0)
        evidence += trust * (with_sky - evidence)
    return float(1 / (1 + np.exp(np.clip(-evidence, -60, 60))))


def _most_of(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cells that a full-size mask covers by half or more."""
    return cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA) >= 0.5
