"""The module's logic: runs in Slicer's own scene, with a process that pretends."""

from pathlib import Path

import numpy as np
import pytest
import slicer
from logic_fixtures import RIGHT, SHAPE, a_core, a_model, a_node, node_names  # noqa: F401 (fixtures)

import Testing.Slicer.module  # noqa: F401 - installs the double
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.errors import CancelledError, OutputError, SuperResolutionError
from Testing.Slicer import double
from Testing.Slicer.volumes import add_volume, voxel_positions

# isort: split
from SuperResolution3DSlicer.runs import volume_task as super_resolution
from SuperResolution3DSlicer.runs.run import Follower, Status
from SuperResolution3DSlicer.runs.volume_task import (
    INPUT_ROLE,
    ZERO_FILLED_ROLE,
    Request,
    SuperResolution,
    latest_result,
)
from SuperResolution3DSlicer.self_test.fake_process import CRASH, FAILURE, pretend

from SuperResolution3D import SuperResolution3DLogic

# --- One run ---------------------------------------------------------------------------------------------------------


def test_result_says_how_it_came_about(a_node, a_model) -> None:
    result = SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, str(a_model.path))
    assert result.GetName() == "head SRx2"
    about = {name: result.GetAttribute(f"SuperResolution3D.{name}") for name in ("Model", "Device", "Grid", "Scale")}
    assert about == {"Model": "tiny", "Device": "CPU", "Grid": "center", "Scale": "2 2 2"}
    assert len(result.GetAttribute("SuperResolution3D.ModelSha256")) == 64
    assert result.GetAttribute("SuperResolution3D.ResidualRmsPercent") == "0.5"
    assert result.GetAttribute("SuperResolution3D.SlicerVersion") == slicer.app.applicationVersion
    assert Report.from_json(result.GetAttribute("SuperResolution3D.Report"), "the node").model == "tiny"
    assert result.GetNodeReference(INPUT_ROLE) is a_node
    assert latest_result(a_node) is result


def test_settings_reach_the_workers_command_line(a_node, a_model) -> None:
    new_process, made = pretend("done")
    SuperResolution3DLogic(new_process).superResolve(
        a_node, str(a_model.path), device="cuda:1", dataConsistency="project", window=8, overlap=0.25, zeroFilled=True
    )
    worker = made[0]
    options = {name: worker.option(name) for name in ("device", "data-consistency", "window", "overlap")}
    assert options == {"device": "cuda:1", "data-consistency": "project", "window": "8", "overlap": "0.25"}
    assert worker.option("zero-filled").endswith("zero-filled.nrrd")
    assert "--events" in worker.arguments


def test_roi_becomes_the_workers_region(a_node, a_model) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize([10.0, 10.0, 10.0])
    roi.SetCenter(list(voxel_positions(a_node)[4, 6, 5]))
    new_process, made = pretend("done")
    result = SuperResolution3DLogic(new_process).superResolve(a_node, str(a_model.path), roiNode=roi, zeroFilled=True)
    region = [tuple(map(int, part.split(":"))) for part in made[0].option("region").split(",")]
    assert all(start <= middle < stop for (start, stop), middle in zip(region, (4, 6, 5), strict=True))
    assert result.GetName() == "head SRx2 preview"
    assert result.GetNodeReference(ZERO_FILLED_ROLE).GetName() == "head zero-filled preview"


def test_zero_filled_volume_is_kept_with_the_result(a_node, a_model) -> None:
    result = SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, str(a_model.path), zeroFilled=True)
    zero_filled = result.GetNodeReference(ZERO_FILLED_ROLE)
    assert zero_filled.GetName() == "head zero-filled"
    assert latest_result(a_node) is result


def test_chosen_output_is_replaced_and_no_other_node_appears(a_core, a_node, a_model) -> None:
    output = add_volume(a_core, np.zeros((2, 2, 2), np.int16), RIGHT, "mine")
    before = node_names()
    result = SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, str(a_model.path), outputNode=output)
    assert result is output
    assert output.GetName() == "mine"
    assert slicer.util.arrayFromVolume(output).shape == tuple(2 * size for size in SHAPE)
    assert node_names() == before


def test_the_zero_filled_volume_of_an_output_is_replaced_with_it(a_core, a_node, a_model) -> None:
    other = add_volume(a_core, np.ones((5, 6, 7), np.float32), RIGHT, "other")
    logic = SuperResolution3DLogic(pretend("done", "done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    zero_filled, before = output.GetNodeReference(ZERO_FILLED_ROLE), node_names()
    logic.superResolve(a_node, str(a_model.path), zeroFilled=True, outputNode=output)
    assert node_names() == before
    logic.superResolve(other, str(a_model.path), zeroFilled=True, outputNode=output)
    assert len(node_names()) == len(before)
    assert output.GetNodeReference(ZERO_FILLED_ROLE) is zero_filled
    assert zero_filled.GetName() == "other zero-filled"
    assert slicer.util.arrayFromVolume(zero_filled).shape == (10, 12, 14)


def test_a_zero_filled_volume_that_is_the_input_is_not_replaced(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    zero_filled = output.GetNodeReference(ZERO_FILLED_ROLE)
    voxels = slicer.util.arrayFromVolume(zero_filled).copy()
    logic.superResolve(zero_filled, str(a_model.path), zeroFilled=True, outputNode=output)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(zero_filled), voxels)
    assert output.GetNodeReference(ZERO_FILLED_ROLE).GetName() == "head zero-filled zero-filled"


def test_an_output_that_is_replaced_is_the_latest_result_though_others_were_added_after_it(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done", "done")[0])
    first, second = (logic.superResolve(a_node, str(a_model.path)) for _ in range(2))
    assert latest_result(a_node) is second
    logic.superResolve(a_node, str(a_model.path), outputNode=first)
    assert latest_result(a_node) is first


def test_output_that_is_deleted_during_the_run_becomes_a_new_volume(a_core, a_node, a_model) -> None:
    output = add_volume(a_core, np.zeros((2, 2, 2), np.int16), RIGHT, "mine")
    request = Request(a_node, a_model, output_node=output)
    queue = SuperResolution3DLogic(pretend("done")[0]).start([SuperResolution(request)], Follower())
    slicer.mrmlScene.RemoveNode(output)
    double.wait_until(lambda: queue.is_over)
    assert queue.outcomes[0].node.GetName() == "head SRx2"


def test_progress_and_log_are_followed_until_the_end(a_node, a_model) -> None:
    seen: list[Status] = []
    lines: list[str] = []
    queue = SuperResolution3DLogic(pretend("done")[0]).start(
        [SuperResolution(Request(a_node, a_model))],
        Follower(log=lines.append),
        on_status=lambda position, status: seen.append(status) if status else None,
    )
    double.wait_until(lambda: queue.is_over)
    assert [status.stage for status in seen] == ["read", "trunk", "tail"]
    assert [status.seconds_left for status in seen] == [None, 4.0, 1.0]
    assert 0 < seen[1].share < seen[2].share <= 1
    assert lines == ["warning: a warning"]


# --- Ends without a result -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "sentence"), [("failed", FAILURE), ("crashed", CRASH)])
def test_failure_is_one_sentence_and_leaves_the_scene_untouched(a_node, a_model, ending, sentence) -> None:
    before = node_names()
    with pytest.raises(SuperResolutionError) as caught:
        SuperResolution3DLogic(pretend(ending)[0]).superResolve(a_node, str(a_model.path))
    assert str(caught.value) == sentence
    assert node_names() == before


def test_full_disk_before_the_run_is_one_sentence(a_node, a_model, monkeypatch) -> None:
    def full(node: object, path: Path) -> None:
        raise OutputError("head cannot be written; free some space on that disk")

    monkeypatch.setattr(super_resolution, "write_node", full)
    new_process, made = pretend("done")
    with pytest.raises(SuperResolutionError, match="free some space"):
        SuperResolution3DLogic(new_process).superResolve(a_node, str(a_model.path))
    assert made[0].arguments == []


def test_temporary_folder_that_cannot_be_written_to_is_one_sentence(a_node, a_model, monkeypatch) -> None:
    def full(**values: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("SuperResolution3DSlicer.runs.folder.tempfile.mkdtemp", full)
    with pytest.raises(SuperResolutionError, match=r"No space left on device.*free some space"):
        SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, str(a_model.path))


@pytest.mark.parametrize(("name", "told"), [("result", "the result"), ("zero-filled", "the zero-filled volume")])
def test_result_that_was_cut_short_changes_nothing_not_even_the_other_volume(
    a_core, a_node, a_model, monkeypatch, name, told
) -> None:
    output = add_volume(a_core, np.zeros((2, 2, 2), np.int16), RIGHT, "mine")
    finish, before = super_resolution.SuperResolution.finish, node_names()

    def cut_then_finish(task: SuperResolution, folder: Path, report: Report) -> object:
        result = folder / f"{name}.nrrd"
        result.write_bytes(result.read_bytes()[:-100])
        return finish(task, folder, report)

    monkeypatch.setattr(super_resolution.SuperResolution, "finish", cut_then_finish)
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    for output_node in (None, output):
        with pytest.raises(SuperResolutionError, match=f"{told} of head is missing or incomplete"):
            logic.superResolve(a_node, str(a_model.path), zeroFilled=True, outputNode=output_node)
    assert node_names() == before
    assert slicer.util.arrayFromVolume(output).shape == (2, 2, 2)


def test_error_of_ours_while_taking_over_is_told_and_logged(a_node, a_model, monkeypatch) -> None:
    def broken(task: object, folder: Path, report: Report) -> None:
        raise KeyError("scale")

    monkeypatch.setattr(super_resolution.SuperResolution, "finish", broken)
    lines: list[str] = []
    queue = SuperResolution3DLogic(pretend("done")[0]).start(
        [SuperResolution(Request(a_node, a_model))], Follower(log=lines.append)
    )
    double.wait_until(lambda: queue.is_over)
    assert queue.outcomes[0].state == "failed"
    assert any("KeyError" in line and "Traceback" in line for line in lines)


def test_cancel_raises_for_a_script(a_node, a_model) -> None:
    new_process, made = pretend("silent")
    logic = SuperResolution3DLogic(new_process)
    import qt

    qt.QTimer.singleShot(20, lambda: made[0].cancel())
    with pytest.raises(CancelledError):
        logic.superResolve(a_node, str(a_model.path))


def test_deleting_another_volume_leaves_the_run_alone(a_core, a_node, a_model) -> None:
    other = add_volume(a_core, np.zeros((2, 2, 2), np.int16), RIGHT, "other")
    queue = SuperResolution3DLogic(pretend("done")[0]).start([SuperResolution(Request(a_node, a_model))], Follower())
    slicer.mrmlScene.RemoveNode(other)
    double.wait_until(lambda: queue.is_over)
    assert queue.outcomes[0].state == "done"


def test_quitting_the_application_ends_the_worker(a_node, a_model) -> None:
    new_process, made = pretend("silent")
    queue = SuperResolution3DLogic(new_process).start([SuperResolution(Request(a_node, a_model))], Follower())
    slicer.app.aboutToQuit.emit()
    assert made[0].was_killed
    assert queue.is_over


def test_a_run_that_never_answers_leaves_the_event_loop_turning(a_node, a_model) -> None:
    import qt

    queue = SuperResolution3DLogic(pretend("silent")[0]).start([SuperResolution(Request(a_node, a_model))], Follower())
    fired: list[bool] = []
    qt.QTimer.singleShot(100, lambda: fired.append(True))
    double.wait_until(lambda: bool(fired))
    assert not queue.is_over
    queue.abandon("enough")


# --- Several runs ----------------------------------------------------------------------------------------------------


def test_runs_follow_one_another_and_a_failure_does_not_stop_them(a_core, a_model) -> None:
    nodes = [add_volume(a_core, np.ones(SHAPE, np.float32), RIGHT, name) for name in ("a", "b", "c")]
    new_process, made = pretend("done", "failed", "done")
    seen: list[tuple[str, int, int]] = []
    queue = SuperResolution3DLogic(new_process).start(
        [SuperResolution(Request(node, a_model)) for node in nodes],
        Follower(),
        on_status=lambda position, status: seen.append((position.title, position.number, len(made))),
    )
    double.wait_until(lambda: queue.is_over)
    assert [outcome.state for outcome in queue.outcomes] == ["done", "failed", "done"]
    assert list(dict.fromkeys(entry[:2] for entry in seen)) == [("a", 1), ("b", 2), ("c", 3)]
    assert all(num_made <= number for _title, number, num_made in seen)  # never two at once


def test_cancel_starts_no_further_run(a_core, a_model) -> None:
    nodes = [add_volume(a_core, np.ones(SHAPE, np.float32), RIGHT, name) for name in ("a", "b")]
    new_process, made = pretend("silent", "done")
    ends: list[list] = []
    queue = SuperResolution3DLogic(new_process).start(
        [SuperResolution(Request(node, a_model)) for node in nodes], Follower(), on_end=ends.append
    )
    queue.cancel()
    double.wait_until(lambda: queue.is_over)
    assert len(made) == 1
    assert [outcome.state for outcome in ends[0]] == ["cancelled"]


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (lambda: slicer.mrmlScene.Clear(False), "The scene was closed, so the run was ended."),
        (lambda: slicer.app.aboutToQuit.emit(), "The application quits, so the run was ended."),
    ],
    ids=["closed scene", "quit"],
)
def test_closing_the_scene_and_quitting_start_no_further_run(a_core, a_model, end, sentence) -> None:
    nodes = [add_volume(a_core, np.ones(SHAPE, np.float32), RIGHT, name) for name in ("a", "b")]
    new_process, made = pretend("silent", "silent")
    queue = SuperResolution3DLogic(new_process).start(
        [SuperResolution(Request(node, a_model)) for node in nodes], Follower()
    )
    end()
    assert queue.is_over
    assert [worker.was_killed for worker in made] == [True]
    assert [outcome.sentence for outcome in queue.outcomes] == [sentence]


def test_an_input_that_is_deleted_while_it_waits_is_not_computed(a_core, a_model) -> None:
    nodes = [add_volume(a_core, np.ones(SHAPE, np.float32), RIGHT, name) for name in ("a", "b", "c")]
    new_process, made = pretend("done", "done", "done")
    queue = SuperResolution3DLogic(new_process).start(
        [SuperResolution(Request(node, a_model)) for node in nodes], Follower()
    )
    slicer.mrmlScene.RemoveNode(nodes[1])
    double.wait_until(lambda: queue.is_over)
    assert [outcome.state for outcome in queue.outcomes] == ["done", "failed", "done"]
    assert queue.outcomes[1].sentence == "b was deleted; choose a volume of the scene."
    assert made[1].arguments == []
