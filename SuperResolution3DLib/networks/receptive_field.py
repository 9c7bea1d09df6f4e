"""How far a network sees and what it takes of memory, in the terms that the engine and the forecast need (no torch)."""

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import mul

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
    tail_channels_on_cpu: int | None = None
    """alive at once in the tail as the CPU computes it; None: as elsewhere"""


def halo(scale: Scale, convolutions: list[tuple[int, int]]) -> Shape:
    """Return the LR voxels per axis that convolutions of (radius, upsampling stages before it) see together.

    Each reaches its radius on the grid that it works on: after stages of 2 and 2, radius / 4 of an LR voxel.
    """
    reach = []
    for axis in range(3):
        reached = list(accumulate((stage[axis] for stage in upsampling_stages(scale)), mul, initial=1))
        reach.append(math.ceil(sum(Fraction(radius, reached[stage]) for radius, stage in convolutions)))
    depth, height, width = reach
    return depth, height, width


def tail_channels(tail_features: int, scale: Scale) -> int:
    """Return the channels of an upsampling tail, counted at LR resolution: a layer's input, its output and one copy."""
    return 3 * tail_features * math.prod(scale)
