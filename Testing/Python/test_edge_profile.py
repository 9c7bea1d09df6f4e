"""Edges between slices: found where a thin stack shows them, and as wide as they were made."""

import numpy as np
import pytest
from scipy.special import ndtr

from Training.evaluation.edge_profile import edge_profile, sharpest_edges

SPACING = (1.0, 0.7, 0.8)  # mm (D, H, W)
SHAPE = (40, 30, 28)
RISE = 2.5631  # standard deviations from 10 to 90 % of a Gaussian edge
BETWEEN = 6**-0.5  # mm: what linear interpolation between samples of 1 mm adds to the standard deviation


def a_surface() -> np.ndarray:
    """Return the height (H, W) in mm of a surface that is at most 20 degrees off the plane."""
    h, w = np.indices(SHAPE[1:])
    return 19.3 + 0.2 * SPACING[1] * (h - 15) + 0.25 * SPACING[2] * (w - 14) + 0.3 * np.sin(h + w)


def an_edge(sigma: float, shift: float = 0.0, low: float = 40.0, high: float = 900.0) -> np.ndarray:
    """Return a volume that goes from low to high where the surface is."""
    z = np.arange(SHAPE[0])[:, None, None] * SPACING[0]
    return low + (high - low) * ndtr((z - a_surface() - shift) / sigma)


@pytest.mark.parametrize("turned", [False, True])
def test_an_edge_is_as_wide_as_it_was_made(turned):
    thin = an_edge(0.8, high=900.0) if not turned else an_edge(0.8, low=900.0, high=40.0)
    edges = sharpest_edges(thin, SPACING, 7.0)
    assert edges is not None and 400 < len(edges.places) <= 500
    heights = a_surface()[edges.places[:, 1].astype(int), edges.places[:, 2].astype(int)]
    np.testing.assert_allclose(edges.places[:, 0] * SPACING[0], heights, atol=0.1)
    profile = edge_profile(thin, edges)
    assert profile.rise == pytest.approx(RISE * np.hypot(0.8, BETWEEN), rel=0.03)
    assert profile.values[0] == pytest.approx(0, abs=0.01) and profile.values[-1] == pytest.approx(1, abs=0.01)
    wide = an_edge(2.0) if not turned else an_edge(2.0, low=900.0, high=40.0)
    assert edge_profile(wide, edges).rise == pytest.approx(RISE * np.hypot(2.0, BETWEEN), rel=0.03)


def test_an_edge_at_the_wrong_height_counts_as_a_wide_one():
    edges = sharpest_edges(an_edge(0.8), SPACING, 7.0)
    steps = np.repeat(an_edge(0.8)[2::5], 5, axis=0)  # slices of 5 mm, repeated: each step is sharp
    assert edge_profile(steps, edges).rise > 3.5
    moved = edge_profile(an_edge(0.8, shift=1.5), edges)
    assert moved.offsets[np.abs(moved.values - 0.5).argmin()] == pytest.approx(1.5, abs=0.06)


def test_other_edges_do_not_count():
    upright = np.moveaxis(an_edge(0.8)[:28, :, :], 0, 2)  # across the plane: not between slices
    assert sharpest_edges(upright, (0.8, 0.7, 1.0), 7.0) is None
    wall = an_edge(0.8) + an_edge(0.8, shift=4.0, low=0, high=-860)  # 4 mm thick
    assert sharpest_edges(wall, SPACING, 7.0) is None
    assert sharpest_edges(wall, SPACING, 3.0) is not None
    assert sharpest_edges(np.full(SHAPE, 7.0), SPACING, 7.0) is None
    assert sharpest_edges(an_edge(0.8)[10:22], SPACING, 7.0) is None  # no room
