"""What a person can choose among in the panel."""

from enum import Enum

from slicer.i18n import tr as _

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
            DataConsistency.CHECK: _("Check: say how far the result agrees with the scan"),
            DataConsistency.PROJECT: _("Project: put the measured frequencies back"),
        }[value]


class Region(Enum):
    """How much of the input is computed."""

    WHOLE = "whole"
    ROI = "roi"

    @staticmethod
    def label(value: "Region") -> str:
        return {Region.WHOLE: _("Whole volume"), Region.ROI: _("Preview of a ROI")}[value]


class Slices(Enum):
    """Along which of the body's directions the thick slices lie, told by their plane."""

    AUTOMATIC = "automatic"
    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"

    @property
    def plane(self) -> str | None:
        """What a person says of it; None leaves it to be found."""
        return None if self is Slices.AUTOMATIC else self.value

    @staticmethod
    def label(value: "Slices") -> str:
        return {
            Slices.AUTOMATIC: _("Automatic"),
            Slices.AXIAL: _("Axial"),
            Slices.CORONAL: _("Coronal"),
            Slices.SAGITTAL: _("Sagittal"),
        }[value]


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
