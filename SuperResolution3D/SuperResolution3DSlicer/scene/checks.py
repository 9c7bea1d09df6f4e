"""What can be told of a chosen volume before a run: whether it can be used at all, and what a person should know."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import GeometryError, InputError, VolumeError
from SuperResolution3DLib.forward.slice_axis import axis_of_plane, find_slice_axis
from SuperResolution3DLib.inference.sliding_window import SMALLEST_AXIS
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.body_axes import shape_text, spacing_text
from SuperResolution3DLib.volumes.geometry import check_affine, voxel_spacing
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told
from SuperResolution3DSlicer.scene.modality import modality_of
from SuperResolution3DSlicer.scene.slice_places import check_spacing

FORBIDDEN = {
    "vtkMRMLLabelMapVolumeNode": _("label map"),
    "vtkMRMLDiffusionWeightedVolumeNode": _("diffusion series"),
    "vtkMRMLTensorVolumeNode": _("vector or tensor volume"),  # vector, colour and diffusion tensor volumes are such
    "vtkMRMLMultiVolumeNode": _("4D volume"),
    "vtkMRMLSequenceNode": _("sequence"),
}
ACQUISITION_TRANSFORM = "acquisition transform"  # how Slicer's DICOM import ends the name of the one that it adds


def check_input(node: slicer.vtkMRMLNode | None) -> None:
    """Make sure that a node is a scalar 3D volume whose voxels lie on a regular grid.

    Raises:
        InputError: no node, one that was deleted, or voxels displaced by a non-linear transform.
        VolumeError: a label map, a vector, 4D or sequence volume, one without voxels, or with too few along an axis.
        GeometryError: a sheared or degenerate grid, or voxel sizes that Slicer's import has lost.
    """
    if node is None:
        raise InputError(_("Choose an input volume."))
    if node.GetScene() is None:
        raise InputError(_("{name} was deleted; choose a volume of the scene.").format(name=node.GetName()))
    _check_kind(node)
    if is_empty(node):
        raise VolumeError(_("{name} is empty: it has no voxels. Load it again.").format(name=node.GetName()))
    num_components = node.GetImageData().GetNumberOfScalarComponents()
    if num_components != 1:
        raise VolumeError(
            _("{name} has {count} numbers a voxel and one is needed; extract one component first.").format(
                name=node.GetName(), count=num_components
            )
        )
    _check_transform(node)
    try:
        check_affine(node_affine(node))
    except GeometryError as error:
        raise GeometryError(_("{name}: {problem}.").format(name=node.GetName(), problem=told(error))) from error
    _check_shape(node)
    check_spacing(node)


def is_empty(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a volume has no voxels."""
    return node.GetImageData() is None or node.GetImageData().GetNumberOfPoints() == 0


def spacing_warning(node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard, plane: str | None = None) -> str:
    """Return a sentence if the voxel spacing lies outside the range that the model was trained on, else nothing.

    Args:
        node: of the run.
        card: of its model.
        plane: axial, coronal or sagittal, the slices' nearest, as a person gave it; None leaves it to be found.
    """
    if card.enlarges_slices_only:
        return _slice_warning(node, card, plane)
    if card.covers(voxel_spacing(node_affine(node))):
        return ""
    low, high = card.spacing_range
    return _(
        "{name} has voxels of {sizes}; {model} was trained on {low:g} to {high:g} mm, so expect artefacts."
    ).format(
        name=node.GetName(),
        sizes=in_own_language(spacing_text(node_affine(node))),
        model=card.name,
        low=low,
        high=high,
    )


def _slice_warning(node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard, plane: str | None) -> str:
    """Return a sentence if pixels or slices are not like those of the training; no stack is told of elsewhere."""
    affine = node_affine(node)
    try:
        slices = find_slice_axis(affine, None if plane is None else axis_of_plane(affine, plane))
    except GeometryError:
        return ""
    values = {"name": node.GetName(), "model": card.name}
    if not card.covers(slices.in_plane):
        low, high = card.spacing_range
        return _(
            "{name} has pixels of {sizes} mm; {model} was trained on {low:g} to {high:g} mm, so expect artefacts."
        ).format(**values, sizes=_numbers(np.array(slices.in_plane)), low=low, high=high)
    if card.slice_spacing_range is not None and not card.covers_slices(slices.spacing):
        low, high = card.slice_spacing_range
        return _(
            "{name} has slices {spacing:.3g} mm apart; {model} was trained on {low:g} to {high:g} mm, so expect"
            " artefacts."
        ).format(**values, spacing=slices.spacing, low=low, high=high)
    return ""


def modality_warning(node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard) -> str:
    """Return a sentence if the volume is known to be of another modality than the model's, else nothing."""
    modality = modality_of(node)
    if card.fits_modality(modality):
        return ""
    return _("{name} is {modality}; {model} was trained on {trained}, so expect artefacts.").format(
        name=node.GetName(), modality=modality, model=card.name, trained=card.modality
    )


def field_of_view_note(input_node: slicer.vtkMRMLVolumeNode, reference_node: slicer.vtkMRMLVolumeNode) -> str:
    """Return a sentence if the HR reference covers another field of view in the world than the input, else nothing.

    A difference of up to one voxel of the input is none: so much the two grids differ at their edges.
    """
    ours, theirs = _world_bounds(input_node), _world_bounds(reference_node)
    names = {"reference": reference_node.GetName(), "input": input_node.GetName()}
    if (np.minimum(ours[1], theirs[1]) <= np.maximum(ours[0], theirs[0])).any():
        return _("The HR reference {reference} shows no part of the body that {input} shows.").format(**names)
    if np.abs(ours - theirs).max() <= max(input_node.GetSpacing()):
        return ""
    return _(
        "The HR reference {reference} covers {theirs} mm (left-right, front-back, head-foot), {input} {ours} mm, and"
        " their centres are {distance:.1f} mm apart; the comparison shows each in its place."
    ).format(
        **names,
        theirs=_numbers(theirs[1] - theirs[0]),
        ours=_numbers(ours[1] - ours[0]),
        distance=np.linalg.norm(theirs.mean(axis=0) - ours.mean(axis=0)),
    )


def node_affine(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the (4, 4) float64 map from voxel (I, J, K, 1) to RAS mm, without parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _check_kind(node: slicer.vtkMRMLNode) -> None:
    name = node.GetName()
    for class_name, kind in FORBIDDEN.items():
        if node.IsA(class_name):
            raise VolumeError(
                _("{name} is a {kind} and a scalar 3D volume is needed; choose another one.").format(
                    name=name, kind=kind
                )
            )
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise VolumeError(_("{name} is not a volume; choose a scalar 3D volume.").format(name=name))
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode", node.GetScene())
    if any(browser.IsProxyNodeID(node.GetID()) for browser in browsers):
        raise VolumeError(
            _(
                "{name} is one frame of a sequence and changes with it; clone the frame in the Data module first."
            ).format(name=name)
        )


def _check_shape(node: slicer.vtkMRMLVolumeNode) -> None:
    shape = node.GetImageData().GetDimensions()[::-1]
    if min(shape) < SMALLEST_AXIS:
        raise VolumeError(
            _(
                "{name} has {shape} and the network needs {smallest} at least along each axis; choose another volume."
            ).format(
                name=node.GetName(),
                shape=in_own_language(shape_text(shape, node_affine(node))),
                smallest=SMALLEST_AXIS,
            )
        )


def _check_transform(node: slicer.vtkMRMLVolumeNode) -> None:
    transform = node.GetParentTransformNode()
    while transform is not None and transform.IsLinear():
        transform = transform.GetParentTransformNode()
    if transform is None:
        return
    if ACQUISITION_TRANSFORM in transform.GetName():
        sentence = _(
            "{name} was loaded with an acquisition transform because its slices are uneven or tilted; harden it first"
            " (Data module, right click on the transform column, Harden transform), which resamples the volume to a"
            " regular grid."
        )
    else:
        sentence = _(
            "{name} is moved by the non-linear transform {transform}, so its voxels lie on no regular grid; harden it"
            " first (Data module, right click on the transform column, Harden transform)."
        )
    raise InputError(sentence.format(name=node.GetName(), transform=transform.GetName()))


def _world_bounds(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the lowest and highest R, A and S (2, 3) in mm of the voxels' outer faces, with parent transforms."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    return np.reshape(bounds, (3, 2)).T


def _numbers(values: np.ndarray) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
