"""A picture of the patches whose detail is not the HR's: one slice, the HR and every method, boxes in red."""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.picture_file import save_figure
from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.metrics.scanning_rings import EDGE, VIEWS, RingPatch, scan_rings, suspicious
from SuperResolution3DLib.volumes.geometry import Scale
from Training.evaluation.methods import ModelMethod
from Training.evaluation.plan import ScoringPlan
from Training.reporting.checks import BOXES
from Training.reporting.failures_figure import failures_path, write_failures
from Training.reporting.plan_figure import figure_volumes

BASELINE = "zero-filled"  # is shown beside a model's worst patches
PANEL = 2.6  # inches
COLUMNS = 4
WINDOW_PERCENTILES = (0.5, 99.5)

log = logging.getLogger(__name__)


def draw_boxes(plan: ScoringPlan) -> list[Path]:
    """Draw the boxes of the volume that was chosen for Figure 2, and each model's worst patches for its page.

    Returns:
        The file of the boxes, if there is one.

    Raises:
        OutputError: the picture cannot be written.
    """
    entry = plan.figure_entry
    if entry is None or not plan.measures.checks:
        return []
    volumes = figure_volumes(plan, entry)
    path = plan.out / f"{BOXES}{re.sub(r'[^A-Za-z0-9._-]+', '-', plan.dataset)}.png"
    try:
        write_boxes(volumes.hr, volumes.methods, path, plan.scale, entry.modality)
        for model in [method.name for method in plan.methods if isinstance(method, ModelMethod) and not method.variant]:
            shown = {name: volumes.methods[name] for name in (BASELINE, model) if name in volumes.methods}
            write_failures(volumes.hr, shown, model, failures_path(plan.out, model), entry.modality)
    except VolumeError as error:
        log.warning("No picture of boxes: %s", error)
        return []
    return [path]


def write_boxes(hr: np.ndarray, enlarged: Mapping[str, np.ndarray], path: Path, scale: Scale, modality: str) -> None:
    """Draw the slice with the most boxes of all methods together, the middle one where there are none.

    Args:
        hr: (D, H, W), canonical.
        enlarged: (D, H, W) by method.
        path: .png or .svg; an existing file is replaced.
        scale: of the methods (D, H, W).
        modality: of the HR.

    Raises:
        VolumeError: the volume is too small to be scanned.
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    scans = {name: scan_rings(np.asarray(sr), hr, modality) for name, sr in enlarged.items()}
    boxes = {name: suspicious(patches, scale) for name, patches in scans.items()}
    view, number = _shown([box for found in boxes.values() for box in found], hr.shape)
    low, high = np.percentile(hr, WINDOW_PERCENTILES)
    panels: dict[str, np.ndarray] = {"HR": hr, **enlarged}
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure((columns * PANEL, rows * (PANEL + 0.3)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, (name, volume) in zip(axes, panels.items(), strict=False):
        ax.imshow(np.take(volume, number, VIEWS.index(view)), "gray", vmin=low, vmax=high, origin="lower")
        found = boxes.get(name, [])
        for box in found:
            if (box.view, box.number) == (view, number):
                row, column = box.corner
                ax.add_patch(Rectangle((column, row), EDGE, EDGE, fill=False, edgecolor="red", linewidth=1))
        count = "" if name == "HR" else f": {len(found)} of {len(scans[name])}"
        ax.set_title(f"{name}{count}", fontsize=8)
    save_figure(figure, path, 150, "white")


def _shown(boxes: list[RingPatch], shape: tuple[int, ...]) -> tuple[str, int]:
    if not boxes:
        return VIEWS[0], shape[0] // 2
    return Counter((box.view, box.number) for box in boxes).most_common(1)[0][0]
