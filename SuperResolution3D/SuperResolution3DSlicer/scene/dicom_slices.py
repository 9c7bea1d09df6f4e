"""The size of a volume's slices as the DICOM files say it that Slicer loaded it from, classic or enhanced ones."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.volumes.dicom.slice_sizes import SliceSizes, slice_sizes_of
from SuperResolution3DLib.volumes.sidecar import as_slice_size
from SuperResolution3DSlicer.scene.library_sentences import told

INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"  # of the nodes that Slicer's DICOM import makes
THICKNESS_TAG, SPACING_TAG = "0018,0050", "0018,0088"


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
        database, instances = instances_of(node)
        if not instances:
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


def instances_of(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[Any, list[str]]:
    """Return Slicer's DICOM database and the UIDs of the files that a volume was loaded from; without either, none."""
    database = getattr(slicer, "dicomDatabase", None)
    instances = (node.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    return database, [] if database is None else instances


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
