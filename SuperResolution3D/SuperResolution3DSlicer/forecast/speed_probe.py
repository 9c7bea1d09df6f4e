"""The task of timing one tile on this computer, so that the forecast is not that of another one."""

import math
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.job import Job
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.inference.memory_plan import chosen_windows, window_voxels
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DSlicer.forecast.speed import Work

TILE = 24  # LR voxels an edge: large enough to keep a GPU busy, seconds on a laptop
HEADER = """\
NRRD0004
type: float
dimension: 3
space: right-anterior-superior
sizes: {size} {size} {size}
space directions: ({mm},0,0) (0,{mm},0) (0,0,{mm})
kinds: domain domain domain
endian: little
encoding: raw
space origin: (0,0,0)

"""


class TimedTile:
    """Super-resolves a small volume of noise; no voxel of the scene is used, and nothing is added to it."""

    def __init__(self, model_file: Path, card: ModelCard, device: str) -> None:
        self.model_file = model_file
        self.card = card
        self.device = device
        self.title = _("timing one tile")
        self.notes: list[str] = []

    @property
    def work(self) -> Work:
        """What the tile has to compute: it passes through the network at once, or in the windows that it needs."""
        shape, windows = (TILE, TILE, TILE), chosen_windows(self.card, None, 0)
        voxels = math.prod(shape) if windows is None else window_voxels(shape, (slice(0, TILE),) * 3, *windows)
        return Work(voxels, voxels * math.prod(self.card.scale))

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        return []

    def prepare(self, folder: Path) -> list[str]:
        """Write the tile and return the worker's command line, with names relative to the folder."""
        low, high = self.card.spacing_range
        voxels = np.random.default_rng(0).normal(500, 100, (TILE,) * 3).astype("<f4")
        header = HEADER.format(size=TILE, mm=(low + high) / 2).encode("ascii")
        (folder / "tile.nrrd").write_bytes(header + voxels.tobytes())
        return Job(
            Path("tile.nrrd"),
            Path("result.nrrd"),
            model=str(self.model_file),
            device=self.device,
            data_consistency="off",
            events=True,
        ).to_arguments()

    def finish(self, folder: Path, report: Report | None) -> None:
        """Take nothing over: what counts are the times at which the events came."""
