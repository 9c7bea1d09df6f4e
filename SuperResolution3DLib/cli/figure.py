"""The comparison picture: LR, SR and HR in rows, axial, coronal and sagittal slices through one point in columns.

All panels share one scale in millimetres, one window and one field of view. The patient's right is on the left of axial
and coronal panels, anterior on the left of sagittal ones, as radiologists look at them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from SuperResolution3DLib.cli.picture_file import round_length, save_figure
from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.metrics.foreground import foreground_box
from SuperResolution3DLib.volumes.geometry import voxel_spacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW_PERCENTILES = (0.5, 99.5)
SAMPLED_VOXELS = 4_000_000  # at the most so many are looked at for the window and the point
LARGEST_ANGLE = 1.0  # degrees that two rows may be rotated against each other

PANELS_INCHES = 10.0  # width of the three panels together
FEWEST_PIXELS, MOST_PIXELS = 1500, 5000  # of that width
LEFT, RIGHT, TOP, BOTTOM, GAP = 1.45, 0.1, 0.4, 0.35, 0.06  # inches around and between the panels
TITLE_INCHES = 0.35
SCALE_BAR_SHARE = 0.3  # of the panel's width, at the most


@dataclass(frozen=True, eq=False)
class FigureRow:
    """One volume of the picture."""

    label: str
    """LR, SR, HR or the name of a method"""

    array: np.ndarray
    """(D, H, W), canonical, any unit"""

    affine: np.ndarray
    """(4, 4), maps voxel (I, J, K, 1) to RAS mm"""

    metrics: str = ""
    """Text below the label, such as "PSNR 26.6 dB"; may have several lines"""

    @cached_property
    def edges(self) -> np.ndarray:
        """Where the volume begins and ends along its own axes D, H and W: (3, 2) in mm."""
        spacing = np.array(voxel_spacing(self.affine))
        first = self.directions @ self.affine[:3, 3] - spacing / 2
        return np.stack([first, first + spacing * self.array.shape], axis=1)

    @property
    def directions(self) -> np.ndarray:
        """The unit vectors of the axes D, H and W: (3, 3), one a row, in RAS."""
        columns = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return columns.T[::-1]

    def index(self, axis: int, position: float) -> int:
        """Return the voxel along D, H or W that holds a position in mm."""
        first, last = self.edges[axis]
        size = self.array.shape[axis]
        return int(np.clip(np.floor((position - first) / (last - first) * size), 0, size - 1))


class _View(NamedTuple):
    name: str
    normal: int  # axis (D, H, W) across the slice
    up: int  # axis that runs upwards
    left: int  # axis that runs to the left
    letters: tuple[str, str, str, str]  # at the left, right, upper and lower edge


VIEWS = (
    _View("Axial", normal=0, up=1, left=2, letters=("R", "L", "A", "P")),
    _View("Coronal", normal=1, up=0, left=2, letters=("R", "L", "S", "I")),
    _View("Sagittal", normal=2, up=0, left=1, letters=("A", "P", "S", "I")),
)


def comparison_figure(rows: Sequence[FigureRow], path: str | Path, title: str = "") -> None:
    """Draw volumes of the same anatomy in three views and write the picture.

    The slices go through the middle of the last row's foreground. All rows show the field of view that they share, so
    anatomy stands at the same place in all of them.

    Args:
        rows: from top to bottom LR, SR and, where there is one, HR. The last one sets window and point.
        path: its ending is the format (.png, .pdf, .svg); an existing file is replaced.
        title: a line above the picture.

    Raises:
        GeometryError: the volumes are rotated against each other or share no field of view.
        VolumeError: the last volume is constant or has voxels that are not finite.
        OutputError: no such picture format, or the file cannot be written.
        ValueError: no rows.
    """
    if not rows:
        raise ValueError("A comparison needs at least one row")
    _check_parallel(rows)
    field = _shared_field(rows)
    reference = rows[-1]
    point = _middle_of_foreground(reference, field)
    window = _window(reference)

    layout = _Layout(field, len(rows), min(min(voxel_spacing(row.affine)) for row in rows), has_title=bool(title))
    figure = layout.new_figure()
    for number, row in enumerate(rows):
        for column, view in enumerate(VIEWS):
            panel = layout.add_panel(figure, number, column)
            _draw_slice(panel, row, view, point, window, layout.pixels_per_mm)
            panel.set_xlim(field[view.left, 1], field[view.left, 0])
            panel.set_ylim(field[view.up, 0], field[view.up, 1])
            _draw_letters(panel, view)
            if column == 0:
                _draw_scale_bar(panel, field[view.left, 1] - field[view.left, 0])
    layout.add_text(figure, rows, title, _caption(reference, point, window))
    save_figure(figure, Path(path), layout.dots_per_inch, "black")


class _Layout:
    """Where the panels stand, in whole pixels from the lower left corner.

           Axial   Coronal  Sagittal
    LR     R x A    R x S    A x S       columns as wide as R, R and A, rows as high as the larger of A and S
    SR     ...
    """

    def __init__(self, field: np.ndarray, num_rows: int, finest: float, *, has_title: bool) -> None:
        """Fit the panels of a field of view (3, 2) in mm; voxels of the finest spacing (mm) get whole pixels."""
        self.field_mm = field[:, 1] - field[:, 0]
        width_mm = sum(self.field_mm[view.left] for view in VIEWS)
        whole = np.ceil(FEWEST_PIXELS * finest / width_mm)
        self.pixels_per_mm = float(min(whole / finest, MOST_PIXELS / width_mm))
        self.dots_per_inch = self.pixels_per_mm * width_mm / PANELS_INCHES
        left, right, bottom, gap = (round(inches * self.dots_per_inch) for inches in (LEFT, RIGHT, BOTTOM, GAP))
        top = round((TOP + has_title * TITLE_INCHES) * self.dots_per_inch)
        sizes = np.rint(self.field_mm * self.pixels_per_mm).astype(int)
        self.panel_sizes = [(int(sizes[view.left]), int(sizes[view.up])) for view in VIEWS]
        self.row_height = max(height for _, height in self.panel_sizes)
        self.starts_x = [left + sum(width + gap for width, _ in self.panel_sizes[:column]) for column in range(3)]
        self.starts_y = [bottom + (self.row_height + gap) * (num_rows - 1 - number) for number in range(num_rows)]
        self.width = self.starts_x[-1] + self.panel_sizes[-1][0] + right
        self.height = self.starts_y[0] + self.row_height + top

    def new_figure(self) -> "Figure":
        from matplotlib.figure import Figure

        inches = (self.width / self.dots_per_inch, self.height / self.dots_per_inch)
        return Figure(figsize=inches, dpi=self.dots_per_inch, facecolor="black")

    def add_panel(self, figure: "Figure", number: int, column: int) -> "Axes":
        """Add the panel of a row and a column, in the middle of the row's height."""
        width, height = self.panel_sizes[column]
        y = self.starts_y[number] + (self.row_height - height) // 2
        x = self.starts_x[column]
        panel = figure.add_axes((x / self.width, y / self.height, width / self.width, height / self.height))
        panel.set_axis_off()
        return panel

    def add_text(self, figure: "Figure", rows: Sequence[FigureRow], title: str, caption: str) -> None:
        """Add row labels on the left, column labels on top, title and caption."""
        centre_x = (self.starts_x[0] - GAP * self.dots_per_inch) / 2 / self.width
        for row, y in zip(rows, self.starts_y, strict=True):
            centre_y = (y + self.row_height / 2) / self.height
            spacing = " x ".join(f"{length:.3g}" for length in reversed(voxel_spacing(row.affine)))
            details = "\n".join(filter(None, [f"{spacing} mm", row.metrics]))
            figure.text(centre_x, centre_y, f"{row.label}\n", ha="center", va="center", color="white", size=15)
            figure.text(centre_x, centre_y, details, ha="center", va="top", color="0.75", size=8, linespacing=1.5)
        above = (self.starts_y[0] + self.row_height + 0.12 * self.dots_per_inch) / self.height
        for view, x, (width, _) in zip(VIEWS, self.starts_x, self.panel_sizes, strict=True):
            figure.text((x + width / 2) / self.width, above, view.name, ha="center", color="white", size=12)
        if title:
            y = 1 - 0.15 * self.dots_per_inch / self.height
            figure.text(0.5, y, title, ha="center", va="top", color="white", size=13)
        x, y = self.starts_x[0] / self.width, 0.12 * self.dots_per_inch / self.height
        figure.text(x, y, caption, color="0.65", size=7.5)


def _check_parallel(rows: Sequence[FigureRow]) -> None:
    for row in rows[:-1]:
        cosine = float(np.sum(row.directions * rows[-1].directions, axis=1).min())
        angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
        if angle > LARGEST_ANGLE:
            raise GeometryError(
                f"{row.label} is rotated against {rows[-1].label} by {angle:.1f} degrees, at most {LARGEST_ANGLE:g} "
                "can be shown side by side; resample one onto the other first"
            )


def _shared_field(rows: Sequence[FigureRow]) -> np.ndarray:
    """Return the field of view (3, 2) in mm along D, H and W that all rows cover."""
    field = np.stack([np.max([r.edges[:, 0] for r in rows], axis=0), np.min([r.edges[:, 1] for r in rows], axis=0)], 1)
    if (field[:, 1] <= field[:, 0]).any():
        ranges = "; ".join(
            f"{row.label} " + ", ".join(f"{first:.1f} to {last:.1f}" for first, last in row.edges) for row in rows
        )
        raise GeometryError(f"The volumes share no field of view, in mm along (D, H, W): {ranges}")
    return field


def _middle_of_foreground(row: FigureRow, field: np.ndarray) -> np.ndarray:
    """Return the centre of the voxel in the middle of the foreground: (3,) mm along D, H, W, inside the field."""
    step = _sampling_step(row.array)
    box = foreground_box(row.array[::step, ::step, ::step])
    spacing = np.array(voxel_spacing(row.affine))
    middle = np.array([(part.start + part.stop - 1) // 2 * step for part in box])
    inside = np.clip(row.edges[:, 0] + (middle + 0.5) * spacing, field[:, 0], field[:, 1])
    indices = np.array([row.index(axis, position) for axis, position in enumerate(inside)])
    return row.edges[:, 0] + (indices + 0.5) * spacing


def _window(row: FigureRow) -> tuple[float, float]:
    step = _sampling_step(row.array)
    low, high = np.percentile(row.array[::step, ::step, ::step], WINDOW_PERCENTILES)
    if low == high:
        low, high = row.array.min(), row.array.max()
    return float(low), float(high)


def _sampling_step(array: np.ndarray) -> int:
    return int(np.ceil((array.size / SAMPLED_VOXELS) ** (1 / 3)))


def _draw_slice(
    panel: "Axes", row: FigureRow, view: _View, point: np.ndarray, window: tuple[float, float], pixels_per_mm: float
) -> None:
    """Draw the voxels of one slice as they are, at their place in mm; set_xlim turns the first axis to the left."""
    image = row.array.take(row.index(view.normal, point[view.normal]), axis=view.normal)  # (D, H), (D, W) or (H, W)
    extent = (*row.edges[view.left], *row.edges[view.up])
    spacing = voxel_spacing(row.affine)
    pixels_per_voxel = pixels_per_mm * min(spacing[view.up], spacing[view.left])
    sampling = "nearest" if pixels_per_voxel > 0.999 else "antialiased"
    panel.imshow(image.astype(np.float32), "gray", origin="lower", extent=extent, aspect="auto", interpolation=sampling)
    panel.images[0].set_clim(*window)


def _draw_letters(panel: "Axes", view: _View) -> None:
    places = [(0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center")]
    places += [(0.5, 0.985, "center", "top"), (0.5, 0.015, "center", "bottom")]
    for letter, (x, y, ha, va) in zip(view.letters, places, strict=True):
        panel.text(x, y, letter, ha=ha, va=va, transform=panel.transAxes, color="0.85", size=8, path_effects=_outline())


def _draw_scale_bar(panel: "Axes", width_mm: float) -> None:
    length = round_length(SCALE_BAR_SHARE * width_mm)
    ends, y = (0.04, 0.04 + length / width_mm), 0.045
    style: dict[str, Any] = {"transform": panel.transAxes, "color": "white", "path_effects": _outline()}
    panel.plot(ends, (y, y), lw=2, solid_capstyle="butt", scalex=False, scaley=False, **style)
    panel.text(sum(ends) / 2, y + 0.015, f"{length:g} mm", ha="center", size=8, **style)


def _outline() -> list:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground="black")]


def _caption(row: FigureRow, point: np.ndarray, window: tuple[float, float]) -> str:
    position = ", ".join(
        f"{letters[int(coordinate < 0)]} {abs(coordinate):.1f}"
        for letters, coordinate in zip(("RL", "AP", "SI"), row.directions.T @ point, strict=True)
    )
    low, high = WINDOW_PERCENTILES
    darkest, brightest = (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" for value in window)
    return (
        f"Slices through {position} mm.  Window {darkest} to {brightest} in all panels "
        f"({low:g} to {high:g} percentile of {row.label}).  The patient's right is on the left."
    )
