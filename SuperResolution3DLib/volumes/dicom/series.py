"""DICOM series: a folder of slices becomes one volume, if the slices are stacked along their normal."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.choice import Choice
from SuperResolution3DLib.volumes.dicom.frames import frames_of
from SuperResolution3DLib.volumes.dicom.pixels import read_pixels
from SuperResolution3DLib.volumes.dicom.placement import place
from SuperResolution3DLib.volumes.dicom.scan import ImageFile, damaged, quiet, scan
from SuperResolution3DLib.volumes.dicom.stacks import choose, stacks_of


@dataclass(frozen=True, eq=False)
class SeriesVolume:
    """The volume of one series."""

    array: np.ndarray
    """(D, H, W), rescaled as the tags say (CT: HU)"""
    affine: np.ndarray
    """(4, 4), to RAS mm"""
    modality: str
    slice_thickness: float | None
    """mm, as all slices say; None if they do not"""
    slice_spacing: float | None
    """mm between the centres of neighbours, as all slices say; None if they do not"""
    slice_positions: tuple[float, ...] | None
    """mm of each slice along the normal from the first one; None where the affine tells them"""


def read_series(folder: Path, choice: Choice, *, uneven_slices: bool = False) -> SeriesVolume:
    """Read one volume of a folder, not of folders below it; its slices are sorted by their position.

    Args:
        folder: of the slices.
        choice: which of its volumes.
        uneven_slices: take slices whose distances are up to 10 % off their mean.

    Raises:
        VolumeError: no DICOM, several volumes and none chosen, a chosen one that is not there, fewer than two slices,
            colour, mosaics, slices of different size, without a position, twice at one position, or damaged.
        GeometryError: slices missing, unevenly spaced or a sheared stack (gantry tilt).
    """
    with quiet():
        uid, images = _choose_series(folder, scan(folder), choice.series)
        for image in images:
            if image.flaw:
                raise damaged(image.path, image.flaw)
        if any(image.is_mosaic for image in images):
            raise VolumeError(
                f"The DICOM series {uid} in {folder} holds {len(images)} mosaics, pictures of all slices side by side; "
                "convert it to NIfTI first, for example with dcm2niix"
            )
        frames = [frame for image in images for frame in frames_of(image)]
        stack = choose(stacks_of(frames), choice, uid, folder)
        if len(stack.frames) < 2:
            raise VolumeError(f"The DICOM series {uid} in {folder} has 1 slice and a volume needs 2 at least")
        placed = place(stack.frames, str(folder), uneven=uneven_slices)
        return SeriesVolume(
            array=read_pixels(placed.frames),
            affine=placed.affine,
            modality=str(images[0].header.get("Modality") or ""),
            slice_thickness=_common(frame.thickness for frame in placed.frames),
            slice_spacing=_common(frame.slice_spacing for frame in placed.frames),
            slice_positions=placed.positions,
        )


def _choose_series(
    folder: Path, by_series: dict[str, list[ImageFile]], series: str | None
) -> tuple[str, list[ImageFile]]:
    if not by_series:
        raise VolumeError(
            f"The folder {folder} holds no DICOM slices; give the folder in which the slices themselves are"
        )
    if series is None and len(by_series) == 1:
        return next(iter(by_series.items()))
    if series is not None and series in by_series:
        return series, by_series[series]
    listed = "; ".join(_describe(uid, images) for uid, images in sorted(by_series.items()))
    if series is None:
        raise VolumeError(f"{folder} holds {len(by_series)} DICOM series, choose one with --series UID: {listed}")
    raise VolumeError(f"{folder} holds no DICOM series {series}, choose one of these with --series UID: {listed}")


def _describe(uid: str, images: list[ImageFile]) -> str:
    count = sum(image.num_frames for image in images)
    kind = "mosaic" if images[0].is_mosaic else "slice"
    description = str(images[0].header.get("SeriesDescription") or "").strip() or "without description"
    return f"{uid or 'without UID'} ({description}, {count} {kind}{'s' if count > 1 else ''})"


def _common(lengths: Iterable[float | None]) -> float | None:
    """Return the one length (mm) of all slices; None if one has none or they differ by more than a micrometre."""
    known = list(lengths)
    numbers = [length for length in known if length is not None]
    return numbers[0] if len(numbers) == len(known) and max(numbers) - min(numbers) < 1e-3 else None
