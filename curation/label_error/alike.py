"""How alike two classes look: twice the share of cells in which a judge that never saw the picture takes one for the other."""

from __future__ import annotations

import numpy as np

FEWEST = 200.0  # cells of a class; with fewer its looks are not known


class Alike:
    """Sums over the cells of a set; those of parts can be added up.

    cells (n,) given cells of each class; odds, squares (n, n): over the cells of a class, sum of log p of this class over each
    other one, and of its square.
    """

    def __init__(self, n_classes: int) -> None:
        self.cells = np.zeros(n_classes)
        self.odds = np.zeros((n_classes, n_classes))
        self.squares = np.zeros((n_classes, n_classes))

    def add(self, log_p: np.ndarray, given: np.ndarray) -> None:
        """(24, 32, n) log p out of fold, and given class shares."""
        for a in np.flatnonzero(given.any((0, 1))):
            weight = given[:, :, a]
            here = weight > 0
            odds = log_p[here][:, [a]] - log_p[here]
            self.odds[a] += weight[here] @ odds
            self.squares[a] += weight[here] @ (odds * odds)
            self.cells[a] += float(weight.sum())

    def matrix(self) -> np.ndarray:
        """(n, n) symmetric in [0, 1]: 1 = cannot be told apart, 0 = never taken for one another; NaN where too little was seen.

        The log odds of class a over class b lie around one mean in the cells of a and around another in those of b. Were both
        normal, the best border between them would leave Phi(-d/2) of either on the wrong side, d the distance of the means in
        standard deviations ("discriminability", Green & Swets 1966); twice that is given. So a class that is rare, and loses to all
        others, does not look like all of them.
        """
        from scipy.special import erfc

        n = np.maximum(self.cells, 1)[:, None]
        mean = self.odds / n
        variance = np.maximum(self.squares / n - mean**2, 0)
        apart = (mean + mean.T) / np.sqrt((variance + variance.T) / 2 + 1e-9)
        alike = erfc(np.maximum(apart, 0) / 2 / np.sqrt(2))
        unseen = self.cells < FEWEST
        alike[unseen], alike[:, unseen] = np.nan, np.nan
        np.fill_diagonal(alike, 1)
        return np.round(alike, 2)
