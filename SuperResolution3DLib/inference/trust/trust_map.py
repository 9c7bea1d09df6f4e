"""Runs a model, its mirror images and its companion, and says where the mean of the first may be off."""

from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.trust.caution import OF_THRESHOLD, caution_of, in_percent, signals
from SuperResolution3DLib.inference.trust.ensemble import check_ensemble, run_ensemble
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.sentence import Sentence

SHARED = ("scale", "grid", "intensity", "intensity_from")  # so that both see the same LR in the same units


@dataclass(frozen=True, eq=False)
class Trusted:
    """A result, and how far it can be trusted."""

    sr: np.ndarray
    """(D*s, H*s, W*s) float32, network units: the mean over the mirror images"""
    percent: np.ndarray
    """same shape, uint8: the caution in percent of that from which a voxel belongs to the mask"""

    @property
    def mask_share(self) -> float:
        return float(np.count_nonzero(self.percent >= OF_THRESHOLD) / self.percent.size)


def check_companion(card: ModelCard, companion: Model, *, region: bool = False) -> TrustCalibration:
    """Refuse a second model that is not the one of the calibration, before anything is computed.

    Raises:
        ModelError: there is no calibration, or it was made with another file.
        InputError: only a region is wanted, or the grid allows no mirror images.
    """
    calibration = TrustCalibration.required(card.trust, card.name)
    if region:
        raise InputError(Sentence("input-trust-region"))
    check_ensemble(card)
    if companion.sha256 != calibration.companion_sha256:
        values = {
            "model": card.name,
            "companion": calibration.companion,
            "wanted": calibration.companion_sha256[:12],
            "found": companion.sha256[:12],
        }
        raise ModelError(Sentence("model-companion", values))
    check_pair(card, companion.card)
    return calibration


def check_pair(card: ModelCard, companion: ModelCard) -> None:
    """Refuse two models whose results cannot be compared voxel by voxel.

    Raises:
        ModelError: they differ in scale, grid or intensity.
    """
    for field in SHARED:
        one, other = getattr(card, field), getattr(companion, field)
        if one != other:
            values = {"model": card.name, "companion": companion.name, "field": field, "one": one, "other": other}
            raise ModelError(Sentence("model-pair", values))


def run_trusted(engine: Engine, companion: Model, lr: np.ndarray, calibration: TrustCalibration) -> Trusted:
    """Super-resolve a volume with a model, its mirror images and its companion.

    Args:
        engine: of the model.
        companion: that ``check_companion`` accepts.
        lr: (D, H, W) float32, network units.
        calibration: of the model.

    Raises:
        ResourceError, InputError, CancelledError: as ``Engine.run``.
    """
    ensemble = run_ensemble(engine, lr, with_spread=True)
    other = Engine(companion, engine.settings, engine.monitor)
    other.results_beside = 2  # the mean and the spread
    second = other.run(lr)
    told = engine.report.warnings
    told += [warned for warned in other.report.warnings if warned not in told]
    found = signals(ensemble, second, lr, engine.scale, engine.grid)
    caution = caution_of(found, calibration.factor, calibration.exponents)
    return Trusted(ensemble.mean, in_percent(caution, calibration))
