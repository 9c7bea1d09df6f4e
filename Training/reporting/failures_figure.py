"""A picture of where a model fails: the patches of one volume whose detail is least the HR's, beside the HR."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.picture_file import save_figure
from SuperResolution3DLib.metrics.scanning_rings import EDGE, VIEWS, RingPatch, scan_rings

SHOWN = 3  # patches
PANEL = 1.2  # inches
DOTS_PER_INCH = 120
WINDOW_PERCENTILES = (0.5, 99.8)  # of the HR


def worst_patches(patches: Sequence[RingPatch], count: int = SHOWN) -> list[RingPatch]:
    """Return the patches whose detail ends first, none of which shows what another one does."""
    chosen: list[RingPatch] = []
    for patch in sorted(patches, key=lambda patch: patch.crossing):
        if len(chosen) < count and not any(_overlap(patch, other) for other in chosen):
            chosen.append(patch)
    return chosen


def write_failures(hr: np.ndarray, enlarged: Mapping[str, np.ndarray], model: str, path: Path, modality: str) -> None:
    """Draw the patches of a model's result whose detail is least the HR's; a row a patch, the HR on the left.

    Args:
        hr: (D, H, W), canonical.
        enlarged: (D, H, W) by method; all of them are shown.
        model: name of the method whose patches they are.
        path: .png; an existing file is replaced.
        modality: of the HR.

    Raises:
        VolumeError: the volume is too small to be scanned.
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    patches = worst_patches(scan_rings(np.asarray(enlarged[model]), hr, modality))
    low, high = np.percentile(hr, WINDOW_PERCENTILES)
    panels = {"HR": hr, **enlarged}
    figure = Figure((PANEL * len(panels), (PANEL + 0.06) * len(patches) + 0.2), layout="constrained")
    axes = figure.subplots(len(patches), len(panels), squeeze=False)
    for row, patch in zip(axes, patches, strict=True):
        for ax, (name, volume) in zip(row, panels.items(), strict=True):
            first, second = patch.corner
            plane = np.take(volume, patch.number, VIEWS.index(patch.view))
            part = plane[first : first + EDGE, second : second + EDGE]
            ax.imshow(part, "gray", vmin=low, vmax=high, origin="lower", interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            if row is axes[0]:
                ax.set_title(name, fontsize=6)
        row[0].set_ylabel(f"{patch.view}, {patch.crossing:.2f}", fontsize=6)
    save_figure(figure, path, DOTS_PER_INCH, "white")


def _overlap(one: RingPatch, other: RingPatch) -> bool:
    if one.view != other.view:
        return False
    distances = (one.number - other.number, *(a - b for a, b in zip(one.corner, other.corner, strict=True)))
    return all(abs(distance) < EDGE for distance in distances)
