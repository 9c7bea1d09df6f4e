"""What every network's config does: check its sizes, and declare what the network takes and sees (no torch)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from SuperResolution3DLib.networks.receptive_field import Footprint
from SuperResolution3DLib.volumes.scale import upsampling_stages


@dataclass(frozen=True)
class GeneratorConfig(ABC):
    """Size of a network: what a model's card holds of it. Fields that are whole numbers are sizes, above 0."""

    network: ClassVar[tuple[str, str]]
    """module and class of the network, imported only to be built"""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type is int and (type(value) is not int or value < 1):
                raise ValueError(f"{item.name} must be a whole number above 0, not {value!r}")
            if item.name == "scale":
                object.__setattr__(self, "scale", tuple(value))
                upsampling_stages(value)
            if item.name == "grid" and value not in ("center", "corner"):
                raise ValueError(f"grid is center or corner, got {value!r}")

    @abstractmethod
    def footprint(self) -> Footprint:
        """Return what the network takes of memory and how far it sees."""
