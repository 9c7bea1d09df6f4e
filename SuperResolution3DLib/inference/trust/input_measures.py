"""Measures an LR volume before it is super-resolved: size, noise, intensities, and how full its spectrum is."""

import numpy as np

from SuperResolution3DLib.metrics.foreground import foreground_box, otsu_threshold
from SuperResolution3DLib.models.input_ranges import QUANTILES, InputMeasures
from SuperResolution3DLib.volumes.box import box_shape

HIGH_BAND = 0.7  # of the Nyquist frequency: above it, linear and cubic interpolation by 2 leave next to nothing
MIDDLE_BAND = 0.35
MAD_TO_SD = 1.4826  # of a normal distribution
SMALLEST = 1e-12  # energy


def measure_input(lr: np.ndarray, spacing: tuple[float, float, float], *, thick_slices: bool = False) -> InputMeasures:
    """Measure an LR volume.

    The noise is that of Immerkaer (1996): the second difference along all three axes at once, of which smooth anatomy
    leaves little, and the median in place of the mean, which edges do not move. From one thick slice to the next it is
    anatomy that changes, so theirs is found within their plane, as in the paper.

    Args:
        lr: (D, H, W) in network units; canonical, every axis 4 voxels or more, or thick slices with their axis first.
        spacing: mm (D, H, W).
        thick_slices: whether it is the latter.

    Raises:
        VolumeError: the volume is constant or has voxels that are not finite.
    """
    subject = lr > otsu_threshold(lr)
    box = foreground_box(lr)
    depth, height, width = (size * step for size, step in zip(box_shape(box), spacing, strict=True))
    axes = [axis for axis in range(int(thick_slices), 3) if lr.shape[axis] > 2]
    difference, inside = lr.astype(np.float32), subject
    for axis in axes:
        difference = np.diff(difference, 2, axis)
        inside = inside.take(range(1, inside.shape[axis] - 1), axis)
    changes = np.abs(difference[inside] if inside.any() else difference)
    noise = float(np.median(changes)) * MAD_TO_SD / 6 ** (len(axes) / 2)  # the kernel (1, -2, 1) has norm 6 squared
    quantiles = tuple(float(value) for value in np.quantile(lr[subject], QUANTILES))
    bands = [_high_band(lr[box], axis) for axis in range(3)]
    return InputMeasures(spacing, (depth, height, width), noise, quantiles, (bands[0], bands[1], bands[2]))


def _high_band(lr: np.ndarray, axis: int) -> float:
    """Return the energy in the highest band along an axis (D, H, W) as a share of that in the band below.

    Differences of neighbours do away with the jump between the two borders, and a window with what is left of it.
    """
    size = lr.shape[axis] - 1
    shape = [1, 1, 1]
    shape[axis] = size
    tapered = np.diff(lr, axis=axis) * np.hanning(size + 2)[1:-1].reshape(shape)
    others = tuple(other for other in range(3) if other != axis)
    energy = (np.abs(np.fft.rfft(tapered, axis=axis)) ** 2).sum(axis=others)
    frequency = np.fft.rfftfreq(size) * 2  # 1 is the Nyquist frequency
    high, middle = frequency > HIGH_BAND, (frequency > MIDDLE_BAND) & (frequency <= HIGH_BAND)
    if not high.any() or not middle.any():  # too few voxels to tell
        return 1.0
    return float(energy[high].mean() / max(energy[middle].mean(), SMALLEST))
