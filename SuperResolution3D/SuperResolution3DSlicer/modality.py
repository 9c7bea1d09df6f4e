"""The modality of a volume of the scene, which its voxels written to a file would not tell."""

import re

import slicer

from SuperResolution3DLib.job import MODALITY

ATTRIBUTE = "DICOM.Modality"  # of the items that Slicer's DICOM import makes
HOUNSFIELD_CODE = "[hnsf'U]"  # UCUM


def modality_of(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return MR, CT or another DICOM modality; "" if neither the subject hierarchy nor the voxels' unit says it."""
    return _of_hierarchy(node) or ("CT" if _is_in_hounsfield_units(node) else "")


def _of_hierarchy(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return what the volume's item says, or the nearest item above it."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    while item and item != hierarchy.GetSceneItemID():
        text = hierarchy.GetItemAttribute(item, ATTRIBUTE).strip().upper()
        if re.fullmatch(MODALITY, text):
            return text
        item = hierarchy.GetItemParent(item)
    return ""


def _is_in_hounsfield_units(node: slicer.vtkMRMLVolumeNode) -> bool:
    units = node.GetVoxelValueUnits()
    return units is not None and (
        units.GetCodeValue() == HOUNSFIELD_CODE or "hounsfield" in (units.GetCodeMeaning() or "").lower()
    )
