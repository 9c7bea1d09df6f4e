"""The panel in the double during a run and at its end, with a process that pretends."""

from pathlib import Path

import numpy as np
import slicer
from panel_fixtures import AFFINE, MODEL, SHAPE, a_main_window, a_node, a_panel, volumes  # noqa: F401 (fixtures)

from Testing.Slicer import core, double
from Testing.Slicer.module import ThePanel, loaded_module
from Testing.Slicer.volumes import add_volume

# isort: split
import qt
from SuperResolution3DSlicer.panel.parameters import DataConsistency, Region, Tiling
from SuperResolution3DSlicer.panel.progress_display import ProgressDisplay
from SuperResolution3DSlicer.scene.roi import place_at_centre
from SuperResolution3DSlicer.self_test.fake_process import FAILURE

PATIENT = 120_000  # ms; other work may share the machine


def test_a_run_adds_the_result_and_says_how_far_it_agrees_with_the_input(a_panel, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    assert volumes() == ["head", "head zero-filled", "head SRx4"]
    text = a_panel.ui.resultLabel.text
    assert text.startswith("head SRx4: done in 1 s on CPU.")
    assert "Agrees with the scan to 0.5 % at the measured frequencies" in text
    assert text.endswith("; finer detail is estimated.")
    assert not a_panel.ui.progressBar.visible
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID()).GetName() == "head SRx4"


def test_progress_shows_stage_percent_and_time_left(a_panel, a_node, monkeypatch) -> None:
    seen: list[str] = []
    show = ProgressDisplay.show

    def show_and_note(display: ProgressDisplay, *given: object) -> None:
        show(display, *given)
        seen.append(a_panel.ui.statusLabel.text)

    monkeypatch.setattr(ProgressDisplay, "show", show_and_note)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    assert a_panel.ui.applyButton.text == "Cancel"
    assert a_panel.ui.progressBar.visible
    double.wait_until(lambda: a_panel.ui.applyButton.text == "Super-resolve", PATIENT)
    assert seen == [
        "head: starting the worker",
        "head: reading volume and model, 0 %, time left not known yet",
        "head: computing features, 30 %, about 4 s left",
        "head: computing voxels, 92 %, about 1 s left",
    ]


def test_cancel_ends_the_run_and_leaves_the_scene_as_it_was(a_panel, a_node) -> None:
    a_panel.will("silent")
    a_panel.choose(inputVolume=a_node)
    before = volumes()
    a_panel.click(a_panel.ui.applyButton)
    double.turn(20)
    a_panel.click(a_panel.ui.applyButton)
    double.wait_until(lambda: a_panel.ui.applyButton.text == "Super-resolve")
    assert a_panel.processes[0].was_cancelled
    assert volumes() == before
    assert a_panel.ui.resultLabel.text == "head: Cancelled. The scene is unchanged."


def test_failure_is_a_sentence_in_the_panel_and_the_button_works_again(a_panel, a_node) -> None:
    a_panel.will("failed", "done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    assert a_panel.ui.resultLabel.text == f"head failed: {FAILURE}. The scene is unchanged."
    assert FAILURE in a_panel.ui.logText.toPlainText()
    a_panel.run()
    assert "head SRx4" in volumes()


def test_ticked_volumes_run_one_after_another(a_panel, a_node) -> None:
    other = add_volume(core.start(), np.ones(SHAPE, np.float32) * np.arange(11), AFFINE, "other")
    a_panel.will("done", "done")
    a_panel.choose(inputVolume=a_node)
    ticks = a_panel.ui.furtherInputsList
    assert [ticks.item(row).text() for row in range(ticks.count)] == ["other"]
    ticks.item(0).setCheckState(qt.Qt.Checked)
    double.turn(80)
    assert list(a_panel.parameters.furtherInputs) == [other]
    assert "for the first of 2 volumes" in a_panel.ui.forecastLabel.text
    a_panel.run()
    assert {"head SRx4", "other SRx4"} <= set(volumes())
    assert a_panel.ui.resultLabel.text.startswith("2 of 2 volumes super-resolved.")


def test_a_cancelled_queue_counts_the_volumes_that_were_asked_for(a_panel, a_node) -> None:
    more = [add_volume(core.start(), np.ones(SHAPE, np.float32) * np.arange(11), AFFINE, name) for name in "bcde"]
    a_panel.will("done", "silent")
    a_panel.choose(inputVolume=a_node, furtherInputs=more)
    a_panel.click(a_panel.ui.applyButton)
    double.wait_until(lambda: len(a_panel.processes) == 2)
    double.turn(20)
    a_panel.run()
    first, *_done, cancelled, last = a_panel.ui.resultLabel.text.split("\n")
    assert first == "1 of 5 volumes super-resolved."
    assert cancelled == "b: Cancelled."
    assert last == "3 volumes were not started."
    assert "The scene is unchanged." not in a_panel.ui.resultLabel.text


def test_a_queue_without_any_result_says_once_that_the_scene_is_unchanged(a_panel, a_node) -> None:
    other = add_volume(core.start(), np.ones(SHAPE, np.float32) * np.arange(11), AFFINE, "other")
    a_panel.will("failed", "failed", "silent")
    a_panel.choose(inputVolume=a_node, furtherInputs=[other])
    a_panel.run()
    first, *_failed, last = a_panel.ui.resultLabel.text.split("\n")
    assert first == "0 of 2 volumes super-resolved."
    assert last.endswith("The scene is unchanged.")
    assert a_panel.ui.resultLabel.text.count("The scene is unchanged.") == 1
    a_panel.click(a_panel.ui.applyButton)
    double.turn(20)
    a_panel.run()
    assert a_panel.ui.resultLabel.text.endswith("1 volume was not started. The scene is unchanged.")


def test_a_run_ends_the_tile_that_is_timed(a_panel, a_node) -> None:
    a_panel.will("silent", "silent")
    a_panel.choose(inputVolume=a_node)
    a_panel.module.widget.panel._forecast.estimate()
    a_panel.click(a_panel.ui.applyButton)
    assert [process.was_killed for process in a_panel.processes] == [True, False], "the tile, and the run"


def test_a_preview_leaves_the_whole_result_in_the_views_and_the_comparison(a_panel, a_main_window, a_node) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    place_at_centre(roi, a_node)
    a_panel.will("done", "done", "done", "done")
    selection = slicer.app.applicationLogic().GetSelectionNode()

    def run(region: Region) -> str:
        a_panel.choose(inputVolume=a_node, region=region, roi=roi)
        a_panel.run()
        shown = slicer.mrmlScene.GetNodeByID(selection.GetActiveVolumeID()).GetName()
        assert f"{shown}: Shows input" in a_panel.ui.comparisonButton.toolTip
        return shown

    assert run(Region.ROI) == "head SRx4 preview", "where there is nothing else"
    assert run(Region.WHOLE) == "head SRx4"
    assert run(Region.ROI) == "head SRx4"
    assert "head SRx4 preview_1: done" in a_panel.ui.resultLabel.text
    assert run(Region.WHOLE) == "head SRx4_1"


def test_the_list_of_further_inputs_stays_where_it_was_scrolled_to(a_panel, a_node) -> None:
    for number in range(40):
        add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, f"volume {number}")
    a_panel.choose(inputVolume=a_node)
    a_panel.ui.advancedSection.collapsed = False
    double.turn(40)
    ticks = a_panel.ui.furtherInputsList
    last = ticks.item(39)
    ticks.scrollToItem(last)
    place = ticks.verticalScrollBar().value
    assert place > 0
    last.setCheckState(qt.Qt.Checked)
    double.turn(120)
    assert [node.GetName() for node in a_panel.parameters.furtherInputs] == ["volume 39"]
    assert (ticks.verticalScrollBar().value, ticks.item(39)) == (place, last)
    slicer.mrmlScene.GetFirstNodeByName("volume 39").SetName("renamed")
    double.wait_until(lambda: ticks.item(39).text() == "renamed", PATIENT)


def test_overlays_and_labels_of_the_views_stay_when_the_result_is_shown(a_panel, a_main_window, a_node) -> None:
    overlay = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "overlay")
    labels = add_volume(core.start(), np.ones(SHAPE, np.int16), AFFINE, "labels", "vtkMRMLLabelMapVolumeNode")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    for view in views:
        view.SetForegroundVolumeID(overlay.GetID())
        view.SetLabelVolumeID(labels.GetID())
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    shown = {slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID()).GetName() for view in views}
    assert shown == {"head SRx4"}
    assert {view.GetForegroundVolumeID() for view in views} == {overlay.GetID()}
    assert {view.GetLabelVolumeID() for view in views} == {labels.GetID()}


def test_settings_reach_the_worker(a_panel, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, tiling=Tiling.WINDOW, windowSize=16, dataConsistency=DataConsistency.OFF)
    a_panel.ui.deviceSelector.currentIndex = a_panel.ui.deviceSelector.count - 1
    a_panel.run()
    worker = a_panel.processes[0]
    assert (worker.option("window"), worker.option("device")) == ("16", "cpu")
    assert worker.option("data-consistency") == "off"
    assert Path(worker.option("model")).name == f"{MODEL}.safetensors"
    assert "Agreement with the scan was not checked" in a_panel.ui.resultLabel.text


def test_closing_the_scene_ends_the_run(a_panel, a_node) -> None:
    a_panel.will("silent")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    slicer.mrmlScene.Clear(False)
    double.turn(120)
    assert a_panel.processes[0].was_killed
    assert a_panel.ui.applyButton.text == "Super-resolve"
    assert not a_panel.ui.applyButton.enabled
    assert a_panel.ui.resultLabel.text == "head: The scene was closed, so the run was ended."


def test_deleting_the_input_ends_the_run_and_says_so(a_panel, a_node) -> None:
    a_panel.will("silent")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    slicer.mrmlScene.RemoveNode(a_node)
    double.turn(120)
    assert a_panel.processes[0].was_killed
    assert a_panel.ui.resultLabel.text == "head: head was deleted, so the run was ended."


def test_a_scene_that_is_closed_while_a_volume_is_degraded_is_not_called_unchanged(a_panel) -> None:
    a_panel.will("silent")
    a_panel.choose(inputVolume=add_volume(core.start(), np.ones((36, 40, 44), np.float32), AFFINE))
    a_panel.click(a_panel.ui.simulateButton)
    slicer.mrmlScene.Clear(False)
    assert a_panel.ui.resultLabel.text == "head: The scene was closed, so the run was ended."


def test_a_scene_whose_waiting_input_was_deleted_is_not_called_unchanged(a_panel, a_node) -> None:
    other = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "other")
    a_panel.will("failed", "done")
    a_panel.choose(inputVolume=a_node, furtherInputs=[other])
    a_panel.click(a_panel.ui.applyButton)
    slicer.mrmlScene.RemoveNode(other)
    double.wait_until(lambda: a_panel.ui.applyButton.text == "Super-resolve")
    assert a_panel.ui.resultLabel.text.endswith("\nother failed: other was deleted; choose a volume of the scene.")


def test_unloading_the_module_ends_the_run(monkeypatch, tmp_path) -> None:
    with loaded_module(monkeypatch, tmp_path) as module:
        panel = ThePanel(module)
        panel.will("silent")
        panel.choose(inputVolume=add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE))
        panel.click(panel.ui.applyButton)
    assert panel.processes[0].was_killed


def test_report_holds_versions_settings_figures_and_log(a_panel, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.ui.copyReportButton.click()
    text = slicer.app.clipboard().text()
    for part in (
        slicer.app.applicationVersion,
        "model mr-brain-x4",
        '"residual_rms_percent": 0.5',
        "warning: a warning",
    ):
        assert part in text
    assert str(slicer.app.temporaryPath) not in text
