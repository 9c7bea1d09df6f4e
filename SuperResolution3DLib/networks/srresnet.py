"""3D SRResNet (Ledig et al. 2017): residual blocks at LR resolution, then pixel shuffle."""

import torch
from torch import Tensor, nn

from SuperResolution3DLib.networks.batch_norm import BatchNorm
from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.pixel_shuffle import ShuffleUpsampling
from SuperResolution3DLib.networks.rrdb import conv3
from SuperResolution3DLib.networks.srresnet_config import SRResNetConfig
from SuperResolution3DLib.volumes.scale import upsampling_stages

NEGATIVE_SLOPE = 0.1  # LeakyReLU of the tail in the modified design: Wang et al. 2018, ESRGAN's MSRResNet
INITIAL_GAIN = 0.1  # Kaiming normal times 0.1, likewise


class SRResNet(Generator):
    """Residual blocks at LR resolution, pixel shuffle, and on top of the interpolated volume or not."""

    trunk_parts = ("conv_first", "body", "body_end")

    def __init__(self, config: SRResNetConfig | None = None) -> None:
        super().__init__()
        config = config or SRResNetConfig()
        original = config.design == "original"
        self.scale = config.scale
        self.grid = config.grid if config.adds_trilinear else None
        self.adds_trilinear = config.adds_trilinear
        features, end_kernel = config.num_features, config.end_kernel
        self.conv_first = nn.Conv3d(1, features, end_kernel, padding=end_kernel // 2)
        self.activation = nn.PReLU() if original else nn.ReLU(inplace=True)
        self.body = nn.Sequential(*[ResidualBlock(features, original=original) for _ in range(config.num_blocks)])
        self.body_end = nn.Sequential(conv3(features, features), BatchNorm(features)) if original else nn.Identity()
        self.upsampling = nn.Sequential()
        for stage in upsampling_stages(config.scale):
            self.upsampling.append(ShuffleUpsampling(features, config.tail_features, stage))
            self.upsampling.append(nn.PReLU() if original else nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))
            features = config.tail_features
        self.refining = nn.Sequential()
        if not original:
            self.refining.append(conv3(features, features))
            self.refining.append(nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))
        self.conv_last = nn.Conv3d(features, 1, end_kernel, padding=end_kernel // 2)
        self.skips_body = original
        if not original:
            self._start_small()

    def trunk(self, lr: Tensor) -> Tensor:
        features = self.activation(self.conv_first(lr))
        if self.skips_body:
            return features + self.body_end(self.body(features))
        return self.body(features)

    def tail(self, features: Tensor) -> Tensor:
        return self.conv_last(self.refining(self.upsampling(features)))

    @torch.no_grad()
    def _start_small(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight)
                module.weight *= INITIAL_GAIN
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class ResidualBlock(nn.Module):
    """Two convolutions, (N, F, D, H, W) to the same."""

    def __init__(self, num_features: int, *, original: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv3(num_features, num_features), nn.ReLU(inplace=True)]
        if original:
            layers = [conv3(num_features, num_features), BatchNorm(num_features), nn.PReLU()]
        layers.append(conv3(num_features, num_features))
        if original:
            layers.append(BatchNorm(num_features))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)
