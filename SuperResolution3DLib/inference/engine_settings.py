"""What the engine is told, and what it says of how a volume was computed."""

from dataclasses import dataclass, field
from pathlib import Path

from SuperResolution3DLib.sentence import Warned


@dataclass(frozen=True)
class EngineSettings:
    """Where and how the network runs."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps"""
    precision: str = "auto"
    """auto, fp32 or bf16"""
    memory_limit: float | None = None
    """GiB on the device; None takes 80 % of what is free at the start"""
    window: int | None = None
    """edge of a sliding window in LR voxels (the published protocol: 24); None: as the network needs it"""
    overlap: float = 0.625
    """of neighbouring windows of that edge, as a share of it"""
    scratch: Path | None = None
    """folder for temporary files that take a result which main memory does not hold; None: it is refused"""


@dataclass
class EngineReport:
    """How a volume was computed."""

    device: str = ""
    precision: str = ""
    trunk_tiles: int = 0
    trunk_saw_whole_volume: bool = False
    """or as much of it as it can see; False: the trunk was tiled or ran on a region with a shorter halo, an
    approximation whose error the model's card gives"""
    tail_tiles: int = 0
    windows: int = 0
    """of the published sliding window, or of a network that needs them; 0 when none were used"""
    ensemble: int = 1
    """mirror images whose results were averaged"""
    warnings: list[Warned] = field(default_factory=list)
