"""Where a run stands, as its checkpoints hold it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    samples: int = 0
    """patches that were used, over all processes"""
    seconds: float = 0.0
    best: float | None = None
    validated: int = 0
    """step of the last validation that ended"""
    scored: dict[str, dict[str, float]] = field(default_factory=dict)
    """what a validation that was stopped at this step had found, by volume"""
    history: list[dict[str, Any]] = field(default_factory=list)
    """the stretches of the run, each from a step on with its number of steps and its pace"""
