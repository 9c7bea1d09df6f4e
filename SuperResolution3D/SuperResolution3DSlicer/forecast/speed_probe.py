"""The task of timing one tile on this computer, so that the forecast is not that of another one."""

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DSlicer.forecast.plan import Plan
from SuperResolution3DSlicer.forecast.speed import Work
from SuperResolution3DSlicer.scene.slice_header import SliceHeader

TILE = 24  # LR voxels an edge: large enough to keep a GPU busy, seconds on a laptop
STACK = (8, 64, 64)  # slices, rows and columns of the tile for a model for thick slices
VOXEL_BYTES = 4
HEADER = """\
NRRD0004
type: float
dimension: 3
space: right-anterior-superior
sizes: {columns} {rows} {slices}
space directions: ({mm},0,0) (0,{mm},0) (0,0,{slice_mm})
kinds: domain domain domain
endian: little
encoding: raw
space origin: (0,0,0)

"""


class TimedTile:
    """Super-resolves a small volume of noise; no voxel of the scene is used, and nothing is added to it."""

    def __init__(self, model_file: Path, card: ModelCard, device: str, shape: Shape | None = None) -> None:
        """Take a model and where it runs; a shape (K, J, I) other than the first tile's."""
        self.model_file = model_file
        self.card = card
        self.device = device
        self.title = _("timing one tile")
        self.notes: list[str] = []
        self.shape = shape or (STACK if card.enlarges_slices_only else (TILE, TILE, TILE))

    @property
    def work(self) -> Work:
        """What the tile has to compute: it passes through the network at once, or in the windows that it needs."""
        header = SliceHeader(self.affine, self.shape, None, None)
        stack = slice_stack(header) if self.card.enlarges_slices_only else None
        return Plan(self.card, self.shape, self.affine, VOXEL_BYTES, stack=stack).sizes.work(None)

    @property
    def affine(self) -> np.ndarray:
        """(4, 4), voxels and slices as the model was trained on."""
        pixel = sum(self.card.spacing_range) / 2
        if self.card.slice_spacing_range is None:
            return np.diag([pixel, pixel, pixel, 1.0])
        slices = sum(self.card.slice_spacing_range) / 2
        pixel = min(pixel, slices / 2)  # or no axis would stand out
        return np.diag([pixel, pixel, slices, 1.0])

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        return []

    def prepare(self, folder: Path) -> list[str]:
        """Write the tile and return the worker's command line, with names relative to the folder."""
        slices, rows, columns = self.shape
        voxels = np.random.default_rng(0).normal(500, 100, self.shape).astype("<f4")
        mm, slice_mm = self.affine[0, 0], self.affine[2, 2]
        header = HEADER.format(columns=columns, rows=rows, slices=slices, mm=mm, slice_mm=slice_mm).encode("ascii")
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
