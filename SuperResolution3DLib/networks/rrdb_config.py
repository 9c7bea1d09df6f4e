"""The size of the paper's generator, and what it takes and sees (no torch)."""

import math
from dataclasses import dataclass

from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.receptive_field import Footprint, halo, tail_channels
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages


@dataclass(frozen=True)
class RRDBConfig(GeneratorConfig):
    """Size of the generator. The defaults are the paper's network with 50 059 905 parameters."""

    network = ("SuperResolution3DLib.networks.rrdb", "RRDBNet")

    scale: Scale = (4, 4, 4)
    """upsampling factor per axis (D, H, W), each a product of 2s and 3s (or 1)"""
    num_features: int = 64
    """channels of the trunk, which runs at LR resolution"""
    num_blocks: int = 23
    """residual-in-residual dense blocks"""
    growth: int = 32
    """channels that each convolution of a dense block adds"""
    tail_features: int = 64
    """channels after upsampling; the tail works at HR resolution, so few channels make a fast network"""

    def footprint(self) -> Footprint:
        stages = len(upsampling_stages(self.scale))
        return Footprint(
            self.num_features,
            # residuals of three levels, a dense stack and its copy
            4 * self.num_features + 2 * (self.num_features + 4 * self.growth),
            None,
            tail_channels(self.tail_features, self.scale),
            halo(self.scale, [(1, stage + 1) for stage in range(stages)] + [(1, stages)] * 2),
            tail_channels_on_cpu=2 * self.tail_features * math.prod(self.scale),  # a layer's input and output
        )
