"""The ceiling of label_error: label maps judged by a judge that learned from right ones.

Enters: the work directory of a data set and that of its planted copy. Leaves: a score for each pair of the copy. The judge of
classes is that of the data set before anything was planted; it still judges each pair by the model that did not see it. All
that follows is as ever: simulated errors, ranking, the share of wrong maps. What this oracle cannot tell from clean pairs, no
cleaner labels would help to find.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from curation import stages
from curation.label_error import ranking
from curation.label_error.judge import Judge
from curation.label_error.measures import MEASURES
from curation.label_error.stage import MOST_SIMULATED, Part, judge_part
from curation.workspace import Workspace


def judge_file(work: Workspace) -> Path:
    """The fitted judge in a work directory. Raises ValueError where there is none."""
    files = [
        file for file in work.label_error.glob("*.npz") if "-" not in file.name
    ]  # KEY.npz; KEY-PART.* belongs to a part
    if len(files) != 1:
        raise ValueError(
            f"{work.label_error} holds {len(files)} fitted judges, not one; score that work directory again"
        )
    return files[0]


def scores(run: stages.Run, unplanted: Workspace, planted: Workspace, folder: Path) -> pd.Series:
    """pair_id -> label_error in [0, 1] by the oracle; what it says of each part is left in `folder`, which is emptied first."""
    if (unplanted.space.ids, unplanted.space.names) != (planted.space.ids, planted.space.names):
        raise ValueError(f"{planted.data} has other classes than {unplanted.data}; the oracle needs the same")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model, parts = judge_file(unplanted), sorted(planted.parts.glob("*.parquet"))
    fitted = Judge.load(model)
    share = min(1.0, MOST_SIMULATED / sum(pq.read_metadata(part).num_rows for part in parts))
    jobs = [
        Part(str(part), fitted.n_classes, fitted.features, "", 0.0, share, str(model), str(folder / part.stem))
        for part in parts
    ]
    for _ in run.over(judge_part, jobs, "oracle"):
        pass
    pairs, wrong = (
        pd.concat([pd.read_parquet(f"{job.out}.{what}.parquet") for job in jobs], ignore_index=True)
        for what in ("pairs", "wrong")
    )
    measures = list(MEASURES)
    verdicts = ranking.rank(
        pairs[measures].to_numpy(), pairs["fold"].to_numpy(),
        wrong[measures].to_numpy(), wrong["kind"].to_numpy(), wrong["fold"].to_numpy(),
    )  # fmt: skip
    return pd.Series(verdicts.score, index=pd.Index(pairs["pair_id"], name="pair_id"))
