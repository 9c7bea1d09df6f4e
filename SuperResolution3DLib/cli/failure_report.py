"""The report of a failed run, in the place of that of its result: a workflow can read there how each run ended."""

import json
from dataclasses import asdict
from typing import Final

from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.errors import ExitCode
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.result_files import ResultFiles

FAILED: Final = "failed"  # its status


def write_failure(job: Job, sentence: Sentence, code: ExitCode) -> None:
    """Write the report of a failure; that of a result which stands there from an earlier run is left as it is.

    Args:
        job: that failed.
        sentence: why there is no result.
        code: with which a process of this job alone would have ended.

    Raises:
        OutputError: it cannot be written.
    """
    if job.report is None or job.report.exists():
        return
    values = {"status": FAILED, "input": str(job.input), "exit_status": int(code), **asdict(sentence)}
    with ResultFiles([], [job.report]) as results:
        results.write_text(job.report, json.dumps(values, indent=2) + "\n")
        results.place()


def forget_failure(job: Job) -> None:
    """Remove the report of an earlier failure; that of a result stays."""
    if job.report is None:
        return
    try:
        values = json.loads(job.report.read_text("utf-8"))
    except (OSError, ValueError):  # not there, or not one of ours
        return
    if isinstance(values, dict) and values.get("status") == FAILED:
        job.report.unlink(missing_ok=True)
