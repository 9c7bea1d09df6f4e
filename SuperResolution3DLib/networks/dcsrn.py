"""3D DCSRNet (Chen et al. 2018): a densely connected block at HR resolution on the interpolated volume."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from SuperResolution3DLib.networks.batch_norm import BatchNorm
from SuperResolution3DLib.networks.generator import Generator, silence
from SuperResolution3DLib.networks.trilinear import trilinear
from SuperResolution3DLib.volumes.box import Box, scaled
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages


@dataclass(frozen=True)
class DCSRNetConfig:
    """Size of the network. The defaults are the paper's baseline with 141 816 parameters."""

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
        object.__setattr__(self, "scale", tuple(self.scale))
        for name in ("num_features", "num_units", "growth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.grid not in ("center", "corner"):
            raise ValueError(f"grid is center or corner, got {self.grid!r}")
        if self.output_kernel not in (1, 3):
            raise ValueError(f"output_kernel is 1 or 3, got {self.output_kernel}")
        upsampling_stages(self.scale)

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


class DCSRNet(Generator):
    """All tail: the LR volume is interpolated and every convolution works at HR resolution."""

    enlarges_input = True

    def __init__(self, config: DCSRNetConfig | None = None) -> None:
        super().__init__()
        config = config or DCSRNetConfig()
        self.scale = config.scale
        self.input_grid: Grid = config.grid
        self.grid = config.grid
        self.conv_first = nn.Conv3d(1, config.num_features, kernel_size=3, padding=1, bias=False)
        widths = [config.num_features + i * config.growth for i in range(config.num_units + 1)]
        self.units = nn.ModuleList(DenseUnit(width, config.growth) for width in widths[:-1])
        edge = config.output_kernel
        self.conv_last = nn.Conv3d(widths[-1], 1, kernel_size=edge, padding=edge // 2, bias=False)

    def trunk(self, lr: Tensor) -> Tensor:
        return lr

    def tail(self, features: Tensor) -> Tensor:
        return self._refine(features)

    def in_window(self, lr: Tensor, box: Box) -> Tensor:
        return self._refine(lr, scaled(box, self.scale))

    def _refine(self, lr: Tensor, box: Box | None = None) -> Tensor:
        """Interpolate the LR volume, whole or a box of HR voxels (D, H, W), and convolve that."""
        # interpolated in fp32: in 16 bits each axis would round once more
        enlarged = trilinear(lr.float(), self.scale, self.input_grid, box).to(self.conv_first.weight.dtype)
        stack = self.conv_first(enlarged.contiguous(memory_format=torch.channels_last_3d))
        for unit in self.units:
            stack = torch.cat([stack, unit(stack)], dim=1)
        return self.conv_last(stack)

    def trunk_convolutions(self) -> list[nn.Module]:
        return []

    def silence(self) -> None:
        silence(self.conv_last)


class DenseUnit(nn.Module):
    """Batch norm, ELU and a convolution, (N, F, D, H, W) to (N, G, D, H, W)."""

    def __init__(self, in_features: int, growth: int) -> None:
        super().__init__()
        self.norm = BatchNorm(in_features)
        self.convolution = nn.Conv3d(in_features, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.convolution(functional.elu(self.norm(features), inplace=True))
