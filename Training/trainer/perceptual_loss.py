"""The 2.5D perceptual loss: VGG19 features of axial, coronal and sagittal slices (paper 3.3, eq. 3)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from Training.trainer.vgg19 import Vgg19Features, layer_index

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PerceptualConfig:
    """The 2.5D perceptual loss: VGG19 features of slices in three views."""

    layers: dict[str, float] = field(default_factory=lambda: {"relu5_4": 1.0})
    """Layers and their weights (paper's authors: relu5_4 alone)"""
    views: Literal["mean", "sum"] = "mean"
    """How axial, coronal and sagittal are combined: mean (authors' code) or sum (paper, eq. 3)"""
    slice_fraction: float = 1.0
    """Share of the slices of each view, drawn anew each step (paper: all)"""
    chunk: int = 32
    """Slices that go through VGG19 at once, which bounds the memory"""
    weights: Path | None = None
    """File with VGG19's weights (.pth or safetensors); none takes torchvision's from the folder of torch.hub"""
    download: bool = False
    """Download torchvision's weights when they are not there"""

    def __post_init__(self) -> None:
        if not self.layers or not all(0 < weight < math.inf for weight in self.layers.values()):  # NaN is neither
            raise ValueError(f"loss.perceptual.layers needs layers, each with a positive weight, got {self.layers}")
        for layer in self.layers:
            layer_index(layer)
        if not 0 < self.slice_fraction <= 1 or self.chunk < 1:
            raise ValueError("loss.perceptual.slice_fraction must be in (0, 1] and chunk at least 1")


class PerceptualLoss(nn.Module):
    """Mean absolute difference of VGG19 features, over slices of the three views.

    The loss of a chunk of slices is differentiated as soon as it is computed, so memory holds the activations of one
    chunk, whatever the number of slices; the HR's features are computed without gradient.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: PerceptualConfig, network: Vgg19Features) -> None:
        super().__init__()
        self.config = config
        self.network = network.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, sr: Tensor, hr: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of two batches of patches.

        Args:
            sr: (N, 1, D, H, W), [0, 1] in network units where the LR's range reaches.
            hr: the same shape.
            generator: draws the slices when ``slice_fraction`` is below 1.
        """
        chosen = [self._choose(size, generator) for size in sr.shape[2:]]
        loss: Tensor = _ChunkedLoss.apply(sr, hr.detach(), self, chosen)
        return loss

    def _choose(self, size: int, generator: torch.Generator) -> Tensor:
        count = max(1, round(self.config.slice_fraction * size))
        if count == size:
            return torch.arange(size)
        return torch.randperm(size, generator=generator)[:count].sort().values

    def chunks(self, shape: torch.Size, chosen: list[Tensor]) -> Iterator[tuple[int, Tensor, Tensor, float]]:
        """Yield (axis, batch indices, slice indices, weight): the share of the chunk in the whole loss."""
        views = 1 if self.config.views == "sum" else 3
        for axis, indices in enumerate(chosen):
            pairs = torch.cartesian_prod(torch.arange(shape[0]), indices)
            for pair in pairs.split(self.config.chunk):
                yield axis, pair[:, 0], pair[:, 1], len(pair) / len(pairs) / views

    def distance(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Return the weighted distance of two batches of slices (N, H, W)."""
        with torch.no_grad():
            wanted = self.network(self._images(hr))
        given = self.network(self._images(sr))
        terms = [
            weight * functional.l1_loss(given[layer].float(), wanted[layer].float())
            for layer, weight in self.config.layers.items()
        ]
        return torch.stack(terms).sum()

    def _images(self, slices: Tensor) -> Tensor:
        images = (slices[:, None].expand(-1, 3, -1, -1) - self.mean) / self.std
        return images.contiguous(memory_format=torch.channels_last)


class _ChunkedLoss(torch.autograd.Function):
    """Value and gradient of the perceptual loss, accumulated chunk by chunk in the forward pass."""

    @staticmethod
    def forward(ctx: Any, sr: Tensor, hr: Tensor, loss: PerceptualLoss, chosen: list[Tensor]) -> Tensor:
        total = sr.new_zeros((), dtype=torch.float32)
        ctx.gradient = torch.zeros_like(sr, dtype=torch.float32) if ctx.needs_input_grad[0] else None
        for axis, batch, index, weight in loss.chunks(sr.shape, chosen):
            place: Any = (batch, *([slice(None)] * axis), index)  # selects (M, H, W), the slices' two axes last
            with torch.set_grad_enabled(ctx.needs_input_grad[0]):
                part = sr.detach()[:, 0][place].float().requires_grad_(ctx.needs_input_grad[0])
                value = weight * loss.distance(part, hr[:, 0][place].float())
            total += value.detach()
            if ctx.gradient is not None:
                ctx.gradient[:, 0][place] += torch.autograd.grad(value, part)[0]
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        return (None if ctx.gradient is None else gradients[0] * ctx.gradient), None, None, None
