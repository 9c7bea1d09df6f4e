"""Colours of this module's own, as a colour table of the scene that is made once for all volumes."""

from collections.abc import Iterable

import slicer


def color_table(
    scene: slicer.vtkMRMLScene, name: str, colors: Iterable[tuple[str, float, float, float, float]]
) -> slicer.vtkMRMLColorTableNode:
    """Return the scene's colour table of a name; it is made where there is none yet.

    Args:
        scene: whose table it is.
        name: of the table.
        colors: label, red, green, blue and opacity (0 to 1) of each colour, from the lowest value on.
    """
    node = scene.GetFirstNodeByName(name)
    if node is not None and node.IsA("vtkMRMLColorTableNode"):
        return node
    colors = list(colors)
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    for number, color in enumerate(colors):
        node.SetColor(number, *color)
    return scene.AddNode(node)
