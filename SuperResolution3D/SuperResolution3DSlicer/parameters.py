"""What a person has chosen in the panel; saved with the scene."""

from enum import Enum
from typing import Annotated

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Decimals, SingleStep, WithinRange, parameterNodeWrapper

from SuperResolution3DLib.job import DEFAULT_OVERLAP, SMALLEST_WINDOW

PUBLISHED_WINDOW = 24  # LR voxels


class DataConsistency(Enum):
    """Whether the result is compared with the measured input below the input's Nyquist frequency."""

    OFF = "off"
    CHECK = "check"
    PROJECT = "project"

    @staticmethod
    def label(value: "DataConsistency") -> str:
        return {
            DataConsistency.OFF: _("Off"),
            DataConsistency.CHECK: _("Check: report the residual"),
            DataConsistency.PROJECT: _("Project: put the measured low frequencies back"),
        }[value]


class Region(Enum):
    """How much of the input is computed."""

    WHOLE = "whole"
    ROI = "roi"

    @staticmethod
    def label(value: "Region") -> str:
        return {Region.WHOLE: _("Whole volume"), Region.ROI: _("Preview of a ROI")}[value]


class Tiling(Enum):
    """How the input is cut."""

    AUTOMATIC = "automatic"
    WINDOW = "window"

    @staticmethod
    def label(value: "Tiling") -> str:
        return {
            Tiling.AUTOMATIC: _("Automatic: as large as memory allows"),
            Tiling.WINDOW: _("Sliding window, as published"),
        }[value]


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
    overlap: Annotated[float, WithinRange(0.0, 0.9), Decimals(3), SingleStep(0.125)] = DEFAULT_OVERLAP
    zeroFilled: bool = True
