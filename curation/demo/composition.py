"""What a picture is of, before any surface: where water, hills and mountains lie, and what stands in front of them."""

from dataclasses import dataclass

import numpy as np

KINDS = {  # share of the scenes
    "lake": 0.22,
    "coast": 0.15,
    "open_sea": 0.10,
    "river": 0.16,
    "farmland": 0.16,
    "meadow": 0.13,
    "steppe": 0.08,
}
GROUNDS = {
    "lake": ("grass", "grass", "land", "earth"),
    "coast": ("grass", "land", "land", "grass"),
    "open_sea": ("sand", "sand", "earth", "grass"),
    "river": ("grass", "grass", "field", "land"),
    "farmland": ("field", "field", "grass", "field"),
    "meadow": ("grass", "grass", "field", "grass"),
    "steppe": ("earth", "land", "sand", "earth"),
}


@dataclass(frozen=True)
class Composition:
    """Lengths are in world units of about 4 m; x grows to the right, z away from the camera; water lies at height 0."""

    kind: str
    horizon: float  # row of the horizon as a share of the picture's height
    camera: float  # height of the camera above the water
    water: str | None  # class name of the water
    shore: tuple[float, float, float, float, float]  # meaning depends on the kind; see terrain.shore_distance
    side: float  # -1 or 1: which side the composition leans to
    ground: str  # class name of the open ground
    patch: str  # class name of what breaks it up
    patch_share: float
    beach: float  # height of the sand above the water; 0 for none
    roughness: float
    hill_height: float
    hill_start: float
    mountain_height: float
    mountain_start: float
    mountain_tilt: float  # how much higher the mountains are on one side
    forest: float  # -1 none .. 1 everywhere
    trees: int  # single trees
    conifers: float  # share of conifers among them
    framing_tree: bool  # a large one near the edge
    rocks: int
    bushes: int
    path: str | None  # class name of the path or road
    house: bool
    boat: bool
    fence: bool


def _pick(rng: np.random.Generator, options: tuple) -> object:
    return options[int(rng.integers(len(options)))]


def _kind(rng: np.random.Generator) -> str:
    at = rng.random() * sum(KINDS.values())
    for name, share in KINDS.items():
        at -= share
        if at < 0:
            return name
    return "meadow"


def compose(rng: np.random.Generator) -> Composition:
    """Draw a composition. Left and right differ on purpose, so that a mirrored label map never fits its photo."""
    kind = _kind(rng)
    side = -1.0 if rng.random() < 0.5 else 1.0
    u = rng.uniform
    camera = u(1.3, 2.6)
    water, shore = None, (0.0, 0.0, 0.0, 0.0, 0.0)
    if kind == "lake":
        water = _pick(rng, ("lake", "lake", "water"))
        shore = (side * u(0.0, 5.0), u(13.0, 17.0), u(8.0, 15.0), u(6.5, 10.0), side * u(0.1, 0.5))
    elif kind == "coast":
        water = "sea"
        shore = (side * u(-1.5, 1.5), u(-0.10, 0.25), u(0.25, 0.5), 0.0, 0.0)
    elif kind == "open_sea":
        water = "sea"
        shore = (u(4.0, 9.0), side * u(0.2, 0.8), side * u(-4.0, 14.0), u(26.0, 48.0), u(8.0, 26.0))
    elif kind == "river":
        water = _pick(rng, ("river", "river", "water"))
        shore = (side * u(0.5, 2.5), u(0.7, 1.3), u(1.5, 3.5), u(5.0, 9.0), u(0.0, 6.28))
    tall = rng.random() < {"lake": 0.85, "coast": 0.4, "open_sea": 0.35, "river": 0.75, "steppe": 0.8}.get(kind, 0.55)
    hilly = rng.random() < {"lake": 0.45, "coast": 0.85, "open_sea": 0.8, "farmland": 0.9}.get(kind, 0.5)
    if not tall and kind != "open_sea":
        hilly = True
    ground = _pick(rng, GROUNDS[kind])
    track = None
    if kind in ("farmland", "meadow", "steppe", "river") and rng.random() < 0.6:
        track = "road" if rng.random() < 0.3 else "path"
    lush = {"steppe": -0.8, "open_sea": -0.4, "coast": -0.1, "farmland": -0.2}.get(kind, 0.15)
    return Composition(
        kind=kind,
        horizon=u(0.34, 0.60) if tall or hilly else u(0.4, 0.66),
        camera=camera,
        water=water,
        shore=shore,
        side=side,
        ground=ground,
        patch=_pick(rng, ("earth", "land", "grass")) if ground != "grass" else _pick(rng, ("earth", "field", "land")),
        patch_share=u(-0.1, 0.45),
        beach=u(0.06, 0.16) if rng.random() < (0.9 if water == "sea" else 0.4) else 0.0,
        roughness=u(0.10, 0.30),
        hill_height=u(1.6, 4.2) if hilly else 0.0,
        hill_start=u(12.0, 20.0),
        mountain_height=u(9.0, 19.0) if tall else 0.0,
        mountain_start=u(25.0, 34.0),
        mountain_tilt=side * u(-0.4, 1.3),
        forest=lush + u(-0.45, 0.45),
        trees=int(rng.integers(0, 26)) if kind not in ("steppe", "open_sea") else int(rng.integers(0, 5)),
        conifers=_pick(rng, (0.0, 0.1, 0.5, 0.9, 1.0)),
        framing_tree=bool(rng.random() < 0.28) and kind not in ("steppe", "open_sea"),
        rocks=int(rng.integers(1, 9)) if rng.random() < {"open_sea": 0.8, "farmland": 0.25}.get(kind, 0.5) else 0,
        bushes=int(rng.integers(3, 18)) if rng.random() < 0.5 else 0,
        path=track,
        house=bool(rng.random() < {"farmland": 0.5, "meadow": 0.35, "lake": 0.2, "river": 0.2}.get(kind, 0.0)),
        boat=bool(rng.random() < {"lake": 0.35, "coast": 0.4, "open_sea": 0.75}.get(kind, 0.0)),
        fence=bool(rng.random() < {"farmland": 0.4, "meadow": 0.3}.get(kind, 0.0)),
    )
