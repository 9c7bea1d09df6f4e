"""Which model fits a volume, told from the volume's header and the models' cards, and what would happen then."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.forward.slice_axis import SliceAxis, find_slice_axis, why_not_enlarged
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.networks.table import NETWORKS
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS, THROUGH_PLANE, BodyAxes, is_isotropic
from SuperResolution3DLib.volumes.geometry import Orientation, voxel_spacing

AUTO = "auto"  # the name that stands for the best model


@dataclass(frozen=True, eq=False)
class Scan:
    """What the header of a volume says of it, and its intensities where the header does not say the modality."""

    affine: np.ndarray
    """(4, 4), IJK to RAS mm"""
    modality: str = ""
    """DICOM modality such as MR or CT; empty when unknown"""
    axis: str | None = None
    """K, J or I, the axis of the slices where a person named it"""
    target_spacing: float | None = None
    """mm wanted between slices; None: the pixel size, but 0.4 mm at least"""
    looks_like_ct: bool | None = None
    """whether the intensities are those of CT; None: nobody has looked, or the modality is known"""

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxels (K, J, I) in mm."""
        return voxel_spacing(self.affine)

    @cached_property
    def slices(self) -> SliceAxis | None:
        """The axis of a stack of thick slices; None where no axis stands out."""
        try:
            return find_slice_axis(self.affine, self.axis)
        except GeometryError:
            return None

    @property
    def size(self) -> Sentence:
        """Say what the voxels measure: ``3.2 mm``, ``axial slices of 0.5 x 0.5 x 5 mm``."""
        if self.slices is None:
            return _sizes(self.affine)
        values = {"plane": Sentence(self.slices.plane), "sizes": _sizes(self.affine)}
        return Sentence("size-of-slices", values)

    @property
    def interpolation(self) -> Sentence:
        """Name the interpolation that agrees with what was measured."""
        return Sentence("zero-filled" if self.slices is None else "consistent")


Rule = Callable[[Scan, ModelCard], Sentence | None]


@dataclass(frozen=True)
class Choice:
    """The models sorted for one volume."""

    scan: Scan
    fitting: tuple[InstalledModel, ...]
    """highest rank first"""
    others: tuple[tuple[InstalledModel, Sentence], ...]
    """each with the reason why it does not fit"""

    @property
    def best(self) -> InstalledModel | None:
        """The one fitting model of the highest rank; None where none fits, or several are of that rank."""
        return self._highest[0] if len(self._highest) == 1 else None

    @property
    def sentence(self) -> Sentence:
        """Say what happens where nobody names a model."""
        if self.best is not None and self.best.card is not None:
            return plan_sentence(self.scan, self.best.card)
        if self._highest:
            *names, last = sorted(model.card.name for model in self._highest if model.card)
            several = {"models": ", ".join(names), "last": last}
            return Sentence("choice-equal", several)
        values: dict[str, object] = {
            "size": self.scan.size,
            "modality": self.scan.modality or ("CT" if self.scan.looks_like_ct else Sentence("all-but-ct")),
            "method": self.scan.interpolation,
        }
        if self.others and all(_modality(self.scan, model.card) for model, _ in self.others if model.card):
            return Sentence("choice-no-modality", values)
        if self.scan.slices is None:
            return Sentence("choice-no-voxels", values)
        return Sentence("choice-no-slices", values)

    @property
    def _highest(self) -> tuple[InstalledModel, ...]:
        ranks = [model.card.rank for model in self.fitting if model.card]
        return tuple(model for model in self.fitting if model.card and model.card.rank == max(ranks))


def choose(scan: Scan, models: Iterable[InstalledModel]) -> Choice:
    """Sort the usable models into those that fit a volume and those that do not."""
    fitting, others = [], []
    for model in models:
        if model.card is None:
            continue
        reason = why_not(scan, model.card)
        if reason is None:
            fitting.append(model)
        else:
            others.append((model, reason))
    fitting.sort(key=lambda model: -model.card.rank if model.card else 0)
    return Choice(scan, tuple(fitting), tuple(others))


def why_not(scan: Scan, card: ModelCard) -> Sentence | None:
    """Say why a model does not fit a volume; None if it does."""
    for rule in RULES:
        reason = rule(scan, card)
        if reason is not None:
            return reason
    return None


def plan_sentence(scan: Scan, card: ModelCard) -> Sentence:
    """Say what a model makes of a volume.

    ``For MR brain: 3.2 mm -> 0.8 mm with mr-brain-x4``, or of a model for slices
    ``Axial slices 0.5 x 0.5 x 5 mm -> 0.5 mm isotropic with through-plane-mr``.
    """
    values: dict[str, object] = {"after": _after(scan, _result_spacing(scan, card)), "model": card.name}
    if card.enlarges_slices_only and scan.slices is not None:
        values |= {"plane": Sentence(f"{scan.slices.plane}-first"), "before": _sizes(scan.affine)}
        return Sentence("plan-slices", values)
    values |= {"subject": card.subject or card.modality, "before": scan.size}
    return Sentence("plan", values)


def _network(scan: Scan, card: ModelCard) -> Sentence | None:
    if card.network in NETWORKS:
        return None
    return Sentence("unfit-network", {"network": card.network})


def _modality(scan: Scan, card: ModelCard) -> Sentence | None:
    if not card.fits_modality(scan.modality):
        return Sentence("unfit-modality", {"trained": card.modality, "modality": scan.modality})
    if scan.modality or scan.looks_like_ct is None:
        return None
    if scan.looks_like_ct and not card.fits_modality("CT"):
        return Sentence("unfit-like-ct", {"trained": card.modality})
    if not scan.looks_like_ct and card.dicom_modalities == ("CT",):
        return Sentence("unfit-unlike-ct")
    return None


def _one_axis(scan: Scan, card: ModelCard) -> Sentence | None:
    if why_not_enlarged(scan.affine, card.scale, card.name) is None:
        return None
    enlarged = max(range(3), key=lambda place: card.scale[place])
    return Sentence("unfit-one-axis", {"direction": Sentence(DIRECTIONS[enlarged])})


def _slices(scan: Scan, card: ModelCard) -> Sentence | None:
    if not card.enlarges_slices_only:
        return None
    if scan.slices is None:
        return Sentence("unfit-no-slices")
    if card.slice_spacing_range is None or card.covers_slices(scan.slices.spacing):
        return None
    low, high = (f"{value:g}" for value in card.slice_spacing_range)
    return Sentence("unfit-slices", {"low": low, "high": high})


def _spacing(scan: Scan, card: ModelCard) -> Sentence | None:
    spacing = scan.slices.in_plane if card.enlarges_slices_only and scan.slices else scan.spacing
    if card.covers(spacing):
        return None
    low, high = (f"{value:g}" for value in card.spacing_range)
    return Sentence("unfit-pixels" if card.enlarges_slices_only else "unfit-voxels", {"low": low, "high": high})


RULES: tuple[Rule, ...] = (_network, _modality, _one_axis, _slices, _spacing)


def _sizes(affine: np.ndarray) -> Sentence:
    """Say voxel sizes in mm, with the directions of the body where nothing else tells them."""
    axes, spacing = BodyAxes.of(affine), voxel_spacing(affine)
    if is_isotropic(spacing):
        return Sentence("size", {"sizes": f"{spacing[0]:.3g}"})
    if THROUGH_PLANE in axes.names:
        return Sentence("size", {"sizes": axes.by(spacing)})
    return axes.say("size-along", sizes=axes.by(spacing))


def _result_spacing(scan: Scan, card: ModelCard) -> tuple[float, ...]:
    """Return the voxel sizes of a result (K, J, I) in mm."""
    if card.enlarges_slices_only and scan.slices is not None:
        finer = scan.target_spacing or scan.slices.auto_spacing
        return tuple(finer if axis == scan.slices.axis else value for axis, value in enumerate(scan.spacing))
    factors = Orientation.of(scan.affine).scale_to_file(card.scale)
    return tuple(value / factor for value, factor in zip(scan.spacing, factors, strict=True))


def _after(scan: Scan, spacing: Sequence[float]) -> Sentence:
    """Say the voxel sizes of a result (K, J, I), in the order of those of its scan."""
    if not is_isotropic(spacing):
        return Sentence("size", {"sizes": BodyAxes.of(scan.affine).by(spacing)})
    return Sentence("size" if is_isotropic(scan.spacing) else "size-isotropic", {"sizes": f"{spacing[0]:.3g}"})
