"""One volume and what every method made of it, as the figures show it: columns, window and the box with most detail."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from SuperResolution3DLib.cli.figure import FigureRow
from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.metrics.foreground import foreground_box, measured_mask, otsu_threshold
from Training.evaluation.zoom_box import ZoomBox, detailed_box

CT_WINDOW = (0.0, 250.0)  # HU, as in the paper
VISIBLE_SHARE = 0.1  # of the window: more counts no more, or the border of the skull would beat all fine structure
WINDOW_PERCENTILES = (0.5, 99.9)  # of the HR's foreground


@dataclass(frozen=True, eq=False)
class FigureVolumes:
    """What Figure 2 shows of one volume; all arrays are canonical and in the unit of the HR."""

    hr: np.ndarray
    """(D, H, W)"""
    affine: np.ndarray
    """(4, 4), of the HR, maps voxel (I, J, K, 1) to RAS mm"""
    lr: np.ndarray
    """(D, H, W), enlarged trilinearly on the HR's grid"""
    methods: Mapping[str, np.ndarray]
    """by name, from left to right: (D, H, W) on the HR's grid"""
    modality: str = ""
    """"CT" is shown from 0 to 250 HU"""

    def __post_init__(self) -> None:
        for name, array in {"LR": self.lr, **self.methods}.items():
            if array.shape != self.hr.shape:
                raise GeometryError(
                    f"{name} has the shape {array.shape}, the HR {self.hr.shape} (head-foot, front-back, left-right)"
                )
            if not np.isfinite((array.min(), array.max())).all():
                raise VolumeError(f"{name} has voxels that are not finite")

    @property
    def is_ct(self) -> bool:
        return self.modality.split(" ")[0] == "CT"

    @cached_property
    def hr_row(self) -> FigureRow:
        return FigureRow("HR", self.hr, self.affine)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """LR, HR and the methods, from left to right."""
        return {"LR": self.lr, "HR": self.hr, **self.methods}

    @cached_property
    def window(self) -> tuple[float, float]:
        """What is black and what is white in all panels, in the unit of the HR."""
        if self.is_ct:
            return CT_WINDOW
        low, high = np.percentile(self.hr[foreground_box(self.hr)], WINDOW_PERCENTILES)
        return (float(low), float(high)) if low < high else (float(self.hr.min()), float(self.hr.max()))

    def box(self, side: float | None = None) -> ZoomBox:
        """Return the cube where HR and LR differ most, as far as the window shows it (see ``detailed_box``)."""
        low, high = self.window
        detail = np.abs(np.clip(self.hr, low, high).astype(np.float32) - np.clip(self.lr, low, high))
        np.minimum(detail, VISIBLE_SHARE * (high - low), out=detail)
        # What is black or white all over, such as bone in a soft tissue window, shows nothing but its border.
        shown = (self.hr > max(low, otsu_threshold(self.hr))) & (self.hr <= high) & measured_mask(self.hr)
        return detailed_box(self.hr_row, detail, shown, side)
