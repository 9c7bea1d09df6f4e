"""The picture of one stack seen by another: middle views, a column for each method, and the profile of edges."""

from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.picture_file import save_figure
from Training.evaluation.orthogonal_stacks import StackPair
from Training.reporting.slice_figure import DOTS_PER_INCH, PANEL_INCHES, WINDOW_PERCENTILES

PROFILE_INCHES = 2.8


def draw_stack_figure(path: Path, pair: StackPair) -> None:
    """Draw what each method computed of a stack, and the other stack; of parallel stacks also the edge profiles.

    Args:
        path: PNG or SVG.
        pair: with its views.

    Raises:
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    low, high = np.percentile(pair.views[pair.second][0], WINDOW_PERCENTILES)
    heights = [
        PANEL_INCHES * view.shape[0] * size[0] / (view.shape[1] * size[1])
        for view, size in zip(pair.views[pair.second], pair.view_sizes, strict=True)
    ]
    rows = [*heights, PROFILE_INCHES] if pair.edges else heights
    figure = Figure((PANEL_INCHES * len(pair.views), sum(rows) + 0.7), layout="constrained")
    grid = figure.add_gridspec(len(rows), len(pair.views), height_ratios=rows)
    for column, (name, views) in enumerate(pair.views.items()):
        for row, (view, (height, width)) in enumerate(zip(views, pair.view_sizes, strict=True)):
            ax = figure.add_subplot(grid[row, column])
            extent = (0.0, view.shape[1] * width, 0.0, view.shape[0] * height)
            ax.imshow(view, cmap="gray", vmin=low, vmax=high, origin="lower", extent=extent, interpolation="nearest")
            ax.set_axis_off()
            if row == 0:
                ax.set_title(Path(name).name if name == pair.second else name, fontsize=8)
    if pair.edges:
        ax = figure.add_subplot(grid[-1, :])
        for name, edge in pair.edges.items():
            colour = "black" if name == pair.second else None
            ax.plot(edge.offsets, edge.values, label=f"{Path(name).name}, {edge.rise:.2f} mm", color=colour)
        ax.set_xlabel("mm from the edge along the slice axis")
        ax.set_ylabel("share of the edge's height")
        ax.legend(fontsize=8, title="rise from 10 to 90 %", title_fontsize=8)
    figure.suptitle(f"{pair.first} seen by {pair.second}", fontsize=10)
    save_figure(figure, path, DOTS_PER_INCH, "white")
