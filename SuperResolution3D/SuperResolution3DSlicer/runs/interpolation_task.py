"""The task of interpolating between thick slices in agreement with what they measured, where no model fits them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.slice_arguments import CONSISTENT
from SuperResolution3DLib.inference.slice_stack import SliceStack
from SuperResolution3DLib.volumes.sidecar import write_slice_sizes
from SuperResolution3DSlicer.runs.slice_words import planned, report_line
from SuperResolution3DSlicer.runs.volume_task import INPUT_ROLE
from SuperResolution3DSlicer.scene.checks import check_input
from SuperResolution3DSlicer.scene.nodes import add_result, check_output, read_result, replace_result, write_node
from SuperResolution3DSlicer.scene.placement import Placement
from SuperResolution3DSlicer.scene.slice_header import SliceHeader, stack_of


@dataclass
class Interpolation:
    """Interpolates between the slices of a volume; no network, so no torch."""

    input_node: slicer.vtkMRMLScalarVolumeNode
    slice_thickness: float | None = None
    """mm; None takes what the files say, else the slice spacing"""
    target_spacing: float | None = None
    """mm between slices; None is the pixel size, but 0.4 mm at least"""
    slice_plane: str | None = None
    """axial, coronal or sagittal, the slices' nearest; None leaves it to be found"""
    output_node: slicer.vtkMRMLScalarVolumeNode | None = None
    """replaced by the result; None makes a new node"""
    notes: list[str] = field(default_factory=list)
    _placement: Placement | None = None

    @property
    def title(self) -> str:
        return self.input_node.GetName()

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        return [self.input_node]

    def check(self) -> None:
        """Make sure that the run can be started.

        Raises:
            SuperResolutionError: a volume that cannot be used, no stack of slices, or impossible ones.
        """
        check_input(self.input_node)
        if self.output_node is not None:
            check_output(self.output_node, self.input_node)
        self.stack.target_spacing(self.target_spacing)

    @property
    def stack(self) -> SliceStack:
        """The input's slices.

        Raises:
            InputError: an impossible thickness, or no slice axis.
        """
        return stack_of(self.input_node, self.slice_thickness, self.slice_plane)

    def prepare(self, folder: Path) -> list[str]:
        """Write the volume and return the worker's command line, with names relative to the folder.

        Raises:
            SuperResolutionError: the volume cannot be used, or the disk is full.
        """
        self.check()
        self.notes.append(f"{report_line(self.input_node, planned(self.stack, self.target_spacing))}.")
        self._placement = Placement.of(self.input_node)
        write_node(self.input_node, folder / "input.nrrd")
        header = SliceHeader.of(self.input_node)
        write_slice_sizes(folder / "input.nrrd", header.slice_thickness, header.slice_spacing, header.slice_positions)
        given = {"slice-thickness": self.slice_thickness, "target-spacing": self.target_spacing}
        axis = [] if self.slice_plane is None else [f"--axis={self.stack.axis.letter}"]
        options = [f"--{name}={value:g}" for name, value in given.items() if value is not None]
        return ["interpolate", f"--method={CONSISTENT}", *options, *axis, "--events", "--", "input.nrrd", "result.nrrd"]

    def finish(self, folder: Path, report: Report | None) -> slicer.vtkMRMLScalarVolumeNode:
        """Add ``<input> interpolated`` to the scene.

        Raises:
            VolumeError: the worker's file is missing or cut short; the scene is unchanged.
        """
        read, input_node, node = read_result(folder / "result.nrrd"), self.input_node, self.output_node
        about = {"Kind": "interpolated", "Finished": datetime.now(UTC).isoformat(timespec="microseconds")}
        if node is None or node.GetScene() is None:
            node = add_result(read, _("{input} interpolated").format(input=self.title), input_node, about)
        else:
            replace_result(node, read, input_node, about)
        moved = self._placement.put(node, input_node)
        self.notes += [moved] if moved else []
        node.SetNodeReferenceID(INPUT_ROLE, input_node.GetID())
        return node
