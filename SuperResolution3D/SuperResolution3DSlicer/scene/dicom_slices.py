"""The size of a volume's slices as the DICOM files say it that Slicer loaded it from, classic or enhanced ones."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.volumes.dicom.slice_sizes import SliceSizes, slice_sizes_of
from SuperResolution3DLib.volumes.sidecar import as_slice_size
from SuperResolution3DLib.volumes.slice_positions import uneven_heights
from SuperResolution3DSlicer.scene.library_sentences import told

INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"  # of the nodes that Slicer's DICOM import makes
THICKNESS_TAG, SPACING_TAG = "0018,0050", "0018,0088"
POSITION_TAG, ORIENTATION_TAG = "0020,0032", "0020,0037"
SAME_LENGTH = 0.01  # relative, of a stack: as the files and the volume say it


@dataclass(frozen=True)
class DicomSlices:
    """What the files agree on."""

    thickness: float | None = None
    """mm"""
    spacing: float | None = None
    """mm between the centres of neighbours"""
    why_unknown: str = ""
    """why there is no thickness; empty where there is one, or no DICOM file at all"""

    @staticmethod
    def of(node: slicer.vtkMRMLScalarVolumeNode) -> "DicomSlices":
        """Return what the first and the last file of a volume agree on."""
        database = getattr(slicer, "dicomDatabase", None)
        instances = (node.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
        if database is None or not instances:
            return DicomSlices()
        ends = list(dict.fromkeys((instances[0], instances[-1])))
        texts = [(database.instanceValue(end, THICKNESS_TAG), database.instanceValue(end, SPACING_TAG)) for end in ends]
        if any(thickness for thickness, _spacing in texts):
            sizes = SliceSizes(*(tuple(map(millimetres, column)) for column in zip(*texts, strict=True)))
            return _agreed(sizes)
        # The database knows tags of the file itself alone; enhanced files say it in their functional groups.
        paths = [Path(database.fileForInstance(end) or "") for end in ends]
        if not all(path.is_file() for path in paths):
            return DicomSlices(why_unknown=_("the DICOM database has no file of it any more"))
        try:
            return _agreed(_in_files(tuple((path, path.stat().st_mtime_ns) for path in paths)))
        except SuperResolutionError as error:
            return DicomSlices(why_unknown=told(error))


def uneven_positions(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, ...] | None:
    """Return where the slices (K) of a volume lie, in mm from the first one, if its DICOM files say unevenly.

    Slicer's import puts the first and the last one in their place and the others evenly between. Where that is not so,
    or the files are not one a slice, nothing is said.
    """
    database = getattr(slicer, "dicomDatabase", None)
    instances = (node.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    if database is None or len(instances) != node.GetImageData().GetDimensions()[2]:
        return None
    orientation = _numbers(database.instanceValue(instances[0], ORIENTATION_TAG), 6)
    places = [_numbers(database.instanceValue(instance, POSITION_TAG), 3) for instance in instances]
    if orientation is None or any(place is None for place in places):
        return None
    normal = np.cross(orientation[:3], orientation[3:])
    positions = np.array(places)
    if positions[-1] @ normal < positions[0] @ normal:
        normal = -normal
    heights = uneven_heights(positions, normal)
    if heights is None or min(np.diff(heights)) <= 0:
        return None
    length = node.GetSpacing()[2] * (len(heights) - 1)
    return heights if abs(heights[-1] - length) < SAME_LENGTH * length else None


def _numbers(text: str, count: int) -> np.ndarray | None:
    try:
        numbers = np.array([float(part) for part in text.split("\\")])
    except ValueError:
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


@lru_cache(maxsize=16)  # the panel asks at every change
def _in_files(files: tuple[tuple[Path, int], ...]) -> SliceSizes:
    """Read files, each with the time of its last change."""
    sizes = slice_sizes_of([path for path, _time in files])
    return SliceSizes(*(tuple(map(as_slice_size, values)) for values in (sizes.thicknesses, sizes.spacings)))


def _agreed(sizes: SliceSizes) -> DicomSlices:
    thicknesses, spacings = set(sizes.thicknesses), set(sizes.spacings)
    spacing = spacings.pop() if len(spacings) == 1 else None
    known = [thickness for thickness in thicknesses if thickness is not None]
    if len(thicknesses) == 1 and known:
        return DicomSlices(known[0], spacing)
    if len(known) < 2:
        return DicomSlices(None, spacing, _("its DICOM files do not say it, at least not of all slices"))
    reason = _("its DICOM files say several, from {low:g} to {high:g} mm")
    return DicomSlices(None, spacing, reason.format(low=min(known), high=max(known)))


def millimetres(text: str | None) -> float | None:
    """Read the size of a slice; None where it is none."""
    try:
        return as_slice_size(float(text or ""))
    except ValueError:
        return None
