"""Batch normalisation whose state can be averaged and stored in 16 bits."""

from typing import Any

from torch import nn


class BatchNorm(nn.BatchNorm3d):
    """Batch normalisation of (N, F, D, H, W) without the count of its batches.

    That whole number serves a mode that is not used here; it has no average and outgrows 16 bits.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.num_batches_tracked = None

    def _load_from_state_dict(self, *arguments: Any) -> None:
        nn.Module._load_from_state_dict(self, *arguments)  # the parent's would ask for the count
