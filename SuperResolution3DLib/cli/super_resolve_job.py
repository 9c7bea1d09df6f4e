"""What the worker and those who start it agree on: a job as a command line, and events as lines."""

import argparse
import json
import math
import re
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.slice_arguments import add_stack_arguments
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.sliding_window import SMALLEST_WINDOW
from SuperResolution3DLib.models.choice import AUTO
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.box import Box, box_text
from SuperResolution3DLib.volumes.dicom.choice import add_choice_arguments

COMMAND = "super-resolve"
EVENTS_VERSION = 1
MODALITY = r"[A-Z][A-Z0-9]{0,15}"  # as DICOM writes it
OVERWRITE = "replace existing files; links are followed, devices and pipes are written into"
EVENTS = "print one JSON object a line for a program that listens; the end of its stdin, where that is a pipe, cancels"
DEFAULT_OVERLAP = 0.625  # of neighbouring windows, as published


@dataclass(frozen=True)
class Job:
    """One super-resolve run: what ``superres3d super-resolve`` is told."""

    input: Path
    """volume file, or folder with a DICOM series"""
    output: Path
    """volume file to be written; its extension chooses the format"""
    model: str = AUTO
    """name of an installed model or a model file; auto takes the best of those that fit the volume"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps"""
    precision: str = "auto"
    """auto, fp32 or bf16"""
    memory_limit: float | None = None
    """GiB on the device; None takes 80 % of what is free"""
    window: int | None = None
    """edge of the published sliding window in LR voxels; None runs the whole volume"""
    overlap: float | None = None
    """of neighbouring windows, in [0, 1); None is 0.625"""
    data_consistency: str = "check"
    """off, check or project"""
    zero_filled: Path | None = None
    """also write the zero-filled volume on the result's grid"""
    region: Box | None = None
    """LR voxels whose result is wanted, in the file's order (K, J, I)"""
    series: str | None = None
    """SeriesInstanceUID, where the input folder holds several series"""
    modality: str | None = None
    """DICOM modality of the input, such as MR or CT, where the file itself does not say it"""
    report: Path | None = None
    """also write the report as JSON"""
    events: bool = False
    """events on stdout instead of a progress bar"""
    overwrite: bool = False
    """replace existing files"""
    echo: int | None = None
    time_point: int | None = None
    stack: int | None = None
    """each of a DICOM series that holds several"""
    ensemble: bool = False
    """average the results on the eight mirror images of the volume"""
    slice_thickness: float | None = None
    """mm, for a model for thick slices; None: what the file says, else the slice spacing"""
    target_spacing: float | None = None
    """mm along the slice axis, for a model for thick slices; None: the pixel size, but 0.4 mm at least"""
    axis: str | None = None
    """slice axis in the file's order, K, J or I; None: that of the largest spacing"""
    trust_map: Path | None = None
    """also write where the estimate may be off; the result is then that of the ensemble"""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise InputError(Sentence("input-device", {"given": self.device}))
        if self.precision not in ("auto", "fp32", "bf16"):
            raise InputError(Sentence("input-precision", {"given": self.precision}))
        if self.data_consistency not in ("off", "check", "project"):
            raise InputError(Sentence("input-consistency", {"given": self.data_consistency}))
        if self.memory_limit is not None and not 0 < self.memory_limit < math.inf:
            raise InputError(Sentence("input-memory-limit", {"given": self.memory_limit}))
        if self.window is not None and self.window < SMALLEST_WINDOW:
            raise InputError(Sentence("input-window", {"smallest": SMALLEST_WINDOW, "given": self.window}))
        if self.overlap is not None and not 0 <= self.overlap < 1:
            raise InputError(Sentence("input-overlap", {"given": self.overlap}))
        if self.overlap is not None and self.window is None:
            raise InputError(Sentence("input-overlap-alone"))
        if self.modality is not None and not re.fullmatch(MODALITY, self.modality):
            raise InputError(Sentence("input-modality", {"given": self.modality}))
        if self.region is not None and self.data_consistency == "project":
            raise InputError(Sentence("input-project-region"))
        if self.region is not None and self.trust_map is not None:
            raise InputError(Sentence("input-trust-region"))

    def to_arguments(self) -> list[str]:
        """Return the command line without the program's name; parsed, it makes the same job again."""
        arguments = [COMMAND]
        for item in fields(self):
            value = getattr(self, item.name)
            option = f"--{item.name.replace('_', '-')}"
            if item.name in ("input", "output") or value == item.default:
                continue
            if item.name == "region":
                value = box_text(value)
            arguments.append(option if value is True else f"{option}={value}")
        return [*arguments, "--", str(self.input), str(self.output)]


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a job."""
    add = parser.add_argument
    add(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="INPUT OUTPUT: a volume (.nii, .nii.gz, .nrrd, .mha, .mgz) or DICOM series folder, and the volume "
        "to write, whose extension chooses the format; with --output-dir only inputs, also folders of volumes",
    )
    add("--output-dir", type=Path, metavar="DIR", help="write NAME-sr and NAME-sr.json here for each of several inputs")
    add(
        "--model",
        default=AUTO,
        metavar="auto|NAME|FILE",
        help="installed model or model file (default: auto, the one of the highest rank that fits the volume)",
    )
    add(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda[:N]|mps",
        help="where to compute (default: auto, a GPU if there is one)",
    )
    add(
        "--precision",
        default="auto",
        metavar="auto|fp32|bf16",
        help="number format (default: auto, 16 bits where faster)",
    )
    add(
        "--memory-limit", type=float, metavar="GIB", help="memory to use on the device (default: 80 %% of what is free)"
    )
    add("--window", type=int, metavar="N", help="sliding windows of N LR voxels, as published (default: no windows)")
    add("--overlap", type=float, metavar="F", help=f"of windows, from 0 to below 1 (default: {DEFAULT_OVERLAP})")
    add(
        "--data-consistency",
        default="check",
        metavar="off|check|project",
        help="compare the result, degraded again, with the measured input below its Nyquist frequency, or put the "
        "measured low frequencies back; says nothing of the detail above it (default: check)",
    )
    add(
        "--ensemble",
        action="store_true",
        help="average the results on the eight mirror images of the volume: a little better, eight times the time",
    )
    add_stack_arguments(parser)
    add(
        "--trust-map",
        type=Path,
        metavar="FILE",
        help="also write where the estimate may be off, on the result's grid: 100 and above marks the voxels; needs "
        "a model that was calibrated and its companion, and averages as --ensemble does",
    )
    add("--zero-filled", type=Path, metavar="FILE", help="also write the zero-filled volume, on the result's grid")
    add(
        "--region",
        type=parse_region,
        metavar="K0:K1,J0:J1,I0:I1",
        help="compute only these LR voxels: the file's slices K0 to before K1, rows J0 to before J1 and columns I0 to "
        "before I1, counted from 0",
    )
    add_choice_arguments(parser)
    add("--modality", metavar="MR|CT|...", help="DICOM modality of the input, where the file does not say it")
    add("--report", type=Path, metavar="FILE.json", help="also write how the result came about")
    add("--events", action="store_true", help=EVENTS)
    add("--overwrite", action="store_true", help=OVERWRITE)


def job_of(namespace: argparse.Namespace) -> Job:
    """Make a job of parsed arguments.

    Raises:
        InputError: a value that no run can use.
    """
    if len(namespace.paths) != 2:
        raise InputError("Give one INPUT and one OUTPUT, or any number of inputs with --output-dir DIR")
    given = dict(zip(("input", "output"), namespace.paths, strict=True))
    return Job(**{item.name: given.get(item.name) or getattr(namespace, item.name) for item in fields(Job)})


def parse_region(text: str) -> Box:
    """Read ``K0:K1,J0:J1,I0:I1``.

    Raises:
        argparse.ArgumentTypeError: not three pairs of whole numbers.
    """
    if not re.fullmatch(r"\d+:\d+,\d+:\d+,\d+:\d+", text):
        raise argparse.ArgumentTypeError(f"a region reads K0:K1,J0:J1,I0:I1 in whole numbers, not {text!r}")
    k, j, i = (slice(*map(int, part.split(":"))) for part in text.split(","))
    return k, j, i


# --- Events: one JSON object a line ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The first event."""

    pid: int
    """of the process that computes, whatever launcher stands before it"""
    version: int = EVENTS_VERSION


@dataclass(frozen=True)
class Progress:
    """Steps of a stage that are behind."""

    stage: str
    done: int
    total: int
    seconds_left: float | None
    """of the whole run; None while nothing is known"""


@dataclass(frozen=True)
class Done:
    """The last event of a run that wrote its result."""

    output: str
    report: Report | None
    """None: of a command that computes without a network"""


@dataclass(frozen=True)
class Failed(Sentence):
    """The last event of a run that wrote nothing."""


Event = Started | Progress | Warned | Done | Failed
_NAMES: dict[type[Any], str] = {
    Started: "started",
    Progress: "progress",
    Warned: "warning",
    Done: "done",
    Failed: "error",
}


def encode(event: Event) -> str:
    """Return an event as one line, without its end."""
    return json.dumps({"event": _NAMES[type(event)], **asdict(event)}, allow_nan=False)


def decode(line: str) -> Event | None:
    """Read a line; None for an event that this version does not know, and for what is no event."""
    try:
        values = json.loads(line)
        if not isinstance(values, dict):
            return None
        for kind, name in _NAMES.items():
            known = {item.name for item in fields(kind)}
            required = {item.name for item in fields(kind) if item.default is item.default_factory is MISSING}
            if values.get("event") == name and required <= values.keys():
                if kind in (Warned, Failed):
                    return kind.from_values(values)
                if kind is Done and values["report"] is not None:
                    values["report"] = Report.from_values(values["report"], "The report of the worker")
                return kind(**{key: values[key] for key in known & values.keys()})
    except (KeyError, TypeError, ValueError, InputError):
        return None
    return None
