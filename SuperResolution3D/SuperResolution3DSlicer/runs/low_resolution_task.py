"""The task of simulating a low-resolution volume, with the original as its HR reference."""

import math
from collections.abc import Iterable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.forward.slice_axis import AXES, axis_of_plane, find_slice_axis
from SuperResolution3DLib.inference.sliding_window import SMALLEST_AXIS
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.body_axes import BodyAxes, shape_text
from SuperResolution3DLib.volumes.geometry import Orientation, voxel_spacing
from SuperResolution3DSlicer.scene.checks import check_input, node_affine
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.nodes import add_result, read_result, write_node
from SuperResolution3DSlicer.scene.placement import Placement

THICK_VOXELS = 4  # of an HR volume, that a simulated slice stands for


class LowResolution:
    """Degrades a volume as a model expects it: through k-space by its scale, or into thick slices."""

    def __init__(self, input_node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard, plane: str | None = None) -> None:
        """Take the HR volume, the model, and the plane of the slices to be made; None leaves it to be found."""
        self.input_node = input_node
        self.card = card
        self._plane = plane
        self.title = input_node.GetName()
        self.notes: list[str] = []
        self._placement: Placement | None = None

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        return [self.input_node]

    def check(self) -> None:
        """Make sure that the volume can be degraded, and to one that the network takes.

        Raises:
            SuperResolutionError: a volume that cannot be used, or whose LR would be too small along an axis.
        """
        check_input(self.input_node)
        sizes, factors = self.input_node.GetImageData().GetDimensions()[::-1], self._factors()  # both K, J, I
        if any(size // factor < SMALLEST_AXIS for size, factor in zip(sizes, factors, strict=True)):
            affine = node_affine(self.input_node)
            axes = BodyAxes.of(affine)
            raise VolumeError(
                _(
                    "{name} has {shape}, and to degrade it by the factors {factors} of {model} it needs {needed} at"
                    " least; choose another volume."
                ).format(
                    name=self.title,
                    shape=in_own_language(shape_text(sizes, affine)),
                    factors=axes.by(factors),
                    model=self.card.name,
                    needed=axes.by([math.ceil(SMALLEST_AXIS * factor) for factor in factors]),
                )
            )

    def prepare(self, folder: Path) -> list[str]:
        """Write the volume and return the worker's command line, with names relative to the folder.

        Raises:
            SuperResolutionError: the volume cannot be used, or the disk is full.
        """
        self.check()
        self._placement = Placement.of(self.input_node)
        write_node(self.input_node, folder / "input.nrrd")
        return [
            "degrade",
            *self._degradation(),
            "--events",
            "--",
            "input.nrrd",
            "result.nrrd",
        ]

    def finish(self, folder: Path, report: Report | None) -> slicer.vtkMRMLScalarVolumeNode:
        """Add ``<input> LR`` to the scene.

        Raises:
            VolumeError: the worker's file is missing or cut short; the scene is unchanged.
        """
        name = _("{input} LR").format(input=self.input_node.GetName())
        about = {"Kind": "simulated LR", "Grid": self.card.grid, "Scale": _by(self._factors(), " ")}
        if self.card.enlarges_slices_only:
            about["SliceThickness"] = f"{self._slices()[1]:.6g}"
        read = read_result(folder / "result.nrrd")
        node = add_result(read, name, self.input_node, about)
        moved = self._placement.put(node, self.input_node)
        self.notes += [moved] if moved else []
        return node

    def _factors(self) -> tuple[float, float, float]:
        """Return the factor per axis (K, J, I) of the volume."""
        affine = node_affine(self.input_node)
        if not self.card.enlarges_slices_only:
            return Orientation.of(affine).scale_to_file(self.card.scale)
        axis, spacing = self._slices()
        k, j, i = (spacing / size if axis == index else 1.0 for index, size in enumerate(voxel_spacing(affine)))
        return k, j, i

    def _degradation(self) -> list[str]:
        """Return the worker's options; slices are as thick as they lie apart."""
        if not self.card.enlarges_slices_only:
            return [f"--scale={_by(self._factors(), ',')}", f"--grid={self.card.grid}"]
        axis, spacing = self._slices()
        return [f"--slice-spacing={spacing:.6g}", f"--axis={AXES[axis]}"]

    def _slices(self) -> tuple[int, float]:
        """Return the axis of the slices to be made (0, 1, 2 for K, J, I) and their spacing in mm.

        They are four voxels apart, or as near to that as the model was trained on: in the plane that was given, else
        along the axis whose spacing stands out, else axial.
        """
        affine = node_affine(self.input_node)
        given = None if self._plane is None else axis_of_plane(affine, self._plane)
        try:
            axis = find_slice_axis(affine, given).axis
        except GeometryError:
            axis = Orientation.of(affine).order[0]
        low, high = self.card.slice_spacing_range or (0.0, math.inf)
        return axis, min(max(THICK_VOXELS * voxel_spacing(affine)[axis], low), high)


def _by(values: Iterable[float], sign: str = " x ") -> str:
    return sign.join(f"{value:.3g}" for value in values)
