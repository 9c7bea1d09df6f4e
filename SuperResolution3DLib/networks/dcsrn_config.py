"""The size of 3D DCSRNet, and what it takes and sees (no torch)."""

import math
from dataclasses import dataclass

from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.receptive_field import Footprint
from SuperResolution3DLib.volumes.geometry import Grid, Scale


@dataclass(frozen=True)
class DCSRNetConfig(GeneratorConfig):
    """Size of the network. The defaults are the paper's baseline with 141 816 parameters."""

    network = ("SuperResolution3DLib.networks.dcsrn", "DCSRNet")

    scale: Scale = (4, 4, 4)
    """upsampling factor per axis (D, H, W), each a product of 2s and 3s (or 1)"""
    grid: Grid = "center"
    """where LR voxels lie among HR voxels; the input is interpolated on it"""
    num_features: int = 48
    """channels of the first convolution"""
    num_units: int = 3
    """densely connected units: batch norm, ELU, convolution"""
    growth: int = 24
    """channels that each unit adds"""
    output_kernel: int = 1
    """edge of the last convolution: 1 or 3 voxels"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output_kernel not in (1, 3):
            raise ValueError(f"output_kernel is 1 or 3, got {self.output_kernel}")

    @classmethod
    def authors(cls, scale: Scale = (4, 4, 4), grid: Grid = "center") -> "DCSRNetConfig":
        """Return the baseline of the RRDB-GAN paper: 141 816 parameters."""
        return cls(scale, grid)

    @classmethod
    def original(cls, scale: Scale = (4, 4, 4), grid: Grid = "center") -> "DCSRNetConfig":
        """Return the original publication's network: four units, 3^3 convolutions only, 0.22 M parameters."""
        return cls(scale, grid, num_units=4, output_kernel=3)

    @classmethod
    def small(cls, scale: Scale = (4, 4, 4), grid: Grid = "center") -> "DCSRNetConfig":
        """Return a network that trains on two CPU cores: 35 916 parameters, all of them at HR resolution."""
        return cls(scale, grid, num_features=24, growth=12)

    def footprint(self) -> Footprint:
        stack = self.num_features + self.num_units * self.growth
        reach = 1 + self.num_units + self.output_kernel // 2  # HR voxels
        # HR voxels beyond the outermost LR voxel of a tile are interpolated as if the volume ended there.
        beyond = [factor - 1 if self.grid == "corner" else factor // 2 for factor in self.scale]
        depth, height, width = (
            math.ceil((reach + most) / factor) for most, factor in zip(beyond, self.scale, strict=True)
        )
        # the stack, and either its normalised copy or the next one
        return Footprint(1, 1, 0, (2 * stack + 1) * math.prod(self.scale), (depth, height, width))
