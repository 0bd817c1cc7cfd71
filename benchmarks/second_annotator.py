"""Where two people drew the sky of the same photo differently: human truth about a label map.

The data set's own label maps are the ones in question. Where they are right and only the second annotator is wrong, no
evidence from the photo can tell.

Enters: an indexed data set and a folder of label maps that somebody else drew of some of its photos. Leaves: for each
such pair, how much of the picture the two disagree about; and what our evidence says of the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from curation.decode import PairError, label_at, read_label
from curation.label_space_files import find_beside
from curation.stages import read_pairs
from curation.workspace import Workspace

DIFFERENT, ALIKE = 0.05, 0.01  # share of the picture: above the one, below the other


def sky_between(work: Workspace, second: Path) -> pd.Series:
    """pair_id -> share of the picture that exactly one of the two annotators calls sky.

    second: holds a label map PAIR_ID.png for some of the pairs, in the label space that lies in that folder or beside it,
    else in that of the data; it may have another size. Pixels whose class either of them left open count for neither.
    Raises ValueError when no pair has a second label map or a label space has no sky.
    """
    space = find_beside(second) or find_beside(second.parent) or work.space
    for one in (work.space, space):
        if not one.indices_of("sky"):
            raise ValueError(f"label space {one.name} has no sky; --second compares what two people call sky")
    files = {path.stem: path for path in sorted(second.iterdir()) if path.suffix.lower() == ".png"}
    shares = {}
    for pair in read_pairs(work):
        if pair.error or not pair.label or pair.pair_id not in files:
            continue
        try:
            size = read_label(work.data / pair.label, work.space)
            first, _ = label_at(work.data / pair.label, work.space, size.width, size.height)
            other, _ = label_at(files[pair.pair_id], space, size.width, size.height)
        except PairError:
            continue
        known = (first < len(work.space.ids)) & (other < len(space.ids))
        skies = [np.isin(ids, s.indices_of("sky")) for ids, s in ((first, work.space), (other, space))]
        shares[pair.pair_id] = float(((skies[0] != skies[1]) & known).mean())
    if not shares:
        raise ValueError(f"{second} holds no label map named after a pair, such as {read_pairs(work)[0].pair_id}.png")
    return pd.Series(shares, dtype=np.float64)


def sky_by_evidence(work: Workspace) -> pd.Series:
    """pair_id -> disagree_share of the sky: the share of the picture where exactly one of label and evidence says sky."""
    sky = [work.space.ids[index] for index in work.space.indices_of("sky")]
    table = pd.read_parquet(work.label_evidence)
    return table[table["class_id"].isin(sky)].groupby("pair_id")["disagree_share"].sum()
