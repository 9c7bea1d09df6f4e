"""The pictures of an evaluation on thick slices: the two views through the slices, a column for each method; and where
each model fails.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.picture_file import save_figure
from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.slice_axis import PLANES
from SuperResolution3DLib.volumes.volume import Volume
from Training.evaluation.simulated_slices import SimulatedScan, SliceScan, simulated
from Training.evaluation.slice_methods import SliceMethod
from Training.reporting.failures_figure import failures_path, write_failures

PANEL_INCHES = 2.2
DOTS_PER_INCH = 150
WINDOW_PERCENTILES = (0.5, 99.7)
BASELINE = "consistent"  # is shown beside a model's worst patches

log = logging.getLogger(__name__)


def draw_slices(path: Path, volume: Volume, scan: SliceScan, methods: Sequence[SliceMethod], modality: str) -> None:
    """Draw a volume's simulated slices computed by each method, and beside that file each model's worst patches.

    Args:
        path: PNG or SVG.
        volume: any orientation.
        scan: to be simulated.
        methods: the columns, left to right.
        modality: of the volume.

    Raises:
        OutputError: a picture cannot be written.
    """
    case = simulated(volume, scan)
    computed = {method.name: method.compute(case.lr, case.told, case.pixel) for method in methods}
    _draw_views(path, scan, case, computed)
    axis = PLANES.index(scan.plane)
    for method in methods:
        if method.model is None or method.variant is not None:
            continue
        hr, *shown = (np.moveaxis(part, 0, axis) for part in (case.hr, computed[BASELINE], computed[method.name]))
        patches = dict(zip((BASELINE, method.name), shown, strict=True))
        try:
            write_failures(hr, patches, method.name, failures_path(path.parent, method.name), modality)
        except VolumeError as error:
            log.warning("No picture of the worst patches: %s", error)


def _draw_views(path: Path, scan: SliceScan, case: SimulatedScan, computed: Mapping[str, np.ndarray]) -> None:
    from matplotlib.figure import Figure

    columns = [*computed.items(), ("HR", case.hr)]
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
