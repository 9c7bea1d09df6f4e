"""The picture of an evaluation on thick slices: the two views through the slices, a column for each method."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.picture_file import save_figure
from SuperResolution3DLib.volumes.volume import Volume
from Training.evaluation.simulated_slices import SliceScan, simulated
from Training.evaluation.slice_methods import SliceMethod

PANEL_INCHES = 2.2
DOTS_PER_INCH = 150
WINDOW_PERCENTILES = (0.5, 99.7)


def draw_slice_figure(path: Path, volume: Volume, scan: SliceScan, methods: Sequence[SliceMethod]) -> None:
    """Draw the middle of a volume, its simulated slices computed by each method, and the volume itself.

    Args:
        path: PNG or SVG.
        volume: any orientation.
        scan: to be simulated.
        methods: the columns, left to right.

    Raises:
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    case = simulated(volume, scan)
    columns = [(method.name, method.compute(case.lr, case.told, case.pixel)) for method in methods]
    columns.append(("HR", case.hr))
    low, high = np.percentile(case.hr, WINDOW_PERCENTILES)
    sizes = case.pixels[1], case.pixels[0]  # across the two views
    depth = case.hr.shape[0] * case.told.hr_spacing
    heights = [PANEL_INCHES * depth / (case.hr.shape[3 - row] * size) for row, size in zip((1, 2), sizes, strict=True)]
    figure = Figure((PANEL_INCHES * len(columns), sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False, height_ratios=heights)
    for column, (name, result) in enumerate(columns):
        for row, view in enumerate((result[:, result.shape[1] // 2], result[:, :, result.shape[2] // 2])):
            ax = axes[row, column]
            extent = (0.0, view.shape[1] * sizes[row], 0.0, depth)
            ax.imshow(view, cmap="gray", vmin=low, vmax=high, origin="lower", extent=extent, interpolation="nearest")
            ax.set_axis_off()
        axes[0, column].set_title(name, fontsize=9)
    figure.suptitle(f"{scan.plane} slices every {scan.spacing:g} mm, gap {scan.gap:.0%}", fontsize=10)
    save_figure(figure, path, DOTS_PER_INCH, "white")
