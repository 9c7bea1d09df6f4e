"""What a calibration knows of a volume: the signals of its voxels, and how far the estimate is truly off."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.kspace import project
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.trust.caution import signals
from SuperResolution3DLib.inference.trust.ensemble import run_ensemble
from SuperResolution3DLib.metrics.foreground import foreground_box, measured_mask
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.models.trust_calibration import SIGNALS
from Training.evaluation.held_out import HeldOutVolume
from Training.evaluation.methods import ModelMethod
from Training.evaluation.subject import subject_mask

SAMPLES = 100_000  # voxels of a volume; a share of 0.1 is then known to 0.002


@dataclass(frozen=True, eq=False)
class TrustSamples:
    """Voxels of one volume, drawn at random."""

    file: str
    signals: np.ndarray
    """(N, 4) float32, network units, of the voxels that show the subject"""
    errors: np.ndarray
    """(N,) float32, distance of the estimate from the HR, as a share of the intensity range"""
    around: tuple[np.ndarray, np.ndarray]
    """(M, 4) signals and (M,) errors of the voxels in the box around the subject, air included"""

    def rank_correlation(self, caution: np.ndarray) -> float:
        """Return Spearman's rank correlation of the subject's cautions (N,) with the errors."""
        return float(spearmanr(caution, self.errors).statistic)


def trust_samples(volume: HeldOutVolume, method: ModelMethod, companion: Model) -> TrustSamples:
    """Super-resolve a degraded volume as a trust map needs it, and compare the result with the HR.

    The error of a voxel is the larger one of the result as it is and of the projected one, so that what is calibrated
    holds for both.

    Raises:
        VolumeError: nothing of a subject is there.
    """
    lr_measured = volume.lr(method.grid)
    to_network = method.model.intensity.fit(lr_measured)
    lr, hr = to_network.to_network(lr_measured), to_network.to_network(volume.hr)
    engine = Engine(method.model, method.settings)
    ensemble = run_ensemble(engine, lr, with_spread=True)
    second = Engine(companion, method.settings).run(lr)
    errors = np.abs(ensemble.mean - hr)
    np.maximum(errors, np.abs(project(ensemble.mean, lr, volume.scale, method.grid) - hr), out=errors)
    found = list(signals(ensemble, second, lr, volume.scale, method.grid))
    subject = np.zeros(hr.shape, bool)
    box = np.zeros(hr.shape, bool)
    inner = volume.content or (slice(None),) * 3
    subject[inner] = subject_mask(volume.scored)
    box[inner][foreground_box(volume.scored)] = measured_mask(volume.scored)[foreground_box(volume.scored)]
    if not subject.any():
        raise VolumeError(f"{volume.file}: no voxel shows a subject")
    inside, around = (_drawn(mask) for mask in (subject, box))

    def of(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        columns = [signal.ravel()[places] for signal in found]
        return np.stack(columns, axis=1).reshape(-1, len(SIGNALS)), errors.ravel()[places]

    return TrustSamples(volume.file, *of(inside), of(around))


def _drawn(mask: np.ndarray) -> np.ndarray:
    places = np.flatnonzero(mask)
    if len(places) <= SAMPLES:
        return places
    return np.random.default_rng(0).choice(places, SAMPLES, replace=False)
