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
from SuperResolution3DLib.sentence import Sentence
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
        scales = {"card": str(card.scale), "network": str(network.scale)}
        raise ModelError(Sentence("model-scale", {"file": source, **scales}))
    if network.grid not in (None, card.grid):
        raise ModelError(Sentence("model-grid", {"file": source, "card": card.grid, "network": network.grid}))
    if network.adds_trilinear and card.skip != "none":
        raise ModelError(Sentence("model-skip", {"file": source, "card": card.skip}))


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
        values = {"path": str(path), "reason": error.strerror or str(error)}
        raise ModelError(Sentence("model-unreadable", values)) from error
    except (SafetensorError, ValueError) as error:
        raise ModelError(Sentence("model-damaged", {"file": path.name, "reason": str(error)})) from error
    network = build_network(card.network, card.config)
    check_fit(network, card, path.name)
    try:
        IntensityPolicy(**card.intensity)
    except (TypeError, ValueError) as error:
        raise ModelError(Sentence("model-intensity", {"file": path.name, "reason": str(error)})) from error
    _check_tensors(path.name, network.state_dict(), tensors)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    network.eval().requires_grad_(False)
    return Model(network, card, file_sha256(path))


def _check_tensors(source: str, wanted: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    missing, unknown = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unknown:
        values = {
            "file": source,
            "missing": len(missing),
            "unknown": len(unknown),
            "names": ", ".join((*missing[:3], *unknown[:3])),
        }
        raise ModelError(Sentence("model-tensors", values))
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            shapes = {"shape": str(tuple(tensor.shape)), "wanted": str(tuple(wanted[name].shape))}
            raise ModelError(Sentence("model-tensor-shape", {"file": source, "tensor": name, **shapes}))
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise ModelError(Sentence("model-tensor-values", {"file": source, "tensor": name}))
