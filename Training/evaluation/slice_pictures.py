"""The slices of an SR and its HR as pictures, the same ones of both: what LPIPS and the Frechet distances look at."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from SuperResolution3DLib.metrics.evaluation_protocols import ComparedPair

View = Literal["axial", "coronal", "sagittal"]  # slices along D, H and W
VIEWS: tuple[View, ...] = get_args(View)
BATCH_PIXELS = 2**18  # of the slices that are compared at once: bounds the memory and is the fastest on processors


@dataclass(frozen=True)
class SliceChoice:
    """Which slices of a view are looked at."""

    stride: int = 1
    """every so many"""
    central_share: float = 1.0
    """those in the middle of the volume"""

    def __post_init__(self) -> None:
        if self.stride < 1 or not 0 < self.central_share <= 1:
            raise ValueError(
                f"Needs a stride of 1 or more and a share in (0, 1], got {self.stride} and {self.central_share}"
            )

    def numbers(self, size: int) -> list[int]:
        """Return the slices along an axis of so many voxels."""
        margin = (1 - self.central_share) / 2 * size
        return list(range(math.floor(margin), math.ceil(size - margin), self.stride))

    def describe(self) -> str:
        if self.stride == 1 and self.central_share == 1:
            return "all slices in three views"
        share = "" if self.central_share == 1 else f" of the central {self.central_share:.0%}"
        return f"one in {self.stride} slices{share} in three views"


def slice_shape(pair: ComparedPair, view: View) -> tuple[int, int]:
    """Return height and width of a view's slices."""
    height, width = (size for axis, size in enumerate(pair.hr.shape) if axis != VIEWS.index(view))
    return height, width


def slice_batches(
    pair: ComparedPair, view: View, choice: SliceChoice, batch_pixels: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield SR and HR pictures of a view, (N, 1, H, W) float32 in [0, 1] each, from the lowest slice upwards.

    What the protocol does not count is black in both.
    """
    axis = VIEWS.index(view)
    numbers = choice.numbers(pair.hr.shape[axis])
    height, width = slice_shape(pair, view)
    size = max(1, (batch_pixels or BATCH_PIXELS) // (height * width))
    for start in range(0, len(numbers), size):
        chosen = numbers[start : start + size]
        hidden = None if pair.mask is None else ~_take(pair.mask, axis, chosen)
        sr, hr = (_pictures(_take(volume, axis, chosen), hidden, pair) for volume in (pair.sr, pair.hr))
        yield sr, hr


def _take(volume: np.ndarray, axis: int, numbers: list[int]) -> np.ndarray:
    """Return slices (N, H, W)."""
    return np.moveaxis(volume.take(numbers, axis=axis), axis, 0)


def _pictures(slices: np.ndarray, hidden: np.ndarray | None, pair: ComparedPair) -> Tensor:
    pictures = (slices.astype(np.float32) - np.float32(pair.low)) / np.float32(pair.data_range)
    if hidden is not None:
        pictures[hidden] = 0
    return torch.from_numpy(np.ascontiguousarray(pictures.clip(0, 1)[:, None]))
