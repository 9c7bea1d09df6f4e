"""The commands degrade and interpolate where they are asked for thick slices."""

import argparse
import logging
from collections.abc import Callable

from SuperResolution3DLib.cli.slice_arguments import CONSISTENT
from SuperResolution3DLib.forward.slice_profile import ProfileShape
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.dicom.choice import choice_of
from SuperResolution3DLib.volumes.result_files import ResultFiles
from SuperResolution3DLib.volumes.sidecar import sidecar_of, slice_sizes_text
from SuperResolution3DLib.volumes.volume import Volume, read_volume

log = logging.getLogger(__name__)


def degrade(options: argparse.Namespace, describe: Callable[[Volume], str]) -> None:
    """Write the stack of slices of an HR volume, its sidecar, and the HR voxels that it stands for.

    Raises:
        InputError: an unusable volume or output, or impossible slices.
    """
    sidecar = sidecar_of(options.output)
    volumes, inputs = [options.output, options.hr_out], [options.hr]
    with ResultFiles(volumes, [sidecar], inputs, overwrite=options.overwrite) as results:
        hr = read_volume(options.hr, choice_of(options))

        from SuperResolution3DLib.inference.thick_slices import degrade_slices

        results.try_volumes(hr, hr.array.nbytes if options.hr_out else 0)
        profile: ProfileShape = options.profile or "gaussian"
        stack, cropped, _ = degrade_slices(hr, options.slice_spacing, options.slice_thickness, options.axis, profile)
        results.write_volume(options.output, stack)
        thickness = options.slice_thickness or options.slice_spacing
        results.write_text(sidecar, slice_sizes_text(thickness, options.slice_spacing))
        if options.hr_out:
            results.write_volume(options.hr_out, cropped)
        results.place()
    print(f"wrote {options.output}: {describe(stack)}, {profile} slices {thickness:g} mm thick, as {sidecar.name} says")
    if options.hr_out:
        print(f"wrote {options.hr_out}: {describe(cropped)}")


def interpolate(options: argparse.Namespace) -> None:
    """Write a stack of slices with the space between them interpolated.

    Raises:
        InputError: an unusable volume or output, no slice axis, or an impossible thickness or target spacing.
    """
    with ResultFiles([options.output], inputs=[options.lr], overwrite=options.overwrite) as results:
        volume = read_volume(options.lr, choice_of(options), uneven_slices=True)

        from SuperResolution3DLib.inference.slice_stack import slice_stack
        from SuperResolution3DLib.inference.thick_slices import interpolate_slices

        stack = slice_stack(volume, options.slice_thickness, options.axis)
        target = stack.target_spacing(None if options.target_spacing in (None, "auto") else options.target_spacing)
        results.try_volumes(volume, volume.array.nbytes * stack.profile(target).hr_size // len(stack.centres))
        result, report = interpolate_slices(volume, stack, target)
        results.write_volume(options.output, result)
        results.place()
    for warned in stack.warnings:
        log.warning(warned)
    grid = grid_text(result.shape, result.affine, is_stack=False)
    print(f"wrote {options.output}: {grid}, {CONSISTENT} interpolation")
    print(report.sentence)
