"""Pixel shuffle: channels become voxels (Shi et al. 2016, in 3D), and its inverse."""

from torch import Tensor, nn

from SuperResolution3DLib.networks.rrdb import conv3
from SuperResolution3DLib.volumes.geometry import Scale


class ShuffleUpsampling(nn.Module):
    """A convolution and a pixel shuffle, (N, F, D, H, W) to (N, T, D*a, H*b, W*c)."""

    def __init__(self, in_features: int, out_features: int, factors: Scale) -> None:
        super().__init__()
        self.factors = factors
        depth, height, width = factors
        self.convolution = conv3(in_features, out_features * depth * height * width)

    def forward(self, features: Tensor) -> Tensor:
        return pixel_shuffle(self.convolution(features), self.factors)


def pixel_shuffle(features: Tensor, factors: Scale) -> Tensor:
    """Spread channels over the voxels of a finer grid: (N, T*a*b*c, D, H, W) to (N, T, D*a, H*b, W*c)."""
    a, b, c = factors
    batch, channels, depth, height, width = features.shape
    parts = features.reshape(batch, channels // (a * b * c), a, b, c, depth, height, width)
    parts = parts.permute(0, 1, 5, 2, 6, 3, 7, 4)  # (N, T, D, a, H, b, W, c)
    return parts.reshape(batch, -1, depth * a, height * b, width * c)


def pixel_unshuffle(volume: Tensor, factors: Scale) -> Tensor:
    """Undo ``pixel_shuffle``: (N, T, D*a, H*b, W*c) to (N, T*a*b*c, D, H, W); factors divide the sizes."""
    a, b, c = factors
    batch, channels, depth, height, width = volume.shape
    parts = volume.reshape(batch, channels, depth // a, a, height // b, b, width // c, c)
    parts = parts.permute(0, 1, 3, 5, 7, 2, 4, 6)  # (N, T, a, b, c, D, H, W)
    return parts.reshape(batch, -1, depth // a, height // b, width // c)
