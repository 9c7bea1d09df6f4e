"""The list of devices: GPUs by name and memory, without torch."""

import pytest

import Testing.Slicer.module  # noqa: F401 - installs the double
from Testing.Slicer import double

# isort: split
import qt
from SuperResolution3DSlicer.panel.device_choice import DeviceChoice, parse_gpus

ANSWER = """\
0, GPU-8e1b2c3d, NVIDIA H200, 143771, 143000
1, GPU-8e9f0a1b, NVIDIA RTX A2000, 6138, 512
broken line
"""


def test_gpus_are_read_from_the_drivers_answer() -> None:
    gpus = parse_gpus(ANSWER)
    assert [(gpu.index, gpu.name) for gpu in gpus] == [(0, "NVIDIA H200"), (1, "NVIDIA RTX A2000")]
    assert gpus[1].free_bytes == 512 * 1024**2


def test_gpus_whose_memory_is_not_told_are_listed_by_name() -> None:
    (gpu,) = parse_gpus("0, GPU-8e1b2c3d, NVIDIA GB10, [N/A], [N/A]\n")
    assert (gpu.index, gpu.label, gpu.free_bytes) == (0, "NVIDIA GB10", None)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("GPU-8e9f0a1b", ["NVIDIA RTX A2000"]),
        ("GPU-8e9, 0", ["NVIDIA RTX A2000", "NVIDIA H200"]),
        ("GPU-8e", []),  # of both
        ("1,7,0", ["NVIDIA RTX A2000"]),  # CUDA stops at what is not there
        ("-1", []),
        ("", []),
    ],
)
def test_visible_gpus_are_named_by_number_or_uuid(visible, names) -> None:
    gpus = parse_gpus(ANSWER, visible)
    assert [gpu.name for gpu in gpus] == names
    assert [gpu.index for gpu in gpus] == list(range(len(names)))


def test_hidden_gpus_are_left_out_and_the_others_count_from_0() -> None:
    gpus = parse_gpus(ANSWER, visible="1")
    assert [(gpu.index, gpu.name) for gpu in gpus] == [(0, "NVIDIA RTX A2000")]


@pytest.fixture
def a_driver(tmp_path) -> str:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{ANSWER}'\n")
    program.chmod(0o755)
    return str(program)


def test_gpus_appear_by_name_and_memory_when_the_driver_answers(a_driver, monkeypatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    combo = qt.QComboBox()
    devices = DeviceChoice(combo, program=a_driver)
    devices.select("cpu")
    devices.look()
    assert combo.count == 2  # nothing waits for the driver
    double.wait_until(lambda: combo.count == 4)
    assert combo.itemText(2) == "NVIDIA RTX A2000, 6 GiB (0 GiB free)"
    assert devices.current == "cpu"
    assert devices.current_gpu is None
    devices.select("cuda:1")
    assert devices.current_gpu.name == "NVIDIA RTX A2000"
    devices.select("auto")
    assert devices.current_gpu.name == "NVIDIA H200"


def test_without_a_driver_there_is_the_cpu() -> None:
    combo = qt.QComboBox()
    devices = DeviceChoice(combo, program="/nowhere/nvidia-smi")
    devices.look()
    double.turn(50)
    assert [combo.itemData(index) for index in range(combo.count)] == ["auto", "cpu"]
    assert devices.current_gpu is None


def test_device_of_another_computer_becomes_automatic_when_the_driver_has_answered(a_driver) -> None:
    combo = qt.QComboBox()
    devices = DeviceChoice(combo, program=a_driver)
    devices.select("cuda:3")
    assert (devices.current, combo.currentText) == ("cuda:3", "cuda:3 (not looked for yet)")
    devices.look()
    double.wait_until(lambda: devices.is_known)
    assert (devices.current, combo.currentIndex) == ("auto", 0)
    devices.select("cuda:3")
    assert devices.current == "auto"


def test_a_chosen_gpu_stays_chosen_when_the_driver_answers(a_driver, monkeypatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = DeviceChoice(qt.QComboBox(), program=a_driver)
    devices.select("cuda:1")
    devices.look()
    double.wait_until(lambda: devices.is_known)
    assert devices.current == "cuda:1"
    assert devices.current_gpu.name == "NVIDIA RTX A2000"


def test_a_choice_and_the_answer_are_heard_of_and_a_selection_by_the_program_is_not(a_driver) -> None:
    heard: list[str] = []
    combo = qt.QComboBox()
    devices = DeviceChoice(
        combo, lambda: heard.append(devices.current), lambda: heard.append("known"), program=a_driver
    )
    devices.select("cpu")
    assert heard == []
    combo.currentIndex = 0
    assert heard == ["auto"]
    devices.look()
    double.wait_until(lambda: devices.is_known)
    assert heard == ["auto", "known"]
