"""Volumes degraded whole, and aligned LR/HR patches cut from them (paper 4.3 and 5.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from SuperResolution3DLib.errors import InputError, VolumeError
from SuperResolution3DLib.foreground import measured_mask, otsu_threshold
from SuperResolution3DLib.geometry import Grid, Scale
from SuperResolution3DLib.intensity import IntensityPolicy
from SuperResolution3DLib.kspace import crop_to_multiple, degrade, zero_fill
from SuperResolution3DLib.volume import read_volume
from Training.config import DataConfig

SPACING_TOLERANCE = 0.05  # axes whose spacing differs by less may be swapped


@dataclass(frozen=True)
class DegradedVolume:
    """One LR volume, made from the HR volume after dropping ``start`` voxels (D, H, W) at its beginning."""

    lr: np.ndarray
    """(D, H, W) float32, network units"""
    start: tuple[int, int, int]
    offset: float
    """network units = (intensity - offset) / width, from the LR volume alone"""
    width: float
    foreground: np.ndarray
    """(P, 3) LR voxels (D, H, W) above Otsu's threshold, the centres of patches"""


@dataclass(frozen=True)
class TrainingVolume:
    """An HR volume in canonical RAS orientation with its degraded copies."""

    name: str
    hr: np.ndarray
    """(D, H, W), the file's intensities"""
    measured: np.ndarray
    """(D, H, W) bool, False where defacing left zeros"""
    spacing: tuple[float, float, float]
    """HR voxel spacing (D, H, W) in mm"""
    degraded: tuple[DegradedVolume, ...]
    axis_orders: tuple[tuple[int, int, int], ...]
    """orders of the axes that the spacing allows"""


class Patches(NamedTuple):
    """A batch of aligned patches in network units, each (N, 1, D, H, W)."""

    lr: Tensor
    hr: Tensor
    zero_filled: Tensor
    measured: Tensor
    """1 where the HR was measured, else 0"""


def find_volumes(root: Path, patterns: list[str]) -> list[Path]:
    """Return the files that the patterns match, each once, in order of name.

    Raises:
        InputError: a pattern matches nothing.
    """
    found: set[Path] = set()
    for pattern in patterns:
        matches = sorted(root.glob(pattern))
        if not matches:
            raise InputError(f"No volume matches {pattern!r} below {root}")
        found.update(matches)
    return sorted(found)


def prepare_volume(
    path: Path, scale: Scale, grid: Grid, intensity: IntensityPolicy, num_shifts: int, generator: np.random.Generator
) -> TrainingVolume:
    """Read a volume and degrade it whole, once for each of ``num_shifts`` positions of the LR grid.

    The first position is the one that ``crop_to_multiple`` gives, the others are drawn.

    Raises:
        VolumeError, GeometryError: the file cannot be used.
    """
    volume = read_volume(path).canonical()
    hr = np.ascontiguousarray(volume.array)
    base = crop_to_multiple(hr.shape, scale)
    shifts = list(product(*(range(factor) for factor in scale)))
    chosen = generator.permutation(len(shifts) - 1)[: num_shifts - 1] + 1
    starts = [(base[0].start, base[1].start, base[2].start)]
    starts += [shifts[index] for index in chosen]
    spacing = volume.spacing
    orders = tuple(
        (d, h, w)
        for d, h, w in permutations((0, 1, 2))
        if all(abs(spacing[axis] / spacing[i] - 1) < SPACING_TOLERANCE for i, axis in enumerate((d, h, w)))
        and all(scale[axis] == scale[i] for i, axis in enumerate((d, h, w)))
    )
    degraded = tuple(_degrade_from(hr, start, scale, grid, intensity) for start in starts)
    return TrainingVolume(path.name, hr, measured_mask(hr), spacing, degraded, orders)


def _degrade_from(
    hr: np.ndarray, start: tuple[int, int, int], scale: Scale, grid: Grid, intensity: IntensityPolicy
) -> DegradedVolume:
    box = tuple(
        slice(first, first + (size - first) // factor * factor)
        for first, size, factor in zip(start, hr.shape, scale, strict=True)
    )
    lr = degrade(hr[box].astype(np.float64), scale, grid)
    to_network = intensity.fit(lr)
    foreground = np.argwhere(lr > otsu_threshold(lr))
    return DegradedVolume(to_network.to_network(lr), start, to_network.offset, to_network.width, foreground)


class PatchDataset(Dataset[Patches]):
    """Batch ``index`` of the run: a pure function of (seed, index), whatever the number of loader processes."""

    def __init__(
        self, volumes: list[TrainingVolume], scale: Scale, config: DataConfig, seed: int, batches: range
    ) -> None:
        self.volumes, self.scale, self.config, self.seed, self.batches = volumes, scale, config, seed, batches
        for volume in volumes:
            for degraded in volume.degraded:
                if min(degraded.lr.shape) < config.patch_size:
                    raise VolumeError(
                        f"{volume.name}: LR shape {degraded.lr.shape} (D, H, W) is smaller than the patch, "
                        f"{config.patch_size} voxels"
                    )

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Patches]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Patches:
        first = self.batches[index] * self.config.batch_size
        samples = [self._sample(first + i) for i in range(self.config.batch_size)]
        lr, hr, zero_filled, measured = (
            torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32)) for arrays in zip(*samples, strict=True)
        )
        return Patches(lr, hr, zero_filled, measured)

    def _sample(self, index: int) -> tuple[np.ndarray, ...]:
        """Return LR, HR, zero-filled and measured patch number ``index`` of the run."""
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
        hr = (volume.hr[hr_box] - np.float64(degraded.offset)) / degraded.width
        zero_filled = zero_fill(degraded.lr, self.scale, self.config.grid, box=(sr_box[0], sr_box[1], sr_box[2]))
        gain = (1 + self.config.intensity_jitter) ** random.uniform(-1, 1)
        patches = (degraded.lr[lr_box] * gain, hr * gain, zero_filled * gain, volume.measured[hr_box])
        if not self.config.flips:
            return patches
        order = volume.axis_orders[random.integers(len(volume.axis_orders))]
        flipped = tuple(axis for axis in range(3) if random.random() < 0.5)
        return tuple(np.flip(patch.transpose(order), flipped) for patch in patches)
