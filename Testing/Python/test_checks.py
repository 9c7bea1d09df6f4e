"""The report's sections on wrong detail and on what a simple analysis finds, and the picture of the boxes."""

from pathlib import Path

import numpy as np
import pytest
from test_scanning_rings import a_textured_block

from SuperResolution3DLib.errors import VolumeError
from Training.evaluation.results import VolumeResult
from Training.reporting.boxes_figure import write_boxes
from Training.reporting.checks import detail_section, help_section, is_of_boxes, picture_caption


def a_result(method: str, file: str, **metrics: float) -> VolumeResult:
    return VolumeResult("set", file, file, method, metrics)


RESULTS = [
    a_result("linear", "a", ring_patches=40, ring_boxes=3, ring_crossing=0.2, tissue_dice=0.8, core_volume_error=12.0),
    a_result("linear", "b", ring_patches=60, ring_boxes=2, ring_crossing=0.3, tissue_dice=0.9),
    a_result("SR", "a", ring_patches=40, ring_boxes=0, ring_crossing=0.4, tissue_dice=0.95, core_volume_error=4.0),
    a_result("other", "a"),
]


def test_boxes_are_counted_over_all_volumes_of_a_method():
    page = detail_section(RESULTS, ["<figure>boxes</figure>"])
    for text in ("5 of 100", "5.0", "0.250", "0 of 40", "<figure>boxes</figure>"):
        assert text in page
    assert "other" not in page
    assert detail_section([RESULTS[-1]], []) == ""


def test_agreement_is_the_mean_over_the_volumes_that_have_it():
    page = help_section(RESULTS)
    for text in ("0.8500", "12.0", "0.9500", "4.0"):
        assert text in page
    assert help_section([RESULTS[-1]]) == ""


def test_the_picture_of_boxes_is_told_from_figure_2():
    assert is_of_boxes(Path("out/boxes-set.png"))
    assert not is_of_boxes(Path("out/figure2-set.png"))
    assert picture_caption(Path("out/boxes-a&b.png")).startswith("a&amp;b: red boxes")


def test_the_picture_shows_red_boxes_over_what_was_changed_and_nowhere_else(tmp_path):
    from matplotlib.image import imread

    hr = a_textured_block((72, 72, 72))
    wrong = hr.copy()
    wrong[20:60, 8:64, 8:64] = a_textured_block((72, 72, 72))[20:60, 64:8:-1, 8:64]
    red = []
    for name, sr in (("right", hr), ("wrong", wrong)):
        write_boxes(hr, {name: sr}, tmp_path / f"{name}.png", (4, 4, 4), "MR")
        picture = imread(tmp_path / f"{name}.png")
        red.append(int(((picture[..., 0] > 0.9) & (picture[..., 1] < 0.2) & (picture[..., 2] < 0.2)).sum()))
    assert red[0] == 0
    assert red[1] > 100


def test_a_volume_that_is_too_small_has_no_picture(tmp_path):
    small = np.random.default_rng(0).random((40, 40, 40))
    with pytest.raises(VolumeError, match="Patches take 48 voxels"):
        write_boxes(small, {"SR": small}, tmp_path / "small.png", (4, 4, 4), "MR")
    assert not list(tmp_path.iterdir())
