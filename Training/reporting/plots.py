"""The diagrams of the report, as SVG: a box plot per metric and the Fourier shell correlation of each method."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from SuperResolution3DLib.metrics.fourier_shell import THRESHOLDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart with any kind of colour vision, and by their line style in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7F7F7F")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
INK, FAINT = "#222222", "#d9d9d9"

FEWEST_FOR_BOX = 5  # volumes; fewer have no quartiles, they are drawn as points
WHISKER = 1.5  # of the distance between the quartiles (Tukey 1977)
COLUMNS = 3
PANEL_WIDTH, METHOD_HEIGHT, PANEL_FRAME, LABELS = 2.7, 0.27, 0.75, 1.6  # inches
FEWEST_PANELS = 2  # a single one is as wide as two
LOG_FLOOR_SHARE = 1e-3  # of the largest value: what is smaller on a logarithmic axis is drawn there
NUM_FREQUENCIES = 200  # at which curves of different volumes are averaged

Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class BoxPanel:
    """One metric of all methods."""

    title: str
    values: Mapping[str, Mapping[str, float]]
    """by method, then by volume; from top to bottom"""
    logarithmic: bool = False


def box_plots(panels: Sequence[BoxPanel]) -> bytes:
    """Draw a box plot per metric, every volume as a point, thin lines between the points of one volume.

    Returns:
        The SVG file.

    Raises:
        ValueError: nothing to draw, or panels of different methods.
    """
    methods = list(panels[0].values) if panels else []
    if not methods or any(list(panel.values) != methods for panel in panels):
        raise ValueError(f"Box plots need the same methods in every panel, got {[list(p.values) for p in panels]}")
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = _new_figure(
        max(columns, FEWEST_PANELS) * PANEL_WIDTH + LABELS, rows * (len(methods) * METHOD_HEIGHT + PANEL_FRAME)
    )
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, ax in zip(panels, axes, strict=False):
        _draw_panel(ax, panel)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    return _svg(figure)


def shell_plot(curves: Mapping[str, Sequence[Curve]], lr_nyquist: float | None = None) -> bytes:
    """Draw the Fourier shell correlation of each method: the mean over the volumes, their range shaded.

    Args:
        curves: by method, then by volume: frequency (cycles/mm) and correlation, both (S,).
        lr_nyquist: cycles/mm, up to where the LR holds measurements; None where it is not one figure.

    Returns:
        The SVG file.

    Raises:
        ValueError: no curves.
    """
    if not any(curves.values()):
        raise ValueError("There is no Fourier shell correlation to draw")
    figure = _new_figure(7.4, 3.9)
    ax = figure.subplots()
    highest = min(float(frequency[-1]) for volumes in curves.values() for frequency, _ in volumes)
    common = np.linspace(0, highest, NUM_FREQUENCIES)
    for number, (method, volumes) in enumerate(curves.items()):
        if not volumes:
            continue
        # At frequency 0 the correlation is 1.
        on_common = [np.interp(common, np.append(0, frequency), np.append(1, values)) for frequency, values in volumes]
        colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        ax.plot(common, np.mean(on_common, axis=0), color=colour, linestyle=dashes, linewidth=1.6, label=method)
        if len(on_common) > 1:
            low, high = np.min(on_common, axis=0), np.max(on_common, axis=0)
            ax.fill_between(common, low, high, color=colour, alpha=0.1, linewidth=0)
    for threshold in THRESHOLDS:
        ax.axhline(threshold, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
        ax.text(highest, threshold + 0.01, f"{threshold:g}", ha="right", va="bottom", size=8, color=INK)
    if lr_nyquist is not None and lr_nyquist < highest:
        ax.axvline(lr_nyquist, color=INK, linewidth=0.7)
        ax.text(lr_nyquist, 1.03, "LR Nyquist", ha="center", va="bottom", size=8, transform=ax.get_xaxis_transform())
    ax.set(xlim=(0, highest), ylim=(min(0, ax.get_ylim()[0]), 1.02))
    ax.set_xlabel("spatial frequency (cycles/mm)")
    ax.set_ylabel("correlation with the HR")
    figure.legend(loc="outside right upper", frameon=False, handlelength=3)
    return _svg(figure)


def _draw_panel(ax: "Axes", panel: BoxPanel) -> None:
    methods = list(panel.values)
    floor = 0.0
    if panel.logarithmic:
        largest = max((value for volumes in panel.values.values() for value in volumes.values()), default=1.0)
        floor = LOG_FLOOR_SHARE * largest if largest > 0 else 1.0
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    shown = {m: {v: max(x, floor) if panel.logarithmic else x for v, x in panel.values[m].items()} for m in methods}
    for volume in dict.fromkeys(volume for volumes in shown.values() for volume in volumes):
        places = [(shown[method][volume], row) for row, method in enumerate(methods) if volume in shown[method]]
        ax.plot(*zip(*places, strict=True), color=FAINT, linewidth=0.6, zorder=1)
    for row, method in enumerate(methods):
        values = np.array([value for value in shown[method].values() if np.isfinite(value)])
        colour = COLOURS[row % len(COLOURS)]
        if len(values) >= FEWEST_FOR_BOX:
            _draw_box(ax, row, values, colour)
        elif len(values):
            ax.plot([values.mean()] * 2, [row - 0.3, row + 0.3], color=colour, linewidth=1.6, zorder=3)
        ax.plot(values, np.full(len(values), row), ".", color=colour, markersize=4, alpha=0.7, zorder=4)
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.4, -0.6)
    ax.set_title(panel.title, size=9)
    ax.grid(axis="x", color="#eeeeee", linewidth=0.6)


def _draw_box(ax: "Axes", row: int, values: np.ndarray, colour: str) -> None:
    low, middle, high = np.percentile(values, (25, 50, 75))
    reach = WHISKER * (high - low)
    ends = values[values >= low - reach].min(), values[values <= high + reach].max()
    ax.plot(ends, (row, row), color=colour, linewidth=0.9, zorder=2)
    ax.fill_betweenx((row - 0.3, row + 0.3), low, high, facecolor="white", edgecolor=colour, linewidth=0.9, zorder=3)
    ax.fill_betweenx((row - 0.3, row + 0.3), low, high, facecolor=colour, alpha=0.15, linewidth=0, zorder=3)
    ax.plot((middle, middle), (row - 0.3, row + 0.3), color=colour, linewidth=1.8, zorder=3)


def _new_figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.1), facecolor="white")


def _svg(figure: "Figure") -> bytes:
    """Write a figure with its letters as outlines: the same on every machine, and byte by byte the same each time."""
    import matplotlib

    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8, color=INK, labelcolor=INK)
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "SuperResolution3D", "svg.fonttype": "path", "font.size": 9}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
