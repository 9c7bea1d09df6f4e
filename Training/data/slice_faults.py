"""What makes the slices of one scan disagree: the patient moves between them, and each has a gain of its own.

Slices are measured one after the other, mostly every second one first. A network that has seen only slices of one
resting volume takes each small step between two slices for anatomy, and sharpens it.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import shift

from Training.data.slices_config import SlicesConfig

SPLINE_REACH = 2  # pixels beyond a point that a cubic spline looks at, all but its faint tails


@dataclass(frozen=True)
class SliceFaults:
    """What is wrong with each slice of a stack."""

    shifts: np.ndarray
    """(D, 2) pixels by which a slice's content is moved along rows and columns"""
    gains: np.ndarray
    """(D,) factors of its intensities"""

    def apply(self, slices: np.ndarray) -> np.ndarray:
        """Move slices (D, H, W) by cubic splines and scale them; pixels that come in from beyond repeat the border."""
        moved = [
            shift(part, offset, order=3, mode="nearest") if offset.any() else part
            for part, offset in zip(slices, self.shifts, strict=True)
        ]
        return np.stack(moved) * self.gains[:, None, None].astype(slices.dtype)


def movement_margin(config: SlicesConfig) -> int:
    """Return how many pixels a patch is cut wider on each side, so that nothing at its border is made up."""
    return math.ceil(config.movement) + SPLINE_REACH if config.movement else 0


def draw_faults(config: SlicesConfig, num_slices: int, random: np.random.Generator) -> SliceFaults:
    """Draw movement and gain, each for half of the stacks and, when drawn, of a strength between none and the largest.

    Their mean over the slices is nil, because where a stack lies as a whole, and how bright it is, nobody can tell.
    """
    shifts, gains = np.zeros((num_slices, 2)), np.zeros(num_slices)
    if config.movement and random.random() < 0.5:
        shifts = config.movement * random.random() * _disagreement((num_slices, 2), random)
    if config.gain and random.random() < 0.5:
        gains = math.log1p(config.gain) * random.random() * _disagreement((num_slices,), random)
    return SliceFaults(shifts, np.exp(gains))


def _disagreement(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Draw values in [-1, 1] along the first axis: odd slices against even ones, or each for itself."""
    if random.random() < 0.5:
        sign = np.where(np.arange(shape[0]) % 2, 1.0, -1.0)
        return np.multiply.outer(sign, random.uniform(-1, 1, shape[1:]))
    values = random.uniform(-1, 1, shape)
    return np.clip(values - values.mean(axis=0), -1, 1)
