"""What the generator is fitted to: the weighted losses of a batch of patches, and their gradients (paper 4.2)."""

from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from Training.config import TrainConfig
from Training.data.patches import Patches
from Training.trainer.adversary import Adversary
from Training.trainer.losses import pixel_loss
from Training.trainer.perceptual_loss import PerceptualLoss


class Objective:
    """Pixel, perceptual and adversarial loss of a generator; the discriminator gets its gradients here too."""

    def __init__(
        self,
        config: TrainConfig,
        fabric: Fabric,
        network: Any,
        perceptual: PerceptualLoss | None,
        adversary: Adversary | None,
    ) -> None:
        self.config, self.fabric, self.network, self.adversary = config, fabric, network, adversary
        self.perceptual = fabric.to_device(perceptual) if perceptual else None

    def is_complete(self, step: int) -> bool:
        """Whether pixel pre-training is over."""
        return step >= self.config.loss.pixel_steps

    def backward(self, patches: Patches, step: int, number: int = 0) -> dict[str, Tensor]:
        """Add the gradients of one batch of patches to both networks; return the losses.

        Args:
            patches: of this process.
            step: counted from 0.
            number: of the backward pass in its step; in the last one the processes average their gradients.
        """
        last = number == self.config.optimisation.accumulate - 1
        with self.fabric.no_backward_sync(self.network, enabled=not last):
            sr = self._super_resolve(patches)
            # Where defacing left zeros nothing was measured: there the SR is taken as equal to the HR.
            judged = torch.where(patches.measured > 0, sr, patches.hr)
            losses = self._losses(sr, judged, patches, step, number)
            self.fabric.backward(losses["loss"] / self.config.optimisation.accumulate)
        if self.adversary and self.is_complete(step):
            found = self.adversary.backward(judged.detach(), patches.hr, last=last)
            losses |= {f"discriminator_{name}": value for name, value in found.items()}
        return {name: value.detach() for name, value in losses.items()}

    def _super_resolve(self, patches: Patches) -> Tensor:
        inputs = [patches.lr.contiguous(memory_format=torch.channels_last_3d)]
        sr = self.network(*inputs, *([] if patches.query is None else [patches.query])).float()
        if self.config.model.skip != "none":
            sr = sr + patches.interpolated
        return sr.clamp(0, 1) if self.config.loss.clip else sr

    def _losses(self, sr: Tensor, judged: Tensor, patches: Patches, step: int, number: int) -> dict[str, Tensor]:
        weights = self.config.loss
        losses = {"pixel": pixel_loss(sr, patches.hr, patches.measured, squared=weights.pixel_error == "squared")}
        total = weights.pixel_weight * losses["pixel"]
        if self.perceptual and self.is_complete(step):
            generator = slice_generator(self.config.seed, step, number, self.fabric.global_rank)
            with self.fabric.autocast():
                losses["perceptual"] = self.perceptual(judged, patches.hr, generator)
            total = total + weights.perceptual_weight * losses["perceptual"]
        if self.adversary and self.is_complete(step):
            losses["adversarial"] = self.adversary.judge(judged)
            total = total + weights.adversarial_weight * losses["adversarial"]
        return {"loss": total, **losses}


def slice_generator(seed: int, step: int, number: int, process: int) -> torch.Generator:
    """Return what draws the slices of the perceptual loss: others in each backward pass of each process."""
    words = np.random.SeedSequence([seed, step, number, process]).generate_state(2)
    return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
