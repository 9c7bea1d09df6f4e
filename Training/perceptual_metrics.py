"""LPIPS of an SR volume against its HR, over slices of all three views."""

import math
import pickle
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from SuperResolution3DLib.errors import GeometryError, ModelError, VolumeError
from SuperResolution3DLib.foreground import foreground_box, measured_mask
from SuperResolution3DLib.metrics import RANGE_PERCENTILE

SMALLEST_SLICE = 31  # pixels; below, the deepest features of the networks have no extent
BATCH_PIXELS = 2**20  # of the slices that are compared at once, to bound the memory
CHECKPOINTS = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth", "vgg": "vgg16-397923af.pth"}

Net = Literal["alex", "squeeze", "vgg"]


@dataclass(frozen=True)
class LpipsScores:
    """How unlike SR and HR look, 0 being equal."""

    axial: float | None
    """mean over the slices of a view; None where all of them were too small"""
    coronal: float | None
    sagittal: float | None
    num_slices: int
    """slices that were compared, over all views"""
    num_skipped: int
    """slices that were smaller than 31 pixels"""

    @property
    def mean(self) -> float:
        """The mean of the views."""
        views = [view for view in (self.axial, self.coronal, self.sagittal) if view is not None]
        return sum(views) / len(views)


class Lpips:
    """LPIPS v0.1 (Zhang et al. 2018) with the calibrated weights of the lpips package.

    Both volumes are cropped to the HR's foreground; 0 to the HR's 99.9 percentile becomes [-1, 1] and the rest is
    clipped. Where the HR has blocks of exact zeros from defacing, the SR is taken as zero too.
    """

    def __init__(
        self, net: Net = "alex", *, stride: int = 4, central_share: float = 0.6, device: str | torch.device = "cpu"
    ) -> None:
        """Load the network.

        Args:
            net: the backbone.
            stride: every so many slices are compared.
            central_share: of the slices of a view, those in the middle.
            device: where to compute.

        Raises:
            ModelError: the backbone's weights are neither there nor can they be downloaded, or they are damaged.
            ValueError: an unknown backbone, a stride below 1, a share outside (0, 1].
        """
        if net not in CHECKPOINTS:
            raise ValueError(f"The network is one of {', '.join(CHECKPOINTS)}, got {net!r}")
        if stride < 1 or not 0 < central_share <= 1:
            raise ValueError(f"Needs a stride of 1 or more and a share in (0, 1], got {stride} and {central_share}")
        self.stride, self.central_share, self.device = stride, central_share, torch.device(device)
        self._network = _load(net).to(self.device)

    def describe(self) -> str:
        """Return the line that stands above or below every table of these scores."""
        return (
            f"LPIPS v0.1 ({self._network.pnet_type}): one in {self.stride} slices of the central "
            f"{self.central_share:.0%} in three views, mean of the views, cropped to the HR's foreground, "
            "range = 99.9 percentile of HR"
        )

    def score(self, sr: np.ndarray, hr: np.ndarray) -> LpipsScores:
        """Compare the slices of two volumes.

        Args:
            sr: (D, H, W), canonical, on the HR's grid.
            hr: (D, H, W), canonical, in the unit of the SR.

        Raises:
            GeometryError: the shapes differ, or all slices are too small.
            VolumeError: the HR is constant or its 99.9 percentile is not above 0, or the SR is not finite.
        """
        if sr.shape != hr.shape:
            raise GeometryError(f"The SR is {sr.shape} voxels, its HR {hr.shape} (D, H, W); they must be on one grid")
        if not np.isfinite([sr.min(), sr.max()]).all():
            raise VolumeError(
                f"The SR has {np.count_nonzero(~np.isfinite(sr))} of {sr.size} voxels that are not finite"
            )
        data_range = float(np.percentile(hr, RANGE_PERCENTILE))
        if not data_range > 0:
            raise VolumeError(f"The HR's 99.9 percentile is {data_range:g}, LPIPS needs intensities above 0")
        box = foreground_box(hr)
        sr, hr = np.where(measured_mask(hr)[box], sr[box], 0), hr[box]
        distances, num_skipped = [], 0
        for axis in range(3):
            values, skipped = self._compare_view(sr, hr, axis, data_range)
            distances.append(values)
            num_skipped += skipped
        num_slices = sum(len(values) for values in distances)
        if not num_slices:
            raise GeometryError(
                f"LPIPS needs slices of {SMALLEST_SLICE} x {SMALLEST_SLICE} pixels, the HR's foreground has "
                f"{hr.shape} voxels (D, H, W)"
            )
        axial, coronal, sagittal = (sum(values) / len(values) if values else None for values in distances)
        return LpipsScores(axial, coronal, sagittal, num_slices, num_skipped)

    @torch.inference_mode()
    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the LPIPS of each pair of images, (N,).

        Args:
            first: (N, 3, H, W) in [-1, 1]; one channel is repeated.
            second: likewise.
        """
        images = (image.to(self.device, torch.float32).expand(-1, 3, -1, -1) for image in (first, second))
        return self._network(*images).reshape(-1)

    def _compare_view(self, sr: np.ndarray, hr: np.ndarray, axis: int, data_range: float) -> tuple[list[float], int]:
        """Return the distances of the chosen slices along an axis, and how many were too small."""
        size = hr.shape[axis]
        margin = (1 - self.central_share) / 2 * size
        chosen = list(range(math.floor(margin), math.ceil(size - margin), self.stride))
        height, width = (length for other, length in enumerate(hr.shape) if other != axis)
        if min(height, width) < SMALLEST_SLICE:
            return [], len(chosen)
        values: list[float] = []
        for batch in _batches(chosen, max(1, BATCH_PIXELS // (height * width))):
            images = (_images(volume, axis, batch, data_range) for volume in (sr, hr))
            values += self.distance(*images).tolist()
        return values, 0


def _batches(items: list[int], size: int) -> Iterator[list[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _images(volume: np.ndarray, axis: int, slices: list[int], data_range: float) -> Tensor:
    """Return slices as images (N, 1, H, W) in [-1, 1]."""
    images = np.moveaxis(volume.take(slices, axis=axis), axis, 0)[:, None]
    return torch.from_numpy((images.astype(np.float32) / data_range).clip(0, 1) * 2 - 1)


def _load(net: Net) -> torch.nn.Module:
    """Load the lpips package's network; torchvision looks for the backbone in TORCH_HOME and else downloads it."""
    import lpips

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the package calls torchvision by an old signature
            return lpips.LPIPS(net=net, version="0.1", pretrained=True, pnet_rand=False, verbose=False).eval()
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"LPIPS needs the ImageNet weights {CHECKPOINTS[net]} of torchvision, which could not be loaded ({error}); "
            f"download https://download.pytorch.org/models/{CHECKPOINTS[net]} into {torch.hub.get_dir()}/checkpoints, "
            "or set TORCH_HOME to a folder that has it in hub/checkpoints"
        ) from error
