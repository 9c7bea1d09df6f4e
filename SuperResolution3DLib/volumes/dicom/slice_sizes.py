"""What DICOM files say of their slices, in classic and enhanced ones alike; no pixel is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.frames import frames_of, shared_sizes
from SuperResolution3DLib.volumes.dicom.scan import ImageFile, UnknownFile, damaged, look_at, quiet


@dataclass(frozen=True)
class SliceSizes:
    """The different values of all frames in mm, rising; None stands first where a frame has none."""

    thicknesses: tuple[float | None, ...]
    """SliceThickness (0018,0050)"""
    spacings: tuple[float | None, ...]
    """SpacingBetweenSlices (0018,0088)"""


def slice_sizes_of(paths: Sequence[Path]) -> SliceSizes:
    """Return what the frames of some files say of their slices.

    What the groups that all frames share say against those of a frame counts as another value.

    Raises:
        VolumeError: pydicom is missing, or a file is no readable image whose frames have a place.
        GeometryError: directions that are not perpendicular unit vectors.
    """
    with quiet():
        images = [_image(path) for path in paths]
        frames = [frame for image in images for frame in frames_of(image)]
        shared = [shared_sizes(image) for image in images]
    return SliceSizes(
        _rising([frame.thickness for frame in frames], (thickness for thickness, _ in shared)),
        _rising([frame.slice_spacing for frame in frames], (spacing for _, spacing in shared)),
    )


def slice_places_of(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return where the frames of some files lie, (N, 3) in LPS mm in their order there, and their normal (3,).

    Raises:
        VolumeError: pydicom is missing, or a file is no readable image whose frames have a place.
        GeometryError: directions that are not perpendicular unit vectors.
    """
    with quiet():
        frames = [frame for path in paths for frame in frames_of(_image(path))]
    return np.array([frame.position for frame in frames]), np.cross(*frames[0].directions.T)


def _image(path: Path) -> ImageFile:
    found = look_at(path)
    if isinstance(found, UnknownFile):
        raise damaged(path, found.flaw)
    if found is None:
        raise VolumeError(f"The DICOM file {path} holds no image; choose one of slices")
    return found


def _rising(of_frames: list[float | None], in_common: Iterable[float | None]) -> tuple[float | None, ...]:
    values = {*of_frames, *(value for value in in_common if value is not None)}
    return tuple(sorted(values, key=lambda value: -1.0 if value is None else value))
