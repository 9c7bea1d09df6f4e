"""Rewrites of a network for the CPU: other operations that give the same voxels (to 1e-5 in fp32) in less time.

What is computed from the weights here lives as long as the run; the model file stays as it is.
"""

import math
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from SuperResolution3DLib.networks.rrdb import (
    NEGATIVE_SLOPE,
    RESIDUAL_SCALE,
    RRDB,
    DenseBlock,
    RRDBNet,
    Upsampling,
    leaky_relu,
)
from SuperResolution3DLib.networks.through_plane import Modulation, ThroughPlaneNet
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages

LANES = 16  # output channels for which oneDNN takes as long as for one: AVX-512 holds 16 numbers of 32 bits


def rewrite_for_cpu(network: Generator) -> None:
    """Replace in place what the CPU computes faster, or in less memory, in another way; the network is in fp32."""
    stacks = Stacks()
    if isinstance(network, RRDBNet):
        network.conv_last = BlockConvolution(network.conv_last, network.scale)
    if isinstance(network, ThroughPlaneNet):
        network.mixing = SliceBySliceMixing()  # type: ignore[assignment]
        if max(network.in_plane) > 1:
            network.unfolding = nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)  # type: ignore[assignment]
            network.conv_last = FoldedConvolution(network.conv_last, network.in_plane)  # type: ignore[assignment]
    for module in reversed(list(network.modules())):  # what is inside first
        for name, part in module.named_children():
            if isinstance(part, Upsampling):
                setattr(module, name, TransposedUpsampling(part))
            elif isinstance(part, DenseBlock):
                setattr(module, name, BufferedDenseBlock(part, stacks))
            elif isinstance(part, RRDB):
                setattr(module, name, InPlaceRRDB(part))
            elif type(part) is nn.Conv3d and part.groups == 1:
                setattr(module, name, OneDNNConvolution(part))
    if isinstance(network, RRDBNet | ThroughPlaneNet):
        network.body.register_forward_hook(lambda *_: stacks.clear())


class _Rewritten:
    """A layer whose weights are given: none are drawn at random first."""

    def reset_parameters(self) -> None:
        """Leave them."""


class Stacks:
    """Two blocks of memory in which all dense blocks of a network stack their features in turn."""

    def __init__(self) -> None:
        self._blocks: tuple[Tensor, Tensor] | None = None

    def of(self, features: Tensor, most_channels: int) -> tuple[Tensor, Tensor]:
        """Return two blocks (voxels * channels,) for stacks on features (1, F, D, H, W) of up to so many channels."""
        size = features[:, 0].numel() * most_channels
        if self._blocks is None or self._blocks[0].numel() < size:  # a run that failed may have left smaller ones
            self._blocks = features.new_empty(size), features.new_empty(size)
        return self._blocks

    @property
    def is_held(self) -> bool:
        return self._blocks is not None

    def clear(self) -> None:
        """Let go of the memory: what follows the dense blocks needs it."""
        self._blocks = None


class BufferedDenseBlock(nn.Module):
    """A dense block whose stacks lie in blocks of memory that are there already, (1, F, D, H, W) to the same."""

    def __init__(self, part: DenseBlock, stacks: Stacks) -> None:
        super().__init__()
        self.growing, self.fusing = part.growing, part.fusing
        self.stacks = stacks

    def forward(self, features: Tensor) -> Tensor:
        stack, blocks = features, self.stacks.of(features, self.fusing.in_channels)
        for number, convolution in enumerate(self.growing):
            new = leaky_relu(convolution(stack))
            larger = _channels_last(blocks[number % 2], stack.shape[1] + new.shape[1], features.shape)
            stack = torch.cat([stack, new], dim=1, out=larger)
        return self.fusing(stack).mul_(RESIDUAL_SCALE).add_(features)


class InPlaceRRDB(nn.Module):
    """Dense blocks whose output becomes the sum with their input in place, (1, F, D, H, W) to the same."""

    def __init__(self, part: RRDB) -> None:
        super().__init__()
        self.blocks = part.blocks

    def forward(self, features: Tensor) -> Tensor:
        return self.blocks(features).mul_(RESIDUAL_SCALE).add_(features)


class TransposedUpsampling(_Rewritten, nn.ConvTranspose3d):
    """Nearest-neighbour upsampling and a 3^3 convolution as one transposed convolution.

    A voxel repeated f times and then read by 3 taps reaches f + 2 voxels of the output; taps that read the same voxel
    are summed once for all. At f = 2 that leaves 8 multiplications per voxel and channel of 27:

        taps  a b c       output   2i            2i + 1
        voxel             reads    i-1: a        i:   a + b
                                   i:   b + c    i+1: c
    """

    def __init__(self, part: Upsampling) -> None:
        kernel = part.convolution.weight.detach().flip(2, 3, 4)  # a transposed convolution reads it backwards
        for axis, factor in enumerate(part.factors, start=2):
            kernel = _summed_over_repetitions(kernel, axis, factor)
        out_features, in_features, *extent = kernel.shape
        super().__init__(in_features, out_features, extent, part.factors, padding=1, device="meta")  # type: ignore[arg-type]
        self.weight = nn.Parameter(kernel.transpose(0, 1).contiguous())
        self.bias = part.convolution.bias

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the features on the finer grid, (N, F, D, H, W) to (N, T, D*a, H*b, W*c)."""
        return leaky_relu(super().forward(features, output_size))


class BlockConvolution(_Rewritten, nn.Conv3d):
    """A 3^3 convolution to one channel that computes a block of voxels as so many channels.

    Each voxel of the block has a kernel, zero but for the 27 taps around that voxel; the stride is the block.
    """

    def __init__(self, part: nn.Conv3d, scale: Scale) -> None:
        block = block_shape(scale)
        extent = tuple(size + 2 for size in block)
        super().__init__(part.in_channels, math.prod(block), extent, block, padding=1, device="meta")  # type: ignore[arg-type]
        self.block = block
        self.weight, self.bias = nn.Parameter(_block_kernels(part, block)), _block_bias(part, block)

    def forward(self, features: Tensor) -> Tensor:
        """Return the volume, (N, F, D, H, W) to (N, 1, D, H, W); the sizes are multiples of the block's."""
        return pixel_shuffle(super().forward(features), self.block)


class FoldedBlockConvolution(_Rewritten, nn.Conv3d):
    """A block convolution of pixels that still lie in the channels of a coarser grid, as many planes of it at a time.

    The kernel of a block reads pixels of the voxels around its own, and is folded as they are:

        pixels, u = 2     -2 -1 | 0  1 | 2  3          voxels    -1     0     1
        taps                  x | x  x | x             taps      0 x   x x   x 0
    """

    def __init__(self, part: nn.Conv3d, block: Scale) -> None:
        depth, height, width = block
        kernels = functional.pad(_block_kernels(part, block), (width - 1, width - 1, height - 1, height - 1))
        kernels = pixel_unshuffle(kernels, (1, height, width))
        outputs, channels, *extent = kernels.shape
        super().__init__(channels, outputs, extent, (depth, 1, 1), padding=1, device="meta")  # type: ignore[arg-type]
        self.block = block
        self.weight, self.bias = nn.Parameter(kernels.contiguous()), _block_bias(part, block)

    def forward(self, folded: Tensor) -> Tensor:
        """Return the pixels, (N, F*u*u, M, H, W) to (N, 1, M, H*u, W*u) without planes that fill no block."""
        return pixel_shuffle(_in_onednn(self, folded), self.block)


class FoldedConvolution(nn.Module):
    """A 3^3 convolution to one channel after channels have become pixels, without making them pixels.

    Any number of planes: those that fill no block come one at a time.
    """

    def __init__(self, part: nn.Conv3d, in_plane: Scale) -> None:
        super().__init__()
        _, height, width = in_plane
        self.depth = max(LANES // (height * width), 1)
        self.blocks = FoldedBlockConvolution(part, (self.depth, height, width))
        self.planes = FoldedBlockConvolution(part, in_plane)

    def forward(self, folded: Tensor) -> Tensor:
        """Return the pixels, (N, F*u*u, M, H, W) to (N, 1, M, H*u, W*u)."""
        count = folded.shape[2]
        rest = count % self.depth
        parts = [self.blocks(folded)] if count >= self.depth else []
        if rest:  # read from the plane before
            parts.append(self.planes(folded[:, :, max(count - rest - 1, 0) :])[:, :, -rest:])
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


class SliceBySliceMixing(nn.Module):
    """The features between slices, mixed position by position in the cache, and laid out channels last."""

    def forward(self, below: Tensor, above: Tensor, index: Tensor, modulation: Modulation) -> Tensor:
        """Return the features at M positions, as ``Mixing`` does."""
        below, above = (part.permute(0, 2, 3, 4, 1).contiguous() for part in (below, above))  # (N, D, H, W, C)
        batch, depth, *sizes, channels = below.shape
        mixed = below.new_empty(batch, len(index), *sizes, channels)
        for position, number in enumerate(index.tolist()):
            factor_below, factor_above, offset = (part[position] for part in modulation)
            plane = mixed[:, position]
            torch.addcmul(offset, below[:, number], factor_below, out=plane)
            leaky_relu(plane.addcmul_(above[:, min(number + 1, depth - 1)], factor_above))
        return mixed.permute(0, 4, 1, 2, 3)


class OneDNNConvolution(_Rewritten, nn.Conv3d):
    """A convolution that goes to oneDNN whatever its size."""

    def __init__(self, part: nn.Conv3d) -> None:
        size, stride, padding = part.kernel_size, part.stride, part.padding
        super().__init__(part.in_channels, part.out_channels, size, stride, padding, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias = part.weight, part.bias

    def forward(self, features: Tensor) -> Tensor:
        return _in_onednn(self, features)


def _in_onednn(layer: nn.Conv3d, features: Tensor) -> Tensor:
    """Return what a convolution gives; PyTorch computes small ones in fp32 at a fifth of the speed, and in much memory.

    The output is laid out channels last, which PyTorch forgets after an input of one channel; all that follows would
    be turned around twice a layer.
    """
    if features.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return nn.Conv3d.forward(layer, features)
    edges: tuple[int, ...] = layer.padding  # type: ignore[assignment]
    output = torch.mkldnn_convolution(features, layer.weight, layer.bias, edges, layer.stride, layer.dilation, 1)
    return output.contiguous(memory_format=torch.channels_last_3d)


def _channels_last(block: Tensor, channels: int, shape: torch.Size) -> Tensor:
    """Return the start of a block of memory as features (N, C, D, H, W) that are laid out channels last."""
    batch, _, *sizes = shape
    count = batch * channels * math.prod(sizes)
    return block[:count].view(batch, *sizes, channels).permute(0, 4, 1, 2, 3)


def _block_kernels(part: nn.Conv3d, block: Scale) -> Tensor:
    """Return a kernel for each voxel of a block, zero but for the 27 taps around it: (B, F, D + 2, H + 2, W + 2)."""
    kernels = part.weight.new_zeros(math.prod(block), part.in_channels, *(size + 2 for size in block))
    for kernel, corner in zip(kernels, product(*map(range, block)), strict=True):
        kernel[(..., *(slice(start, start + 3) for start in corner))] = part.weight.detach()[0]
    return kernels


def _block_bias(part: nn.Conv3d, block: Scale) -> nn.Parameter | None:
    return None if part.bias is None else nn.Parameter(part.bias.detach().expand(math.prod(block)).clone())


def block_shape(scale: Scale) -> Scale:
    """Return the largest block that fits the lanes and divides every volume that was enlarged by a scale."""
    block = [1, 1, 1]
    for stage in upsampling_stages(scale):
        for axis in range(3):
            if math.prod(block) * stage[axis] <= LANES:
                block[axis] *= stage[axis]
    return block[0], block[1], block[2]


def _summed_over_repetitions(kernel: Tensor, axis: int, factor: int) -> Tensor:
    """Convolve a kernel along an axis with ``factor`` ones: 3 taps become factor + 2."""
    shape = list(kernel.shape)
    shape[axis] += factor - 1
    summed = kernel.new_zeros(shape)
    for start in range(factor):
        summed.narrow(axis, start, kernel.shape[axis]).add_(kernel)
    return summed
