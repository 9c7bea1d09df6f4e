"""Score models and interpolations on held-out volumes: the paper's Table 1 and Figure 2, on any data.

python Training/evaluate.py --index index.json --split test --modality "MR T1w" --interpolations all \
    --model rrdb-mr-brain-x4 GAN=run/best.safetensors --out EVALUATION

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

import numpy as np
import scipy
import torch

from SuperResolution3DLib import __version__
from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, SuperResolutionError, readable
from SuperResolution3DLib.inference.devices import choose_device
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS
from SuperResolution3DLib.volumes.geometry import Scale
from Training import evaluate_slices
from Training.command_record import without_folders
from Training.data.index import SPLITS, IndexEntry, read_index
from Training.evaluation.existing_volumes import common_regions, existing_volumes
from Training.evaluation.held_out import held_out_entries
from Training.evaluation.method_scores import Scoring, ScoringPlan
from Training.evaluation.methods import (
    INTERPOLATIONS,
    PAPER_OVERLAP,
    PAPER_WINDOW,
    InterpolationMethod,
    Method,
    check_methods,
    model_method,
)
from Training.evaluation.perceptual_metrics import CHECKPOINTS
from Training.evaluation.processes import Processes, connected
from Training.evaluation.provenance import check_unseen, common_preparation
from Training.evaluation.results import EvaluationRecord, write_record
from Training.evaluation.volume_scores import EvaluationConfig
from Training.evaluation.zoom_box import ZoomBox
from Training.reporting.plan_figure import check_box, draw_figure
from Training.reporting.report import write_report
from Training.reporting.tables import MARKDOWN, counted, write_tables
from Training.trainer.distributed import FailedElsewhereError

log = logging.getLogger(__name__)

SAME_SPACING = 1.01  # largest ratio of spacings that count as one


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = sys.argv[1:] if arguments is None else arguments
    if evaluate_slices.wanted(given):
        return evaluate_slices.main(given)
    options = make_parser().parse_args(given)
    try:
        run(options, shlex.join(["python", "Training/evaluate.py", *without_folders(given)]))
        return 0
    except FailedElsewhereError as error:
        return error.exit_code
    except SuperResolutionError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--index", required=True, type=Path, help="index.json of prepare.py")
    add("--out", required=True, type=Path, help="folder of the results")
    add("--split", choices=SPLITS, default="test", help="part of the index's own split (default: test)")
    add("--fold", type=int, metavar="K", help="the volumes that fold K of splits.json holds out, instead of a part")
    add("--modality", default="", help="only volumes whose modality begins so, for example 'MR T1w'")
    add("--dataset", help="the data set's name in the tables (default: that in the index)")
    add("--model", nargs="+", action="extend", default=[], metavar="[LABEL=]MODEL", help="model files, or names")
    add("--sr", nargs="+", action="extend", default=[], metavar="LABEL=FOLDER", help="SR volumes made elsewhere")
    add("--interpolations", nargs="+", action="extend", choices=("all", "none", *INTERPOLATIONS), metavar="NAME")
    add("--scale", type=_scale, metavar="D,H,W", help="default: that of the models, or 4,4,4")
    add("--preparation", type=Path, metavar="PRESET", help="YAML of train.py; default: as the models were trained")
    add("--protocol", choices=(*PROTOCOLS, "both"), default="both", help="what counts, and in which range")
    add("--windows", choices=("engine", "paper"), default="engine", help="paper: 24^3 LR voxels, overlap 0.625")
    add("--intensity", choices=("lr", "hr"), help="whose range becomes [0, 1] (default: as in training)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    add("--threads", type=int, default=0, help="CPU threads; on a machine with other work 1 is the quickest")
    add("--lpips", choices=(*CHECKPOINTS, "none"), default="alex", help="its backbone")
    add("--lpips-stride", type=int, default=1, metavar="N", help="LPIPS looks at every N-th slice of each view")
    add("--inception", type=Path, metavar="FILE", help="weights of the FID Inception; without them no FID and no KID")
    add("--reference", metavar="METHOD", help="what the others are tested against (default: the last method)")
    add("--keep-volumes", action="store_true", help="write the SR volumes, float32 NIfTI")
    add("--figures", action=argparse.BooleanOptionalAction, default=True, help="draw Figure 2")
    add("--report", action=argparse.BooleanOptionalAction, default=True, help="write report.html")
    add("--figure-volume", metavar="FILE", help="which volume, as the index names it (default: the first)")
    add("--box", type=_box, metavar="R,A,S,SIDE", help="what is enlarged, mm (default: where the most detail is)")
    return parser


def run(options: argparse.Namespace, command: str = "") -> None:
    """Evaluate by the options of ``make_parser``; ``command`` goes into the record.

    Raises:
        InputError: anything that a person can put right, told before the first volume where possible.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    with connected() as processes:
        plan, reference, notes = processes.together(lambda: _plan(options, processes))
        scoring = Scoring(plan, processes)
        scoring.run()
        record = _record(plan, options, [*scoring.evaluation.describe(), *notes], command)
        processes.first(lambda: _write(plan, record, reference, report=options.report))


def _plan(options: argparse.Namespace, processes: Processes) -> tuple[ScoringPlan, str, list[str]]:
    """Return what is to be done, the method that others are tested against, and lines that stand with the table."""
    own = argparse.Namespace(**vars(options) | {"device": processes.device(options.device)})
    plan = make_plan(own)
    on_training_data = options.fold is None and options.split == "train"
    notes = check_unseen(plan.methods, plan.index, plan.entries, allowed=on_training_data)
    return plan, _reference(options.reference, plan.methods), notes


def _write(plan: ScoringPlan, record: EvaluationRecord, reference: str, *, report: bool) -> None:
    write_record(plan.out, record)
    write_tables(plan.out, reference)
    figures = draw_figure(plan)
    if report:
        write_report(plan.out, reference, figures)
    print((plan.out / MARKDOWN).read_text("utf-8"))
    log.info("Results: %s", plan.out / MARKDOWN)


def make_plan(options: argparse.Namespace) -> ScoringPlan:
    """Return what the command line asks for, with everything refused that can be.

    Raises:
        InputError: no volumes, no methods, methods that do not go together, or an unknown volume for the figure.
        ModelError: a model that is not there, or damaged.
    """
    index = read_index(options.index)
    entries = held_out_entries(
        index, options.index.parent, split=options.split, fold=options.fold, modality=options.modality
    )
    methods = [*make_methods(options), *(existing_volumes(chosen, entries) for chosen in options.sr)]
    plan = ScoringPlan(
        index=index,
        dataset=readable(options.dataset or index.dataset),
        entries=entries,
        methods=methods,
        scale=check_methods(methods, options.scale),
        preparation=common_preparation(methods, options.preparation),
        measures=measures_of(options),
        out=options.out,
        figure_entry=_figure_entry(entries, options.figure_volume) if options.figures else None,
        box=options.box,
        keep_volumes=options.keep_volumes,
    )
    plan = replace(plan, regions=common_regions(plan))
    check_box(plan)
    return plan


def measures_of(options: argparse.Namespace) -> EvaluationConfig:
    """Return what is measured.

    Raises:
        InputError: a number that is none of its kind, or a device that is not there.
    """
    if options.lpips_stride < 1 or options.threads < 0:
        raise InputError(
            "--lpips-stride must be 1 or more, --threads not negative; got "
            f"{options.lpips_stride} and {options.threads}"
        )
    return EvaluationConfig(
        protocols=PROTOCOLS[::-1] if options.protocol == "both" else (options.protocol,),
        lpips=None if options.lpips == "none" else options.lpips,
        stride=options.lpips_stride,
        inception=options.inception,
        device=str(choose_device(options.device)),
    )


def make_methods(options: argparse.Namespace) -> list[Method]:
    """Return the rows of the table: interpolations, then models as they were given.

    Raises:
        ModelError: a model that is not there, or damaged.
    """
    names = options.interpolations or (["none"] if options.model else ["all"])
    chosen = [name for name in INTERPOLATIONS if name in names or "all" in names]
    paper = options.windows == "paper"
    settings = EngineSettings(
        options.device, options.precision, window=PAPER_WINDOW if paper else None, overlap=PAPER_OVERLAP
    )
    models = [
        model_method(name, settings, intensity_from=options.intensity, paper_windows=paper) for name in options.model
    ]
    return [*(InterpolationMethod(name) for name in chosen), *models]


def _record(plan: ScoringPlan, options: argparse.Namespace, lines: Sequence[str], command: str) -> EvaluationRecord:
    subjects = {entry.subject for entry in plan.entries}
    part = options.split if options.fold is None else f"fold {options.fold}"
    modality = f", {options.modality}" if options.modality else ""
    lead = [
        f"LR: HR degraded through k-space by {plan.scale} (D, H, W), whole volume, on each method's own grid",
        "Methods of another grid have another LR",
        f"HR volumes: {plan.preparation}",
    ]
    config = {name: _recorded(value) for name, value in vars(options).items() if value is not None}
    return EvaluationRecord(
        dataset=plan.dataset,
        part=f"{part}{modality}, {counted(len(plan.entries), 'volume')} of {counted(len(subjects), 'subject')}",
        conventions=(*lead, *lines),
        methods={method.name: method.description for method in plan.methods},
        config=config,
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


def _recorded(value: Any) -> Any:
    """Return the value of an option as a report shows it, without folders."""
    if isinstance(value, list):
        return without_folders(map(str, value))
    return value if isinstance(value, int | float) else without_folders([str(value)])[0]


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


def _figure_entry(entries: Sequence[IndexEntry], file: str | None) -> IndexEntry:
    for entry in entries:
        if file in (None, entry.file):
            return entry
    raise InputError(f"--figure-volume {file} is none of {', '.join(entry.file for entry in entries)}")


def _scale(text: str) -> Scale:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"wanted three whole numbers above 0 (D,H,W), such as 4,4,4, got {text!r}")
    depth, height, width = map(int, parts)
    return depth, height, width


def _box(text: str) -> ZoomBox:
    try:
        return ZoomBox.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
