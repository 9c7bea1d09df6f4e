"""What a calibration knows of a volume: the signals of its voxels, and how far the estimate is truly off."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.kspace import project
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.trust.caution import signals
from SuperResolution3DLib.inference.trust.ensemble import run_ensemble
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.models.trust_calibration import SIGNALS
from SuperResolution3DLib.volumes.geometry import Scale
from Training.evaluation.held_out import HeldOutVolume
from Training.evaluation.methods import ModelMethod
from Training.evaluation.subject import subject_mask

SAMPLES = 100_000  # voxels of a volume; a share of 0.1 is then known to 0.002


@dataclass(frozen=True, eq=False)
class TrustSamples:
    """Voxels of one volume, drawn at random."""

    file: str
    signals: np.ndarray
    """(N, 5) float32, network units, of voxels that show the subject"""
    errors: np.ndarray
    """(N,) float32, distance of the estimate from the HR, as a share of the intensity range"""
    around: np.ndarray
    """(N,) float32, the errors in a voxel's surroundings: ``errors_around``"""

    def rank_correlation(self, caution: np.ndarray) -> float:
        """Return Spearman's rank correlation of cautions (N,) with the errors of the voxels themselves.

        An error has a random part, so that even a caution that knew how large errors are on average around each voxel
        would not come near 1: ``reachable`` says how far it would.
        """
        return float(spearmanr(caution, self.errors).statistic)

    def rank_correlation_around(self, caution: np.ndarray) -> float:
        """Return that of cautions (N,) with the errors around each voxel, as a person looks at a map."""
        return float(spearmanr(caution, self.around).statistic)

    @property
    def reachable(self) -> float:
        """The rank correlation of the errors around each voxel with its own."""
        return self.rank_correlation(self.around)


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
    inner = volume.content or (slice(None),) * 3
    subject[inner] = subject_mask(volume.hr)[inner]
    if not subject.any():
        raise VolumeError(f"{volume.file}: no voxel shows a subject")
    places = _drawn(subject)
    columns = np.stack([signal.ravel()[places] for signal in found], axis=1).reshape(-1, len(SIGNALS))
    around = errors_around(errors, volume.scale).ravel()[places]
    return TrustSamples(volume.file, columns, errors.ravel()[places], around)


def errors_around(errors: np.ndarray, scale: Scale) -> np.ndarray:
    """Return the root mean square of the errors around each voxel, without its own.

    Args:
        errors: (D, H, W) float32.
        scale: factor per axis (D, H, W); the surroundings are a Gaussian with a sigma of half an LR voxel.
    """
    sigma = [factor / 2 for factor in scale]
    point = np.zeros([8 * factor + 1 for factor in scale])
    middle = tuple(size // 2 for size in point.shape)
    point[middle] = 1
    own = float(gaussian_filter(point, sigma)[middle])  # weight of the voxel itself
    squares = np.square(errors)
    others = (gaussian_filter(squares, sigma) - own * squares) / (1 - own)
    return np.sqrt(np.maximum(others, 0), dtype=np.float32)


def _drawn(mask: np.ndarray) -> np.ndarray:
    places = np.flatnonzero(mask)
    if len(places) <= SAMPLES:
        return places
    return np.random.default_rng(0).choice(places, SAMPLES, replace=False)
