"""Patches of thick slices with the isotropic voxels that they were made of, another scan for each patch.

Slices act along one axis only, so a patch is cut within their plane before it is degraded, and each patch has its own
slice axis, spacing, thickness, gap, profile, noise, and movement and gain of its slices, of which the HR has nothing.
A column of the isotropic volume a few slices longer than the patch is degraded and interpolated, then the margin is cut
off:

    isotropic column   | . . . . . . . . . . . . . . . . . . . . . |
    slices             |   +     +     +     +     +     +     +   |
    patch                        [ +     +     +     + ]               slices, and the voxels between their centres
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch.utils.data import Dataset

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.forward.axis_product import multiply_axes
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE, DEFAULT_SHAPE, spline_matrix
from SuperResolution3DLib.forward.slice_profile import SHAPES, SliceProfile
from SuperResolution3DLib.metrics.foreground import otsu_threshold
from SuperResolution3DLib.networks.through_plane import slice_query
from SuperResolution3DLib.volumes.box import whole
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.appearance import draw_appearance
from Training.data.data_config import DataConfig
from Training.data.patches import Patches, SampleOrder
from Training.data.slice_faults import draw_faults, movement_margin
from Training.data.slices_config import SlicesConfig
from Training.data.training_volume import TrainingVolume

MARGIN_SLICES = 2  # on either side of a patch's slices, so that no border bends their interpolation
LARGEST_ANISOTROPY = 1.5  # largest over smallest spacing of a volume that counts as isotropic
COARSE = 4  # every how many voxels a volume is looked at for its range and foreground


@dataclass(frozen=True)
class DrawnScan:
    """What one patch's scan is like; lengths in HR voxels."""

    measured: SliceProfile
    """what the slices measure"""
    told: SliceProfile
    """what network and interpolation are told of it"""
    first: int
    """slice of the column with which the patch begins"""

    def voxels(self, num_slices: int) -> slice:
        """Return the HR voxels of the column whose centres lie between those of the patch's outermost slices."""
        low, high = (self.told.centres[index] - 0.5 for index in (self.first, self.first + num_slices - 1))
        return slice(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)


def draw_scan(config: SlicesConfig, longest: int, random: np.random.Generator) -> DrawnScan:
    """Draw a scan whose column of slices is at most ``longest`` HR voxels.

    Raises:
        ValueError: not even the closest slices fit.
    """
    wanted = config.num_slices + 2 * MARGIN_SLICES
    closest, farthest = config.spacing[0], min(config.spacing[1], longest / wanted)
    if farthest < closest:
        raise ValueError(f"{wanted} slices every {closest:g} voxels do not fit into {longest} voxels")
    spacing = math.exp(random.uniform(math.log(closest), math.log(farthest)))
    gap = config.gap * random.random() if random.random() < 0.5 else 0.0
    thickness = spacing * (1 - gap)
    size = math.ceil(wanted * spacing)
    told, _ = SliceProfile.over_volume(DEFAULT_SHAPE, thickness, spacing, size, 1.0)
    shape = SHAPES[random.integers(len(SHAPES))]
    true, _ = SliceProfile.over_volume(shape, thickness * random.uniform(*config.width), spacing, size, 1.0)
    return DrawnScan(true, told, (told.lr_size - config.num_slices) // 2)


class SlicePatchDataset(Dataset[Patches]):
    """Patches one at a time; each is a pure function of (seed, number), whatever loads it."""

    def __init__(
        self,
        volumes: list[TrainingVolume],
        config: DataConfig,
        intensity: IntensityPolicy,
        seed: int,
        order: SampleOrder,
    ) -> None:
        """Look at each volume once, coarsely.

        Raises:
            VolumeError: a volume is not isotropic, or smaller than a patch.
        """
        self.config, self.intensity, self.seed, self.order = config, intensity, seed, order
        self.volumes = [_Coarse.of(volume) for volume in volumes]
        self.axes = [_slice_axes(volume, config) for volume in volumes]

    def __len__(self) -> int:
        return self.order.num_batches

    def __iter__(self) -> Iterator[Patches]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Patches:
        (number,) = self.order.samples(index, 1)
        random = np.random.default_rng([self.seed, number])
        chosen = random.integers(len(self.volumes))
        coarse, config = self.volumes[chosen], self.config
        volume, shape = coarse.volume, coarse.volume.hr.shape
        axis = int(random.choice(self.axes[chosen]))
        zoom = random.uniform(1, config.slices.zoom) if random.random() < 0.5 else 1.0
        scan = draw_scan(config.slices, math.floor((shape[axis] - 1) * zoom) + 1, random)
        edge = config.patch_size + 2 * movement_margin(config.slices)
        places = [np.arange(scan.told.hr_size if i == axis else edge) / zoom for i in range(3)]
        size = [math.ceil(place[-1]) + 1 for place in places]
        centre = COARSE * coarse.foreground[random.integers(len(coarse.foreground))]
        jitter = random.integers(-(config.patch_size // 4), config.patch_size // 4 + 1, size=3)
        corner = np.clip(centre + jitter - np.array(size) // 2, 0, np.array(shape) - size)
        box = tuple(slice(int(first), int(first) + length) for first, length in zip(corner, size, strict=True))
        appearance = draw_appearance(coarse.sample, config.appearance, random)
        sample = coarse.sample
        to_network = self.intensity.fit(appearance.apply(sample, whole(sample.shape), sample.shape))
        hr = to_network.to_network(appearance.apply(volume.hr[box], (box[0], box[1], box[2]), shape))
        measured = np.asarray(volume.measured[box], np.float32)
        if zoom > 1:
            hr = multiply_axes(hr, [spline_matrix(np.arange(n), place) for n, place in zip(size, places, strict=True)])
            measured = measured[np.ix_(*(np.rint(place).astype(int) for place in places))]
        column = _turned(axis, random, config.flips, hr, measured)
        gain = (1 + config.intensity_jitter) ** random.uniform(-1, 1)
        pixel = float(np.mean(np.delete(volume.spacing, axis))) / volume.spacing[axis]
        return self._patches(column[0] * np.float32(gain), column[1], scan, pixel, random)

    def _patches(
        self, hr: np.ndarray, measured: np.ndarray, scan: DrawnScan, pixel: float, random: np.random.Generator
    ) -> Patches:
        """Degrade a column (D, H, W) in network units and cut the patch out of it; a pixel is ``pixel`` voxels wide."""
        config = self.config.slices
        if config.blur and random.random() < 0.5:
            blur = config.blur * random.random()
            for axis in (1, 2):
                hr = gaussian_filter1d(hr, blur, axis=axis, mode="nearest")
        lr = multiply_axes(hr, [scan.measured.matrix(), None, None])
        lr = draw_faults(config, len(lr), random).apply(lr)
        margin = movement_margin(config)
        inside = (slice(None), *(slice(margin, size - margin) for size in hr.shape[1:]))
        lr, hr, measured = lr[inside], hr[inside], measured[inside]
        if noise := self.config.appearance.noise:
            level = noise * random.random() ** 2  # most scans are quiet
            lr = lr + np.float32(level) * random.standard_normal(lr.shape, np.float32)
        voxels = scan.voxels(config.num_slices)
        told = Slices(scan.told, DEFAULT_NOISE)
        interpolated = multiply_axes(lr, [told.interpolation(scan.told.lr_size)[voxels], None, None])
        query = slice_query(scan.told, pixel, voxels.start, voxels.stop)
        query = query._replace(positions=query.positions - scan.first)
        slices = slice(scan.first, scan.first + config.num_slices)
        lr, hr, measured = lr[slices], hr[voxels], measured[voxels]
        return Patches(_batch(lr), _batch(hr), _batch(interpolated), _batch(measured), query)


@dataclass(frozen=True)
class _Coarse:
    """A volume and a coarse look at it."""

    volume: TrainingVolume
    sample: np.ndarray
    """every fourth voxel, the file's intensities"""
    foreground: np.ndarray
    """(P, 3) voxels of the sample above Otsu's threshold"""

    @classmethod
    def of(cls, volume: TrainingVolume) -> "_Coarse":
        sample = np.ascontiguousarray(volume.hr[::COARSE, ::COARSE, ::COARSE])
        return cls(volume, sample, np.argwhere(sample > otsu_threshold(sample)))


def _slice_axes(volume: TrainingVolume, config: DataConfig) -> list[int]:
    """Return the axes along which patches can be cut from a volume."""
    if max(volume.spacing) > LARGEST_ANISOTROPY * min(volume.spacing):
        spacing = " x ".join(f"{value:.3g}" for value in volume.spacing)
        raise VolumeError(
            f"{volume.name}: no thick slices can be made of voxels of {spacing} mm (head-foot, front-back, "
            "left-right), too far from isotropic"
        )
    longest = math.ceil(config.slices.spacing[0] * (config.slices.num_slices + 2 * MARGIN_SLICES))
    edge = config.patch_size + 2 * movement_margin(config.slices)
    shape = volume.hr.shape
    fitting = [
        axis
        for axis in range(3)
        if shape[axis] >= longest and min(size for i, size in enumerate(shape) if i != axis) >= edge
    ]
    if not fitting:
        raise VolumeError(
            f"{volume.name}: {shape} voxels (head-foot, front-back, left-right) are fewer than a patch needs, {edge} "
            f"within the plane and {longest} through it; use a smaller data.patch_size or fewer data.slices.num_slices"
        )
    return fitting


def _turned(axis: int, random: np.random.Generator, flips: bool, *arrays: np.ndarray) -> list[np.ndarray]:
    """Bring the slice axis to D, and mirror and swap the axes of the plane if wanted."""
    turned = [np.moveaxis(array, axis, 0) for array in arrays]
    if not flips:
        return turned
    mirrored = tuple(i for i in range(3) if random.random() < 0.5)
    order = (0, 2, 1) if random.random() < 0.5 else (0, 1, 2)
    return [np.ascontiguousarray(np.flip(array, mirrored).transpose(order)) for array in turned]


def _batch(array: np.ndarray) -> torch.Tensor:
    """(D, H, W) to (1, 1, D, H, W) float32."""
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))[None, None]
