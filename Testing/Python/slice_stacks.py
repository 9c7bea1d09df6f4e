"""Oblique stacks of thick slices in a scene, and the DICOM files that they come from."""

import numpy as np
import pytest
import slicer

from Testing.Slicer.core import Core
from Testing.Slicer.double.dicom_database import ctkDICOMDatabase
from Testing.Slicer.volumes import add_volume, turned

SPACING = {"axial": (0.9, 1.0, 4.0), "coronal": (0.9, 4.0, 1.0), "sagittal": (4.0, 0.9, 1.0)}  # mm along I, J, K
SHAPE = {"axial": (7, 18, 21), "coronal": (21, 7, 18), "sagittal": (18, 21, 7)}  # K, J, I
PLANES = list(SPACING)


def a_stack(core: Core, plane: str = "axial", *, left_handed: bool = True) -> slicer.vtkMRMLScalarVolumeNode:
    """Return an oblique stack whose slices are ``plane`` where its axes run along R, A and S."""
    array = np.random.default_rng(0).normal(500, 100, SHAPE[plane]).astype(np.float32)
    return add_volume(core, array, turned(SPACING[plane], (-12.3, 45.1, 7.7), left_handed=left_handed))


def from_dicom(
    monkeypatch: pytest.MonkeyPatch, node: slicer.vtkMRMLScalarVolumeNode, *thicknesses: str, spacing: str = ""
) -> None:
    """Let a volume be one that was loaded from DICOM files of these slice thicknesses."""
    files = {f"1.2.{n}": {"0018,0050": text, "0018,0088": spacing} for n, text in enumerate(thicknesses)}
    monkeypatch.setattr(slicer, "dicomDatabase", ctkDICOMDatabase(files), raising=False)
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
