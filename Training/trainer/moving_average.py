"""The moving average of a generator's weights, which is what the model file holds."""

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of every weight of a network; decay 0 follows the last weights."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 0.

        A young average follows faster, so that it does not remember the untrained weights.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            average = self.weights[name]
            average.lerp_(tensor.to(average.dtype), 1 - decay)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Continue from saved weights."""
        for name, average in self.weights.items():
            average.copy_(weights[name])
