"""Score models and interpolations on held-out volumes: the paper's Table 1 and Figure 2, on any data.

python Training/evaluate.py --index index.json --split test --modality "MR T1w" --interpolations all \
    --model mr-brain-x4 GAN=run/best.safetensors --out EVALUATION

The folder gets results.csv, table.md, table.tex, report.html and figure2-DATASET.png. The same command continues after
a stop: results that are finished are not computed again. Started by torchrun or srun, several processes share the
volumes and make the same table, if each has the same device and --threads as one alone.
Thick slices are scored by --forward and --orthogonal, with options of their own: see evaluate_slices.py --help.
Exit codes: 0 done, 1 bug, 2 bad input, 3 out of memory.
"""

import argparse
import logging
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if __name__ == "__main__":  # before PyTorch is imported
    from SuperResolution3DLib.threads import prepare_threads

    prepare_threads()

import numpy as np
import scipy
import torch

from SuperResolution3DLib import __version__
from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS
from SuperResolution3DLib.volumes.geometry import Scale
from Training import evaluate_slices
from Training.command_record import without_folders
from Training.data.index import SPLITS
from Training.data.preparation import PreparationConfig
from Training.evaluation.method_scores import Scoring, ScoringPlan
from Training.evaluation.methods import INTERPOLATIONS, Method
from Training.evaluation.perceptual_metrics import CHECKPOINTS
from Training.evaluation.processes import Processes, connected
from Training.evaluation.provenance import check_unseen, preset_preparation
from Training.evaluation.request import EvaluationRequest, read_request
from Training.evaluation.results import EvaluationRecord, write_record
from Training.evaluation.zoom_box import ZoomBox
from Training.exit_code import exit_code
from Training.reporting.boxes_figure import draw_boxes
from Training.reporting.plan_figure import check_box, draw_figure
from Training.reporting.report import write_report
from Training.reporting.tables import MARKDOWN, counted, write_tables

log = logging.getLogger(__name__)

SAME_SPACING = 1.01  # largest ratio of spacings that count as one


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = sys.argv[1:] if arguments is None else arguments
    if evaluate_slices.wanted(given):
        return evaluate_slices.main(given)
    return exit_code(lambda: run(_read_command(given), recorded_command(given)))


def recorded_command(given: list[str]) -> str:
    """Return the command line without folders."""
    return shlex.join(["python", "Training/evaluate.py", *without_folders(given)])


def _read_command(given: list[str]) -> EvaluationRequest:
    parser = make_parser()
    options = read_options(parser, given)
    file = options.pop("config", None)
    missing = [f"--{name}" for name in ("index", "out") if not file and name not in options]
    if missing:
        parser.error(f"the following arguments are required: {', '.join(missing)}")
    return replace(read_request(file), **options) if file else EvaluationRequest(**options)


def read_options(parser: argparse.ArgumentParser, given: list[str]) -> dict[str, Any]:
    """Return the fields of an ``EvaluationRequest`` that a command line gives; ends the program where it is wrong."""
    options = vars(parser.parse_args(given))
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, which leaves out what is not given: ``EvaluationRequest`` has the defaults."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="YAML of any of these options, which the command line overrides")
    add("--index", type=Path, help="index.json of prepare.py")
    add("--out", type=Path, help="folder of the results")
    add("--split", choices=SPLITS, help="part of the index's own split (default: test)")
    add("--fold", type=int, metavar="K", help="the volumes that fold K of splits.json holds out, instead of a part")
    add("--modality", help="only volumes whose modality begins with this, for example 'MR T1w'")
    add("--dataset", help="the data set's name in the tables (default: that in the index)")
    add("--model", nargs="+", action="extend", metavar="[LABEL=]MODEL", help="model files, or names")
    add("--sr", nargs="+", action="extend", metavar="LABEL=FOLDER", help="SR volumes made elsewhere")
    add(
        "--interpolations",
        nargs="+",
        action="extend",
        choices=("all", "none", *INTERPOLATIONS),
        metavar="NAME",
        help=f"all, none, or some of {', '.join(INTERPOLATIONS)}",
    )
    add(
        "--scale",
        type=_scale,
        metavar="D,H,W",
        help="factors head-foot, front-back and left-right (default: those of the models, or 4,4,4)",
    )
    add("--preparation", type=_preparation, metavar="PRESET", help="of train.py; default: as the models were trained")
    add("--protocol", choices=(*PROTOCOLS, "both"), help="what counts, and in which range (default: both)")
    add("--windows", choices=("engine", "paper"), help="engine (default), or paper: 24^3 LR voxels, overlap 0.625")
    add("--intensity", choices=("lr", "hr"), help="whose range becomes [0, 1] (default: as in training)")
    add("--ensemble", action="store_true", help="one more row per model: the mean over the eight mirror images")
    add("--projected", action="store_true", help="one more row per model: the measured frequencies put back")
    add("--device", help="auto (default), cpu, cuda or cuda:N")
    add("--precision", choices=("auto", "fp32", "bf16"), help="number format (default: auto)")
    add("--threads", type=int, help="CPU threads; on a machine with other work 1 is the quickest")
    add("--lpips", choices=(*CHECKPOINTS, "none"), help="its backbone (default: alex)")
    add("--lpips-stride", type=int, metavar="N", help="LPIPS looks at every N-th slice of each view (default: 1)")
    add("--inception", type=Path, metavar="FILE", help="weights of the FID Inception; without them no FID and no KID")
    add("--reference", metavar="METHOD", help="what the others are tested against (default: the last method)")
    add("--keep-volumes", action="store_true", help="write the SR volumes, float32 NIfTI")
    add("--figures", action=argparse.BooleanOptionalAction, help="draw Figure 2 (default: yes)")
    add("--report", action=argparse.BooleanOptionalAction, help="write report.html (default: yes)")
    add("--figure-volume", metavar="FILE", help="which volume, as the index names it (default: the first)")
    add(
        "--box",
        type=_box,
        metavar="R,A,S,SIDE",
        help="what is enlarged, mm: its centre toward the right, the front and the head, and its side (default: where "
        "the most detail is)",
    )
    return parser


def run(request: EvaluationRequest, command: str = "") -> None:
    """Evaluate what is asked for; ``command`` goes into the record.

    Raises:
        InputError: anything that a person can put right, told before the first volume where possible.
    """
    if request.threads:
        torch.set_num_threads(request.threads)
    with connected() as processes:
        plan, reference, notes = processes.together(lambda: _plan(request, processes))
        scoring = Scoring(plan, processes)
        scoring.run()
        record = _record(plan, request, [*scoring.evaluation.describe(), *notes], command)
        processes.first(lambda: _write(plan, record, reference, report=request.report))


def _plan(request: EvaluationRequest, processes: Processes) -> tuple[ScoringPlan, str, list[str]]:
    """Return what is to be done, the method that others are tested against, and lines that stand with the table."""
    plan = replace(request, device=processes.device(request.device)).plan()
    check_box(plan)
    on_training_data = request.fold is None and request.split == "train"
    notes = check_unseen(plan.methods, plan.index, plan.entries, allowed=on_training_data)
    return plan, _reference(request.reference, plan.methods), notes


def _write(plan: ScoringPlan, record: EvaluationRecord, reference: str, *, report: bool) -> None:
    write_record(plan.out, record)
    write_tables(plan.out, reference)
    figures = [*draw_figure(plan), *draw_boxes(plan)]
    if report:
        write_report(plan.out, reference, figures)
    print((plan.out / MARKDOWN).read_text("utf-8"))
    log.info("Results: %s", plan.out / MARKDOWN)


def _record(plan: ScoringPlan, request: EvaluationRequest, lines: Sequence[str], command: str) -> EvaluationRecord:
    subjects = {entry.subject for entry in plan.entries}
    part = request.split if request.fold is None else f"fold {request.fold}"
    modality = f", {request.modality}" if request.modality else ""
    lead = [
        (
            f"LR: HR degraded through k-space by {plan.scale} (head-foot, front-back, left-right), whole volume, on "
            "each method's own grid"
        ),
        "Methods of another grid have another LR",
        f"HR volumes: {plan.preparation}",
    ]
    return EvaluationRecord(
        dataset=plan.dataset,
        part=f"{part}{modality}, {counted(len(plan.entries), 'volume')} of {counted(len(subjects), 'subject')}",
        conventions=(*lead, *lines),
        methods={method.name: method.description for method in plan.methods},
        config=request.recorded(),
        command=command,
        versions={
            "SuperResolution3D": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        lr_nyquist=_lr_nyquist(plan),
    )


def _lr_nyquist(plan: ScoringPlan) -> float | None:
    """Return up to which frequency (cycles/mm) the LR volumes hold measurements; None if they or their axes differ."""
    spacing = plan.preparation.spacing
    fine = [tuple(reversed(spacing)) if spacing else entry.spacing for entry in plan.entries]
    coarse = [size * factor for sizes in fine for size, factor in zip(sizes, plan.scale, strict=True)]
    return 0.5 / coarse[0] if max(coarse) < SAME_SPACING * min(coarse) else None


def _reference(name: str | None, methods: Sequence[Method]) -> str:
    names = [method.name for method in methods]
    if name in (None, *names):
        return name or names[-1]
    raise InputError(f"--reference {name} is none of the methods {', '.join(names)}")


def _scale(text: str) -> Scale:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"wanted three whole numbers above 0 (D,H,W), such as 4,4,4, got {text!r}")
    depth, height, width = map(int, parts)
    return depth, height, width


def _preparation(text: str) -> PreparationConfig:
    try:
        return preset_preparation(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _box(text: str) -> ZoomBox:
    try:
        return ZoomBox.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
