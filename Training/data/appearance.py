"""Random contrast and shading of an MR volume, so that one model serves many contrasts and coils.

A tone curve maps the intensities of one contrast to those of another: smooth, not always rising (what is bright in T1
is dark in T2), air stays dark. A bias field multiplies them with a smooth function of the position. Both act on the HR
volume before it is degraded, so the LR volume is what a scanner would have measured of the changed anatomy.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from SuperResolution3DLib.volumes.box import Box
from Training.data.mapped_array import MappedArray

PERCENTILES = 0.5, 99.5  # of the HR's intensities, what a tone curve takes as 0 and 1
TABLE = np.linspace(-0.5, 2, 2001)  # where a tone curve is tabulated; beyond it continues straight
KNOTS = np.array([0, 0.06, 0.3, 0.55, 0.8, 1])
DARK = 0.1  # largest value of a curve at the second knot: noise in air stays dark
CURVES = {"identity": 0.3, "rising": 0.3, "any": 0.4}  # how often each kind of curve is drawn


@dataclass(frozen=True)
class AppearanceConfig:
    """Random changes of the volumes that are trained on, beside mirroring and scaling."""

    tone_curves: bool = False
    """Draw a smooth tone curve for each degraded copy, rising or not, air stays dark (MR: one model, many contrasts)"""
    bias_field: float = 0.0
    """Largest logarithm of the smooth factor by which intensities vary across the volume; 0.3 is a strong coil"""
    noise: float = 0.0
    """Largest standard deviation of Gaussian noise added to the LR volume, in network units; the HR has none of it"""

    def __post_init__(self) -> None:
        for name in ("bias_field", "noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"data.appearance.{name} must be between 0 and 1, got {getattr(self, name)}")

    @property
    def changes_hr(self) -> bool:
        return self.tone_curves or self.bias_field > 0

    @property
    def of_hr(self) -> dict[str, Any]:
        """What of it changes the HR volume, as JSON has it."""
        return {"tone_curves": self.tone_curves, "bias_field": self.bias_field}


@dataclass(frozen=True)
class Appearance:
    """One drawn change of a whole HR volume, which can be applied to any part of it."""

    low: float
    """intensity that a tone curve takes as 0"""
    width: float
    """of the intensities that it takes as 0 to 1"""
    curve: tuple[float, ...] = ()
    """values at ``KNOTS``; empty: intensities stay as they are"""
    waves: tuple[tuple[float, float, float], ...] = field(default=((0.0, 0.0, 0.0),) * 3)
    """of the logarithm of the bias field, per axis (D, H, W): amplitude, frequency (half waves an axis), phase"""

    def apply(self, part: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
        """Change a part of the volume.

        Args:
            part: (D, H, W) voxels of the box, the file's intensities.
            box: where they lie in the volume (D, H, W).
            shape: of the volume (D, H, W).

        Returns:
            (D, H, W) float32, the same unit.
        """
        values = part.astype(np.float32)
        if self.curve:
            values = self._tone((values - np.float32(self.low)) / np.float32(self.width))
            values = values * np.float32(self.width) + np.float32(self.low)
        for axis, (amplitude, frequency, phase) in enumerate(self.waves):
            if amplitude:
                position = np.arange(box[axis].start, box[axis].stop) / shape[axis]
                factor = np.exp(amplitude * np.cos(np.pi * (frequency * position + phase)))
                values *= factor.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        return values

    def _tone(self, values: np.ndarray) -> np.ndarray:
        curve = PchipInterpolator(KNOTS, self.curve)
        inside = curve(np.clip(TABLE, 0, 1))
        slopes = curve.derivative()(np.array([0.0, 1.0]))
        slopes[1] = math.copysign(max(abs(slopes[1]), 0.3), slopes[1] or 1)  # the brightest detail is kept apart
        table = inside + slopes[0] * np.minimum(TABLE, 0) + slopes[1] * np.maximum(TABLE - 1, 0)
        step = TABLE[1] - TABLE[0]
        place = np.clip((values - TABLE[0]) / step, 0, len(TABLE) - 1.001)
        below = place.astype(np.int32)
        share = (place - below).astype(np.float32)
        table32 = table.astype(np.float32)
        return table32[below] * (1 - share) + table32[below + 1] * share


def draw_appearance(hr: np.ndarray | MappedArray, config: AppearanceConfig, random: np.random.Generator) -> Appearance:
    """Draw a change of a volume.

    Args:
        hr: (D, H, W), the file's intensities.
        config: what may change.
        random: source of all that is drawn.
    """
    low, high = np.percentile(hr[::2, ::2, ::2], PERCENTILES)
    curve: tuple[float, ...] = ()
    kind = random.choice(list(CURVES), p=list(CURVES.values()))
    if config.tone_curves and kind != "identity":
        dark = random.uniform(0, DARK)
        rest = random.uniform(DARK, 1, len(KNOTS) - 2)
        if kind == "rising":
            rest = np.sort(rest)
        curve = (0.0, float(dark), *(float(value) for value in rest))
    waves = tuple(
        (config.bias_field / 3 * random.uniform(-1, 1), random.uniform(0.5, 1.5), random.uniform(0, 2))
        for _ in range(3)
    )
    return Appearance(float(low), float(high - low) or 1.0, curve, (waves[0], waves[1], waves[2]))
