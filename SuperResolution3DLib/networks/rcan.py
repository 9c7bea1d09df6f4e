"""3D RCAN (Zhang et al. 2018): residual groups with channel attention at LR resolution, then pixel shuffle."""

from torch import Tensor, nn

from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.pixel_shuffle import ShuffleUpsampling
from SuperResolution3DLib.networks.rcan_config import RCANConfig
from SuperResolution3DLib.networks.rrdb import conv3
from SuperResolution3DLib.volumes.scale import upsampling_stages


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
