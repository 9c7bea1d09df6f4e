"""The unit in which a person reads how far voxels are off: HU of CT, else percent of the LR's intensity range."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DSlicer.scene.modality import modality_of

SAMPLED_VOXELS = 1_000_000  # are enough for a percentile


def unit_name(lr_node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return the unit as a legend writes it."""
    return _("HU") if _is_ct(lr_node) else _("% of the range")


def in_unit(lr_node: slicer.vtkMRMLScalarVolumeNode) -> float:
    """Return what a difference of 1 in the scan's own unit is in the unit."""
    return 1.0 if _is_ct(lr_node) else 100 / _intensity_range(lr_node)


def share_text(share: float, lr_node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return a share of the intensity range in the unit: ``5 % of the range``, ``75 HU``."""
    if _is_ct(lr_node):
        return _("{value:.3g} HU").format(value=share * _intensity_range(lr_node))
    return _("{value:.3g} % of the range").format(value=100 * share)


def _is_ct(node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    return modality_of(node) == "CT"


def _intensity_range(lr_node: slicer.vtkMRMLScalarVolumeNode) -> float:
    """Return the range that bounds and residuals are told in percent of, in the scan's own unit; never 0."""
    lr, policy = slicer.util.arrayFromVolume(lr_node), IntensityPolicy()
    step = int(np.ceil((lr.size / SAMPLED_VOXELS) ** (1 / 3)))
    low, high = np.percentile(lr[::step, ::step, ::step], [policy.low, policy.high])
    return float(high - low) or float(np.ptp(lr)) or 1.0
