"""Model files: safetensors with a card in the header. Nothing is ever unpickled."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from SuperResolution3DLib.errors import ModelError, OutputError
from SuperResolution3DLib.models.model_card import HEADER_KEY, ModelCard, file_sha256, read_card
from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.table import network_config
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.output_place import publish, temporary_name


@dataclass(frozen=True)
class Model:
    """A generator in fp32 on the CPU, ready for the engine, with its card."""

    network: Generator
    card: ModelCard
    sha256: str
    """of the file it came from"""

    @property
    def intensity(self) -> IntensityPolicy:
        return IntensityPolicy(**self.card.intensity)


def build_network(name: str, config: dict[str, Any]) -> Generator:
    """Build an untrained network of the table in ``networks``.

    Raises:
        ModelError: unknown network, or a config that it refuses.
    """
    values = network_config(name, config)
    module, network = values.network
    return cast(Generator, getattr(importlib.import_module(module), network)(values))


def check_fit(network: Generator, card: ModelCard, source: str) -> None:
    """Check that a network's config does what the card says; ``source`` names the file in errors.

    Raises:
        ModelError: another scale or grid, or two volumes that the network's output would be added to.
    """
    if network.scale != card.scale:
        raise ModelError(f"{source}: the card says scale {card.scale}, the network's config {network.scale}")
    if network.grid not in (None, card.grid):
        raise ModelError(f"{source}: the card says grid {card.grid}, the network's config {network.grid}")
    if network.adds_trilinear and card.skip != "none":
        raise ModelError(f"{source}: the card says skip {card.skip}, but the network adds a trilinear interpolation")


def save_model(path: Path, state: dict[str, Tensor], card: ModelCard, dtype: torch.dtype = torch.float16) -> None:
    """Write a model file under a temporary name and rename it.

    Args:
        path: final name, ``*.safetensors``; an existing file is replaced.
        state: the generator's state dict.
        card: goes into the header.
        dtype: of the stored tensors.

    Raises:
        OutputError: it could not be written; an existing file is kept.
    """
    tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in state.items()}
    temporary = temporary_name(path)
    try:
        temporary.write_bytes(save(tensors, metadata={HEADER_KEY: card.to_json()}))
        publish(temporary, path, overwrite=True)
    except OSError as error:
        raise OutputError(
            f"Model file {path} could not be written ({error.strerror}); free some space or write to another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load_model(path: Path) -> Model:
    """Load a model file.

    Raises:
        ModelError: missing, damaged, of an unknown version, with wrong, missing or non-finite tensors.
    """
    card = read_card(path)
    try:
        tensors = load(path.read_bytes())  # its own reader refuses names that are no UTF-8
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path.name} is damaged: {error}") from error
    network = build_network(card.network, card.config)
    check_fit(network, card, path.name)
    try:
        IntensityPolicy(**card.intensity)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path.name}: the card's intensity policy cannot be used: {error}") from error
    _check_tensors(path.name, network.state_dict(), tensors)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    network.eval().requires_grad_(False)
    return Model(network, card, file_sha256(path))


def _check_tensors(source: str, wanted: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    missing, unknown = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unknown:
        raise ModelError(f"{source} does not fit its network: {_few('lacks', missing)}{_few('has unknown', unknown)}")
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise ModelError(
                f"{source}: tensor {name} has shape {tuple(tensor.shape)}, wanted {tuple(wanted[name].shape)}"
            )
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise ModelError(f"{source}: tensor {name} holds values that are not finite numbers")


def _few(word: str, names: list[str]) -> str:
    return f"{word} {len(names)} tensors ({', '.join(names[:3])}) " if names else ""
