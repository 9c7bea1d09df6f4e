"""Train and evaluate methods on every fold, and collect the paper's Table 1.

python Training/crossvalidate.py --index index.json --methods oasis-paper rcan.yaml --interpolations trilinear --out CV

Each part, one method on one fold, has its own folder, CV/parts/METHOD/fold-K. The same command continues after a stop
or a kill: a part that is done is skipped, a training goes on from its checkpoint, and a preset that was changed in
between is refused. In a SLURM array task N ($SLURM_ARRAY_TASK_ID) does part N of --list alone, and whoever finishes the
last part collects. Every training and evaluation is a process of its own, so one that fails leaves the others running.
Exit codes: 0 done, 1 a part failed, 2 bad input, 75 stopped before the end: start the same command again.
"""

import argparse
import logging
import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if __name__ == "__main__":  # before PyTorch is imported
    from SuperResolution3DLib.threads import prepare_threads

    prepare_threads()

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError
from Training import evaluate, train
from Training.command_record import without_folders
from Training.config import TrainConfig
from Training.cross_validation.child_process import SignalRelay
from Training.cross_validation.fold_collection import collect
from Training.cross_validation.parts import EVALUATION_FILE, TRAINING_FILE, Part
from Training.cross_validation.plan import Comparison, Plan, TrainedMethod, make_plan
from Training.evaluation.methods import INTERPOLATIONS
from Training.evaluation.request import EvaluationRequest
from Training.evaluation.volume_scores import Evaluation
from Training.exit_code import exit_code
from Training.folder_lock import locked
from Training.preset import parts_of

log = logging.getLogger(__name__)

EXIT_FAILED = 1
ARRAY_TASK = "SLURM_ARRAY_TASK_ID"
SCRIPTS = Path(__file__).resolve().parent
# What each part is told by the cross-validation: fields of the trainings, and options of the evaluations.
OWN_FIELDS = ("out", "config", "data.index", "data.fold")
OWN_OPTIONS = (
    *("config", "index", "out", "split", "fold", "modality", "model", "sr", "interpolations", "scale"),
    *("preparation", "reference", "figures", "report"),
)
PICTURE = ("figure-volume", "box")  # changes no score


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = sys.argv[1:] if arguments is None else arguments
    options = make_parser().parse_args(given)
    command = shlex.join(["python", "Training/crossvalidate.py", *without_folders(given)])
    return exit_code(lambda: run(options, command))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog="crossvalidate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", required=True, type=Path, help="index.json of prepare.py, splits.json beside it")
    parser.add_argument("--out", required=True, type=Path, help="folder of all parts and of the table")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=[],
        metavar="[NAME=]PRESET",
        help="a training preset each: a name of Training/presets, or a YAML file; NAME for the table: model.name",
    )
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="PRESET",
        help="preset that all methods begin with, and override; may be repeated",
    )
    parser.add_argument(
        "--interpolations",
        nargs="+",
        default=[],
        choices=("all", *INTERPOLATIONS),
        metavar="NAME",
        help=f"all, or some of {', '.join(INTERPOLATIONS)}",
    )
    parser.add_argument("--folds", nargs="+", default=["all"], metavar="K", help="all (default), or their numbers")
    parser.add_argument("--modality", help="only volumes whose modality begins with this; default: the presets' own")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="for every training, for example loop.devices=4"
    )
    parser.add_argument(
        "--evaluate",
        nargs="+",
        default=[],
        metavar="NAME[=VALUE]",
        help="for every evaluation: protocol=paper device=cuda",
    )
    parser.add_argument("--reference", metavar="METHOD", help="what the others are tested against; default: the last")
    parser.add_argument(
        "--weights",
        choices=("last", "best"),
        default="last",
        help="last (default): those after the last step; best: those with the best score on the very fold held out",
    )
    parser.add_argument(
        "--figures",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="when all is collected, draw Figure 2 of the first volume, or of --evaluate figure-volume=FILE, by the "
        "models of its fold",
    )
    parser.add_argument("--list", action="store_true", help="print the parts and how far they are, and do nothing")
    parser.add_argument("--collect", action="store_true", help="only collect the table from parts that are done")
    parser.add_argument("--array-task", type=int, metavar="N", help=f"do only part N of --list; default ${ARRAY_TASK}")
    parser.add_argument(
        "--launcher",
        default=shlex.quote(sys.executable),
        help="what runs train.py, for example 'srun python'; default: this Python",
    )
    parser.add_argument(
        "--in-process", action="store_true", help="no processes of their own: quicker for tiny runs, less robust"
    )
    return parser


def run(options: argparse.Namespace, command: str = "") -> int:
    """Do the chosen parts, then collect.

    Args:
        options: of ``make_parser``.
        command: goes into the record.

    Raises:
        InputError: anything that can be told before the first part begins, such as a changed preset.
    """
    if int(os.environ.get("SLURM_PROCID", "0")) > 0:
        raise InputError(
            "crossvalidate.py runs once per array task: start it without srun, and give --launcher 'srun python' when "
            "a training needs several tasks"
        )
    plan = make_plan(_comparison(options), command)
    for part in plan.parts:
        part.check()
    if options.list:
        for number, part in enumerate(plan.parts):
            print(f"{number}\t{part}\t{part.status}")
        return 0
    chosen = [] if options.collect else _chosen(plan, options.array_task)
    if any(not part.done for part in chosen):  # weights that are missing are told now, instead of after all trainings
        # A GPU is for the parts, in processes of their own.
        Evaluation(replace(chosen[0].evaluation.measures(), device="cpu"))
    failed: list[Part] = []
    with SignalRelay() as relay:
        for part in chosen:
            code = _do(part, options, relay)
            if relay.asked or code == train.EXIT_AGAIN:
                log.info("%s: stopped before its end; start the same command again", part)
                return train.EXIT_AGAIN
            if code:
                failed.append(part)
    return _finish(plan, failed, options)


def _comparison(options: argparse.Namespace) -> Comparison:
    """Return what the command line asks for.

    Raises:
        InputError: an option that each part gets from here, or a preset that cannot be used.
    """
    given = evaluate.read_options(evaluate.make_parser(), [f"--{option}" for option in options.evaluate])
    taken = [f"--evaluate {name}" for name in OWN_OPTIONS if name in given]
    taken += [f"--set {name}" for name in map(_name, options.set) if name in OWN_FIELDS]
    if taken:
        raise InputError(f"{', '.join(taken)}: that is for crossvalidate.py to say to each part")
    evaluation = EvaluationRequest(index=options.index, out=options.out, modality=options.modality or "", **given)
    return Comparison(
        trained=[_trained(chosen, options) for chosen in options.methods],
        interpolations=INTERPOLATIONS if "all" in options.interpolations else options.interpolations,
        evaluation=evaluation,
        measuring=[option for option in options.evaluate if _name(option) not in PICTURE],
        folds=options.folds,
        weights=options.weights,
        reference=options.reference,
        figures=options.figures,
    )


def _trained(chosen: str, options: argparse.Namespace) -> TrainedMethod:
    """Read a preset as train.py does, with NAME= in front of it if it shall stand in the table under another name."""
    label, _, preset = chosen.rpartition("=")
    modality = {} if options.modality is None else {"modality": options.modality}
    own = {"data": {"index": str(options.index), **modality}, "out": str(options.out)}
    parts = parts_of([*options.config, preset])
    try:
        config = train.read_config([*parts, own], [f"--{assignment}" for assignment in options.set])
    except InputError as error:
        raise InputError(f"{preset}: {error}") from error
    if options.in_process and config.loop.devices > 1:
        raise InputError(f"{preset}: loop.devices is {config.loop.devices}, which --in-process cannot start")
    if options.weights == "last" and "loop.validate_every" not in map(_name, options.set):
        # What is found before the end is not used; --set may ask for it all the same.
        config = replace(config, loop=replace(config.loop, validate_every=config.optimisation.steps))
    return TrainedMethod(label or config.model.name, config)


def _name(assignment: str) -> str:
    return assignment.partition("=")[0]


def _chosen(plan: Plan, task: int | None) -> Sequence[Part]:
    if task is None and ARRAY_TASK in os.environ:
        task = int(os.environ[ARRAY_TASK])
    if task is None:
        return plan.parts
    if not 0 <= task < len(plan.parts):
        raise InputError(f"There is no part {task}: the parts are 0 to {len(plan.parts) - 1} (see --list)")
    return [plan.parts[task]]


def _do(part: Part, options: argparse.Namespace, relay: SignalRelay) -> int:
    """Train and evaluate, as far as it is not done; return the exit code of what failed, or 0."""
    with locked(part.folder) as inherited:
        if part.done:
            log.info("%s: done before", part)
            return 0
        part.begin()
        if part.training is not None and not part.trained:
            log.info("%s: training", part)
            code = _train(part, part.training, options, relay, inherited)
            if code or relay.asked:
                return _told(part, "training", code)
            part.set_trained()
        log.info("%s: evaluation", part)
        code = _evaluate(part, options, relay, inherited)
        if code == 0:
            part.set_done()
        return _told(part, "evaluation", code)


def _train(
    part: Part, config: TrainConfig, options: argparse.Namespace, relay: SignalRelay, inherited: tuple[int, ...]
) -> int:
    told = f"--config={part.folder / TRAINING_FILE}"
    if options.in_process:
        return exit_code(lambda: train.run(config, train.recorded_command([told])))
    # A process of its own, which reads from the part's folder what it has to do: one that is killed or runs out of
    # memory leaves the others running, a signal reaches it, and the launcher may start several for one training.
    return relay.run([*shlex.split(options.launcher), str(SCRIPTS / "train.py"), told], inherited)


def _evaluate(part: Part, options: argparse.Namespace, relay: SignalRelay, inherited: tuple[int, ...]) -> int:
    told = f"--config={part.folder / EVALUATION_FILE}"
    if options.in_process:
        return exit_code(lambda: evaluate.run(part.evaluation, evaluate.recorded_command([told])))
    return relay.run([sys.executable, str(SCRIPTS / "evaluate.py"), told], inherited)


def _told(part: Part, what: str, code: int) -> int:
    if code < 0:
        log.error("%s: %s was ended by %s", part, what, signal.Signals(-code).name)
    elif code not in (0, train.EXIT_AGAIN):
        log.error("%s: %s failed with exit code %d", part, what, code)
    return code


def _finish(plan: Plan, failed: list[Part], options: argparse.Namespace) -> int:
    missing = [part for part in plan.parts if not part.done]
    if failed:
        log.error("%d of %d parts failed: %s", len(failed), len(plan.parts), "; ".join(map(str, failed)))
        return EXIT_FAILED
    if missing and options.collect:
        counts = Counter(part.method for part in missing)
        raise InputError(
            f"{len(missing)} of {len(plan.parts)} parts are not done: "
            + ", ".join(f"{count} of {method}" for method, count in counts.items())
        )
    if missing:
        log.info("%d of %d parts are still to be done; the last one collects the table", len(missing), len(plan.parts))
        return 0
    print(collect(plan).read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
