"""cleanlab's two segmentation rankings, fed the class probabilities of our own judge.

cleanlab [Lad & Mueller 2023, arXiv:2307.05080] ranks images by the probability that a model gives to the given labels.
It is no dependency of this project; `pip install cleanlab` puts it beside it. Both programs get the same probabilities of
the same cells, each worked out by a model that did not see the pair.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

RANKINGS = ("softmin", "num_pixel_issues")


def load() -> Callable:
    """cleanlab's function that scores images; ends the program with a way out where cleanlab is not installed."""
    try:
        from cleanlab.segmentation.rank import get_label_quality_scores
    except ImportError:
        sys.exit("--cleanlab needs the package cleanlab, which this project does not: pip install cleanlab")
    return get_label_quality_scores


def rankings(evidence: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """pair_id -> softmin, num_pixel_issues: 1 - cleanlab's score, so higher is worse, as in our own scores.

    evidence: pair_id, (h, w, n) log probability of each class, (h, w, n) given share of each class. A cell's given label
    is the class of most of it; where the class is not known, the label is what the model holds most likely, so that
    nothing speaks against it: cleanlab has no word for an unknown label. All pairs are held in memory, as cleanlab wants.
    """
    ids, probabilities, labels = [], [], []
    for pair_id, log_p, given in evidence:
        p = np.exp(log_p.astype(np.float64))
        p /= p.sum(2, keepdims=True)
        ids.append(pair_id)
        probabilities.append(p.transpose(2, 0, 1).astype(np.float32))
        labels.append(np.where(given.sum(2) > 0.5, given.argmax(2), p.argmax(2)))
    stacked, labels = np.stack(probabilities), np.stack(labels)
    score, columns = load(), {}
    for method in RANKINGS:
        quality, _ = score(labels, stacked, method=method, n_jobs=1, verbose=False)
        columns[method] = 1 - quality
    return pd.DataFrame(columns, index=pd.Index(ids, name="pair_id"))
