"""Trials of the machine: made once, and again wherever what is remembered cannot be trusted."""

import json

import pytest
import torch

from SuperResolution3DLib.inference import bf16_trial, remembered_trials
from SuperResolution3DLib.inference.remembered_trials import cache_folder, remembered


@pytest.fixture
def a_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(remembered_trials.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "SuperResolution3D"


def asked_again(question="is it so"):
    """Return whether the trial was made, whose answer is no."""
    made = []
    assert remembered(question, lambda: bool(made.append(1))) in (True, False)
    return bool(made)


def test_a_trial_is_made_once(a_cache):
    assert remembered("is it so", lambda: True)
    assert remembered("is it so", lambda: pytest.fail("asked again"))
    (file,) = a_cache.iterdir()
    found = json.loads(file.read_text())
    assert (found["question"], found["answer"], found["torch"]) == ("is it so", True, str(torch.__version__))
    assert asked_again("is it otherwise")


def test_another_number_of_threads_another_processor_and_another_limit_are_tried_anew(a_cache, monkeypatch):
    assert asked_again() and not asked_again()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert asked_again() and not asked_again()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert asked_again()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert not asked_again()
    monkeypatch.setattr(remembered_trials, "_processor", lambda: "another")
    assert asked_again()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"answer": true}'])
def test_what_is_damaged_or_foreign_is_replaced(a_cache, content):
    remembered("is it so", lambda: True)
    (file,) = a_cache.iterdir()
    file.write_bytes(content)
    assert asked_again() and not asked_again()
    assert [path.name for path in a_cache.iterdir()] == [file.name]


def test_an_answer_that_is_no_truth_value_is_not_taken(a_cache):
    remembered("is it so", lambda: True)
    (file,) = a_cache.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"answer": 1}))
    assert asked_again()


def test_a_folder_that_cannot_be_made_stops_nobody(a_cache):
    a_cache.write_text("a file")
    assert asked_again() and asked_again()
    assert a_cache.read_text() == "a file"


def test_a_user_without_a_home_is_asked_each_time(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(remembered_trials, "cache_folder", nowhere)
    assert asked_again() and asked_again()


def test_each_system_has_its_own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(remembered_trials.Path, "home", lambda: tmp_path)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, "relative")  # the XDG specification: to be ignored
    for platform, folder in (("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")):
        monkeypatch.setattr(remembered_trials.sys, "platform", platform)
        assert cache_folder() == tmp_path / folder / "SuperResolution3D"


@pytest.mark.parametrize(("half", "full", "wanted"), [(1.0, 2.0, True), (2.0, 1.0, False), (1.0, 1.0, False)])
def test_bf16_is_taken_where_its_best_time_is_shorter(a_cache, monkeypatch, half, full, wanted):
    noise = iter(range(100))
    times = {torch.bfloat16: half, torch.float32: full}
    monkeypatch.setattr(bf16_trial, "_seconds", lambda volume, kernel: times[volume.dtype] + next(noise) // 4)
    assert bf16_trial.bf16_is_faster() == wanted
    monkeypatch.setattr(bf16_trial, "_seconds", lambda *_: pytest.fail("timed again"))
    assert bf16_trial.bf16_is_faster() == wanted


def test_a_library_without_bf16_takes_fp32(a_cache, monkeypatch):
    def unknown(*_):
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(bf16_trial, "_seconds", unknown)
    assert not bf16_trial.bf16_is_faster()
