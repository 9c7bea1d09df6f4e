"""A process for tests that pretends: it tells events as the worker does, and repeats voxels instead of computing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import qt
import slicer

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.super_resolve_job import Done, Failed, Progress, Started
from SuperResolution3DLib.inference.computation import DataConsistency
from SuperResolution3DLib.models.model_card import ModelCard, read_card
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.geometry import Orientation, sr_affine, voxel_spacing
from SuperResolution3DSlicer.runs.process import Listener, WorkerEnd
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.nodes import write_node

Ending = Literal["done", "failed", "crashed", "silent"]
STEP_MS = 5
FAILURE = "Volume shape (1, 2, 3) is too small"
CRASH = "The worker crashed, most likely because memory ran out"


class PretendProcess:
    """Ends as it is told to; ``silent`` never answers at all."""

    def __init__(self, ending: Ending = "done") -> None:
        self.ending = ending
        self.arguments: list[str] = []
        self.was_cancelled = False
        self.was_killed = False
        self.folder = Path()
        self._listener: Listener | None = None

    def start(self, arguments: list[str], folder: Path, listener: Listener) -> None:
        self.arguments, self.folder = arguments, folder
        self._listener = listener
        if self.ending != "silent":
            steps = [
                self._begin,
                self._go_on,
                {"done": self._succeed, "failed": self._fail}.get(self.ending, self._crash),
            ]
            for number, step in enumerate(steps):
                qt.QTimer.singleShot(STEP_MS * (number + 1), step)

    def cancel(self) -> None:
        self.was_cancelled = True
        qt.QTimer.singleShot(STEP_MS, lambda: self._end(WorkerEnd("cancelled", "Cancelled.")))

    def kill(self) -> None:
        self.was_killed = True
        self._listener = None

    def option(self, name: str) -> str:
        """Return the value of an option of the command line, "" without it."""
        return next((text.partition("=")[2] for text in self.arguments if text.startswith(f"--{name}=")), "")

    def _begin(self) -> None:
        self._tell(Started(1), Progress("read", 0, 2, None))

    def _go_on(self) -> None:
        self._tell(Progress("trunk", 1, 2, 4.0), Warned("window", {}, "a warning"), Progress("tail", 1, 1, 1.0))

    def _succeed(self) -> None:
        if self._listener is None:
            return
        source, target = (self.folder / text for text in self.arguments[-2:])
        node = _read(source)
        card = read_card(Path(self.option("model"))) if self.option("model") else None
        factors = [int(part) for part in self.option("scale").split(",")] if card is None else None
        if card is None:
            voxels = slicer.util.arrayFromVolume(node)[:: factors[0], :: factors[1], :: factors[2]]
            _write(node, voxels, node_affine(node) @ np.diag([*factors[::-1], 1.0]), target)
            report = None
        else:
            zero_filled = self.option("zero-filled")
            targets = [target, self.folder / zero_filled] if zero_filled else [target]
            report = self._super_resolve(node, card, targets)
            if self.option("trust-map"):
                report = self._trust(card, target, report)
        self._tell(Done(self.arguments[-1], report))
        self._end(WorkerEnd("done", report=report))

    def _super_resolve(self, node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard, targets: list[Path]) -> Report:
        """Repeat each voxel on the grid that the model's result has, and report as the worker does."""
        orientation, before = Orientation.of(node_affine(node)), slicer.util.arrayFromVolume(node)
        voxels = orientation.to_canonical(before)
        affine = sr_affine(orientation.canonical_affine(node_affine(node), voxels.shape), card.scale, card.grid)
        for axis, factor in enumerate(card.scale):
            voxels = voxels.repeat(factor, axis)
        in_file = orientation.file_affine(affine, voxels.shape)
        voxels = orientation.from_canonical(voxels)
        for path in targets:
            _write(node, voxels, in_file, path)
        mode, region = self.option("data-consistency") or "check", self.option("region") or None
        return Report(
            program="0",
            torch="none",
            model=card.name,
            model_sha256="0" * 64,
            grid=card.grid,
            scale=orientation.scale_to_file(card.scale),
            region=region,
            input_shape=before.shape,
            input_spacing_mm=voxel_spacing(node_affine(node)),
            output_shape=voxels.shape,
            output_spacing_mm=voxel_spacing(in_file),
            seconds=1.0,
            data_consistency=DataConsistency(
                mode=mode,
                residual_rms_percent=None if mode == "off" or region else 0.5,
                projected=mode == "project",
                model_dependent=False,
            ),
            device="CPU",
            precision="fp32",
            trunk_tiles=1,
            trunk_saw_whole_volume=True,
            tail_tiles=1,
            windows=0,
            warnings=(),
        )

    def _trust(self, card: ModelCard, target: Path, report: Report) -> Report:
        """Mark the first half of the columns, and say so as the worker does."""
        result = _read(target)
        percent = np.zeros(slicer.util.arrayFromVolume(result).shape, np.uint8)
        percent[..., : percent.shape[2] // 2] = 120
        _write(result, percent, node_affine(result), self.folder / self.option("trust-map"))
        share = float((percent >= 100).mean())
        return replace(report, trust=TrustCalibration.required(card.trust, card.name).sentence(share))

    def _fail(self) -> None:
        self._tell(Failed("volume", {}, FAILURE))
        self._end(WorkerEnd("failed", FAILURE))

    def _crash(self) -> None:
        if self._listener is not None:
            self._listener.log("Segmentation fault")
        self._end(WorkerEnd("failed", CRASH))

    def _tell(self, *events: Any) -> None:
        for event in events:
            if self._listener is not None and not self.was_cancelled:
                self._listener.event(event)

    def _end(self, end: WorkerEnd) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.end(end)


def pretend(*endings: Ending) -> tuple[Callable[[], PretendProcess], list[PretendProcess]]:
    """Return what makes processes that end so, one after another, and the list of those made so far."""
    made: list[PretendProcess] = []

    def new_process() -> PretendProcess:
        made.append(PretendProcess(endings[len(made)]))
        return made[-1]

    return new_process, made


def _read(path: Path) -> slicer.vtkMRMLScalarVolumeNode:
    node = slicer.vtkMRMLScalarVolumeNode()
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    storage.ReadData(node)
    return node


def _write(like: slicer.vtkMRMLScalarVolumeNode, voxels: np.ndarray, affine: np.ndarray, path: Path) -> None:
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(voxels))
    node.SetName(like.GetName() or "pretended")
    write_node(node, path)
