"""3D RCAN (Zhang et al. 2018): residual groups with channel attention at LR resolution, then pixel shuffle."""

from dataclasses import dataclass

from torch import Tensor, nn

from SuperResolution3DLib.networks.generator import Generator, silence
from SuperResolution3DLib.networks.pixel_shuffle import ShuffleUpsampling
from SuperResolution3DLib.networks.rrdb import conv3
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages


@dataclass(frozen=True)
class RCANConfig:
    """Size of the network. The defaults are the paper's baseline with 38 493 953 parameters."""

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
        object.__setattr__(self, "scale", tuple(self.scale))
        for name in ("num_features", "num_groups", "num_blocks", "reduction", "tail_features", "patch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.num_features < self.reduction:
            raise ValueError(f"num_features {self.num_features} must not be below the reduction {self.reduction}")
        upsampling_stages(self.scale)

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


class RCAN(Generator):
    """Residual groups at LR resolution, then pixel shuffle; always run in windows of its training patch's size."""

    def __init__(self, config: RCANConfig | None = None) -> None:
        super().__init__()
        config = config or RCANConfig()
        self.scale, self.window = config.scale, config.patch_size
        features = config.num_features
        self.conv_first = conv3(1, features)
        self.body = nn.Sequential(
            *[ResidualGroup(features, config.num_blocks, config.reduction) for _ in range(config.num_groups)]
        )
        self.conv_body = conv3(features, features)
        stages = upsampling_stages(config.scale)
        inputs = [features] + [config.tail_features] * len(stages)
        self.upsampling = nn.Sequential(
            *[ShuffleUpsampling(inputs[i], config.tail_features, stage) for i, stage in enumerate(stages)]
        )
        self.conv_last = conv3(config.tail_features, 1)

    def trunk(self, lr: Tensor) -> Tensor:
        features = self.conv_first(lr)
        return features + self.conv_body(self.body(features))

    def tail(self, features: Tensor) -> Tensor:
        return self.conv_last(self.upsampling(features))

    def trunk_convolutions(self) -> list[nn.Module]:
        convolutions: list[nn.Module] = [self.conv_first]
        for block in self.body.modules():
            if isinstance(block, ResidualBlock):
                convolutions += [block.layers[0], block.layers[2]]
            elif isinstance(block, ResidualGroup):
                convolutions.append(block.convolution)
        return [*convolutions, self.conv_body]

    def silence(self) -> None:
        silence(self.conv_last)


class ResidualGroup(nn.Module):
    """Residual blocks and a convolution, (N, F, D, H, W) to the same."""

    def __init__(self, num_features: int, num_blocks: int, reduction: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[ResidualBlock(num_features, reduction) for _ in range(num_blocks)])
        self.convolution = conv3(num_features, num_features)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.convolution(self.blocks(features))


class ResidualBlock(nn.Module):
    """Two convolutions and the channel attention, (N, F, D, H, W) to the same."""

    def __init__(self, num_features: int, reduction: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv3(num_features, num_features),
            nn.ReLU(inplace=True),
            conv3(num_features, num_features),
            ChannelAttention(num_features, reduction),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)


class ChannelAttention(nn.Module):
    """Weigh each channel by the means of all channels over the whole input, (N, F, D, H, W) to the same."""

    def __init__(self, num_features: int, reduction: int) -> None:
        super().__init__()
        self.weighing = nn.Sequential(
            nn.AdaptiveAvgPool3d(1),
            nn.Conv3d(num_features, num_features // reduction, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv3d(num_features // reduction, num_features, kernel_size=1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features * self.weighing(features)
