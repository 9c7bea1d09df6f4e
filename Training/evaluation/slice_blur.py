"""The blur that one stack's slices put on what they show, put on another volume of the same patient."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from SuperResolution3DLib.volumes.volume import Volume

WIDTH_TO_SIGMA = 1 / 2.3548  # of a Gaussian's full width at half maximum


def slice_step(volume: Volume, axis: int | None = None) -> np.ndarray:
    """Return the way from one slice to the next, (3,) RAS mm; along the axis of the largest spacing by default."""
    return volume.affine[:3, 2 - (int(np.argmax(volume.spacing)) if axis is None else axis)]


def axis_and_sigma(volume: Volume, step: np.ndarray) -> tuple[int, float]:
    """Return the array axis nearest to another stack's step between slices, and their blur along it in voxels."""
    cosines = [abs(float(step @ volume.affine[:3, 2 - axis])) / volume.spacing[axis] for axis in range(3)]
    axis = int(np.argmax(cosines))
    return axis, float(np.linalg.norm(step)) * WIDTH_TO_SIGMA / volume.spacing[axis]


def blurred(volume: Volume, step: np.ndarray) -> Volume:
    """Blur a volume, (D, H, W) float32, as slices do that are one ``step`` (RAS mm) apart and as thick."""
    axis, sigma = axis_and_sigma(volume, step)
    return Volume(gaussian_filter1d(volume.array.astype(np.float32), sigma, axis=axis, mode="nearest"), volume.affine)
