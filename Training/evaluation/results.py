"""What an evaluation leaves in its folder: one small file per volume and method, read by tables, report and folds.

OUT/results/METHOD/VOLUME.json   one VolumeResult: finished, not computed again
OUT/methods/METHOD.json          one MethodResult: figures of all volumes together (Frechet distance, FID, KID)
OUT/methods/METHOD.npz           the slice statistics behind it (PictureSets), to go on from and to merge folds
OUT/evaluation.json              one EvaluationRecord: conventions, methods, configuration, command, versions
"""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from SuperResolution3DLib.errors import UNREADABLE, InputError
from Training.whole_file import whole_file

FREQUENCY, CORRELATION = "fsc_frequency", "fsc_correlation"  # curves: cycles/mm, and -1 to 1
NAME_LENGTH = 60  # characters of a file's name that are kept for people to read

Kept = TypeVar("Kept", "VolumeResult", "MethodResult")


@dataclass(frozen=True)
class VolumeResult:
    """What was measured on one volume that one method made."""

    dataset: str
    subject: str
    file: str
    """below the index's root"""
    method: str
    metrics: dict[str, float]
    """by name: ``paper/psnr``, ``foreground/lpips``, ``fsc_0.5`` ... (``Training.evaluation.volume_scores``)"""
    curves: dict[str, list[float]] = field(default_factory=dict)
    """``fsc_frequency`` (cycles/mm) and ``fsc_correlation`` of the Fourier shell correlation"""
    seconds: float = 0.0
    """that the method took, without measuring"""
    notes: tuple[str, ...] = ()
    """what a reader of the table must know of this volume: cropped, tiled, slices skipped ..."""
    key: str = ""
    """of the file's content, the method and the settings; a result of another key is computed again"""


@dataclass(frozen=True)
class MethodResult:
    """What was measured on all volumes of a method together: one number each, without spread."""

    dataset: str
    method: str
    metrics: dict[str, float]
    """by name: ``paper/FID (2048 features)``, ``foreground/Frechet distance, AlexNet relu5`` ..."""
    notes: tuple[str, ...] = ()
    """number of slices and of volumes of each"""


@dataclass(frozen=True)
class EvaluationRecord:
    """What a table is worth nothing without."""

    dataset: str
    part: str
    """for example: test, MR T1w, 4 volumes of 4 subjects"""
    conventions: tuple[str, ...]
    """lines that stand with every table"""
    methods: dict[str, str]
    """by name in the table's order: what it is, on which grid, which file (sha256)"""
    config: dict[str, Any]
    command: str
    versions: dict[str, str]
    lr_nyquist: float | None = None
    """cycles/mm, up to where the LR volumes hold measurements; None where they, or their axes, differ"""


def read_results(folder: Path) -> list[VolumeResult]:
    """Read the results of the volumes below an evaluation's folder, in order of method and file.

    Raises:
        InputError: a file is damaged.
    """
    results = [_read(path, VolumeResult) for path in sorted((folder / "results").glob("*/*.json"))]
    return sorted(results, key=lambda result: (result.dataset, result.method, result.file))


def read_result(folder: Path, method: str, file: str) -> VolumeResult | None:
    """Read one volume's result; None if there is none.

    Raises:
        InputError: the file is damaged.
    """
    path = result_path(folder, method, file)
    return _read(path, VolumeResult) if path.exists() else None


def write_result(folder: Path, result: VolumeResult) -> None:
    """Write one volume's result, which has its final name only when it is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    _write(result_path(folder, result.method, result.file), asdict(result))


def read_method_results(folder: Path) -> list[MethodResult]:
    """Read the figures of whole methods.

    Raises:
        InputError: a file is damaged.
    """
    return [_read(path, MethodResult) for path in sorted((folder / "methods").glob("*.json"))]


def write_method_result(folder: Path, result: MethodResult) -> None:
    """Write the figures of a whole method.

    Raises:
        OutputError: the file cannot be written.
    """
    _write(method_path(folder, result.method, ".json"), asdict(result))


def read_record(folder: Path) -> EvaluationRecord:
    """Read what an evaluation was.

    Raises:
        InputError: there is none, or it is damaged.
    """
    values = _json(folder / "evaluation.json")
    try:
        return EvaluationRecord(**(values | {"conventions": tuple(values["conventions"])}))
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / 'evaluation.json'} is no record of an evaluation: {error}") from error


def read_evaluation(folder: Path) -> tuple[EvaluationRecord, list[VolumeResult], list[MethodResult]]:
    """Read all that an evaluation left of the methods in its record: the record, the rows in its order, and the sets.

    Raises:
        InputError: a file is missing or damaged.
    """
    record = read_record(folder)
    order = list(record.methods)
    results = [result for result in read_results(folder) if result.method in order]
    results.sort(key=lambda result: (result.dataset, order.index(result.method), result.file))
    return record, results, [result for result in read_method_results(folder) if result.method in order]


def write_record(folder: Path, record: EvaluationRecord) -> None:
    """Write what an evaluation was.

    Raises:
        OutputError: the file cannot be written.
    """
    _write(folder / "evaluation.json", asdict(record))


def write_csv(path: Path, results: Sequence[VolumeResult]) -> None:
    """Write a line per volume and method, with every figure of any of them.

    Raises:
        OutputError: the file cannot be written.
    """
    metrics = list(dict.fromkeys(name for result in results for name in result.metrics))
    with (
        whole_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors=UNREADABLE) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["dataset", "subject", "file", "method", *metrics, "seconds", "notes"])
        for result in results:
            values = [result.metrics.get(name, "") for name in metrics]
            head = [result.dataset, result.subject, result.file, result.method]
            writer.writerow([*head, *values, round(result.seconds, 3), "; ".join(result.notes)])


def result_key(**parts: Any) -> str:
    """Return the sha256 of all that a result depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def result_path(folder: Path, method: str, file: str) -> Path:
    """Return where the result of one volume lies."""
    return folder / "results" / _file_name(method) / f"{_file_name(file)}.json"


def method_path(folder: Path, method: str, suffix: str) -> Path:
    """Return where the figures (``.json``) or the slice statistics (``.npz``) of a whole method lie."""
    return folder / "methods" / f"{_file_name(method)}{suffix}"


def kept_path(folder: Path, method: str, file: str) -> Path:
    """Return where the SR volume of one volume is written, if all of them shall be kept."""
    return folder / "volumes" / _file_name(method) / f"{_file_name(file)}.nii.gz"


def subjects_of(results: Iterable[VolumeResult]) -> list[str]:
    """Return the subjects in order of their names."""
    return sorted({result.subject for result in results})


def _file_name(text: str) -> str:
    """Return a name for a file that a person can read, and that no other text has."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', text).strip('-.')[:NAME_LENGTH]}-{digest}"


def _read(path: Path, kind: type[Kept]) -> Kept:
    values = _json(path)
    try:
        return kind(**(values | {"notes": tuple(values["notes"])}))
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is no {kind.__name__}: {error}; delete it to compute it again") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); delete it to compute it again") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no JSON object; delete it to compute it again")
    return values


def _write(path: Path, values: dict[str, Any]) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", "utf-8")
