"""The camera: a level pinhole above a height field, and which node of the field each pixel sees.

World axes: x to the right, height up from the water level, z forward. The field is sampled on nodes (depth, column):
node (i, j) lies at z = depth[i], x = slope[j] * z, so that a column of nodes is a column of pixels.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """A picture of `height` x `width` pixels; `horizon` is a row, `focal` is in pixels, `camera` a height."""

    height: int
    width: int
    horizon: float
    camera: float

    @property
    def focal(self) -> float:
        return float(self.width)  # 53 degrees across

    @property
    def slope(self) -> np.ndarray:
        """(width,) x / z of the middle of each pixel column."""
        return (np.arange(self.width) + 0.5 - 0.5 * self.width) / self.focal

    def depths(self, middle: float, far: float) -> np.ndarray:
        """(D,) rising depths: coarse steps up to `middle`, fine ones to `far`, a few to the horizon.

        Coarse steps suffice on level ground, where a row of pixels spans much depth; slopes that face the camera
        need fine ones.
        """
        scale = self.height / 192.0
        near = 0.5 * self.focal * self.camera / (self.height - self.horizon)
        return np.concatenate(
            [
                np.geomspace(near, middle, int(108 * scale) + 8, endpoint=False),
                np.geomspace(middle, far, int(100 * scale) + 8, endpoint=False),
                np.geomspace(far, 60.0 * far, 14),
            ]
        )

    def row(self, depth: np.ndarray, height: np.ndarray) -> np.ndarray:
        """The picture row (pixel k spans k to k + 1) of points at `depth` and `height`."""
        return self.horizon - self.focal * (height - self.camera) / depth

    def mirror_row(self, depth: np.ndarray, height: np.ndarray) -> np.ndarray:
        """The row in which still water at height 0 shows such a point."""
        return self.horizon + self.focal * (height + self.camera) / depth

    def column(self, depth: float, x: float) -> float:
        return 0.5 * self.width + self.focal * x / depth


@dataclass(frozen=True)
class Hits:
    """Per sample (rows, width): the node behind the hit, how far the hit lies past the node before it, and a miss."""

    node: np.ndarray  # int64, 0..D-1
    part: np.ndarray  # float64 in [0, 1]
    sky: np.ndarray  # bool

    def __getitem__(self, rows: slice) -> "Hits":
        return Hits(self.node[rows], self.part[rows], self.sky[rows])

    def _flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the node before and behind each hit in raveled (D, W) data."""
        width = self.node.shape[1]
        behind = self.node * width + np.arange(width)
        return np.where(self.node > 0, behind - width, behind), behind

    def mark(self, seen: np.ndarray) -> None:
        """Set the nodes that these hits need in the raveled (D * W,) mask `seen`."""
        hit = ~self.sky
        for index in self._flat():
            seen[index[hit]] = True

    def smooth(self, nodes: np.ndarray) -> np.ndarray:
        """Values of (D, W) or (D, W, C) node data at the hits, linear along depth."""
        flat = nodes.reshape(nodes.shape[0] * nodes.shape[1], *nodes.shape[2:])
        before, behind = self._flat()
        start = flat.take(before, axis=0)
        change = flat.take(behind, axis=0)
        change -= start
        change *= self.part.reshape(self.part.shape + (1,) * (nodes.ndim - 2))
        start += change
        return start

    def nearest(self, nodes: np.ndarray) -> np.ndarray:
        """Values of (D, W) node data at the hits, from the nearer of the two nodes."""
        before, behind = self._flat()
        return nodes.ravel().take(np.where(self.part < 0.5, before, behind))


def first_hits(node_rows: np.ndarray, rows: np.ndarray) -> Hits:
    """What the picture rows `rows` (R,) see first, from near to far, of nodes projected to `node_rows` (D, W)."""
    depth_count, width = node_rows.shape
    front = np.ascontiguousarray(-np.minimum.accumulate(node_rows, axis=0).T)
    node = np.empty((len(rows), width), np.int64)
    for j in range(width):
        node[:, j] = front[j].searchsorted(-rows, side="left")
    sky = node == depth_count
    behind = np.minimum(node, depth_count - 1) * width + np.arange(width)
    after, before = node_rows.take(behind), node_rows.take(np.maximum(behind - width, 0))
    part = np.clip((before - rows[:, None]) / np.maximum(before - after, 1e-9), 0.0, 1.0)
    part[node == 0] = 1.0
    return Hits(np.minimum(node, depth_count - 1), part, sky)
