"""The slices of a 2D scan along one axis: what each measures of the finer grid between its neighbours.

    mm from the grid's outer edge   0                 s                2s                3s
    slices, spacing s               |    [= t =]      |     [= t =]      |     [= t =]      |     thickness t, gap s - t
    HR voxels of h mm               |  |  |  |  |  |  |  |  |  |  |  |  |  |  |  |  |  |  |  |

A slice is the mean of the tissue under its profile, Gaussian or rectangular, whose full width at half maximum is the
slice thickness. The HR grid has the field of view of the slices, half a spacing beyond the first and the last centre,
and h need not divide s. Slice centres may be uneven by up to 10 % of the spacing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.slice_positions import NARROWEST, mean_spacing

ProfileShape = Literal["gaussian", "rectangular"]
SHAPES: tuple[ProfileShape, ...] = get_args(ProfileShape)

GAUSSIAN_REACH = 3.0  # standard deviations (1.27 thicknesses) at which a Gaussian is cut off; 0.3 % lie beyond
THICKEST = 3.0  # slice spacings
_FWHM = 2 * math.sqrt(2 * math.log(2))  # of a Gaussian, in standard deviations


@dataclass(frozen=True)
class SliceProfile:
    """Slices and the HR voxels that they are measured from, along one axis; lengths in mm."""

    shape: ProfileShape
    """gaussian or rectangular"""

    thickness: float
    """full width of the profile at half its height"""

    centres: tuple[float, ...]
    """slice centres, rising, from the outer edge of the first HR voxel"""

    hr_size: int
    """number of HR voxels"""

    hr_spacing: float
    """size of an HR voxel"""

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise InputError(f"A slice profile is one of {', '.join(SHAPES)}, not {self.shape!r}")
        if self.hr_size < 2 or not self.hr_spacing > 0:
            raise ValueError(
                f"An HR grid has 2 voxels at least of a size above 0, not {self.hr_size}, {self.hr_spacing}"
            )
        check_thickness(self.thickness, mean_spacing(self.centres))

    @classmethod
    def over_slices(
        cls, shape: ProfileShape, thickness: float, centres: Sequence[float], target_spacing: float
    ) -> "SliceProfile":
        """Lay an HR grid over the field of view of given slices: half a mean spacing beyond the outermost centres.

        The HR voxels have the size nearest to ``target_spacing`` that fills the field of view with a whole number.

        Raises:
            InputError: an unknown shape or an impossible thickness.
            GeometryError: fewer than two slices, or slices too uneven.
        """
        spacing = mean_spacing(centres)
        length = len(centres) * spacing
        hr_size = max(round(length / target_spacing), 2)
        edge = centres[0] - spacing / 2
        return cls(shape, thickness, tuple(float(c - edge) for c in centres), hr_size, length / hr_size)

    @classmethod
    def over_volume(
        cls, shape: ProfileShape, thickness: float, slice_spacing: float, hr_size: int, hr_spacing: float
    ) -> tuple["SliceProfile", slice]:
        """Lay as many slices as fit over an HR axis, and name the HR voxels that they need.

        The voxels left over are dropped, half at the start (rounded down) and the rest at the end; the slices are
        centred on those kept, which reach less than half a voxel beyond either outermost slice.

        Raises:
            InputError: an unknown shape, an impossible thickness or spacing.
            GeometryError: fewer than two slices fit.
        """
        if not slice_spacing > 0:
            raise InputError(f"The slice spacing is above 0 mm, not {slice_spacing:g} mm")
        num_slices = math.floor(hr_size * hr_spacing / slice_spacing + NARROWEST)
        if num_slices < 2:
            values = {"spacing": slice_spacing, "length": hr_size * hr_spacing}
            raise GeometryError(Sentence("geometry-too-short", values))
        kept = min(math.ceil(num_slices * slice_spacing / hr_spacing - NARROWEST), hr_size)
        start = (hr_size - kept) // 2
        first = (kept * hr_spacing - (num_slices - 1) * slice_spacing) / 2
        centres = tuple(first + slice_spacing * index for index in range(num_slices))
        return cls(shape, thickness, centres, kept, hr_spacing), slice(start, start + kept)

    @property
    def lr_size(self) -> int:
        """Number of slices."""
        return len(self.centres)

    @property
    def spacing(self) -> float:
        """Mean distance between slice centres in mm."""
        return mean_spacing(self.centres)

    @property
    def gap(self) -> float:
        """What lies between two slices in mm; below 0 where they overlap."""
        return self.spacing - self.thickness

    @property
    def hr_centres(self) -> np.ndarray:
        """Centres of the HR voxels in mm, (HR size,) float64."""
        return (np.arange(self.hr_size) + 0.5) * self.hr_spacing

    def mirrored(self) -> "SliceProfile":
        """Return the same slices and HR voxels along an axis that runs the other way."""
        length = self.hr_size * self.hr_spacing
        return replace(self, centres=tuple(length - centre for centre in reversed(self.centres)))

    def matrix(self) -> np.ndarray:
        """Return A, (slices, HR size) float64 and read-only: the share of each HR voxel in each slice.

        Either profile is integrated exactly over each voxel; a Gaussian is cut off at 3 standard deviations. What of a
        profile lies beyond the grid counts to its outermost voxel, as if the volume went on unchanged. Each row sums
        to 1, so a constant stays what it is.
        """
        return _matrix(self)


def check_thickness(thickness: float, spacing: float) -> None:
    """Make sure that slices can be as thick as is said, for their spacing; both in mm.

    Raises:
        InputError: zero or less, not finite, or more than three spacings.
    """
    if not 0 < thickness <= THICKEST * spacing * (1 + NARROWEST):
        values = {"thickness": thickness, "spacing": spacing, "times": THICKEST, "largest": THICKEST * spacing}
        raise InputError(Sentence("input-thickness", values))


@lru_cache(maxsize=64)
def _matrix(profile: SliceProfile) -> np.ndarray:
    edges = np.arange(profile.hr_size + 1) * profile.hr_spacing
    share = _share_below(profile.shape, (edges - np.array(profile.centres)[:, None]) / profile.thickness)
    share[:, 0], share[:, -1] = 0, 1  # the outermost voxels stand for all that lies beyond them
    matrix = np.diff(share, axis=1)
    matrix.flags.writeable = False
    return matrix


def _share_below(shape: ProfileShape, distance: np.ndarray) -> np.ndarray:
    """Return how much of a profile of unit width lies below each distance from its centre."""
    if shape == "rectangular":
        return np.clip(distance + 0.5, 0, 1)
    erf = np.vectorize(math.erf, otypes=[np.float64])
    reach = math.erf(GAUSSIAN_REACH / math.sqrt(2))
    return np.clip(0.5 + 0.5 * erf(distance * _FWHM / math.sqrt(2)) / reach, 0, 1)
