"""What an evaluation on simulated thick slices left in its folder, as a model's page tells it."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError

METRICS, RESULTS = "metrics.json", "results.csv"
BASELINE = "consistent"


@dataclass(frozen=True)
class SliceResults:
    """The figures of all methods, and where a model gained least."""

    protocol: str
    """how slices were simulated, and what counts"""
    volumes: int
    """that were scored"""
    means: dict[str, dict[str, float]]
    """of each method, by metric"""
    least: str
    """the least gain of the model over consistent interpolation, and where"""


def read_slice_results(folder: Path, model: str) -> SliceResults:
    """Read the folder of an evaluation on simulated slices.

    Args:
        folder: with metrics.json and results.csv.
        model: name of the method that the page is about.

    Raises:
        InputError: it is no such folder, or has no row of the model.
    """
    try:
        metrics: dict[str, Any] = json.loads((folder / METRICS).read_text("utf-8"))
        with (folder / RESULTS).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        means, volumes = dict(metrics["mean"]), len(metrics["volumes"])
        protocol = str(metrics["protocol"])
        psnr = {(*_scan(row), row["method"]): float(row["psnr"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no folder of an evaluation on simulated slices ({error!r})") from error
    if model not in means:
        raise InputError(f"{folder} has no row {model}, only {', '.join(means)}")
    gains = {key[:-1]: value - psnr[*key[:-1], BASELINE] for key, value in psnr.items() if key[-1] == model}
    worst = min(gains, key=gains.__getitem__)
    file, plane, spacing, gap = worst
    where = f"{file}, {plane} slices every {float(spacing):g} mm, gap {float(gap):.0%}"
    return SliceResults(protocol, volumes, means, f"{gains[worst]:+.2f} dB on {where}")


def _scan(row: dict[str, str]) -> tuple[str, str, str, str]:
    return row["file"], row["plane"], row["spacing"], row["gap"]
