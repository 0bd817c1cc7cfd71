"""One score a file; SCORES is the only list of them.

A new score is one file with a `measure(view) -> float | None` in [0, 1] (0 = fine, 1 = surely defective; None = cannot
be said), one entry here, one test, and, if it should reject, one rule in curation/rules.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from curation.scores import backlight, blur, coupling, dark, low_information, monochrome, overexposed
from curation.scores.view import View


@dataclass(frozen=True)
class Score:
    """`measure` is None for label_error, which needs a model fitted on the whole set and is made after the shards.

    `version`: raise it when the formula changes, so that kept measures are worked out again.
    """

    says: str
    measure: Callable[[View], float | None] | None
    version: int = 1


SCORES: dict[str, Score] = {
    "backlight": Score("strongly backlit: a dark mass before a bright ground", backlight.measure, version=2),
    "label_error": Score("the label map does not fit the photo", None),
    "coupling": Score("classes interleave at a fine scale, or their borders are noise", coupling.measure, version=2),
    "blur": Score("nothing in the photo is sharp", blur.measure, version=2),
    "dark": Score("hardly any light", dark.measure),
    "overexposed": Score("a large part burnt out to white", overexposed.measure),
    "monochrome": Score("greyscale or toned", monochrome.measure, version=3),
    "low_information": Score("nearly all of the photo is flat", low_information.measure),
}


def measure_all(view: View, names: list[str]) -> dict[str, float | None]:
    """The per-pair scores of `names`, rounded to 4 decimals so that tables do not differ in noise between machines."""
    values = {}
    for name in names:
        measure = SCORES[name].measure
        if measure is not None:
            value = measure(view)
            values[name] = None if value is None else round(value, 4)
    return values
