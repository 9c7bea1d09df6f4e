"""What the evaluations of all folds say together: one folder that reads like that of a single evaluation."""

import shutil
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from SuperResolution3DLib.errors import InputError
from Training.cross_validation.parts import Part
from Training.cross_validation.plan import Plan
from Training.evaluation.picture_sets import PictureSets, merged
from Training.evaluation.provenance import VALIDATED
from Training.evaluation.results import (
    EvaluationRecord,
    MethodResult,
    VolumeResult,
    method_path,
    read_record,
    read_results,
    write_method_result,
    write_record,
    write_result,
)
from Training.folder_lock import locked
from Training.reporting.plan_figure import draw_figure
from Training.reporting.report import write_report
from Training.reporting.tables import MARKDOWN, counted, write_tables


def collect(plan: Plan) -> Path:
    """Collect the parts of a plan, all of which are done, and return the file of the table.

    Raises:
        InputError: a part's files are damaged, or a volume was scored in two folds.
        OutputError: the folder cannot be written.
    """
    with locked(plan.out):  # two array tasks may both find that they finished last
        results = [result for part in plan.parts for result in part_results(part)]
        _refuse_repetitions(results)
        for name in ("results", "methods"):  # of methods that are not in the plan any more
            shutil.rmtree(plan.out / name, ignore_errors=True)
        for result in results:
            write_result(plan.out, result)
        for method in plan.methods:
            _merge_slices(plan, method, results[0].dataset)
        write_record(plan.out, _record(plan, results))
        write_tables(plan.out, plan.reference)
        write_report(plan.out, plan.reference, _figures(plan) if plan.figures else [])
    return plan.out / MARKDOWN


def _refuse_repetitions(results: list[VolumeResult]) -> None:
    counts = Counter((result.method, result.file) for result in results)
    repeated = sorted(f"{method}: {file}" for (method, file), count in counts.items() if count > 1)
    if repeated:
        raise InputError(f"Volumes were scored in two folds: {', '.join(repeated)}")


def _figures(plan: Plan) -> list[Path]:
    """Draw Figure 2 of the chosen volume, or of the first, with the models that it was held out from."""
    wanted = plan.parts[0].evaluation.figure_volume
    fold = next(part.fold for part in plan.parts if wanted in (None, *(result.file for result in part_results(part))))
    requests = [part.evaluation for part in plan.parts if part.fold == fold]
    together = replace(
        requests[0],
        model=tuple(model for request in requests for model in request.model),
        interpolations=tuple(name for request in requests for name in request.interpolations),
        out=plan.out,
        figures=True,
    )
    return draw_figure(together.plan())


def part_results(part: Part) -> list[VolumeResult]:
    """Read the results of one part.

    Raises:
        InputError: there are none, or a file is damaged.
    """
    results = [result for result in read_results(part.evaluation.out) if result.method == part.method]
    if not results:
        raise InputError(f"{part}: no results in {part.evaluation.out}; delete {part.evaluation.out} and its part.json")
    return results


def _merge_slices(plan: Plan, method: str, dataset: str) -> None:
    """Merge what stands for all slices of a method (Frechet distance, FID, KID): it is no mean of the folds'."""
    paths = [method_path(part.evaluation.out, method, ".npz") for part in plan.parts if part.method == method]
    sets = merged([PictureSets.read(path) for path in paths if path.exists()])
    if not sets.taps:
        return
    sets.write(method_path(plan.out, method, ".npz"))
    write_method_result(plan.out, MethodResult(dataset, method, sets.figures(), tuple(sets.describe())))


def _record(plan: Plan, results: list[VolumeResult]) -> EvaluationRecord:
    records = [read_record(part.evaluation.out) for part in plan.parts]
    described: dict[str, list[str]] = defaultdict(list)
    for part, record in zip(plan.parts, records, strict=True):
        described[part.method].append(record.methods[part.method])
    volumes, subjects = {result.file for result in results}, {result.subject for result in results}
    folds = f"all {plan.num_folds} folds"
    if len(plan.folds) < plan.num_folds:
        folds = f"folds {', '.join(map(str, plan.folds))} of {plan.num_folds}"
    chosen = (
        "the weights after the last step, chosen without a look at the fold"
        if plan.weights == "last"
        else "the weights that scored best on the very fold that they are evaluated on"
    )
    lines = [line for record in records for line in record.conventions]
    how = (  # which says what a part says of the volumes that validated its training
        f"Cross-validation, {folds}, by subject: each volume is scored once, by a model that "
        f"was trained on the other folds; {chosen}"
    )
    return replace(
        records[0],
        part=f"{folds}, {counted(len(volumes), 'volume')} of {counted(len(subjects), 'subject')}",
        conventions=tuple(dict.fromkeys([how, *(line for line in lines if not line.endswith(VALIDATED))])),
        config=plan.parts[-1].evaluation.recorded() | {"weights": plan.weights},
        command=plan.command,
        versions={
            name: " and ".join(dict.fromkeys(record.versions.get(name, "none") for record in records))
            for name in records[0].versions
        },
        methods={method: _joined(list(dict.fromkeys(texts))) for method, texts in described.items()},
        lr_nyquist=records[0].lr_nyquist if len({record.lr_nyquist for record in records}) == 1 else None,
    )


def _joined(texts: list[str]) -> str:
    """Return texts that differ in their end, such as the sha256 of each fold's model, as one."""
    if len(texts) == 1:
        return texts[0]
    words = [text.split(" ") for text in texts]
    length = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))))
    return " ".join([*words[0][:length], ", ".join(" ".join(own[length:]) for own in words)])
