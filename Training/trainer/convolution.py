"""Convolutions of a training on the CPU: all of them in oneDNN, forward and backward.

PyTorch computes single small volumes in fp32 outside oneDNN, at a tenth to a fifth of the speed. It can be told to go
there forward; backward, the gradient of the input is a convolution with the mirrored kernel, and that of the kernel is
taken from a batch of two, which PyTorch does give to oneDNN: the halves of the volume, each with the voxels around it
that its taps reach.

    volume, padded   0 | a b c d e f | 0          halves   0 a b c d
    gradient             A B C D E F                         A B C       c d e f 0
                                                                           D E F
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

ONES = (1, 1, 1)


def in_onednn(network: nn.Module) -> None:
    """Let the convolutions of a network be computed in oneDNN whatever their size; names and weights stay."""
    if not torch.backends.mkldnn.is_available():
        return
    for module in list(network.modules()):
        for name, part in module.named_children():
            if type(part) is nn.Conv3d and part.stride == part.dilation == ONES and part.groups == 1:
                setattr(module, name, OneDNNTrainedConvolution(part))


class OneDNNTrainedConvolution(nn.Conv3d):
    """A convolution of stride 1, (N, C, D, H, W) to (N, F, D, H, W), with the parameters of another one."""

    def __init__(self, part: nn.Conv3d) -> None:
        size, padding = part.kernel_size, part.padding
        super().__init__(part.in_channels, part.out_channels, size, padding=padding, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias = part.weight, part.bias

    def reset_parameters(self) -> None:
        """Leave them: they are given."""

    def forward(self, features: Tensor) -> Tensor:
        if torch.is_autocast_enabled(features.device.type) or not self._is_slow(features):
            return super().forward(features)
        output: Tensor = _Convolution.apply(features, self.weight, self.bias, self.padding)
        return output

    def _is_slow(self, features: Tensor) -> bool:
        """Whether it is a single volume in fp32 on the CPU that PyTorch would not give to oneDNN."""
        if features.device.type != "cpu" or features.dtype != torch.float32 or len(features) != 1:
            return False
        backend = torch._C._select_conv_backend(
            features, self.weight, self.bias, ONES, self.padding, ONES, False, (0, 0, 0), 1
        )
        return "Mkldnn" not in str(backend)


class _Convolution(torch.autograd.Function):
    """A convolution of one volume (1, C, D, H, W) in fp32 with stride 1, and its gradients."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int, int]
    ) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.padding = padding
        output = torch.mkldnn_convolution(features, weight, bias, padding, ONES, ONES, 1)
        return output.contiguous(memory_format=torch.channels_last_3d)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        features, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        of_features = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            mirrored = weight.flip(2, 3, 4).transpose(0, 1)
            edges = [size - 1 - edge for size, edge in zip(weight.shape[2:], ctx.padding, strict=True)]
            of_features = torch.mkldnn_convolution(gradient, mirrored, None, edges, ONES, ONES, 1)
        if any(ctx.needs_input_grad[1:3]):
            of_weight, of_bias = _gradients_of_parameters(features, gradient, weight, ctx.padding)
        return of_features, of_weight, of_bias if ctx.needs_input_grad[2] else None, None


def _gradients_of_parameters(
    features: Tensor, gradient: Tensor, weight: Tensor, padding: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """Return the gradients of kernel and bias from the features (1, C, D, H, W) and the output's gradient."""
    depth, edge, taps = gradient.shape[2], padding[0], weight.shape[2]
    half = (depth + 1) // 2
    features = functional.pad(features, (0, 0, 0, 0, edge, edge + 2 * half - depth))
    gradient = functional.pad(gradient, (0, 0, 0, 0, 0, 2 * half - depth))
    _, of_weight, of_bias = torch.ops.aten.convolution_backward(
        torch.cat([gradient[:, :, :half], gradient[:, :, half:]]),
        torch.cat([features[:, :, : half + taps - 1], features[:, :, half:]]),
        weight,
        [weight.shape[0]],
        ONES,
        (0, *padding[1:]),
        ONES,
        False,
        (0, 0, 0),
        1,
        [False, True, True],
    )
    return of_weight, of_bias
