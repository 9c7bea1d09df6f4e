"""The nodes that are chosen in the panel, any change of which it has to show."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
import vtk

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


class ChosenNodes:
    """Follows a parameter node and the nodes that it names."""

    def __init__(self, on_change: Callable[..., None]) -> None:
        self._on_change = on_change
        self._observations: list[tuple[vtk.vtkObject, int]] = []

    def watch(self, parameters: "Parameters | None") -> None:
        """Follow the parameters and the nodes that are chosen now, and no others any more."""
        self.let_go()
        if parameters is None:
            return
        moved = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        changed = vtk.vtkCommand.ModifiedEvent
        watched = [(parameters.parameterNode, changed)]
        watched += [
            (node, event)
            for node in (parameters.inputVolume, *parameters.furtherInputs, parameters.referenceVolume, parameters.roi)
            if node is not None
            for event in (changed, moved)
        ]
        self._observations = [(node, node.AddObserver(event, self._on_change)) for node, event in watched]

    def let_go(self) -> None:
        for node, tag in self._observations:
            node.RemoveObserver(tag)
        self._observations.clear()
