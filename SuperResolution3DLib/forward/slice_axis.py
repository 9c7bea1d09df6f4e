"""The through-plane axis of a stack of slices: found from its spacing, named, and brought to D and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from SuperResolution3DLib.advice import NAME_THE_AXIS
from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS, MARGIN, spacing_text
from SuperResolution3DLib.volumes.geometry import Orientation, Scale, voxel_spacing
from SuperResolution3DLib.volumes.slice_positions import unevenness

AXES: Final = ("K", "J", "I")
PLANES: Final = ("axial", "coronal", "sagittal")  # slices along canonical D = S, H = A, W = R
FINEST_AUTO_MM = 0.4  # below it pixels are mostly the scanner's own interpolation
STRAIGHT_DEGREES = 10.0  # between the slice axis and the body's up to which a stack is not called oblique


@dataclass(frozen=True)
class SliceAxis:
    """The axis along which the slices of a volume lie."""

    axis: int
    """in the file's array order: 0, 1, 2 for K, J, I"""

    plane: str
    """the slices' plane, the nearest one if they are oblique: axial, coronal or sagittal"""

    tilt: float
    """angle between the slice axis and the normal of that plane, degrees"""

    spacing: float
    """distance between slice centres in mm"""

    in_plane: tuple[float, float]
    """pixel spacing along the other two axes, in their order in the file, mm"""

    to_slices_first: Orientation
    """puts the slice axis first (D) and the other two in canonical order, each running toward S, A or R; exact"""

    @property
    def letter(self) -> str:
        """K, J or I."""
        return AXES[self.axis]

    @property
    def auto_spacing(self) -> float:
        """The voxel size to compute along this axis where nobody names one: the in-plane one, but 0.4 mm at least."""
        return max(min(self.in_plane), FINEST_AUTO_MM)

    @property
    def description(self) -> str:
        """The plane in a radiologist's words: "axial", or "oblique (axial tilted by 23 degrees)"."""
        if self.tilt <= STRAIGHT_DEGREES:
            return self.plane
        return f"oblique ({self.plane} tilted by {self.tilt:.0f} degrees)"


def find_slice_axis(affine: np.ndarray, axis: str | None = None) -> SliceAxis:
    """Find the through-plane axis of a volume.

    It is the axis that is named, else the one whose spacing is at least 1.2 times each of the others.

    Args:
        affine: (4, 4), any orientation, left-handed too.
        axis: K, J or I where it is known.

    Raises:
        InputError: another name of an axis.
        GeometryError: no axis is named and the volume is isotropic, or its two largest spacings are too alike.
    """
    if axis is not None and axis not in AXES:
        raise InputError(f"The slice axis is one of {', '.join(AXES)}, not {axis!r}")
    spacing = voxel_spacing(affine)
    index = _largest(affine) if axis is None else AXES.index(axis)
    orientation = Orientation.of(affine)
    canonical = orientation.order.index(index)
    direction = affine[:3, 2 - index] / spacing[index]
    cosine = abs(float(direction[2 - canonical]))
    others = [place for place in range(3) if place != canonical]
    first, second, third = (canonical, *others)
    flips = orientation.flips
    return SliceAxis(
        axis=index,
        plane=PLANES[canonical],
        tilt=float(np.degrees(np.arccos(min(cosine, 1.0)))),
        spacing=spacing[index],
        in_plane=(spacing[0 if index else 1], spacing[1 if index == 2 else 2]),
        to_slices_first=Orientation(
            (orientation.order[first], orientation.order[second], orientation.order[third]),
            (flips[first], flips[second], flips[third]),
        ),
    )


def why_not_enlarged(affine: np.ndarray, scale: Scale, model: str) -> Sentence | None:
    """Say why a model that enlarges one axis alone does not suit a volume; None if it does, or enlarges several axes.

    Args:
        affine: (4, 4) of the volume, any orientation.
        scale: the model's factors (D, H, W) in canonical order.
        model: its name.
    """
    enlarged = [place for place, factor in enumerate(scale) if factor > 1]
    if len(enlarged) != 1:
        return None
    spacing = voxel_spacing(affine)
    values = {"model": model, "sizes": spacing_text(affine), "direction": Sentence(DIRECTIONS[enlarged[0]])}
    if max(spacing) < MARGIN * min(spacing):
        return Sentence("geometry-isotropic-one-axis", values)
    if spacing[Orientation.of(affine).order[enlarged[0]]] * MARGIN <= max(spacing):
        return Sentence("geometry-other-axis", values)
    return None


def why_not_even(positions: Sequence[float] | None, model: str) -> Sentence | None:
    """Say why a model for even voxels takes no uneven slices, at these positions (mm); None if they are even."""
    if positions is None:
        return None
    return Sentence("geometry-uneven-volume", {"off": 100 * unevenness(positions), "model": model})


def axis_of_plane(affine: np.ndarray, plane: str) -> str:
    """Return K, J or I, the axis along which slices of a plane lie: axial, coronal or sagittal, the nearest one.

    Args:
        affine: (4, 4), any orientation, left-handed and oblique too; each axis is nearest to one plane's normal.
        plane: one of PLANES.

    Raises:
        InputError: another name of a plane.
    """
    if plane not in PLANES:
        raise InputError(f"The plane of slices is one of {', '.join(PLANES)}, not {plane!r}")
    return AXES[Orientation.of(affine).order[PLANES.index(plane)]]


def _largest(affine: np.ndarray) -> int:
    spacing = voxel_spacing(affine)
    smallest, middle, largest = sorted(spacing)
    if largest < MARGIN * smallest:
        raise GeometryError(Sentence("geometry-isotropic", {"sizes": spacing_text(affine), "advice": NAME_THE_AXIS}))
    if largest < MARGIN * middle:
        raise GeometryError(
            Sentence(
                "geometry-no-slice-axis",
                {"sizes": spacing_text(affine), "margin": f"{MARGIN:g}", "advice": NAME_THE_AXIS},
            )
        )
    return spacing.index(largest)
