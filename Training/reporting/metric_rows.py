"""The lines of figures below the columns of Figure 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from SuperResolution3DLib.metrics.evaluation_protocols import Protocol
from Training.evaluation.results import VolumeResult
from Training.reporting.tables import QUALITY, Column, best_methods

SHOWN = ("psnr", "ssim", "lpips")


@dataclass(frozen=True)
class MetricRow:
    """One metric of all methods on one volume."""

    column: Column
    values: Mapping[str, float]
    """by method; those that are missing stay empty"""

    @property
    def label(self) -> str:
        return self.column.title

    @property
    def best(self) -> set[str]:
        """The methods whose figure, as it is printed, is the best; empty where there is nothing to compare."""
        return best_methods(self.column, dict(self.values))

    def text(self, method: str) -> str:
        """Return a method's figure as it is printed."""
        return f"{self.values[method]:.{self.column.decimals}f}" if method in self.values else ""


def metric_rows(results: Sequence[VolumeResult], protocol: Protocol) -> tuple[MetricRow, ...]:
    """Return PSNR, SSIM and LPIPS under a protocol, as far as they were measured.

    Args:
        results: of one volume, one for each method.
        protocol: "foreground" or "paper".

    Raises:
        ValueError: results of several volumes.
    """
    files = {(result.dataset, result.file) for result in results}
    if len(files) > 1:
        raise ValueError(f"Figure 2 shows one volume, the results are of {len(files)}")
    columns = {column.metric: column for column in QUALITY}
    rows = []
    for name in SHOWN:
        metric = f"{protocol}/{name}"
        values = {result.method: result.metrics[metric] for result in results if metric in result.metrics}
        if values:
            rows.append(MetricRow(columns[name], values))
    return tuple(rows)
