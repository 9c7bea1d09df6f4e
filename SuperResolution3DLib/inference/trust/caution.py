"""How far an estimate may be off, voxel by voxel, judged from what is known without the truth.

Five signals, four of them as root mean squares around a voxel: how far the results on mirror images lie apart; how far
a second model, trained with other losses, departs; how much detail was added above the LR's Nyquist frequency; how far
the result, degraded again, departs from the LR; and how steep the result is, since errors sit at edges. Each says
something of where errors are likely, none is an error: what all members invent alike, no signal shows.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.inference.trust.ensemble import Ensemble
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.volumes.geometry import Grid, Scale

NEAR = 0.5  # HR voxels, sigma of a Gaussian; around the companion it is half an LR voxel, around detail a whole one
EDGE = 0.7  # HR voxels, sigma of the Gaussian whose gradient is taken
FLOOR = 1e-3  # network units, so that no signal is zero
OF_THRESHOLD = 100  # in the file: the caution in percent of that from which a voxel belongs to the mask
HIGHEST = 255  # in the file


def signals(
    ensemble: Ensemble, companion: np.ndarray, lr: np.ndarray, scale: Scale, grid: Grid
) -> Iterator[np.ndarray]:
    """Return the signals in the order of ``SIGNALS``, one after another: each takes as much memory as the result.

    Args:
        ensemble: with its spread.
        companion: (D*s, H*s, W*s) float32, result of the second model.
        lr: (D, H, W) float32.
        scale: factor per axis (D, H, W).
        grid: of both models.

    Returns:
        (D*s, H*s, W*s) float32, network units (of the gradient: per voxel), ``FLOOR`` or more.
    """
    if ensemble.spread is None:
        raise ValueError("The ensemble was run without its spread")
    yield _local_rms(ensemble.spread, NEAR)
    yield _local_rms(ensemble.mean - companion, [factor / 2 for factor in scale])
    degraded = degrade(ensemble.mean, scale, grid)
    yield _local_rms(ensemble.mean - zero_fill(degraded, scale, grid), scale)
    yield _local_rms(zero_fill(degraded - lr, scale, grid), NEAR)
    gradient = ndimage.gaussian_gradient_magnitude(ensemble.mean, EDGE)
    gradient += np.float32(FLOOR)
    yield gradient


def caution_of(found: Iterator[np.ndarray], factor: float, exponents: Sequence[float]) -> np.ndarray:
    """Return ``factor`` times the product of the signals, each to its exponent: (D, H, W) float32."""
    logarithm: np.ndarray | None = None
    for signal, exponent in zip(found, exponents, strict=True):
        np.log(signal, out=signal)
        signal *= np.float32(exponent)
        logarithm = signal if logarithm is None else np.add(logarithm, signal, out=logarithm)
    if logarithm is None:
        raise ValueError("A caution needs signals")
    logarithm += np.float32(np.log(factor))
    return np.exp(logarithm, out=logarithm)


def in_percent(caution: np.ndarray, calibration: TrustCalibration) -> np.ndarray:
    """Return the caution in percent of its threshold, uint8, 255 for all that is more: 100 and above is the mask."""
    percent = np.floor(caution * np.float32(OF_THRESHOLD / calibration.threshold))
    return np.minimum(percent, HIGHEST, out=percent).astype(np.uint8)


def _local_rms(array: np.ndarray, sigma: float | Sequence[float]) -> np.ndarray:
    mean = ndimage.gaussian_filter(np.square(array), sigma)
    np.sqrt(mean, out=mean)
    mean += np.float32(FLOOR)
    return mean
