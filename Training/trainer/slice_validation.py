"""Validation between thick slices: every volume is degraded to slices of its own, always the same, and scored whole.

Three spacings, three slice axes and a gap of a fifth go around the volumes, so a few of them stand for all.
"""

from itertools import product

import numpy as np

from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.forward.axis_product import multiply_axes
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.training_volume import TrainingVolume
from Training.trainer.validation import Validation, Views

LARGEST_PLANE = 160  # pixels; the middle of a larger plane is scored
SCANS = tuple(product((4.0, 3.0, 6.0), (0.0, 0.2)))  # slice spacing in HR voxels, gap as a share of it


class SliceValidation(Validation):
    """Scores weights on the validation volumes, as thick slices."""

    def _super_resolved(
        self, volume: TrainingVolume, model: Model, settings: EngineSettings, monitor: Monitor
    ) -> Views:
        hr, profile = self._hr(volume), self._profile(volume)
        lr = multiply_axes(hr.astype(np.float64), [profile.matrix(), None, None])
        to_network = IntensityPolicy(**self.card.intensity).fit(lr)
        lr = to_network.to_network(lr)
        interpolation = Slices(profile, DEFAULT_NOISE).interpolation(profile.lr_size)
        sr = SliceEngine(model, SliceGrid(profile, self._pixel(volume)), settings, monitor).run(lr)
        interpolated = multiply_axes(lr, [interpolation, None, None])
        return Views(interpolated, sr, hr, to_network.offset, to_network.width)

    def _hr(self, volume: TrainingVolume) -> np.ndarray:
        """Return what is scored: the slice axis first, the middle of the plane, the voxels that slices stand for."""
        axis = self._number(volume) % 3
        hr = np.moveaxis(np.asarray(volume.hr[:]), axis, 0)
        rows, columns = (_middle(size, LARGEST_PLANE) for size in hr.shape[1:])
        _, kept = self._scan(volume)
        return hr[kept, rows, columns]

    def _profile(self, volume: TrainingVolume) -> SliceProfile:
        return self._scan(volume)[0]

    def _scan(self, volume: TrainingVolume) -> tuple[SliceProfile, slice]:
        number = self._number(volume)
        spacing, gap = SCANS[number % len(SCANS)]
        return SliceProfile.over_volume("gaussian", spacing * (1 - gap), spacing, volume.hr.shape[number % 3], 1.0)

    def _pixel(self, volume: TrainingVolume) -> float:
        """Return the spacing within the plane in voxels along the slice axis."""
        axis = self._number(volume) % 3
        return float(np.mean(np.delete(volume.spacing, axis))) / volume.spacing[axis]

    def _number(self, volume: TrainingVolume) -> int:
        return [each.name for each in self.volumes].index(volume.name)


def _middle(size: int, most: int) -> slice:
    start = max((size - most) // 2, 0)
    return slice(start, start + min(size, most))
