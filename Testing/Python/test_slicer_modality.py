"""The modality of a volume: found in the scene, told before the run and to the worker, and said with the result."""

import numpy as np
import pytest
import slicer
from panel_fixtures import AFFINE, MODEL, SHAPE, a_main_window, a_node, a_panel  # noqa: F401 (fixtures)

from SuperResolution3DLib.cli.report import Report
from Testing.Python.models import a_tiny_card, a_tiny_model_file
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.runs.report import consistency_sentence
from SuperResolution3DSlicer.scene.checks import modality_warning
from SuperResolution3DSlicer.scene.modality import modality_of

from SuperResolution3D import SuperResolution3DLogic

NOTE = "head is CT; mr-brain-x4 was trained on MR, so expect artefacts."


def imported(node: slicer.vtkMRMLScalarVolumeNode, *modalities: str) -> None:
    """Put a volume into the subject hierarchy below items of these modalities, its own last; "" is an item without."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parent = hierarchy.GetSceneItemID()
    for level, modality in enumerate(modalities):
        if level < len(modalities) - 1:
            item = hierarchy.CreateFolderItem(parent, "above")
        else:
            item = hierarchy.CreateItem(parent, node)
        if modality:
            hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)
        parent = item


def in_hounsfield_units(node: slicer.vtkMRMLScalarVolumeNode, code: str, meaning: str) -> None:
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning(code, "UCUM", meaning)
    node.SetVoxelValueUnits(units)


# --- In the scene ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modalities", "found"),
    [
        ((), ""),
        (("",), ""),
        (("CT",), "CT"),
        ((" mr ",), "MR"),
        (("PT", ""), "PT"),
        (("PT", "", "MR"), "MR"),
        (("PT", "not one"), "PT"),
        (("MR\\CT",), ""),
    ],
)
def test_modality_is_that_of_the_volumes_item_or_of_the_nearest_above_it(a_node, modalities, found) -> None:
    imported(a_node, *modalities)
    assert modality_of(a_node) == found


@pytest.mark.parametrize(
    ("code", "meaning", "found"),
    [("[hnsf'U]", "", "CT"), ("HU", "Hounsfield unit", "CT"), ("1", "no units", "")],
)
def test_a_volume_in_hounsfield_units_is_ct(a_node, code, meaning, found) -> None:
    in_hounsfield_units(a_node, code, meaning)
    assert modality_of(a_node) == found


def test_a_volume_that_was_deleted_is_asked_in_vain(a_node) -> None:
    imported(a_node, "CT")
    slicer.mrmlScene.RemoveNode(a_node)
    assert modality_of(a_node) == ""


def test_the_hierarchy_counts_more_than_the_units(a_node) -> None:
    imported(a_node, "MR")
    in_hounsfield_units(a_node, "[hnsf'U]", "Hounsfield unit")
    assert modality_of(a_node) == "MR"


@pytest.mark.parametrize("modality", ["PT", ""])
def test_what_is_made_of_a_volume_has_its_modality(a_panel, a_main_window, a_node, modality) -> None:
    imported(a_node, modality)
    a_panel.will("done", "done")
    a_panel.choose(inputVolume=a_node, model=MODEL)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    large = add_volume(core.start(), np.ones((36, 40, 44), np.float32), AFFINE, "large")
    imported(large, modality)
    a_panel.choose(inputVolume=large)
    a_panel.click(a_panel.ui.simulateButton)
    double.wait_until(lambda: a_panel.ui.applyButton.text != "Cancel")
    double.turn(80)
    made = ["head SRx4", "head zero-filled", "head SRx4 minus zero-filled", "large LR"]
    assert [modality_of(slicer.mrmlScene.GetFirstNodeByName(name)) for name in made] == [modality] * 4
    assert ("No model is for PT: " in a_panel.ui.planLabel.text) == bool(modality)


def test_a_replaced_output_has_the_modality_of_its_new_input(a_panel, a_node) -> None:
    imported(a_node, "PT")
    other = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "other")
    a_panel.will("done", "done")
    a_panel.choose(inputVolume=a_node, model=MODEL)
    a_panel.run()
    output = slicer.mrmlScene.GetFirstNodeByName("head SRx4")
    a_panel.choose(inputVolume=other, outputVolume=output)
    a_panel.run()
    assert modality_of(output) == ""


# --- Before the run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("modality", "warns"), [("", False), ("MR", False), ("CT", True), ("PT", True)])
def test_another_modality_than_the_models_is_told(a_node, modality, warns) -> None:
    imported(a_node, modality)
    warning = modality_warning(a_node, a_tiny_card(modality="MR T1w"))
    assert warning == (f"head is {modality}; tiny was trained on MR T1w, so expect artefacts." if warns else "")


def test_panel_notes_each_input_of_another_modality(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node, model=MODEL)
    assert NOTE not in a_panel.ui.noteLabel.text
    imported(a_node, "CT")
    other = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "chest")
    in_hounsfield_units(other, "[hnsf'U]", "Hounsfield unit")
    a_panel.choose(furtherInputs=[other])
    assert NOTE in a_panel.ui.noteLabel.text
    assert NOTE.replace("head", "chest") in a_panel.ui.noteLabel.text
    assert a_panel.ui.applyButton.enabled


# --- The run ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modality", ["CT", "MR", ""])
def test_modality_reaches_the_workers_command_line(a_panel, a_node, modality) -> None:
    imported(a_node, modality)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, model=MODEL)
    a_panel.run()
    assert a_panel.processes[0].option("modality") == modality


@pytest.mark.parametrize(("modality", "is_dependent"), [("CT", True), ("MR", False)])
def test_the_consistency_of_ct_is_labelled_through_the_real_worker(a_node, tmp_path, modality, is_dependent) -> None:
    imported(a_node, modality)
    result = SuperResolution3DLogic().superResolve(a_node, str(a_tiny_model_file(tmp_path)), device="cpu")
    assert result.GetAttribute("SuperResolution3D.ModelDependent") == str(is_dependent).lower()
    sentence = consistency_sentence(Report.from_json(result.GetAttribute("SuperResolution3D.Report"), "the node"))
    assert ("The figure is model-dependent here" in sentence) == is_dependent
