"""The commands degrade, interpolate, compare and blend; that of super-resolve is in ``super_resolve_job``."""

import argparse
import math
from typing import Final

from SuperResolution3DLib.cli import slice_commands
from SuperResolution3DLib.cli.baseline import baseline_of
from SuperResolution3DLib.cli.slice_arguments import wants_slices
from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.models.model_card import SUFFIX
from SuperResolution3DLib.volumes.body_axes import grid_text, shape_text
from SuperResolution3DLib.volumes.dicom.choice import choice_of
from SuperResolution3DLib.volumes.geometry import Grid, Scale, contained_box
from SuperResolution3DLib.volumes.intensity import large_offset, without_offset
from SuperResolution3DLib.volumes.result_files import ResultFiles
from SuperResolution3DLib.volumes.volume import Volume, read_volume

PROTOCOL: Final = "foreground"
DEFAULT_SCALE: Final[Scale] = (4, 4, 4)
DEFAULT_GRID: Final[Grid] = "center"


def degrade(options: argparse.Namespace) -> None:
    """Write the LR volume of an HR volume, and the HR voxels that it stands for.

    Raises:
        InputError: an unusable volume or output.
    """
    if wants_slices(options):
        slice_commands.degrade(options, _describe)
        return
    scale, grid = options.scale or DEFAULT_SCALE, options.grid or DEFAULT_GRID
    with ResultFiles([options.output, options.hr_out], inputs=[options.hr], overwrite=options.overwrite) as results:
        hr = read_volume(options.hr, choice_of(options))

        from SuperResolution3DLib.inference.super_resolve import degrade_volume

        results.try_volumes(hr, hr.array.nbytes if options.hr_out else hr.array.nbytes // math.prod(scale))
        lr, cropped = degrade_volume(hr, scale, grid)
        results.write_volume(options.output, lr)
        if options.hr_out:
            results.write_volume(options.hr_out, cropped)
        results.place()
    print(f"wrote {options.output}: {_describe(lr)}, {grid} grid")
    if options.hr_out:
        origin = "the whole HR" if cropped.shape == hr.shape else f"cropped from {shape_text(hr.shape, hr.affine)}"
        print(f"wrote {options.hr_out}: {_describe(cropped)}, {origin}")


def interpolate(options: argparse.Namespace) -> None:
    """Write an LR volume interpolated on the SR grid.

    Raises:
        InputError: an unusable volume or output.
    """
    if wants_slices(options):
        slice_commands.interpolate(options)
        return
    scale, grid = options.scale or DEFAULT_SCALE, options.grid or DEFAULT_GRID
    with ResultFiles([options.output], inputs=[options.lr], overwrite=options.overwrite) as results:
        lr = read_volume(options.lr, choice_of(options))

        from SuperResolution3DLib.inference.super_resolve import interpolate_volume

        results.try_volumes(lr, lr.array.nbytes * math.prod(scale))
        sr = interpolate_volume(lr, scale, grid, options.method)
        results.write_volume(options.output, sr)
        results.place()
    print(f"wrote {options.output}: {_describe(sr)}, {options.method} on the {grid} grid")


def compare(options: argparse.Namespace) -> None:
    """Draw LR, SR and HR side by side, and print the scores of SR and interpolated LR when there is an HR.

    Raises:
        InputError: an unusable volume or output, or grids that do not belong together.
    """
    if options.output.suffix.lower() != ".png":
        raise OutputError(f"{options.output.name} does not end in .png, the one format of the picture")
    if options.report is not None and options.trust_map is None:
        raise InputError("--report tells what a --trust-map means: give both")
    inputs = [options.lr, options.sr, options.hr, options.trust_map, options.report]
    with ResultFiles([], [options.output], inputs, overwrite=options.overwrite) as results:
        lr, sr = read_volume(options.lr, choice_of(options)).canonical(), read_volume(options.sr).canonical()
        baseline = baseline_of(lr, sr)
        print(f"SR: {_describe(sr)}, {baseline.words}")
        hr = None
        if options.hr is not None:
            whole_hr = read_volume(options.hr, choice_of(options, "hr_")).canonical()
            hr = _crop_to(whole_hr, sr)
            if hr.shape != whole_hr.shape:
                print(f"HR: cropped from {shape_text(whole_hr.shape, whole_hr.affine)} to the SR's")

        offset = large_offset(lr.array)
        if offset:
            print(f"All volumes are compared less {offset:.10g}, the offset on which their contrast stands")
        lr, sr = _less(lr, offset), _less(sr, offset)
        hr = hr and _less(hr, offset)

        from SuperResolution3DLib.cli.figure import FigureRow, comparison_figure

        captions = {}
        if hr is not None:
            from SuperResolution3DLib.metrics.metrics import describe, score

            print(f"\n{'':24}{'PSNR (dB)':>10}{'SSIM':>9}")
            for label, array in ((baseline.label, baseline.interpolate(lr)), ("SR", sr.array)):
                scores = score(array, hr.array, PROTOCOL)
                captions[label] = f"{scores.psnr:.2f} dB, SSIM {scores.ssim:.3f}"
                print(f"{label:24}{scores.psnr:10.2f}{scores.ssim:9.4f}")
            print(describe(PROTOCOL))
        rows = [FigureRow("LR", lr.array, lr.affine), FigureRow("SR", sr.array, sr.affine, captions.get("SR", ""))]
        if options.trust_map is not None:
            from SuperResolution3DLib.cli.trust_row import trust_row

            rows.append(trust_row(options.trust_map, options.report, sr))
        if hr is not None:
            rows.append(FigureRow("HR", hr.array, hr.affine))
        results.write_with(options.output, lambda staged: comparison_figure(rows, staged))
        results.place()
    print(f"wrote {options.output}")


def blend(options: argparse.Namespace) -> None:
    """Write a model file between two others.

    Raises:
        InputError: models that cannot be blended, or an unusable output.
    """
    if options.output.suffix != SUFFIX:
        raise OutputError(f"{options.output.name} does not end in {SUFFIX}, the one format of models")
    inputs = [find_model(name) for name in (options.first, options.second)]
    with ResultFiles([], [options.output], inputs, overwrite=options.overwrite) as results:
        from SuperResolution3DLib.models.blend import blend as blended
        from SuperResolution3DLib.models.checkpoint import load_model, save_model

        first, second = (load_model(path) for path in inputs)
        weights, card = blended(first, second, options.alpha, options.name or options.output.stem)
        results.write_with(options.output, lambda staged: save_model(staged, weights, card))
        results.place()
    print(f"wrote {options.output}: {card.name}, {card.description}")


def _crop_to(hr: Volume, sr: Volume) -> Volume:
    """Return the HR voxels that lie on the SR's grid; both canonical."""
    return hr.with_array(hr.array[contained_box(hr.affine, hr.shape, sr.affine, sr.shape)], sr.affine)


def _less(volume: Volume, offset: int | float) -> Volume:
    return volume.with_array(without_offset(volume.array, offset))


def _describe(volume: Volume) -> str:
    return str(grid_text(volume.shape, volume.affine))
