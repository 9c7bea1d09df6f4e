"""The module's own self-test, run through the double in both of Slicer's ways."""

import logging
import unittest
from collections.abc import Iterator
from pathlib import Path

import pytest
import slicer

from Testing.Slicer import core, double
from Testing.Slicer.module import loaded_module


@pytest.fixture
def a_module(monkeypatch, tmp_path: Path) -> Iterator[double.LoadedModule]:
    with loaded_module(monkeypatch, tmp_path) as module:
        yield module


@pytest.mark.parametrize("main_window", [False, True], ids=["no main window", "main window"])
def test_self_test_passes_and_skips_nothing(a_module, main_window) -> None:
    if main_window:
        slicer.app.setLayoutManager(slicer.qSlicerLayoutManager(core.start()))
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(a_module.python.SuperResolution3DTest)
    result = unittest.TestResult()
    suite.run(result)
    double.raise_slot_errors()
    assert [text for _case, text in (*result.failures, *result.errors)] == []
    assert result.skipped == []
    assert result.testsRun >= 13


def test_self_test_passes_through_reload_and_test(a_module, monkeypatch, caplog) -> None:
    from SuperResolution3DSlicer.self_test import self_test

    monkeypatch.setattr(self_test, "missing_packages", lambda: ["torch"])
    with caplog.at_level(logging.WARNING):
        a_module.python.SuperResolution3DTest().runTest()
    assert "SKIPPED test_real_worker_super_resolves_a_volume" in caplog.text
    assert "The real worker was NOT tried: torch not installed" in caplog.text


def test_self_test_leaves_the_layout_as_it_was(a_module, monkeypatch) -> None:
    monkeypatch.setattr("SuperResolution3DSlicer.self_test.self_test.missing_packages", lambda: ["torch"])
    manager = slicer.qSlicerLayoutManager(core.start())
    slicer.app.setLayoutManager(manager)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    a_module.python.SuperResolution3DTest().runTest()
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_every_method_whose_name_holds_test_is_one(a_module) -> None:
    case = a_module.python.SuperResolution3DTest
    named = [name for name in dir(case) if "test" in name and callable(getattr(case, name))]
    assert [name for name in named if not name.startswith("test_")] == []


def test_a_cancelled_run_that_hangs_is_heard_of(a_module, monkeypatch) -> None:
    monkeypatch.setattr("SuperResolution3DSlicer.self_test.self_test.LONGEST_CANCEL_S", 0.2)
    monkeypatch.setattr("SuperResolution3DSlicer.self_test.fake_process.PretendProcess.cancel", lambda process: None)
    case = a_module.python.SuperResolution3DTest("test_cancelled_run_ends_soon_and_adds_nothing")
    result = unittest.TestResult()
    case.run(result)
    assert ["did not come in 0.2 s" in text for _case, text in result.errors] == [True]


def test_a_failing_self_test_is_heard_of(a_module, monkeypatch) -> None:
    case = a_module.python.SuperResolution3DTest

    def fail(self: unittest.TestCase) -> None:
        self.fail("on purpose")

    monkeypatch.setattr(case, "test_layout_has_nine_views", fail)
    monkeypatch.setattr("SuperResolution3DSlicer.self_test.self_test.missing_packages", lambda: ["torch"])
    with pytest.raises(AssertionError, match="on purpose"):
        case().runTest()
