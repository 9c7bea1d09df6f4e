"""Where a bright spot of a volume lies."""

import numpy as np

from SuperResolution3DLib.volumes.volume import Volume


def centre_of(volume: Volume) -> np.ndarray:
    """Return the centre of mass in RAS mm, (3,); ringing below zero counts, else it would be pushed aside."""
    weights = volume.array.astype(np.float64)
    index = [float((grid * weights).sum() / weights.sum()) for grid in np.indices(volume.shape)][::-1]
    return volume.affine[:3, :3] @ index + volume.affine[:3, 3]
