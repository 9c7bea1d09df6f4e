"""What a person should know before trusting a result: where a volume lies outside what the model was trained on."""

import numpy as np

from SuperResolution3DLib.forward.slice_axis import SliceAxis
from SuperResolution3DLib.inference.memory_plan import size_text
from SuperResolution3DLib.inference.monitor import Warned
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.models.input_ranges import QUANTILES, InputMeasures, InputRanges, Range
from SuperResolution3DLib.models.model_card import SPACING_SLACK, ModelCard
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS, grid_text, spacing_text
from SuperResolution3DLib.volumes.box import Shape, sr_shape
from SuperResolution3DLib.volumes.geometry import Orientation, sr_affine
from SuperResolution3DLib.volumes.volume import Volume

EXTENT_SLACK = 1.5  # times the largest, or the smallest divided by it
NOISE_SLACK = 1.25  # times the largest; 10 % of noise make 1.5 times what the anatomy of a brain makes by itself
QUANTILE_SLACK = 0.1  # of the intensity range, at either end
EMPTY_BAND = 1 / 3  # of the smallest: interpolation by 1.5 or more leaves a fifth or less
AIR_OF_CT = (-1100, -900)  # HU
SHARE_OF_AIR = 0.02  # of the voxels


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
        told = {warned.code for warned in warnings}
        warnings += [warned for warned in found if warned.code != "spacing" or "spacing" not in told]
    return warnings


def compare(measures: InputMeasures, ranges: InputRanges, name: str) -> list[Warned]:
    """Return a sentence for each measurement that lies outside the ranges of the model called ``name``."""
    warnings = []
    for axis, value, (low, high) in zip(DIRECTIONS, measures.spacing, ranges.spacing, strict=True):
        if not low / SPACING_SLACK <= value <= high * SPACING_SLACK:
            message = f"Voxels measure {value:.3g} mm {axis}, {name} was trained on {_span(low, high)} mm there"
            warnings.append(Warned("spacing", message))
    worst = _farthest(measures.extent, ranges.extent, EXTENT_SLACK)
    if worst is not None:
        low, high = ranges.extent[worst]
        message = (
            f"What the volume shows measures {measures.extent[worst]:.3g} mm {DIRECTIONS[worst]}, {name} was trained "
            f"on {_span(low, high)} mm: it has seen no subject of this size, or not so small a part"
        )
        warnings.append(Warned("extent", message))
    if measures.noise > ranges.noise[1] * NOISE_SLACK:
        low, high = (100 * value for value in ranges.noise)
        message = (
            f"Changes from voxel to voxel make {100 * measures.noise:.2g} % of the intensity range, {name} was trained "
            f"on {_span(low, high)} %: noise may come out as texture"
        )
        warnings.append(Warned("noise", message))
    beyond = [
        max(low - value, value - high) for value, (low, high) in zip(measures.quantiles, ranges.quantiles, strict=True)
    ]
    if max(beyond) > QUANTILE_SLACK:
        index = beyond.index(max(beyond))
        message = (
            f"{QUANTILES[index]:.0%} of the subject's voxels lie below {measures.quantiles[index]:.2f} of the "
            f"intensity range, {name} was trained on {_span(*ranges.quantiles[index])}: another contrast"
        )
        warnings.append(Warned("histogram", message))
    shares = [value / low if low else 1.0 for value, (low, _) in zip(measures.high_band, ranges.high_band, strict=True)]
    if min(shares) < EMPTY_BAND:
        index = shares.index(min(shares))
        message = (
            f"The {DIRECTIONS[index]} spectrum is nearly empty beyond 0.7 of its Nyquist frequency "
            f"({measures.high_band[index]:.2g} of the band below it, {name} was trained on "
            f"{_span(*ranges.high_band[index])}): the volume seems to be interpolated, give the one that was measured"
        )
        warnings.append(Warned("interpolated", message))
    return warnings


def _modality(volume: Volume, card: ModelCard) -> list[Warned]:
    if not card.fits_modality(volume.modality):
        return [Warned("modality", f"The volume is {volume.modality}, {card.name} was trained on {card.modality}")]
    if volume.modality or "CT" in card.dicom_modalities:
        return []
    low, high = AIR_OF_CT
    share = np.count_nonzero((volume.array > low) & (volume.array < high)) / volume.array.size
    if share < SHARE_OF_AIR:
        return []
    message = (
        f"The volume looks like CT ({share:.0%} of its voxels lie near -1000 HU), {card.name} was trained on "
        f"{card.modality}"
    )
    return [Warned("modality", message)]


def _spacing(volume: Volume, card: ModelCard, shape: Shape, itemsize: int) -> list[Warned]:
    if card.covers(volume.spacing):
        return []
    low, high = card.spacing_range
    scale = Orientation.of(volume.affine).scale_to_file(card.scale)
    result = sr_shape(shape, scale)
    grid = grid_text(result, sr_affine(volume.affine, scale, "center"))
    message = (
        f"The voxels of {spacing_text(volume.affine)} lie outside the {low:g} to {high:g} mm that {card.name} was "
        f"trained on; the result will have {grid}, {size_text(result[0] * result[1] * result[2] * itemsize)}"
    )
    return [Warned("spacing", message)]


def slice_warnings(volume: Volume, card: ModelCard, axis: SliceAxis) -> list[Warned]:
    """Compare a stack of thick slices with what the card of a model for them says of its training."""
    warnings = _modality(volume, card)
    if not card.covers(axis.in_plane):
        low, high = card.spacing_range
        message = (
            f"Pixels of {axis.in_plane[0]:.3g} x {axis.in_plane[1]:.3g} mm lie outside the {low:g} to {high:g} mm that "
            f"{card.name} was trained on"
        )
        warnings.append(Warned("spacing", message))
    if not card.covers_slices(axis.spacing) and card.slice_spacing_range is not None:
        low, high = card.slice_spacing_range
        message = f"Slices lie {axis.spacing:.3g} mm apart, {card.name} was trained on {low:g} to {high:g} mm"
        warnings.append(Warned("spacing", message))
    return warnings


def _intensity(card: ModelCard) -> list[Warned]:
    if card.intensity_from != "hr" or card.intensity.get("policy") == "fixed":
        return []
    message = (
        f"{card.name} was trained with the intensity range of the HR volume, which is not known here; that of the "
        "input is used, so the result may be too bright or too dark in parts"
    )
    return [Warned("intensity", message)]


def _farthest(values: tuple[float, ...], ranges: tuple[Range, ...], slack: float) -> int | None:
    """Return which value lies outside its range by the largest factor, None if all are within the slack."""
    factors = [
        max(low / value, value / high) if value else np.inf for value, (low, high) in zip(values, ranges, strict=True)
    ]
    return factors.index(max(factors)) if max(factors) > slack else None


def _span(low: float, high: float) -> str:
    return f"{low:.3g} to {high:.3g}"
