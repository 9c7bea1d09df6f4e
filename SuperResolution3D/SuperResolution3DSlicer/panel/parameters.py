"""What a person has chosen in the panel; saved with the scene.

Needs the classes of the module Markups, so it is imported when a parameter node is asked for, not when Slicer reads the
modules, which it does in any order.
"""

from typing import Annotated, Any

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import SlicerParameterNamePropertyName, WithinRange, parameterNodeWrapper

from SuperResolution3DLib.cli.super_resolve_job import DEFAULT_OVERLAP
from SuperResolution3DLib.inference.sliding_window import SMALLEST_WINDOW
from SuperResolution3DSlicer.panel.choices import PUBLISHED_WINDOW, DataConsistency, Region, Slices, Tiling

LARGEST_MM = 100.0  # of a slice or between two


@parameterNodeWrapper
class Parameters:
    """The module's parameter node."""

    inputVolume: vtkMRMLScalarVolumeNode
    furtherInputs: list[vtkMRMLScalarVolumeNode]
    referenceVolume: vtkMRMLScalarVolumeNode
    outputVolume: vtkMRMLScalarVolumeNode
    model: str = ""
    device: str = "auto"
    region: Region = Region.WHOLE
    roi: vtkMRMLMarkupsROINode
    dataConsistency: DataConsistency = DataConsistency.CHECK
    tiling: Tiling = Tiling.AUTOMATIC
    windowSize: Annotated[int, WithinRange(SMALLEST_WINDOW, 128)] = PUBLISHED_WINDOW
    overlap: Annotated[float, WithinRange(0.0, 0.9)] = DEFAULT_OVERLAP
    zeroFilled: bool = True
    slices: Slices = Slices.AUTOMATIC
    trustMap: bool = False
    sliceThickness: Annotated[float, WithinRange(0.0, LARGEST_MM)] = 0.0  # mm; 0: what the files say
    targetSpacing: Annotated[float, WithinRange(0.0, LARGEST_MM)] = 0.0  # mm; 0: automatic

    def connect_widgets(self, ui: Any) -> int:
        """Tie all widgets that name a parameter to it, and return the tag to disconnect with.

        ``connectGui`` does the same and does not return its tag, so that widgets would stay tied for ever.
        """
        widgets = [(widget.property(SlicerParameterNamePropertyName), widget) for widget in vars(ui).values()]
        return self.connectParametersToGui({name: widget for name, widget in widgets if name})
