"""The comparison picture, looked at pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest
from drawings import grey_values, oblique_affine, panel_pixels, written_figures

from SuperResolution3DLib.cli import figure as figure_module
from SuperResolution3DLib.cli.figure import VIEWS, FigureRow, comparison_figure
from SuperResolution3DLib.errors import GeometryError, OutputError, VolumeError
from SuperResolution3DLib.volumes.geometry import lr_affine

SCALE = (4, 2, 1)  # of D, H, W
SHAPE = (24, 30, 20)
SPACING = (1.5, 1.0, 1.25)  # mm along D, H, W
# One bright block at superior, posterior, left; voxels of the HR (D, H, W).
BLOCK = (slice(16, 20), slice(4, 8), slice(3, 6))


def an_hr_row(angle: float = 0.0, metrics: str = "") -> FigureRow:
    array = np.full(SHAPE, 20, dtype=np.int16)
    array[BLOCK] = 200
    return FigureRow("HR", array, oblique_affine(SPACING, angle), metrics)


def an_lr_row(angle: float = 0.0) -> FigureRow:
    """Return block means on the centre grid."""
    array = an_hr_row().array.reshape(6, 4, 15, 2, 20, 1).mean(axis=(1, 3, 5))
    return FigureRow("LR", array, lr_affine(oblique_affine(SPACING, angle), SCALE, "center"))


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch) -> None:
    monkeypatch.setattr(figure_module, "FEWEST_PIXELS", 600)


@pytest.fixture
def a_drawing(monkeypatch, tmp_path: Path):
    """Return a function that draws rows and returns matplotlib's figure after the file has been written."""
    drawn = written_figures(monkeypatch)

    def draw(*rows: FigureRow, title: str = ""):
        comparison_figure(rows, tmp_path / "picture.png", title)
        return drawn[-1]

    return draw


def brightest(panel: np.ndarray) -> tuple[float, float]:
    """Return where the bright block stands, as shares of the panel's height (from the top) and width (from the left).

    Letters and lines are thinner than the opening that is applied first.
    """
    from scipy import ndimage

    shares = [np.mean(index) for index in np.nonzero(ndimage.grey_opening(panel, 9) > 0.8)]
    return tuple((share + 0.5) / size for share, size in zip(shares, panel.shape, strict=True))


# The block's centre, D 18 of 24, H 6 of 30 and W 4.5 of 20, seen with superior or anterior up, right or anterior left.
BLOCK_AT = {
    "Axial": (1 - 6 / 30, 1 - 4.5 / 20),
    "Coronal": (1 - 18 / 24, 1 - 4.5 / 20),
    "Sagittal": (1 - 18 / 24, 1 - 6 / 30),
}


@pytest.mark.parametrize("angle", [0, 17])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_anatomy_stands_where_radiologists_expect_it_in_every_row(
    a_drawing, tmp_path: Path, column: int, angle: float
) -> None:
    figure = a_drawing(an_lr_row(angle), an_hr_row(angle))
    for row in (0, 1):
        panel = panel_pixels(figure.axes[3 * row + column], tmp_path / "picture.png")
        assert brightest(panel) == pytest.approx(BLOCK_AT[VIEWS[column].name], abs=0.003)


def test_letters_name_the_sides(a_drawing) -> None:
    figure = a_drawing(an_lr_row(), an_hr_row())
    for row in (0, 1):
        for column, letters in enumerate(("RLAP", "RLSI", "APSI")):
            texts = figure.axes[3 * row + column].texts[:4]
            assert "".join(text.get_text() for text in texts) == letters
            left, right, top, bottom = (text.get_position() for text in texts)
            assert left[0] < 0.1 and right[0] > 0.9 and top[1] > 0.9 and bottom[1] < 0.1


def test_millimetres_have_one_size_in_all_panels_and_directions(a_drawing) -> None:
    figure = a_drawing(an_lr_row(), an_hr_row())
    width, height = figure.get_size_inches()
    sizes = []
    for panel in figure.axes:
        position = panel.get_position()
        sizes.append(position.width * width / abs(np.diff(panel.get_xlim())[0]))
        sizes.append(position.height * height / abs(np.diff(panel.get_ylim())[0]))
    assert len(sizes) == 12
    assert sizes == pytest.approx([sizes[0]] * 12, rel=0.002)


def test_the_scale_bar_has_the_length_that_it_says(a_drawing) -> None:
    panel = a_drawing(an_hr_row()).axes[0]
    start, stop = panel.lines[0].get_xdata()
    width_mm = abs(np.diff(panel.get_xlim())[0])
    assert width_mm == pytest.approx(25)
    assert panel.texts[4].get_text() == "5 mm"
    assert (stop - start) * width_mm == pytest.approx(5)


def test_all_rows_share_one_window_of_the_last_row(a_drawing) -> None:
    hr = an_hr_row()
    ramp = FigureRow("SR", np.arange(hr.array.size, dtype=np.float32).reshape(SHAPE), hr.affine)
    figure = a_drawing(hr, ramp)
    expected = tuple(np.percentile(ramp.array, [0.5, 99.5]))
    assert [panel.images[0].get_clim() for panel in figure.axes] == [pytest.approx(expected)] * 6


def test_lr_voxels_are_drawn_as_blocks(a_drawing, tmp_path: Path) -> None:
    figure = a_drawing(an_lr_row(), an_hr_row())
    panel = panel_pixels(figure.axes[0], tmp_path / "picture.png")
    column = panel[:, round(panel.shape[1] * (1 - 4.5 / 20))]
    assert len(np.unique(column)) <= 3  # block, background, and nothing blended between them but scale bar and letters


def test_a_corner_grid_is_shown_where_its_voxels_lie(a_drawing, tmp_path: Path) -> None:
    hr = an_hr_row()
    corner = FigureRow("LR", hr.array[::4, ::2], lr_affine(hr.affine, SCALE, "corner"))
    figure = a_drawing(corner, hr)
    limits = [np.sort(panel.get_ylim()) for panel in figure.axes[:2]]
    directions = hr.affine[1, 3], hr.affine[2, 3]  # the first voxel's centre, mm along A and S
    # An LR voxel of 4 HR voxels begins 2 HR voxels before its centre; the shared field begins with the HR.
    assert limits[0] == pytest.approx([directions[0] - 0.5, directions[0] + 28 + 1])
    assert limits[1] == pytest.approx([directions[1] - 0.75, directions[1] + 1.5 * (20 + 2)])
    panel = panel_pixels(figure.axes[1], tmp_path / "picture.png")
    # LR voxel 4 shows HR 14 to 18 of the shared field, HR -0.5 to 22.
    assert brightest(panel)[0] == pytest.approx(1 - (16 + 0.5) / 22.5, abs=0.003)


def test_labels_and_scores_stand_in_the_picture(a_drawing) -> None:
    figure = a_drawing(an_lr_row(), an_hr_row(metrics="PSNR 26.6 dB\nSSIM 0.81"), title="A title")
    texts = " | ".join(text.get_text() for text in figure.texts)
    for text in ("LR", "HR", "Axial", "Coronal", "Sagittal", "PSNR 26.6 dB\nSSIM 0.81", "A title", "Window 20 to 200"):
        assert text in texts
    assert "1.25 x 2 x 6 mm" in texts
    assert "1.25 x 1 x 1.5 mm" in texts


def test_the_slices_go_through_the_middle_of_the_foreground(a_drawing) -> None:
    caption = a_drawing(an_hr_row()).texts[-1].get_text()
    # HR voxel (17, 5, 4) is the middle of the block: R -11 + 4 * 1.25, A -40 + 5, S 7 + 17 * 1.5
    assert "L 6.0, P 35.0, S 32.5 mm" in caption


def test_voxels_too_small_for_the_picture_are_averaged_instead_of_left_out(a_drawing) -> None:
    wide = np.zeros((12, 12, 3000), dtype=np.uint8)
    wide[4:8, 4:8, 1000:2000] = 1
    figure = a_drawing(FigureRow("SR", wide, np.eye(4)))
    assert [panel.images[0].get_interpolation() for panel in figure.axes] == ["antialiased"] * 3
    assert figure.get_size_inches()[0] * figure.dpi < 6000


def test_drawing_leaves_pyplot_alone(tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    comparison_figure([an_hr_row()], tmp_path / "picture.png")
    assert pyplot.get_fignums() == before


def test_an_existing_picture_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_text("old")
    comparison_figure([an_lr_row(), an_hr_row()], path)
    assert grey_values(path).shape[1] > 600
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_are_rotated_against_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"LR is rotated against HR by 17\.0 degrees"):
        comparison_figure([an_lr_row(17), an_hr_row()], tmp_path / "picture.png")


def test_rows_without_a_common_field_of_view_are_refused(tmp_path: Path) -> None:
    hr = an_hr_row()
    affine = hr.affine.copy()
    affine[2, 3] += 100
    with pytest.raises(GeometryError, match=r"no field of view.*SR 106\.2 to 142\.2"):
        comparison_figure([FigureRow("SR", hr.array, affine), hr], tmp_path / "picture.png")


def test_a_constant_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="constant"):
        comparison_figure([FigureRow("SR", np.ones(SHAPE), oblique_affine(SPACING))], tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file or directory"):
        comparison_figure([an_hr_row()], tmp_path / "missing" / "picture.png")
    with pytest.raises(OutputError, match=r"picture\.nii: pictures end in one of .*png"):
        comparison_figure([an_hr_row()], tmp_path / "picture.nii")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_needs_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one row"):
        comparison_figure([], tmp_path / "picture.png")
