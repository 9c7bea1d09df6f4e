"""The trust map in Slicer: asked for, added beside its result, shown as a mask, and followed when a result changes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
from calibrated_models import a_calibrated_model_file
from logic_fixtures import a_core, a_node, node_names  # noqa: F401 (fixtures)
from models import a_through_plane_file, a_tiny_model_file
from vtk.util.numpy_support import vtk_to_numpy

import Testing.Slicer.module  # noqa: F401 - installs the double
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.model_card import read_card
from Testing.Slicer.volumes import add_volume, voxel_positions

# isort: split
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.layout import LAYOUT_ID, TRUST_LAYOUT_ID, comparison_views
from SuperResolution3DSlicer.comparison.overlay import lay_over, take_off
from SuperResolution3DSlicer.comparison.trust_map import add_trust_map, trust_map_of
from SuperResolution3DSlicer.runs.trust_request import why_no_trust_map
from SuperResolution3DSlicer.self_test.fake_process import pretend

from SuperResolution3D import SuperResolution3DLogic


@pytest.fixture
def a_calibrated_model(tmp_path, monkeypatch) -> str:
    """The file of a model whose companion is installed."""
    monkeypatch.setenv("SUPERRES3D_MODELS", str(tmp_path))
    return str(a_calibrated_model_file(tmp_path))


def legend_of(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLColorLegendDisplayNode:
    return slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)


def test_the_real_worker_makes_a_map_that_lies_on_the_result(a_node, a_calibrated_model) -> None:
    result = SuperResolution3DLogic().superResolve(a_node, a_calibrated_model, device="cpu", trustMap=True)
    trust_map = trust_map_of(result)
    assert trust_map.GetName() == "head SRx2 trust map"
    np.testing.assert_array_equal(voxel_positions(trust_map), voxel_positions(result))
    voxels = slicer.util.arrayFromVolume(trust_map)
    share = (voxels >= 100).mean()
    assert voxels.dtype == np.uint8 and 0 < share < 1
    assert f"marks {share:.0%} of the voxels" in result.GetAttribute("SuperResolution3D.Report")


def test_the_mask_is_shown_from_its_threshold_on_and_its_legend_says_what_it_means(a_node, a_calibrated_model) -> None:
    logic = SuperResolution3DLogic(pretend("done")[0])
    trust_map = trust_map_of(logic.superResolve(a_node, a_calibrated_model, trustMap=True))
    assert legend_of(trust_map).GetTitleText() == "The estimate may be off\nby more than 20 % of the range"
    assert legend_of(trust_map).GetNumberOfLabels() == 0, "a number would be none of the range"
    slicer.util.updateVolumeFromArray(trust_map, np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    producer = trust_map.GetDisplayNode().GetImageDataConnection().GetProducer()
    producer.Update()
    rgba = vtk_to_numpy(producer.GetOutputDataObject(0).GetPointData().GetScalars())
    assert (rgba[:, 3] == np.repeat([0, 255], [100, 156])).all(), "nothing below 100 is seen"
    assert np.unique(rgba[100:, :3], axis=0).shape == (1, 3)


def test_of_ct_the_bound_is_told_in_hounsfield_units(a_core, a_node) -> None:
    a_node.SetAttribute("SuperResolution3D.Modality", "CT")
    read = slicer.vtkMRMLScalarVolumeNode()
    slicer.util.updateVolumeFromArray(read, np.zeros((9, 13, 11), np.uint8))
    low, high = np.percentile(slicer.util.arrayFromVolume(a_node), [0.5, 99.5])
    trust_map = add_trust_map(a_node, read, a_node, 0.2)
    assert legend_of(trust_map).GetTitleText() == (f"The estimate may be off\nby more than {0.2 * (high - low):.3g} HU")


def test_the_map_of_a_result_that_is_replaced_follows_it_or_goes(a_core, a_node, a_calibrated_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done", "done")[0])
    output = logic.superResolve(a_node, a_calibrated_model, trustMap=True)
    trust_map, before = trust_map_of(output), node_names()
    other = add_volume(a_core, np.arange(5 * 6 * 7.0).reshape(5, 6, 7), np.eye(4), "other")
    logic.superResolve(other, a_calibrated_model, trustMap=True, outputNode=output)
    assert trust_map_of(output) is trust_map
    assert slicer.util.arrayFromVolume(trust_map).shape == (10, 12, 14)
    assert len(node_names()) == len(before) + 2, "the other volume and its display"
    logic.superResolve(other, a_calibrated_model, outputNode=output)
    assert trust_map_of(output) is None
    assert not [name for name in node_names() if "trust map" in name]


def test_why_there_is_no_map_is_one_sentence(a_node, tmp_path, a_calibrated_model) -> None:
    card = read_card(Path(a_calibrated_model))
    assert why_no_trust_map(card, of_region=False) == ""
    assert why_no_trust_map(card, of_region=True).startswith("A trust map needs the whole volume")
    uncalibrated = read_card(a_tiny_model_file(tmp_path, name="third"))
    sentence = "third was not calibrated, so nothing can be said of where it may be off."
    assert why_no_trust_map(uncalibrated, of_region=False) == sentence
    between = read_card(a_through_plane_file(tmp_path))
    assert why_no_trust_map(between, of_region=False).startswith("between is for thick slices")
    with pytest.raises(InputError, match="third was not calibrated"):
        SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, "third", trustMap=True)
    (tmp_path / "second.safetensors").unlink()
    assert why_no_trust_map(card, of_region=False).startswith(
        "The trust map of tiny needs second, which is not installed"
    )


def test_a_companion_that_was_changed_since_is_told_and_nothing_is_added(a_node, tmp_path, a_calibrated_model) -> None:
    from models import a_tiny_card

    from SuperResolution3DLib.models.checkpoint import load_model, save_model

    model = load_model(tmp_path / "second.safetensors")
    weights = {name: tensor * 1.1 for name, tensor in model.network.state_dict().items()}
    save_model(tmp_path / "second.safetensors", weights, a_tiny_card(name="second"))
    before = node_names()
    with pytest.raises(Exception, match="tiny was calibrated with another file of second"):
        SuperResolution3DLogic().superResolve(a_node, a_calibrated_model, device="cpu", trustMap=True)
    assert node_names() == before


@pytest.fixture
def the_comparison(a_core, a_node, a_calibrated_model) -> Iterator[Comparison]:
    """The comparison of a result that has a trust map."""
    a_core.open_layout()
    result = SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, a_calibrated_model, trustMap=True)
    comparison = Comparison(a_core.application)
    comparison.show(a_node, result, None, None, trust_map_of(result))
    yield comparison
    comparison.close()


def rows(layout: int = TRUST_LAYOUT_ID) -> list[tuple[str | None, str | None]]:
    """Return the names of the volumes of each row: in the background, and over it."""
    shown = []
    for view in comparison_views(layout)[::3]:
        composite = slicer.mrmlScene.GetSingletonNode(view.name, "vtkMRMLSliceCompositeNode")
        ids = composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()
        shown.append(
            tuple(None if volume is None else slicer.mrmlScene.GetNodeByID(volume).GetName() for volume in ids)
        )
    return shown


WITH_TRUST = [("head", None), ("head SRx2", None), (None, None), ("head SRx2", "head SRx2 trust map")]


def test_a_trust_map_has_a_row_of_its_own_in_the_comparison(a_core, the_comparison) -> None:
    assert a_core.layout.GetLayoutNode().GetViewArrangement() == TRUST_LAYOUT_ID
    assert rows() == WITH_TRUST
    views = comparison_views(TRUST_LAYOUT_ID)
    nodes = [slicer.mrmlScene.GetSingletonNode(view.name, "vtkMRMLSliceNode") for view in views]
    assert [node.GetLayoutLabel() for node in nodes[9:]] == [
        "may be off axial",
        "may be off coronal",
        "may be off sagittal",
    ]
    places = [slicer.util.arrayFromVTKMatrix(node.GetXYToRAS()) for node in nodes]
    for column in range(3):
        np.testing.assert_allclose(places[column + 3 :: 3], [places[column]] * 3, rtol=0, atol=1e-9)
    drawn = a_core.layout.GetViewNodes()
    assert [drawn.GetItemAsObject(number) for number in range(drawn.GetNumberOfItems())] == nodes


def test_the_row_of_the_trust_map_outlives_what_linked_views_pass_on(a_core, a_node, the_comparison) -> None:
    view = slicer.mrmlScene.GetSingletonNode("SuperResolution3DLRAxial", "vtkMRMLSliceNode")
    logic = a_core.application.GetSliceLogic(view)
    composite = logic.GetSliceCompositeNode()
    for flag, choose in (
        (composite.BackgroundVolumeFlag, composite.SetBackgroundVolumeID),
        (composite.ForegroundVolumeFlag, composite.SetForegroundVolumeID),
    ):
        logic.StartSliceCompositeNodeInteraction(flag)
        choose(slicer.mrmlScene.GetFirstNodeByName("head SRx2").GetID())
        logic.EndSliceCompositeNodeInteraction()
    assert rows()[3] == WITH_TRUST[3]
    assert [background for background, _foreground in rows()] == [background for background, _ in WITH_TRUST]


def test_a_result_without_a_trust_map_goes_back_to_three_rows(a_core, a_node, the_comparison) -> None:
    result = slicer.mrmlScene.GetFirstNodeByName("head SRx2")
    the_comparison.show(a_node, result)
    assert a_core.layout.GetLayoutNode().GetViewArrangement() == LAYOUT_ID
    assert rows(LAYOUT_ID) == WITH_TRUST[:3]
    slicer.mrmlScene.RemoveNode(trust_map_of(result))
    the_comparison.fit()


def test_a_comparison_with_a_trust_map_is_resumed_by_another_panel(a_core, a_node, the_comparison) -> None:
    the_comparison.close()
    another = Comparison(a_core.application)
    another.resume()
    composite = slicer.mrmlScene.GetSingletonNode("SuperResolution3DTrustAxial", "vtkMRMLSliceCompositeNode")
    composite.SetForegroundVolumeID(None)
    assert rows() == WITH_TRUST
    a_core.layout.GetLayoutNode().SetViewArrangement(LAYOUT_ID)
    composite.SetForegroundVolumeID(None)
    assert rows()[3][1] is None, "with another layout it lets go"
    another.close()


def test_a_comparison_whose_trust_map_was_deleted_keeps_its_rows_when_resumed(a_core, the_comparison) -> None:
    the_comparison.close()
    slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetFirstNodeByName("head SRx2 trust map"))
    another = Comparison(a_core.application)
    another.resume()
    a_core.layout.GetLayoutNode().Modified()
    composite = slicer.mrmlScene.GetSingletonNode("SuperResolution3DSRAxial", "vtkMRMLSliceCompositeNode")
    composite.SetBackgroundVolumeID(None)
    assert [background for background, _foreground in rows()] == [background for background, _ in WITH_TRUST]
    another.close()


def test_an_overlay_leaves_the_row_of_the_trust_map_alone(a_core, the_comparison) -> None:
    trust_map = slicer.mrmlScene.GetFirstNodeByName("head SRx2 trust map")
    lay_over(trust_map, 0.5)
    assert rows()[1] == ("head SRx2", "head SRx2 trust map")
    take_off(a_core.scene)
    assert rows() == WITH_TRUST
