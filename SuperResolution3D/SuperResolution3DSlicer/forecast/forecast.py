"""What a run will give and take: the result's size, memory and time, before it is started."""

import math
from dataclasses import dataclass

import numpy as np
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import ResourceError
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.inference.memory_plan import (
    FREE_SHARE,
    GIB,
    Run,
    TilePlan,
    chosen_windows,
    host_bytes,
    plan_tiles,
    size_text,
    trunk_halo,
    window_voxels,
)
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.box import Box, Shape, box_shape, sr_shape, whole
from SuperResolution3DLib.volumes.geometry import Orientation, sr_affine
from SuperResolution3DSlicer.forecast.speed import Speed, Work
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told

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


@dataclass(frozen=True)
class Forecast:
    """What a run will give and take."""

    shape: Shape
    """of the result (K, J, I)"""
    affine: np.ndarray
    """(4, 4) of the result on the center grid"""
    result_bytes: int
    """with the zero-filled volume, if that is wanted too"""
    memory_bytes: int
    """main memory of the worker, at most"""
    free_bytes: int
    work: Work
    seconds: float | None
    is_measured: bool
    """the time comes from this computer, not from the model's card"""
    problem: str = ""
    """why the run will hardly succeed"""


def forecast(plan: Plan, speed: Speed | None, gpu_free_bytes: int | None = None) -> Forecast:
    """Forecast a run on the CPU, or on a GPU with so much free memory; one that does not tell it shares the CPU's."""
    card, orientation = plan.card, Orientation.of(plan.affine)
    part = plan.shape if plan.region is None else box_shape(plan.region)
    scale = orientation.scale_to_file(card.scale)
    shape = sr_shape(part, scale)
    volume, wanted = (_reorder(sizes, orientation) for sizes in (plan.shape, part))
    free, problem = free_memory(), ""
    run = Run(card, volume, _wanted_box(plan), plan.window)
    held = host_bytes(run, plan.itemsize, with_zero_filled=plan.with_zero_filled)
    allowed = FREE_SHARE * (free if gpu_free_bytes is None else gpu_free_bytes)
    try:
        tiles = plan_tiles(run, DEVICE_ITEMSIZE, allowed, on_cpu=gpu_free_bytes is None)
    except ResourceError as error:
        tiles, problem = None, told(error)
    memory = held if tiles is None or gpu_free_bytes is not None else max(held, tiles.peak_bytes)
    if not problem and held > FREE_SHARE * free:
        problem = _("The result takes {needed:.1f} GiB of memory and {free:.1f} GiB are free.").format(
            needed=held / GIB, free=free / GIB
        )
    work = _work(plan, tiles, run.needed, volume, wanted)
    result_bytes = math.prod(shape) * plan.itemsize * (2 if plan.with_zero_filled else 1)
    measured = speed is not None and speed.is_measured
    seconds = None if speed is None else speed.seconds(work if measured else _work_of_card(plan, work, wanted))
    return Forecast(
        shape, sr_affine(plan.affine, scale, "center"), result_bytes, memory, free, work, seconds, measured, problem
    )


def describe(plan: Plan, forecast: Forecast) -> str:
    """Return the lines that a person reads before the run."""
    grid = in_own_language(grid_text(forecast.shape, forecast.affine))
    result = (
        _("Result: {grid}, {size} with the zero-filled volume")
        if plan.with_zero_filled
        else _("Result: {grid}, {size}")
    )
    lines = [
        result.format(grid=grid, size=size_text(forecast.result_bytes)),
        _("Memory: up to {needed} of {free} free").format(
            needed=size_text(forecast.memory_bytes), free=size_text(forecast.free_bytes)
        ),
        _time(plan, forecast),
    ]
    return "\n".join([*lines, forecast.problem] if forecast.problem else lines)


def duration(seconds: float) -> str:
    """Return a time as a person says it: ``40 s``, ``3 min 20 s``, ``1 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
    if minutes:
        return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    return _("{seconds} s").format(seconds=rest)


def _time(plan: Plan, forecast: Forecast) -> str:
    if forecast.seconds is None:
        return _("Time: not known; the model's card has no figure for this device")
    text = duration(max(forecast.seconds, 1))
    if plan.num_inputs > 1:
        text = _("{time} for the first of {count} volumes").format(time=text, count=plan.num_inputs)
    if forecast.is_measured:
        return _("Time: about {time} (timed on this computer)").format(time=text)
    where = plan.card.performance.get("hardware") or _("another computer")
    return _("Time: about {time} (the card's figure, from {where})").format(time=text, where=where)


def _work(plan: Plan, tiles: TilePlan | None, needed: Shape, volume: Shape, wanted: Shape) -> Work:
    """Return the voxels that pass through trunk and tail, those of halos and overlaps every time."""
    windows = chosen_windows(plan.card, plan.window, plan.overlap)
    if windows is not None:
        voxels = window_voxels(volume, _wanted_box(plan), *windows)
        return Work(voxels, voxels * math.prod(plan.card.scale), in_chosen_windows=plan.window is not None)
    tile = needed if tiles is None else tiles.trunk_tile
    halo = trunk_halo(plan.card)
    lengths = [
        math.ceil(size / edge) * min(edge + 2 * halo, whole)
        for size, edge, whole in zip(needed, tile, volume, strict=True)
    ]
    return Work(math.prod(lengths), math.prod(sr_shape(wanted, plan.card.scale)))


def _work_of_card(plan: Plan, work: Work, wanted: Shape) -> Work:
    """Return the work by which a card tells its speed: in windows that a network always needs, overlaps are in it."""
    if plan.window is not None or chosen_windows(plan.card, None, plan.overlap) is None:
        return work
    return Work(math.prod(wanted), math.prod(sr_shape(wanted, plan.card.scale)))


def _wanted_box(plan: Plan) -> Box:
    """Return the voxels (D, H, W) whose result is wanted."""
    return Orientation.of(plan.affine).box_to_canonical(plan.region or whole(plan.shape), plan.shape)


def _reorder(sizes: Shape, orientation: Orientation) -> Shape:
    depth, height, width = (sizes[axis] for axis in orientation.order)
    return depth, height, width
