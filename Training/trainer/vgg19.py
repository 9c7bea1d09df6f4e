"""VGG19's features (Simonyan and Zisserman 2015), from torchvision's weights or from a file; never from random ones."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.model_card import file_sha256
from Training.weights_file import read_weights

CONVOLUTIONS_OF_BLOCK = (2, 2, 4, 4, 4)
TORCHVISION_FILE = "vgg19-dcbb9e9d.pth"
TORCHVISION_ADDRESS = f"https://download.pytorch.org/models/{TORCHVISION_FILE}"


def layer_index(name: str) -> int:
    """Return where a layer such as relu5_4 stands in torchvision's ``vgg19().features``.

    Raises:
        ValueError: VGG19 has no such layer.
    """
    index = 0
    for block, count in enumerate(CONVOLUTIONS_OF_BLOCK, start=1):
        for number in range(1, count + 1):
            if name == f"relu{block}_{number}":
                return index + 1
            index += 2  # convolution, ReLU
        index += 1  # pooling
    raise ValueError(f"VGG19 has no layer {name!r}; it has relu1_1, relu1_2, relu2_1 ... relu5_4")


def smallest_slice(name: str) -> int:
    """Return the pixels an axis that a layer such as relu5_4 needs: each block but the first begins with a halving."""
    layer_index(name)
    return 2 ** (int(name.removeprefix("relu")[0]) - 1)


@dataclass(frozen=True)
class BackboneSource:
    """Where the weights came from, for the model's card."""

    name: str
    sha256: str


class Vgg19Features(nn.Module):
    """Images (N, 3, H, W), ImageNet-normalised, to the features of the named layers."""

    source: BackboneSource

    def __init__(self, layers: list[str]) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        wanted = {layer_index(name): name for name in layers}
        self.names = {index: wanted[index] for index in sorted(wanted)}
        self.features = make_layers(cfgs["E"])[: max(wanted) + 1]  # E is VGG19
        for module in self.features:
            if isinstance(module, nn.ReLU):
                module.inplace = False  # a layer's output may be one that was asked for

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = {}
        for index, module in enumerate(self.features):
            images = module(images)
            if index in self.names:
                found[self.names[index]] = images
        return found


def load_vgg19(layers: list[str], file: Path | None, *, download: bool) -> Vgg19Features:
    """Load the network up to the deepest of the layers.

    Args:
        layers: such as relu5_4.
        file: torchvision's own checkpoint (``.pth``), or safetensors with the tensors ``features.N.weight`` and
            ``features.N.bias``, as floats or 8-bit (``weight = q * scale + min`` from ``NAME.scale_min``);
            None takes torchvision's from the folder of torch.hub.
        download: fetch torchvision's when it is not there.

    Raises:
        ModelError: no weights, or a file that is not VGG19's.
    """
    path = file or Path(torch.hub.get_dir()) / "checkpoints" / TORCHVISION_FILE
    if not path.is_file():
        if file is not None or not download:
            raise ModelError(
                f"The perceptual loss needs the weights of VGG19, and {path} is not there: download "
                f"{TORCHVISION_ADDRESS} to that place, name a file in loss.perceptual.weights, "
                "or set loss.perceptual.download to true"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(TORCHVISION_ADDRESS, str(path), hash_prefix=TORCHVISION_FILE[6:14])
        except (OSError, RuntimeError) as error:  # no network, a full disk, or another file than the wanted one
            raise ModelError(f"{TORCHVISION_ADDRESS} could not be fetched: {error}") from error
    tensors, name = _read(path)
    network = Vgg19Features(layers)
    state = network.state_dict()
    for key, wanted in state.items():
        if key not in tensors:
            raise ModelError(f"{path.name} holds no VGG19: tensor {key} is missing")
        if tensors[key].shape != wanted.shape or not torch.isfinite(tensors[key]).all():
            raise ModelError(
                f"{path.name} holds no VGG19: tensor {key} has shape {tuple(tensors[key].shape)}, "
                f"wanted {tuple(wanted.shape)} with finite values"
            )
    network.load_state_dict({key: tensors[key].float() for key in state})
    network.source = BackboneSource(name, file_sha256(path))
    return network.to(memory_format=torch.channels_last)


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a file in floats, and what to call them."""
    tensors, metadata = read_weights(path, "VGG19")
    known = "torchvision IMAGENET1K_V1" if path.name == TORCHVISION_FILE else path.name
    return _dequantise(path.name, tensors), f"VGG19, {metadata.get('source', known)}"


def _dequantise(source: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    floats = {}
    for name, tensor in tensors.items():
        if name.endswith(".scale_min"):
            continue
        if tensor.dtype == torch.uint8:
            if f"{name}.scale_min" not in tensors:
                raise ModelError(f"{source}: tensor {name} is 8-bit without its scale and minimum")
            scale, least = tensors[f"{name}.scale_min"]
            tensor = tensor.float() * scale + least
        floats[name] = tensor
    return floats
