"""Grids in space: where LR voxels lie among HR voxels, how file axes become RAS axes, which grid holds which.

Affines are (4, 4) float64 and map a voxel (I, J, K, 1) to RAS mm. Arrays, shapes, spacings and scales are in array
order (D, H, W) = (K, J, I). In a canonical volume I runs to the Right, J to Anterior and K to Superior, or as nearly so
as its rotation allows: D = S, H = A, W = R.
"""

from dataclasses import dataclass
from itertools import permutations, product
from typing import Literal

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.sentence import Sentence

Grid = Literal["center", "corner"]
Scale = tuple[int, int, int]

SHEAR_TOLERANCE = 1e-3  # largest cosine between two axes; headers rounded to float32 or to 6 digits stay below 1e-5
SMALLEST_SPACING_MM = 1e-6
TIE = 1e-4  # of a sum of three cosines; float32 rounding changes it by less than 1e-6


def grid_phase(factor: int, grid: Grid) -> float:
    """Return the HR index of LR voxel 0 along one axis, so that LR voxel i lies at HR index ``factor * i + phase``.

        HR index        0   1   2   3 | 4   5   6   7        factor 4
        LR, "center"          0       |       1              phase 1.5: both grids cover the same field of view
        LR, "corner"    0             | 1                    phase 0:   LR voxel i is HR voxel 4 * i

    Seen from the other end of the axis, phase p is phase ``factor - 1 - p``: "center" stays, "corner" does not. A
    corner grid therefore always counts along the canonical axes.

    Raises:
        ValueError: the factor is below 1 or the grid has no such name.
    """
    if factor < 1:
        raise ValueError(f"A scale factor is at least 1, not {factor}")
    if grid not in ("center", "corner"):
        raise ValueError(f"The grid is 'center' or 'corner', not {grid!r}")
    return (factor - 1) / 2 if grid == "center" else 0.0


def sr_affine(lr_affine: np.ndarray, scale: Scale, grid: Grid) -> np.ndarray:
    """Return the affine of the SR grid: HR index n lies at LR index ``(n - phase) / factor``.

    Args:
        lr_affine: (4, 4), canonical if the grid is "corner".
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.
    """
    hr_to_lr = np.eye(4)
    for column, factor in enumerate(reversed(scale)):  # columns are I, J, K
        hr_to_lr[column, column] = 1 / factor
        hr_to_lr[column, 3] = -grid_phase(factor, grid) / factor
    return np.asarray(lr_affine, dtype=np.float64) @ hr_to_lr


def lr_affine(hr_affine: np.ndarray, scale: Scale, grid: Grid, start: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """Return the affine of the LR grid: LR index i lies at HR index ``start + factor * i + phase``.

    Args:
        hr_affine: (4, 4), canonical if the grid is "corner".
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.
        start: HR voxels (D, H, W) that degrading dropped at the beginning of each axis.
    """
    lr_to_hr = np.eye(4)
    for column, factor in enumerate(reversed(scale)):
        lr_to_hr[column, column] = factor
        lr_to_hr[column, 3] = grid_phase(factor, grid)
    return crop_affine(hr_affine, start) @ lr_to_hr


def crop_affine(affine: np.ndarray, start_dhw: tuple[int, int, int]) -> np.ndarray:
    """Return the affine of the volume that begins at voxel ``start_dhw`` (D, H, W) of the given one."""
    affine = np.asarray(affine, dtype=np.float64)
    cropped = affine.copy()
    cropped[:, 3] = affine @ np.array([*reversed(start_dhw), 1.0])
    return cropped


def voxel_spacing(affine: np.ndarray) -> tuple[float, float, float]:
    """Return the distance between neighbouring voxels (D, H, W) in mm."""
    i, j, k = (float(length) for length in np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0))
    return k, j, i


def check_affine(affine: np.ndarray) -> None:
    """Make sure that an affine describes a grid of perpendicular axes.

    Raises:
        GeometryError: an entry is not finite, the last row is not 0 0 0 1, an axis has no length, the axes lie in one
            plane, or two axes are not at right angles.
        ValueError: the affine is not (4, 4).
    """
    affine = np.asarray(affine, dtype=np.float64)
    if affine.shape != (4, 4):
        raise ValueError(f"An affine is (4, 4), not {affine.shape}")
    if not np.isfinite(affine).all():
        raise GeometryError(Sentence("geometry-not-finite", {"affine": _rows(affine)}))
    if not np.array_equal(affine[3], (0, 0, 0, 1)):
        raise GeometryError(Sentence("geometry-last-row", {"affine": _rows(affine)}))
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() < SMALLEST_SPACING_MM:
        sizes = " x ".join(f"{length:.4g}" for length in lengths)
        raise GeometryError(Sentence("geometry-tiny", {"sizes": sizes, "needed": SMALLEST_SPACING_MM}))
    directions = affine[:3, :3] / lengths
    determinant = abs(float(np.linalg.det(directions)))
    if determinant < SHEAR_TOLERANCE:
        raise GeometryError(Sentence("geometry-flat", {"determinant": determinant}))
    cosines = np.abs(directions.T @ directions - np.eye(3))
    if cosines.max() > SHEAR_TOLERANCE:
        angle = float(np.degrees(np.arccos(cosines.max())))
        raise GeometryError(Sentence("geometry-sheared", {"angle": angle}))


@dataclass(frozen=True)
class Orientation:
    """How the axes of a file's array become the canonical axes (D = S, H = A, W = R), and back."""

    order: tuple[int, int, int]
    """The file's array axis that becomes canonical axis D, H and W"""

    flips: tuple[bool, bool, bool]
    """Whether canonical axis D, H and W runs against the file's axis"""

    @classmethod
    def of(cls, affine: np.ndarray) -> "Orientation":
        """Find the RAS axes nearest to those of an affine: the permutation with the largest sum of cosines.

        Several are equally near where axes are tilted by 45 degrees. The first of them counts, so that a volume and its
        result go the same way, whatever their headers rounded.
        """
        linear = np.asarray(affine, dtype=np.float64)[:3, :3]
        cosines = linear / np.linalg.norm(linear, axis=0)
        toward_sar = cosines[::-1, ::-1]  # rows S, A, R; columns D, H, W of the file
        alignments = {axes: _alignment(toward_sar, axes) for axes in permutations(range(3))}
        order = next(axes for axes, sum_ in alignments.items() if sum_ > max(alignments.values()) - TIE)
        flips = [bool(toward_sar[row, axis] < 0) for row, axis in enumerate(order)]
        return cls((order[0], order[1], order[2]), (flips[0], flips[1], flips[2]))

    def to_canonical(self, array: np.ndarray) -> np.ndarray:
        """Return a view of (..., D, H, W) in the file's order with its last three axes in canonical order."""
        lead = array.ndim - 3
        moved = array.transpose(*range(lead), *(lead + axis for axis in self.order))
        return moved[(..., *self._steps())]

    def from_canonical(self, array: np.ndarray) -> np.ndarray:
        """Return a view of a canonical (..., D, H, W) with its last three axes in the file's order."""
        lead = array.ndim - 3
        return array[(..., *self._steps())].transpose(*range(lead), *(lead + axis for axis in self._inverse_order()))

    def canonical_affine(self, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the affine of ``to_canonical(array)`` for a file's affine and shape (..., D, H, W)."""
        return np.asarray(affine, dtype=np.float64) @ self._canonical_to_file(shape)

    def file_affine(self, canonical_affine: np.ndarray, canonical_shape: tuple[int, ...]) -> np.ndarray:
        """Return the affine of ``from_canonical(array)`` for a canonical affine and shape (..., D, H, W)."""
        size = canonical_shape[-3:]
        file_shape = tuple(size[axis] for axis in self._inverse_order())
        # The inverse of a signed permutation with whole shifts is one too: rint only removes rounding.
        file_to_canonical = np.rint(np.linalg.inv(self._canonical_to_file(file_shape)))
        return np.asarray(canonical_affine, dtype=np.float64) @ file_to_canonical

    def scale_to_canonical(self, scale: Scale) -> Scale:
        """Reorder factors given in the file's order (D, H, W) = (K, J, I)."""
        return scale[self.order[0]], scale[self.order[1]], scale[self.order[2]]

    def scale_to_file(self, scale: Scale) -> Scale:
        """Reorder factors given in canonical order (D, H, W) = (S, A, R)."""
        depth, height, width = (scale[axis] for axis in self._inverse_order())
        return depth, height, width

    def box_to_canonical(self, box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
        """Return the canonical voxels (D, H, W) of a box in the file's order, for the file's shape (..., D, H, W)."""
        parts = [box[axis] for axis in self.order]
        sizes = [shape[-3:][axis] for axis in self.order]
        depth, height, width = (
            slice(size - part.stop, size - part.start) if flip else part
            for part, size, flip in zip(parts, sizes, self.flips, strict=True)
        )
        return depth, height, width

    def _steps(self) -> tuple[slice, slice, slice]:
        depth, height, width = (slice(None, None, -1 if flip else 1) for flip in self.flips)
        return depth, height, width

    def _inverse_order(self) -> tuple[int, int, int]:
        return self.order.index(0), self.order.index(1), self.order.index(2)

    def _canonical_to_file(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the (4, 4) map from a canonical voxel (I, J, K, 1) to the file's (I, J, K, 1).

        canonical axis d reads file axis a = order[d]; array axis a is voxel coordinate 2 - a
        not flipped:  file index = canonical index
        flipped:      file index = size - 1 - canonical index

            canonical   0   1   2   3   4
            file        4   3   2   1   0      size 5
        """
        size = shape[-3:]
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for d, (axis, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            matrix[2 - axis, 2 - d] = -1 if flip else 1
            matrix[2 - axis, 3] = size[axis] - 1 if flip else 0
        return matrix


def contained_box(
    outer_affine: np.ndarray,
    outer_shape: tuple[int, ...],
    inner_affine: np.ndarray,
    inner_shape: tuple[int, ...],
    tolerance: float = 1e-3,
) -> tuple[slice, slice, slice]:
    """Find the box of the outer volume whose voxels are, one by one, the voxels of the inner volume.

        outer index    0   1   2   3   4   5   6
        inner index            0   1   2   3            box 2:6

    Args:
        outer_affine: (4, 4).
        outer_shape: (..., D, H, W).
        inner_affine: (4, 4), the same orientation as the outer one (compare canonical volumes).
        inner_shape: (..., D, H, W).
        tolerance: how far a voxel may lie off its counterpart, in voxels of the outer volume.

    Returns:
        Slices (D, H, W) into the outer volume.

    Raises:
        GeometryError: the voxels do not coincide, or the inner volume reaches beyond the outer one.
    """
    corners = np.array([[*corner, 1.0] for corner in product(*((0, size - 1) for size in reversed(inner_shape[-3:])))])
    # Voxels coincide everywhere if they do at the eight corners, because the map between two grids is affine.
    at_outer = (np.linalg.inv(outer_affine) @ inner_affine @ corners.T).T[:, :3]
    start = np.rint(at_outer[0])
    distance = float(np.abs(at_outer - (start + corners[:, :3])).max())
    stop = start + np.array(inner_shape[-3:][::-1])
    grids = f"{_grid(inner_affine, inner_shape)} against {_grid(outer_affine, outer_shape)}"
    if not distance <= tolerance:
        raise GeometryError(
            f"The two grids do not coincide: {grids}, voxels are up to {distance:.3g} voxels apart where {tolerance:g} "
            "is allowed; resample one onto the other first"
        )
    if (start < 0).any() or (stop > np.array(outer_shape[-3:][::-1])).any():
        raise GeometryError(f"The first grid reaches beyond the second: {grids}; use a volume that holds all of it")
    depth, height, width = (slice(int(a), int(b)) for a, b in zip(start[::-1], stop[::-1], strict=True))
    return depth, height, width


def _alignment(cosines: np.ndarray, axes: tuple[int, ...]) -> float:
    return float(sum(abs(cosines[row, axis]) for row, axis in enumerate(axes)))


def _rows(affine: np.ndarray) -> str:
    return "[" + "; ".join(" ".join(f"{value:.6g}" for value in row) for row in affine) + "]"


def _grid(affine: np.ndarray, shape: tuple[int, ...]) -> str:
    size = " x ".join(str(n) for n in shape[-3:])
    spacing = " x ".join(f"{length:.6g}" for length in voxel_spacing(affine))
    origin = ", ".join(f"{value:.6g}" for value in np.asarray(affine)[:3, 3])
    return f"{size} voxels of {spacing} mm (head-foot, front-back, left-right) from ({origin}) mm RAS"
