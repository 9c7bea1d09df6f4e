"""3D DCSRNet (Chen et al. 2018): a densely connected block at HR resolution on the interpolated volume."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from SuperResolution3DLib.networks.batch_norm import BatchNorm
from SuperResolution3DLib.networks.dcsrn_config import DCSRNetConfig
from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.trilinear import trilinear
from SuperResolution3DLib.volumes.box import Box, scaled
from SuperResolution3DLib.volumes.geometry import Grid


class DCSRNet(Generator):
    """All tail: the LR volume is interpolated and every convolution works at HR resolution."""

    enlarges_input = True
    trunk_parts = ()

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


class DenseUnit(nn.Module):
    """Batch norm, ELU and a convolution, (N, F, D, H, W) to (N, G, D, H, W)."""

    def __init__(self, in_features: int, growth: int) -> None:
        super().__init__()
        self.norm = BatchNorm(in_features)
        self.convolution = nn.Conv3d(in_features, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.convolution(functional.elu(self.norm(features), inplace=True))
