"""The comparison of an oblique stack: its views show the planes of its slices, and stay linked by column."""

from collections.abc import Iterator

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume, affine_of, turned

# isort: split
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.layout import comparison_views
from SuperResolution3DSlicer.comparison.planes import is_oblique_stack

SHAPE = (6, 20, 24)
FACTOR = 4
OBLIQUE = turned((1.0, 1.0, 4.0), (-12.3, 45.1, 7.7), left_handed=True)


class Shown:
    """A stack and its result in the comparison."""

    def __init__(self, running: core.Core, affine: np.ndarray) -> None:
        self.core = running
        array = np.random.default_rng(3).integers(0, 900, SHAPE).astype(np.int16)
        self.lr = add_volume(running, array, affine, "lr")
        fine = affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1 / FACTOR, 0.5 / FACTOR - 0.5], [0, 0, 0, 1]])
        self.sr = add_volume(running, array.repeat(FACTOR, axis=0), fine, "sr")
        self.comparison = Comparison(running.application)

    def show(self) -> None:
        self.comparison.show(self.lr, self.sr)

    def logics(self) -> list[slicer.vtkMRMLSliceLogic]:
        nodes = [self.core.scene.GetSingletonNode(view.name, "vtkMRMLSliceNode") for view in comparison_views()]
        return [self.core.application.GetSliceLogic(node) for node in nodes]

    def normals(self) -> np.ndarray:
        """Return RAS directions (9, 3) through the views' planes."""
        matrices = [slicer.util.arrayFromVTKMatrix(logic.GetSliceNode().GetSliceToRAS()) for logic in self.logics()]
        return np.array([matrix[:3, 2] for matrix in matrices])


@pytest.fixture
def a_core() -> Iterator[core.Core]:
    running = core.start()
    running.reset()
    running.open_layout()
    yield running
    running.reset()


def directions(affine: np.ndarray) -> np.ndarray:
    """Return the unit vectors (3, 3) along I, J, K as rows."""
    return (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)).T


def test_every_column_shows_a_plane_of_the_stack(a_core) -> None:
    shown = Shown(a_core, OBLIQUE)
    shown.show()
    i, j, k = directions(OBLIQUE)
    for normal, axis in zip(shown.normals(), [k, j, i] * 3, strict=True):
        assert abs(normal @ axis) == pytest.approx(1, abs=1e-9)
    shown.comparison.close()


def test_a_view_in_the_slices_plane_shows_the_voxels_of_one_slice(a_core) -> None:
    shown = Shown(a_core, OBLIQUE)
    shown.show()
    shown.comparison.fit()
    reslice = shown.logics()[0].GetBackgroundLayer().GetReslice()
    reslice.SetInterpolationModeToNearestNeighbor()
    reslice.Update()
    seen = {int(value) for value in vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars())} - {0}
    slices = slicer.util.arrayFromVolume(shown.lr)
    assert any(seen <= set(plane.ravel().tolist()) for plane in slices)
    assert len(seen) > 200
    shown.comparison.close()


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(3))
def test_scrolling_one_view_scrolls_its_column_alone(a_core, row, column) -> None:
    shown = Shown(a_core, OBLIQUE)
    shown.show()
    before = [logic.GetSliceNode().GetSliceOffset() for logic in shown.logics()]
    logic = shown.logics()[3 * row + column]
    wanted = before[3 * row + column] + 2
    logic.StartSliceOffsetInteraction()
    logic.SetSliceOffset(wanted)
    logic.EndSliceOffsetInteraction()
    expected = [wanted if number % 3 == column else offset for number, offset in enumerate(before)]
    assert [logic.GetSliceNode().GetSliceOffset() for logic in shown.logics()] == pytest.approx(expected)
    shown.comparison.close()


def test_the_planes_follow_a_transform_and_go_back_with_the_next_volume(a_core) -> None:
    shown = Shown(a_core, OBLIQUE)
    turn = turned((1, 1, 1), (3, 4, 5), left_handed=False)
    transform = a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turn))
    for node in (shown.lr, shown.sr):
        node.SetAndObserveTransformNodeID(transform.GetID())
    shown.show()
    _, _, k = directions(turn @ affine_of(shown.lr))
    assert abs(shown.normals()[0] @ k) == pytest.approx(1, abs=1e-9)
    straight = Shown(a_core, np.diag([1, 1, 4, 1.0]))
    straight.show()
    np.testing.assert_allclose(np.abs(straight.normals()[:3]), np.eye(3)[::-1], atol=1e-12)
    straight.comparison.close()
    shown.comparison.close()


@pytest.mark.parametrize(
    ("affine", "is_one"),
    [
        (OBLIQUE, True),
        (np.diag([1, 1, 4, 1.0]), False),
        (np.diag([-1, -1, 4, 1.0]), False),
        (turned((1, 1, 1), (0, 0, 0), left_handed=False), False),  # no slices
    ],
)
def test_only_an_oblique_stack_is_shown_in_its_own_planes(a_core, affine, is_one) -> None:
    assert is_oblique_stack(Shown(a_core, affine).lr) == is_one
