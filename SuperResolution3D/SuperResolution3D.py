"""Super-resolution of MR and CT volumes in 3D Slicer: module, panel, logic and self-test."""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

try:
    import SuperResolution3DLib
except ModuleNotFoundError:  # a source tree: the library lies beside this module's folder, not in it
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import SuperResolution3DLib

from SuperResolution3DSlicer.comparison.comparison import register_layout
from SuperResolution3DSlicer.panel.model_file import model_of
from SuperResolution3DSlicer.panel.panel import Panel
from SuperResolution3DSlicer.runs.folder import sweep
from SuperResolution3DSlicer.runs.low_resolution_task import LowResolution
from SuperResolution3DSlicer.runs.outcome import Outcome
from SuperResolution3DSlicer.runs.process import Process, WorkerProcess
from SuperResolution3DSlicer.runs.queue import RunQueue
from SuperResolution3DSlicer.runs.run import Follower
from SuperResolution3DSlicer.runs.task import Task
from SuperResolution3DSlicer.runs.volume_task import Request, SuperResolution
from SuperResolution3DSlicer.scene.checks import check_input
from SuperResolution3DSlicer.scene.sample_data import register_sample_data
from SuperResolution3DSlicer.scene.scan import scan_of
from SuperResolution3DSlicer.self_test.self_test import SelfTest

from SuperResolution3DLib.errors import CancelledError, SuperResolutionError

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters

PAUSE = 0.01  # seconds between two looks at a run that a script waits for


def begin() -> None:
    """Do what is due when Slicer has started, and again when the panel is made: Slicer may have started long ago."""
    register_layout(slicer.mrmlScene)
    sweep(Path(slicer.app.temporaryPath))
    try:
        register_sample_data()
    except (SuperResolutionError, ImportError) as error:  # the panel works without
        logging.warning(error)


class SuperResolution3D(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent: object) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("SuperResolution3D")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        self.parent.dependencies = ["Markups", "Colors"]
        self.parent.contributors = ["SuperResolution3D developers"]
        self.parent.helpText = _(
            "Computes an MR or CT volume with smaller voxels, on a grid that is exact in mm, and compares it with"
            " the low-resolution and a high-resolution volume in nine linked views."
            " For research use only, not for diagnosis: detail beyond the measured resolution is always the network's"
            " estimate. Version {version}."
        ).format(version=SuperResolution3DLib.__version__)
        self.parent.acknowledgementText = _(
            "The network and its training follow the paper arXiv:2402.04171, which to cite; sample volume: CC0."
        )
        slicer.app.connect("startupCompleted()", begin)


class SuperResolution3DWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's frame: it follows the scene, the rest is in ``Panel``."""

    def __init__(self, parent: object = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: SuperResolution3DLogic | None = None
        self.panel: Panel | None = None

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        root = slicer.util.loadUI(self.resourcePath("UI/SuperResolution3D.ui"))
        self.layout.addWidget(root)
        self.ui = slicer.util.childWidgetVariables(root)
        root.setMRMLScene(slicer.mrmlScene)
        self.logic = SuperResolution3DLogic()
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        begin()
        for event, function in (
            (scene.StartCloseEvent, self.onSceneStartClose),
            (scene.EndCloseEvent, self.onSceneEndClose),
            (scene.EndImportEvent, self.onSceneEndClose),
            (scene.NodeAddedEvent, self.panel.later),
            (scene.NodeRemovedEvent, self.panel.later),
        ):
            self.addObserver(scene, event, function)
        self.panel.set_parameters(self.logic.getParameterNode())

    def cleanup(self) -> None:
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def enter(self) -> None:
        self.panel.set_parameters(self.logic.getParameterNode())
        self.panel.enter()

    def exit(self) -> None:
        self.panel.exit()

    def onSceneStartClose(self, caller: object, event: str) -> None:
        self.panel.set_parameters(None)

    def onSceneEndClose(self, caller: object, event: str) -> None:
        register_layout(slicer.mrmlScene)
        self.panel.set_parameters(self.logic.getParameterNode())

    def onReload(self) -> None:
        """Reload the helpers too, which Slicer does not know of."""
        for name in [
            name for name in sys.modules if name.startswith(("SuperResolution3DSlicer", "SuperResolution3DLib"))
        ]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class SuperResolution3DLogic(ScriptedLoadableModuleLogic):
    """Runs the worker; usable without the panel."""

    def __init__(self, newProcess: Callable[[], Process] = WorkerProcess) -> None:
        """Take what makes the process of a run; tests pass one that computes nothing."""
        ScriptedLoadableModuleLogic.__init__(self)
        self.newProcess = newProcess

    def getParameterNode(self) -> "Parameters":
        from SuperResolution3DSlicer.panel.parameters import (
            Parameters,  # needs the module Markups, which is loaded by now
        )

        return Parameters(super().getParameterNode())

    def start(
        self,
        tasks: Sequence[Task],
        follower: Follower,
        on_status: Callable[..., None] = lambda position, status: None,
        on_end: Callable[[list[Outcome]], None] = lambda outcomes: None,
    ) -> RunQueue:
        """Start runs one after another and return at once."""
        queue = RunQueue(tasks, self.newProcess, follower, on_status, on_end)
        queue.start()
        return queue

    def superResolve(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        model: str | None = None,
        *,
        device: str = "auto",
        dataConsistency: str = "check",
        roiNode: "slicer.vtkMRMLMarkupsROINode | None" = None,
        outputNode: slicer.vtkMRMLScalarVolumeNode | None = None,
        window: int | None = None,
        overlap: float | None = None,
        zeroFilled: bool = False,
        sliceThickness: float | None = None,
        targetSpacing: float | None = None,
        slicePlane: str | None = None,
        trustMap: bool = False,
    ) -> slicer.vtkMRMLScalarVolumeNode:
        """Super-resolve a volume, wait for the result and return its node; windows are repainted meanwhile.

        Args:
            volumeNode: scalar 3D volume.
            model: name of an installed model or a model file; None takes the best of those that fit the volume.
            device: auto, cpu, cuda, cuda:N or mps.
            dataConsistency: off, check or project.
            roiNode: compute only what it holds.
            outputNode: is replaced by the result; None makes a new volume.
            window: edge of the published sliding window in LR voxels; None runs the whole volume.
            overlap: of neighbouring windows, in [0, 1); None is 0.625.
            zeroFilled: also add the zero-filled volume, for thick slices the interpolated one.
            sliceThickness: mm, for a model for thick slices; None takes what the DICOM files say, else the spacing.
            targetSpacing: mm between slices, for such a model; None is the pixel size, but 0.4 mm at least.
            slicePlane: axial, coronal or sagittal, the slices' nearest, for such a model; None takes the plane across
                the largest voxel size.
            trustMap: also add where the estimate may be off, for a model that was calibrated.

        Raises:
            SuperResolutionError: why there is no result, in one sentence; the scene is unchanged.
        """
        chosen = model_of(model, scan_of(volumeNode, slicePlane))
        request = Request(
            volumeNode,
            chosen,
            device,
            dataConsistency,
            window,
            overlap,
            roiNode,
            outputNode,
            zeroFilled,
            sliceThickness,
            targetSpacing,
            slicePlane,
            trustMap,
        )
        request.check()
        return self._wait(SuperResolution(request))

    def simulateLowResolution(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode, model: str | None = None
    ) -> slicer.vtkMRMLScalarVolumeNode:
        """Degrade a volume as a model expects it, wait for ``<volume> LR`` and return its node.

        It is degraded through k-space by the model's scale, or cut into thick slices.

        Raises:
            SuperResolutionError: why there is no result, in one sentence; the scene is unchanged.
        """
        card = model_of(model).card
        check_input(volumeNode)
        return self._wait(LowResolution(volumeNode, card))

    def _wait(self, task: Task) -> slicer.vtkMRMLScalarVolumeNode:
        queue = self.start([task], Follower())
        while not queue.is_over:
            slicer.app.processEvents()
            time.sleep(PAUSE)
        outcome = queue.outcomes[0]
        if outcome.state == "done":
            for note in outcome.task.notes:
                logging.warning(note)
            return outcome.node
        raise (CancelledError if outcome.state == "cancelled" else SuperResolutionError)(outcome.sentence)


class SuperResolution3DTest(SelfTest, ScriptedLoadableModuleTest):
    """The self-test; its methods are in ``SelfTest``."""

    newLogic = SuperResolution3DLogic
