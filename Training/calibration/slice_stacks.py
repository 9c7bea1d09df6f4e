"""Stacks of thick slices as a training drew them, made of a whole volume, to measure what its network was given."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from SuperResolution3DLib.forward.axis_product import multiply_axes
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_SHAPE, spline_matrix
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.appearance import AppearanceConfig
from Training.data.slice_patches import MARGIN_SLICES
from Training.data.slices_config import SlicesConfig

USUAL_NOISE = 0.9**2  # of the largest: a patch's level is drawn as a square, so that nine of ten have less

Stack = tuple[np.ndarray, tuple[float, float, float]]


@dataclass(frozen=True)
class DrawnSlices:
    """What a training drew its scans from."""

    slices: SlicesConfig = field(default_factory=SlicesConfig)
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)


def drawn_in(card: ModelCard) -> DrawnSlices:
    """Return what the recipe in a card says; the defaults where it says nothing."""
    recipe = card.training.get("recipe")
    data = recipe.get("data", {}) if isinstance(recipe, dict) else {}
    return DrawnSlices(_known(SlicesConfig, data.get("slices")), _known(AppearanceConfig, data.get("appearance")))


def slice_stacks(
    hr: np.ndarray, spacing: tuple[float, float, float], intensity: IntensityPolicy, drawn: DrawnSlices
) -> Iterator[Stack]:
    """Make the stacks that mark the ends of what a training drew of a volume.

    Along each axis that is long enough: slices as far apart as they come, and in the middle; these once more with
    pixels as fine and as blurred as they come, and with as much noise as nine of ten patches had. The closest slices
    are left out, whose spectrum shows where a scanner had interpolated the volume itself, and tone curves and bias
    fields, without which the contrasts are wide enough.

    Args:
        hr: (D, H, W) float32, canonical, the file's intensities.
        spacing: mm (D, H, W).
        intensity: of the model.
        drawn: by its training.

    Returns:
        The slices (D, H, W) with their axis first, in network units, and their spacing in mm.
    """
    slices, noise = drawn.slices, USUAL_NOISE * drawn.appearance.noise
    for axis, length in enumerate(hr.shape):
        turned = np.moveaxis(hr, axis, 0)
        closest = slices.spacing[0]
        farthest = min(slices.spacing[1], length / (slices.num_slices + 2 * MARGIN_SLICES))  # as a patch has room
        if farthest < closest:
            continue
        pixels = [size for other, size in enumerate(spacing) if other != axis]
        middle = math.sqrt(closest * farthest)
        for factor in (farthest, middle):
            lr = _degraded(turned, factor)
            lr = intensity.fit(lr).to_network(lr)
            size = (factor * spacing[axis], pixels[0], pixels[1])
            yield lr, size
        if slices.zoom > 1 or slices.blur:
            yield _finer(lr, slices), (size[0], pixels[0] / slices.zoom, pixels[1] / slices.zoom)
        if noise:
            yield lr + np.float32(noise) * np.random.default_rng(0).standard_normal(lr.shape, np.float32), size


def _degraded(hr: np.ndarray, factor: float) -> np.ndarray:
    """Measure a volume (D, H, W) in slices without gaps, ``factor`` voxels apart."""
    profile, kept = SliceProfile.over_volume(DEFAULT_SHAPE, factor, factor, len(hr), 1.0)
    return multiply_axes(np.ascontiguousarray(hr[kept]), [profile.matrix(), None, None])


def _finer(lr: np.ndarray, slices: SlicesConfig) -> np.ndarray:
    """Interpolate slices (D, H, W) within their plane, then blur them."""
    places = [np.arange(0, size - 1 + 1e-9, 1 / slices.zoom) for size in lr.shape[1:]]
    finer = [spline_matrix(np.arange(size), place) for size, place in zip(lr.shape[1:], places, strict=True)]
    stack = multiply_axes(lr, [None, *finer])
    for axis in (1, 2):
        stack = gaussian_filter1d(stack, slices.blur, axis=axis, mode="nearest") if slices.blur else stack
    return stack


def _known(kind: type[Any], values: object) -> Any:
    """Return a part of a recipe, whose lists are tuples; fields of other versions are left out."""
    told = values if isinstance(values, dict) else {}
    return kind(
        **{
            item.name: tuple(value) if isinstance(value := told[item.name], list) else value
            for item in fields(kind)
            if item.name in told
        }
    )
