"""The single inference path: a volume goes in, its super-resolved volume comes out on the right grid."""

import math
import time

import numpy as np
import torch

from SuperResolution3DLib import __version__
from SuperResolution3DLib.errors import CancelledError, GeometryError, ResourceError, VolumeError
from SuperResolution3DLib.forward.interpolation import Method, interpolate
from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade, degraded_part, zero_fill
from SuperResolution3DLib.forward.slice_axis import why_not_enlarged, why_not_even
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.inference.between_slices import between_slices, slices_bytes
from SuperResolution3DLib.inference.computation import Computation, DataConsistency
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.memory_plan import FREE_SHARE, Run, host_bytes, size_text
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.result_memory import ResultMemory, choose_memory
from SuperResolution3DLib.inference.settings import Result, Settings, canonical_region
from SuperResolution3DLib.inference.sliding_window import SMALLEST_AXIS
from SuperResolution3DLib.inference.trust.ensemble import check_ensemble, run_ensemble
from SuperResolution3DLib.inference.trust.range_check import range_warnings
from SuperResolution3DLib.inference.trust.trust_map import check_companion, run_trusted
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.body_axes import BodyAxes, grid_text, shape_text
from SuperResolution3DLib.volumes.box import (
    Box,
    box_shape,
    box_start,
    box_text,
    relative,
    scaled,
    sr_shape,
    tiles,
    whole,
)
from SuperResolution3DLib.volumes.geometry import Grid, Orientation, Scale, crop_affine, lr_affine, sr_affine
from SuperResolution3DLib.volumes.intensity import check_finite, check_intensities, large_offset, without_offset
from SuperResolution3DLib.volumes.mapped_array import release_pages
from SuperResolution3DLib.volumes.volume import Volume, cast_like

SLAB = 8  # LR slices (D) that are handled at once where a copy of the whole result would be too much


def super_resolve(
    volume: Volume,
    model: Model,
    settings: Settings | None = None,
    monitor: Monitor | None = None,
    *,
    with_zero_filled: bool = False,
    companion: Model | None = None,
) -> Result:
    """Super-resolve a volume with a model.

    The volume is brought to canonical RAS orientation and network units, computed, and brought back: the result has
    the file's axis order, data type and intensity unit (MR units, HU).

    Args:
        volume: LR.
        model: that computes the result.
        settings: how.
        monitor: who follows.
        with_zero_filled: interpolate the volume on the result's grid as well.
        companion: second model, that of the first one's calibration; with it there is a trust map, and the result is
            the mean over the mirror images.

    Raises:
        VolumeError: an axis is too short, the volume is constant or beyond what float32 holds, or the result is not
            finite.
        GeometryError: uneven slices and a model that takes even ones, or a model that enlarges one axis alone and a
            volume that is not coarse along it; of thick slices: no unique slice axis.
        InputError: an ensemble of a model whose grid does not allow it, or a trust map of a region.
        ModelError: a companion without a calibration, or another one than that of the calibration.
        ResourceError: the result does not fit.
        CancelledError: the monitor said so.
    """
    settings, monitor = settings or Settings(), monitor or Monitor()
    calibration = check_companion(model.card, companion, region=settings.region is not None) if companion else None
    if model.card.enlarges_slices_only:
        return between_slices(volume, model, settings, monitor, with_interpolated=with_zero_filled)
    card, started = model.card, time.monotonic()
    _check_grid(volume, card)
    if settings.ensemble:
        check_ensemble(card)
    check_intensities(volume.array)
    orientation = Orientation.of(volume.affine)
    canonical = volume.canonical()
    region = canonical_region(volume, orientation, settings.region)
    # A fixed range is not that of the volume, so its offset has to stay.
    offset = 0 if model.intensity.policy == "fixed" else large_offset(canonical.array)
    measured = without_offset(canonical.array, offset)
    to_network = model.intensity.fit(measured)
    lr = to_network.to_network(measured)
    wanted = box_shape(settings.region or whole(volume.shape))
    warnings = range_warnings(volume, card, lr, wanted, volume.array.dtype.itemsize)
    outside = [warned for warned in warnings if warned.kind != "intensity"]
    if settings.tells_of_slices:
        warnings.append(Warned("slices-unused", {"model": card.name}))
    for warned in warnings:
        monitor.warn(warned)
    warnings += volume.warnings  # told when the file was read
    run = Run(card, canonical.shape, region, settings.window)
    members = {"ensemble": settings.ensemble, "with_trust_map": companion is not None}
    engine = Engine(model, settings, monitor)
    needed = host_bytes(run, volume.array.dtype.itemsize, with_zero_filled=with_zero_filled, **members)
    beside = run.result_voxels * volume.array.dtype.itemsize * (1 + with_zero_filled) + run.feature_bytes
    engine.memory = choose_memory(needed, beside, settings, monitor, on_cpu=engine.device.type == "cpu")
    trusted = run_trusted(engine, companion, lr, calibration) if companion and calibration else None
    if trusted is not None:
        sr = trusted.sr
    else:
        sr = run_ensemble(engine, lr, region).mean if settings.ensemble else engine.run(lr, region)
    residual_rms_percent = _make_consistent(sr, lr, card, settings, monitor)
    to_network.undo(sr)
    check_finite(sr, volume.array)
    grid = _grid(card)
    affine = sr_affine(crop_affine(canonical.affine, box_start(region)), card.scale, grid)

    def in_file(array: np.ndarray) -> Volume:
        turned = engine.memory.in_file(array, volume.array.dtype, offset, orientation)
        return volume.with_array(turned, orientation.file_affine(affine, array.shape))

    result = in_file(sr)
    del sr  # before another volume of its size is made
    zero_filled = None
    if with_zero_filled:
        zero_filled = in_file(_zero_filled(measured.astype(np.float32), region, card, engine.memory))
    trust_map = _from_canonical(volume, orientation, trusted.percent, affine) if trusted is not None else None
    # The ideal k-space model describes MR; elsewhere, and on voxels unlike those of the training, it says less.
    unlike = any(warned.kind in ("modality", "spacing") for warned in warnings)
    consistency = DataConsistency(
        mode=settings.data_consistency,
        residual_rms_percent=residual_rms_percent,
        projected=settings.data_consistency == "project",
        model_dependent=unlike or "CT" in (volume.modality, *card.dicom_modalities),
    )
    report = Computation(
        program=__version__,
        torch=str(torch.__version__),
        model=card.name,
        model_sha256=model.sha256,
        grid=card.grid,
        scale=orientation.scale_to_file(card.scale),
        region=None if settings.region is None else box_text(settings.region),
        input_shape=volume.shape,
        input_spacing_mm=tuple(round(value, 6) for value in volume.spacing),
        input_grid=str(grid_text(volume.shape, volume.affine)),
        output_shape=result.shape,
        output_spacing_mm=tuple(round(value, 6) for value in result.spacing),
        output_grid=str(grid_text(result.shape, result.affine)),
        seconds=round(time.monotonic() - started, 3),
        data_consistency=consistency,
        trust=calibration.sentence(trusted.mask_share, unlike=bool(outside)) if calibration and trusted else None,
        **{**vars(engine.report), "warnings": (*warnings, *engine.report.warnings)},
    )
    return Result(result, report, zero_filled, trust_map)


def result_bytes(volume: Volume, card: ModelCard, settings: Settings) -> int:
    """Return the size of the result's voxels in the file's data type.

    Raises:
        InputError: of thick slices: an impossible thickness or target spacing, or no unique slice axis.
    """
    if card.enlarges_slices_only:
        return slices_bytes(volume, settings)
    shape = box_shape(settings.region) if settings.region else volume.shape
    return math.prod(shape) * math.prod(card.scale) * volume.array.dtype.itemsize


def degrade_volume(hr: Volume, scale: Scale, grid: Grid) -> tuple[Volume, Volume]:
    """Degrade a volume through k-space (paper 4.3, linear), in its own data type.

    Args:
        hr: any size; rest voxels that do not fill a block are dropped, half at the start of each canonical axis.
        scale: factor per axis in the file's order (K, J, I).
        grid: where LR voxels lie among HR voxels, counted along the canonical axes.

    Returns:
        The LR volume and the HR volume cropped to the voxels that it stands for, both in the file's axis order.

    Raises:
        VolumeError: an axis is shorter than its factor, or voxels beyond what float32 holds.
    """
    check_intensities(hr.array)
    orientation = Orientation.of(hr.affine)
    canonical, canonical_scale = hr.canonical(), orientation.scale_to_canonical(scale)
    for size, factor in zip(hr.shape, scale, strict=True):
        if size < 2 * factor:
            factors = BodyAxes.of(hr.affine).by(scale)
            raise VolumeError(f"A volume of {shape_text(hr.shape, hr.affine)} is too small to degrade by {factors}")
    box = crop_to_multiple(canonical.shape, canonical_scale)
    start = box_start(box)
    offset = large_offset(hr.array)
    measured = without_offset(canonical.array[box], offset).astype(np.float64, copy=False)
    array = degrade(measured, canonical_scale, grid)
    affine = lr_affine(canonical.affine, canonical_scale, grid, start)
    lr = _from_canonical(hr, orientation, cast_like(array, hr.array.dtype, offset), affine)
    cropped = _from_canonical(hr, orientation, canonical.array[box], crop_affine(canonical.affine, start))
    return lr, cropped


def interpolate_volume(lr: Volume, scale: Scale, grid: Grid, method: Method) -> Volume:
    """Interpolate a volume on the SR grid, in its own data type; scale in the file's order (K, J, I).

    Raises:
        VolumeError: voxels beyond what float32 holds.
        ResourceError: main memory cannot hold the result.
    """
    check_intensities(lr.array)
    # as it is computed, in float32, and in the file's type
    needed = lr.array.size * math.prod(scale) * ((8 if method == "zero-fill" else 0) + 4 + lr.array.dtype.itemsize)
    allowed = int(FREE_SHARE * free_memory())
    if needed > allowed:
        raise ResourceError(
            f"The result takes {size_text(needed)} of main memory and may use {size_text(allowed)}: choose a smaller "
            "--scale"
        )
    orientation = Orientation.of(lr.affine)
    canonical, canonical_scale = lr.canonical(), orientation.scale_to_canonical(scale)
    offset = large_offset(lr.array)
    array = interpolate(without_offset(canonical.array, offset), canonical_scale, grid, method)
    array = cast_like(array, lr.array.dtype, offset)
    return _from_canonical(lr, orientation, array, sr_affine(canonical.affine, canonical_scale, grid))


def _from_canonical(like: Volume, orientation: Orientation, array: np.ndarray, affine: np.ndarray) -> Volume:
    """Bring a canonical array back to the file's axis order."""
    return like.with_array(orientation.from_canonical(array), orientation.file_affine(affine, array.shape))


def _check_grid(volume: Volume, card: ModelCard) -> None:
    why_enlarged = why_not_enlarged(volume.affine, card.scale, card.name)
    if why := why_enlarged or why_not_even(volume.slice_positions, card.name):
        raise GeometryError(why)
    if min(volume.shape) < SMALLEST_AXIS:
        raise VolumeError(
            Sentence("volume-small", {"shape": shape_text(volume.shape, volume.affine), "needed": SMALLEST_AXIS})
        )


def _make_consistent(
    sr: np.ndarray, lr: np.ndarray, card: ModelCard, settings: Settings, monitor: Monitor
) -> float | None:
    """Measure how far the SR departs from the measured LR below its Nyquist frequency; project in place if asked.

    Returns:
        The RMS in percent of the intensity range, of the network's own output before any projection; None where it is
        off, or cannot be computed because the result is that of a region.
    """
    if settings.data_consistency == "off" or settings.region is not None:
        return None
    monitor.progress("consistency", 0, 1)
    boxes = [scaled(slab, card.scale) for slab in tiles(whole(lr.shape), (SLAB, lr.shape[1], lr.shape[2]))]
    difference = -torch.from_numpy(lr)
    for box in boxes:
        difference += degraded_part(torch.from_numpy(sr[box]), box[0], len(lr), card.scale, _grid(card))
        release_pages(sr)
    rms = float(difference.double().square().mean().sqrt())
    if settings.data_consistency == "project":
        for number, box in enumerate(boxes):
            if monitor.is_cancelled():
                raise CancelledError(Sentence("cancelled"))
            sr[box] -= zero_fill(difference, card.scale, _grid(card), box).numpy()
            release_pages(sr)
            monitor.progress("consistency", number + 1, len(boxes) + 1)
    monitor.progress("consistency", 1, 1)
    return round(100 * rms, 4)  # 1 network unit is the range of the intensity map


def _zero_filled(lr: np.ndarray, region: Box, card: ModelCard, memory: ResultMemory) -> np.ndarray:
    """Return the zero-filled volume of a region, (D*s, H*s, W*s) float32 in the unit of the LR."""
    filled = memory.empty(sr_shape(box_shape(region), card.scale))
    for slab in tiles(region, (SLAB, *box_shape(region)[1:])):
        part = zero_fill(lr, card.scale, _grid(card), scaled(slab, card.scale))
        filled[scaled(relative(slab, region), card.scale)] = part
        release_pages(filled)
    return filled


def _grid(card: ModelCard) -> Grid:
    return "center" if card.grid == "center" else "corner"
