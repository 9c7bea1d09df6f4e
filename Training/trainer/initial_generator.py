"""The generator that a run begins with: untrained, or from a model file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.checkpoint import build_network, check_fit, load_model
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.networks.generator import Generator
from Training.config import TrainConfig
from Training.trainer.convolution import in_onednn

# of the same modality also what becomes 0 and 1
KEPT_BY_FINE_TUNING = ("network", "config", "scale", "grid", "skip", "intensity", "intensity_from")


def initial_generator(config: TrainConfig, card: ModelCard) -> Generator:
    """Build the generator that the card describes.

    Raises:
        ModelError: the network does not fit grid or skip, or the model file to start from cannot be loaded.
        InputError: it is of another architecture, grid or intensity policy.
    """
    network = build_network(card.network, card.config)
    check_fit(network, card, "network")
    if config.init_from:
        given = load_model(config.init_from)
        moved = given.card.dicom_modalities != card.dicom_modalities  # whose intensities mean something else
        for name in KEPT_BY_FINE_TUNING[: -2 if moved else None]:
            old, new = (as_json(getattr(source, name)) for source in (given.card, card))
            if old != new:
                raise InputError(
                    f"init_from: {config.init_from.name} has {name} {old}, the run has {new}; fine-tuning keeps it"
                )
        network.load_state_dict(given.network.state_dict())
    elif config.model.skip != "none" or network.adds_trilinear:  # begin where the interpolation stands
        network.silence()
    in_onednn(network)
    if config.loop.activation_checkpointing:
        _recompute_blocks(network)
    return network.to(memory_format=torch.channels_last_3d)


def _recompute_blocks(network: nn.Module) -> None:
    """Keep only the inputs of the generator's blocks, the elements of its sequences, for the backward pass."""
    for child in network.children():
        for block in child if isinstance(child, nn.Sequential | nn.ModuleList) else ():
            forward = block.forward
            contexts = partial(_contexts, block)
            block.forward = lambda *inputs, forward=forward, contexts=contexts: checkpoint(
                forward, *inputs, use_reentrant=False, context_fn=contexts
            )


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return what stands around a block's computation, and around its repetition in the backward pass."""
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch norms as they are: the same patches do not count twice."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm3d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def as_json(value: Any) -> Any:
    """Return a value as a card's JSON gives it back: lists for tuples."""
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value
