"""The module's self-test: all but the network with a process that pretends, and the real worker where torch is."""
# ruff: noqa: PT009, PT027 - Slicer runs it with unittest, without pytest

import logging
import time
import unittest
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from SuperResolution3DLib.errors import CancelledError, InputError, SuperResolutionError
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.difference import difference_node
from SuperResolution3DSlicer.comparison.layout import comparison_views, layout_xml
from SuperResolution3DSlicer.comparison.overlay import lay_over, take_off
from SuperResolution3DSlicer.panel.choices import PUBLISHED_WINDOW, DataConsistency, Region
from SuperResolution3DSlicer.panel.model_file import model_of
from SuperResolution3DSlicer.runs.dependencies import missing_packages
from SuperResolution3DSlicer.runs.run import Follower
from SuperResolution3DSlicer.runs.volume_task import ZERO_FILLED_ROLE, Request, SuperResolution, latest_result
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.nodes import result_name
from SuperResolution3DSlicer.self_test.fake_process import CRASH, FAILURE, pretend

SHAPE = (7, 9, 8)  # (K, J, I)
OBLIQUE = np.array([[2.9, 0.4, 0.0, -30.0], [-0.4, 2.9, 0.0, 12.0], [0.0, 0.0, -3.3, 8.0], [0.0, 0.0, 0.0, 1.0]])
LONGEST_RUN_S = 600.0
LONGEST_CANCEL_S = 30.0  # two seconds are the aim; a loaded machine takes longer, one that hangs for ever


class SelfTest:
    """Independent test methods; mixed into a class of Slicer's, which brings the assertions."""

    newLogic: Callable[..., Any]
    """the module's logic class"""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(False)
        layout_manager = slicer.app.layoutManager()
        self.layout_before = None if layout_manager is None else layout_manager.layout

    def tearDown(self) -> None:
        slicer.mrmlScene.Clear(False)
        if self.layout_before is not None:
            slicer.app.layoutManager().setLayout(self.layout_before)

    def runTest(self, **kwargs: Any) -> None:
        """Run all ("Reload and Test"); a test that fails leaves nothing behind for the next."""
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            try:
                getattr(self, name)()
            except unittest.SkipTest as skipped:
                logging.warning("SKIPPED %s: %s", name, skipped)
            finally:
                self.tearDown()

    def test_result_covers_the_same_field_of_view(self) -> None:
        node = a_volume()
        result = self.newLogic(pretend("done")[0]).superResolve(node)
        np.testing.assert_allclose(world_bounds(result), world_bounds(node), atol=0.01)

    def test_result_is_named_and_placed_after_its_input(self) -> None:
        node = a_volume()
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        node.SetAndObserveTransformNodeID(transform.GetID())
        result = self.newLogic(pretend("done")[0]).superResolve(node)
        self.assertEqual(result.GetName(), result_name("head", model_of(None).card.scale))
        self.assertIs(result.GetParentTransformNode(), transform)
        self.assertEqual(result.GetAttribute("SuperResolution3D.Model"), model_of(None).card.name)
        self.assertIs(latest_result(node), result)

    def test_parameters_are_saved_with_the_scene(self) -> None:
        parameters = self.newLogic().getParameterNode()
        parameters.inputVolume = a_volume()
        parameters.region = Region.ROI
        parameters.dataConsistency = DataConsistency.PROJECT
        parameters.windowSize = 32
        scene = slicer.mrmlScene
        scene.SetSaveToXMLString(True)
        scene.Commit()
        text = scene.GetSceneXMLString()
        scene.SetSaveToXMLString(False)
        scene.Clear(False)
        self.assertEqual(self.newLogic().getParameterNode().windowSize, PUBLISHED_WINDOW)
        scene.SetLoadFromXMLString(True)
        scene.SetSceneXMLString(text)
        scene.Import()
        scene.SetLoadFromXMLString(False)
        loaded = self.newLogic().getParameterNode()
        self.assertEqual(loaded.inputVolume.GetName(), "head")
        self.assertEqual(loaded.region, Region.ROI)
        self.assertEqual(loaded.dataConsistency, DataConsistency.PROJECT)
        self.assertEqual(loaded.windowSize, 32)

    def test_failed_run_says_why_and_adds_nothing(self) -> None:
        self.check_that_nothing_is_added("failed", FAILURE)

    def test_crashed_run_says_so_and_adds_nothing(self) -> None:
        self.check_that_nothing_is_added("crashed", CRASH)

    def test_cancelled_run_ends_soon_and_adds_nothing(self) -> None:
        node = a_volume()
        before = num_volumes()
        new_process, made = pretend("silent")
        queue = self.newLogic(new_process).start([SuperResolution(Request(node, model_of(None)))], Follower())
        self.assertFalse(queue.is_over)
        queue.cancel()
        wait_for(lambda: queue.is_over, LONGEST_CANCEL_S)
        self.assertTrue(made[0].was_cancelled)
        self.assertEqual(queue.outcomes[0].state, "cancelled")
        self.assertEqual(num_volumes(), before)

    def test_run_ends_when_its_input_is_deleted(self) -> None:
        new_process, made = pretend("silent")
        node = a_volume()
        queue = self.newLogic(new_process).start([SuperResolution(Request(node, model_of(None)))], Follower())
        slicer.mrmlScene.RemoveNode(node)
        self.assertTrue(queue.is_over)
        self.assertTrue(made[0].was_killed)
        self.assertIn("head was deleted", queue.outcomes[0].sentence)

    def test_run_ends_when_the_scene_is_closed(self) -> None:
        new_process, made = pretend("silent")
        queue = self.newLogic(new_process).start([SuperResolution(Request(a_volume(), model_of(None)))], Follower())
        slicer.mrmlScene.Clear(False)
        self.assertTrue(queue.is_over)
        self.assertTrue(made[0].was_killed)

    def test_label_map_is_refused_in_one_sentence(self) -> None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        with self.assertRaises(SuperResolutionError) as caught:
            self.newLogic(pretend("done")[0]).superResolve(node)
        self.assertIn("label map", str(caught.exception))

    def test_low_resolution_is_added_beside_its_original(self) -> None:
        node = a_volume(tuple(4 * size for size in SHAPE))
        low = self.newLogic(pretend("done")[0]).simulateLowResolution(node)
        self.assertEqual(low.GetName(), "head LR")

    def test_layout_has_nine_views(self) -> None:
        views = list(ElementTree.fromstring(layout_xml()).iter("view"))
        self.assertEqual([view.get("singletontag") for view in views], [view.name for view in comparison_views()])
        self.assertEqual(len(views), 9)

    def test_comparison_shows_each_volume_in_its_row(self) -> None:
        """Without a main window, as in the continuous tests, it says that it needs one."""
        low, high = a_volume(), a_volume(tuple(2 * size for size in SHAPE))
        result = self.newLogic(pretend("done")[0]).superResolve(low)
        comparison = Comparison()
        if slicer.app.layoutManager() is None:
            with self.assertRaisesRegex(InputError, "main window"):
                comparison.show(low, result, high)
            return
        comparison.show(low, result, high)
        rows = {"LR": low, "SR": result, "Reference": high}
        for view in comparison_views():
            composite = slicer.mrmlScene.GetSingletonNode(view.name, "vtkMRMLSliceCompositeNode")
            self.assertEqual(composite.GetBackgroundVolumeID(), rows[view.row].GetID())
        comparison.close()

    def test_difference_is_laid_over_the_views_and_taken_off(self) -> None:
        """Without a main window there may be no view; the volume and its legend are made all the same."""
        node = a_volume()
        result = self.newLogic(pretend("done")[0]).superResolve(node, zeroFilled=True)
        before = foregrounds()
        difference = difference_node(result, result.GetNodeReference(ZERO_FILLED_ROLE), node)
        self.assertEqual(slicer.vtkSlicerColorLogic.GetNumberOfColorLegendDisplayNodes(difference), 1)
        lay_over(difference, 0.7)
        if before:
            self.assertIn(difference.GetID(), foregrounds())
        take_off(slicer.mrmlScene)
        self.assertEqual(foregrounds(), before)

    def test_real_worker_super_resolves_a_volume(self) -> None:
        """Skipped, and loudly, where torch or a model is missing."""
        missing = missing_packages()
        if missing:
            sentence = f"The real worker was NOT tried: {' and '.join(missing)} not installed"
            logging.warning(sentence)
            self.skipTest(sentence)
        node = a_volume()
        started = time.monotonic()
        result = self.newLogic().superResolve(node, device="cpu", zeroFilled=True)
        self.assertLess(time.monotonic() - started, LONGEST_RUN_S)
        scale = model_of(None).card.scale
        self.assertEqual(slicer.util.arrayFromVolume(result).size, np.prod(SHAPE) * np.prod(scale))
        np.testing.assert_allclose(world_bounds(result), world_bounds(node), atol=0.01)
        self.assertGreater(float(result.GetAttribute("SuperResolution3D.ResidualRmsPercent")), 0)

    def check_that_nothing_is_added(self, ending: str, sentence: str) -> None:
        node = a_volume()
        before = num_volumes()
        with self.assertRaises(SuperResolutionError) as caught:
            self.newLogic(pretend(ending)[0]).superResolve(node)
        self.assertEqual(str(caught.exception), sentence)
        self.assertNotIsInstance(caught.exception, CancelledError | InputError)
        self.assertEqual(num_volumes(), before)
        self.assertEqual(list(Path(slicer.app.temporaryPath).glob("SuperResolution3D-*")), [])


def a_volume(shape: tuple[int, ...] = SHAPE) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a smooth volume, "head", on an oblique, left-handed grid in the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "head")
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(OBLIQUE))
    k, j, i = np.meshgrid(*(np.linspace(0, 1, size) for size in shape), indexing="ij")
    voxels = 1000 * np.exp(-8 * ((k - 0.4) ** 2 + (j - 0.6) ** 2 + (i - 0.5) ** 2))
    slicer.util.updateVolumeFromArray(node, voxels.astype(np.float32))
    return node


def world_bounds(node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """Return the eight outer corners (8, 3) of a volume in RAS mm, sorted."""
    shape = slicer.util.arrayFromVolume(node).shape
    corners = [
        [i * shape[2] - 0.5, j * shape[1] - 0.5, k * shape[0] - 0.5, 1.0]
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    ]
    world = (node_affine(node) @ np.array(corners).T).T[:, :3]
    return world[np.lexsort(world.T.round(3))]


def foregrounds() -> list[str | None]:
    """Return what lies over the background of each slice view."""
    return [node.GetForegroundVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")]


def num_volumes() -> int:
    return len(slicer.util.getNodesByClass("vtkMRMLVolumeNode"))


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Let events be handled until something holds.

    Raises:
        TimeoutError: it does not after so many seconds.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"What was waited for did not come in {seconds:g} s")
        slicer.app.processEvents()
        time.sleep(0.005)
