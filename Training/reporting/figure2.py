"""Figure 2 of the paper: three views of an HR volume with a red box, and what each method makes of the box.

           HR, whole    LR   HR   Trilinear   ...   RRDB-GAN
    axial      [#]      [ ]  [ ]     [ ]      ...      [ ]       one window and one scale in mm for all small panels
    coronal    [#]      [ ]  [ ]     [ ]      ...      [ ]
    sagittal   [#]      [ ]  [ ]     [ ]      ...      [ ]
                        PSNR (dB)    26.6     ...     28.4       the best in bold

The LR is shown trilinear, on the HR's grid. The patient's right is on the left, anterior on the left of sagittal views.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from SuperResolution3DLib.cli.figure import VIEWS, FigureRow
from SuperResolution3DLib.cli.picture_file import round_length, save_figure
from SuperResolution3DLib.metrics.foreground import foreground_box
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from Training.evaluation.zoom_box import ZoomBox
from Training.reporting.figure_volumes import WINDOW_PERCENTILES, FigureVolumes
from Training.reporting.metric_rows import MetricRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RED = "#ff2d20"
FONT = "DejaVu Sans"  # comes with matplotlib, so that the picture is the same everywhere

# Inches
PANEL = 1.0  # one side of a small panel
WIDEST_VIEW = 1.35  # of a whole view
GAP, VIEW_GAP = 0.03, 0.1  # between small panels, and between the whole views and them
LEFT, RIGHT, EDGE = 0.2, 0.05, 0.05
LINE, SMALL_LINE = 0.15, 0.115
LETTER = 0.0445  # of the caption, on average

PIXELS_PER_INCH = 400  # about; the finest voxels of a small panel get whole pixels
LABEL_LETTERS = 14  # in a line above a panel
MARGIN = 0.04  # of the foreground, around it in the whole views
SCALE_BAR_SHARE = 0.4  # of a panel's width, at the most


@dataclass(frozen=True)
class FigureOptions:
    """How Figure 2 is drawn."""

    box: ZoomBox | None = None
    """what is enlarged; by default where the HR has the most detail"""
    metrics: Sequence[MetricRow] = ()
    caption: str = ""
    """a line in front of what is always told: slices, window, scale"""


def write_figure2(volumes: FigureVolumes, path: str | Path, options: FigureOptions | None = None) -> ZoomBox:
    """Draw Figure 2 for one volume and write it.

    Args:
        volumes: LR, HR and the methods' results.
        path: its ending is the format (.png, .pdf, .svg); an existing file is replaced.
        options: box, figures below the columns, caption.

    Returns:
        The box that is shown.

    Raises:
        GeometryError: the box reaches beyond the volume.
        VolumeError: the HR is constant or has voxels that are not finite.
        OutputError: no such picture format, or the file cannot be written.
    """
    options = options or FigureOptions()
    box = options.box or volumes.box()
    edges = box.edges(volumes.hr_row)
    field = _whole_field(volumes, edges)
    figure, wholes, rows = _new_figure(volumes, edges, field, _caption(volumes, box, options.caption), options.metrics)
    for number, (view, whole, panels) in enumerate(zip(VIEWS, wholes, rows, strict=True)):
        position = float(edges[view.normal].mean())
        _draw_slice(whole, volumes.hr_row, number, position, field, volumes.window)
        _draw_box(whole, edges[view.left], edges[view.up])
        _draw_letters(whole, number)
        _draw_scale_bar(whole)
        for panel, array in zip(panels, volumes.columns.values(), strict=True):
            _draw_slice(panel, FigureRow("", array, volumes.affine), number, position, edges, volumes.window)
    _draw_scale_bar(rows[0, 0])
    save_figure(figure, Path(path), figure.dpi, "white")
    return box


def _new_figure(
    volumes: FigureVolumes, edges: np.ndarray, field: np.ndarray, caption: str, metrics: Sequence[MetricRow]
) -> tuple["Figure", np.ndarray, np.ndarray]:
    """Arrange a row for each view and a column for each method, in whole pixels, and write what stands around them.

    Args:
        volumes: what will be drawn.
        edges: of the box, (3, 2) in mm.
        field: of the whole views, (3, 2) in mm.
        caption: below all.
        metrics: below the columns.

    Returns:
        The figure, the axes of the whole views (3,) and of the small panels (3, methods).
    """
    from matplotlib.figure import Figure

    voxels = float(np.ptp(edges[0])) / min(voxel_spacing(volumes.affine))
    dots = max(1, round(PIXELS_PER_INCH * PANEL / voxels)) * voxels / PANEL  # an inch
    names, field_mm = list(volumes.columns), np.ptp(field, axis=1)
    widest = max(min(WIDEST_VIEW, PANEL * field_mm[view.left] / field_mm[view.up]) for view in VIEWS)
    labels = [textwrap.wrap(name, LABEL_LETTERS) for name in names]
    lines = textwrap.wrap(caption, int((widest + VIEW_GAP + len(names) * (PANEL + GAP) - GAP) / LETTER))
    below, above = len(lines) * SMALL_LINE + len(metrics) * LINE + 4 * EDGE, max(map(len, labels)) * LINE + 2 * EDGE
    inches = (LEFT, widest, VIEW_GAP, PANEL, GAP, RIGHT, below, above)
    left, view, view_gap, panel, gap, right, bottom, top = np.rint(np.multiply(inches, dots))
    first = left + view + view_gap
    width, height = first + len(names) * (panel + gap) - gap + right, bottom + 3 * (panel + gap) - gap + top

    figure = Figure((width / dots, height / dots), dpi=dots, facecolor="white")
    place = {"bottom": bottom / height, "top": 1 - top / height, "hspace": gap / panel, "wspace": gap / panel}
    wholes = figure.add_gridspec(3, 1, left=left / width, right=(left + view) / width, **place).subplots(squeeze=False)
    grid = figure.add_gridspec(3, len(names), left=first / width, right=1 - right / width, **place)
    rows = grid.subplots(squeeze=False)
    for axes in figure.axes:
        axes.set(facecolor="black", xticks=[], yticks=[])
        axes.spines[:].set_visible(False)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        style = {"size": 8, "family": FONT, "ha": "center", "va": "center", **style}
        figure.text(x / width, y / height, text, **style)

    edge, line = EDGE * dots, LINE * dots
    for shown, whole in zip(VIEWS, wholes.flat, strict=True):
        write(left - edge, whole.get_position().intervaly.mean() * height, shown.name, ha="right", rotation=90)
    write(left + view / 2, height - top + edge, "HR, whole", va="bottom")
    for name, label, uppermost in zip(names, labels, rows[0], strict=True):
        x = uppermost.get_position().intervalx.mean() * width
        write(x, height - top + edge, "\n".join(label), va="bottom", linespacing=1.1)
        for under, metric in enumerate(metrics):
            y = bottom - edge - (under + 0.5) * line
            if name == "HR":
                write(x + panel / 2, y, metric.label, ha="right")
            elif name != "LR":
                write(x, y, metric.text(name), weight="bold" if name in metric.best else "normal")
    y = len(lines) * SMALL_LINE * dots + edge
    write(left, y, "\n".join(lines), ha="left", va="top", size=6, color="0.35", linespacing=1.35)
    return figure, wholes[:, 0], rows


def _whole_field(volumes: FigureVolumes, edges: np.ndarray) -> np.ndarray:
    """Return what the whole views show, (3, 2) in mm: the foreground with a margin, and all of the box."""
    row, spacing = volumes.hr_row, np.array(voxel_spacing(volumes.affine))
    box = foreground_box(volumes.hr)
    field = row.edges[:, :1] + np.array([(part.start, part.stop) for part in box]) * spacing[:, None]
    margin = MARGIN * np.ptp(field, axis=1).max()
    first = np.minimum(field[:, 0] - margin, edges[:, 0]).clip(row.edges[:, 0])
    last = np.maximum(field[:, 1] + margin, edges[:, 1]).clip(None, row.edges[:, 1])
    return np.stack([first, last], axis=1)


def _draw_slice(
    panel: "Axes", row: FigureRow, number: int, position: float, field: np.ndarray, window: tuple[float, float]
) -> None:
    """Draw the slice of a view through a position (mm) where its voxels lie, cut to a field (3, 2) in mm."""
    view = VIEWS[number]
    image = row.array.take(row.index(view.normal, position), axis=view.normal)  # (D, H), (D, W) or (H, W)
    extent = (*row.edges[view.left], *row.edges[view.up])
    panel.imshow(image, "gray", origin="lower", extent=extent, interpolation="antialiased")
    panel.images[0].set_clim(*window)
    panel.set_xlim(field[view.left, 1], field[view.left, 0])  # the first axis runs to the left
    panel.set_ylim(*field[view.up])


def _draw_box(panel: "Axes", left: np.ndarray, up: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    panel.add_patch(Rectangle((left[0], up[0]), np.ptp(left), np.ptp(up), fill=False, edgecolor=RED, linewidth=1))


def _draw_letters(panel: "Axes", number: int) -> None:
    """Name the left and the upper side of a whole view."""
    left, _, upper, _ = VIEWS[number].letters
    style: dict[str, Any] = {"transform": panel.transAxes, "color": "white", "size": 6, "path_effects": _outline()}
    panel.text(0.02, 0.5, left, ha="left", va="center", family=FONT, **style)
    panel.text(0.5, 0.98, upper, ha="center", va="top", family=FONT, **style)


def _draw_scale_bar(panel: "Axes") -> None:
    width_mm = float(abs(np.diff(panel.get_xlim())[0]))
    length = round_length(SCALE_BAR_SHARE * width_mm)
    start, y = 0.05, 0.06
    style: dict[str, Any] = {"transform": panel.transAxes, "color": "white", "path_effects": _outline()}
    ends = (start, start + length / width_mm)
    panel.plot(ends, (y, y), lw=1.5, solid_capstyle="butt", scalex=False, scaley=False, **style)
    label = f"{length:g} mm" if length >= 0.1 else f"{1000 * length:g} µm"
    panel.text(start, y + 0.025, label, ha="left", va="bottom", size=6, family=FONT, **style)


def _outline() -> list:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=1.2, foreground="black")]


def _caption(volumes: FigureVolumes, box: ZoomBox, caption: str) -> str:
    position = ", ".join(
        f"{letters[int(value < 0)]} {abs(value):.1f}"
        for letters, value in zip(("RL", "AP", "SI"), box.centre, strict=True)
    )
    low, high = (f"{value:.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}" for value in volumes.window)
    unit = " HU" if volumes.is_ct else " ({:g} to {:g} percentile of the HR's foreground)".format(*WINDOW_PERCENTILES)
    voxels = " x ".join(f"{length:.3g}" for length in reversed(voxel_spacing(volumes.affine)))
    return " ".join(
        filter(
            None,
            (
                caption,
                f"Red box: {box.side:.3g} mm, slices through its centre {position} mm; HR voxels {voxels} mm.",
                f"One window for all panels: {low} to {high}{unit}. LR interpolated trilinearly.",
                "The patient's right is on the left.",
            ),
        )
    )
