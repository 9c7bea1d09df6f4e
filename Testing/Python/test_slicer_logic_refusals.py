"""What the logic refuses, in one sentence and with nothing created."""

import numpy as np
import pytest
import slicer
from logic_fixtures import RIGHT, SHAPE, a_core, a_model, a_node, node_names  # noqa: F401 (fixtures)

import Testing.Slicer.module  # noqa: F401 - installs the double
from SuperResolution3DLib.errors import InputError, ModelError, SuperResolutionError
from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.self_test.fake_process import pretend

from SuperResolution3D import SuperResolution3DLogic


def refuse(match: str, node: slicer.vtkMRMLNode | None, error: type = InputError, **settings: object) -> None:
    before = node_names()
    new_process, made = pretend("done")
    with pytest.raises(SuperResolutionError, match=match) as caught:
        SuperResolution3DLogic(new_process).superResolve(node, **settings)
    assert "\n" not in str(caught.value)
    assert all(worker.arguments == [] for worker in made)
    assert node_names() == before


def test_label_map_is_refused(a_core) -> None:
    refuse("label map", add_volume(a_core, np.ones(SHAPE, np.int16), RIGHT, "labels", "vtkMRMLLabelMapVolumeNode"))


def test_vector_volume_is_refused(a_core) -> None:
    node = add_volume(a_core, np.ones((*SHAPE, 3), np.float32), RIGHT, "colours", "vtkMRMLVectorVolumeNode")
    refuse("vector", node)


def test_empty_volume_is_refused(a_core) -> None:
    refuse("empty", slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing"))


def test_roi_outside_the_volume_is_refused(a_node) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "far")
    roi.SetSize([5.0, 5.0, 5.0])
    roi.SetCenter([900.0, 0.0, 0.0])
    refuse("far lies outside", a_node, roiNode=roi)


def test_no_volume_is_refused(a_core) -> None:
    refuse(r"^Choose an input volume\.$", None)
    with pytest.raises(InputError, match=r"^Choose an input volume\.$"):
        SuperResolution3DLogic(pretend()[0]).simulateLowResolution(None)


def test_other_nodes_than_a_roi_are_refused_as_one(a_node) -> None:
    refuse(r"^head is not a ROI; choose a markups ROI\.$", a_node, roiNode=a_node)


def test_projection_of_a_preview_is_refused(a_node) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "near")
    refuse("Project for a preview", a_node, roiNode=roi, dataConsistency="project")


def test_input_as_its_own_output_is_refused(a_node) -> None:
    refuse("input and output at once", a_node, outputNode=a_node)


def test_unknown_model_is_refused(a_node) -> None:
    refuse("No model is called 'none'", a_node, ModelError, model="none")


def test_without_any_model_nothing_is_run(a_node, monkeypatch) -> None:
    monkeypatch.setattr("SuperResolution3DLib.models.installed_models.model_folders", list)
    refuse("No model is installed", a_node, ModelError)
