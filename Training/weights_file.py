"""Files of others' weights (.pth or .safetensors), read without running what they hold."""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.model_card import SUFFIX

# What torch.load raises over a file that is none of its own; its words on pickles advise to run them all the same.
NOT_ITS_OWN = (pickle.UnpicklingError, IndexError, KeyError, ValueError, AttributeError, TypeError)


def read_weights(path: Path, whose: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file, and what a safetensors file says of itself.

    Args:
        path: the file.
        whose: the network's name, for messages.

    Raises:
        ModelError: the file is missing, damaged, or no table of tensors.
    """
    try:
        if path.suffix == SUFFIX:
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except NOT_ITS_OWN as error:
        raise ModelError(f"{path.name} is no file of weights (.pth or .safetensors)") from error
    except (SafetensorError, OSError, RuntimeError, EOFError) as error:
        raise ModelError(f"{path.name} cannot be read as weights of {whose}: {error}") from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ModelError(f"{path.name} holds no weights of {whose}, which are a table of tensors")
    return tensors, {}
