"""The methods that compute what lies between thick slices: the rows of an evaluation on slices."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.forward.axis_product import multiply_axes
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE, spline_matrix
from SuperResolution3DLib.forward.forward_model import ForwardModel
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.slice_engine import SliceEngine, check_through_plane
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.inference.trust.ensemble import run_ensemble
from SuperResolution3DLib.models.checkpoint import Model, load_model
from SuperResolution3DLib.models.installed_models import find_model
from Training.evaluation.methods import Variant

Between = Callable[[np.ndarray, SliceProfile, float], np.ndarray]


@dataclass(frozen=True)
class SliceMethod:
    """A row of the tables."""

    name: str
    compute: Between
    """slices (D, H, W), what is assumed of them, and the spacing within their plane (mm), to (M, H, W)"""
    model: Model | None = None
    """None: an interpolation"""
    variant: Variant | None = None
    """what is done besides running the model once; projected: on what the slices measured"""


def interpolation_methods() -> list[SliceMethod]:
    """Return nearest, linear, cubic and consistent interpolation."""
    return [
        SliceMethod("nearest", _by(_nearest)),
        SliceMethod("linear", linear_interpolation),
        SliceMethod("cubic", _by(lambda profile: spline_matrix(np.array(profile.centres), profile.hr_centres))),
        SliceMethod("consistent", _by(lambda profile: Slices(profile, DEFAULT_NOISE).interpolation(profile.lr_size))),
    ]


def model_methods(given: str, settings: EngineSettings, *, with_ensemble: bool = False) -> list[SliceMethod]:
    """Return a model's own result and its projection on what the slices measured.

    Args:
        given: [LABEL=]MODEL, an installed model's name or a file.
        settings: where it is computed.
        with_ensemble: add the mean over the mirror images.

    Raises:
        ModelError: it is not there, damaged, or enlarges all axes.
    """
    label, _, name = given.rpartition("=")
    model = load_model(find_model(name))
    check_through_plane(model)
    label = label or model.card.name
    network = _Network(model, settings)
    methods = [
        SliceMethod(label, network.compute, model),
        SliceMethod(f"{label}, projected", network.projected, model, "projected"),
    ]
    if with_ensemble:
        ensemble = _Network(model, settings, is_ensemble=True)
        methods.append(SliceMethod(f"{label}, ensemble", ensemble.compute, model, "ensemble"))
    return methods


class _Network:
    """A model whose last result is kept, because it is projected next."""

    def __init__(self, model: Model, settings: EngineSettings, *, is_ensemble: bool = False) -> None:
        self.model, self.settings, self.is_ensemble = model, settings, is_ensemble
        self._lr: np.ndarray | None = None
        self._asked: tuple[SliceProfile, float] | None = None
        self._found = np.empty(0)

    def compute(self, lr: np.ndarray, profile: SliceProfile, pixel: float) -> np.ndarray:
        if self._lr is not lr or self._asked != (profile, pixel):
            to_network = self.model.intensity.fit(lr)
            noise = self.model.card.forward.get("noise", DEFAULT_NOISE)
            engine = SliceEngine(self.model, SliceGrid(profile, pixel, noise), self.settings)
            normalised = to_network.to_network(lr)
            sr = run_ensemble(engine, normalised).mean if self.is_ensemble else engine.run(normalised)
            self._found = to_network.from_network(sr)
            self._lr, self._asked = lr, (profile, pixel)
        return self._found

    def projected(self, lr: np.ndarray, profile: SliceProfile, pixel: float) -> np.ndarray:
        found = self.compute(lr, profile, pixel).astype(np.float64)
        return ForwardModel.slices(profile).project(found, lr.astype(np.float64))


def linear_interpolation(lr: np.ndarray, profile: SliceProfile, pixel: float) -> np.ndarray:
    """Return what lies between slices by linear interpolation; beyond the outermost centres these are repeated."""
    return multiply_axes(lr, [_linear(profile), None, None])


def _by(matrix: Callable[[SliceProfile], np.ndarray]) -> Between:
    return lambda lr, profile, pixel: multiply_axes(lr, [matrix(profile), None, None])


def _nearest(profile: SliceProfile) -> np.ndarray:
    distance = np.abs(profile.hr_centres[:, None] - np.array(profile.centres))
    return np.eye(profile.lr_size)[distance.argmin(axis=1)]


def _linear(profile: SliceProfile) -> np.ndarray:
    columns = [np.interp(profile.hr_centres, profile.centres, unit) for unit in np.eye(profile.lr_size)]
    return np.stack(columns, axis=1)
