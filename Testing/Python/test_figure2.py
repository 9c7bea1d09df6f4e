"""Figure 2 of the paper: what stands where, and that it is true to the voxels."""

from pathlib import Path

import numpy as np
import pytest
from drawings import oblique_affine, panel_pixels, written_figures

from SuperResolution3DLib.cli.figure import VIEWS, FigureRow
from SuperResolution3DLib.errors import GeometryError, InputError, OutputError, VolumeError
from SuperResolution3DLib.forward.interpolation import interpolate
from SuperResolution3DLib.forward.kspace import degrade
from Training.evaluation.results import VolumeResult
from Training.evaluation.zoom_box import ZoomBox, detailed_box
from Training.reporting import figure2 as figure2_module
from Training.reporting.figure2 import FigureOptions, write_figure2
from Training.reporting.figure_volumes import FigureVolumes
from Training.reporting.metric_rows import MetricRow, metric_rows
from Training.reporting.tables import Column

SHAPE = (20, 36, 28)
SPACING = (2.0, 1.0, 1.25)  # mm along D, H, W: 40 x 36 x 35 mm
SCALE = (2, 4, 2)
# Finely textured tissue, voxels (D, H, W); everything else of the subject is smooth.
TEXTURE = (slice(8, 16), slice(6, 20), slice(4, 16))
BLOCK = (slice(11, 13), slice(10, 14), slice(9, 12))


def an_hr() -> np.ndarray:
    hr = np.zeros(SHAPE, dtype=np.float32)
    hr[2:18, 3:33, 2:26] = 100
    hr[TEXTURE] += np.random.default_rng(0).uniform(-40, 40, hr[TEXTURE].shape)
    return hr


def figure_volumes(
    hr: np.ndarray, angle: float = 0.0, modality: str = "MR T1w", **methods: np.ndarray
) -> FigureVolumes:
    lr = interpolate(degrade(hr.astype(np.float64), SCALE, "center"), SCALE, "center", "trilinear")
    return FigureVolumes(hr, oblique_affine(SPACING, angle), lr, methods, modality)


def a_box(angle: float = 0.0) -> ZoomBox:
    """Return a box of 16 mm around the block."""
    index = np.array([10.0, 11.5, 11.5, 1])  # I, J, K of its middle
    right, anterior, superior, _ = oblique_affine(SPACING, angle) @ index
    return ZoomBox((right, anterior, superior), 16.0)


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch) -> None:
    monkeypatch.setattr(figure2_module, "PIXELS_PER_INCH", 96)


@pytest.fixture
def a_drawing(monkeypatch, tmp_path: Path):
    """Return a function that writes Figure 2 and returns matplotlib's figure."""
    drawn = written_figures(monkeypatch)

    def draw(volumes: FigureVolumes, box: ZoomBox | None = None, **options):
        write_figure2(volumes, tmp_path / "figure2.png", FigureOptions(box or a_box(), **options))
        return drawn[-1]

    return draw


def panels_of(figure, num_columns: int) -> tuple[list, list[list]]:
    """Return the whole views and the small panels, row by row."""
    wholes, panels = figure.axes[:3], figure.axes[3:]
    return wholes, [panels[number * num_columns :][:num_columns] for number in range(3)]


# --- The drawing -----------------------------------------------------------------------------------------------------


def test_columns_are_lr_hr_and_the_methods_in_their_order(a_drawing) -> None:
    hr = an_hr()
    volumes = figure_volumes(hr, B=hr * 0.9, A=hr * 0.8)
    figure = a_drawing(volumes)
    assert len(figure.axes) == 3 * (1 + 4)
    labels = {text.get_text(): text.get_position()[0] for text in figure.texts}
    assert labels["HR, whole"] < labels["LR"] < labels["HR"] < labels["B"] < labels["A"]
    _, panels = panels_of(figure, 4)
    # The box's middle lies on the border of voxels; the one above it is shown.
    shown = [np.asarray(panel.images[0].get_array()) for panel in panels[0]]
    expected = [volumes.lr, hr, hr * 0.9, hr * 0.8]
    assert all(np.array_equal(image, array[12]) for image, array in zip(shown, expected, strict=True))


def test_rows_are_axial_coronal_and_sagittal_from_top_to_bottom(a_drawing) -> None:
    hr = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    whole, panels = panels_of(a_drawing(figure_volumes(hr)), 2)
    middle = a_box().edges(FigureRow("HR", hr, oblique_affine(SPACING))).mean(axis=1)
    row = FigureRow("HR", hr, oblique_affine(SPACING))
    for view, wide, narrow in zip(VIEWS, whole, panels, strict=True):
        slice_ = hr.take(row.index(view.normal, middle[view.normal]), axis=view.normal)
        for panel in (wide, narrow[1]):
            assert np.array_equal(np.asarray(panel.images[0].get_array()), slice_)
    heights = [panel.get_position().y0 for panel in whole]
    assert heights[0] > heights[1] > heights[2]


@pytest.mark.parametrize("angle", [0, 17])
def test_small_panels_show_the_box_and_the_red_frame_stands_around_it(a_drawing, angle: float) -> None:
    volumes = figure_volumes(an_hr(), angle)
    whole, panels = panels_of(a_drawing(volumes, a_box(angle)), 2)
    edges = a_box(angle).edges(volumes.hr_row)
    assert np.ptp(edges, axis=1) == pytest.approx([16, 16, 16])
    for view, wide, row in zip(VIEWS, whole, panels, strict=True):
        for panel in row:
            assert panel.get_xlim() == pytest.approx(edges[view.left][::-1])  # right of the patient on the left
            assert panel.get_ylim() == pytest.approx(edges[view.up])
        frame = wide.patches[-1]
        assert (frame.get_x(), frame.get_y()) == pytest.approx((edges[view.left, 0], edges[view.up, 0]))
        assert (frame.get_width(), frame.get_height()) == pytest.approx((16, 16))
        assert frame.get_edgecolor()[:3] == pytest.approx((1.0, 0.18, 0.13), abs=0.01)


def test_millimetres_are_as_long_upwards_as_sideways_in_every_panel(a_drawing) -> None:
    figure = a_drawing(figure_volumes(an_hr()))
    width, height = figure.get_size_inches()
    for panel in figure.axes:
        place = panel.get_position()
        across = place.width * width / abs(np.diff(panel.get_xlim())[0])
        upwards = place.height * height / abs(np.diff(panel.get_ylim())[0])
        assert across == pytest.approx(upwards, rel=0.02)  # whole pixels


def test_anatomy_stands_where_radiologists_expect_it(a_drawing, tmp_path: Path) -> None:
    hr = np.full(SHAPE, 20, dtype=np.float32)
    hr[14, 8:10, 5:8] = 200  # behind and to the patient's left of the box's middle, which is H 11.5, W 10
    figure = a_drawing(figure_volumes(hr), ZoomBox(tuple(oblique_affine(SPACING)[:3] @ [10.0, 11.5, 14.0, 1]), 16.0))
    _, panels = panels_of(figure, 2)
    panel = panel_pixels(panels[0][1], tmp_path / "figure2.png")  # axial, HR
    found = [(np.mean(index) + 0.5) / size for index, size in zip(np.nonzero(panel > 0.8), panel.shape, strict=True)]
    # The centres of H 8 to 9 and W 5 to 7, from the upper left corner: posterior is below, left on the right.
    assert found == pytest.approx((0.5 + (11.5 - 8.5) / 16, 0.5 + (10 - 6) * 1.25 / 16), abs=0.02)


def test_all_panels_share_one_window(a_drawing) -> None:
    hr = an_hr()
    figure = a_drawing(figure_volumes(hr, bright=hr * 5))
    limits = {panel.images[0].get_clim() for panel in figure.axes}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == pytest.approx(np.percentile(hr[2:18, 3:33, 2:26], 0.5))
    assert high == pytest.approx(np.percentile(hr[2:18, 3:33, 2:26], 99.9))


def test_ct_is_shown_from_0_to_250_hu(a_drawing) -> None:
    figure = a_drawing(figure_volumes(an_hr() * 20 - 1000, modality="CT"))
    assert {panel.images[0].get_clim() for panel in figure.axes} == {(0.0, 250.0)}
    assert "0 to 250 HU" in " ".join(figure.texts[-1].get_text().split())


def test_figures_stand_below_their_column_with_the_best_in_bold(a_drawing) -> None:
    hr = an_hr()
    rows = (
        MetricRow(Column("psnr", "PSNR (dB)", 2), {"A": 25.123, "B": 27.0}),
        MetricRow(Column("lpips", "LPIPS", 3, "lower"), {"A": 0.1}),
    )
    figure = a_drawing(figure_volumes(hr, A=hr * 0.9, B=hr * 0.8), metrics=rows)
    texts = {text.get_text(): text for text in figure.texts}
    assert texts["25.12"].get_weight() == "normal" and texts["27.00"].get_weight() == "bold"
    assert texts["0.100"].get_weight() == "normal"  # nothing to compare with
    assert texts["25.12"].get_position()[0] == pytest.approx(texts["A"].get_position()[0])
    assert texts["27.00"].get_position()[0] == pytest.approx(texts["B"].get_position()[0])
    assert texts["25.12"].get_position()[1] == texts["PSNR (dB) ↑"].get_position()[1]
    assert texts["25.12"].get_position()[1] < figure.axes[-1].get_position().y0
    assert texts["LPIPS ↓"].get_position()[1] < texts["PSNR (dB) ↑"].get_position()[1]


def test_the_caption_tells_box_slices_and_window(a_drawing) -> None:
    caption = " ".join(a_drawing(figure_volumes(an_hr()), caption="Own words.").texts[-1].get_text().split())
    # R -11 + 10 * 1.25, A -40 + 11.5, S 7 + 11.5 * 2
    for words in ("Own words.", "16 mm", "R 1.5, P 28.5, S 30.0 mm", "1.25 x 1 x 2 mm", "LR interpolated trilinearly"):
        assert words in caption


def test_long_names_of_methods_are_broken_into_lines(a_drawing) -> None:
    hr = an_hr()
    figure = a_drawing(figure_volumes(hr, **{"mr-brain-x4, projected": hr}))
    assert "mr-brain-x4,\nprojected" in [text.get_text() for text in figure.texts]


def test_an_existing_picture_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "figure2.png"
    path.write_text("old")
    box = write_figure2(figure_volumes(an_hr()), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]
    assert box == figure_volumes(an_hr()).box()


def test_a_picture_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"figure2\.nii: pictures end in one of .*png"):
        write_figure2(figure_volumes(an_hr()), tmp_path / "figure2.nii")
    with pytest.raises(OutputError, match="cannot be written: No such file or directory"):
        write_figure2(figure_volumes(an_hr()), tmp_path / "missing" / "figure2.png")
    assert list(tmp_path.iterdir()) == []


# --- The volumes -----------------------------------------------------------------------------------------------------


def test_volumes_that_do_not_fit_together_are_refused() -> None:
    hr = an_hr()
    with pytest.raises(GeometryError, match=r"A has the shape \(20, 36, 27\), the HR \(20, 36, 28\)"):
        figure_volumes(hr, A=hr[..., 1:])
    with pytest.raises(GeometryError, match=r"LR has the shape \(3, 9, 14\), the HR \(20, 36, 28\)"):
        FigureVolumes(hr, oblique_affine(SPACING), np.zeros((3, 9, 14)), {})
    with pytest.raises(VolumeError, match="A has voxels that are not finite"):
        figure_volumes(hr, A=np.where(hr == hr.max(), np.nan, hr))


def test_a_constant_hr_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="constant"):
        write_figure2(figure_volumes(np.ones(SHAPE, np.float32)), tmp_path / "figure2.png")


# --- The box ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0, 17])
def test_the_box_lies_on_the_texture_that_the_lr_lacks(angle: float) -> None:
    volumes = figure_volumes(an_hr(), angle)
    box = volumes.box(side=12.0)
    edges = box.edges(volumes.hr_row) - volumes.hr_row.edges[:, :1]  # mm from the first voxel's border
    texture = np.array([(part.start, part.stop) for part in TEXTURE]) * np.array(SPACING)[:, None]
    assert (edges[:, 0] >= texture[:, 0] - 1.3).all() and (edges[:, 1] <= texture[:, 1] + 1.3).all()


def test_the_box_keeps_away_from_air_however_sharp_its_border_is() -> None:
    hr = an_hr()
    detail = np.zeros(SHAPE, dtype=np.float32)
    detail[2] = 1000  # the border of the subject
    detail[10, 18, 14] = 1  # a little inside
    box = detailed_box(FigureRow("HR", hr, oblique_affine(SPACING)), detail, hr > 0, side=10.0)
    assert _share_of_subject(hr > 0, box) >= 0.9 - 1e-6


def _share_of_subject(subject: np.ndarray, box: ZoomBox) -> float:
    row = FigureRow("HR", subject, oblique_affine(SPACING))
    edges = box.edges(row)
    parts = tuple(
        slice(row.index(axis, first), row.index(axis, last - 1e-6)) for axis, (first, last) in enumerate(edges)
    )
    shares = []
    for view in VIEWS:
        plane = list(parts)
        plane[view.normal] = slice(row.index(view.normal, edges[view.normal].mean()), None)
        shares.append(float(subject[tuple(plane)].take(0, axis=view.normal).mean()))
    return min(shares)


def test_bone_that_a_soft_tissue_window_shows_white_attracts_no_box() -> None:
    hr = np.full(SHAPE, -1000, dtype=np.float32)
    hr[1:19, 1:35, 1:27] = 60
    hr[1:9, 1:35, 1:27] += 400 + 300 * np.random.default_rng(0).choice([-1, 1], (8, 34, 26))  # bone
    hr[12:17, 5:20, 5:18] += 20 * np.random.default_rng(1).choice([-1, 1], (5, 15, 13))
    volumes = figure_volumes(hr, modality="CT")
    edges = volumes.box(side=10.0).edges(volumes.hr_row)[0] - volumes.hr_row.edges[0, 0]
    assert edges[0] >= 9 * 2 - 1  # above the bone


def test_the_box_has_whole_voxels_and_fits_into_small_volumes() -> None:
    volumes = figure_volumes(an_hr())
    assert volumes.box().side == 32.0  # at least 32 voxels of the finest axis
    row = FigureRow("HR", an_hr()[:6], oblique_affine(SPACING))
    assert detailed_box(row, row.array, row.array > 0).side == 12.0


def test_a_box_is_read_from_four_numbers() -> None:
    box = ZoomBox.parse("12.5,-30, 41 16")
    assert box == ZoomBox((12.5, -30.0, 41.0), 16.0)
    assert ZoomBox.parse(str(box)) == box
    for text in ("1,2,3", "1,2,3,x", "1,2,3,4,5", ""):
        with pytest.raises(InputError, match=r"A box is R,A,S,SIDE in mm"):
            ZoomBox.parse(text)
    for text in ("1,2,3,0", "nan,2,3,4", "1,2,3,inf"):
        with pytest.raises(InputError, match="side above 0 mm"):
            ZoomBox.parse(text)


def test_a_box_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    volumes = figure_volumes(an_hr())
    options = FigureOptions(ZoomBox((1.5, -28.5, 30.0), 40.0))
    with pytest.raises(GeometryError, match=r"The box 10\.0 to 50\.0, .* reaches beyond HR, 6\.0 to 46\.0"):
        write_figure2(volumes, tmp_path / "figure2.png", options)
    with pytest.raises(GeometryError, match=r"A box of 36 mm does not fit into 40 x 36 x 35 mm"):
        volumes.box(side=36.0)
    with pytest.raises(ValueError, match=r"detail \(19, 36, 28\) and subject \(20, 36, 28\) \(D, H, W\) differ"):
        detailed_box(volumes.hr_row, volumes.hr[1:], volumes.hr > 0)


# --- The figures below the columns -----------------------------------------------------------------------------------


def a_result(method: str, file: str = "a.nii.gz", **metrics: float) -> VolumeResult:
    return VolumeResult("set", "s", file, method, {f"paper/{name}": value for name, value in metrics.items()})


def test_rows_hold_what_was_measured_under_the_protocol() -> None:
    results = [a_result("A", psnr=25, ssim=0.7, lpips=0.3), a_result("B", psnr=26, ssim=0.7004)]
    rows = metric_rows(results, "paper")
    assert [row.label for row in rows] == ["PSNR (dB) ↑", "SSIM ↑", "LPIPS ↓"]
    assert [row.best for row in rows] == [{"B"}, {"A", "B"}, set()]  # equal as they are printed
    assert [rows[2].text(method) for method in "AB"] == ["0.300", ""]
    assert metric_rows(results, "foreground") == ()


def test_the_least_lpips_is_the_best() -> None:
    (row,) = metric_rows([a_result("A", lpips=0.3), a_result("B", lpips=0.2)], "paper")
    assert row.best == {"B"}


def test_rows_of_several_volumes_are_refused() -> None:
    with pytest.raises(ValueError, match="the results are of 2"):
        metric_rows([a_result("A"), a_result("A", file="b.nii.gz")], "paper")
