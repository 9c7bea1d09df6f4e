"""From what is chosen in the panel to what is asked for, or to the sentence that says why nothing can be."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError, SuperResolutionError
from SuperResolution3DLib.models.installed_models import InstalledModel, installed_models
from SuperResolution3DSlicer.panel.choices import Region, Tiling
from SuperResolution3DSlicer.panel.messages import with_full_stop
from SuperResolution3DSlicer.runs.interpolation_task import Interpolation
from SuperResolution3DSlicer.runs.low_resolution_task import LowResolution
from SuperResolution3DSlicer.runs.trust_request import why_no_trust_map
from SuperResolution3DSlicer.runs.volume_task import Request
from SuperResolution3DSlicer.scene.checks import field_of_view_note, is_empty, modality_warning, spacing_warning
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told
from SuperResolution3DSlicer.scene.nodes import is_result
from SuperResolution3DSlicer.scene.scan import scan_of

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


def requests_of(parameters: "Parameters", model: InstalledModel | None) -> list[Request]:
    """Return one request for each input, the first and the ticked ones; all have been checked.

    Raises:
        InputError: there is no model, or something chosen that cannot be used.
    """
    model = _chosen(model)
    in_windows = parameters.tiling == Tiling.WINDOW
    if parameters.region == Region.ROI and parameters.roi is None:
        raise InputError(_("Choose a ROI for the preview, or create one in its list."))
    further = [node for node in parameters.furtherInputs if node is not None and node is not parameters.inputVolume]
    output = parameters.outputVolume if not further else None  # several results cannot go into one volume
    if output is not None and output is parameters.referenceVolume:
        raise InputError(
            _("{name} is HR reference and output at once; choose another output.").format(name=output.GetName())
        )
    requests = [
        Request(
            node,
            model,
            parameters.device,
            parameters.dataConsistency.value,
            parameters.windowSize if in_windows else None,
            parameters.overlap if in_windows else None,
            parameters.roi if parameters.region == Region.ROI else None,
            output,
            parameters.zeroFilled,
            parameters.sliceThickness or None,
            parameters.targetSpacing or None,
            parameters.slices.plane,
            parameters.trustMap and not why_no_trust_map(model.card, of_region=parameters.region == Region.ROI),
        )
        for node in (parameters.inputVolume, *further)
    ]
    for request in requests:
        request.check()
    return requests


def interpolations_of(parameters: "Parameters") -> list[Interpolation]:
    """Return what is offered where no model fits a stack of thick slices: one for each input; none elsewhere."""
    scan = scan_of(parameters.inputVolume, parameters.slices.plane)
    if scan is None or scan.slices is None:
        return []
    further = [node for node in parameters.furtherInputs if node is not None and node is not parameters.inputVolume]
    return [
        Interpolation(
            node,
            parameters.sliceThickness or None,
            parameters.targetSpacing or None,
            parameters.slices.plane,
            None if further else parameters.outputVolume,
        )
        for node in (parameters.inputVolume, *further)
    ]


def why_not(
    parameters: "Parameters | None", model: InstalledModel | None, interpolations: Sequence[Interpolation] = ()
) -> str:
    """Return why nothing can be run, neither the model nor what is offered instead; "" when it can."""
    if parameters is None:
        return _("The scene is being closed.")
    try:
        for interpolation in interpolations:
            interpolation.check()
        if not interpolations:
            requests_of(parameters, model)
    except SuperResolutionError as error:
        return told(error)
    return ""


def why_no_low_resolution(parameters: "Parameters | None", model: InstalledModel | None) -> str:
    """Return why the input cannot be degraded, in one sentence; "" when it can."""
    if parameters is None:
        return _("The scene is being closed.")
    try:
        if parameters.inputVolume is None:
            raise InputError(_("Choose an input volume."))
        LowResolution(parameters.inputVolume, _chosen(model).card, parameters.slices.plane).check()
    except SuperResolutionError as error:
        return told(error)
    return ""


def notes(requests: list[Request], parameters: "Parameters") -> list[str]:
    """Return what a person should know before the run."""
    warnings = [
        warning
        for request in requests
        for warning in (
            modality_warning(request.input_node, request.card),
            spacing_warning(request.input_node, request.card, request.slice_plane),
        )
    ]
    found = [warning for warning in warnings if warning]
    found += stack_notes(requests)
    if parameters.referenceVolume is not None:
        found += _reference_notes(parameters.inputVolume, parameters.referenceVolume)
    if len(requests) > 1 and parameters.outputVolume is not None:
        found.append(_("Several inputs are ticked: each gets a new output volume."))
    return found


def stack_notes(runs: Sequence[Request | Interpolation]) -> list[str]:
    """Return what a person should know of what is taken for the slices."""
    warnings = [warned for run in runs if (stack := run.stack) for warned in stack.warnings]
    return [with_full_stop(in_own_language(warned)) for warned in warnings]


def _chosen(model: InstalledModel | None) -> InstalledModel:
    if model is None:
        if not any(installed.card for installed in installed_models()):
            raise InputError(_("No model is installed: use Add model file..."))
        raise InputError(_("Choose a model in the list: none is chosen automatically for this volume."))
    return model


def _reference_notes(input_node: slicer.vtkMRMLVolumeNode, reference_node: slicer.vtkMRMLVolumeNode) -> list[str]:
    name = reference_node.GetName()
    if reference_node is input_node:
        return [_("{name} is input and HR reference at once; choose another reference.").format(name=name)]
    if is_empty(reference_node):
        return [_("The HR reference {name} is empty: it has no voxels.").format(name=name)]
    found = [field_of_view_note(input_node, reference_node)]
    if is_result(reference_node):
        found.append(_("The HR reference {name} was computed here, not measured.").format(name=name))
    return [note for note in found if note]
