"""The cube of a volume that Figure 2 shows enlarged: chosen by a person, or where the HR has the most detail."""

import re
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from SuperResolution3DLib.cli.figure import FigureRow
from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.metrics.foreground import foreground_box
from SuperResolution3DLib.volumes.geometry import voxel_spacing

SIDE_SHARE = 0.3  # of the shortest edge of the HR's foreground
FEWEST_VOXELS = 32  # along the finest axis; fewer show no structure
SUBJECT_SHARE = 0.9  # of the best attainable share of tissue in a box's slices: air has no detail, its border much


@dataclass(frozen=True)
class ZoomBox:
    """A cube, parallel to the axes of the volume that it is shown of."""

    centre: tuple[float, float, float]
    """R, A, S in mm; the three slices go through it"""

    side: float
    """mm"""

    def __post_init__(self) -> None:
        if not (0 < self.side < np.inf and np.isfinite(self.centre).all()):
            raise InputError(f"A box has a centre in mm and a side above 0 mm, got {self.centre} and {self.side:g}")

    @classmethod
    def parse(cls, text: str) -> "ZoomBox":
        """Read "R,A,S,SIDE" in mm, as the command line gives it.

        Raises:
            InputError: other than four numbers, or a side that is not above 0.
        """
        try:
            right, anterior, superior, side = (float(part) for part in re.split(r"[,\s]+", text.strip()))
        except ValueError as error:
            raise InputError(f"A box is R,A,S,SIDE in mm, such as 12.5,-30,41,40; got {text!r}") from error
        return cls((right, anterior, superior), side)

    def __str__(self) -> str:
        return f"{','.join(f'{value:.1f}' for value in self.centre)},{self.side:.1f}"

    def edges(self, row: FigureRow) -> np.ndarray:
        """Return where the box begins and ends along a volume's axes D, H and W: (3, 2) in mm, as ``FigureRow.edges``.

        Raises:
            GeometryError: the box does not lie inside the volume.
        """
        middle = row.directions @ np.array(self.centre)
        edges = np.stack([middle - self.side / 2, middle + self.side / 2], axis=1)
        tolerance = 1e-3 * min(voxel_spacing(row.affine))
        if (edges[:, 0] < row.edges[:, 0] - tolerance).any() or (edges[:, 1] > row.edges[:, 1] + tolerance).any():
            raise GeometryError(
                f"The box {_ranges(edges)} mm reaches beyond {row.label}, {_ranges(row.edges)} mm head-foot, "
                "front-back and left-right; move it or make it smaller"
            )
        return edges


def detailed_box(row: FigureRow, detail: np.ndarray, subject: np.ndarray, side: float | None = None) -> ZoomBox:
    """Find the cube whose three middle slices show the most detail, all of them nearly filled by the subject.

    Args:
        row: the HR volume, (D, H, W), canonical.
        detail: (D, H, W), how much there is to be seen at each voxel, 0 or above.
        subject: (D, H, W) bool, where there is anything to be seen.
        side: of the cube, mm; by default 0.3 of the shortest edge of the HR's foreground.

    Raises:
        VolumeError: the HR is constant or has voxels that are not finite.
        GeometryError: a side that does not fit into the volume.
        ValueError: HR, detail and subject have different shapes.
    """
    if not row.array.shape == detail.shape == subject.shape:
        raise ValueError(f"HR {row.array.shape}, detail {detail.shape} and subject {subject.shape} (D, H, W) differ")
    spacing = np.array(voxel_spacing(row.affine))
    extent = spacing * row.array.shape
    side = _default_side(row, spacing, extent) if side is None else side
    if not 0 < side <= extent.min() * (1 + 1e-6):
        raise GeometryError(f"A box of {side:g} mm does not fit into {' x '.join(f'{mm:g}' for mm in extent)} mm")
    sizes = np.maximum(np.rint(side / spacing), 1).astype(int)  # voxels (D, H, W)
    # Centres of voxels whose box lies inside: at least half a side from either border.
    first = np.ceil(side / 2 / spacing - 0.5 - 1e-6).astype(int)
    last = np.floor((extent - side / 2) / spacing - 0.5 + 1e-6).astype(int)
    last = np.maximum(last, first)
    allowed = tuple(slice(start, stop + 1) for start, stop in zip(first, last, strict=True))
    share = np.min([plane[allowed] for plane in _plane_means(subject, sizes)], axis=0)
    shown = np.sum([plane[allowed] for plane in _plane_means(detail, sizes)], axis=0)
    shown[share < SUBJECT_SHARE * share.max()] = -1
    index = first + np.unravel_index(int(shown.argmax()), shown.shape)
    low = row.edges[:, 0] + side / 2
    middle = np.clip(row.edges[:, 0] + (index + 0.5) * spacing, low, np.maximum(low, row.edges[:, 1] - side / 2))
    right, anterior, superior = (float(value) for value in row.directions.T @ middle)
    return ZoomBox((right, anterior, superior), float(side))


def _default_side(row: FigureRow, spacing: np.ndarray, extent: np.ndarray) -> float:
    """Return whole voxels of the finest axis, in mm."""
    box = foreground_box(row.array)
    shortest = min((part.stop - part.start) * step for part, step in zip(box, spacing, strict=True))
    finest = float(spacing.min())
    count = max(FEWEST_VOXELS, round(SIDE_SHARE * shortest / finest))
    return min(count, int(extent.min() / finest + 1e-6)) * finest


def _plane_means(values: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    """Return, for each axis across, the mean of the slice of a box around each voxel: three arrays (D, H, W)."""
    means = []
    for normal in range(3):
        mean = values.astype(np.float32)
        for axis in range(3):
            if axis != normal:
                mean = ndimage.uniform_filter1d(mean, int(sizes[axis]), axis=axis, mode="nearest")
        means.append(mean)
    return means


def _ranges(edges: np.ndarray) -> str:
    return ", ".join(f"{first:.1f} to {last:.1f}" for first, last in edges)
