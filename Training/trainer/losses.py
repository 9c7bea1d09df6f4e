"""The formulas of the pixel and the adversarial loss (paper 4.2), voxelwise, in fp32; ``objective`` sums all losses."""

import torch
from torch import Tensor
from torch.nn import functional


def pixel_loss(sr: Tensor, hr: Tensor, measured: Tensor, *, squared: bool = False) -> Tensor:
    """Return the mean absolute or squared error over measured voxels, each patch counting alike.

    A mean over patches, so that the gradients of several processes average to those of the joint batch.

    Args:
        sr: (N, 1, D, H, W), network units.
        hr: the same shape.
        measured: the same shape, 1 where the HR was measured, else 0.
        squared: take the square.
    """
    difference = sr - hr
    error = ((difference.square() if squared else difference.abs()) * measured).flatten(1).sum(1)
    return (error / measured.flatten(1).sum(1).clamp(min=1)).mean()


def adversarial_loss(logits: Tensor, *, real: bool) -> Tensor:
    """Return the binary cross entropy of the discriminator's logits (N, 1, D, H, W), one a voxel, with one label."""
    return functional.binary_cross_entropy_with_logits(
        logits.float(), torch.full_like(logits, float(real), dtype=torch.float32)
    )
