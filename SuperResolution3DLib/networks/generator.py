"""What the engine and the trainer ask of every network: a trunk at LR resolution and a tail that enlarges."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from SuperResolution3DLib.networks.trilinear import trilinear
from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DLib.volumes.geometry import Grid, Scale


class Generator(nn.Module, ABC):
    """LR volume (N, 1, D, H, W) to SR volume (N, 1, D*s, H*s, W*s), in network units."""

    scale: Scale
    """factor per axis (D, H, W)"""
    grid: Grid | None = None
    """where LR voxels lie among HR voxels, for a network that interpolates its input; None: it does not"""
    adds_trilinear: bool = False
    """the SR volume is the tail's output plus the trilinear interpolation of the LR volume on ``grid``"""
    enlarges_input: bool = False
    """every convolution works on the interpolated LR volume, from which windows are cut"""
    trunk_parts: tuple[str, ...] = ("conv_first", "body", "conv_body")
    """attributes in which the trunk's convolutions are"""
    conv_last: nn.Conv3d
    """the tail's last convolution, which makes the SR volume or what is added to it"""
    window: int | None = None
    """edge (LR voxels) of the windows that the network must run in, for one that pools over its whole input"""

    @abstractmethod
    def trunk(self, lr: Tensor) -> Tensor:
        """Return the features of the LR volume: (N, 1, D, H, W) to (N, F, D, H, W)."""

    @abstractmethod
    def tail(self, features: Tensor) -> Tensor:
        """Return the SR volume of the trunk's features: (N, F, D, H, W) to (N, 1, D*s, H*s, W*s)."""

    def in_window(self, lr: Tensor, box: Box) -> Tensor:
        """Return the SR of a window alone, without what ``adds_trilinear`` promises.

        Args:
            lr: (N, 1, D, H, W), the whole LR volume.
            box: the window in LR voxels (D, H, W).
        """
        window = lr[(..., *box)].to(next(self.parameters()).dtype)
        return self.tail(self.trunk(window.contiguous(memory_format=torch.channels_last_3d)))

    def trunk_convolutions(self) -> list[nn.Module]:
        """Return the trunk's convolutions: the points where a run can be followed and cancelled."""
        parts = (self.get_submodule(name) for name in self.trunk_parts)
        return [module for part in parts for module in part.modules() if isinstance(module, nn.Conv3d)]

    def silence(self) -> None:
        """Make the untrained tail return zeros, so that training begins at the skip or the added interpolation."""
        nn.init.zeros_(self.conv_last.weight)
        if self.conv_last.bias is not None:
            nn.init.zeros_(self.conv_last.bias)

    def forward(self, lr: Tensor) -> Tensor:
        detail = self.tail(self.trunk(lr))
        if self.adds_trilinear and self.grid is not None:
            return detail + trilinear(lr, self.scale, self.grid)
        return detail
