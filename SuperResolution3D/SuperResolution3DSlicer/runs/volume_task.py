"""The task of super-resolving one volume of the scene."""

from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.super_resolve_job import DEFAULT_OVERLAP, Job
from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.forward.slice_axis import axis_of_plane, why_not_enlarged, why_not_even
from SuperResolution3DLib.inference.memory_plan import tail_halo
from SuperResolution3DLib.inference.slice_stack import SliceStack
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.volumes.sidecar import write_slice_sizes
from SuperResolution3DSlicer.comparison.difference import renew_differences
from SuperResolution3DSlicer.comparison.trust_map import add_trust_map, remove_trust_map
from SuperResolution3DSlicer.forecast.plan import Plan
from SuperResolution3DSlicer.runs.report import attributes
from SuperResolution3DSlicer.runs.trust_request import why_no_trust_map
from SuperResolution3DSlicer.scene.checks import check_input, node_affine
from SuperResolution3DSlicer.scene.modality import modality_of
from SuperResolution3DSlicer.scene.nodes import (
    ATTRIBUTE_PREFIX,
    add_result,
    check_output,
    read_result,
    replace_result,
    result_name,
    write_node,
)
from SuperResolution3DSlicer.scene.placement import Placement
from SuperResolution3DSlicer.scene.roi import region_of_roi
from SuperResolution3DSlicer.scene.slice_header import SliceHeader, stack_of
from SuperResolution3DSlicer.scene.slice_places import uneven_positions

INPUT_ROLE = "SuperResolution3D.Input"
ZERO_FILLED_ROLE = "SuperResolution3D.ZeroFilled"


@dataclass(frozen=True)
class Request:
    """What a person or a script asks for."""

    input_node: slicer.vtkMRMLScalarVolumeNode
    model: InstalledModel
    device: str = "auto"
    data_consistency: str = "check"
    window: int | None = None
    overlap: float | None = None
    roi_node: "slicer.vtkMRMLMarkupsROINode | None" = None
    """compute only what it holds"""
    output_node: slicer.vtkMRMLScalarVolumeNode | None = None
    """replaced by the result; None makes a new node"""
    with_zero_filled: bool = False
    """also add the zero-filled volume, or the interpolated one, which the comparison subtracts"""
    slice_thickness: float | None = None
    """mm, for a model for thick slices; None takes what the files say, else the slice spacing"""
    target_spacing: float | None = None
    """mm between slices, for such a model; None is the pixel size, but 0.4 mm at least"""
    slice_plane: str | None = None
    """axial, coronal or sagittal, the slices' nearest, for such a model; None leaves it to be found"""
    with_trust_map: bool = False
    """also add where the estimate may be off; the result is then the mean over mirror images"""

    @property
    def card(self) -> ModelCard:
        if self.model.card is None:
            raise InputError(self.model.problem)
        return self.model.card

    def check(self) -> None:
        """Make sure that the run can be started.

        Raises:
            InputError: an input, an output, a ROI or settings that cannot be used.
        """
        tail_halo(self.card)  # refuses a network that this program does not have
        check_input(self.input_node)
        self._check_grid()
        if self.output_node is not None:
            check_output(self.output_node, self.input_node)
        if self.with_trust_map and (why := why_no_trust_map(self.card, of_region=self.roi_node is not None)):
            raise InputError(why)
        if self.roi_node is not None and self.data_consistency == "project":
            raise InputError(
                _(
                    "The measured frequencies are those of the whole volume: choose another data consistency than"
                    " Project for a preview, or the whole volume."
                )
            )
        stack = self.stack
        if stack is not None and self.window is not None:
            raise InputError(
                _("{model} is for thick slices and does not run in windows: choose automatic tiles.").format(
                    model=self.card.name
                )
            )
        if stack is not None:
            stack.target_spacing(self.target_spacing)
        self.job()

    def _check_grid(self) -> None:
        if self.card.enlarges_slices_only:
            return
        name, positions = self.card.name, uneven_positions(self.input_node)
        why_enlarged = why_not_enlarged(node_affine(self.input_node), self.card.scale, name)
        if why := why_enlarged or why_not_even(positions, name):
            raise GeometryError(why)

    @property
    def stack(self) -> SliceStack | None:
        """The input's slices, where the model computes what lies between them.

        Raises:
            InputError: an impossible thickness, or no slice axis.
        """
        if not self.card.enlarges_slices_only:
            return None
        return stack_of(self.input_node, self.slice_thickness, self.slice_plane)

    def job(self) -> Job:
        """Return the worker's job; the names of its volumes are relative to the folder in which it works.

        Raises:
            InputError: a setting that no run can use, or a ROI outside the volume.
        """
        is_axis_given = self.card.enlarges_slices_only and self.slice_plane is not None
        return Job(
            Path("input.nrrd"),
            Path("result.nrrd"),
            model=str(self.model.path),
            device=self.device,
            window=self.window,
            overlap=None if self.window is None else self.overlap,
            data_consistency=self.data_consistency,
            zero_filled=Path("zero-filled.nrrd") if self.with_zero_filled else None,
            trust_map=Path("trust-map.nrrd") if self.with_trust_map else None,
            region=None if self.roi_node is None else region_of_roi(self.input_node, self.roi_node),
            modality=modality_of(self.input_node) or None,
            slice_thickness=self.slice_thickness if self.card.enlarges_slices_only else None,
            target_spacing=self.target_spacing if self.card.enlarges_slices_only else None,
            axis=axis_of_plane(node_affine(self.input_node), self.slice_plane) if is_axis_given else None,
            events=True,
        )

    def plan(self, num_inputs: int = 1) -> Plan:
        """Return what the forecast needs to know."""
        image, job = self.input_node.GetImageData(), self.job()
        k, j, i = reversed(image.GetDimensions())
        return Plan(
            self.card,
            (k, j, i),
            node_affine(self.input_node),
            image.GetScalarSize(),
            job.region,
            job.window,
            DEFAULT_OVERLAP if job.overlap is None else job.overlap,
            self.with_zero_filled,
            num_inputs,
            self.stack,
            self.target_spacing,
            self.with_trust_map,
        )


class SuperResolution:
    """Super-resolves a volume: node -> file -> worker -> node beside the input."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.title = request.input_node.GetName()
        self.notes: list[str] = []
        self._placement: Placement | None = None

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        return [self.request.input_node]

    def prepare(self, folder: Path) -> list[str]:
        """Write the input and return the worker's command line, with names relative to the folder.

        Raises:
            InputError: the request cannot be run.
            OutputError: the disk is full.
        """
        self.request.check()
        job = self.request.job()
        self._placement = Placement.of(self.request.input_node)
        write_node(self.request.input_node, folder / job.input)
        header = SliceHeader.of(self.request.input_node)
        write_slice_sizes(folder / job.input, header.slice_thickness, header.slice_spacing, header.slice_positions)
        return job.to_arguments()

    def finish(self, folder: Path, report: Report) -> slicer.vtkMRMLScalarVolumeNode:
        """Add the result to the scene, and the zero-filled volume and the trust map if they were asked for.

        The difference volume of a result that is replaced would be that of other voxels: it is computed anew.

        Raises:
            VolumeError: the worker's file is missing or cut short; the scene is unchanged.
        """
        input_node, output_node = self.request.input_node, self._output_node()
        about = attributes(report)
        read = read_result(folder / "result.nrrd")  # all are read before the scene is changed
        zero_filled = read_result(folder / "zero-filled.nrrd") if self.request.with_zero_filled else None
        trust_map = read_result(folder / "trust-map.nrrd") if self.request.with_trust_map else None
        zero_filled_node = None if zero_filled is None else self._take_zero_filled(zero_filled)
        if output_node is None:
            node = add_result(read, self._name(result_name(input_node.GetName(), report.scale)), input_node, about)
        else:
            replace_result(output_node, read, input_node, about)
            node = output_node
        trust_map_node = self._take_trust_map(node, trust_map)
        for added in filter(None, (trust_map_node, zero_filled_node, node)):
            moved = self._placement.put(added, input_node)
        self.notes += [moved] if moved else []
        node.SetNodeReferenceID(INPUT_ROLE, input_node.GetID())
        node.SetNodeReferenceID(ZERO_FILLED_ROLE, zero_filled_node.GetID() if zero_filled_node else None)
        renew_differences(node, zero_filled_node, input_node)
        return node

    def _output_node(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the volume to be replaced; None makes a new one, also where the chosen one was deleted meanwhile."""
        node = self.request.output_node
        return None if node is None or node.GetScene() is None else node

    def _take_zero_filled(self, read: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
        """Put the zero-filled volume into that of the result which is replaced, or into a new one."""
        input_node, output_node = self.request.input_node, self._output_node()
        about = {"Kind": "interpolated" if self.request.card.enlarges_slices_only else "zero-filled"}
        template = _("{input} interpolated") if self.request.card.enlarges_slices_only else _("{input} zero-filled")
        name = self._name(template.format(input=input_node.GetName()))
        node = None if output_node is None else output_node.GetNodeReference(ZERO_FILLED_ROLE)
        if node is None or node is input_node:  # somebody may super-resolve it in its turn
            return add_result(read, name, input_node, about)
        replace_result(node, read, input_node, about)
        if name not in (node.GetName(), node.GetName().rpartition("_")[0]):  # of another input, or of a preview
            node.SetName(node.GetScene().GenerateUniqueName(name))
        return node

    def _take_trust_map(
        self, node: slicer.vtkMRMLScalarVolumeNode, read: slicer.vtkMRMLScalarVolumeNode | None
    ) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Put the trust map into that of the result which is replaced, or into a new one; an old one goes."""
        input_node, card = self.request.input_node, self.request.card
        if read is None:
            remove_trust_map(node, input_node)
            return None
        return add_trust_map(node, read, input_node, TrustCalibration.required(card.trust, card.name).bound)

    def _name(self, name: str) -> str:
        return name if self.request.roi_node is None else _("{name} preview").format(name=name)


def is_preview(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a result is one of a region alone."""
    return bool(node.GetAttribute(f"{ATTRIBUTE_PREFIX}Region"))


def latest_result(input_node: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the volume that was last computed from a volume, None if there is none in the scene.

    A preview counts only where the whole volume was never computed.
    """
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", input_node.GetScene())
    results = [node for node in nodes if node.GetNodeReference(INPUT_ROLE) is input_node]
    results.sort(key=lambda node: (not is_preview(node), node.GetAttribute(f"{ATTRIBUTE_PREFIX}Finished") or ""))
    return results[-1] if results else None
