"""Rewrites of a network for the CPU: other operations that give the same voxels (to 1e-5 in fp32) in less time.

What is computed from the weights here lives as long as the run; the model file stays as it is.
"""

import torch
from torch import Tensor, nn

from SuperResolution3DLib.networks.generator import Generator


def rewrite_for_cpu(network: Generator) -> None:
    """Replace in place what the CPU computes faster in another way; the network is in fp32."""
    for module in list(network.modules()):
        for name, part in module.named_children():
            if type(part) is nn.Conv3d and part.groups == 1 and torch.backends.mkldnn.is_available():
                setattr(module, name, OneDNNConvolution(part))


class _Rewritten:
    """A layer whose weights are given: none are drawn at random first."""

    def reset_parameters(self) -> None:
        """Leave them."""


class OneDNNConvolution(_Rewritten, nn.Conv3d):
    """A convolution that goes to oneDNN whatever its size; PyTorch computes small ones in fp32 at a fifth of the speed.

    Its output is laid out channels last, which PyTorch forgets after an input of one channel; all that follows would
    be turned around twice a layer.
    """

    def __init__(self, part: nn.Conv3d) -> None:
        size, stride, padding = part.kernel_size, part.stride, part.padding
        super().__init__(part.in_channels, part.out_channels, size, stride, padding, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias = part.weight, part.bias

    def forward(self, features: Tensor) -> Tensor:
        if features.dtype != torch.float32:
            return super().forward(features)
        edges: tuple[int, ...] = self.padding  # type: ignore[assignment]
        output = torch.mkldnn_convolution(features, self.weight, self.bias, edges, self.stride, self.dilation, 1)
        return output.contiguous(memory_format=torch.channels_last_3d)
