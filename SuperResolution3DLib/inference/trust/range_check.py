"""What a person should know before trusting a result: where a volume lies outside what the model was trained on."""

import math
from collections.abc import Sequence

import numpy as np

from SuperResolution3DLib.forward.slice_axis import PLANES, SliceAxis
from SuperResolution3DLib.inference.memory_plan import size_text
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.models.input_ranges import QUANTILES, InputMeasures, InputRanges, Range
from SuperResolution3DLib.models.model_card import SPACING_SLACK, ModelCard
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS, THROUGH_PLANE, grid_text, spacing_text
from SuperResolution3DLib.volumes.box import Shape, sr_shape
from SuperResolution3DLib.volumes.geometry import Orientation, sr_affine
from SuperResolution3DLib.volumes.hounsfield import HounsfieldShares
from SuperResolution3DLib.volumes.volume import Volume

EXTENT_SLACK = 1.5  # times the largest, or the smallest divided by it
NOISE_SLACK = 1.25  # times the largest; 10 % of noise make 1.5 times what the anatomy of a brain makes by itself
QUANTILE_SLACK = 0.1  # of the intensity range, at either end
EMPTY_BAND = 1 / 3  # of the smallest: interpolation by 1.5 or more leaves a fifth or less


def range_warnings(volume: Volume, card: ModelCard, lr: np.ndarray, shape: Shape, itemsize: int) -> list[Warned]:
    """Compare a volume with what the card says of the model's training.

    Args:
        volume: as read.
        card: of the model.
        lr: (D, H, W) the volume, canonical, in network units.
        shape: LR voxels (K, J, I) whose result is wanted.
        itemsize: bytes of a voxel of the result.

    Returns:
        A sentence for each measurement that lies outside, with the number and what was expected.
    """
    canonical = Orientation.of(volume.affine)
    depth, height, width = (volume.spacing[axis] for axis in canonical.order)
    warnings = [*_modality(volume, card), *_spacing(volume, card, shape, itemsize), *_intensity(card)]
    ranges = InputRanges.from_card(card.input_ranges)
    if ranges is not None:
        found = compare(measure_input(lr, (depth, height, width)), ranges, card.name)
        told = {warned.kind for warned in warnings}
        warnings += [warned for warned in found if warned.kind != "spacing" or "spacing" not in told]
    return warnings


def compare(
    measures: InputMeasures, ranges: InputRanges, name: str, directions: Sequence[str] = DIRECTIONS
) -> list[Warned]:
    """Return a sentence for each measurement that lies outside the ranges of the model called ``name``.

    Args:
        measures: of the volume.
        ranges: of the training.
        name: of the model.
        directions: codes of the words for the axes D, H and W.
    """
    warnings: list[Warned] = []
    about: dict[str, object] = {"model": name}
    values: dict[str, object]
    for axis, value, (low, high) in zip(directions, measures.spacing, ranges.spacing, strict=True):
        if not low / SPACING_SLACK <= value <= high * SPACING_SLACK:
            values = {"size": value, "direction": Sentence(axis), "low": low, "high": high}
            warnings.append(Warned("spacing-direction", about | values))
    worst = _farthest(measures.extent, ranges.extent, EXTENT_SLACK)
    if worst is not None:
        low, high = ranges.extent[worst]
        values = {"size": measures.extent[worst], "direction": Sentence(directions[worst]), "low": low, "high": high}
        warnings.append(Warned("extent", about | values))
    if measures.noise > ranges.noise[1] * NOISE_SLACK:
        low, high = (100 * value for value in ranges.noise)
        warnings.append(Warned("noise", about | {"share": 100 * measures.noise, "low": low, "high": high}))
    beyond = [
        max(low - value, value - high) for value, (low, high) in zip(measures.quantiles, ranges.quantiles, strict=True)
    ]
    if max(beyond) > QUANTILE_SLACK:
        index = beyond.index(max(beyond))
        low, high = ranges.quantiles[index]
        values = {"share": QUANTILES[index], "level": measures.quantiles[index], "low": low, "high": high}
        warnings.append(Warned("histogram", about | values))
    shares = [value / low if low else 1.0 for value, (low, _) in zip(measures.high_band, ranges.high_band, strict=True)]
    if min(shares) < EMPTY_BAND:
        index = shares.index(min(shares))
        low, high = ranges.high_band[index]
        values = {
            "direction": Sentence(directions[index]),
            "share": measures.high_band[index],
            "low": low,
            "high": high,
        }
        warnings.append(Warned("interpolated", about | values))
    return warnings


def _modality(volume: Volume, card: ModelCard) -> list[Warned]:
    about = {"model": card.name, "trained": card.modality}
    if not card.fits_modality(volume.modality):
        return [Warned("modality", about | {"modality": volume.modality})]
    if volume.modality or {"CT", "MR"} <= set(card.dicom_modalities):
        return []
    shares = HounsfieldShares.of(volume.array)
    if "CT" in card.dicom_modalities:
        return [] if shares.are_of_ct else [Warned("modality-unlike-ct", about)]
    if shares.has_air:
        return [Warned("modality-like-ct", {**about, "share": shares.air})]
    if shares.has_tissue:
        return [Warned("modality-like-ct-tissue", {**about, "fat": shares.fat, "soft": shares.soft_tissue})]
    return []


def _spacing(volume: Volume, card: ModelCard, shape: Shape, itemsize: int) -> list[Warned]:
    if card.covers(volume.spacing):
        return []
    low, high = card.spacing_range
    scale = Orientation.of(volume.affine).scale_to_file(card.scale)
    result = sr_shape(shape, scale)
    values = {
        "voxels": spacing_text(volume.affine),
        "low": low,
        "high": high,
        "model": card.name,
        "grid": grid_text(result, sr_affine(volume.affine, scale, "center")),
        "bytes": size_text(math.prod(result) * itemsize),
    }
    return [Warned("spacing-voxels", values)]


def slice_warnings(volume: Volume, card: ModelCard, axis: SliceAxis) -> list[Warned]:
    """Compare a stack of thick slices with what the card of a model for them says of its training."""
    warnings = _modality(volume, card)
    if not card.covers(axis.in_plane):
        low, high = card.spacing_range
        first, second = axis.in_plane
        values = {"first": first, "second": second, "low": low, "high": high, "model": card.name}
        warnings.append(Warned("spacing-pixels", values))
    if not card.covers_slices(axis.spacing) and card.slice_spacing_range is not None:
        low, high = card.slice_spacing_range
        values = {"spacing": axis.spacing, "low": low, "high": high, "model": card.name}
        warnings.append(Warned("spacing-slices", values))
    return warnings


def stack_warnings(
    lr: np.ndarray, spacing: tuple[float, float, float], axis: SliceAxis, card: ModelCard
) -> list[Warned]:
    """Compare the voxels of a stack of thick slices with what the card of a model for them says of its training.

    Args:
        lr: (D, H, W) the slices as ``axis.to_slices_first`` turns them, in network units.
        spacing: mm (D, H, W).
        axis: of the slices.
        card: of the model.

    Returns:
        As ``range_warnings``; sizes of voxels are told by ``slice_warnings``.
    """
    ranges = InputRanges.from_card(card.input_ranges)
    if ranges is None:
        return []
    in_plane = [direction for direction, plane in zip(DIRECTIONS, PLANES, strict=True) if plane != axis.plane]
    found = compare(measure_input(lr, spacing, thick_slices=True), ranges, card.name, (THROUGH_PLANE, *in_plane))
    return [warned for warned in found if warned.kind != "spacing"]


def _intensity(card: ModelCard) -> list[Warned]:
    if card.intensity_from != "hr" or card.intensity.get("policy") == "fixed":
        return []
    return [Warned("intensity", {"model": card.name})]


def _farthest(values: tuple[float, ...], ranges: tuple[Range, ...], slack: float) -> int | None:
    """Return which value lies outside its range by the largest factor, None if all are within the slack."""
    factors = [
        max(low / value, value / high) if value else np.inf for value, (low, high) in zip(values, ranges, strict=True)
    ]
    return factors.index(max(factors)) if max(factors) > slack else None
