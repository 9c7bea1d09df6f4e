"""What a training run is made of: dataclasses with a sentence per field, filled from YAML and the command line."""

from dataclasses import dataclass, field
from pathlib import Path

from SuperResolution3DLib.geometry import Grid
from SuperResolution3DLib.intensity import IntensityPolicy
from SuperResolution3DLib.networks.rrdb import RRDBConfig


@dataclass(frozen=True)
class DataConfig:
    """Which volumes, and how patches are made of them."""

    root: Path
    """Folder that the patterns below start from"""
    train: list[str]
    """File patterns of the training volumes, one subject a file"""
    validation: list[str]
    """File patterns of the validation volumes; no file of them may be a training file"""
    grid: Grid = "center"
    """Where LR voxels lie among HR voxels: center (both cover the same field of view) or corner (the paper's)"""
    patch_size: int = 24
    """Edge of a patch in LR voxels (paper: 24, that is 96 HR voxels at x4)"""
    batch_size: int = 2
    """Patches per optimiser step (paper: 2)"""
    grid_shifts: int = 8
    """Degraded copies of each volume, each with the LR grid shifted by another number of HR voxels"""
    flips: bool = True
    """Mirror patches and swap axes of equal spacing; exact on the center grid, refused on the corner grid"""
    intensity_jitter: float = 0.2
    """Patches are multiplied by a factor between 1 / (1 + jitter) and 1 + jitter"""
    num_workers: int = 0
    """Loader processes; the patches are the same whatever their number"""

    def __post_init__(self) -> None:
        if self.flips and self.grid == "corner":
            raise ValueError(
                "data.flips moves LR voxels on the corner grid: set data.flips to false or use the center grid"
            )
        for name, least in (("patch_size", 4), ("batch_size", 1), ("grid_shifts", 1), ("num_workers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"data.{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.intensity_jitter < 1:
            raise ValueError(f"data.intensity_jitter must be in [0, 1), got {self.intensity_jitter}")


@dataclass(frozen=True)
class OptimisationConfig:
    """How the network is fitted: Adam, warm-up, constant rate, linear decay to zero over the last steps."""

    steps: int
    """Optimiser steps of the whole run"""
    learning_rate: float = 1e-4
    """Of Adam (paper: 1e-4)"""
    betas: tuple[float, float] = (0.9, 0.99)
    """Of Adam (paper's authors)"""
    warmup_steps: int = 100
    """Steps over which the rate rises from zero"""
    decay_steps: int = 0
    """Last steps over which the rate falls to zero; earlier ones do not depend on them, so a run can be prolonged"""
    gradient_clip: float = 1.0
    """Largest norm of the gradient (paper's authors)"""
    ema_decay: float = 0.999
    """Decay of the moving average of the weights, which is what the model file holds; 0 keeps the last weights"""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.gradient_clip <= 0:
            raise ValueError("optimisation.steps, learning_rate and gradient_clip must be positive")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"optimisation.ema_decay must be in [0, 1), got {self.ema_decay}")
        if self.warmup_steps < 0 or self.decay_steps < 0 or self.decay_steps > self.steps:
            raise ValueError("optimisation.warmup_steps and decay_steps must be between 0 and steps")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warmup = min(1.0, (step + 1) / (self.warmup_steps + 1))
        decay = min(1.0, (self.steps - step) / (self.decay_steps + 1))
        return self.learning_rate * warmup * decay


@dataclass(frozen=True)
class LoopConfig:
    """When the run validates, saves and stops, and on what it runs."""

    validate_every: int = 1000
    """Steps between validations on whole volumes"""
    save_every: int = 500
    """Steps between resume files"""
    time_limit: float = 0.0
    """Minutes after which the run saves and stops with exit code 75 (try again); 0 means none"""
    accelerator: str = "auto"
    """Of Lightning Fabric: auto, cpu or cuda"""
    precision: str = "bf16-mixed"
    """Of Lightning Fabric: bf16-mixed runs the network in bfloat16 and the loss in fp32; 32-true runs all in fp32"""
    threads: int = 0
    """CPU threads of the tensor library; 0 leaves its choice"""

    def __post_init__(self) -> None:
        if self.validate_every < 1 or self.save_every < 1:
            raise ValueError("loop.validate_every and loop.save_every must be at least 1")


@dataclass(frozen=True)
class ModelConfig:
    """What goes into the model file's card besides what the run itself knows."""

    name: str
    """How the model is chosen on the command line"""
    modality: str
    """For example MR T1w"""
    licence: str
    """SPDX name"""
    description: str = ""
    """One sentence for the person who chooses"""
    skip: str = "zero-filled"
    """zero-filled: the network adds detail to the zero-filled volume; none: it makes the whole volume"""
    intensity: IntensityPolicy = field(default_factory=IntensityPolicy)
    """What of the LR volume becomes 0 and 1 in network units"""

    def __post_init__(self) -> None:
        if self.skip not in ("none", "zero-filled"):
            raise ValueError(f"model.skip is none or zero-filled, got {self.skip!r}")


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    run: Path
    """Folder of the run: model files, resume file, log; an unfinished run in it is continued"""
    model: ModelConfig
    """The model's card"""
    data: DataConfig
    """Volumes and patches"""
    optimisation: OptimisationConfig
    """Fitting"""
    network: RRDBConfig = field(default_factory=RRDBConfig)
    """Size of the generator"""
    loop: LoopConfig = field(default_factory=LoopConfig)
    """Validation, saving, hardware"""
    seed: int = 0
    """Of the initial weights and of the patches"""
