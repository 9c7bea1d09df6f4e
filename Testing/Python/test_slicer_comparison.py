"""Nine linked views of three volumes, on Slicer's own slice, link and display logic."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import slicer
import vtk

from SuperResolution3DLib.errors import InputError
from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume, affine_of

# isort: split
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.layout import LAYOUT_ID, comparison_views

FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
STANDARD = ("Red", "Green", "Yellow")


@dataclass
class Scene:
    """Four volumes of one field of view, the standard views with one of them, and a comparison."""

    core: core.Core
    lr: slicer.vtkMRMLScalarVolumeNode
    sr: slicer.vtkMRMLScalarVolumeNode
    zero_filled: slicer.vtkMRMLScalarVolumeNode
    hr: slicer.vtkMRMLScalarVolumeNode
    comparison: Comparison

    def logic(self, row: int, column: int) -> slicer.vtkMRMLSliceLogic:
        name = comparison_views()[3 * row + column].name
        return self.logic_of(name)

    def logic_of(self, name: str) -> slicer.vtkMRMLSliceLogic:
        return self.core.application.GetSliceLogic(self.core.scene.GetSingletonNode(name, "vtkMRMLSliceNode"))

    def logics(self) -> list[slicer.vtkMRMLSliceLogic]:
        return [self.logic(row, column) for row in range(3) for column in range(3)]

    def backgrounds(self) -> list[str | None]:
        return [logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in self.logics()]

    def offsets(self) -> list[float]:
        return [logic.GetSliceNode().GetSliceOffset() for logic in self.logics()]

    def standard_state(self) -> list[tuple]:
        states = []
        for name in STANDARD:
            logic = self.logic_of(name)
            node, composite = logic.GetSliceNode(), logic.GetSliceCompositeNode()
            matrix = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
            states.append((composite.GetBackgroundVolumeID(), node.GetFieldOfView(), matrix.tolist()))
        return states


@pytest.fixture
def a_scene() -> Iterator[Scene]:
    running = core.start()
    running.open_layout()
    lr_affine = np.array([[4.0, 0, 0, -20], [0, 4.0, 0, 12], [0, 0, 4.0, -31], [0, 0, 0, 1]])
    sr_affine = lr_affine @ np.array([[0.25, 0, 0, -0.375], [0, 0.25, 0, -0.375], [0, 0, 0.25, -0.375], [0, 0, 0, 1]])
    random = np.random.default_rng(3)
    lr = add_volume(running, random.integers(0, 900, (9, 10, 11)).astype(np.int16), lr_affine, "lr")
    fine = [random.integers(0, 900, (36, 40, 44)).astype(np.uint16) for _ in range(3)]
    sr, zero_filled, hr = (
        add_volume(running, array, sr_affine, name) for array, name in zip(fine, ("sr", "zero", "hr"), strict=True)
    )
    running.layout.GetLayoutNode().SetViewArrangement(FOUR_UP)
    for name in STANDARD:
        composite = running.scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)
        composite.SetBackgroundVolumeID(hr.GetID())
    comparison = Comparison(running.application)
    yield Scene(running, lr, sr, zero_filled, hr, comparison)
    comparison.close()
    running.reset()


# --- Rows and columns ------------------------------------------------------------------------------------------------


def test_the_rows_show_lr_sr_and_hr(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr, a_scene.zero_filled)
    assert a_scene.core.layout.GetLayoutNode().GetViewArrangement() == LAYOUT_ID
    assert a_scene.backgrounds() == [node.GetID() for node in (a_scene.lr, a_scene.sr, a_scene.hr) for _ in range(3)]


def test_each_view_is_labelled_with_row_and_column(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    labels = [logic.GetSliceNode().GetLayoutLabel() for logic in a_scene.logics()]
    assert labels == [f"{row} {column}" for row in ("LR", "SR", "HR") for column in ("axial", "coronal", "sagittal")]
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    assert a_scene.logic(2, 1).GetSliceNode().GetLayoutLabel() == "SR - zero-filled coronal"


def test_without_a_reference_the_third_row_is_the_difference_to_zero_filled(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    shown = {a_scene.logic(2, column).GetSliceCompositeNode().GetBackgroundVolumeID() for column in range(3)}
    difference = a_scene.core.scene.GetNodeByID(shown.pop())
    assert not shown
    sr, zero_filled = (slicer.util.arrayFromVolume(node).astype(int) for node in (a_scene.sr, a_scene.zero_filled))
    low, high = np.percentile(slicer.util.arrayFromVolume(a_scene.lr), [0.5, 99.5])
    percent = 100 * (sr - zero_filled) / (high - low)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(difference), percent, rtol=1e-5)
    np.testing.assert_array_equal(affine_of(difference), affine_of(a_scene.sr))
    assert difference.GetName() == "sr minus zero-filled"


def test_the_difference_has_colours_of_its_own_around_zero(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    display = a_scene.core.scene.GetFirstNodeByName("sr minus zero-filled").GetDisplayNode()
    assert display.GetWindowLevelMin() == -display.GetWindowLevelMax() < 0
    assert display.GetWindow() != a_scene.sr.GetDisplayNode().GetWindow()
    table = display.GetColorNode().GetLookupTable()
    table.SetTableRange(-1, 1)
    minus, zero, plus = (_color(table, value) for value in (-1, 0, 1))
    assert [table.GetOpacity(value) for value in (-1, -0.3, -0.2, 0, 0.2, 0.3, 1)] == [1, 1, 0, 0, 0, 1, 1]
    assert zero == pytest.approx([0, 0, 0], abs=0.01)
    assert minus[2] > minus[0] + 0.5 and plus[0] > plus[2] + 0.5, "blue below zero, orange above"
    steps = np.array([_color(table, value) for value in np.linspace(0, 1, 9)])
    assert (steps[:2] == 0).all() and (np.diff(steps[1:, 0]) > 0).all()


def test_the_difference_is_computed_anew_and_not_piled_up(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    count = a_scene.core.scene.GetNumberOfNodes()
    slicer.util.updateVolumeFromArray(a_scene.sr, slicer.util.arrayFromVolume(a_scene.zero_filled) + 3)
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    difference = a_scene.core.scene.GetFirstNodeByName("sr minus zero-filled")
    assert a_scene.core.scene.GetNumberOfNodes() == count
    low, high = np.percentile(slicer.util.arrayFromVolume(a_scene.lr), [0.5, 99.5])
    np.testing.assert_allclose(slicer.util.arrayFromVolume(difference), 300 / (high - low), rtol=1e-5)


def test_a_zero_filled_volume_of_another_grid_is_refused(a_scene) -> None:
    with pytest.raises(
        InputError, match=r"lr \(.* voxels of .*\) does not lie on the grid of sr \(.* voxels of .*\); compute"
    ):
        a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.lr)


def test_with_neither_the_third_row_stays_empty(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr)
    assert a_scene.backgrounds()[6:] == [None] * 3
    assert a_scene.logic(2, 0).GetSliceNode().GetLayoutLabel() == "no reference axial"


def test_all_views_of_a_column_show_the_same_place(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    for column in range(3):
        nodes = [a_scene.logic(row, column).GetSliceNode() for row in range(3)]
        places = [slicer.util.arrayFromVTKMatrix(node.GetXYToRAS()) for node in nodes]
        np.testing.assert_allclose(places[1:], [places[0]] * 2, rtol=0, atol=1e-9)
    axial = a_scene.logic(1, 0).GetSliceNode()
    assert (axial.GetSliceOffset() - affine_of(a_scene.sr)[2, 3]) % 1 == pytest.approx(0), "in the middle of SR voxels"
    assert min(axial.GetFieldOfView()[:2]) >= 40, "the whole volume"


def test_views_that_get_their_size_later_are_fitted_again(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    for logic in a_scene.logics():
        logic.ResizeSliceNode(300, 150)
    a_scene.comparison.fit()
    for logic in a_scene.logics():
        width, height, _depth = logic.GetSliceNode().GetFieldOfView()
        assert width == pytest.approx(2 * height)
        assert 36 <= height <= 44


# --- Linking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(3))
def test_scrolling_one_view_scrolls_its_column_alone(a_scene, row, column) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    before, standard = a_scene.offsets(), a_scene.standard_state()
    logic = a_scene.logic(row, column)
    wanted = logic.GetSliceNode().GetSliceOffset() + 5
    logic.StartSliceOffsetInteraction()
    logic.SetSliceOffset(wanted)
    logic.EndSliceOffsetInteraction()
    expected = [wanted if number % 3 == column else offset for number, offset in enumerate(before)]
    assert a_scene.offsets() == pytest.approx(expected)
    assert a_scene.standard_state() == standard


def test_zooming_one_view_zooms_all_nine_and_no_standard_view(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    standard = a_scene.standard_state()
    logic = a_scene.logic(1, 2)
    node = logic.GetSliceNode()
    logic.StartSliceNodeInteraction(node.FieldOfViewFlag)
    node.SetFieldOfView(17, 17, 1)
    logic.EndSliceNodeInteraction()
    assert [other.GetSliceNode().GetFieldOfView()[:2] for other in a_scene.logics()] == [(17, 17)] * 9
    assert a_scene.standard_state() == standard


def test_the_crosshair_is_visible_and_jumps_all_nine_views_to_its_place(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    standard = a_scene.standard_state()
    crosshair = a_scene.core.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    assert crosshair.GetCrosshairMode() != crosshair.NoCrosshair
    source = a_scene.logic(1, 0).GetSliceNode()
    # what moving the mouse with Shift held does in a slice view
    jump = slicer.vtkMRMLSliceNode.OffsetJumpSlice
    slicer.vtkMRMLSliceNode.JumpAllSlices(a_scene.core.scene, -3, 25, -11, jump, source.GetViewGroup(), source)
    # a sagittal view's offset counts to the left; the source itself stays
    assert a_scene.offsets() == pytest.approx([-11, 25, 3, source.GetSliceOffset(), 25, 3, -11, 25, 3])
    assert a_scene.standard_state() == standard
    a_scene.comparison.close()
    assert crosshair.GetCrosshairMode() == crosshair.NoCrosshair


def test_choosing_another_volume_in_one_view_is_put_back_in_all_nine(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    rows, standard = a_scene.backgrounds(), a_scene.standard_state()
    _choose_in_selector(a_scene.logic(0, 0), a_scene.zero_filled)
    assert a_scene.backgrounds() == rows
    assert a_scene.standard_state() == standard
    a_scene.comparison.close()  # without the comparison the choice reaches all nine: the trap is real
    _choose_in_selector(a_scene.logic(0, 0), a_scene.zero_filled)
    assert a_scene.backgrounds() == [a_scene.zero_filled.GetID()] * 9
    assert a_scene.standard_state() == standard


# --- One window and level --------------------------------------------------------------------------------------------


def _window(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    return node.GetDisplayNode().GetWindowLevelMin(), node.GetDisplayNode().GetWindowLevelMax()


def test_all_rows_share_the_window_of_the_lr_and_follow_each_other(a_scene) -> None:
    a_scene.lr.GetDisplayNode().SetAutoWindowLevel(False)
    a_scene.lr.GetDisplayNode().SetWindowLevelMinMax(10, 500)
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    assert [_window(node) for node in (a_scene.lr, a_scene.sr, a_scene.hr)] == [(10, 500)] * 3
    a_scene.sr.GetDisplayNode().SetWindowLevelMinMax(-40, 700)
    assert [_window(node) for node in (a_scene.lr, a_scene.sr, a_scene.hr)] == [(-40, 700)] * 3
    a_scene.comparison.close()
    a_scene.sr.GetDisplayNode().SetWindowLevelMinMax(1, 2)
    assert [_window(node) for node in (a_scene.lr, a_scene.hr)] == [(-40, 700)] * 2


def test_the_window_of_the_difference_is_left_alone(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    difference = a_scene.core.scene.GetFirstNodeByName("sr minus zero-filled")
    before = _window(difference)
    a_scene.lr.GetDisplayNode().SetWindowLevelMinMax(-40, 700)
    assert _window(difference) == before != _window(a_scene.sr) == (-40, 700)


def test_leaving_the_layout_gives_window_rows_and_crosshair_back(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    crosshair = a_scene.core.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    a_scene.core.layout.GetLayoutNode().SetViewArrangement(FOUR_UP)
    assert crosshair.GetCrosshairMode() == crosshair.NoCrosshair
    before = _window(a_scene.sr)
    a_scene.lr.GetDisplayNode().SetWindowLevelMinMax(-40, 700)
    assert _window(a_scene.sr) == before != (-40, 700)
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    assert _window(a_scene.sr) == (-40, 700)


# --- Ends ------------------------------------------------------------------------------------------------------------


def test_deleting_a_shown_volume_dangles_nothing(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    a_scene.core.scene.RemoveNode(a_scene.sr)
    assert a_scene.backgrounds() == [a_scene.lr.GetID()] * 3 + [None] * 3 + [a_scene.hr.GetID()] * 3
    a_scene.comparison.fit()
    a_scene.core.scene.RemoveNode(a_scene.lr)
    a_scene.comparison.fit()


def test_closing_the_scene_and_showing_again_works(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, None, a_scene.zero_filled)
    a_scene.core.reset()
    a_scene.comparison.fit()
    lr = add_volume(a_scene.core, np.arange(60.0).reshape(3, 4, 5), np.eye(4), "new lr")
    sr = add_volume(a_scene.core, np.arange(60.0).reshape(3, 4, 5), np.eye(4), "new sr")
    a_scene.comparison.show(lr, sr)
    assert a_scene.backgrounds() == [lr.GetID()] * 3 + [sr.GetID()] * 3 + [None] * 3


def _color(table: vtk.vtkLookupTable, value: float) -> np.ndarray:
    color = [0.0] * 3
    table.GetColor(value, color)
    return np.array(color)


def test_a_comparison_that_was_not_closed_disturbs_the_next_one_without_harm(a_scene) -> None:
    a_scene.comparison.show(a_scene.lr, a_scene.sr, a_scene.hr)
    second = Comparison(a_scene.core.application)
    second.show(a_scene.sr, a_scene.hr, a_scene.zero_filled)  # as after reloading the module: two that disagree
    second.close()
    assert set(a_scene.backgrounds()) <= {node.GetID() for node in (a_scene.lr, a_scene.sr, a_scene.hr)}


def _choose_in_selector(logic: slicer.vtkMRMLSliceLogic, volume: slicer.vtkMRMLVolumeNode) -> None:
    composite = logic.GetSliceCompositeNode()
    logic.StartSliceCompositeNodeInteraction(composite.BackgroundVolumeFlag)
    composite.SetBackgroundVolumeID(volume.GetID())
    logic.EndSliceCompositeNodeInteraction()
