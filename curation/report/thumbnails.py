"""Pictures of a page as data URIs, all together within a budget of bytes."""

from __future__ import annotations

import base64

import cv2
import numpy as np

BUDGET = 6_500_000  # characters of all data URIs together
STEPS = ((82, 1.0), (70, 1.0), (55, 1.0), (40, 0.75), (30, 0.5), (20, 0.33), (15, 0.2))  # JPEG quality, scale


def data_uris(pictures: list[np.ndarray], budget: int = BUDGET) -> list[str]:
    """(h, w, 3) uint8 RGB each -> one data URI each, all at the best quality at which they fit the budget."""
    for quality, scale in STEPS:
        encoded = [_jpeg(picture, quality, scale) for picture in pictures]
        if sum(4 * len(e) / 3 + 24 for e in encoded) <= budget:
            break
    return ["data:image/jpeg;base64," + base64.b64encode(e).decode() for e in encoded] if pictures else []


def _jpeg(picture: np.ndarray, quality: int, scale: float) -> bytes:
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
