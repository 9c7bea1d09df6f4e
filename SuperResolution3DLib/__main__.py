"""The command line: ``superres3d``, or ``python -m SuperResolution3DLib``. Imports nothing heavy until it is needed."""

import argparse
import sys
from pathlib import Path

from SuperResolution3DLib import __version__
from SuperResolution3DLib.cli.slice_arguments import CONSISTENT, add_degrade_arguments, add_interpolate_arguments
from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.cli.super_resolve_job import COMMAND, EVENTS, OVERWRITE, add_job_arguments, job_of
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.installed_models import MODELS_VARIABLE
from SuperResolution3DLib.threads import prepare_threads
from SuperResolution3DLib.volumes.dicom.choice import add_choice_arguments
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.scale import upsampling_stages

DESCRIPTION = """\
Super-resolve MR and CT volumes: smaller voxels, estimated by a network, on a grid that is exact in mm.
For research use only. Detail above the measured resolution is always the network's estimate.

Files: NIfTI (.nii, .nii.gz), NRRD, MHA, MGZ, and as input a folder with a DICOM series. Sizes are told in mm along
directions of the body; --scale, --region and --axis are in the file's order K,J,I (slices, rows, columns)."""
EXIT_CODES = "exit codes: 0 ok, 1 bug, 2 bad input or usage, 3 out of memory, 4 cancelled; no result unless 0."
THREADS = "CPU threads (default: OMP_NUM_THREADS, else as many as there are processors for)"
EXAMPLES = {
    COMMAND: """\
examples:
  superres3d super-resolve head.nii.gz head-x4.nii.gz
  superres3d super-resolve dicom-folder/ head-x4.nrrd --series 1.2.840.113619.2.1 --report head-x4.json
  superres3d super-resolve head.nii.gz part.nii.gz --region 20:52,0:64,0:64 --zero-filled part-zero-filled.nii.gz
  superres3d super-resolve head.nii.gz head-x4.nii.gz --window 24 --overlap 0.625    (the published sliding window)
  superres3d super-resolve subjects/ *.nrrd --output-dir results/     (each to NAME-sr with NAME-sr.json)

With --output-dir the model is loaded once, a volume that fails is told in a line and in NAME-sr.json and stops no
other, and the exit code is 10 more than the number of those that failed (up to 100).

Ctrl-C cancels and leaves no file; press again to stop at once.""",
    "degrade": """\
examples:
  superres3d degrade hr.nii.gz lr.nii.gz --scale 4 --hr-out hr-cropped.nii.gz
  superres3d degrade hr.nii.gz thick.nii.gz --scale 4,1,1
  superres3d degrade hr.nii.gz slices.nii.gz --slice-thickness 5 --slice-spacing 6 --axis K    (2D slices with a gap)

Voxels that do not fill a block of the scale are dropped, half of them at the left, back and foot end of each axis;
--hr-out writes the HR so cropped, the reference for a result computed from OUTPUT.""",
    "interpolate": """\
examples:
  superres3d interpolate lr.nii.gz lr-x4.nii.gz --method zero-fill --scale 4
  superres3d interpolate slices.nii.gz isotropic.nii.gz --method consistent --slice-thickness 5""",
    "compare": """\
example:
  superres3d compare --lr lr.nii.gz --sr sr.nii.gz --hr hr.nii.gz picture.png
  superres3d compare --lr lr.nii.gz --sr sr.nii.gz --trust-map map.nii.gz --report sr.json picture.png

Scale and grid are found from the volumes' positions in mm, of thick slices too; the SR is scored beside zero-filled
k-space, or the consistent interpolation between the slices. An HR that holds the SR's grid voxel for voxel is cropped
to it; any other HR is refused.""",
    "models": f"""\
Searched, first to last: the folders in ${MODELS_VARIABLE}, the user's model folder, the models that came with the
program. Nothing is downloaded. To remove a model, delete its file.""",
    "blend": """\
example:
  superres3d blend mr-brain-x4 mr-brain-x4-gan --alpha 0.3 sharper.safetensors

The knob between fidelity (a model trained on pixels) and sharpness (the same model fine-tuned against a
discriminator). Measured quality belongs to the parents and is not carried over.""",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; usage errors exit with 2 at once."""
    never_fail()
    options = build_parser().parse_args(arguments)
    prepare_threads(getattr(options, "threads", None))
    if options.command == COMMAND:
        from SuperResolution3DLib.cli.batch import jobs_of, run_batch
        from SuperResolution3DLib.cli.worker import run_process

        try:
            jobs = [job_of(options)] if options.output_dir is None else jobs_of(options)
        except InputError as error:
            options.parser.error(str(error))
        return run_process(jobs[0]) if options.output_dir is None else run_batch(jobs, options.output_dir)
    from SuperResolution3DLib.cli import commands
    from SuperResolution3DLib.cli.cancellation import Cancellation
    from SuperResolution3DLib.cli.model_list import models
    from SuperResolution3DLib.cli.worker import exit_code_of, print_error, run_with_events

    run = {
        "degrade": commands.degrade,
        "interpolate": commands.interpolate,
        "compare": commands.compare,
        "models": models,
        "blend": commands.blend,
    }[options.command]
    if getattr(options, "events", False):
        return run_with_events(options.output, lambda monitor: run(options))
    with Cancellation(at_once=True):
        return exit_code_of(lambda: run(options), print_error)


def build_parser() -> argparse.ArgumentParser:
    """Declare all commands."""
    parser = argparse.ArgumentParser(
        "superres3d", None, DESCRIPTION, EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"superres3d {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=help_text,
            description=f"{help_text[0].upper()}{help_text[1:]}.",
            epilog=f"{EXAMPLES[name]}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        sub.set_defaults(parser=sub)
        return sub

    computing = [
        command(COMMAND, "compute a volume with smaller voxels"),
        command("degrade", "make an LR volume of an HR volume through k-space"),
        command("interpolate", "interpolate an LR volume on the SR grid, without a network"),
        command("compare", "draw LR, SR and HR side by side, and score against the HR"),
    ]
    for sub, add in zip(computing, (add_job_arguments, _add_degrade, _add_interpolate, _add_compare), strict=True):
        add(sub)
        sub.add_argument("--threads", type=parse_threads, metavar="N", help=THREADS)
    _add_models(command("models", "list the installed models, one a line"))
    _add_blend(command("blend", "interpolate two model files of one architecture into one"))
    return parser


def _add_degrade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hr", metavar="HR", type=Path, help="volume file or DICOM series folder")
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="LR volume to write")
    _add_grid(parser)
    add_degrade_arguments(parser)
    add_choice_arguments(parser)
    parser.add_argument("--hr-out", type=Path, metavar="FILE", help="also write the HR voxels that the LR stands for")
    parser.add_argument("--events", action="store_true", help=EVENTS)
    _add_overwrite(parser)


def _add_interpolate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lr", metavar="LR", type=Path, help="volume file or DICOM series folder")
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="volume to write")
    parser.add_argument(
        "--method",
        required=True,
        choices=("zero-fill", "cubic", "trilinear", CONSISTENT),
        help="zero-filled k-space (sinc), cubic spline, linear, or for thick slices a spline corrected for their "
        "thickness",
    )
    _add_grid(parser)
    add_interpolate_arguments(parser)
    add_choice_arguments(parser)
    parser.add_argument("--events", action="store_true", help=EVENTS)
    _add_overwrite(parser)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lr", required=True, metavar="LR", type=Path, help="measured volume")
    parser.add_argument("--sr", required=True, metavar="SR", type=Path, help="volume computed from it")
    parser.add_argument("--hr", metavar="HR", type=Path, help="true volume, to score against")
    parser.add_argument(
        "--trust-map",
        metavar="FILE",
        type=Path,
        help="of the SR: also draw it with the voxels marked at which the estimate may be off",
    )
    parser.add_argument(
        "--report", metavar="FILE.json", type=Path, help="of the run that wrote the trust map: says by how much"
    )
    parser.add_argument("output", metavar="OUTPUT.png", type=Path, help="picture to write")
    add_choice_arguments(parser, of=" as the LR")
    add_choice_arguments(parser, "hr-", " as the HR")
    _add_overwrite(parser)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", action="store_true", help="also file, licence, measured quality and speed of each")


def _add_blend(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="model name or file: alpha 0")
    parser.add_argument("second", metavar="B", help="model name or file: alpha 1")
    parser.add_argument("output", metavar="OUTPUT.safetensors", type=Path, help="model file to write")
    parser.add_argument("--alpha", type=float, required=True, help="share of B, between 0 and 1")
    parser.add_argument("--name", help="how the new model is chosen (default: the file's name)")
    _add_overwrite(parser)


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scale",
        type=parse_scale,
        metavar="4 | 4,1,1",
        help="factor, or one each for the file's slices, rows and columns; products of 2s and 3s (default: 4)",
    )
    parser.add_argument(
        "--grid",
        choices=("center", "corner"),
        help="center: LR and HR cover the same field of view; corner: LR voxel i is HR voxel scale * i, counted "
        "toward the patient's right, front and head (default: center)",
    )


def _add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overwrite", action="store_true", help=OVERWRITE)


def parse_threads(text: str) -> int:
    """Read a number of threads.

    Raises:
        argparse.ArgumentTypeError: not a whole number of 1 or more.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"threads are a whole number of 1 or more, not {text!r}")
    return int(text)


def parse_scale(text: str) -> Scale:
    """Read ``4`` or ``4,1,1``.

    Raises:
        argparse.ArgumentTypeError: not one or three products of 2s and 3s, or nothing but 1s.
    """
    parts = text.split(",")
    if len(parts) not in (1, 3) or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f"a scale is one whole number or three (K,J,I), such as 4 or 4,1,1, not {text!r}"
        )
    depth, height, width = (int(part) for part in (parts * 3 if len(parts) == 1 else parts))
    try:
        upsampling_stages((depth, height, width))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return depth, height, width


if __name__ == "__main__":
    sys.exit(main())
