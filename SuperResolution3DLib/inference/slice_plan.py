"""Sizes and bytes of a run between thick slices, from the card and the slices' grid alone (no torch)."""

import math
from dataclasses import dataclass

from SuperResolution3DLib.advice import SMALLER_REGION_OR_COARSER
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.memory_plan import (
    WORKSPACE,
    TilePlan,
    check_peak,
    fitting,
    limited,
    tile_bytes,
    trunk_halo,
)
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.box import Box, Shape, box_shape, expand, padded_shape

LARGEST_TAIL_TILE = (64, 64, 64)  # result voxels, rows and columns; larger ones leave the caches
LARGEST_TAIL_TILE_ON_GPU = (96, 96, 96)  # where halos cost more than caches
_WORKSPACE_ON_CPU = 1.2  # of the activations, as measured by Testing/benchmarks/slice_memory.py; see ``memory_plan``
_TILED_TRUNK_ON_CPU = 1.7  # where a trunk does not run at once: what one tile frees, the next one seldom fits


@dataclass(frozen=True)
class SliceGrid:
    """Slices, and the result voxels between them."""

    profile: SliceProfile
    """the slices as they are assumed, and the result's grid"""
    pixel: float
    """spacing within the slices' plane, mm"""
    noise: float = DEFAULT_NOISE
    """of the interpolation that the network adds to"""
    mirror: "SliceGrid | None" = None
    """what this is the mirror image of, if it is one: both are cut at the same places"""

    def mirrored(self) -> "SliceGrid":
        """Return the mirror image along the slice axis."""
        return self.mirror or SliceGrid(self.profile.mirrored(), self.pixel, self.noise, self)

    def result_voxels(self, slices: slice) -> slice:
        """Return the result voxels that stand for some of the slices, from edge to edge, midway between two centres."""
        return slice(self._edge(slices.start), self._edge(slices.stop))

    def _edge(self, number: int) -> int:
        """Return the result voxel nearest to the lower edge of a slice."""
        centres, size = self.profile.centres, self.profile.hr_size
        if self.mirror is not None:  # in the middle of a voxel it would be rounded the other way here
            return size - self.mirror._edge(len(centres) - number)
        if number in (0, len(centres)):
            return size if number else 0
        return round((centres[number - 1] + centres[number]) / 2 / self.profile.hr_spacing)


@dataclass(frozen=True)
class SliceRun:
    """What is computed; the engine plans by it, and whoever forecasts a run."""

    card: ModelCard
    grid: SliceGrid
    shape: Shape
    """(slices, rows, columns), rows and columns counted in the trunk's voxels"""
    region: Box
    """of that shape, whose result is wanted"""
    on_disk: bool = False
    """the result does not lie in main memory"""
    results_beside: int = 0
    """as in ``Run``"""

    @classmethod
    def of_pixels(cls, card: ModelCard, grid: SliceGrid, shape: Shape, region: Box) -> "SliceRun":
        """Return the run on a stack of (slices, rows, columns) in pixels, of which a region is wanted."""
        depth, height, width = shape
        slices, rows, columns = region
        fold = _fold(card)
        return cls(
            card,
            grid,
            (depth, math.ceil(height / fold), math.ceil(width / fold)),
            (slices, in_trunk_voxels(rows, fold), in_trunk_voxels(columns, fold)),
        )

    @property
    def fold(self) -> int:
        """Pixels along each axis of the plane that one voxel of the trunk stands for."""
        return _fold(self.card)

    @property
    def result_shape(self) -> Shape:
        """(result voxels along the slice axis, rows, columns) in pixels, of the region."""
        along = self.grid.result_voxels(self.region[0])
        _, rows, columns = box_shape(self.region)
        return along.stop - along.start, rows * self.fold, columns * self.fold


def plan_slices(run: SliceRun, itemsize: int, device_bytes: float, *, on_cpu: bool) -> TilePlan:
    """Choose the largest tiles that fit: slices, rows and columns for the trunk, result voxels for the decoder.

    Args:
        run: what is computed.
        itemsize: bytes of a number on the device, 2 or 4.
        device_bytes: what the run may take on the device.
        on_cpu: whether the result shares that memory.

    Raises:
        ResourceError: not even the smallest tiles fit.
    """
    size, halo, shape = run.card.footprint(), trunk_halo(run.card), run.shape
    _, rows, columns = box_shape(run.region)
    hr_size = run.grid.profile.hr_size
    needed = expand((slice(0, shape[0]), *run.region[1:]), (0, *size.tail_halo[1:]), shape)
    result = (run.grid.result_voxels(run.region[0]), *run.region[1:])
    features = math.prod(box_shape(needed)) * size.features * itemsize
    workspace = _WORKSPACE_ON_CPU if on_cpu else WORKSPACE
    result_bytes = 4 * math.prod(run.result_shape) if on_cpu and not run.on_disk else 0
    volume = 4 * math.prod(shape) * run.fold**2 + run.results_beside * result_bytes
    held = volume + result_bytes  # while the decoder runs

    def kept(tile: Shape) -> int:  # of the features
        return 0 if on_cpu and run.on_disk and tile != box_shape(needed) else features

    def trunk_bytes(tile: Shape) -> float:
        is_whole = tile == box_shape(needed)
        beside = 0 if on_cpu and is_whole else kept(tile)  # a whole trunk's activations become them
        padded = padded_shape(needed, tile, (halo,) * 3, shape)
        share = workspace if is_whole or not on_cpu else _TILED_TRUNK_ON_CPU
        return volume + beside + tile_bytes(padded, size.trunk_channels * itemsize, share)

    def tail_bytes(tile: Shape) -> float:
        padded = padded_shape(result, tile, size.tail_halo, (hr_size, *shape[1:]))
        beside = held + kept(trunk_tile) + 2 * 4 * math.prod(padded) * run.fold**2  # interpolation and pixels, fp32
        channels = (size.tail_channels_on_cpu if on_cpu else None) or size.tail_channels
        return beside + tile_bytes(padded, channels * itemsize, workspace)

    trunk_tile = fitting(box_shape(needed), trunk_bytes, device_bytes)
    most = LARGEST_TAIL_TILE if on_cpu else LARGEST_TAIL_TILE_ON_GPU
    tail_tile = fitting(limited((hr_size, rows, columns), most), tail_bytes, device_bytes)
    peak = max(trunk_bytes(trunk_tile), tail_bytes(tail_tile))
    check_peak(peak, device_bytes, SMALLER_REGION_OR_COARSER)
    return TilePlan(trunk_tile, halo, tail_tile, size.tail_halo, int(peak))


def in_trunk_voxels(pixels: slice, fold: int) -> slice:
    """Return the voxels of the trunk, each ``fold`` pixels wide, that hold a range of pixels."""
    return slice(pixels.start // fold, -(-pixels.stop // fold))


def _fold(card: ModelCard) -> int:
    return int(card.config["unshuffle"])
