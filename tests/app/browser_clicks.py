"""Clicks as browsers send them."""

from __future__ import annotations

from uuid import uuid4


def click(pair_id: str = "0003", verdict: str = "drop", uuid: str | None = None, **more) -> dict:
    return {
        "uuid": uuid or str(uuid4()),
        "pair_id": pair_id,
        "verdict": verdict,
        "time": "2026-01-23T10:00:00Z",
        **more,
    }


def class_click(pair_id: str, verdict: str, uuid: str | None = None, **more) -> dict:
    return click(pair_id, verdict, uuid, within="class", reason="equivalence_class", **more)
