"""LPIPS of an SR volume against its HR, over slices of all three views."""

import pickle
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from SuperResolution3DLib.errors import GeometryError, ModelError
from SuperResolution3DLib.metrics.evaluation_protocols import ComparedPair, Protocol, compared_pair
from Training.evaluation.frechet import SliceFeatures
from Training.evaluation.slice_pictures import VIEWS, SliceChoice, View, slice_batches, slice_shape

SMALLEST_SLICE = 31  # pixels; below, the deepest features of the networks have no extent
NORM_EPSILON = 1e-10  # of the lpips package
MOST_KEPT_BYTES = 2**29  # of the features of one HR's slices under one protocol
CHECKPOINTS = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth", "vgg": "vgg16-397923af.pth"}
DEEPEST = {"alex": "AlexNet relu5", "squeeze": "SqueezeNet relu7", "vgg": "VGG16 relu5_3"}

Net = Literal["alex", "squeeze", "vgg"]


@dataclass(frozen=True)
class LpipsScores:
    """How unlike SR and HR look, 0 being equal."""

    axial: float | None
    """mean over the slices of a view; None where all of them were too small"""
    coronal: float | None
    sagittal: float | None
    num_slices: int
    """slices that were compared, over all views"""
    num_skipped: int
    """slices that were smaller than 31 pixels"""

    @property
    def mean(self) -> float:
        """The mean of the views."""
        views = [view for view in (self.axial, self.coronal, self.sagittal) if view is not None]
        return sum(views) / len(views)


class Lpips:
    """LPIPS v0.1 (Zhang et al. 2018) with the calibrated weights of the lpips package.

    The range of the protocol becomes [-1, 1] and the rest is clipped. Where the HR has blocks of exact zeros from
    defacing, the SR is taken as zero too.
    """

    def __init__(
        self, net: Net = "alex", *, stride: int = 4, central_share: float = 0.6, device: str | torch.device = "cpu"
    ) -> None:
        """Load the network.

        Args:
            net: the backbone.
            stride: every so many slices are compared.
            central_share: of the slices of a view, those in the middle.
            device: where to compute.

        Raises:
            ModelError: the backbone's weights are missing or damaged; nothing is downloaded.
            ValueError: an unknown backbone, a stride below 1, a share outside (0, 1].
        """
        if net not in CHECKPOINTS:
            raise ValueError(f"The network is one of {', '.join(CHECKPOINTS)}, got {net!r}")
        self.net, self.choice, self.device = net, SliceChoice(stride, central_share), torch.device(device)
        self._network = _load(net).to(self.device).to(memory_format=torch.channels_last)
        self._kept: dict[Protocol, KeptLayers] = {}

    def describe(self, protocol: Protocol = "foreground") -> str:
        """Return the line that stands above or below every table of these scores."""
        extent = {
            "foreground": "cropped to the HR's foreground, range = 0 (CT: 0.1 percentile of HR) to 99.9 percentile",
            "paper": "whole volume, range = HR maximum - minimum",
        }[protocol]
        return f"LPIPS v0.1 ({self.net}): {self.choice.describe()}, mean of the views, {extent}"

    def score(self, sr: np.ndarray, hr: np.ndarray, protocol: Protocol = "foreground") -> LpipsScores:
        """Compare the slices of two volumes.

        Args:
            sr: (D, H, W), canonical, on the HR's grid.
            hr: (D, H, W), canonical, in the unit of the SR.
            protocol: which part of them, in which range.

        Raises:
            GeometryError: the shapes differ, or all slices are too small.
            VolumeError: voxels that are not finite, a constant HR, or one without a range.
        """
        return self.compare(compared_pair(sr, hr, protocol))[0]

    def compare(self, pair: ComparedPair, *, keep_hr: bool = False) -> tuple[LpipsScores, SliceFeatures]:
        """Compare the slices of a pair; return the scores, and the network's deepest features for a Frechet distance.

        Args:
            pair: what is compared.
            keep_hr: keep the features of the HR's slices for the next pair that has the same ``hr`` under the same
                protocol; up to 512 MiB for each protocol.

        Raises:
            GeometryError: all slices are too small.
        """
        means: dict[View, float | None] = {}
        features: list[tuple[np.ndarray, np.ndarray]] = []
        num_slices, num_skipped = 0, 0
        kept = self._kept_of(pair) if keep_hr else None
        for axis, view in enumerate(VIEWS):
            if min(slice_shape(pair, view)) < SMALLEST_SLICE:
                means[view] = None
                num_skipped += len(self.choice.numbers(pair.hr.shape[axis]))
                continue
            values: list[float] = []
            for number, (sr, hr) in enumerate(slice_batches(pair, view, self.choice)):
                hr_layers = None if kept is None else kept.layers.get((view, number))
                if hr_layers is None:
                    hr_layers = self._layers(2 * hr - 1)
                    if kept is not None:
                        kept.add(view, number, hr_layers)
                sr_layers = self._layers(2 * sr - 1)
                values += self._network.distance(sr_layers, hr_layers).tolist()
                features.append((sr_layers.deepest.cpu().numpy(), hr_layers.deepest.cpu().numpy()))
            means[view] = sum(values) / len(values)
            num_slices += len(values)
        if not num_slices:
            part = "HR's foreground" if pair.protocol == "foreground" else "HR"
            raise GeometryError(
                f"LPIPS needs slices of {SMALLEST_SLICE} x {SMALLEST_SLICE} pixels, the {part} has "
                f"{pair.hr.shape} voxels (head-foot, front-back, left-right)"
            )
        scores = LpipsScores(means["axial"], means["coronal"], means["sagittal"], num_slices, num_skipped)
        sr_rows, hr_rows = (np.concatenate(rows) for rows in zip(*features, strict=True))
        return scores, SliceFeatures(f"Frechet distance, {DEEPEST[self.net]}", None, sr_rows, hr_rows)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the LPIPS of each pair of images, (N,).

        Args:
            first: (N, 3, H, W) in [-1, 1]; one channel is repeated.
            second: likewise.
        """
        return self._network.distance(self._layers(first), self._layers(second))

    @torch.inference_mode()
    def _layers(self, images: Tensor) -> "Layers":
        layers: Layers = self._network(images.to(self.device, torch.float32).expand(-1, 3, -1, -1))
        return layers

    def _kept_of(self, pair: ComparedPair) -> "KeptLayers":
        kept = self._kept.get(pair.protocol)
        if kept is None or kept.hr is not pair.hr:
            kept = self._kept[pair.protocol] = KeptLayers(pair.hr)
        return kept


class Layers(NamedTuple):
    """A network's features of a batch of images."""

    normalised: list[Tensor]
    """of each layer, (N, F, h, w) of unit length along F"""
    deepest: Tensor
    """(N, F), mean of the deepest layer over the image, not normalised"""


@dataclass
class KeptLayers:
    """The features of one HR's slices, as many as the memory allows."""

    hr: np.ndarray
    layers: dict[tuple[View, int], Layers] = field(default_factory=dict)
    """by view and batch"""
    num_bytes: int = 0

    def add(self, view: View, number: int, layers: Layers) -> None:
        num_bytes = sum(tensor.nbytes for tensor in layers.normalised)
        if self.num_bytes + num_bytes <= MOST_KEPT_BYTES:
            self.layers[view, number] = layers
            self.num_bytes += num_bytes


class LpipsNetwork(nn.Module):
    """The lpips package's parts: images (N, 3, H, W) in [-1, 1] to their layers, and the distances between layers."""

    def __init__(self, package: Any) -> None:
        super().__init__()
        self.scaling, self.backbone, self.weights = package.scaling_layer, package.net, package.lins

    def forward(self, images: Tensor) -> Layers:
        layers = self.backbone(self.scaling(images))
        return Layers([_normalised(layer) for layer in layers], layers[-1].mean(dim=(2, 3)))

    @torch.inference_mode()
    def distance(self, first: Layers, second: Layers) -> Tensor:
        """Return the distance of each pair of images, (N,)."""
        distances = torch.zeros(len(first.deepest), device=first.deepest.device)
        for one, other, weights in zip(first.normalised, second.normalised, self.weights, strict=True):
            distances += weights((one - other).square_()).mean(dim=(1, 2, 3))  # one channel is left
        return distances


def _normalised(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt_() + NORM_EPSILON)


def _load(net: Net) -> "LpipsNetwork":
    """Load the lpips package's network; torchvision would download a backbone that is not there, so look first."""
    import lpips

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not (folder / CHECKPOINTS[net]).is_file():
        raise _missing(net, folder, "is not there")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the package calls torchvision by an old signature
            package = lpips.LPIPS(net=net, version="0.1", pretrained=True, pnet_rand=False, verbose=False)
            return LpipsNetwork(package).eval()
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise _missing(net, folder, f"could not be loaded ({error})") from error


def _missing(net: Net, folder: Path, what: str) -> ModelError:
    return ModelError(
        f"LPIPS needs the ImageNet weights {CHECKPOINTS[net]} of torchvision, a file that {what}; download "
        f"https://download.pytorch.org/models/{CHECKPOINTS[net]} into {folder}, or set TORCH_HOME to a folder that has "
        "it in hub/checkpoints"
    )
