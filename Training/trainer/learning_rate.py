"""The learning rate's schedule: a linear rise, a constant rate, and a linear fall over the last steps."""

from Training.config import OptimisationConfig


def rate_factor(optimisation: OptimisationConfig, step: int) -> float:
    """Return what the learning rates are multiplied with at a step, counted from 0."""
    warmup = min(1.0, (step + 1) / (optimisation.warmup_steps + 1))
    decay = min(1.0, (optimisation.steps - step) / (optimisation.decay_steps + 1))
    return warmup * decay
