"""The picture of the 3x3 comparison that is drawn without a screen."""

from pathlib import Path

import numpy as np
from PIL import Image

from Testing.Slicer import core, screenshot
from Testing.Slicer.volumes import add_volume

SHIPPED = Path(__file__).resolve().parents[2] / "Resources" / "Screenshots" / "2.png"


def test_each_row_shows_its_volume_and_each_view_its_bar(tmp_path) -> None:
    running = core.start()
    running.open_layout()
    flat = [np.full((9, 10, 11), 100.0), np.full((9, 10, 11), 500.0), np.full((9, 10, 11), 900.0)]
    nodes = [add_volume(running, array, np.diag([4.0, 4.0, 4.0, 1.0])) for array in flat]
    nodes[0].GetDisplayNode().SetAutoWindowLevel(False)
    nodes[0].GetDisplayNode().SetWindowLevelMinMax(0, 1000)
    screenshot.draw_comparison(running, nodes, "caption", tmp_path / "picture.png")
    running.reset()
    with Image.open(tmp_path / "picture.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    step = screenshot.HEIGHT + screenshot.BAR + screenshot.GAP
    for row, grey in enumerate((25.5, 127.5, 229.5)):
        for column, bar in enumerate(((243, 74, 51), (110, 176, 75), (237, 213, 76))):
            x = screenshot.LEFT + column * (screenshot.WIDTH + screenshot.GAP) + screenshot.WIDTH // 2
            top = screenshot.GAP + row * step
            assert np.abs(pixels[top + screenshot.BAR + screenshot.HEIGHT // 2, x] - grey).max() <= 2
            assert np.abs(pixels[top + screenshot.BAR // 2, x] - bar).max() <= 6


def test_the_shipped_picture_is_a_comparison_of_moderate_size() -> None:
    assert SHIPPED.stat().st_size < 300_000
    with Image.open(SHIPPED) as picture:
        assert picture.size == (
            screenshot.LEFT + 3 * (screenshot.WIDTH + screenshot.GAP),
            screenshot.BOTTOM + 3 * (screenshot.HEIGHT + screenshot.BAR + screenshot.GAP),
        )
