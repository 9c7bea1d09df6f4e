"""The modality of a volume of the scene, which its voxels written to a file would not tell."""

import re

import slicer

from SuperResolution3DLib.cli.super_resolve_job import MODALITY

MODALITY_ATTRIBUTE = "SuperResolution3D.Modality"  # of the nodes that are made here, which have no DICOM item
DICOM_ATTRIBUTE = "DICOM.Modality"  # of the items that Slicer's DICOM import makes
HOUNSFIELD_CODE = "[hnsf'U]"  # UCUM


def modality_of(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return MR, CT or another DICOM modality; "" if nothing says it.

    It is told by the node itself where it was made here, else by the subject hierarchy, else by the voxels' unit.
    """
    made_here = _as_modality(node.GetAttribute(MODALITY_ATTRIBUTE) or "")
    return made_here or _of_hierarchy(node) or ("CT" if _is_in_hounsfield_units(node) else "")


def hand_on_modality(node: slicer.vtkMRMLVolumeNode, source: slicer.vtkMRMLVolumeNode) -> None:
    """Let a node say the modality of the one that it was made from."""
    node.SetAttribute(MODALITY_ATTRIBUTE, modality_of(source) or None)


def _of_hierarchy(node: slicer.vtkMRMLVolumeNode) -> str:
    """Return what the volume's item says, or the nearest item above it."""
    if node.GetScene() is None:  # deleted since
        return ""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    while item and item != hierarchy.GetSceneItemID():
        modality = _as_modality(hierarchy.GetItemAttribute(item, DICOM_ATTRIBUTE))
        if modality:
            return modality
        item = hierarchy.GetItemParent(item)
    return ""


def _as_modality(text: str) -> str:
    """Return a text as DICOM writes a modality; "" if it is none."""
    text = text.strip().upper()
    return text if re.fullmatch(MODALITY, text) else ""


def _is_in_hounsfield_units(node: slicer.vtkMRMLVolumeNode) -> bool:
    units = node.GetVoxelValueUnits()
    return units is not None and (
        units.GetCodeValue() == HOUNSFIELD_CODE or "hounsfield" in (units.GetCodeMeaning() or "").lower()
    )
