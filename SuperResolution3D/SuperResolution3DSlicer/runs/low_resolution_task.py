"""The task of simulating a low-resolution volume, with the original as its HR reference."""

from collections.abc import Iterable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.inference.sliding_window import SMALLEST_AXIS
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.geometry import Orientation, Scale
from SuperResolution3DSlicer.scene.checks import check_input, node_affine
from SuperResolution3DSlicer.scene.nodes import add_result, read_result, write_node
from SuperResolution3DSlicer.scene.placement import Placement


class LowResolution:
    """Degrades a volume through k-space by the scale of a model."""

    def __init__(self, input_node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard) -> None:
        self.input_node = input_node
        self.card = card
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
        sizes, factors = self.input_node.GetImageData().GetDimensions(), self._scale_in_file()[::-1]  # both I, J, K
        if any(size // factor < SMALLEST_AXIS for size, factor in zip(sizes, factors, strict=True)):
            raise VolumeError(
                _(
                    "{name} has {sizes} voxels (columns, rows, slices) and degrading by the factors {factors} of"
                    " {model} needs {needed} at least; choose another volume."
                ).format(
                    name=self.title,
                    sizes=_by(sizes),
                    factors=_by(factors),
                    model=self.card.name,
                    needed=_by(SMALLEST_AXIS * factor for factor in factors),
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
            f"--scale={','.join(map(str, self._scale_in_file()))}",
            f"--grid={self.card.grid}",
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
        about = {"Kind": "simulated LR", "Grid": self.card.grid, "Scale": " ".join(map(str, self.card.scale))}
        read = read_result(folder / "result.nrrd")
        node = add_result(read, name, self.input_node, about)
        moved = self._placement.put(node, self.input_node)
        self.notes += [moved] if moved else []
        return node

    def _scale_in_file(self) -> Scale:
        """Return the factor per axis (K, J, I) of the volume."""
        return Orientation.of(node_affine(self.input_node)).scale_to_file(self.card.scale)


def _by(values: Iterable[int]) -> str:
    return " x ".join(map(str, values))
