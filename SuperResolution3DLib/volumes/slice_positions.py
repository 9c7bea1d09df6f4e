"""Where slices lie along their normal: how far from even, and how far they may be."""

from collections.abc import Sequence

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.sentence import Sentence

LARGEST_UNEVENNESS = 0.1  # of the mean spacing
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
