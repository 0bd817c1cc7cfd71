"""Charts as inline SVG; their colours are CSS classes, so that they follow the theme of the page."""

from __future__ import annotations

from html import escape

import numpy as np

WIDTH, HEIGHT = 320, 132
LEFT, RIGHT, TOP, BOTTOM = 30, 6, 14, 18  # margins of the plot
BINS = 40


def histogram(values: np.ndarray, threshold: float, label: str) -> str:
    """Scores in [0, 1] as bars, counts on a log scale; a line at the threshold, the bars from there on stand out."""
    counts, edges = np.histogram(values, bins=BINS, range=(0, 1))
    top = max(10, int(counts.max()))
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(score: float) -> float:
        return LEFT + plot_w * score

    def y(count: float) -> float:
        return TOP + plot_h * (1 - np.log1p(count) / np.log1p(top))

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for power in range(int(np.log10(top)) + 1):
        count = 10**power
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(count):.1f}" y2="{y(count):.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 4}" y="{y(count) + 3:.1f}" text-anchor="end">{_short(count)}</text>'
        )
    for count, left, right in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            side = "over" if left >= threshold - 1e-9 else "under"
            height = HEIGHT - BOTTOM - y(count)
            parts.append(
                f'<rect class="{side}" x="{x(left) + 0.5:.1f}" y="{y(count):.1f}" width="{plot_w / BINS - 1:.1f}" '
                f'height="{height:.1f}"><title>{left:.3f} to {right:.3f}: {count:,} pairs</title></rect>'
            )
    floor = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>')
    for score in (0, 0.25, 0.5, 0.75, 1):
        anchor = "start" if score == 0 else "end" if score == 1 else "middle"
        parts.append(f'<text class="tick" x="{x(score):.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{score:g}</text>')
    parts.append(f'<line class="limit" x1="{x(threshold):.1f}" x2="{x(threshold):.1f}" y1="{TOP - 6}" y2="{floor}"/>')
    anchor, shift = ("start", 4) if threshold < 0.7 else ("end", -4)
    parts.append(
        f'<text class="limit" x="{x(threshold) + shift:.1f}" y="{TOP - 1}" text-anchor="{anchor}">'
        f"threshold {threshold:g}</text>"
    )
    return "".join([*parts, "</svg>"])


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1000}k" if count >= 1000 else str(count)
