"""Figure 2 of an evaluation: its chosen volume, with what every method makes of it."""

import logging
import re
from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.figure import FigureRow
from SuperResolution3DLib.errors import readable
from SuperResolution3DLib.forward.interpolation import interpolate
from SuperResolution3DLib.volumes.box import box_start, whole
from SuperResolution3DLib.volumes.geometry import Grid, crop_affine
from Training.data.index import IndexEntry
from Training.evaluation.held_out import named
from Training.evaluation.method_scores import keep_for_figure
from Training.evaluation.plan import ScoringPlan
from Training.evaluation.results import read_result
from Training.reporting.figure2 import FigureOptions, write_figure2
from Training.reporting.figure_volumes import FigureVolumes
from Training.reporting.metric_rows import metric_rows
from Training.reporting.report import FIGURE

log = logging.getLogger(__name__)


def check_box(plan: ScoringPlan) -> None:
    """Make sure that the box that was asked for lies in the chosen volume.

    Raises:
        GeometryError: it reaches beyond it; both are told.
    """
    if plan.box is None or plan.figure_entry is None:
        return
    with named(plan.figure_entry):
        volume = plan.volume(plan.figure_entry)
        region = plan.regions.get(plan.figure_entry.file, whole(volume.scored.shape))
        affine = crop_affine(volume.scored_affine, box_start(region))
        plan.box.edges(FigureRow("the HR", volume.scored[region], affine))


def draw_figure(plan: ScoringPlan) -> list[Path]:
    """Draw Figure 2 of the chosen volume, its figures below the columns; return its file, if one was chosen.

    Raises:
        OutputError: the picture cannot be written.
    """
    entry = plan.figure_entry
    if entry is None:
        return []
    results = [read_result(plan.out, method.name, entry.file) for method in plan.methods]
    protocol = plan.measures.protocols[0]
    rows = metric_rows([result for result in results if result is not None], protocol)
    extent = "the part of the volume that every SR has" if entry.file in plan.regions else "the whole volume"
    caption = f"{plan.dataset}, {entry.subject}; figures of {extent}, protocol {protocol}."
    path = plan.out / f"{FIGURE}{re.sub(r'[^A-Za-z0-9._-]+', '-', plan.dataset)}.png"
    box = write_figure2(figure_volumes(plan, entry), path, FigureOptions(plan.box, rows, readable(caption)))
    log.info("Figure 2 of %s: box %s", entry.file, box)
    return [path]


def figure_volumes(plan: ScoringPlan, entry: IndexEntry) -> FigureVolumes:
    """Return one volume with what every method makes of it, read from what the scoring kept where there is any."""
    volume = plan.volume(entry)
    region = plan.regions.get(entry.file, whole(volume.scored.shape))
    enlarged: dict[str, np.ndarray] = {}
    for method in plan.methods:
        path = plan.figure_path(method)
        if entry != plan.figure_entry:
            enlarged[method.name] = volume.without_padding(method.enlarge(volume).sr)[region]
            continue
        if not path.exists():
            log.info("Figure 2: %s", method.name)
            keep_for_figure(path, volume.without_padding(method.enlarge(volume).sr))
        enlarged[method.name] = np.load(path, mmap_mode="r", allow_pickle=False)[region]
    grid: Grid = "center" if any(method.grid == "center" for method in plan.methods) else "corner"
    lr = volume.without_padding(interpolate(volume.lr(grid), volume.scale, grid, "trilinear"))
    affine = crop_affine(volume.scored_affine, box_start(region))
    return FigureVolumes(volume.scored[region], affine, lr[region], enlarged, entry.modality)
