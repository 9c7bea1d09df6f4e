"""What the nine views show, pixel for pixel: Slicer's reslice pipeline against one written with numpy."""

from collections.abc import Iterator

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume, affine_of, turned

# isort: split
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.layout import comparison_views

WIDTH, HEIGHT = 240, 202
TIE = 1e-5  # voxels; VTK rounds with a tolerance of 2^-17
WINDOW = (100.0, 700.0)
AXES = {"straight": np.diag([4.0, 4.0, 4.0, 1.0]), "left-handed": turned((4, 4, 4), (-20, 12, -31), left_handed=True)}


@pytest.fixture(params=AXES)
def the_nodes(request) -> Iterator[list[slicer.vtkMRMLScalarVolumeNode]]:
    """LR, SR and HR of one field of view, shown without interpolation in views of 240 x 202 pixels."""
    running = core.start()
    running.open_layout()
    fine = AXES[request.param] @ np.array(
        [[0.25, 0, 0, -0.375], [0, 0.25, 0, -0.375], [0, 0, 0.25, -0.375], [0, 0, 0, 1]]
    )
    random = np.random.default_rng(5)
    nodes = [
        add_volume(running, random.integers(1, 900, (9, 10, 11)).astype(np.int16), AXES[request.param], "lr"),
        add_volume(running, random.integers(1, 900, (36, 40, 44)).astype(np.int16), fine, "sr"),
        add_volume(running, random.integers(1, 900, (36, 40, 44)).astype(np.int16), fine, "hr"),
    ]
    for node in nodes:
        node.GetDisplayNode().SetInterpolate(False)
    nodes[0].GetDisplayNode().SetAutoWindowLevel(False)
    nodes[0].GetDisplayNode().SetWindowLevelMinMax(*WINDOW)
    comparison = Comparison(running.application)
    comparison.show(*nodes)
    for view in comparison_views():
        _logic(view.name).ResizeSliceNode(WIDTH, HEIGHT)
    comparison.fit()
    yield nodes
    comparison.close()
    running.reset()


def test_the_nine_reslices_equal_numpys(the_nodes) -> None:
    num_inside = 0
    for view in comparison_views():
        node = the_nodes[("LR", "SR", "Reference").index(view.row)]
        expected, is_tie = _numpy_slice(node, _logic(view.name).GetSliceNode())
        reslice = _logic(view.name).GetBackgroundLayer().GetReslice()
        reslice.Update()
        shown = _pixels(reslice.GetOutput())[..., 0]
        assert shown.shape == (HEIGHT, WIDTH)
        np.testing.assert_array_equal(shown[~is_tie], expected[~is_tie], err_msg=view.name)
        assert is_tie.mean() < 0.05, "pixels between two voxels, where rounding decides"
        num_inside += np.count_nonzero(expected)
    assert num_inside > 0.3 * 9 * WIDTH * HEIGHT


def test_the_nine_pictures_show_them_in_one_window(the_nodes) -> None:
    low, high = WINDOW
    for view in comparison_views():
        node = the_nodes[("LR", "SR", "Reference").index(view.row)]
        values, is_tie = _numpy_slice(node, _logic(view.name).GetSliceNode())
        expected = np.clip((values - low) / (high - low), 0, 1) * 255
        producer = _logic(view.name).GetImageDataConnection().GetProducer()
        producer.Update()
        shown = _pixels(producer.GetOutputDataObject(0))
        is_volume = (values > 0) & ~is_tie  # no voxel is 0
        for channel in range(3):
            assert np.abs(shown[..., channel][is_volume] - expected[is_volume]).max() <= 1
        assert (shown[..., :3][(values == 0) & ~is_tie] == 0).all()


def _logic(name: str) -> slicer.vtkMRMLSliceLogic:
    running = core.start()
    return running.application.GetSliceLogic(running.scene.GetSingletonNode(name, "vtkMRMLSliceNode"))


def _pixels(image: vtk.vtkImageData) -> np.ndarray:
    """Return (rows, columns, components), the first row at the bottom."""
    width, height, _depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)


def _numpy_slice(
    node: slicer.vtkMRMLScalarVolumeNode, slice_node: slicer.vtkMRMLSliceNode
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest voxel of each pixel (rows, columns), 0 outside, and where two voxels are equally near."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1)
    to_voxels = np.linalg.inv(affine_of(node)) @ slicer.util.arrayFromVTKMatrix(slice_node.GetXYToRAS())
    position = (pixels @ to_voxels.T)[..., :3]
    is_tie = (np.abs(position - np.floor(position) - 0.5) < TIE).any(axis=-1)
    i, j, k = np.moveaxis(np.floor(position + 0.5).astype(int), -1, 0)
    array = slicer.util.arrayFromVolume(node)
    depth, height, width = array.shape
    inside = (i >= 0) & (i < width) & (j >= 0) & (j < height) & (k >= 0) & (k < depth)
    values = np.where(inside, array[np.where(inside, k, 0), np.where(inside, j, 0), np.where(inside, i, 0)], 0)
    return values, is_tie
