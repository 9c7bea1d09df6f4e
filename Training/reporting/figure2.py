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
    layout = _Layout(volumes, edges, options, _caption(volumes, box, options.caption))
    figure = layout.new_figure()
    for number, view in enumerate(VIEWS):
        position = float(edges[view.normal].mean())
        whole = layout.add_whole_view(figure, number)
        _draw_slice(whole, volumes.hr_row, number, position, layout.whole_field, volumes.window)
        _draw_box(whole, edges[view.left], edges[view.up])
        _draw_letters(whole, number)
        _draw_scale_bar(whole)
        for column, array in enumerate(volumes.columns.values()):
            panel = layout.add_panel(figure, number, column)
            _draw_slice(panel, FigureRow("", array, volumes.affine), number, position, edges, volumes.window)
            if number == column == 0:
                _draw_scale_bar(panel)
    layout.add_text(figure, options.metrics)
    save_figure(figure, Path(path), layout.dots_per_inch, "white")
    return box


class _Layout:
    """Where the panels stand, in whole pixels from the lower left corner."""

    def __init__(self, volumes: FigureVolumes, edges: np.ndarray, options: FigureOptions, caption: str) -> None:
        """Arrange a row for each view and a column for each method around a box (3, 2) in mm."""
        voxels = float(np.ptp(edges[0])) / min(voxel_spacing(volumes.affine))
        self.dots_per_inch = max(1, round(PIXELS_PER_INCH * PANEL / voxels)) * voxels / PANEL
        self.panel, gap = self.pixels(PANEL), self.pixels(GAP)

        self.whole_field = _whole_field(volumes, edges)
        field_mm = np.ptp(self.whole_field, axis=1)
        fitted = [_fit(field_mm[view.left], field_mm[view.up]) for view in VIEWS]
        self.view_sizes = [(self.pixels(width), self.pixels(height)) for width, height in fitted]
        self.view_width = max(width for width, _ in self.view_sizes)

        self.names = tuple(volumes.columns)
        first = self.pixels(LEFT) + self.view_width + self.pixels(VIEW_GAP)
        self.starts_x = [first + column * (self.panel + gap) for column in range(len(self.names))]
        self.width = self.starts_x[-1] + self.panel + self.pixels(RIGHT)

        inches = self.width / self.dots_per_inch
        self.caption = textwrap.wrap(caption, int((inches - LEFT - RIGHT) / LETTER))
        self.caption_height = len(self.caption) * SMALL_LINE + 2 * EDGE
        bottom = self.pixels(self.caption_height + len(options.metrics) * LINE + 2 * EDGE)
        self.starts_y = [bottom + (len(VIEWS) - 1 - number) * (self.panel + gap) for number in range(len(VIEWS))]
        self.labels = {name: textwrap.wrap(name, LABEL_LETTERS) for name in self.names}
        top = max(len(lines) for lines in self.labels.values()) * LINE + 2 * EDGE
        self.height = self.starts_y[0] + self.panel + self.pixels(top)

    def pixels(self, inches: float) -> int:
        return round(inches * self.dots_per_inch)

    def new_figure(self) -> "Figure":
        from matplotlib.figure import Figure

        inches = (self.width / self.dots_per_inch, self.height / self.dots_per_inch)
        return Figure(figsize=inches, dpi=self.dots_per_inch, facecolor="white")

    def add_whole_view(self, figure: "Figure", number: int) -> "Axes":
        width, height = self.view_sizes[number]
        x = self.pixels(LEFT) + (self.view_width - width) // 2
        return self._add_axes(figure, x, self.starts_y[number] + (self.panel - height) // 2, width, height)

    def add_panel(self, figure: "Figure", number: int, column: int) -> "Axes":
        return self._add_axes(figure, self.starts_x[column], self.starts_y[number], self.panel, self.panel)

    def _add_axes(self, figure: "Figure", x: int, y: int, width: int, height: int) -> "Axes":
        place = (x / self.width, y / self.height, width / self.width, height / self.height)
        axes = figure.add_axes(place, facecolor="black")
        axes.set_axis_off()
        axes.add_artist(axes.patch)  # set_axis_off hides the background, which shows where a volume ends
        axes.patch.set_zorder(-1)
        return axes

    def add_text(self, figure: "Figure", metrics: Sequence[MetricRow]) -> None:
        """Write the names of views and methods, the figures below the columns, and the caption."""

        def write(x: float, y: float, text: str, **style: Any) -> None:
            figure.text(x / self.width, y / self.height, text, **{"size": 8, "family": FONT, **style})

        for view, y in zip(VIEWS, self.starts_y, strict=True):
            x = self.pixels(LEFT) - self.pixels(EDGE)
            write(x, y + self.panel / 2, view.name, ha="right", va="center", rotation=90)
        above = self.starts_y[0] + self.panel + self.pixels(EDGE)
        for name, x in zip(self.names, self.starts_x, strict=True):
            write(x + self.panel / 2, above, "\n".join(self.labels[name]), ha="center", va="bottom", linespacing=1.1)
        write(self.pixels(LEFT) + self.view_width / 2, above, "HR, whole", ha="center", va="bottom")
        for number, metric in enumerate(metrics):
            y = self.starts_y[-1] - self.pixels(EDGE + (number + 0.5) * LINE)
            write(self.starts_x[1] + self.panel, y, metric.label, ha="right", va="center")
            for name, x in zip(self.names[2:], self.starts_x[2:], strict=True):
                weight = "bold" if name in metric.best else "normal"
                write(x + self.panel / 2, y, metric.text(name), ha="center", va="center", weight=weight)
        y = self.pixels(self.caption_height - EDGE)
        style: dict[str, Any] = {"va": "top", "size": 6, "color": "0.35", "linespacing": 1.35}
        write(self.pixels(LEFT), y, "\n".join(self.caption), **style)


def _fit(width_mm: float, height_mm: float) -> tuple[float, float]:
    """Return the inches of a whole view, as large as its place allows."""
    inches_per_mm = min(PANEL / height_mm, WIDEST_VIEW / width_mm)
    return width_mm * inches_per_mm, height_mm * inches_per_mm


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
    panel.imshow(image, "gray", origin="lower", extent=extent, aspect="auto", interpolation="antialiased")
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
