"""3D SRResNet (Ledig et al. 2017): residual blocks at LR resolution, then pixel shuffle."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from SuperResolution3DLib.networks.batch_norm import BatchNorm
from SuperResolution3DLib.networks.generator import Generator, silence
from SuperResolution3DLib.networks.pixel_shuffle import ShuffleUpsampling
from SuperResolution3DLib.networks.rrdb import conv3
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages

DESIGNS = ("modified", "original")
NEGATIVE_SLOPE = 0.1  # LeakyReLU of the tail in the modified design: Wang et al. 2018, ESRGAN's MSRResNet
INITIAL_GAIN = 0.1  # Kaiming normal times 0.1, likewise
END_KERNEL = {"modified": 3, "original": 9}  # edge of the first and the last convolution


@dataclass(frozen=True)
class SRResNetConfig:
    """Size of the network. The defaults are the paper's baseline with 5 425 665 parameters."""

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
        object.__setattr__(self, "scale", tuple(self.scale))
        for name in ("num_features", "num_blocks", "tail_features"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.grid not in ("center", "corner"):
            raise ValueError(f"grid is center or corner, got {self.grid!r}")
        if self.design not in DESIGNS:
            raise ValueError(f"design is {' or '.join(DESIGNS)}, got {self.design!r}")
        upsampling_stages(self.scale)

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


class SRResNet(Generator):
    """Residual blocks at LR resolution, pixel shuffle, and on top of the interpolated volume or not."""

    def __init__(self, config: SRResNetConfig | None = None) -> None:
        super().__init__()
        config = config or SRResNetConfig()
        original = config.design == "original"
        self.scale = config.scale
        self.grid = config.grid if config.adds_trilinear else None
        self.adds_trilinear = config.adds_trilinear
        features, end_kernel = config.num_features, END_KERNEL[config.design]
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

    def trunk_convolutions(self) -> list[nn.Module]:
        parts = (self.conv_first, self.body, self.body_end)
        return [module for part in parts for module in part.modules() if isinstance(module, nn.Conv3d)]

    def silence(self) -> None:
        silence(self.conv_last)

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
