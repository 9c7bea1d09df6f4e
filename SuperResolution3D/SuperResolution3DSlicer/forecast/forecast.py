"""What a run will give and take: the result's size, memory and time, before it is started."""

import math
from dataclasses import dataclass

import numpy as np
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import ResourceError
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.inference.memory_plan import FREE_SHARE, GIB, size_text
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DSlicer.forecast.plan import Plan
from SuperResolution3DSlicer.forecast.speed import Speed, Work
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told


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
    sizes, free, problem = plan.sizes, free_memory(), ""
    held, shape = sizes.host_bytes, sizes.shape
    allowed = FREE_SHARE * (free if gpu_free_bytes is None else gpu_free_bytes)
    try:
        tiles = sizes.plan_tiles(allowed, on_cpu=gpu_free_bytes is None)
    except ResourceError as error:
        tiles, problem = None, told(error)
    memory = held if tiles is None or gpu_free_bytes is not None else max(held, tiles.peak_bytes)
    if not problem and held > FREE_SHARE * free:
        problem = _("The result takes {needed:.1f} GiB of memory and {free:.1f} GiB are free.").format(
            needed=held / GIB, free=free / GIB
        )
    work = sizes.work(tiles)
    result_bytes = math.prod(shape) * (plan.itemsize * (2 if plan.with_zero_filled else 1) + plan.with_trust_map)
    measured = speed is not None and speed.is_measured
    counted = (work if measured else sizes.work_of_card(work)).repeated(plan.passes)
    seconds = None if speed is None else speed.seconds(counted)
    return Forecast(shape, sizes.affine, result_bytes, memory, free, work, seconds, measured, problem)


def describe(plan: Plan, forecast: Forecast) -> str:
    """Return the lines that a person reads before the run."""
    grid = in_own_language(grid_text(forecast.shape, forecast.affine))
    result = _("Result: {grid}, {size}")
    if plan.with_zero_filled and plan.stack is not None:
        result = _("Result: {grid}, {size} with the interpolated volume for comparison")
    elif plan.with_zero_filled:
        result = _("Result: {grid}, {size} with the zero-filled volume for comparison")
    if plan.with_trust_map:
        result = _("{result} and the trust map").format(result=result)
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
    return _("Time: about {time} (measured for the model on {where})").format(time=text, where=where)
