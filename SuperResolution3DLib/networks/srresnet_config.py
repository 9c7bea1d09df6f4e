"""The size of 3D SRResNet, and what it takes and sees (no torch)."""

from dataclasses import dataclass

from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.receptive_field import Footprint, halo, tail_channels
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages

END_KERNEL = {"modified": 3, "original": 9}  # design: edge of the first and the last convolution


@dataclass(frozen=True)
class SRResNetConfig(GeneratorConfig):
    """Size of the network. The defaults are the paper's baseline with 5 425 665 parameters."""

    network = ("SuperResolution3DLib.networks.srresnet", "SRResNet")

    scale: Scale = (4, 4, 4)
    """upsampling factor per axis (D, H, W), each a product of 2s and 3s (or 1)"""
    grid: Grid = "center"
    """where LR voxels lie among HR voxels; matters only to the interpolation that is added"""
    num_features: int = 64
    """channels of the trunk, which runs at LR resolution"""
    num_blocks: int = 16
    """residual blocks of two convolutions"""
    tail_features: int = 64
    """channels after upsampling; the tail works at HR resolution, so few channels make a fast network"""
    design: str = "modified"
    """modified: no batch norm, ReLU, 3^3 convolutions only (ESRGAN's MSRResNet);
    original: batch norm, PReLU, 9^3 convolutions at both ends, a skip around all blocks (Ledig et al. 2017)"""
    adds_trilinear: bool = True
    """the network makes what is missing from the trilinear interpolation; False where the model has another skip"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.design not in END_KERNEL:
            raise ValueError(f"design is {' or '.join(END_KERNEL)}, got {self.design!r}")

    @classmethod
    def authors(cls, scale: Scale = (4, 4, 4), grid: Grid = "center") -> "SRResNetConfig":
        """Return the baseline of the RRDB-GAN paper: 5.43 M parameters at 4x."""
        return cls(scale, grid)

    @classmethod
    def original(cls, scale: Scale = (4, 4, 4), grid: Grid = "center") -> "SRResNetConfig":
        """Return the original publication's network, made 3D: 5.52 M parameters at 4x."""
        return cls(scale, grid, design="original", adds_trilinear=False)

    @classmethod
    def small(cls, scale: Scale = (4, 4, 4), grid: Grid = "center") -> "SRResNetConfig":
        """Return a network that trains on two CPU cores: 1.72 M parameters at 4x."""
        return cls(scale, grid, num_features=48, num_blocks=12, tail_features=16)

    @property
    def end_kernel(self) -> int:
        """Edge of the first and the last convolution."""
        return END_KERNEL[self.design]

    def footprint(self) -> Footprint:
        original, stages = self.design == "original", len(upsampling_stages(self.scale))
        radius = self.end_kernel // 2
        last = [(radius, stages)] if original else [(radius, stages)] * 2
        return Footprint(
            self.num_features,
            (5 if original else 4) * self.num_features,  # residuals of one or two levels, a layer's input, output, copy
            radius + 2 * self.num_blocks + (1 if original else 0),
            tail_channels(self.tail_features, self.scale),
            halo(self.scale, [(1, stage) for stage in range(stages)] + last),
        )
