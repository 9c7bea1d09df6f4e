"""Where slices lie along their normal: how far from even, and how far they may be."""

from collections.abc import Sequence

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.sentence import Sentence

LARGEST_UNEVENNESS = 0.1  # of the mean spacing
SPACING_TOLERANCE = 0.01  # of the distance between two slices, up to which they count as even
ROUNDINGS = (0.1, 0.01, 0.001)  # mm, that exporters round positions to
NARROWEST = 1e-6  # mm: what is left of a length that a header has rounded


def unevenness(centres: Sequence[float] | np.ndarray) -> float:
    """Return how far the distance of two neighbours is off the mean at most, as a share of the mean.

    Args:
        centres: two or more, rising, mm.
    """
    distances = np.diff(np.asarray(centres, dtype=np.float64))
    return float(np.abs(distances - distances.mean()).max() / abs(distances.mean()))


def mean_spacing(centres: Sequence[float]) -> float:
    """Return the mean distance between slice centres in mm.

    Raises:
        GeometryError: fewer than two slices, or two neighbours whose distance is more than 10 % off the mean.
    """
    if len(centres) < 2:
        raise GeometryError(Sentence("geometry-few-slices", {"count": len(centres)}))
    distances = np.diff(np.asarray(centres, dtype=np.float64))
    spacing = float(distances.mean())
    uneven = np.abs(distances - spacing) > LARGEST_UNEVENNESS * abs(spacing) + NARROWEST
    if not spacing > 0 or uneven.any():
        worst = int(np.abs(distances - spacing).argmax())
        places = ", ".join(f"{index} and {index + 1}" for index in np.flatnonzero(uneven)[:5]) or "0 and 1"
        values = {
            "distance": float(distances[worst]),
            "first": worst,
            "second": worst + 1,
            "spacing": spacing,
            "allowed": LARGEST_UNEVENNESS,
            "places": places,
        }
        raise GeometryError(Sentence("geometry-uneven", values))
    return spacing


def uneven_heights(positions: np.ndarray, normal: np.ndarray) -> tuple[float, ...] | None:
    """Return how far slices lie from the first one along their normal, in mm; None if they are even.

    Args:
        positions: (N, 3) of two or more slices, mm, in the order of their normal.
        normal: (3,) unit vector.
    """
    heights = positions @ normal
    if are_even(heights, evenness_tolerance(positions, normal)):
        return None
    return tuple(float(height - heights[0]) for height in heights)


def evenness_tolerance(positions: np.ndarray, normal: np.ndarray) -> float:
    """Return how far an even slice may lie off its place along the normal, in mm."""
    usual = float(np.median(np.diff(positions @ normal)))
    return SPACING_TOLERANCE * usual + float(rounding_of(positions) @ np.abs(normal))


def are_even(heights: np.ndarray, tolerance: float) -> bool:
    """Tell whether slices at sorted heights lie on an even grid, up to a tolerance; all in mm."""
    gaps = np.diff(heights)
    return bool(np.abs(off_even_grid(heights)).max() <= tolerance and gaps.max() <= 1.5 * np.median(gaps))


def off_even_grid(heights: np.ndarray) -> np.ndarray:
    """Return how far sorted heights lie off the even grid that fits them best, in mm."""
    numbers = np.arange(len(heights))
    return heights - np.polyval(np.polyfit(numbers, heights, 1), numbers)


def rounding_of(positions: np.ndarray) -> np.ndarray:
    """Return the step (3,) in mm that each coordinate of all positions (N, 3) seems to be rounded to; 0 if none is."""
    steps = np.zeros(3)
    for axis, values in enumerate(positions.T):
        for step in ROUNDINGS:
            if np.abs(values - step * np.round(values / step)).max() < step / 1000:
                steps[axis] = step
                break
    return steps
