"""The paper's discriminator: a 3D U-Net with spectral norm that judges every voxel (paper 4.2)."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

NEGATIVE_SLOPE = 0.2  # LeakyReLU: Real-ESRGAN, Wang et al. 2021, whose 2D U-Net this follows
SMALLEST_PATCH = 8  # voxels; three halvings


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Size of the discriminator. The default is the paper's network with 15 879 617 parameters."""

    num_features: int = 64
    """channels at full resolution; they double with each of the three halvings"""

    def __post_init__(self) -> None:
        if self.num_features < 1:
            raise ValueError(f"discriminator.num_features must be at least 1, got {self.num_features}")


class UNetDiscriminator(nn.Module):
    """A volume patch (N, 1, D, H, W) in network units to one logit a voxel, same shape; high means real.

    Three strided convolutions down, three trilinear enlargements up with additive skips. All convolutions but the
    first and the last are divided by their spectral norm (Miyato et al. 2018).
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        features = (config or DiscriminatorConfig()).num_features
        self.conv_first = nn.Conv3d(1, features, 3, padding=1)
        self.down = nn.ModuleList(_halving(features * 2**level) for level in range(3))
        self.up = nn.ModuleList(_normalised(features * 2 ** (level + 1), features * 2**level) for level in (2, 1, 0))
        self.refine = nn.ModuleList(_normalised(features, features) for _ in range(2))
        self.conv_last = nn.Conv3d(features, 1, 3, padding=1)

    def forward(self, volume: Tensor) -> Tensor:
        if min(volume.shape[2:]) < SMALLEST_PATCH:
            raise ValueError(f"The discriminator needs {SMALLEST_PATCH} voxels an axis, got {tuple(volume.shape[2:])}")
        features = _leaky_relu(self.conv_first(volume))
        skips = []
        for halve in self.down:
            skips.append(features)
            features = _leaky_relu(halve(features))
        for convolution, skip in zip(self.up, reversed(skips), strict=True):
            enlarged = functional.interpolate(features, size=skip.shape[2:], mode="trilinear", align_corners=False)
            features = _leaky_relu(convolution(enlarged)) + skip
        for convolution in self.refine:
            features = _leaky_relu(convolution(features))
        return self.conv_last(features)


def _halving(features: int) -> nn.Module:
    return spectral_norm(nn.Conv3d(features, 2 * features, 4, stride=2, padding=1, bias=False))


def _normalised(in_features: int, out_features: int) -> nn.Module:
    return spectral_norm(nn.Conv3d(in_features, out_features, 3, padding=1, bias=False))


def _leaky_relu(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, NEGATIVE_SLOPE)
