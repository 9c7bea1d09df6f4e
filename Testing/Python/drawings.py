"""What the tests of both pictures share: an oblique grid, and matplotlib's figures as they are written."""

from pathlib import Path

import numpy as np
import pytest


def oblique_affine(spacing: tuple[float, float, float], angle: float = 0.0) -> np.ndarray:
    """Return an affine (4, 4) of voxels of a spacing (D, H, W) in mm, turned about S by an angle in degrees."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ np.diag(spacing[::-1])
    affine[:3, 3] = (-11.0, -40.0, 7.0)
    return affine


def written_figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """Return a list that grows with each of matplotlib's figures that is written from now on."""
    from matplotlib.figure import Figure

    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))[1])
    return figures


def grey_values(path: Path) -> np.ndarray:
    """Return grey values (H, W) in [0, 1], the first row on top."""
    from matplotlib.image import imread

    return imread(path)[..., :3].mean(axis=-1)


def panel_pixels(panel, path: Path) -> np.ndarray:
    """Return the grey values (H, W) of one panel of a picture, the first row on top."""
    picture = grey_values(path)
    left, bottom, right, top = panel.get_position().extents
    height, width = picture.shape
    rows = slice(round((1 - top) * height), round((1 - bottom) * height))
    return picture[rows, round(left * width) : round(right * width)]
