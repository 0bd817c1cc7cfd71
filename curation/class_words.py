"""What a class name says: the role of the class (sky, water, ...) and the colour it is shown in.

Enters: class names, as any data set spells them. Leaves: role -> class indices, and an RGB colour a class. Plain word
lists and whole-number arithmetic: the same names give the same answer on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

RGB = tuple[int, int, int]

VOID_NAMES = frozenset({"unknown", "void", "unlabeled", "unlabelled", "ignore"})

# role -> words. A class has the role of the word that says most in its name (see words_of); no word, no role.
ROLE_WORDS: Mapping[str, frozenset[str]] = {
    role: frozenset(words.split())
    for role, words in {
        "sky": "sky skies cloud",
        "water": "water sea ocean river stream creek canal lake pond pool waterfall falls wave surf bay lagoon",
        "vegetation": """
            tree palm grass lawn plant flora bush shrub hedge vegetation flower forest woods leaves foliage branch trunk
            moss crop""",
        "ground": """
            ground earth land soil terrain sand beach dirt mud gravel rock stone cliff mountain mount hill snow ice
            glacier desert field playingfield pasture path trail track road route street lane pavement sidewalk walk
            runway railroad railway rail platform parking curb court""",
        "built": """
            building edifice house home hovel hut barn shed skyscraper tower castle church temple wall fence fencing
            railing bannister banister balustrade handrail guardrail bridge pier wharf dock tunnel roof ceiling floor
            flooring door window windowpane stairs stair stairway staircase step escalator column pillar arch archway
            fountain grandstand awning canopy booth construction structural structure cage fireplace""",
        "object": """
            person people human man woman child pedestrian rider bicyclist cyclist animal bird cat dog horse sheep cow
            elephant bear zebra giraffe car auto automobile suv van bus truck lorry trailer caravan vehicle train tram
            motorcycle motorbike minibike scooter bicycle bike pram airplane aeroplane plane boat ship object pole sign
            signboard banner flag light lamp streetlight lantern chandelier sconce hydrant meter cone bench tent
            umbrella sculpture statue bag backpack handbag suitcase tie frisbee skis snowboard kite ball bat glove
            skateboard surfboard racket toy bottle glass cup fork knife spoon bowl plate pot vase tray basket barrel box
            banana apple sandwich orange broccoli carrot pizza donut cake fruit vegetable salad food chair armchair seat
            stool couch sofa ottoman bed cradle table desk shelf bookcase cabinet cupboard wardrobe counter countertop
            furniture television tv laptop computer monitor mouse remote keyboard phone microwave oven stove toaster
            sink refrigerator dishwasher washer toilet bathtub book clock scissors drier toothbrush mirror painting
            poster cushion pillow blanket towel ashcan bin fan""",
    }.items()
}
ROLES = tuple(ROLE_WORDS)

# word -> display colour, found the same way as the role; a colour that is taken goes to the first class only
NATURAL_COLOURS = {
    "sky": "#87ceeb", "cloud": "#dfe9f2",
    "water": "#3d85d1", "sea": "#17508f", "ocean": "#0b2f6b", "river": "#5fb0c9", "stream": "#86c5ae",
    "lake": "#2a7f9e", "pond": "#54918c", "pool": "#2fd0dc", "waterfall": "#b8e6f5",
    "tree": "#1f6b2c", "palm": "#2f9a5e", "forest": "#0f4423", "grass": "#7cc242", "lawn": "#a5d96a",
    "plant": "#3fae49", "bush": "#4d7a1f", "vegetation": "#6b8e23", "flower": "#e573a8",
    "mountain": "#75698f", "hill": "#8f9a5c", "rock": "#8d8d86", "stone": "#b5ada0", "earth": "#7a4a1e",
    "land": "#b08550", "ground": "#94703c", "dirt": "#5e4424", "sand": "#ecd394", "beach": "#f7e6b8",
    "snow": "#ffffff", "field": "#cdb52e", "terrain": "#bcd0a0", "path": "#dfa873", "road": "#4d4d57",
    "pavement": "#a394bd", "sidewalk": "#c9b6e0",
    "building": "#b5482f", "house": "#e5806b", "skyscraper": "#7f93b3", "wall": "#cdbba9", "fence": "#96595b",
    "railing": "#d394a8", "bridge": "#9a4f8c", "pier": "#51332a",
    "person": "#dc143c", "pedestrian": "#ff4f6d", "car": "#2b2fa0", "bus": "#a08000", "truck": "#6a4fc0",
    "boat": "#ffab00", "ship": "#f06418", "animal": "#c07a1a", "pole": "#9aa3a3", "object": "#c2187b",
}  # fmt: skip


def words_of(name: str) -> Iterator[str]:
    """Words of a class name, the one that says most first.

    Synonyms stand between commas, the first is the usual one. Inside one, what follows a hyphen only qualifies
    ("wall-stone" is a wall), and the last word is what the thing is ("traffic light" is a light).
    """
    for synonym in re.split(r"[,;/|()]", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)):
        for piece in synonym.split("-"):
            for word in reversed(re.findall(r"[a-z]+", piece.lower())):
                yield word
                if word.endswith("s"):
                    yield word[:-1]  # plural


def guess_role(name: str) -> str | None:
    """The role that a class name speaks of; None when no word in it is known."""
    for word in words_of(name):
        for role, words in ROLE_WORDS.items():
            if word in words:
                return role
    return None


def assign_roles(names: Sequence[str], named: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, ...]]:
    """role -> class indices: as named where a role is named, guessed elsewhere for classes that no named role has."""
    taken = {name for members in named.values() for name in members}
    guessed = [None if name in taken else guess_role(name) for name in names]
    return {
        role: tuple(i for i, name in enumerate(names) if (name in named[role] if role in named else guessed[i] == role))
        for role in ROLES
    }


def fill_colours(
    names: Sequence[str], given: Sequence[RGB | None] = (), unknown_colours: Sequence[RGB] = ()
) -> tuple[RGB, ...]:
    """A colour a class: the given one, else a natural one for a well-known word, else one far from the others."""
    colours = list(given) or [None] * len(names)
    for index, name in enumerate(names):
        word = next((word for word in words_of(name) if word in NATURAL_COLOURS), None)
        natural = hex_to_rgb(NATURAL_COLOURS[word]) if word else None
        if colours[index] is None and natural not in colours and natural not in unknown_colours:
            colours[index] = natural
    missing = [index for index, rgb in enumerate(colours) if rgb is None]

    levels = np.arange(32, 256, 17, dtype=np.int32)  # 14 levels a channel: 2744 colours, none near black
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest = np.full(len(candidates), np.iinfo(np.int32).max, np.int32)
    for rgb in [(0, 0, 0), (255, 255, 255), *unknown_colours, *(rgb for rgb in colours if rgb)]:
        np.minimum(nearest, _distance(candidates, rgb), out=nearest)
    for index in missing:
        best = candidates[int(nearest.argmax())]
        colours[index] = (int(best[0]), int(best[1]), int(best[2]))
        np.minimum(nearest, _distance(candidates, colours[index]), out=nearest)
    return tuple(colours)


def _distance(candidates: np.ndarray, rgb: RGB) -> np.ndarray:
    """How different (n, 3) int32 colours look from one: squared "redmean" distance, times 256 (T. Riemersma)."""
    mean_red = (candidates[:, 0] + rgb[0]) // 2
    red, green, blue = ((candidates - np.array(rgb, np.int32)) ** 2).T
    return (512 + mean_red) * red + 1024 * green + (767 - mean_red) * blue


def pack(rgb: RGB) -> int:
    """(r, g, b) -> 0xRRGGBB."""
    return rgb[0] << 16 | rgb[1] << 8 | rgb[2]


def hex_to_rgb(text: str) -> RGB:
    """#rrggbb -> (r, g, b)."""
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))
