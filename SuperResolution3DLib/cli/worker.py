"""Runs one job in a process of its own: checks what is cheap first, computes, and writes all results or none.

The command line and the extension for Slicer start the same code; they differ in who follows it.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from SuperResolution3DLib.advice import SMALLER_REGION
from SuperResolution3DLib.cli.cancellation import Cancellation
from SuperResolution3DLib.cli.progress import EventMonitor, TerminalMonitor, format_duration
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.standard_streams import never_fail, tolerant_stream
from SuperResolution3DLib.cli.super_resolve_job import DEFAULT_OVERLAP, Done, Failed, Job, Started
from SuperResolution3DLib.errors import (
    CancelledError,
    ExitCode,
    InputError,
    ModelError,
    SuperResolutionError,
    is_out_of_memory,
)
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.slice_stack import axis_in_file
from SuperResolution3DLib.models.choice import AUTO, Scan, choose
from SuperResolution3DLib.models.installed_models import find_model, usable_models
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes import nifti
from SuperResolution3DLib.volumes.box import Box, box_text
from SuperResolution3DLib.volumes.dicom.choice import choice_of
from SuperResolution3DLib.volumes.hounsfield import HounsfieldShares
from SuperResolution3DLib.volumes.output_place import temporary_folder
from SuperResolution3DLib.volumes.result_files import ResultFiles
from SuperResolution3DLib.volumes.volume import Volume, read_volume, written_extension

if TYPE_CHECKING:
    from SuperResolution3DLib.inference.settings import Settings
    from SuperResolution3DLib.models.checkpoint import Model


def run_job(job: Job, monitor: Monitor, loaded: "dict[Path, Model] | None" = None) -> Report:
    """Run a job and return its report; ``loaded`` keeps the models for the next ones.

    Raises:
        InputError: an input, a model or an output that cannot be used; nothing was computed.
        ResourceError: the result does not fit.
        CancelledError: the monitor said so; nothing was written.
    """
    results = ResultFiles(
        [job.output, job.zero_filled, job.trust_map], [job.report], [job.input], overwrite=job.overwrite
    )
    if job.model == AUTO:
        usable_models()  # there is one; which of them, the volume decides
    else:
        read_card(find_model(job.model))
    with results:
        _step(monitor, "read", 0, 2)
        volume = _with_modality(read_volume(job.input, choice_of(job), uneven_slices=True), job.modality)
        if job.region is not None:
            _check_region(job.region, volume)
        _step(monitor, "read", 1, 2)

        model_file = _choose_model(job, volume, monitor) if job.model == AUTO else find_model(job.model)
        card = read_card(model_file)
        companion_file = None
        if job.trust_map is not None:
            companion_file = find_model(TrustCalibration.required(card.trust, card.name).companion)
        # torch is imported from here on: what is wrong so far is told without waiting for it
        from SuperResolution3DLib.inference.super_resolve import result_bytes, super_resolve
        from SuperResolution3DLib.models.checkpoint import load_model

        settings = _settings(job)
        results.try_volumes(volume, result_bytes(volume, card, settings))
        model = (loaded or {}).get(model_file) or load_model(model_file)
        if loaded is not None:
            loaded[model_file] = model
        _step(monitor, "read", 2, 2)
        companion = None if companion_file is None else load_model(companion_file)
        result = super_resolve(
            volume, model, settings, monitor, with_zero_filled=job.zero_filled is not None, companion=companion
        )

        report = Report(
            **vars(result.report),
            input=str(job.input),
            output=str(job.output),
            zero_filled=None if job.zero_filled is None else str(job.zero_filled),
            trust_map=None if job.trust_map is None else str(job.trust_map),
            model_file=str(model_file),
        )
        text = report.to_json()
        _step(monitor, "write", 0, 3)
        results.write_volume(job.output, result.volume)
        _step(monitor, "write", 1, 3)
        if job.zero_filled is not None and result.zero_filled is not None:
            results.write_volume(job.zero_filled, result.zero_filled)
        if job.trust_map is not None and result.trust_map is not None:
            results.write_volume(job.trust_map, result.trust_map)
        _step(monitor, "write", 2, 3)
        if job.report is not None:
            results.write_text(job.report, text)
        _raise_if_cancelled(monitor)
        results.place()
    monitor.progress("write", 3, 3)
    return report


def run_process(job: Job) -> ExitCode:
    """Run a job as a process does: signals cancel it, and every end has its exit code."""
    never_fail()
    if job.events:
        return run_with_events(job.output, lambda monitor: run_job(job, monitor))
    return _run_for_a_person(job)


def run_with_events(output: Path, work: Callable[[Monitor], Report | None]) -> ExitCode:
    """Do work for a program that reads events: whatever way it ends, the last one tells.

    Args:
        output: the result that the last event names.
        work: is given who follows it, and returns its report if it has one.
    """
    with _alone_on(os.dup(1)) as stream, Cancellation() as cancellation:
        cancellation.watch_stdin()
        monitor = EventMonitor(stream, cancellation)
        monitor.send(Started(os.getpid()))

        def run() -> None:
            monitor.send(Done(str(output), work(monitor)))

        def fail(sentence: Sentence) -> None:
            print_error(sentence)
            monitor.send(Failed(**vars(sentence)))

        return exit_code_of(run, fail)


def exit_code_of(run: Callable[[], None], fail: Callable[[Sentence], None]) -> ExitCode:
    """Run and turn every end into an exit code.

    Args:
        run: the work.
        fail: is told the one sentence of an error; a bug's traceback goes to stderr.
    """
    try:
        run()
    except SuperResolutionError as error:
        fail(error.sentence)
        return error.exit_code
    except Exception as error:
        if is_out_of_memory(error):
            fail(Sentence("memory-full", {"advice": SMALLER_REGION}))
            return ExitCode.OUT_OF_MEMORY
        if isinstance(error, ImportError):
            fail(Sentence("input-library", {"reason": str(error)}))
            return ExitCode.BAD_INPUT
        if isinstance(error, OSError) and error.strerror:  # of the machine, in a place that nobody thought of
            values = {"file": str(error.filename or ""), "reason": error.strerror}
            fail(Sentence("input-system-file" if error.filename else "input-system", values))
            return ExitCode.BAD_INPUT
        traceback.print_exc()
        fail(Sentence("bug", {"error": f"{type(error).__name__}: {error}"}))
        return ExitCode.BUG
    return ExitCode.OK


def print_error(sentence: Sentence) -> None:
    """Tell a person what went wrong."""
    print(f"error: {sentence}", file=sys.stderr, flush=True)


def _run_for_a_person(job: Job) -> ExitCode:
    with Cancellation() as cancellation:
        monitor = TerminalMonitor(cancellation)

        def run() -> None:
            monitor.tell(f"super-resolving {job.input}")
            report = run_job(job, monitor)
            monitor.close()
            print(summary(report), file=sys.stderr)

        def fail(sentence: Sentence) -> None:
            monitor.close()
            print_error(sentence)

        return exit_code_of(run, fail)


@contextmanager
def _alone_on(stdout: int) -> Iterator[TextIO]:
    """Yield a stream to the process's stdout, and send what anybody else prints there, native libraries too, to stderr.

    before   1 -> stdout   2 -> stderr
    inside   1 -> stderr   2 -> stderr   ``stdout``, a copy of 1 -> stdout
    """
    stream = tolerant_stream(stdout, closes=True)
    sys.stdout.flush()
    os.dup2(2, 1)
    try:
        yield stream
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        stream.close()


def _with_modality(volume: Volume, modality: str | None) -> Volume:
    """Take over the modality that was told; a DICOM series that says another one is not the volume that was meant."""
    if modality is None:
        return volume
    if volume.modality not in ("", modality):
        raise InputError(Sentence("input-modality-of-series", {"given": modality, "found": volume.modality}))
    return replace(volume, modality=modality)


def _choose_model(job: Job, volume: Volume, monitor: Monitor) -> Path:
    """Return the file of the best model for a volume, and tell which it is and why."""
    like_ct = None if volume.modality else HounsfieldShares.of(volume.array).are_of_ct
    scan = Scan(volume.affine, volume.modality, job.axis or axis_in_file(volume), job.target_spacing, like_ct)
    choice = choose(scan, usable_models())
    if choice.best is None:
        others = () if choice.fitting else choice.others
        reasons = "; ".join(f"{model.card.name} is {reason}" for model, reason in others if model.card)
        values = {"choice": choice.sentence, "reasons": f" ({reasons})" if reasons else ""}
        raise ModelError(Sentence("model-none-fits", values))
    monitor.tell(str(choice.sentence))
    return choice.best.path


def _check_region(region: Box, volume: Volume) -> None:
    """Refuse a region that holds no voxel or reaches beyond the volume."""
    if any(not part.start < part.stop <= size for part, size in zip(region, volume.shape, strict=True)):
        shape = ",".join(str(size) for size in volume.shape)
        raise InputError(Sentence("input-region", {"region": box_text(region), "shape": shape}))


def _settings(job: Job) -> "Settings":
    from SuperResolution3DLib.inference.settings import Settings

    return Settings(
        device=job.device,
        precision=job.precision,
        memory_limit=job.memory_limit,
        window=job.window,
        overlap=DEFAULT_OVERLAP if job.overlap is None else job.overlap,
        data_consistency=job.data_consistency,
        region=job.region,
        ensemble=job.ensemble,
        slice_thickness=job.slice_thickness,
        target_spacing=job.target_spacing,
        slice_axis=job.axis,
        scratch=_scratch(job),
    )


def _scratch(job: Job) -> Path | None:
    """Return the folder beside whose files a result may lie that main memory does not hold.

    None: a trust map is made in memory, and the other formats are written from there.
    """
    volumes = [path for path in (job.output, job.zero_filled) if path is not None]
    if job.trust_map is not None or any(written_extension(path) not in nifti.EXTENSIONS for path in volumes):
        return None
    return temporary_folder(job.output)


def _step(monitor: Monitor, stage: str, done: int, total: int) -> None:
    _raise_if_cancelled(monitor)
    monitor.progress(stage, done, total)


def _raise_if_cancelled(monitor: Monitor) -> None:
    if monitor.is_cancelled():
        raise CancelledError(Sentence("cancelled"))


def summary(report: Report) -> str:
    """Say what was written and how far it agrees with the input; of thick slices also what they were taken for."""
    residual = report.data_consistency.residual_rms_percent
    agreement = "" if residual is None else f"; agrees with the scan to {residual:.2g} % at the measured frequencies"
    if agreement and report.slices is not None:
        agreement = f"; agrees with the measured slices to {residual:.2g} %"
    if agreement and report.data_consistency.projected:
        left = report.slices and report.slices.left_percent
        agreement += ", which were then put back" + (f" to within {left:.2g} %" if left is not None else "")
    if agreement and report.data_consistency.model_dependent:
        agreement += " (model-dependent)"
    duration = format_duration(report.seconds)
    more = "".join(f"\n{line}" for line in (report.slices and report.slices.sentence, report.trust) if line)
    return f"wrote {report.output}: {report.output_grid} with {report.model} in {duration}{agreement}{more}"
