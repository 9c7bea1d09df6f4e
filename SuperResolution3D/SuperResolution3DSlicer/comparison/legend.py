"""The legend that a slice view draws where it shows a volume: what its colours mean, and in which unit."""

import slicer

# Shares of the view, at its right edge: in the middle, and of one colour in the upper corner.
POSITION, SIZE = (0.97, 0.5), (0.12, 0.55)
POSITION_OF_ONE_COLOR, SIZE_OF_ONE_COLOR = (0.97, 0.95), (0.12, 0.25)
NUM_LABELS = 5


def show_legend(node: slicer.vtkMRMLScalarVolumeNode, title: str, label_format: str | None = None) -> None:
    """Give a volume a legend; a second call changes the one that it has.

    Args:
        node: with a display node, whose colours and window the legend shows.
        title: what the colours mean.
        label_format: of the numbers beside the colours, as printf's; None: there is one colour and no number.
    """
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    with slicer.util.NodeModify(legend):
        legend.SetTitleText(title)
        legend.SetPosition(POSITION_OF_ONE_COLOR if label_format is None else POSITION)
        legend.SetSize(SIZE_OF_ONE_COLOR if label_format is None else SIZE)
        legend.SetVisibility3D(False)
        legend.SetUseColorNamesForLabels(False)
        legend.SetNumberOfLabels(0 if label_format is None else NUM_LABELS)
        legend.SetLabelFormat(label_format or legend.GetDefaultNumericLabelFormat())


def redraw_legend(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Draw a volume's legend in all views that show it.

    A view draws only those legends that were added to the scene since it is there, so the legend is added anew.
    """
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if legend is None:
        return
    scene = node.GetScene()
    scene.RemoveNode(legend)
    scene.AddNode(legend)
    legend.SetAndObservePrimaryDisplayNode(node.GetDisplayNode())
    node.AddAndObserveDisplayNodeID(legend.GetID())
    update_legend(node)


def update_legend(node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Let the views ask anew whether they show a volume: of a change that no person made they are not told."""
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if legend is not None:
        legend.Modified()
