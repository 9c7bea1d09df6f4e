"""The comparison picture: LR, SR and HR in rows, axial, coronal and sagittal slices through one point in columns.

All panels share one scale in millimetres, one window and one field of view. The patient's right is on the left of axial
and coronal panels, anterior on the left of sagittal ones, as radiologists look at them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
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
MARK, MARK_OPACITY = (1.0, 0.85, 0.0), 0.5  # yellow, as in the panel
MARK_INCHES = 0.4  # of its sample, above the label's middle
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
    """Text below the label, such as "PSNR 26.6 dB" or what is marked; may have several lines"""

    marked: np.ndarray | None = None
    """bool, the array's shape: voxels that are drawn through a colour, of which a sample stands above the label"""

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
        rows: from top to bottom LR, SR and, where there is one, HR. The last one without marks sets window and point.
        path: its ending is the format (.png, .pdf, .svg); an existing file is replaced.
        title: a line above the picture.

    Raises:
        GeometryError: the volumes are rotated against each other or share no field of view.
        VolumeError: the last volume is constant or has voxels that are not finite.
        OutputError: no such picture format, or the file cannot be written.
        ValueError: no rows without marks.
    """
    plain = [row for row in rows if row.marked is None]
    if not plain:
        raise ValueError("A comparison needs at least one row")
    _check_parallel(rows)
    field = _shared_field(rows)
    reference = plain[-1]
    point = _middle_of_foreground(reference, field)
    window = _window(reference)

    finest = min(min(voxel_spacing(row.affine)) for row in rows)
    figure, panels = _new_figure(field, finest, rows, title, _caption(reference, point, window))
    for row, row_panels in zip(rows, panels, strict=True):
        for view, panel in zip(VIEWS, row_panels, strict=True):
            panel.set_xlim(field[view.left, 1], field[view.left, 0])  # the first axis runs to the left
            panel.set_ylim(field[view.up])
            _draw_slice(panel, row, view, point, window)
            _draw_letters(panel, view)
        _draw_scale_bar(row_panels[0], np.ptp(field[VIEWS[0].left]))
    save_figure(figure, Path(path), figure.dpi, "black")


def _new_figure(
    field: np.ndarray, finest: float, rows: Sequence[FigureRow], title: str, caption: str
) -> tuple["Figure", np.ndarray]:
    """Arrange the panels in whole pixels, and write what stands around them.

           Axial   Coronal  Sagittal
    LR     R x A    R x S    A x S       columns as wide as R, R and A, rows as high as the larger of A and S
    SR     ...

    Args:
        field: of view, (3, 2) in mm.
        finest: mm, spacing of the voxels that get whole pixels.
        rows: from top to bottom.
        title: above all.
        caption: below all.

    Returns:
        The figure, and the axes (rows, 3) of the panels.
    """
    from matplotlib.figure import Figure

    field_mm = np.ptp(field, axis=1)
    width_mm = sum(field_mm[view.left] for view in VIEWS)
    pixels_per_mm = min(np.ceil(FEWEST_PIXELS * finest / width_mm) / finest, MOST_PIXELS / width_mm)
    dots = float(pixels_per_mm * width_mm / PANELS_INCHES)  # an inch
    inches = (LEFT, RIGHT, BOTTOM, TOP + bool(title) * TITLE_INCHES, GAP)
    left, right, bottom, top, gap = np.rint(np.multiply(inches, dots))
    sizes = np.rint(field_mm * pixels_per_mm)
    widths, high = [sizes[view.left] for view in VIEWS], max(sizes[view.up] for view in VIEWS)
    width, height = left + sum(widths) + 2 * gap + right, bottom + len(rows) * (high + gap) - gap + top
    place = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    place |= {"width_ratios": widths, "wspace": gap / np.mean(widths), "hspace": gap / high}

    figure = Figure((width / dots, height / dots), dpi=dots, facecolor="black")
    panels = figure.subplots(len(rows), 3, squeeze=False, gridspec_kw=place)
    for panel in panels.flat:
        panel.set_axis_off()
    write = partial(figure.text, ha="center", color="white")
    x = (left - gap) / 2 / width
    for row, (panel, *_) in zip(rows, panels, strict=True):
        y = panel.get_position().intervaly.mean()
        spacing = " x ".join(f"{length:.3g}" for length in reversed(voxel_spacing(row.affine)))
        details = "\n".join(filter(None, [f"{spacing} mm", row.metrics]))
        write(x, y, f"{row.label}\n", va="center", size=15)
        if row.marked is not None:
            write(x, y + MARK_INCHES * dots / height, "\N{BLACK SQUARE}", va="center", color=MARK, size=15)
        write(x, y, details, va="top", color="0.75", size=8, linespacing=1.5)
    for view, panel in zip(VIEWS, panels[0], strict=True):
        write(panel.get_position().intervalx.mean(), 1 - (top - 0.12 * dots) / height, view.name, size=12)
    write(0.5, 1 - 0.15 * dots / height, title, va="top", size=13)
    write(left / width, 0.12 * dots / height, caption, ha="left", color="0.65", size=7.5)
    return figure, panels


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
        raise GeometryError(
            f"The volumes share no field of view, in mm along head-foot, front-back and left-right: {ranges}"
        )
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


def _draw_slice(panel: "Axes", row: FigureRow, view: _View, point: np.ndarray, window: tuple[float, float]) -> None:
    """Draw the voxels of one slice as they are, at their place in mm."""
    image = row.array.take(row.index(view.normal, point[view.normal]), axis=view.normal)  # (D, H), (D, W) or (H, W)
    extent = (*row.edges[view.left], *row.edges[view.up])
    spacing = voxel_spacing(row.affine)
    pixels_per_mm = panel.bbox.width / np.ptp(panel.get_xlim())
    sampling = "nearest" if pixels_per_mm * min(spacing[view.up], spacing[view.left]) > 0.999 else "antialiased"
    panel.imshow(image.astype(np.float32), "gray", origin="lower", extent=extent, interpolation=sampling)
    panel.images[0].set_clim(*window)
    if row.marked is not None:
        marked = row.marked.take(row.index(view.normal, point[view.normal]), axis=view.normal)
        tint = np.full((*marked.shape, 4), (*MARK, 0.0), np.float32)
        tint[..., 3] = MARK_OPACITY * marked
        panel.imshow(tint, origin="lower", extent=extent, interpolation=sampling)


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
