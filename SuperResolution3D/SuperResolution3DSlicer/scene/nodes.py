"""Volumes between the scene and files: the worker's input is written, its result becomes a node beside the input."""

from collections.abc import Mapping
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError, OutputError, VolumeError
from SuperResolution3DSlicer.scene.modality import hand_on_modality

ATTRIBUTE_PREFIX = "SuperResolution3D."
# of volumes that were computed with a result or from it
KINDS_BESIDE_A_RESULT = ("zero-filled", "interpolated", "difference", "trust map")
LONGEST_HEADER = 100_000  # bytes; that of a volume takes about 500
# Slicer's NRRD writer takes no "signed char", which is stored as short, and no 64-bit integers, stored as double.
STORED_TYPES = (
    vtk.VTK_CHAR,
    vtk.VTK_UNSIGNED_CHAR,
    vtk.VTK_SHORT,
    vtk.VTK_UNSIGNED_SHORT,
    vtk.VTK_INT,
    vtk.VTK_UNSIGNED_INT,
    vtk.VTK_FLOAT,
    vtk.VTK_DOUBLE,
)


def result_name(input_name: str, scale: tuple[float, float, float]) -> str:
    """Return the name of a result: ``head SRx4``, or ``head SRx3.33x1x1`` where the factors (K, J, I) differ."""
    told = [f"x{factor:.3g}" for factor in scale]
    return f"{input_name} SR{told[0] if len(set(told)) == 1 else ''.join(told)}"


def write_node(node: slicer.vtkMRMLVolumeNode, path: Path) -> None:
    """Write a volume as uncompressed NRRD with its exact IJKToRAS, whatever transform it is under.

    Raises:
        OutputError: the file cannot be written, for example because the disk is full; no part of it is left.
    """
    copy = slicer.vtkMRMLScalarVolumeNode()
    copy.CopyOrientation(node)
    copy.SetAndObserveImageData(_storable(node.GetImageData()))
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    storage.SetUseCompression(False)
    written = storage.WriteData(copy)
    num_bytes = _num_bytes(copy)
    if not written or _stored_bytes(path) < num_bytes:
        path.unlink(missing_ok=True)
        raise OutputError(
            _("{name} ({size:.0f} MB) cannot be written to {folder}; free some space on that disk.").format(
                name=node.GetName(), size=num_bytes / 1e6, folder=path.parent
            )
        )


def read_result(path: Path) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume that is in no scene yet.

    Slicer's NRRD reader keeps a left-handed grid as it is, where the general volume reader turns the slices round. It
    takes a file that is cut short for a whole one, so the size is checked here.

    Raises:
        VolumeError: the file is missing or cut short.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    if not path.is_file() or not storage.ReadData(node) or _stored_bytes(path) < _num_bytes(node):
        raise VolumeError(_("{file} is missing or incomplete; run again and see the log.").format(file=path.name))
    return node


def add_result(
    read: slicer.vtkMRMLScalarVolumeNode,
    name: str,
    input_node: slicer.vtkMRMLVolumeNode,
    attributes: Mapping[str, str],
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a result to the scene, beside its input and shown in the same way.

    Args:
        read: from ``read_result``.
        name: of the new node; a number is added if the scene has that name.
        input_node: gives parent transform, window and level, colours, units, modality and the place in the subject
            hierarchy.
        attributes: how the result came about; the names get a prefix.
    """
    scene = input_node.GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
    _fill(node, read, input_node, attributes)
    _place_beside(node, input_node)
    return node


def replace_result(
    node: slicer.vtkMRMLScalarVolumeNode,
    read: slicer.vtkMRMLScalarVolumeNode,
    input_node: slicer.vtkMRMLVolumeNode,
    attributes: Mapping[str, str],
) -> None:
    """Put a result into an output node that a person chose; its name, identity and place stay.

    Raises:
        InputError: the output is the input, or no scalar volume; it is unchanged.
    """
    check_output(node, input_node)
    _fill(node, read, input_node, attributes)


def check_output(node: slicer.vtkMRMLNode, input_node: slicer.vtkMRMLVolumeNode) -> None:
    """Make sure that a node can take a result.

    Raises:
        InputError: it is the input itself, or no scalar volume.
    """
    if node is input_node:
        raise InputError(_("{name} is input and output at once; choose another output.").format(name=node.GetName()))
    if node.GetClassName() != "vtkMRMLScalarVolumeNode":
        raise InputError(
            _("The output {name} is not a scalar volume; choose another one or a new one.").format(name=node.GetName())
        )


def show_in_views(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show a volume as the slice views' background; field of view, overlays and labels stay as they are."""
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(node.GetID())
    logic.PropagateBackgroundVolumeSelection(0)


def remove_volume(node: slicer.vtkMRMLVolumeNode) -> None:
    """Remove a volume from the scene, and with it what says how it is shown, its legend too."""
    scene = node.GetScene()
    displays = [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    for gone in (*displays, node):
        scene.RemoveNode(gone)


def is_result(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a volume was computed here; a simulated LR volume is meant to be an input."""
    is_beside_one = node.GetAttribute(f"{ATTRIBUTE_PREFIX}Kind") in KINDS_BESIDE_A_RESULT
    return is_beside_one or node.GetAttribute(f"{ATTRIBUTE_PREFIX}Model") is not None


def display_with_fixed_window(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeDisplayNode:
    """Return a volume's display node; a new one does not measure a window first, which is slow for large volumes."""
    display = node.GetDisplayNode()
    if display is None:
        display = node.GetScene().AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        display.SetAutoWindowLevel(False)
        node.SetAndObserveDisplayNodeID(display.GetID())
    display.SetAutoWindowLevel(False)
    return display


def _storable(image: vtk.vtkImageData) -> vtk.vtkImageData:
    if image.GetScalarType() in STORED_TYPES:
        return image
    cast = vtk.vtkImageCast()
    cast.SetInputData(image)
    cast.SetOutputScalarType(vtk.VTK_SHORT if image.GetScalarType() == vtk.VTK_SIGNED_CHAR else vtk.VTK_DOUBLE)
    cast.Update()
    return cast.GetOutput()


def _fill(
    node: slicer.vtkMRMLScalarVolumeNode,
    read: slicer.vtkMRMLScalarVolumeNode,
    input_node: slicer.vtkMRMLVolumeNode,
    attributes: Mapping[str, str],
) -> None:
    with slicer.util.NodeModify(node):
        node.CopyOrientation(read)
        node.SetAndObserveImageData(read.GetImageData())
        node.SetAndObserveTransformNodeID(input_node.GetTransformNodeID())
        node.SetVoxelValueQuantity(input_node.GetVoxelValueQuantity())
        node.SetVoxelValueUnits(input_node.GetVoxelValueUnits())
        for old in node.GetAttributeNames():
            if old.startswith(ATTRIBUTE_PREFIX):
                node.RemoveAttribute(old)
        for key, value in attributes.items():
            node.SetAttribute(f"{ATTRIBUTE_PREFIX}{key}", value)
        hand_on_modality(node, input_node)
    _show_alike(node, input_node)


def _show_alike(node: slicer.vtkMRMLScalarVolumeNode, input_node: slicer.vtkMRMLVolumeNode) -> None:
    """Give a volume the input's window, level, threshold, interpolation and colours, as they are at this moment."""
    if input_node.GetDisplayNode() is None:
        input_node.CreateDefaultDisplayNodes()
    display, like = display_with_fixed_window(node), input_node.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID(like.GetColorNodeID())
        display.SetInterpolate(like.GetInterpolate())
        display.SetWindowLevelMinMax(like.GetWindowLevelMin(), like.GetWindowLevelMax())
        display.SetAutoThreshold(False)
        display.SetThreshold(like.GetLowerThreshold(), like.GetUpperThreshold())
        display.SetApplyThreshold(like.GetApplyThreshold())


def _place_beside(node: slicer.vtkMRMLScalarVolumeNode, input_node: slicer.vtkMRMLVolumeNode) -> None:
    """Put a node right after the input in the subject hierarchy, under the same study or folder."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    beside = hierarchy.GetItemByDataNode(input_node)
    if not beside:  # no plugin made items
        return
    parent = hierarchy.GetItemParent(beside)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(parent, node)
    hierarchy.SetItemParent(item, parent)
    siblings = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent, siblings, False)
    order = [siblings.GetId(number) for number in range(siblings.GetNumberOfIds())]
    order.remove(item)
    after = order[order.index(beside) + 1 :]
    if after:
        hierarchy.MoveItem(item, after[0])


def _num_bytes(node: slicer.vtkMRMLVolumeNode) -> int:
    image = node.GetImageData()
    return image.GetNumberOfPoints() * image.GetScalarSize()


def _stored_bytes(path: Path) -> int:
    """Return how many bytes of voxels an uncompressed NRRD file holds, 0 if it is none; they follow an empty line."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        end = file.read(LONGEST_HEADER).find(b"\n\n")
    return 0 if end < 0 else path.stat().st_size - end - 2
