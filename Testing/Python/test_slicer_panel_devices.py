"""The device in the panel: what is shown is what a run uses, and the forecast follows it."""

from pathlib import Path

import pytest
import slicer
from panel_fixtures import a_node, a_panel  # noqa: F401 (fixtures)

from Testing.Slicer import double
from Testing.Slicer.module import ThePanel

# isort: split
from SuperResolution3DSlicer.panel import device_choice
from SuperResolution3DSlicer.runs import dependencies

PATIENT = 120_000  # ms; other work may share the machine


@pytest.fixture
def a_driver(a_panel, tmp_path, monkeypatch) -> Path:
    """A driver with one GPU that the open panel has not asked yet; its answer comes while a file is there."""
    gate, program = tmp_path / "gate", tmp_path / "nvidia-smi"
    program.write_text(
        f"#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.01; done\nprintf '0, GPU-1, H200, 143771, 143000\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    a_panel.module.widget.panel._devices._program = str(program)
    return gate


def load(panel: ThePanel, device: str) -> None:
    """Take a device over from a scene."""
    panel.parameters.device = device
    panel.module.widget.onSceneEndClose(None, "")
    double.turn(80)


@pytest.mark.parametrize(("saved", "taken"), [("cuda:0", "cuda:0"), ("cuda:3", "auto"), ("cpu", "cpu")])
def test_the_device_of_a_scene_is_taken_where_it_is_there_and_shown_as_it_is_used(
    a_panel, a_node, a_driver, saved, taken
) -> None:
    load(a_panel, saved)
    assert a_panel.ui.deviceSelector.currentText.startswith(saved if saved != "cpu" else "CPU")
    a_panel.module.widget.panel._devices.look()
    a_driver.touch()
    double.wait_until(
        lambda: a_panel.ui.deviceSelector.count == 3 and "not looked for" not in a_panel.ui.deviceSelector.currentText
    )
    shown = a_panel.ui.deviceSelector.itemData(a_panel.ui.deviceSelector.currentIndex)
    assert (shown, a_panel.parameters.device) == (taken, taken)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    assert (a_panel.processes[0].option("device") or "auto") == taken
    load(a_panel, "cuda:3")
    assert (a_panel.ui.deviceSelector.currentIndex, a_panel.parameters.device) == (0, "auto")


@pytest.mark.parametrize(("asked", "taken"), [("cpu", "cpu"), ("cuda:0", "cuda:0"), ("cuda:3", "auto")])
def test_the_device_that_a_script_asks_for_outlives_the_drivers_answer_where_it_is_there(
    a_panel, a_driver, asked, taken
) -> None:
    a_panel.module.widget.panel._devices.look()
    a_panel.parameters.device = asked
    a_driver.touch()  # the answer may come before the panel shows what was asked for
    devices = a_panel.module.widget.panel._devices
    double.wait_until(lambda: devices.is_known)
    double.turn(80)
    assert (devices.current, a_panel.parameters.device) == (taken, taken)
    a_panel.choose(device="cuda:7")
    assert (devices.current, a_panel.parameters.device) == ("auto", "auto")


def test_the_forecast_follows_as_soon_as_the_gpus_are_known(a_panel, a_node, a_driver) -> None:
    a_panel.choose(inputVolume=a_node)
    before = a_panel.ui.forecastLabel.text
    a_panel.module.widget.panel._devices.look()
    a_driver.touch()
    double.wait_until(lambda: a_panel.ui.forecastLabel.text != before)


def test_opening_the_panel_and_choosing_a_volume_start_no_process(a_panel, a_node, monkeypatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(device_choice.DeviceChoice, "look", lambda *given: started.append("driver"))
    a_panel.will("silent")
    slicer.app.setTesting(False)
    a_panel.module.widget.enter()
    a_panel.choose(inputVolume=a_node)
    a_panel.module.widget.exit()
    a_panel.module.widget.enter()
    double.turn(80)
    assert (started, a_panel.processes) == ([], [])


def test_estimate_time_lists_the_gpus_first_and_then_times_a_tile(a_panel, a_node, a_driver, monkeypatch) -> None:
    monkeypatch.setattr(dependencies, "ensure_installed", lambda: None)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.estimateButton)
    double.turn(20)
    assert a_panel.processes == []
    a_driver.touch()
    double.wait_until(lambda: len(a_panel.processes) == 1, PATIENT)
    assert a_panel.ui.deviceSelector.count == 3
    assert not a_panel.ui.estimateButton.enabled
    double.wait_until(lambda: "timed on this computer" in a_panel.ui.forecastLabel.text, PATIENT)
    double.wait_until(lambda: a_panel.ui.estimateButton.enabled, PATIENT)


def test_the_first_run_lists_the_gpus(a_panel, a_node, a_driver) -> None:
    a_driver.touch()
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    double.wait_until(lambda: a_panel.ui.deviceSelector.count == 3, PATIENT)


def test_nothing_can_be_estimated_without_a_volume_or_beside_a_run(a_panel, a_node) -> None:
    assert not a_panel.ui.estimateButton.enabled
    a_panel.will("silent")
    a_panel.choose(inputVolume=a_node)
    assert a_panel.ui.estimateButton.enabled
    a_panel.click(a_panel.ui.applyButton)
    assert not a_panel.ui.estimateButton.enabled


def test_without_torch_the_estimate_says_so_and_starts_nothing(a_panel, a_node, monkeypatch) -> None:
    monkeypatch.setattr(dependencies, "missing_packages", lambda: ["safetensors"])
    a_panel.will("silent")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.estimateButton)
    assert "Not installed: safetensors" in a_panel.ui.resultLabel.text
    assert a_panel.processes == []
