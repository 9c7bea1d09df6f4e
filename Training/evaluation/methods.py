"""What a table compares: interpolations and models, each of which enlarges a held-out volume to the HR's grid."""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol, get_args

import numpy as np

from SuperResolution3DLib.errors import InputError, VolumeError, readable
from SuperResolution3DLib.forward.interpolation import Method as Aligned
from SuperResolution3DLib.forward.interpolation import interpolate
from SuperResolution3DLib.forward.kspace import degrade, project
from SuperResolution3DLib.inference.devices import choose_device, choose_precision, device_name
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.trust.ensemble import check_ensemble, run_ensemble
from SuperResolution3DLib.models.checkpoint import Model, load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from Training.data.preparation import PreparationConfig
from Training.evaluation.held_out import HeldOutVolume
from Training.evaluation.seen_volumes import contents

Interpolation = Literal["trilinear-paper", "trilinear", "cubic", "zero-filled"]
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)
DESCRIPTIONS = {
    "trilinear-paper": "trilinear in the paper's protocol: LR = magnitude (above the least voxel, CT: above the "
    "floor), corner grid, read as if it were aligned, "
    "which moves anatomy by (scale - 1) / 2 HR voxels",
    "trilinear": "trilinear, aligned; center grid",
    "cubic": "cubic B-spline, aligned; center grid",
    "zero-filled": "zero-filled k-space (sinc), aligned; center grid",
}
ALIGNED: dict[str, Aligned] = {"trilinear": "trilinear", "cubic": "cubic", "zero-filled": "zero-fill"}
PAPER_WINDOW, PAPER_OVERLAP = 24, 0.625  # LR voxels, and share of them (paper 5.1)

COLUMNS = ("LR", "HR")  # of Figure 2, besides the methods

log = logging.getLogger(__name__)

IntensitySource = Literal["lr", "hr"]
Variant = Literal["ensemble", "projected"]
VARIANTS: dict[Variant, str] = {
    "ensemble": "mean over the eight mirror images",
    "projected": "the measured frequencies put back",
}


@dataclass(frozen=True, eq=False)
class Enlarged:
    """An SR volume and what a reader must know of it."""

    sr: np.ndarray
    """(D, H, W) float32, canonical, on the HR's grid and in its unit"""
    notes: tuple[str, ...] = ()
    from_lr: bool = True
    """False for an SR that was made elsewhere, from an LR that is not known"""


class Method(Protocol):
    """One row of a table."""

    @property
    def name(self) -> str: ...

    @property
    def grid(self) -> Grid:
        """Where its LR's voxels lie among the HR's."""

    @property
    def description(self) -> str:
        """What it is, on which grid, and for a model which file."""

    @property
    def identity(self) -> dict[str, Any]:
        """All that its results depend on."""

    def enlarge(self, volume: HeldOutVolume) -> Enlarged:
        """Super-resolve a volume."""


@dataclass(frozen=True)
class InterpolationMethod:
    """A method without anything learned."""

    name: Interpolation

    def __post_init__(self) -> None:
        if self.name not in INTERPOLATIONS:
            raise InputError(f"The interpolations are {', '.join(INTERPOLATIONS)}, not {self.name!r}")

    @property
    def grid(self) -> Grid:
        return "corner" if self.name == "trilinear-paper" else "center"

    @property
    def description(self) -> str:
        return DESCRIPTIONS[self.name]

    @property
    def identity(self) -> dict[str, Any]:
        return {"interpolation": self.name}

    def enlarge(self, volume: HeldOutVolume) -> Enlarged:
        """Interpolate on the HR's grid."""
        if self.name == "trilinear-paper":
            return Enlarged(_trilinear_of_the_paper(volume))
        return Enlarged(interpolate(volume.lr("center"), volume.scale, "center", ALIGNED[self.name]))


@dataclass(frozen=True, eq=False)
class ModelMethod:
    """A model file, run by the library's engine."""

    name: str
    model: Model
    settings: EngineSettings
    intensity_source: IntensitySource | None = None
    """whose percentiles, or minimum and maximum, become 0 and 1; None: as in training (hr: the paper's)"""
    paper_windows: bool = False
    variant: Variant | None = None
    """what is done besides running the model once"""

    @property
    def intensity_from(self) -> str:
        return self.intensity_source or self.model.card.intensity_from

    @property
    def contradicts_training(self) -> bool:
        """Tell whether it is scored with another volume's range than it was trained with; fixed values are nobody's."""
        card = self.model.card
        return self.intensity_from != card.intensity_from and card.intensity.get("policy") != "fixed"

    @property
    def grid(self) -> Grid:
        return "corner" if self.model.card.grid == "corner" else "center"

    @property
    def description(self) -> str:
        card = self.model.card
        parameters = sum(tensor.numel() for tensor in self.model.network.parameters())
        windows = f"; windows of {PAPER_WINDOW} LR voxels, overlap {PAPER_OVERLAP}" if self.paper_windows else ""
        device, precision = self._hardware
        hr = "; intensity map from the HR" if self.intensity_from == "hr" else ""
        if self.contradicts_training:
            used, trained = self.intensity_from.upper(), card.intensity_from.upper()
            hr = f"; intensity map from the {used}, not the {trained} as trained"
        hr += f"; {VARIANTS[self.variant]}" if self.variant else ""
        return (
            f"{card.network}, {_count(parameters)} parameters, model {card.name}; {card.grid} grid{windows}{hr}; "
            f"{precision} on {device}; sha256 {self.model.sha256[:12]}"
        )

    @property
    def identity(self) -> dict[str, Any]:
        settings = {name: value for name, value in asdict(self.settings).items() if name != "memory_limit"}
        device, precision = self._hardware
        resolved = settings | {"device": device, "precision": precision}
        variant = (
            {"variant": self.variant} if self.variant else {}
        )  # keys of what was scored before it stay as they were
        return {"model": self.model.sha256, "intensity_from": self.intensity_from, **resolved, **variant}

    @property
    def _hardware(self) -> tuple[str, str]:
        """Device and precision that the settings, which may say auto, come to on this machine."""
        device = choose_device(self.settings.device)
        return device_name(device), choose_precision(self.settings.precision, device)

    @property
    def preparation(self) -> PreparationConfig | None:
        """What its training did to HR volumes; None for a file that does not say."""
        recipe = self.model.card.training.get("recipe")
        values = recipe.get("data", {}).get("preparation") if isinstance(recipe, dict) else None
        return None if values is None else preparation_of(values)

    def trained_on(self, part: str = "train") -> set[str]:
        """Return the sha256 of the volumes that it, and every model it comes from, was trained on or chosen by."""
        return contents(self.model.card.training, part)

    def enlarge(self, volume: HeldOutVolume) -> Enlarged:
        """Super-resolve the LR volume on the model's grid; not clipped, not rounded.

        Raises:
            VolumeError: the LR or the HR is constant.
            ResourceError: not even the smallest tiles fit.
        """
        lr = volume.lr(self.grid)
        to_network = self.model.intensity.fit(volume.hr if self.intensity_from == "hr" else lr)
        engine = Engine(self.model, self.settings)
        normalised = to_network.to_network(lr)
        sr = run_ensemble(engine, normalised).mean if self.variant == "ensemble" else engine.run(normalised)
        if self.variant == "projected":
            sr = project(sr, normalised, volume.scale, self.grid)
        sr = to_network.from_network(sr)
        if not np.isfinite((sr.min(), sr.max())).all():
            raise VolumeError(f"{self.name} produced voxels that are not finite; no table is made of them")
        tiled = not engine.report.windows and not engine.report.trunk_saw_whole_volume
        warnings = [warned.message for warned in engine.report.warnings]
        return Enlarged(sr, (*warnings, *(["trunk tiled: an approximation"] if tiled else [])))


def model_method(
    chosen: str, settings: EngineSettings, *, intensity_from: IntensitySource | None = None, paper_windows: bool = False
) -> ModelMethod:
    """Load a model by its name or file, with LABEL= in front of it if it shall stand in the table under another name.

    Raises:
        ModelError: there is no such model, or it is damaged.
        InputError: it is for thick slices.
    """
    label, _, file = chosen.rpartition("=")
    model = load_model(find_model(file))
    if model.card.enlarges_slices_only:
        raise InputError(
            f"{model.card.name} is for thick slices: score it with --forward slice-profile or --orthogonal"
        )
    method = ModelMethod(readable(label or model.card.name), model, settings, intensity_from, paper_windows)
    if method.contradicts_training:
        log.warning(
            "%s is scored with the intensity map of the %s and was trained with that of the %s: omit --intensity",
            method.name,
            method.intensity_from.upper(),
            model.card.intensity_from.upper(),
        )
    return method


def with_variants(method: ModelMethod, variants: Sequence[Variant]) -> list[ModelMethod]:
    """Return a model's row, and one more for each variant.

    Raises:
        InputError: an ensemble of a model whose grid does not allow it.
    """
    if "ensemble" in variants:
        check_ensemble(method.model.card)
    more = [replace(method, name=f"{method.name}, {variant}", variant=variant) for variant in variants]
    return [method, *more]


def check_methods(methods: list[Method], scale: Scale | None) -> Scale:
    """Return the scale of all methods.

    Args:
        methods: the rows of a table.
        scale: that was asked for (D, H, W); None: that of the models, or 4 along each axis.

    Raises:
        InputError: none at all, two of one name, one called LR or HR, or models of other scales.
    """
    if not methods:
        raise InputError("There is nothing to compare: give --model, --interpolations, or both")
    names = [method.name for method in methods]
    taken = sorted(set(names) & set(COLUMNS))
    if taken:
        raise InputError(f"Figure 2 has columns {' and '.join(COLUMNS)} of its own: call {taken[0]} something else")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Methods of the same name: {', '.join(twice)}; give one another with NAME=FILE")
    scales = {method.name: method.model.card.scale for method in methods if isinstance(method, ModelMethod)}
    wanted = scale or next(iter(scales.values()), (4, 4, 4))
    others = [f"{name} {found}" for name, found in scales.items() if found != wanted]
    if others:
        raise InputError(f"One scale a table, {wanted} (head-foot, front-back, left-right), not {', '.join(others)}")
    return wanted


def preparation_of(values: dict[str, Any]) -> PreparationConfig:
    """Return a preparation from the values of a model file or preset.

    Raises:
        InputError: fields that are unknown or make no sense.
    """
    spacing = values.get("spacing")
    try:
        return PreparationConfig(**(values | {"spacing": None if spacing is None else tuple(spacing)}))
    except (TypeError, ValueError) as error:
        raise InputError(f"This preparation of volumes cannot be used: {error}") from error


def _trilinear_of_the_paper(volume: HeldOutVolume) -> np.ndarray:
    """Degrade and enlarge as the paper's authors: zeros up to an even LR size, magnitude, corner grid, no alignment.

    Their intensities begin at 0, which a magnitude needs: the least voxel in MR, the floor of -1024 HU in CT.

    Returns:
        (D, H, W) float32, the padding removed again.
    """
    hr, scale = volume.hr, volume.scale
    zero = float(hr.min()) if volume.floor is None else volume.floor
    even = [-size % (2 * factor) if factor > 1 else 0 for size, factor in zip(hr.shape, scale, strict=True)]
    padded = np.pad(hr.astype(np.float64) - zero, [(0, extra) for extra in even])
    sr = interpolate(np.abs(degrade(padded, scale, "corner")), scale, "center", "trilinear")
    return np.ascontiguousarray(sr[tuple(slice(0, size) for size in hr.shape)]) + np.float32(zero)


def _count(number: int) -> str:
    return f"{number / 10 ** (3 * (power := int(math.log10(max(number, 1))) // 3)):.3g} {('', 'k', 'M', 'G')[power]}"
