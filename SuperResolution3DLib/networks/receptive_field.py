"""What each network takes of memory and how far it sees, from the model's card alone (no torch)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import mul

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages


@dataclass(frozen=True)
class Footprint:
    """Channels that are alive at once, and what the network sees beyond a tile."""

    features: int
    """channels between trunk and tail, at LR resolution"""
    trunk_channels: int
    """alive at once in the trunk, at LR resolution"""
    trunk_reach: int | None
    """LR voxels that the trunk sees beyond a voxel; None: so many that a tiled trunk is an approximation"""
    tail_channels: int
    """alive at once in the tail, counted at LR resolution"""
    tail_halo: Shape
    """LR voxels (D, H, W) that the tail sees beyond a tile, exact"""
    window: int | None = None
    """edge of the windows (LR voxels) that the network must run in; None: it runs whole or in tiles"""


def footprint(card: ModelCard) -> Footprint:
    """Return the footprint of a model.

    Raises:
        ModelError: a network that this program does not have, or a config that lacks its size.
    """
    if card.network not in _FOOTPRINTS:
        raise ModelError(f"Unknown network {card.network!r}; this program has {', '.join(sorted(_FOOTPRINTS))}")
    try:
        return _FOOTPRINTS[card.network](card)
    except KeyError as error:
        raise ModelError(f"The config of {card.name} does not say {error}") from error
    except ValueError as error:
        raise ModelError(f"The config of {card.name} cannot be used: {error}") from error


def _rrdb(card: ModelCard) -> Footprint:
    features, growth = _size(card, "num_features"), _size(card, "growth")
    stages = len(upsampling_stages(card.scale))
    convolutions = [(1, stage + 1) for stage in range(stages)] + [(1, stages)] * 2
    return Footprint(
        features,
        4 * features + 2 * (features + 4 * growth),  # residuals of three levels, a dense stack and its copy
        None,
        _shuffling_channels(card),
        _halo(card.scale, convolutions),
    )


def _srresnet(card: ModelCard) -> Footprint:
    features, original = _size(card, "num_features"), card.config["design"] == "original"
    stages = len(upsampling_stages(card.scale))
    first, last = (4, [(4, stages)]) if original else (1, [(1, stages)] * 2)
    return Footprint(
        features,
        (5 if original else 4) * features,  # residuals of one or two levels, a layer's input, output and copy
        first + 2 * _size(card, "num_blocks") + (1 if original else 0),
        _shuffling_channels(card),
        _halo(card.scale, [(1, stage) for stage in range(stages)] + last),
    )


def _dcsrn(card: ModelCard) -> Footprint:
    units = _size(card, "num_units")
    stack = _size(card, "num_features") + units * _size(card, "growth")
    reach = 1 + units + _size(card, "output_kernel") // 2  # HR voxels
    # HR voxels beyond the outermost LR voxel of a tile are interpolated as if the volume ended there.
    beyond = [factor - 1 if card.grid == "corner" else factor // 2 for factor in card.scale]
    depth, height, width = (math.ceil((reach + most) / factor) for most, factor in zip(beyond, card.scale, strict=True))
    # the stack, and either its normalised copy or the next one
    return Footprint(1, 1, 0, (2 * stack + 1) * math.prod(card.scale), (depth, height, width))


def _rcan(card: ModelCard) -> Footprint:
    features = _size(card, "num_features")
    stages = len(upsampling_stages(card.scale))
    return Footprint(
        features,
        6 * features,  # residuals of three levels, a layer's input, output and copy
        None,
        _shuffling_channels(card),
        _halo(card.scale, [(1, stage) for stage in range(stages)] + [(1, stages)]),
        _size(card, "patch_size"),
    )


def _through_plane(card: ModelCard) -> Footprint:
    """Counted in the voxels of the trunk, which are ``unshuffle`` pixels wide, and along D in result voxels."""
    features, growth, folded = _size(card, "num_features"), _size(card, "growth"), _size(card, "unshuffle")
    decoder, tail = _size(card, "decoder_features"), _size(card, "tail_features")
    in_plane = 3 + math.ceil(1 / folded)  # three convolutions on the trunk's voxels, one on pixels
    return Footprint(
        features,
        4 * features + 2 * (features + 4 * growth),
        None,
        4 * decoder + 3 * tail * folded**2,  # two slices, their mixture, a copy; then the pixels and two copies
        (3, in_plane, in_plane),
    )


_FOOTPRINTS: dict[str, Callable[[ModelCard], Footprint]] = {
    "rrdb": _rrdb,
    "srresnet": _srresnet,
    "dcsrn": _dcsrn,
    "rcan": _rcan,
    "through-plane": _through_plane,
}


def _size(card: ModelCard, name: str) -> int:
    value = card.config[name]
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
    return value


def _shuffling_channels(card: ModelCard) -> int:
    return 3 * _size(card, "tail_features") * math.prod(card.scale)  # input, output and one copy of a layer


def _halo(scale: Scale, convolutions: list[tuple[int, int]]) -> Shape:
    """Return the LR voxels per axis that convolutions of (radius, upsampling stages before it) see together.

    Each reaches its radius on the grid that it works on: after stages of 2 and 2, radius / 4 of an LR voxel.
    """
    halo = []
    for axis in range(3):
        reached = list(accumulate((stage[axis] for stage in upsampling_stages(scale)), mul, initial=1))
        halo.append(math.ceil(sum(Fraction(radius, reached[stage]) for radius, stage in convolutions)))
    depth, height, width = halo
    return depth, height, width
