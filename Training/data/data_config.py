"""What of a training's configuration says which volumes there are and how patches are made of them."""

from dataclasses import dataclass, field
from pathlib import Path

from SuperResolution3DLib.volumes.geometry import Grid
from Training.data.appearance import AppearanceConfig
from Training.data.preparation import PreparationConfig
from Training.data.slices_config import SlicesConfig


@dataclass(frozen=True)
class DataConfig:
    """Which volumes, and how patches are made of them."""

    index: Path
    """index.json of Training/prepare.py"""
    fold: int | None = None
    """Fold of splits.json (beside the index) that validates, the others train; none takes the index's fixed split"""
    modality: str = ""
    """Only volumes whose modality begins with this, for example MR T1w; empty takes all"""
    cache: Path | None = None
    """Folder for degraded volumes, instead of memory; several processes take RUN/volumes where none is given"""
    preparation_workers: int = 0
    """Processes that prepare and degrade volumes; 0 for as many as there are processors and memory for"""
    preparation: PreparationConfig = field(default_factory=PreparationConfig)
    """What is done to a volume before it is degraded"""
    grid: Grid = "center"
    """Where LR voxels lie among HR voxels: center (both cover the same field of view) or corner (the paper's)"""
    patch_size: int = 24
    """Edge of a patch in LR voxels (paper: 24, that is 96 HR voxels at x4)"""
    batch_size: int = 2
    """Patches per process and backward pass (paper: 2)"""
    grid_shifts: int = 8
    """Degraded copies of each volume, each with the LR grid shifted by another number of HR voxels"""
    flips: bool = True
    """Mirror patches and swap axes of equal spacing; exact on the center grid, refused on the corner grid"""
    intensity_jitter: float = 0.2
    """Patches are multiplied by a factor between 1 / (1 + jitter) and 1 + jitter"""
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)
    """Random contrast, shading and noise"""
    slices: SlicesConfig = field(default_factory=SlicesConfig)
    """The thick slices that a through-plane network is trained on"""
    num_workers: int = 0
    """Loader processes; the patches are the same whatever their number"""

    def __post_init__(self) -> None:
        if self.flips and self.grid == "corner":
            raise ValueError(
                "data.flips moves LR voxels on the corner grid: set data.flips to false or use the center grid"
            )
        for name, least in (
            ("patch_size", 4),
            ("batch_size", 1),
            ("grid_shifts", 1),
            ("num_workers", 0),
            ("preparation_workers", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"data.{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.intensity_jitter < 1:
            raise ValueError(f"data.intensity_jitter must be in [0, 1), got {self.intensity_jitter}")
