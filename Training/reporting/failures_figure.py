"""A picture of where a model fails: patches of one volume whose detail is least the HR's, beside the HR.

Where nothing but noise is to be seen, nothing agrees either: of the patches that agree least, those of the
largest error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.picture_file import save_figure
from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.metrics.scanning_rings import EDGE, VIEWS, RingPatch, scan_rings

SHOWN = 3  # patches
LEAST_AGREEING = 0.1  # of all patches
PANEL = 1.2  # inches
DOTS_PER_INCH = 120
WINDOW_PERCENTILES = (0.5, 99.8)  # of the HR


def failures_path(folder: Path, model: str) -> Path:
    """Return where the picture of a model's worst patches lies in an evaluation's folder."""
    return folder / f"failures-{re.sub(r'[^A-Za-z0-9._-]+', '-', model)}.png"


def worst_patches(
    patches: Sequence[RingPatch], error: Callable[[RingPatch], float], count: int = SHOWN
) -> list[RingPatch]:
    """Return those of the largest error among the patches whose detail ends first; no two show the same."""
    least = sorted(patches, key=lambda patch: patch.crossing)[: max(count, round(LEAST_AGREEING * len(patches)))]
    chosen: list[RingPatch] = []
    for patch in sorted(least, key=error, reverse=True):
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
        VolumeError: the volume is too small to be scanned, or shows too little.
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    sr = np.asarray(enlarged[model])
    scanned = scan_rings(sr, hr, modality)
    if not scanned:
        raise VolumeError(f"No patch of {EDGE} voxels shows enough of the subject")
    patches = worst_patches(scanned, lambda patch: float(np.mean(np.square(_part(sr, patch) - _part(hr, patch)))))
    low, high = np.percentile(hr, WINDOW_PERCENTILES)
    panels = {"HR": hr, **enlarged}
    figure = Figure((PANEL * len(panels), (PANEL + 0.06) * len(patches) + 0.2), layout="constrained")
    axes = figure.subplots(len(patches), len(panels), squeeze=False)
    for ax, name in zip(axes[0], panels, strict=True):
        ax.set_title(name, fontsize=6)
    for row, patch in zip(axes, patches, strict=True):
        for ax, volume in zip(row, panels.values(), strict=True):
            ax.imshow(_part(volume, patch), "gray", vmin=low, vmax=high, origin="lower", interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
        row[0].set_ylabel(f"{patch.view}, {patch.crossing:.2f}", fontsize=6)
    save_figure(figure, path, DOTS_PER_INCH, "white")


def _part(volume: np.ndarray, patch: RingPatch) -> np.ndarray:
    first, second = patch.corner
    plane = np.take(volume, patch.number, VIEWS.index(patch.view))
    return plane[first : first + EDGE, second : second + EDGE]


def _overlap(one: RingPatch, other: RingPatch) -> bool:
    if one.view != other.view:
        return False
    distances = (one.number - other.number, *(a - b for a, b in zip(one.corner, other.corner, strict=True)))
    return all(abs(distance) < EDGE for distance in distances)
