"""The task of simulating a low-resolution volume, with the original as its HR reference."""

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.geometry import Orientation
from SuperResolution3DLib.model_card import ModelCard

from .volume_checks import check_input, node_affine
from .volume_nodes import add_result, read_result, write_node


class LowResolution:
    """Degrades a volume through k-space by the scale of a model."""

    def __init__(self, input_node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard) -> None:
        self.input_node = input_node
        self.card = card
        self.title = input_node.GetName()

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        return [self.input_node]

    def prepare(self, folder: Path) -> list[str]:
        """Write the volume and return the worker's command line.

        Raises:
            InputError: the volume cannot be used.
            OutputError: the disk is full.
        """
        check_input(self.input_node)
        write_node(self.input_node, folder / "input.nrrd")
        scale = Orientation.of(node_affine(self.input_node)).scale_to_file(self.card.scale)
        return [
            "degrade",
            f"--scale={','.join(map(str, scale))}",
            f"--grid={self.card.grid}",
            "--events",
            "--",
            str(folder / "input.nrrd"),
            str(folder / "result.nrrd"),
        ]

    def finish(self, folder: Path, report: dict[str, Any]) -> slicer.vtkMRMLScalarVolumeNode:
        """Add ``<input> LR`` to the scene.

        Raises:
            VolumeError: the worker's file is missing or cut short; the scene is unchanged.
        """
        name = _("{input} LR").format(input=self.input_node.GetName())
        about = {"Kind": "simulated LR", "Grid": self.card.grid, "Scale": " ".join(map(str, self.card.scale))}
        return add_result(read_result(folder / "result.nrrd"), name, self.input_node, about)
