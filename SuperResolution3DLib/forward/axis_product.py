"""Multiply each axis of a volume by a small matrix: NumPy in blocks, so that no second copy is made; torch whole."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", "Tensor", np.ndarray)


def multiply_axes(volume: Array, matrices: list[np.ndarray | None]) -> Array:
    """Multiply each of the last three axes by its (out, in) matrix, in the volume's precision; None leaves an axis.

    Args:
        volume: (..., D, H, W); integers are taken as float64.
        matrices: one for D, H and W, float64.

    Returns:
        (..., D', H', W') of the volume's own type; differentiable for torch.
    """
    if isinstance(volume, np.ndarray) and volume.dtype not in (np.float32, np.float64):
        volume = volume.astype(np.float64)
    given = [(axis, matrix) for axis, matrix in enumerate(matrices) if matrix is not None]
    # Axes that shrink go first and axes that grow last, so that the fewest voxels are touched.
    for axis, matrix in sorted(given, key=lambda item: item[1].shape[0] / item[1].shape[1]):
        volume = _multiply(volume, axis, matrix)
    return volume


def _multiply(volume: Array, axis: int, matrix: np.ndarray) -> Array:
    if isinstance(volume, np.ndarray):
        factor = np.ascontiguousarray(matrix, dtype=volume.dtype)
    else:
        factor = volume.new_tensor(np.ascontiguousarray(matrix))
    if axis == 0:
        *lead, depth, height, width = volume.shape
        product = factor @ volume.reshape(*lead, depth, height * width)
        return product.reshape(*lead, -1, height, width)
    return factor @ volume if axis == 1 else volume @ factor.T
