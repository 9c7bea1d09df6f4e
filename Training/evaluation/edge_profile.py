"""How sharp edges between slices are: the mean profile across the sharpest edges that another stack shows.

The edges are found in a thin stack, whose slices lie closely: places where the intensity changes along the slice axis
and hardly within the plane, between two plateaus. What a method computed is looked at across the same places, each
moved to where the thin stack passes half the edge's height, so an edge at the wrong height widens the mean as a blurred
one does.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

NUM_EDGES = 500
FEWEST_EDGES = 20
STEEPNESS = 2.0  # of the slope along the slice axis over that within the plane: edges up to 27 degrees off it
FLATNESS = 0.15  # of an edge's height: largest spread of a plateau, all of a side but the third next to the edge
CANDIDATES = 20_000  # steepest places that are looked at
STEP_MM = 0.1
LOW, HIGH = 0.1, 0.9


@dataclass(frozen=True, eq=False)
class Edges:
    """Places of edges along the first axis of a thin stack (D, H, W)."""

    places: np.ndarray
    """(N, 3), where the stack passes half the height; fractional along D, whole along H and W"""
    levels: np.ndarray
    """(N, 2), intensity before and after the edge, along rising D"""
    spacing: float
    """along D, mm"""
    reach: float
    """mm to either side that is looked at"""


@dataclass(frozen=True, eq=False)
class EdgeProfile:
    """The mean over edges, each scaled from 0 before to 1 after it."""

    offsets: np.ndarray
    """(P,), mm from the edge"""
    values: np.ndarray
    """(P,)"""

    @property
    def rise(self) -> float:
        """Distance in mm in which the profile rises from 10 to 90 % of the height between its own ends."""
        ends = len(self.values) // 6
        before, after = self.values[:ends].mean(), self.values[-ends:].mean()
        share = (self.values - before) / (after - before)
        middle = int(np.abs(share - 0.5)[ends:-ends].argmin()) + ends
        below, above = np.flatnonzero(share[:middle] < LOW), np.flatnonzero(share[middle:] > HIGH) + middle
        if not len(below) or not len(above):
            return float(self.offsets[-1] - self.offsets[0])
        return self._crossing(share, int(above[0]) - 1, HIGH) - self._crossing(share, int(below[-1]), LOW)

    def _crossing(self, share: np.ndarray, index: int, level: float) -> float:
        """Return where the profile passes a level between a sample and the next one."""
        step = (level - share[index]) / (share[index + 1] - share[index])
        return float(self.offsets[index] + step * (self.offsets[index + 1] - self.offsets[index]))


def sharpest_edges(thin: np.ndarray, spacing: tuple[float, float, float], reach: float) -> Edges | None:
    """Find the sharpest edges across the slices of a thin stack.

    Args:
        thin: (D, H, W), slices along D.
        spacing: mm (D, H, W).
        reach: mm to either side of an edge that have to be free of others.

    Returns:
        At most 500; None where there are fewer than 20.
    """
    half = int(np.ceil(reach / spacing[0]))
    if len(thin) < 2 * half + 3:
        return None
    volume = thin.astype(np.float64)
    slopes = [np.abs(np.gradient(volume, distance, axis=axis)) for axis, distance in enumerate(spacing)]
    along = slopes[0]
    is_edge = along > STEEPNESS * np.hypot(slopes[1], slopes[2])
    is_edge[1:-1] &= (along[1:-1] >= along[:-2]) & (along[1:-1] > along[2:])  # the steepest of its neighbours
    is_edge[: half + 1] = is_edge[-half - 1 :] = False
    flat = np.flatnonzero(is_edge)
    flat = flat[np.argsort(-along.ravel()[flat], kind="stable")[:CANDIDATES]]
    d, h, w = np.unravel_index(flat, thin.shape)
    lines = volume[d[:, None] + np.arange(-half, half + 1), h[:, None], w[:, None]]  # (N, 2 half + 1)
    third = max(half // 3, 1)
    before, after = lines[:, :third], lines[:, -third:]
    levels = np.stack([before.mean(1), after.mean(1)], axis=1)
    height = np.abs(np.diff(levels, axis=1))[:, 0]
    inner = np.ptp(lines[:, : half - third], axis=1), np.ptp(lines[:, half + third + 1 :], axis=1)
    free = np.maximum(*inner) < FLATNESS * height if half > third + 1 else np.ones(len(d), bool)
    chosen = np.flatnonzero(free & (height > 0))[:NUM_EDGES]
    if len(chosen) < FEWEST_EDGES:
        return None
    places = np.stack([d, h, w], axis=1)[chosen].astype(np.float64)
    places[:, 0] += _half_height(lines[chosen], levels[chosen], half)
    return Edges(places, levels[chosen], spacing[0], reach)


def edge_profile(volume: np.ndarray, edges: Edges) -> EdgeProfile:
    """Return the mean profile of a volume (D, H, W) on the thin stack's grid across the edges."""
    offsets = np.arange(-edges.reach, edges.reach + STEP_MM / 2, STEP_MM)
    d = edges.places[:, :1] + offsets / edges.spacing
    h, w = (np.broadcast_to(edges.places[:, axis : axis + 1], d.shape) for axis in (1, 2))
    values = map_coordinates(volume, [d, h, w], output=np.float64, order=1, mode="nearest")
    before, after = edges.levels[:, :1], edges.levels[:, 1:]
    return EdgeProfile(offsets, ((values - before) / (after - before)).mean(0))


def _half_height(lines: np.ndarray, levels: np.ndarray, half: int) -> np.ndarray:
    """Return how far from the middle of each line (N, P) it passes half the height, in samples, within one."""
    share = (lines - levels[:, :1]) / np.diff(levels, axis=1)
    middle = share[:, half - 1 : half + 2]
    found = np.zeros(len(lines))
    for k in (0, 1):
        low, high = middle[:, k], middle[:, k + 1]
        passes = (low < 0.5) & (high >= 0.5)
        found[passes] = k - 1 + ((0.5 - low) / np.where(passes, high - low, 1))[passes]
    return found
