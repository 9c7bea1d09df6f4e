"""The paper's generator: a 3D residual-in-residual dense block network (RRDBNet)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.rrdb_config import RRDBConfig
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages

RESIDUAL_SCALE = 0.2  # inside dense blocks and around three of them: ESRGAN, Wang et al. 2018
NEGATIVE_SLOPE = 0.2  # LeakyReLU, likewise
INITIAL_GAIN = 0.1  # Kaiming normal times 0.1 in the dense blocks, likewise


class RRDBNet(Generator):
    """Dense blocks at LR resolution, then nearest-neighbour upsampling and convolutions."""

    def __init__(self, config: RRDBConfig | None = None) -> None:
        super().__init__()
        config = config or RRDBConfig()
        self.scale = config.scale
        self.conv_first = conv3(1, config.num_features)
        self.body = nn.Sequential(*[RRDB(config.num_features, config.growth) for _ in range(config.num_blocks)])
        self.conv_body = conv3(config.num_features, config.num_features)
        stages = upsampling_stages(config.scale)
        inputs = [config.num_features] + [config.tail_features] * len(stages)
        self.upsampling = nn.Sequential(
            *[Upsampling(inputs[i], config.tail_features, stage) for i, stage in enumerate(stages)]
        )
        self.conv_hr = conv3(inputs[-1], config.tail_features)
        self.conv_last = conv3(config.tail_features, 1)

    def trunk(self, lr: Tensor) -> Tensor:
        features = self.conv_first(lr)
        return features + self.conv_body(self.body(features))

    def tail(self, features: Tensor) -> Tensor:
        return self.conv_last(leaky_relu(self.conv_hr(self.upsampling(features))))


class RRDB(nn.Module):
    """Three dense blocks with a residual around them, (N, F, D, H, W) to the same."""

    def __init__(self, num_features: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[DenseBlock(num_features, growth) for _ in range(3)])

    def forward(self, features: Tensor) -> Tensor:
        return features + RESIDUAL_SCALE * self.blocks(features)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the input and all that came before it, (N, F, D, H, W) to the same."""

    def __init__(self, num_features: int, growth: int) -> None:
        super().__init__()
        self.growing = nn.ModuleList(conv3(num_features + i * growth, growth) for i in range(4))
        self.fusing = conv3(num_features + 4 * growth, num_features)
        for convolution in (*self.growing, self.fusing):
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.zeros_(convolution.bias)
            with torch.no_grad():
                convolution.weight *= INITIAL_GAIN

    def forward(self, features: Tensor) -> Tensor:
        stack = features
        for convolution in self.growing:
            stack = torch.cat([stack, leaky_relu(convolution(stack))], dim=1)
        return features + RESIDUAL_SCALE * self.fusing(stack)


class Upsampling(nn.Module):
    """Nearest-neighbour upsampling and a convolution, (N, F, D, H, W) to (N, T, D*a, H*b, W*c)."""

    def __init__(self, in_features: int, out_features: int, factors: Scale) -> None:
        super().__init__()
        self.factors = factors
        self.convolution = conv3(in_features, out_features)

    def forward(self, features: Tensor) -> Tensor:
        enlarged = functional.interpolate(features, scale_factor=[float(f) for f in self.factors], mode="nearest")
        return leaky_relu(self.convolution(enlarged))


def conv3(in_features: int, out_features: int) -> nn.Conv3d:
    return nn.Conv3d(in_features, out_features, kernel_size=3, padding=1)


def leaky_relu(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, NEGATIVE_SLOPE, inplace=True)
