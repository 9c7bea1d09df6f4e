"""The discriminator at work: it judges the generator and is fitted to tell SR from HR (paper 4.2)."""

from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from Training.config import OptimisationConfig
from Training.trainer.discriminator import DiscriminatorConfig, UNetDiscriminator
from Training.trainer.losses import adversarial_loss


class Adversary:
    """A discriminator with its optimiser."""

    def __init__(self, fabric: Fabric, config: DiscriminatorConfig, optimisation: OptimisationConfig) -> None:
        self.fabric, self.optimisation = fabric, optimisation
        network = UNetDiscriminator(config).to(memory_format=torch.channels_last_3d)
        optimiser = adam(network, optimisation.discriminator_learning_rate, optimisation)
        self.network, self.optimiser = fabric.setup(network, optimiser)
        self.logits: dict[str, Tensor] = {}
        """Of the last patches, real and fake, for a histogram"""

    def judge(self, sr: Tensor) -> Tensor:
        """Return the generator's adversarial loss of an SR batch (N, 1, D, H, W); no weight of ours gets a gradient.

        The bare network is called: this backward pass is none of the discriminator's, and no process waits for it.
        """
        self.network.module.requires_grad_(False)
        with self.fabric.autocast():
            logits = self.network.module(sr)
        self.network.module.requires_grad_(True)
        return adversarial_loss(logits, real=True)

    def backward(self, sr: Tensor, hr: Tensor, *, last: bool) -> dict[str, Tensor]:
        """Add the gradients of one backward pass; return the losses.

        Real and fake go forward and backward one after the other: half the memory, and no weight of the spectral norm
        changes between a forward pass and its backward pass.

        Args:
            sr: (N, 1, D, H, W), without gradient.
            hr: the same shape.
            last: of the passes of a step: now the processes average their gradients.
        """
        losses = {}
        for name, volume, real in (("real", hr, True), ("fake", sr, False)):
            with self.fabric.no_backward_sync(self.network, enabled=not (last and name == "fake")):
                logits = self.network(volume.contiguous(memory_format=torch.channels_last_3d))
                loss = adversarial_loss(logits, real=real)
                self.fabric.backward(loss / self.optimisation.accumulate)
            losses[name] = loss.detach()
            self.logits[name] = logits.detach()
        return losses

    def clip(self) -> Tensor:
        """Shorten the gradient to its largest norm; return the norm it had."""
        return clip_gradients(self.fabric, self.network, self.optimiser, self.optimisation)

    def step(self, factor: float) -> None:
        """Take an optimiser step with the learning rate times ``factor``."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.optimisation.discriminator_learning_rate * factor
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs: weights with the vectors of the spectral norm, optimiser."""
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


def adam(network: nn.Module, learning_rate: float, optimisation: OptimisationConfig) -> torch.optim.Adam:
    """Return a network's optimiser; on the CPU it goes through the weights once and not once for each of its terms."""
    parameters = list(network.parameters())
    fused = True if parameters[0].device.type == "cpu" else None
    return torch.optim.Adam(parameters, lr=learning_rate, betas=optimisation.betas, fused=fused)


def clip_gradients(fabric: Fabric, network: Any, optimiser: Any, optimisation: OptimisationConfig) -> Tensor:
    """Shorten the gradient of a network to the largest norm allowed; return the norm it had, finite or not."""
    norm: Tensor = fabric.clip_gradients(
        network, optimiser, max_norm=optimisation.gradient_clip, error_if_nonfinite=False
    )
    return norm
