"""Where the DICOM files of a volume put its slices, which Slicer's import shows evenly."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import GeometryError, SuperResolutionError
from SuperResolution3DLib.volumes.dicom.slice_sizes import slice_places_of
from SuperResolution3DLib.volumes.slice_positions import mean_spacing, uneven_heights
from SuperResolution3DSlicer.scene.dicom_slices import instances_of

POSITION_TAG, ORIENTATION_TAG, FRAMES_TAG = "0020,0032", "0020,0037", "0028,0008"
SAME_LENGTH = 0.01  # relative, of a stack: as the files and the volume say it
LOST_SPACING = 1.0  # mm, which GDCM takes where the slices of an enhanced file are 1 micrometre off an even grid


class Places(NamedTuple):
    """Slices in the order of their volume (K), in LPS mm."""

    positions: np.ndarray
    """(D, 3)"""
    normal: np.ndarray
    """(3,)"""

    @property
    def length(self) -> float:
        """From the first slice to the last."""
        return float((self.positions[-1] - self.positions[0]) @ self.normal)


def uneven_positions(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, ...] | None:
    """Return where the slices (K) of a volume lie, in mm from the first one, if its DICOM files say unevenly.

    Slicer's import puts the first and the last one in their place and the others evenly between. Where that is not so,
    nothing is said.
    """
    places = _places(node)
    if places is None or not _have_length(places, node):
        return None
    return uneven_heights(*places)


def check_spacing(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Refuse a volume whose voxel sizes Slicer's import has lost, as the slices of its enhanced file are not even.

    Raises:
        GeometryError: so it is, or the slices are too uneven for any reader.
    """
    if node.GetSpacing()[2] != LOST_SPACING or not _is_enhanced(node):
        return
    places = _places(node)
    if places is None or _have_length(places, node):
        return
    mean_spacing(list(places.positions @ places.normal))
    raise GeometryError(
        _(
            "Slicer has lost the voxel sizes of {name}: its DICOM file has {count} slices over {length:.4g} mm, not"
            " quite evenly, and they are shown 1 mm apart. Run superres3d super-resolve on the folder of the file,"
            " which takes each slice where it lies."
        ).format(name=node.GetName(), count=len(places.positions), length=places.length)
    )


def _have_length(places: Places, node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    length = node.GetSpacing()[2] * (_num_slices(node) - 1)
    return abs(places.length - length) < SAME_LENGTH * length


def _places(node: slicer.vtkMRMLScalarVolumeNode) -> Places | None:
    """Return where the files put the slices of a volume; None if they do not say it of each, or in another order."""
    told = _places_in_frames(node) if _is_enhanced(node) else _places_in_tags(node)
    if told is None or len(told.positions) != _num_slices(node) or len(told.positions) < 2:
        return None
    if told.length < 0:
        told = Places(told.positions, -told.normal)
    return told if min(np.diff(told.positions @ told.normal)) > 0 else None


def _places_in_tags(node: slicer.vtkMRMLScalarVolumeNode) -> Places | None:
    """Read classic files, of one slice each."""
    database, instances = instances_of(node)
    if len(instances) != _num_slices(node):
        return None
    directions = _numbers(database.instanceValue(instances[0], ORIENTATION_TAG), 6)
    positions = [_numbers(database.instanceValue(instance, POSITION_TAG), 3) for instance in instances]
    if directions is None or any(position is None for position in positions):
        return None
    return Places(np.array(positions), np.cross(directions[:3], directions[3:]))


def _places_in_frames(node: slicer.vtkMRMLScalarVolumeNode) -> Places | None:
    """Read enhanced files, of which Slicer shows the frames in their order."""
    database, instances = instances_of(node)
    paths = [Path(database.fileForInstance(instance) or "") for instance in instances]
    if not all(path.is_file() for path in paths):
        return None
    try:
        return _in_files(tuple((path, path.stat().st_mtime_ns) for path in paths))
    except SuperResolutionError:  # told with the slice thickness, which is looked for in the same files
        return None


def _is_enhanced(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Tell whether the files of a volume hold several slices each; without DICOM files they do not."""
    database, instances = instances_of(node)
    if not instances or len(instances) == _num_slices(node):
        return False
    return database.instanceValue(instances[0], FRAMES_TAG).strip() not in ("", "1")


@lru_cache(maxsize=16)  # the panel asks at every change
def _in_files(files: tuple[tuple[Path, int], ...]) -> Places:
    """Read files, each with the time of its last change."""
    return Places(*slice_places_of([path for path, _time in files]))


def _num_slices(node: slicer.vtkMRMLScalarVolumeNode) -> int:
    return node.GetImageData().GetDimensions()[2]


def _numbers(text: str, count: int) -> np.ndarray | None:
    try:
        numbers = np.array([float(part) for part in text.split("\\")])
    except ValueError:
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
