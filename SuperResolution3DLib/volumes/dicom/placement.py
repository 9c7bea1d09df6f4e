"""Where a stack of slices lies: its order, its affine, and whether it is an even and upright stack at all."""

from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.volumes.dicom.frames import Frame
from SuperResolution3DLib.volumes.itk_image import LPS_TO_RAS
from SuperResolution3DLib.volumes.slice_positions import (
    LARGEST_UNEVENNESS,
    SPACING_TOLERANCE,
    are_even,
    evenness_tolerance,
    off_even_grid,
    rounding_of,
    uneven_heights,
    unevenness,
)

DRIFT_TOLERANCE = 0.1  # of a pixel, over the whole stack
LONGEST_EXCEPTION = 3  # gaps; more alike ones in a row are a spacing of their own and no missing files


@dataclass(frozen=True, eq=False)
class Placed:
    """The volume that frames make."""

    frames: list[Frame]
    """in the order of their normal"""
    affine: np.ndarray
    """(4, 4), to RAS mm"""
    positions: tuple[float, ...] | None
    """mm of each along the normal from the first one, where they are uneven"""


def place(frames: list[Frame], name: str, *, uneven: bool = False) -> Placed:
    """Order the frames of a volume by their normal and find its affine.

    A line is fitted through all positions, so that what an exporter rounded away does not add up. Uneven slices have
    the affine whose first and last slice lie where theirs do.

    Args:
        frames: at least two, parallel.
        name: of the series and its folder, for the messages.
        uneven: take slices whose distances are up to 10 % off their mean.

    Raises:
        VolumeError: slices of different size or two at one position.
        GeometryError: slices missing or unevenly spaced, or a stack that is not perpendicular to its slices.
    """
    _check_alike(frames, name)
    directions = frames[0].directions
    normal = np.cross(directions[:, 0], directions[:, 1])
    frames = sorted(frames, key=lambda frame: float(frame.position @ normal))
    positions = np.array([frame.position for frame in frames])
    heights, tolerance = positions @ normal, evenness_tolerance(positions, normal)
    spacing, start = np.polyfit(np.arange(len(frames)), heights, 1)
    own = uneven_heights(positions, normal) if uneven else None
    if own is not None and unevenness(own) <= LARGEST_UNEVENNESS:
        spacing, start = own[-1] / (len(own) - 1), heights[0]
    else:
        own = None
        _check_gaps(frames, heights, tolerance, name, uneven=uneven)
    _check_upright(frames, positions, normal, float(np.linalg.norm(rounding_of(positions))), name)
    to_lps = np.eye(4)
    to_lps[:3, :2] = directions * frames[0].pixel_spacing
    to_lps[:3, 2] = normal * spacing
    to_lps[:3, 3] = positions.mean(axis=0) + normal * (start - heights.mean())
    return Placed(frames, LPS_TO_RAS @ to_lps, own)


def _check_alike(frames: list[Frame], name: str) -> None:
    first = frames[0]
    for other in frames[1:]:
        if other.size != first.size or not np.allclose(
            other.pixel_spacing, first.pixel_spacing, rtol=SPACING_TOLERANCE
        ):
            raise VolumeError(
                f"The DICOM slices {first.name} ({_grid(first)}) and {other.name} ({_grid(other)}) in {name} differ in "
                "size; remove the slices that do not belong to the volume"
            )


def _grid(frame: Frame) -> str:
    (width, height), (across, down) = frame.size, frame.pixel_spacing
    return f"{width} x {height} pixels of {across:g} x {down:g} mm"


def _check_gaps(frames: list[Frame], heights: np.ndarray, tolerance: float, name: str, *, uneven: bool) -> None:
    """Refuse doubled, missing and uneven slices at sorted heights (mm), where a few are uneven too."""
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    narrow, wide = int(gaps.argmin()), int(gaps.argmax())
    if gaps[narrow] <= SPACING_TOLERANCE * usual:
        raise VolumeError(
            f"Two of the {len(frames)} DICOM slices in {name} are at one position, {_pair(frames, narrow)} at "
            f"{heights[narrow]:.6g} mm along the normal; keep one slice for each position (one echo, one time point)"
        )
    if are_even(heights, tolerance):
        return
    residuals = off_even_grid(heights)
    worst = int(np.abs(residuals).argmax())
    odd = np.abs(gaps - usual) > (LARGEST_UNEVENNESS * usual if uneven else tolerance)
    off_grid = f"{frames[worst].name} {abs(residuals[worst]):.3g} mm off an even grid (at most {tolerance:.2g})"
    if not odd.any() or _longest_run(odd) > LONGEST_EXCEPTION:
        third = max(len(gaps) // 3, 1)
        raise GeometryError(
            f"The spacing of the DICOM slices in {name} changes along the stack, from {gaps[:third].mean():.6g} mm in "
            f"its first third to {gaps[-third:].mean():.6g} mm in its last, which puts {off_grid}; resample the series "
            "evenly first"
        )
    if gaps[wide] > 1.5 * usual:
        missing = int((np.rint(gaps[odd] / usual) - 1).clip(min=0).sum())
        raise GeometryError(
            f"About {missing} of the DICOM slices in {name} are missing: {_pair(frames, wide)} are {gaps[wide]:.6g} mm "
            f"apart where the others are {usual:.6g} mm; find the missing files"
        )
    furthest = int(np.abs(gaps - usual).argmax())
    limit = f"more than {LARGEST_UNEVENNESS:.0%} off" if uneven else f"which puts {off_grid}"
    raise GeometryError(
        f"The DICOM slices in {name} are unevenly spaced: {_pair(frames, furthest)} are {gaps[furthest]:.6g} mm "
        f"apart and the others are {usual:.6g} mm, {limit}; resample the series evenly first"
    )


def _longest_run(flags: np.ndarray) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _check_upright(frames: list[Frame], positions: np.ndarray, normal: np.ndarray, rounding: float, name: str) -> None:
    """Refuse a stack whose slices shift sideways, steadily (gantry tilt) or one against the others."""
    numbers = np.arange(len(frames)) - (len(frames) - 1) / 2
    centred = positions - positions.mean(axis=0)
    sideways = centred - np.outer(centred @ normal, normal)
    step = numbers @ sideways / (numbers @ numbers)
    steady = float(np.linalg.norm(step)) * (len(frames) - 1)
    tolerance = DRIFT_TOLERANCE * min(frames[0].pixel_spacing) + rounding
    if steady > tolerance:
        angle = np.degrees(np.arctan2(steady, float((centred[-1] - centred[0]) @ normal)))
        raise GeometryError(
            f"The DICOM slices in {name} are a sheared stack (gantry tilt of {angle:.2f} degrees, "
            f"they shift sideways by up to {steady:.3g} mm); resample the series to an upright stack first"
        )
    off = np.linalg.norm(sideways - np.outer(numbers, step), axis=1)
    worst = int(off.argmax())
    if off[worst] > tolerance:
        raise GeometryError(
            f"The DICOM slice {frames[worst].name} in {name} is shifted sideways by {off[worst]:.3g} mm against the "
            f"others (at most {tolerance:.2g}); remove it or export the series again"
        )


def _pair(frames: list[Frame], index: int) -> str:
    return f"{frames[index].name} and {frames[index + 1].name}"
