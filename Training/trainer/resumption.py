"""What a checkpoint and the run that continues it must share, and a record of what they need not."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from SuperResolution3DLib.models.model_card import ModelCard
from Training.config import LABELS, TrainConfig
from Training.trainer.initial_generator import as_json

# What may change: place, pace, the model's labels, and how long the run is. All fields of ``loop`` may, too.
PLACE = ("out", "data.index", "data.cache", "loss.perceptual.weights", "loss.perceptual.download")
PACE = ("data.num_workers", "data.preparation_workers", "loss.perceptual.chunk")
LENGTH = ("optimisation.steps", "optimisation.decay_steps")
SELECTION = ("data.fold", "data.modality")  # the volumes count, not how they were chosen
FREE = (*PLACE, *PACE, *(f"model.{name}" for name in LABELS), *LENGTH, *SELECTION)


def identity(config: TrainConfig, card: ModelCard) -> dict[str, Any]:
    """Return all that a run's weights depend on but its length, by the names of fields, as JSON has it.

    Args:
        config: the run.
        card: of its models, which knows the contents of files.
    """
    recipe = {name: value for name, value in _leaves(config, "") if name not in FREE and not name.startswith("loop.")}
    del recipe["network.size"]  # what it makes stands in the config
    return recipe | {
        "network.config": as_json(config.network.complete),
        "training data": card.training["data_sha256"],
        "perceptual_backbone": card.training.get("perceptual_backbone"),
        "init_from": card.training["init_from"]["sha256"] if config.init_from else None,
    }


def differences(made_with: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say what differs between the identities of a checkpoint and of a run, of the fields that both know."""
    both = [name for name in now if name in made_with]
    return [f"{name} {made_with[name]}, now {now[name]}" for name in both if made_with[name] != now[name]]


def with_stretch(history: list[dict[str, Any]], step: int, config: TrainConfig, processes: int) -> list[dict[str, Any]]:
    """Return the history of a run that goes on at a step: the steps that each stretch of it asked for, and its pace.

    Args:
        history: until then.
        step: the last one done.
        config: from then on.
        processes: that share it.
    """
    stretch = {name.rpartition(".")[2]: getattr(config.optimisation, name.rpartition(".")[2]) for name in LENGTH}
    stretch |= {"precision": config.loop.precision, "processes": processes}
    if history and {name: value for name, value in history[-1].items() if name != "from_step"} == stretch:
        return history
    return [*(past for past in history if past["from_step"] < step), {"from_step": step} | stretch]


def _leaves(values: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in fields(values):
        value = getattr(values, field.name)
        if is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, as_json(value.name if isinstance(value, Path) else value)
