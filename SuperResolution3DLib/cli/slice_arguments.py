"""The options of the commands degrade and interpolate that are for thick slices (nothing heavy is imported)."""

import argparse
from typing import Final

from SuperResolution3DLib.errors import InputError

CONSISTENT: Final = "consistent"


def add_degrade_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that make thick slices instead of an LR volume through k-space."""
    parser.add_argument(
        "--slice-spacing",
        type=_millimetres,
        metavar="MM",
        help="make a stack of slices this far apart, along one axis, instead of cropping k-space",
    )
    parser.add_argument(
        "--slice-thickness",
        type=_millimetres,
        metavar="MM",
        help="full width of a slice's profile at half its height (default: the slice spacing); less leaves a gap",
    )
    parser.add_argument("--profile", choices=("gaussian", "rectangular"), help="of a slice (default: gaussian)")
    _add_axis(parser)


def add_interpolate_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the consistent interpolation of thick slices."""
    parser.add_argument(
        "--slice-thickness",
        type=_millimetres,
        metavar="MM",
        help="consistent: thickness of the slices (default: what the file says, else the slice spacing)",
    )
    parser.add_argument(
        "--target-spacing",
        type=_target_spacing,
        metavar="auto | MM",
        help="consistent: voxel size to compute along the slice axis (default: auto, the in-plane pixel size but "
        "0.4 mm at least)",
    )
    _add_axis(parser)


def add_stack_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of super-resolve that say what thick slices are like."""
    parser.add_argument(
        "--slice-thickness",
        type=_millimetres,
        metavar="MM",
        help="thick slices: their thickness (default: what the file says, else the slice spacing)",
    )
    parser.add_argument(
        "--target-spacing",
        type=_auto_or_millimetres,
        metavar="auto|MM",
        help="thick slices: voxel size to compute along the slice axis (default: auto, the pixel size but 0.4 mm at "
        "least)",
    )
    _add_axis(parser)


def wants_slices(options: argparse.Namespace) -> bool:
    """Tell whether these options are for thick slices.

    Raises:
        InputError: options of both kinds.
    """
    by_slices = {
        "--slice-spacing": "slice_spacing",
        "--slice-thickness": "slice_thickness",
        "--target-spacing": "target_spacing",
        "--profile": "profile",
        "--axis": "axis",
    }
    key = "--method consistent" if options.command == "interpolate" else "--slice-spacing MM"
    wanted = options.method == CONSISTENT if options.command == "interpolate" else options.slice_spacing is not None
    stray = {"--scale": "scale", "--grid": "grid"} if wanted else by_slices
    for option, name in stray.items():
        if getattr(options, name, None) is not None:
            raise InputError(f"{option} does not go with {key}" if wanted else f"{option} goes with {key} only")
    return wanted


def _add_axis(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--axis",
        choices=("K", "J", "I"),
        help="the slice axis: the file's slices (K), rows (J) or columns (I); default: that with the largest spacing",
    )


def _millimetres(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a length is a number of mm above 0, not {text!r}")
    return value


def _auto_or_millimetres(text: str) -> float | None:
    return None if text == "auto" else _millimetres(text)


def _target_spacing(text: str) -> float | str:
    return text if text == "auto" else _millimetres(text)
