"""What the engine and the trainer ask of every network: a trunk at LR resolution and a tail that enlarges."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from SuperResolution3DLib.geometry import Scale


class Generator(nn.Module, ABC):
    """LR volume (N, 1, D, H, W) to SR volume (N, 1, D*s, H*s, W*s), in network units."""

    scale: Scale
    """factor per axis (D, H, W)"""

    @abstractmethod
    def trunk(self, lr: Tensor) -> Tensor:
        """Return the features of the LR volume: (N, 1, D, H, W) to (N, F, D, H, W)."""

    @abstractmethod
    def tail(self, features: Tensor) -> Tensor:
        """Return the SR volume of the trunk's features: (N, F, D, H, W) to (N, 1, D*s, H*s, W*s)."""

    @abstractmethod
    def trunk_convolutions(self) -> list[nn.Module]:
        """Return the trunk's convolutions: the points where a run can be followed and cancelled."""

    @abstractmethod
    def silence(self) -> None:
        """Make the untrained network return zeros, so that training with a skip begins at the skip."""

    def forward(self, lr: Tensor) -> Tensor:
        return self.tail(self.trunk(lr))
