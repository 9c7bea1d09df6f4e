"""Stacks of thick slices: making them from finer volumes, and interpolating between their slices."""

import math
from dataclasses import replace

import numpy as np

from SuperResolution3DLib.errors import GeometryError, InputError, ResourceError
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE, DEFAULT_SHAPE
from SuperResolution3DLib.forward.forward_model import ForwardModel
from SuperResolution3DLib.forward.slice_axis import PLANES, find_slice_axis
from SuperResolution3DLib.forward.slice_profile import ProfileShape, SliceProfile
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.inference.memory_plan import FREE_SHARE, size_text
from SuperResolution3DLib.inference.slice_report import SliceReport
from SuperResolution3DLib.inference.slice_stack import SliceStack, along_axis, slice_stack
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS, spacing_text
from SuperResolution3DLib.volumes.geometry import crop_affine
from SuperResolution3DLib.volumes.intensity import check_intensities, large_offset, without_offset
from SuperResolution3DLib.volumes.volume import Volume, cast_like


def interpolate_slices(
    volume: Volume,
    stack: SliceStack | None = None,
    target_spacing: float | None = None,
    shape: ProfileShape = DEFAULT_SHAPE,
    noise: float = DEFAULT_NOISE,
) -> tuple[Volume, SliceReport]:
    """Interpolate between slices, in agreement with what the slices measured; no network.

    Args:
        volume: any orientation and data type.
        stack: its slices; by default what ``slice_stack`` finds.
        target_spacing: wanted voxel size along the slice axis in mm; by default the in-plane one, 0.4 mm at least.
        shape: assumed profile of a slice.
        noise: regularisation, see ``forward.consistent_interpolation``; 0 reproduces the slices exactly.

    Returns:
        The volume in the file's axis order, data type and unit, with the slices' field of view, and the report.

    Raises:
        InputError: an impossible thickness or target spacing.
        GeometryError: no unique slice axis.
        ResourceError: the result does not fit into main memory.
        VolumeError: voxels beyond what float32 holds.
    """
    check_intensities(volume.array)
    stack = stack or slice_stack(volume)
    wanted = stack.target_spacing(target_spacing)
    profile = stack.profile(wanted, shape)
    axis = stack.axis.axis
    model = ForwardModel.slices(profile, noise, axis)
    result_shape = model.hr_shape(volume.shape)
    check_result(math.prod(result_shape) * volume.array.dtype.itemsize, profile.hr_spacing)
    result = np.empty(result_shape, volume.array.dtype)
    offset = large_offset(volume.array)
    squares, lowest, highest = 0.0, np.inf, -np.inf
    for block in model.blocks(result_shape):
        lr = _as_float(without_offset(volume.array[block], offset))
        hr = model.interpolate(lr)
        squares += float(np.square(model.residual(hr, lr), dtype=np.float64).sum())
        lowest, highest = min(lowest, float(lr.min())), max(highest, float(lr.max()))
        result[block] = cast_like(hr, result.dtype, offset)
    affine = along_axis(volume.affine, axis, profile.hr_spacing, (profile.hr_spacing - profile.spacing) / 2)
    residual = 100 * math.sqrt(squares / volume.array.size) / max(highest - lowest, 1e-300)
    report = stack.report(profile, noise, wanted, residual)
    isotropic = replace(volume.with_array(result, affine), slice_thickness=None, slice_spacing=None)
    return isotropic, report


def degrade_slices(
    hr: Volume,
    slice_spacing: float,
    thickness: float | None = None,
    axis: str | None = None,
    shape: ProfileShape = "gaussian",
) -> tuple[Volume, Volume, ForwardModel]:
    """Make the stack of thick slices that a 2D scan would have measured of a volume, in its own data type.

    Args:
        hr: any orientation; voxels beyond the last whole slice are dropped, half at the start of the axis.
        slice_spacing: distance between slice centres in mm.
        thickness: full width of the profile at half its height in mm; by default the slice spacing.
        axis: K, J or I; by default the axis of the largest spacing.
        shape: profile of a slice.

    Returns:
        The stack, the HR volume cropped to the voxels that it stands for, and the model that leads from one to the
        other; both volumes in the file's axis order.

    Raises:
        InputError: an impossible thickness, or slices closer than the volume's own voxels.
        GeometryError: no unique slice axis, or fewer than two slices fit.
        VolumeError: voxels beyond what float32 holds.
    """
    check_intensities(hr.array)
    try:
        found = find_slice_axis(hr.affine, axis)
    except GeometryError as error:  # its words are those for a stack that is already there
        raise GeometryError(
            f"No axis of {spacing_text(hr.affine)} stands out by its spacing: say with --axis K, J or I (slices, rows, "
            "columns) along which one the slices shall lie"
        ) from error
    if slice_spacing < found.spacing:
        direction = Sentence(DIRECTIONS[PLANES.index(found.plane)])
        values = {"spacing": slice_spacing, "own": found.spacing, "direction": direction}
        raise InputError(Sentence("input-slices-closer", values))
    chosen = slice_spacing if thickness is None else thickness
    profile, kept = SliceProfile.over_volume(shape, chosen, slice_spacing, hr.shape[found.axis], found.spacing)
    box = tuple(kept if index == found.axis else slice(0, size) for index, size in enumerate(hr.shape))
    start = (box[0].start, box[1].start, box[2].start)
    cropped = hr.with_array(hr.array[box], crop_affine(hr.affine, start))
    model = ForwardModel.slices(profile, axis=found.axis)
    offset = large_offset(cropped.array)
    array = np.empty(model.lr_shape(cropped.shape), hr.array.dtype)
    for block in model.blocks(cropped.shape):
        measured = _as_float(without_offset(cropped.array[block], offset))
        array[block] = cast_like(model.degrade(measured), array.dtype, offset)
    affine = along_axis(cropped.affine, found.axis, slice_spacing, profile.centres[0] - profile.hr_spacing / 2)
    stack = replace(hr.with_array(array, affine), slice_thickness=chosen, slice_spacing=slice_spacing)
    return stack, cropped, model


def _as_float(array: np.ndarray) -> np.ndarray:
    """Return voxels in the smallest precision that holds them all: float32 for 16 bits, else float64."""
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def check_result(num_bytes: int, spacing: float) -> None:
    """Refuse a result that main memory cannot hold.

    Raises:
        ResourceError: it cannot.
    """
    allowed = FREE_SHARE * free_memory()
    if num_bytes > allowed:
        values = {"spacing": spacing, "needed": size_text(num_bytes), "allowed": size_text(int(allowed))}
        raise ResourceError(Sentence("memory-slices", values))
