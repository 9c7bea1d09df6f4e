"""Aligned LR/HR patches cut from volumes that were degraded whole (paper 5.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.kspace import zero_fill
from SuperResolution3DLib.networks.through_plane import SliceQuery
from SuperResolution3DLib.volumes.geometry import Scale
from Training.data.data_config import DataConfig
from Training.data.training_volume import TrainingVolume


class Patches(NamedTuple):
    """A batch of aligned patches in network units, each (N, 1, D, H, W); of slices N is 1."""

    lr: Tensor
    hr: Tensor
    interpolated: Tensor
    """what the network adds to: the zero-filled LR, or the interpolated slices"""
    measured: Tensor
    """1 where the HR was measured, else 0"""
    query: SliceQuery | None = None
    """of thick slices: where between them the HR lies"""


@dataclass(frozen=True)
class SampleOrder:
    """Which of the run's samples, numbered from 0, the batches of a process hold.

    With two processes and batches of 3, starting at sample 100:

        process 0: 100 101 102   106 107 108
        process 1: 103 104 105   109 110 111
    """

    first: int
    num_batches: int
    process: int = 0
    num_processes: int = 1

    def samples(self, batch: int, batch_size: int) -> range:
        """Return the samples of a batch of this process."""
        start = self.first + (batch * self.num_processes + self.process) * batch_size
        return range(start, start + batch_size)


class PatchDataset(Dataset[Patches]):
    """Batches of patches; each sample is a pure function of (seed, number), whatever loads it."""

    def __init__(
        self, volumes: list[TrainingVolume], scale: Scale, config: DataConfig, seed: int, order: SampleOrder
    ) -> None:
        self.volumes, self.scale, self.config, self.seed, self.order = volumes, scale, config, seed, order
        for volume in volumes:
            for degraded in volume.degraded:
                if min(degraded.lr.shape) < config.patch_size:
                    raise VolumeError(
                        f"{volume.name}: LR shape {degraded.lr.shape} (head-foot, front-back, left-right) is smaller "
                        f"than the patch, {config.patch_size} voxels"
                    )

    def __len__(self) -> int:
        return self.order.num_batches

    def __iter__(self) -> Iterator[Patches]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Patches:
        samples = [self._sample(number) for number in self.order.samples(index, self.config.batch_size)]
        lr, hr, zero_filled, measured = (
            torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32)) for arrays in zip(*samples, strict=True)
        )
        return Patches(lr, hr, zero_filled, measured)

    def _sample(self, index: int) -> tuple[np.ndarray, ...]:
        """Return LR, HR, zero-filled and measured patch of sample ``index`` of the run."""
        random = np.random.default_rng([self.seed, index])
        volume = self.volumes[random.integers(len(self.volumes))]
        degraded = volume.degraded[random.integers(len(volume.degraded))]
        size = self.config.patch_size
        # A foreground voxel lies anywhere in the patch's central half, as far as the volume's border allows.
        centre = degraded.foreground[random.integers(len(degraded.foreground))]
        jitter = random.integers(-(size // 4), size // 4 + 1, size=3)
        corner = np.clip(centre + jitter - size // 2, 0, np.array(degraded.lr.shape) - size)
        lr_box = tuple(slice(first, first + size) for first in corner)
        sr_box = tuple(slice(first * s, (first + size) * s) for first, s in zip(corner, self.scale, strict=True))
        hr_box = tuple(slice(part.start + s, part.stop + s) for part, s in zip(sr_box, degraded.start, strict=True))
        hr = volume.hr_patch(degraded, (hr_box[0], hr_box[1], hr_box[2]))
        hr = (hr - np.float64(degraded.offset)) / degraded.width
        lr = np.asarray(degraded.lr)
        if noise := self.config.appearance.noise:  # of the whole volume, each of whose voxels reaches the zero-filled
            level = noise * random.random() ** 2  # most scans are quiet
            lr = lr + np.float32(level) * random.standard_normal(lr.shape, np.float32)
        zero_filled = zero_fill(lr, self.scale, self.config.grid, box=(sr_box[0], sr_box[1], sr_box[2]))
        gain = (1 + self.config.intensity_jitter) ** random.uniform(-1, 1)
        patches = (lr[lr_box] * gain, hr * gain, zero_filled * gain, volume.measured[hr_box])
        if not self.config.flips:
            return patches
        order = volume.axis_orders[random.integers(len(volume.axis_orders))]
        flipped = tuple(axis for axis in range(3) if random.random() < 0.5)
        return tuple(np.flip(patch.transpose(order), flipped) for patch in patches)
