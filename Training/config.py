"""What a training run is made of: dataclasses with a sentence per field, filled from YAML and the command line."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.data_config import DataConfig
from Training.network_config import NetworkConfig
from Training.trainer.discriminator import SMALLEST_PATCH, DiscriminatorConfig
from Training.trainer.perceptual_loss import PerceptualConfig
from Training.trainer.vgg19 import smallest_slice

LARGEST_SEED = 2**31 - 1
LoggerName = Literal["tensorboard", "csv", "wandb"]
THROUGH_PLANE = "through-plane"  # the network for thick slices
MODEL_NAME = re.compile(r"\w[\w.+ -]*")  # of a model file and of a method's folder
LABELS = ("name", "modality", "licence", "description", "subject", "rank")  # of ModelConfig: no weight depends on them


@dataclass(frozen=True)
class LossConfig:
    """The generator's loss: weighted sum of three terms (paper: 1, 1, 0.01); weight 0 leaves a term out."""

    pixel_weight: float = 1.0
    """Of the pixel loss"""
    pixel_error: Literal["absolute", "squared"] = "absolute"
    """Whose mean it is (paper: absolute); squared learns faster where most of the detail cannot be known"""
    perceptual_weight: float = 0.0
    """Of the perceptual loss"""
    adversarial_weight: float = 0.0
    """Of the adversarial loss; above 0 a discriminator is trained too"""
    pixel_steps: int = 0
    """First steps with the pixel loss alone: pixel pre-training (paper: none)"""
    clip: bool = False
    """Clip the SR to [0, 1] before the losses (paper's authors)"""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    """The perceptual loss"""

    def __post_init__(self) -> None:
        names = ("pixel_weight", "perceptual_weight", "adversarial_weight", "pixel_steps")
        for name in names:
            if not 0 <= getattr(self, name) < math.inf:  # nor NaN, which no comparison holds for
                raise ValueError(f"loss.{name} must be 0 or more, got {getattr(self, name)}")
        if not any(getattr(self, name) for name in names[:3]):
            raise ValueError(f"one of loss.{', loss.'.join(names[:3])} must be above 0")
        if self.pixel_steps and not self.pixel_weight:
            raise ValueError("loss.pixel_steps needs a loss.pixel_weight above 0")


@dataclass(frozen=True)
class OptimisationConfig:
    """How the networks are fitted: Adam, warm-up, constant rate, linear decay to zero over the last steps."""

    steps: int
    """Optimiser steps of the whole run (paper: 100 000)"""
    learning_rate: float = 1e-4
    """Of the generator's Adam (paper: 1e-4)"""
    discriminator_learning_rate: float = 1e-4
    """Of the discriminator's Adam (paper: 1e-4)"""
    betas: tuple[float, float] = (0.9, 0.99)
    """Of both (paper's authors)"""
    warmup_steps: int = 100
    """Steps over which the rates rise from zero"""
    decay_steps: int = 0
    """Last steps over which the rates fall to zero; earlier ones do not depend on them, so a run can be prolonged"""
    gradient_clip: float = 1.0
    """Largest norm of the gradient of each network (paper's authors)"""
    accumulate: int = 1
    """Backward passes per optimiser step"""
    ema_decay: float = 0.999
    """Decay of the moving average of the weights, which is what the model file holds; 0 keeps the last weights"""

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "learning_rate", "discriminator_learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"optimisation.{name} must be positive, got {getattr(self, name)}")
        if not self.gradient_clip > 0:  # infinity clips nothing
            raise ValueError(f"optimisation.gradient_clip must be positive, got {self.gradient_clip}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"optimisation.betas must be in [0, 1), got {self.betas}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"optimisation.ema_decay must be in [0, 1), got {self.ema_decay}")
        if self.warmup_steps < 0 or self.decay_steps < 0 or self.decay_steps > self.steps:
            raise ValueError(
                f"optimisation.warmup_steps must be 0 or more and decay_steps between 0 and steps, {self.steps}, got "
                f"{self.warmup_steps} and {self.decay_steps}"
            )


@dataclass(frozen=True)
class LoopConfig:
    """When the run validates, saves and stops, and on what it runs."""

    validate_every: int = 1000
    """Steps between validations on whole volumes"""
    validate_volumes: int = 0
    """How many of the validation volumes are scored, always the same ones; 0 for all"""
    best: Literal["psnr", "ssim", "lpips"] = "psnr"
    """The validation score by which the best model is kept"""
    lpips: bool = True
    """Validate with LPIPS too; left out, and said, when AlexNet's weights are not in TORCH_HOME"""
    save_every: int = 500
    """Steps between checkpoints"""
    keep: int = 2
    """Newest checkpoints that are kept, besides the best model"""
    time_limit: float = 0.0
    """Minutes from the start of the command after which the run saves and stops with exit code 75; 0 means none"""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """cuda refuses to run where there is none, auto then takes the CPU"""
    devices: int = 1
    """Processes on this node; torchrun and SLURM say it themselves"""
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"
    """bf16-mixed runs the networks in bfloat16 and the losses in fp32; 32-true runs all in fp32; auto takes the first
    where it is faster here and as good in a trial"""
    activation_checkpointing: bool = False
    """Compute the generator's blocks again in the backward pass instead of keeping their activations"""
    threads: int = 0
    """CPU threads of each process; 0 leaves the tensor library's choice"""
    logger: LoggerName = "tensorboard"
    """Who shows losses and scores besides log.jsonl; wandb has to be installed, and sends them to its server"""

    def __post_init__(self) -> None:
        least_of = {"validate_every": 1, "validate_volumes": 0, "save_every": 1, "keep": 1, "devices": 1, "threads": 0}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise ValueError(f"loop.{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.time_limit < math.inf:
            raise ValueError(f"loop.time_limit must be 0 (none) or more minutes, got {self.time_limit}")
        if self.best == "lpips" and not self.lpips:
            raise ValueError("loop.best is lpips, so loop.lpips must not be false")


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
    subject: str = ""
    """What it is for in two or three words, such as T1 brain; the modality where it is empty"""
    rank: int = 0
    """Of the models that fit a volume the one of the highest rank is taken where nobody names one"""
    skip: Literal["none", "zero-filled", "consistent"] = "zero-filled"
    """zero-filled: the network adds detail to the zero-filled volume; consistent: to interpolated slices; none: it
    makes the whole volume"""
    intensity: IntensityPolicy = field(default_factory=IntensityPolicy)
    """What of the LR volume becomes 0 and 1 in network units"""
    intensity_from: Literal["lr", "hr"] = "lr"
    """Of which volume: hr as in the paper; in use there is no HR, so the range of the LR is taken, with a warning"""

    def __post_init__(self) -> None:
        if not MODEL_NAME.fullmatch(self.name):
            raise ValueError(
                f"model.name {self.name!r} cannot be a file's name: use letters, digits, spaces and . + - _"
            )
        if not self.modality.strip():
            raise ValueError("model.modality is empty, say it as the index does, for example MR T1w")
        if not self.licence.strip():
            raise ValueError("model.licence is empty, give its SPDX name, for example Apache-2.0")
        intensity, percentiles = self.intensity, IntensityPolicy()
        if intensity.policy == "fixed" and (intensity.low == percentiles.low or intensity.high == percentiles.high):
            raise ValueError(
                "model.intensity.policy is fixed, so model.intensity.low and high must be given: the values (HU) that "
                f"become 0 and 1, got {intensity.low:g} and {intensity.high:g}, which are percentiles"
            )


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    out: Path
    """Folder of the run: model files, checkpoints, logs; an unfinished run in it is continued"""
    model: ModelConfig
    """The model's card"""
    data: DataConfig
    """Volumes and patches"""
    optimisation: OptimisationConfig
    """Fitting"""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The generator"""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """The discriminator, when the adversarial loss has a weight"""
    loss: LossConfig = field(default_factory=LossConfig)
    """What the generator is fitted to"""
    loop: LoopConfig = field(default_factory=LoopConfig)
    """Validation, saving, hardware"""
    init_from: Path | None = None
    """Model file whose weights the generator starts with: fine-tuning"""
    seed: int = 0
    """Of the initial weights and of the patches"""

    @property
    def thick_slices(self) -> bool:
        """Whether the network is one for thick slices, which are made patch by patch."""
        return self.network.name == THROUGH_PLANE

    def __post_init__(self) -> None:
        self._check_slices()
        smallest = self.data.patch_size * min(self.network.scale)
        needs = {"The discriminator": SMALLEST_PATCH if self.loss.adversarial_weight else 0}
        if self.loss.perceptual_weight:
            needs |= {f"VGG19's {layer}": smallest_slice(layer) for layer in self.loss.perceptual.layers}
        for who, least in needs.items():
            if smallest < least:
                raise ValueError(
                    f"{who} needs patches of {least} HR voxels: data.patch_size {self.data.patch_size} at scale "
                    f"{self.network.scale} gives {smallest}"
                )
        positions = math.prod(self.network.scale)
        if self.data.grid_shifts > positions:
            raise ValueError(
                f"data.grid_shifts is {self.data.grid_shifts}, and scale {self.network.scale} has {positions} "
                "positions of the LR grid"
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed must be between 0 and {LARGEST_SEED}, got {self.seed}")
        if self.loss.pixel_steps >= self.optimisation.steps:
            raise ValueError(
                f"loss.pixel_steps is {self.loss.pixel_steps}, and optimisation.steps {self.optimisation.steps}: no "
                "step would use the other losses"
            )
        window = self.network.complete.get("patch_size", self.data.patch_size)
        if window != self.data.patch_size:
            raise ValueError(
                f"network.config.patch_size is {window} and data.patch_size {self.data.patch_size}: "
                f"{self.network.name} runs in windows of its training patches"
            )

    def _check_slices(self) -> None:
        if self.thick_slices != (self.model.skip == "consistent"):
            raise ValueError(
                f"model.skip is {self.model.skip} and network.name {self.network.name}: consistent and {THROUGH_PLANE} "
                "belong together"
            )
        if not self.thick_slices:
            return
        for name, value in (("batch_size", self.data.batch_size), ("grid_shifts", self.data.grid_shifts)):
            if value != 1:
                raise ValueError(
                    f"data.{name} is 1 for {THROUGH_PLANE}, whose patches differ in size, not {value}; "
                    "use optimisation.accumulate for more patches a step"
                )
        if edge := self.data.patch_size % self.network.complete["unshuffle"]:
            raise ValueError(f"data.patch_size must be a multiple of network.config.unshuffle, {edge} pixels are left")
        if self.loss.adversarial_weight or self.loss.perceptual_weight:
            raise ValueError(f"{THROUGH_PLANE} is fitted to pixels alone: set the other weights of loss to 0")
