"""The picture of the panel that is drawn without a screen."""

from pathlib import Path

import numpy as np
from panel_fixtures import a_panel  # noqa: F401 (fixture)
from PIL import Image

from Testing.Slicer import core, panel_picture
from Testing.Slicer.volumes import add_volume

SHIPPED = Path(__file__).resolve().parents[2] / "Resources" / "Screenshots" / "5.png"
BARS = {"Red": (243, 74, 51), "Yellow": (237, 213, 76), "Green": (110, 176, 75)}


def test_the_scan_stands_beside_the_panel_that_says_what_will_happen_to_it(a_panel, tmp_path) -> None:
    node = panel_picture.load_slices(core.start())
    a_panel.choose(inputVolume=node)
    assert a_panel.ui.planLabel.text == (
        "Axial slices, 0.8 x 0.8 x 5 mm, thickness 4 mm (from the simulation), gap 1 mm:"
        " result 0.8 x 0.8 x 0.798 mm, through-plane x6.26, with through-plane-mr"
    )
    flat = add_volume(core.start(), np.full((19, 128, 120), 700.0), np.diag([0.8, 0.8, 5.0, 1.0]), "flat")
    flat.GetDisplayNode().SetAutoWindowLevel(False)
    flat.GetDisplayNode().SetWindowLevelMinMax(0, 1000)
    panel_picture.draw(a_panel, flat, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for color in BARS.values():
        rows, columns = np.nonzero(np.abs(pixels - color).max(axis=-1) <= 6)
        assert len(rows) > 1000, color
        inside = pixels[rows.max() + 40, columns.min() + 60 : columns.max() - 60]
        assert np.abs(np.median(inside, axis=0) - 178.5).max() <= 4  # the volume, below its bar


def test_the_shipped_picture_is_sharp_and_small() -> None:
    assert SHIPPED.stat().st_size < 300_000
    with Image.open(SHIPPED) as picture:
        assert picture.width > 1400
