"""Several volumes in one process: each model is loaded once, every run has its report, a failure stops no other."""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from SuperResolution3DLib.cli.cancellation import Cancellation
from SuperResolution3DLib.cli.failure_report import forget_failure, write_failure
from SuperResolution3DLib.cli.progress import TerminalMonitor
from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.cli.super_resolve_job import Job, job_of
from SuperResolution3DLib.cli.worker import exit_code_of, run_job, summary
from SuperResolution3DLib.errors import ExitCode, InputError, OutputError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.volume import READ_EXTENSIONS, WRITE_EXTENSIONS

if TYPE_CHECKING:
    from SuperResolution3DLib.models.checkpoint import Model

FAILED: Final = 10  # the exit code is so much more than the number of failures, and no other exit code
MOST_TOLD: Final = 90  # failures
ENDING: Final = "-sr"  # of the results' names
DEFAULT_EXTENSION: Final = ".nii.gz"  # of results whose input has one that is only read, or is a folder
OF_ONE_VOLUME: Final = (
    "report",
    "zero_filled",
    "trust_map",
    "events",
    "series",
    "echo",
    "time_point",
    "stack",
)


def jobs_of(namespace: argparse.Namespace) -> list[Job]:
    """Make a job of each input; its result and its report get its name with ``-sr`` in the output folder.

    Raises:
        InputError: an option that is for one volume, a value that no run can use, no input at all in a folder that
            cannot be read, or two inputs whose results would have one name.
    """
    for name in OF_ONE_VOLUME:
        if getattr(namespace, name):
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} is for one volume: omit it, or give one INPUT and one OUTPUT")
    folder: Path = namespace.output_dir
    inputs = [volume for path in namespace.paths for volume in _volumes(path)]
    names = [_stem(path) for path in inputs]
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{count} inputs are called {name}: give each of them an --output-dir of its own")
    jobs = []
    for path, name in zip(inputs, names, strict=True):
        values: dict[str, Any] = vars(namespace) | {"paths": [path, folder / f"{name}{ENDING}{_extension(path)}"]}
        values["report"] = folder / f"{name}{ENDING}.json"
        jobs.append(job_of(argparse.Namespace(**values)))
    return jobs


def run_batch(jobs: list[Job], folder: Path) -> int:
    """Run jobs one after another, and return the exit code: 0, or 10 and the number of those that failed."""
    never_fail()
    loaded: dict[Path, Model] = {}
    failed = 0
    with Cancellation() as cancellation:
        monitor = TerminalMonitor(cancellation, len(jobs))
        code = exit_code_of(lambda: _make(folder), lambda sentence: monitor.tell(f"error: {sentence}"))
        if code != ExitCode.OK:
            return code
        for job in jobs:
            code = _run(job, monitor, loaded)
            if code == ExitCode.CANCELLED:
                monitor.close()
                return code
            failed += code != ExitCode.OK
        monitor.close()
        monitor.tell(f"{len(jobs) - failed} of {len(jobs)} volumes super-resolved")
    return FAILED + min(failed, MOST_TOLD) if failed else ExitCode.OK


def _run(job: Job, monitor: TerminalMonitor, loaded: "dict[Path, Model]") -> ExitCode:
    monitor.begin()
    failures: list[Sentence] = []

    def run() -> None:
        forget_failure(job)
        monitor.tell(summary(run_job(job, monitor, loaded)))

    def tell(sentence: Sentence) -> None:
        named = "" if _names(sentence, job.input) else f"{job.input}: "
        monitor.tell(f"error: {named}{sentence}")

    code = exit_code_of(run, failures.append)
    for sentence in failures:
        tell(sentence)
    if failures and code != ExitCode.CANCELLED:
        exit_code_of(lambda: write_failure(job, failures[0], code), tell)
    return code


def _names(sentence: Sentence, path: Path) -> bool:
    return re.search(rf"(?<!\S){re.escape(str(path))}(?!\S*\w)", str(sentence)) is not None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Folder {folder} cannot be made ({error.strerror}); choose another --output-dir") from error


def _volumes(path: Path) -> list[Path]:
    """Return the volume files of a folder but results of an earlier run; what holds none is an input itself, a file or
    a DICOM series.
    """
    try:
        files = sorted(file for file in path.iterdir() if file.name.lower().endswith(READ_EXTENSIONS))
        files = [file for file in files if not _is_result(file)]
    except NotADirectoryError:
        return [path]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    return files or [path]


def _is_result(file: Path) -> bool:
    """Tell whether a report beside a file says that a run like this one wrote it, where results go beside inputs."""
    name = _stem(file)
    try:
        told = json.loads(file.with_name(f"{name}.json").read_text("utf-8")) if name.endswith(ENDING) else None
    except (OSError, ValueError):  # none, or no JSON
        return False
    return isinstance(told, dict) and Path(str(told.get("output"))).name == file.name


def _stem(path: Path) -> str:
    return path.name[: -len(suffix)] if (suffix := _known(path, READ_EXTENSIONS)) else path.resolve().name


def _extension(path: Path) -> str:
    return _known(path, WRITE_EXTENSIONS) or DEFAULT_EXTENSION


def _known(path: Path, extensions: tuple[str, ...]) -> str:
    return max((end for end in extensions if path.name.lower().endswith(end)), key=len, default="")
