"""The inference path of thick slices: a stack goes in, what lies between its slices comes out on the right grid."""

import time
from dataclasses import replace

import numpy as np
import torch

from SuperResolution3DLib import __version__
from SuperResolution3DLib.advice import SMALLER_REGION_OR_COARSER
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE, DEFAULT_SHAPE
from SuperResolution3DLib.forward.forward_model import ForwardModel
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.computation import Computation, DataConsistency
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.result_memory import ResultMemory, choose_memory
from SuperResolution3DLib.inference.settings import Result, Settings, canonical_region
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.inference.slice_stack import SliceStack, along_axis, slice_stack
from SuperResolution3DLib.inference.trust.ensemble import run_ensemble
from SuperResolution3DLib.inference.trust.range_check import slice_warnings, stack_warnings
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.box import Box, box_shape, box_text
from SuperResolution3DLib.volumes.geometry import crop_affine, voxel_spacing
from SuperResolution3DLib.volumes.intensity import check_finite, check_intensities, large_offset, without_offset
from SuperResolution3DLib.volumes.mapped_array import release_pages
from SuperResolution3DLib.volumes.volume import Volume


def stack_of(volume: Volume, settings: Settings) -> SliceStack:
    """Return what is known of a volume's slices.

    Raises:
        InputError: an impossible thickness or name of an axis.
        GeometryError: no unique slice axis.
    """
    return slice_stack(volume, settings.slice_thickness, settings.slice_axis)


def slices_bytes(volume: Volume, settings: Settings) -> int:
    """Return the size of the result's voxels in the file's data type.

    Raises:
        InputError: an impossible thickness or target spacing.
        GeometryError: no unique slice axis.
    """
    stack = stack_of(volume, settings)
    share = 1.0
    if settings.region is not None:
        share = np.prod(box_shape(settings.region)) / volume.array.size
    profile = stack.profile(stack.target_spacing(settings.target_spacing))
    return round(share * volume.array.nbytes * profile.hr_size / profile.lr_size)


def between_slices(
    volume: Volume, model: Model, settings: Settings, monitor: Monitor, *, with_interpolated: bool = False
) -> Result:
    """Compute what lies between the thick slices of a volume.

    The slice axis is found and brought to D, whatever the file's order; the result has the file's axis order, data
    type, unit and field of view (slice edges).

    Raises:
        InputError: an impossible thickness or target spacing, or windows.
        GeometryError: no unique slice axis.
        VolumeError: the volume is constant or beyond what float32 holds, or the result is not finite.
        ResourceError: the result does not fit.
        CancelledError: the monitor said so.
    """
    card, started = model.card, time.monotonic()
    if settings.window is not None:
        raise InputError(Sentence("input-slices-only", {"model": card.name}))
    check_intensities(volume.array)
    stack = stack_of(volume, settings)
    wanted = stack.target_spacing(settings.target_spacing)
    warnings = [*slice_warnings(volume, card, stack.axis), *stack.warnings]
    for warned in warnings:
        monitor.warn(warned)
    warnings += volume.warnings  # told when the file was read
    turn = stack.axis.to_slices_first
    slices = turn.to_canonical(volume.array)
    affine = turn.canonical_affine(volume.affine, volume.shape)
    region = canonical_region(volume, turn, settings.region)
    shape, noise = card.forward.get("shape", DEFAULT_SHAPE), card.forward.get("noise", DEFAULT_NOISE)
    profile = stack.profile(wanted, shape)
    profile = profile.mirrored() if turn.flips[0] else profile
    # A fixed range is not that of the volume, so its offset has to stay.
    offset = 0 if model.intensity.policy == "fixed" else large_offset(slices)
    measured = without_offset(slices, offset)
    to_network = model.intensity.fit(measured)
    lr = to_network.to_network(measured)
    unlike = stack_warnings(lr, voxel_spacing(affine), stack.axis, card)
    for warned in unlike:
        monitor.warn(warned)
    warnings += unlike
    grid = SliceGrid(profile, float(np.mean(stack.axis.in_plane)), noise)
    engine = SliceEngine(model, grid, settings, monitor)
    engine.memory = _memory(volume, settings, monitor, engine, with_interpolated=with_interpolated)
    sr = run_ensemble(engine, lr, region).mean if settings.ensemble else engine.run(lr, region)
    residual, left, model_of_slices = None, None, ForwardModel.slices(profile)
    if settings.data_consistency != "off" and settings.region is None:
        monitor.progress("consistency", 0, 1)
        residual = _residual_percent(sr, lr, model_of_slices)
        monitor.progress("consistency", 1, 1)
    if settings.data_consistency == "project":
        _project(sr, lr, model_of_slices)
        left = _residual_percent(sr, lr, model_of_slices) if model_of_slices.regularisation() else None
    result_affine = _result_affine(affine, profile, region, grid.result_voxels(region[0]).start)

    def in_file(array: np.ndarray) -> Volume:
        """Bring network units, (M, H, W) with the slices first, back to the file; the array is used up."""
        to_network.undo(array)
        check_finite(array, volume.array)
        turned = engine.memory.in_file(array, volume.array.dtype, offset, turn)
        found = volume.with_array(turned, turn.file_affine(result_affine, array.shape))
        return replace(found, slice_thickness=None, slice_spacing=None)

    result = in_file(sr)
    del sr  # before another volume of its size is made
    interpolated = in_file(_interpolated(lr, grid, region, engine.memory)) if with_interpolated else None
    projected = settings.data_consistency == "project"
    slices_report = replace(stack.report(profile, noise, wanted, residual), left_percent=left)
    if settings.region is not None:
        size = result.shape[stack.axis.axis]
        length = size * profile.hr_spacing
        slices_report = replace(slices_report, result_size=size, field_of_view_mm=length, is_part=True)
    report = Computation(
        program=__version__,
        torch=str(torch.__version__),
        model=card.name,
        model_sha256=model.sha256,
        grid=card.grid,
        scale=tuple(old / new for old, new in zip(volume.spacing, result.spacing, strict=True)),  # type: ignore[arg-type]
        region=None if settings.region is None else box_text(settings.region),
        input_shape=volume.shape,
        input_spacing_mm=tuple(round(value, 6) for value in volume.spacing),
        input_grid=str(grid_text(volume.shape, volume.affine)),
        output_shape=result.shape,
        output_spacing_mm=tuple(round(value, 6) for value in result.spacing),
        output_grid=str(grid_text(result.shape, result.affine, is_stack=False)),
        seconds=round(time.monotonic() - started, 3),
        data_consistency=DataConsistency(
            mode=settings.data_consistency,
            residual_rms_percent=None if residual is None else round(residual, 4),
            projected=projected,
            model_dependent=True,  # nobody knows the slices' true profile
        ),
        slices=slices_report,
        **{**vars(engine.report), "warnings": (*warnings, *engine.report.warnings)},
    )
    return Result(result, report, interpolated)


def _memory(
    volume: Volume, settings: Settings, monitor: Monitor, engine: SliceEngine, *, with_interpolated: bool
) -> ResultMemory:
    """Choose where the result lies: in fp32 while it is computed, and in the file's type.

    An ensemble has the mean of the results so far beside that of a member, but only until it gets the file's type.
    """
    result, itemsize = slices_bytes(volume, settings), volume.array.dtype.itemsize
    interpolated = result * with_interpolated
    features = 4 * volume.array.size * engine.model.card.footprint().features // engine.fold**2
    return choose_memory(
        result // itemsize * (4 + max(itemsize, 4 * settings.ensemble)) + interpolated,
        result + interpolated + features,
        settings,
        monitor,
        on_cpu=engine.device.type == "cpu",
        advice=SMALLER_REGION_OR_COARSER,
    )


def _residual_percent(sr: np.ndarray, lr: np.ndarray, model: ForwardModel) -> float:
    """Return by how many % of the range the slices, made anew of the result, differ from those measured (RMS)."""
    squares = 0.0
    for block in model.blocks(sr.shape):
        squares += float(np.square(model.residual(sr[block], lr[block]), dtype=np.float64).sum())
        release_pages(sr)
    return 100 * float(np.sqrt(squares / lr.size))  # 1 network unit is the range of the intensity map


def _project(sr: np.ndarray, lr: np.ndarray, model: ForwardModel) -> None:
    """Put back what was measured, in place."""
    for block in model.blocks(sr.shape):
        sr[block] = model.project(sr[block], lr[block])
        release_pages(sr)


def _interpolated(lr: np.ndarray, grid: SliceGrid, region: Box, memory: ResultMemory) -> np.ndarray:
    model, wanted = ForwardModel.slices(grid.profile, grid.noise), grid.result_voxels(region[0])
    slices = lr[:, region[1], region[2]]
    found = memory.empty((wanted.stop - wanted.start, *slices.shape[1:]))
    for block in model.blocks(model.hr_shape(slices.shape)):
        found[block] = model.interpolate(slices[block])[wanted]
        release_pages(found)
    return found


def _result_affine(affine: np.ndarray, profile: SliceProfile, region: Box, first: int) -> np.ndarray:
    """Return the affine of the result, slices first: its first voxel lies ``first`` voxels after the stack's edge."""
    cropped = crop_affine(affine, (0, region[1].start, region[2].start))
    edge_to_centre = profile.centres[0]
    return along_axis(cropped, 0, profile.hr_spacing, (first + 0.5) * profile.hr_spacing - edge_to_centre)
