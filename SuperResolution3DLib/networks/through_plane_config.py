"""The size of the network for every slice spacing, and what it takes and sees (no torch)."""

import math
from dataclasses import dataclass

from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.receptive_field import Footprint
from SuperResolution3DLib.volumes.geometry import Scale

UNSHUFFLES = (1, 2, 3, 4)


@dataclass(frozen=True)
class ThroughPlaneConfig(GeneratorConfig):
    """Size of the network."""

    network = ("SuperResolution3DLib.networks.through_plane", "ThroughPlaneNet")

    num_features: int = 48
    """channels of the trunk"""
    num_blocks: int = 3
    """residual-in-residual dense blocks"""
    growth: int = 16
    """channels that each convolution of a dense block adds"""
    unshuffle: int = 2
    """pixels of the plane, along each of its axes, that become one voxel of the trunk"""
    decoder_features: int = 32
    """channels between the trunk's features and the result"""
    tail_features: int = 16
    """channels at the plane's full resolution"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unshuffle not in UNSHUFFLES:
            raise ValueError(f"unshuffle must be one of {', '.join(map(str, UNSHUFFLES))}, got {self.unshuffle}")

    @property
    def scale(self) -> Scale:
        """The factor per axis that is fixed: none is, along the slice axis it is whatever is asked for."""
        return 1, 1, 1

    def footprint(self) -> Footprint:
        """Count in the voxels of the trunk, which are ``unshuffle`` pixels wide, and along D in result voxels."""
        in_plane = 3 + math.ceil(1 / self.unshuffle)  # three convolutions on the trunk's voxels, one on pixels
        return Footprint(
            self.num_features,
            4 * self.num_features + 2 * (self.num_features + 4 * self.growth),
            None,
            # two slices, their mixture, a copy; then the pixels and two copies
            4 * self.decoder_features + 3 * self.tail_features * self.unshuffle**2,
            (3, in_plane, in_plane),
            # the mixture, its convolution, the pixels as they lie folded
            tail_channels_on_cpu=2 * self.decoder_features + self.tail_features * self.unshuffle**2,
        )
