"""The bars that the detectors must reach, and whether they do."""

from __future__ import annotations

from benchmarks.against_truth import LABEL_DEFECTS

AUROC = {  # of each defect's score against the clean pairs
    "wrong_pair": 0.995,
    "rotated_label": 0.995,
    "class_swapped": 0.99,
    "shifted_label": 0.97,
    "mirrored_label": 0.955,
    "wrong_patch": 0.955,
    "coupled_labels": 0.98,
    "backlit": 0.985,
}
DEVELOPED_ON = "stanford8"  # label space of the set that label_error was developed on
ELSEWHERE = 0.03  # how much lower the bars of label defects lie on every other set
PRECISION = 0.85  # of label_error at the default threshold
NOT_BACKLIT = 0.02  # share of the photos judged not backlit by eye that the default threshold may reject
SECOND = 0.95  # AUROC of the sky's disagree_share against a second annotator


def auroc_bar(defect: str, label_space: str) -> float | None:
    """The bar of one defect on a set of that label space; None where none is set."""
    if defect not in AUROC:
        return None
    lower = ELSEWHERE if defect in LABEL_DEFECTS and label_space != DEVELOPED_ON else 0
    return round(AUROC[defect] - lower, 4)


class Verdicts:
    """Asks bars and remembers which were missed. Each method answers with words for a table."""

    def __init__(self) -> None:
        self.asked = 0
        self.missed: list[str] = []

    def at_least(self, what: str, value: float, bar: float) -> str:
        return self._word(value >= bar, f">= {bar:g}", f"{what} {value:.4f}")

    def at_most(self, what: str, value: float, bar: float) -> str:
        return self._word(value <= bar, f"<= {bar:g}", f"{what} {value:.4f}")

    def above(self, what: str, value: float, other: float) -> str:
        """Above another's figure; where neither can be better, equal is enough."""
        return self._word(value > other or value == 1, f"> {other:.4f}", f"{what} {value:.4f}")

    def _word(self, met: bool, bar: str, what: str) -> str:
        self.asked += 1
        if not met:
            self.missed.append(f"{what}, bar {bar}")
        return f"{bar} {'met' if met else 'MISSED'}"
