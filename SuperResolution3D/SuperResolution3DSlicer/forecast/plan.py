"""A run that may be started, and the voxels and bytes that it takes."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from SuperResolution3DLib.inference.memory_plan import (
    Run,
    TilePlan,
    chosen_windows,
    host_bytes,
    plan_tiles,
    trunk_halo,
    window_voxels,
)
from SuperResolution3DLib.inference.slice_plan import SliceGrid, SliceRun, plan_slices
from SuperResolution3DLib.inference.slice_stack import SliceStack, along_axis
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.box import Box, Shape, box_shape, expand, sr_shape, whole
from SuperResolution3DLib.volumes.geometry import Orientation, sr_affine
from SuperResolution3DSlicer.forecast.speed import Work

DEVICE_ITEMSIZE = 4  # bytes; a device that computes in 16 bits takes less


@dataclass(frozen=True)
class Plan:
    """A run that may be started."""

    card: ModelCard
    shape: Shape
    """of the input (K, J, I)"""
    affine: np.ndarray
    """(4, 4) of the input, IJK to RAS mm"""
    itemsize: int
    """bytes of an input voxel"""
    region: Box | None = None
    window: int | None = None
    overlap: float = 0.0
    with_zero_filled: bool = False
    num_inputs: int = 1
    stack: SliceStack | None = None
    """the input's slices, for a model that computes what lies between them"""
    target_spacing: float | None = None
    """mm wanted between slices"""
    with_trust_map: bool = False

    @property
    def passes(self) -> int:
        """How often the volume goes through a network: for a trust map in eight mirror images, and through a second."""
        return 9 if self.with_trust_map else 1

    @property
    def sizes(self) -> "Sizes":
        return VolumeSizes(self) if self.stack is None else SliceSizes(self, self.stack)


class Sizes(Protocol):
    """What a run takes."""

    @property
    def shape(self) -> Shape:
        """Number of voxels (K, J, I) of the result."""

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) of the result of the whole volume, on the center grid."""

    @property
    def host_bytes(self) -> int:
        """Main memory that the result takes."""

    def plan_tiles(self, device_bytes: float, *, on_cpu: bool) -> TilePlan:
        """Choose the tiles, or raise a ResourceError where not even the smallest fit."""

    def work(self, tiles: TilePlan | None) -> Work:
        """Return the voxels that pass through trunk and tail, those of halos and overlaps every time."""

    def work_of_card(self, work: Work) -> Work:
        """Return the work by which a card tells its speed."""


class VolumeSizes:
    """Of a run that enlarges all axes by the factors of its model."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._orientation = Orientation.of(plan.affine)
        box = self._orientation.box_to_canonical(plan.region or whole(plan.shape), plan.shape)
        self._volume = _reorder(plan.shape, self._orientation)
        self._wanted = box_shape(box)
        self._run = Run(plan.card, self._volume, box, plan.window)

    @property
    def shape(self) -> Shape:
        part = self._plan.shape if self._plan.region is None else box_shape(self._plan.region)
        return sr_shape(part, self._orientation.scale_to_file(self._plan.card.scale))

    @property
    def affine(self) -> np.ndarray:
        return sr_affine(self._plan.affine, self._orientation.scale_to_file(self._plan.card.scale), "center")

    @property
    def host_bytes(self) -> int:
        plan = self._plan
        members = {"with_zero_filled": plan.with_zero_filled, "with_trust_map": plan.with_trust_map}
        return host_bytes(self._run, plan.itemsize, **members)

    def plan_tiles(self, device_bytes: float, *, on_cpu: bool) -> TilePlan:
        return plan_tiles(self._run, DEVICE_ITEMSIZE, device_bytes, on_cpu=on_cpu)

    def work(self, tiles: TilePlan | None) -> Work:
        plan = self._plan
        windows = chosen_windows(plan.card, plan.window, plan.overlap)
        if windows is not None:
            voxels = window_voxels(self._volume, self._run.region, *windows)
            return Work(voxels, voxels * math.prod(plan.card.scale), in_chosen_windows=plan.window is not None)
        needed = self._run.needed
        tile = needed if tiles is None else tiles.trunk_tile
        return Work(_trunk_voxels(needed, tile, trunk_halo(plan.card), self._volume), self._result_voxels)

    def work_of_card(self, work: Work) -> Work:
        """In windows that a network always needs, the card's figure has the overlaps in it."""
        if self._plan.window is not None or chosen_windows(self._plan.card, None, self._plan.overlap) is None:
            return work
        return Work(math.prod(self._wanted), self._result_voxels)

    @property
    def _result_voxels(self) -> int:
        return math.prod(sr_shape(self._wanted, self._plan.card.scale))


class SliceSizes:
    """Of a run that computes what lies between thick slices; the trunk's voxels are a few pixels wide."""

    def __init__(self, plan: Plan, stack: SliceStack) -> None:
        self._plan, self._stack = plan, stack
        self._grid = SliceGrid(
            stack.profile(stack.target_spacing(plan.target_spacing)), float(np.mean(stack.axis.in_plane))
        )
        self._turn = stack.axis.to_slices_first
        self._box = self._turn.box_to_canonical(plan.region or whole(plan.shape), plan.shape)

    @property
    def shape(self) -> Shape:
        along = self._grid.result_voxels(self._box[0])
        _, rows, columns = box_shape(self._box)
        sizes = (along.stop - along.start, rows, columns)
        k, j, i = (sizes[self._turn.order.index(axis)] for axis in range(3))
        return k, j, i

    @property
    def affine(self) -> np.ndarray:
        profile, axis = self._grid.profile, self._stack.axis.axis
        return along_axis(
            self._plan.affine, axis, profile.hr_spacing, (profile.hr_spacing - self._stack.axis.spacing) / 2
        )

    @property
    def host_bytes(self) -> int:
        """In fp32 as computed and in the scan's unit, and in the file's type."""
        files = 2 if self._plan.with_zero_filled else 1
        return math.prod(self.shape) * (4 + 4 + files * self._plan.itemsize)

    def plan_tiles(self, device_bytes: float, *, on_cpu: bool) -> TilePlan:
        return plan_slices(self._run, DEVICE_ITEMSIZE, device_bytes, on_cpu=on_cpu)

    def work(self, tiles: TilePlan | None) -> Work:
        run = self._run
        halo = (0, *run.card.footprint().tail_halo[1:])
        needed = box_shape(expand((slice(0, run.shape[0]), *run.region[1:]), halo, run.shape))
        tile = needed if tiles is None else tiles.trunk_tile
        return Work(_trunk_voxels(needed, tile, trunk_halo(run.card), run.shape), math.prod(self.shape))

    def work_of_card(self, work: Work) -> Work:
        return work

    @cached_property
    def _run(self) -> SliceRun:
        shape = _reorder(self._plan.shape, self._turn)
        return SliceRun.of_pixels(self._plan.card, self._grid, shape, self._box)


def _trunk_voxels(needed: Shape, tile: Shape, halo: int, volume: Shape) -> int:
    """Return the voxels that pass through the trunk in tiles, those of halos every time."""
    lengths = (
        math.ceil(size / edge) * min(edge + 2 * halo, whole_size)
        for size, edge, whole_size in zip(needed, tile, volume, strict=True)
    )
    return math.prod(lengths)


def _reorder(sizes: Shape, orientation: Orientation) -> Shape:
    depth, height, width = (sizes[axis] for axis in orientation.order)
    return depth, height, width
