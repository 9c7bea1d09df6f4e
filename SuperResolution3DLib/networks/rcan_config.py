"""The size of 3D RCAN, and what it takes and sees (no torch)."""

from dataclasses import dataclass

from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.receptive_field import Footprint, halo, tail_channels
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages


@dataclass(frozen=True)
class RCANConfig(GeneratorConfig):
    """Size of the network. The defaults are the paper's baseline with 38 493 953 parameters."""

    network = ("SuperResolution3DLib.networks.rcan", "RCAN")

    scale: Scale = (4, 4, 4)
    """upsampling factor per axis (D, H, W), each a product of 2s and 3s (or 1)"""
    num_features: int = 64
    """channels of the trunk, which runs at LR resolution"""
    num_groups: int = 10
    """residual groups"""
    num_blocks: int = 16
    """residual blocks with channel attention in each group"""
    reduction: int = 16
    """of the channels inside the channel attention"""
    tail_features: int = 64
    """channels after upsampling; the tail works at HR resolution, so few channels make a fast network"""
    patch_size: int = 24
    """edge of the training patches in LR voxels: the attention pools over its whole input, so the network is used in
    windows of this size"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_features < self.reduction:
            raise ValueError(f"num_features {self.num_features} must not be below the reduction {self.reduction}")

    @classmethod
    def authors(cls, scale: Scale = (4, 4, 4)) -> "RCANConfig":
        """Return the baseline of the RRDB-GAN paper's authors: 10 x 16 blocks, 38.49 M parameters at 4x."""
        return cls(scale)

    @classmethod
    def original(cls, scale: Scale = (4, 4, 4)) -> "RCANConfig":
        """Return the original publication's network, made 3D: 10 x 20 blocks, 47.37 M parameters at 4x."""
        return cls(scale, num_blocks=20)

    @classmethod
    def small(cls, scale: Scale = (4, 4, 4), patch_size: int = 20) -> "RCANConfig":
        """Return a network that trains on two CPU cores: 1.97 M parameters at 4x."""
        return cls(scale, num_features=48, num_groups=3, num_blocks=4, tail_features=16, patch_size=patch_size)

    def footprint(self) -> Footprint:
        stages = len(upsampling_stages(self.scale))
        return Footprint(
            self.num_features,
            6 * self.num_features,  # residuals of three levels, a layer's input, output and copy
            None,
            tail_channels(self.tail_features, self.scale),
            halo(self.scale, [(1, stage) for stage in range(stages)] + [(1, stages)]),
            self.patch_size,
        )
