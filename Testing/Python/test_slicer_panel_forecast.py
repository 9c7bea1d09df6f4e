"""The forecast before a run, and the timed tile behind it."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
from baseline_models import a_baseline_card

import Testing.Slicer.module  # noqa: F401 - installs the double
from SuperResolution3DLib.cli.super_resolve_job import Event, Progress, Started
from SuperResolution3DLib.inference.memory_plan import GIB, Run, host_bytes, plan_tiles
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import ModelCard, read_card
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.box import Shape, whole
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from Testing.Python.models import a_tiny_card, a_tiny_model_file
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume

# isort: split
import qt
from SuperResolution3DSlicer.forecast import forecast as forecast_module
from SuperResolution3DSlicer.forecast import speed as speed_module
from SuperResolution3DSlicer.forecast.display import ForecastDisplay
from SuperResolution3DSlicer.forecast.forecast import describe, duration, forecast
from SuperResolution3DSlicer.forecast.plan import Plan
from SuperResolution3DSlicer.forecast.speed import Speed, SpeedMeter, Work, load_speed, save_speed
from SuperResolution3DSlicer.forecast.speed_probe import TILE, TimedTile
from SuperResolution3DSlicer.runs.process import WorkerProcess
from SuperResolution3DSlicer.runs.volume_task import Request
from SuperResolution3DSlicer.self_test.fake_process import FAILURE, PretendProcess, pretend

PATIENT = 120_000  # ms; other work may share the machine
CARD = a_tiny_card((4, 2, 1), performance={"cpu_seconds_per_million_voxels": 2.0, "hardware": "a <small> laptop"})
# Sagittal slices: K runs along R, J along S, I along A, so the scale (S, A, R) = (4, 2, 1) is (K, J, I) = (1, 4, 2).
SAGITTAL = np.array([[0, 0, 3.0, 0], [1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1.0]])
PLAN = Plan(CARD, (10, 12, 14), SAGITTAL, itemsize=2)


@pytest.fixture
def plenty(monkeypatch) -> None:
    monkeypatch.setattr(forecast_module, "free_memory", lambda: 8 * GIB)


@pytest.fixture
def a_display(tmp_path) -> Iterator[tuple[ForecastDisplay, qt.QLabel, list[PretendProcess], InstalledModel]]:
    """Return a display, its label, the processes that it makes, and a model."""
    core.start().reset()
    slicer.app.userSettings().clear()
    new_process, made = pretend("done", "done")
    label = qt.QLabel()
    display = ForecastDisplay(label, new_process)
    path = a_tiny_model_file(tmp_path, (2, 2, 2))
    yield display, label, made, InstalledModel(path, read_card(path))
    display.stop()


def seconds(card: ModelCard, lr_shape: Shape) -> float:
    """Return what the card's figure says of a whole LR volume."""
    rate = card.performance["cpu_seconds_per_million_voxels"]
    return rate * math.prod(lr_shape) * math.prod(card.scale) / 1e6


# --- Sizes and memory ------------------------------------------------------------------------------------------------


def test_result_has_the_models_scale_in_the_files_order(plenty) -> None:
    result = forecast(PLAN, None)
    assert result.shape == (10, 48, 28)
    assert voxel_spacing(result.affine) == pytest.approx((3.0, 0.5, 0.5))
    assert result.result_bytes == 10 * 48 * 28 * 2


def test_region_and_zero_filled_volume_count(plenty) -> None:
    plan = Plan(CARD, (10, 12, 14), SAGITTAL, 2, region=np.s_[2:5, 0:12, 4:10], with_zero_filled=True)
    result = forecast(plan, None)
    assert result.shape == (3, 48, 12)
    assert result.result_bytes == 3 * 48 * 12 * 2 * 2
    assert result.memory_bytes < forecast(PLAN, None).memory_bytes


def test_time_is_the_cards_for_a_whole_volume(plenty) -> None:
    result = forecast(PLAN, Speed.of_card(CARD, "cpu"))
    computing = seconds(CARD, (12, 14, 10))
    assert result.seconds == pytest.approx(5.0 + computing * (1 + 8 / 88))
    assert not result.is_measured


def test_sliding_windows_take_longer_than_the_whole_volume(plenty) -> None:
    speed = Speed(0.0, 10.0, 10.0)
    windows = forecast(Plan(CARD, (10, 12, 14), SAGITTAL, 2, window=8, overlap=0.5), speed)
    # along (S, A, R) = (12, 14, 10) they begin at 0, 4; at 0, 4, 6; and at 0, 2
    assert windows.work == Work(2 * 3 * 2 * 8**3, 2 * 3 * 2 * 8**3 * 8, in_chosen_windows=True)
    assert windows.seconds > forecast(PLAN, speed).seconds


def test_only_windows_that_touch_the_region_are_forecast(plenty) -> None:
    flipped = SAGITTAL @ np.diag([1, -1, 1, 1])  # J runs against S: its first voxels are the last along S
    windows = replace(PLAN, window=8, overlap=0.5, region=np.s_[0:2, 0:2, 0:1])
    assert forecast(windows, None).work.trunk_voxels == 8**3  # S 0, A 0, R 0
    assert forecast(replace(windows, region=np.s_[0:2, 0:12, 0:1]), None).work.trunk_voxels == 2 * 8**3
    assert forecast(replace(windows, region=np.s_[0:3, 0:5, 0:1]), None).work.trunk_voxels == 4 * 8**3
    flipped_windows = replace(windows, affine=flipped, region=np.s_[0:3, 8:12, 0:1])
    assert forecast(flipped_windows, None).work.trunk_voxels == 2 * 8**3  # the last four along J: S 0 only


def test_a_network_that_needs_windows_is_forecast_in_them(plenty) -> None:
    plan = Plan(a_baseline_card("rcan"), (10, 12, 14), SAGITTAL, 2)
    assert forecast(plan, None).work == Work(12 * 8**3, 12 * 8**3 * 8)
    timed = replace(plan.card, performance={"cpu_seconds_per_million_voxels": 2.0})  # overlaps are in the card's figure
    by_card = forecast(replace(plan, card=timed), Speed.of_card(timed, "cpu"))
    assert by_card.seconds == pytest.approx(5.0 + seconds(timed, (12, 14, 10)) * (1 + 8 / 88))
    # a tile of 24 voxels: windows begin at 0, 4, 8, 12 and 16 along each axis
    assert TimedTile(Path("rcan"), plan.card, "cpu").work == Work(5**3 * 8**3, 5**3 * 8**3 * 8)


def test_overlap_that_is_not_given_is_forecast_as_the_published_one(a_display) -> None:
    _display, _label, _made, model = a_display
    node = add_volume(core.start(), np.ones((10, 12, 14), np.int16), np.diag([3.0, 3.0, 3.0, 1.0]))
    assert Request(node, model, window=8).plan().overlap == 0.625


def test_memory_that_is_not_there_is_a_problem_and_not_an_error(monkeypatch) -> None:
    monkeypatch.setattr(forecast_module, "free_memory", lambda: 100_000)
    result = forecast(PLAN, None)
    assert result.problem
    assert result.problem in describe(PLAN, result)


def test_windows_are_forecast_as_the_engine_plans_them(plenty) -> None:
    result = forecast(replace(PLAN, window=4), None)
    run = Run(CARD, (12, 14, 10), whole((12, 14, 10)), window=4)
    assert result.memory_bytes == plan_tiles(run, 4, GIB, on_cpu=True).peak_bytes
    assert forecast(replace(PLAN, window=4), None, gpu_free_bytes=GIB).memory_bytes == host_bytes(run, 2)


def test_free_memory_of_the_gpu_bounds_the_tiles_not_the_result(plenty) -> None:
    assert forecast(PLAN, None, gpu_free_bytes=50_000).problem
    assert not forecast(PLAN, None, gpu_free_bytes=GIB).problem


def test_description_names_size_memory_and_time(plenty) -> None:
    text = describe(PLAN, forecast(PLAN, Speed.of_card(CARD, "cpu")))
    assert "Result: 28 x 48 x 10 voxels of 0.5 x 0.5 x 3 mm (front-back, head-foot, through-plane), 1 MiB" in text
    assert "of 8.0 GiB free" in text
    assert "(measured for the model on a <small> laptop)" in text
    with_zero_filled = replace(PLAN, with_zero_filled=True)
    assert ", 1 MiB with the zero-filled volume" in describe(with_zero_filled, forecast(with_zero_filled, None))
    assert "timed on this computer" in describe(PLAN, forecast(PLAN, Speed(1, 1, 1)))
    assert "not known" in describe(PLAN, forecast(PLAN, Speed.of_card(CARD, "cuda")))


def test_a_trust_map_takes_nine_passes_and_the_memory_of_its_signals(plenty) -> None:
    plan, speed = replace(PLAN, with_trust_map=True), Speed(5.0, 2e5, 1e5)
    alone, with_map = forecast(PLAN, speed, GIB), forecast(plan, speed, GIB)
    assert with_map.seconds - speed.start == pytest.approx(9 * (alone.seconds - speed.start))
    voxels = math.prod(alone.shape)
    assert with_map.result_bytes - alone.result_bytes == voxels
    assert with_map.memory_bytes > alone.memory_bytes
    assert describe(plan, with_map).splitlines()[0].endswith(" MiB and the trust map")


@pytest.mark.parametrize(
    ("given", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")]
)
def test_times_are_said_as_people_say_them(given, text) -> None:
    assert duration(given) == text


# --- Speed -----------------------------------------------------------------------------------------------------------


def test_speed_is_measured_from_the_events_of_a_run() -> None:
    now = [0.0]
    meter = SpeedMeter(lambda: now[0])
    events = [
        (0.5, Started(1)),
        (1.0, Progress("read", 0, 2, None)),
        (3.0, Progress("trunk", 0, 4, None)),
        (7.0, Progress("trunk", 4, 4, None)),
        (7.5, Progress("tail", 0, 2, None)),
        (9.5, Progress("tail", 2, 2, None)),
        (10.0, Progress("write", 1, 1, None)),
    ]
    for at, event in events:
        now[0] = at
        meter.hear(event)
    speed = meter.speed(Work(2_000_000, 4_000_000))
    assert speed == Speed(3.5, 2.0, 0.5)
    assert speed.seconds(Work(1_000_000, 2_000_000)) == pytest.approx(3.5 + 3 * (1 + 8 / 88))
    now[0] = 10.75
    meter.end()
    assert meter.speed(Work(2_000_000, 4_000_000)) == Speed(4.25, 2.0, 0.5)


def test_run_that_did_not_reach_the_tail_has_no_speed() -> None:
    meter = SpeedMeter()
    meter.hear(Progress("trunk", 0, 4, None))
    assert meter.speed(Work(1, 1)) is None


def test_run_in_windows_that_were_asked_for_has_no_speed() -> None:
    assert a_meter_of(Progress("tail", 0, 8, None), Progress("tail", 8, 8, None)).speed(Work(1, 1, True)) is None


def test_run_that_ran_out_of_memory_has_no_speed() -> None:
    steps = [Progress("trunk", 0, 4, None), Progress("tail", 2, 2, None)]
    assert a_meter_of(*steps).speed(Work(1, 1)) is not None
    assert a_meter_of(*steps, Warned("window", {}, "other windows")).speed(Work(1, 1)) is not None
    assert a_meter_of(Warned("memory-halved", {"device": "CPU"}), *steps).speed(Work(1, 1)) is None


def a_meter_of(*events: Event) -> SpeedMeter:
    meter = SpeedMeter()
    for event in events:
        meter.hear(event)
    return meter


def test_measured_speed_is_kept_by_model_and_device() -> None:
    slicer.app.userSettings().clear()
    save_speed(CARD, "cpu", Speed(1.0, 2.0, 3.0))
    assert load_speed(CARD, "cpu") == Speed(1.0, 2.0, 3.0)
    assert load_speed(CARD, "cuda:0") is None


@pytest.mark.parametrize("text", ['{"start": 1, "old": 2}', "[1, 2]", "1.5 s"])
def test_a_speed_that_another_version_kept_counts_as_not_measured(text) -> None:
    slicer.app.userSettings().setValue(speed_module._key(CARD, "cpu"), text)
    assert load_speed(CARD, "cpu") is None


# --- The timed tile --------------------------------------------------------------------------------------------------


def test_tile_is_timed_on_request_and_the_forecast_says_so(a_display, plenty) -> None:
    display, label, made, model = a_display
    plan = Plan(model.card, (10, 12, 14), SAGITTAL, 2)
    before = slicer.mrmlScene.GetNumberOfNodes()
    display.show(plan, model, "auto", None)
    assert "not known" in label.text
    display.estimate()
    assert "Timing one tile" in label.text
    display.estimate()
    double.wait_until(lambda: "timed on this computer" in label.text, PATIENT)
    assert len(made) == 1
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    display.show(plan, model, "auto", None)
    assert len(made) == 1


def test_tile_that_failed_says_why_and_may_be_timed_again(a_display, plenty) -> None:
    display, label, _made, model = a_display
    display._new_process = pretend("failed", "done")[0]
    display.show(Plan(model.card, (10, 12, 14), SAGITTAL, 2), model, "auto", None)
    display.estimate()
    double.wait_until(lambda: not display.is_timing, PATIENT)
    assert label.text.endswith(f"The time could not be measured: {FAILURE}.")
    assert "not known" in label.text
    display.estimate()
    double.wait_until(lambda: "timed on this computer" in label.text, PATIENT)
    assert "could not be measured" not in label.text


def test_stopping_ends_the_tile_which_may_be_timed_later(a_display, plenty) -> None:
    display, label, _made, model = a_display
    display._new_process, made = pretend("silent", "done")
    display.show(Plan(model.card, (10, 12, 14), SAGITTAL, 2), model, "auto", None)
    display.estimate()
    display.stop()
    assert made[0].was_killed
    assert not display.is_timing
    assert "could not be measured" not in label.text
    display.estimate()
    double.wait_until(lambda: load_speed(model.card, "auto") is not None, PATIENT)


def test_without_a_run_to_forecast_nothing_is_timed(a_display) -> None:
    display, label, made, _model = a_display
    display.estimate()
    assert (made, label.text) == ([], "")


def test_real_worker_times_a_tile(a_display, plenty) -> None:
    display, label, _made, model = a_display
    display._new_process = WorkerProcess
    display.show(Plan(model.card, (10, 12, 14), SAGITTAL, 2), model, "cpu", None)
    display.estimate()
    double.wait_until(lambda: "timed on this computer" in label.text, PATIENT)
    speed = load_speed(model.card, "cpu")
    assert speed.start > 0
    assert speed.trunk > 0
    assert speed.tail > 0


def test_tile_is_a_whole_run_on_noise(tmp_path) -> None:
    path = a_tiny_model_file(tmp_path, (2, 2, 2))
    task = TimedTile(path, read_card(path), "cpu")
    arguments = task.prepare(tmp_path)
    assert arguments[-2:] == ["tile.nrrd", "result.nrrd"]
    assert (tmp_path / "tile.nrrd").stat().st_size > 4 * TILE**3
    assert task.work == Work(TILE**3, 8 * TILE**3)
