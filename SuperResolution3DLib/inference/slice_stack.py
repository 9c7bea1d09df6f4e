"""A stack of thick slices as its header tells it, before a voxel is read (no torch)."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_SHAPE
from SuperResolution3DLib.forward.slice_axis import AXES, MARGIN, SliceAxis, find_slice_axis
from SuperResolution3DLib.forward.slice_profile import ProfileShape, SliceProfile, check_thickness
from SuperResolution3DLib.inference.slice_report import AxisSource, SliceReport, ThicknessSource
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from SuperResolution3DLib.volumes.slice_positions import mean_spacing, unevenness

LARGEST_FACTOR = 32  # result voxels per slice; 8.75 mm slices at 0.4 mm are 22
CONTRADICTION = 0.2  # of the file's thickness, above which a given one is worth a warning
SAME_SPACING = 0.01  # relative; headers round to a few digits
# Width of the profile, as a share of the spacing, where nobody says how thick the slices are. Taken too wide, it makes
# noise and movement between slices ring; too narrow, the result is a little too smooth. Correlation of intensities and
# of detail with the other stack, two prostate stacks of 3 and 3.6 mm: with 1 0.775 and 0.187, 0.8 0.779 and 0.188,
# 0.7 0.781 and 0.188 (through-plane-mr); cubic has 0.786 and 0.167.
ASSUMED_WIDTH: Final = 0.7
SCANNED: Final = "K"  # the axis along which a DICOM series stacks its slices


class Sliced(Protocol):
    """What a stack is told from: a volume, or what the header of one says."""

    @property
    def affine(self) -> np.ndarray:
        """(4, 4), voxel (I, J, K, 1) to RAS mm."""

    @property
    def shape(self) -> Shape:
        """Number of voxels (K, J, I)."""

    @property
    def slice_thickness(self) -> float | None:
        """mm, where the file says it."""

    @property
    def slice_spacing(self) -> float | None:
        """mm between the centres of neighbouring slices, where the file says it."""

    @property
    def slice_positions(self) -> tuple[float, ...] | None:
        """mm of each slice (K) from the first one, where they are uneven."""


@dataclass(frozen=True)
class SliceStack:
    """A volume's slices: along which axis, where, and how thick."""

    axis: SliceAxis
    """the through-plane axis"""

    centres: tuple[float, ...]
    """slice centres along it in mm, from the first one"""

    thickness: float
    """mm"""

    thickness_source: ThicknessSource
    """given by the person, read from the file, or assumed to be the spacing"""

    axis_source: AxisSource = "found"
    """given by the person, or found by the spacing"""

    warnings: tuple[Warned, ...] = ()
    """what should be known before the thickness is trusted"""

    @property
    def spacing(self) -> float:
        """Mean distance between slice centres in mm."""
        return mean_spacing(self.centres)

    def target_spacing(self, wanted: float | None = None) -> float:
        """Return the voxel size to compute along the slice axis: as wanted, else the in-plane one but 0.4 mm at least.

        Raises:
            InputError: coarser than the slices, or more than 32 voxels per slice.
        """
        target = self.axis.auto_spacing if wanted is None else wanted
        if not self.spacing / LARGEST_FACTOR <= target < self.spacing:
            values = {
                "target": target,
                "spacing": self.spacing,
                "smallest": self.spacing / LARGEST_FACTOR,
                "most": LARGEST_FACTOR,
            }
            raise InputError(Sentence("input-pixel-spacing" if wanted is None else "input-target-spacing", values))
        return target

    def profile(self, target_spacing: float, shape: ProfileShape = DEFAULT_SHAPE) -> SliceProfile:
        """Return the slices over the HR grid of their own field of view, its voxels nearest to the target size.

        The profile is as wide as the slices are thick; where that is only assumed, narrower (``ASSUMED_WIDTH``).
        """
        width = self.thickness * (ASSUMED_WIDTH if self.thickness_source == "assumed" else 1)
        return SliceProfile.over_slices(shape, width, self.centres, target_spacing)

    def report(self, profile: SliceProfile, noise: float, wanted: float, residual: float | None) -> SliceReport:
        """Return what is told of this stack and of a result on a profile's grid.

        Args:
            profile: what was taken for the slices, with the result's grid.
            noise: of the interpolation.
            wanted: voxel size that was wanted along the slice axis, mm.
            residual: RMS by which the slices, made anew, differ from those measured, % of the range, if computed.
        """
        return SliceReport(
            axis=self.axis.letter,
            plane=self.axis.description,
            num_slices=profile.lr_size,
            slice_spacing_mm=profile.spacing,
            slice_thickness_mm=self.thickness,
            thickness_source=self.thickness_source,
            in_plane_spacing_mm=self.axis.in_plane,
            wanted_spacing_mm=wanted,
            result_spacing_mm=profile.hr_spacing,
            result_size=profile.hr_size,
            field_of_view_mm=profile.hr_size * profile.hr_spacing,
            profile=profile.shape,
            noise=noise,
            residual_rms_percent=residual,
            axis_source=self.axis_source,
            unevenness_percent=round(100 * unevenness(self.centres), 3),
            profile_width_mm=profile.thickness,
        )


def slice_stack(volume: Sliced, thickness: float | None = None, axis: str | None = None) -> SliceStack:
    """Say how the slices of a volume lie and how thick they are.

    Args:
        volume: any orientation; its voxels are not looked at. Uneven slices are taken where they lie.
        thickness: mm; by default what the file says, else the slice spacing.
        axis: K, J or I; by default the one that has the slice spacing which the file says, else the largest spacing.

    Raises:
        InputError: an impossible thickness or name of an axis.
        GeometryError: no unique slice axis, slices that are too uneven, or uneven ones and another axis than theirs.
        ValueError: another number of positions than of slices.
    """
    found = find_slice_axis(volume.affine, axis or axis_in_file(volume))
    num_slices = volume.shape[found.axis]
    centres = volume.slice_positions or tuple(found.spacing * index for index in range(num_slices))
    if volume.slice_positions is not None and found.letter != SCANNED:
        raise GeometryError(Sentence("geometry-uneven-axis", {"axis": SCANNED, "given": found.letter}))
    if len(centres) != num_slices:
        raise ValueError(f"{num_slices} slices have as many positions, not {len(centres)}")
    spacing = mean_spacing(centres)
    in_file = volume.slice_thickness
    source: ThicknessSource = "given" if thickness is not None else "file" if in_file is not None else "assumed"
    chosen = thickness if thickness is not None else in_file if in_file is not None else spacing
    check_thickness(chosen, spacing)
    warnings = []
    if volume.slice_positions is not None:
        warnings.append(Warned("slices-uneven", {"off": 100 * unevenness(centres), "spacing": spacing}))
    if thickness is not None and in_file is not None and abs(thickness - in_file) > CONTRADICTION * in_file:
        warnings.append(Warned("slices-thickness", {"given": thickness, "in_file": in_file}))
    return SliceStack(found, centres, chosen, source, "found" if axis is None else "given", tuple(warnings))


def along_axis(affine: np.ndarray, axis: int, spacing: float, shift: float) -> np.ndarray:
    """Return an affine with another spacing along an array axis (mm), its first voxel shifted along it by mm."""
    column = affine[:3, 2 - axis]
    direction = column / np.linalg.norm(column)
    moved = np.array(affine, dtype=np.float64)
    moved[:3, 2 - axis] = direction * spacing
    moved[:3, 3] += direction * shift
    return moved


def axis_in_file(volume: Sliced) -> str | None:
    """Return the one axis that has the slice spacing of the file's header; None if that is no help."""
    told, spacings = volume.slice_spacing, voxel_spacing(volume.affine)
    if told is None or max(spacings) < MARGIN * min(spacings):
        return None
    alike = [
        letter for letter, spacing in zip(AXES, spacings, strict=True) if abs(spacing - told) < SAME_SPACING * spacing
    ]
    return alike[0] if len(alike) == 1 else None
