"""The Inception network of the original FID, through torch-fidelity, with weights that the user brings as a file."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.metrics.evaluation_protocols import ComparedPair
from SuperResolution3DLib.models.model_card import file_sha256
from Training.evaluation.frechet import KERNEL_SLICES, SliceFeatures
from Training.evaluation.slice_pictures import VIEWS, SliceChoice, slice_batches
from Training.weights_file import read_weights

TAPS = ("64", "192", "768", "2048")
KERNEL_TAP = "2048"
FILE = "weights-inception-2015-12-05-6726825d.pth"
ADDRESS = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
BATCH_PIXELS = 2**21  # of 299^2 pictures that go through the network at once


class Inception:
    """Slices to features of the first and second max-pooling, of Mixed_6e and of the last average pooling.

    Slices are 8-bit grey pictures as for the original FID, the network resizes them as TensorFlow 1 does.
    """

    def __init__(self, file: Path, *, taps: tuple[str, ...] = TAPS, device: str | torch.device = "cpu") -> None:
        """Load the weights.

        Args:
            file: ``FILE``, or the same tensors as safetensors. Nothing is ever downloaded or unpickled.
            taps: the features that are wanted, by their number.
            device: where to compute.

        Raises:
            ModelError: no such file, or tensors that are not exactly Inception's.
            InputError: torch-fidelity is not installed.
            ValueError: an unknown tap.
        """
        unknown = [tap for tap in taps if tap not in TAPS]
        if unknown or not taps:
            raise ValueError(f"Inception's taps are {', '.join(TAPS)}, got {', '.join(unknown) or 'none'}")
        self.taps, self.device = taps, torch.device(device)
        self._network = empty_network(taps)
        load_strictly(self._network, file)
        self._network.to(self.device)
        sha256 = file_sha256(file)
        self.doubt = (
            None
            if sha256 == SHA256
            else f"{file.name} (sha256 {sha256[:8]}) is not the original FID Inception, {FILE} (sha256 {SHA256[:8]})"
        )

    def describe(self) -> str:
        """Return the line that stands above or below every table of these figures."""
        return (
            f"FID: original FID Inception ({FILE}), features {', '.join(self.taps)}; all slices in three views as "
            "8-bit grey pictures, the same of SR and HR; KID: unbiased, cubic kernel, features 2048, of "
            f"at most {KERNEL_SLICES} slices"
        )

    @torch.inference_mode()
    def features(self, pair: ComparedPair, choice: SliceChoice | None = None) -> list[SliceFeatures]:
        """Return the features of the slices of all views, all of them by default."""
        rows: list[tuple[list[np.ndarray], list[np.ndarray]]] = []
        for view in VIEWS:
            for pictures in slice_batches(pair, view, choice or SliceChoice(), _batch_pixels(pair, view)):
                sr, hr = (self._run(picture) for picture in pictures)
                rows.append((sr, hr))
        return [
            SliceFeatures(
                f"FID {tap}",
                f"KID {tap}" if tap == KERNEL_TAP else None,
                np.concatenate([sr[number] for sr, _ in rows]),
                np.concatenate([hr[number] for _, hr in rows]),
                self.doubt,
            )
            for number, tap in enumerate(self.taps)
        ]

    def _run(self, pictures: Tensor) -> list[np.ndarray]:
        """Return the features (N, F) of each tap."""
        levels = (pictures * 255).round().to(torch.uint8).expand(-1, 3, -1, -1)
        return [features.cpu().numpy() for features in self._network(levels.to(self.device))]


def empty_network(taps: tuple[str, ...] = TAPS) -> nn.Module:
    """Return torch-fidelity's network with weights as PyTorch initialises them: good for nothing until loaded.

    Raises:
        InputError: torch-fidelity is not installed.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise InputError(f"FID needs the package torch-fidelity ({error}): pip install '.[fid]'") from error

    class EmptyInception(FeatureExtractorInceptionV3):
        """The package's class loads in its constructor, by download or by unpickling: here it loads nothing."""

        def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
            if not state_dict:
                return None
            return super().load_state_dict(state_dict, strict, assign)

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    return EmptyInception("inception-v3-compat", list(taps), feature_extractor_weights_path=nothing)


def load_strictly(network: nn.Module, file: Path) -> None:
    """Put the tensors of a file into a network, all of them and no others.

    Raises:
        ModelError: no such file, a file that cannot be read without unpickling, or tensors that do not fit.
    """
    if not file.is_file():
        raise ModelError(f"FID needs the weights of Inception, and {file} is not there: download {ADDRESS}")
    tensors, _ = read_weights(file, "Inception")
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if not tensors or broken:
        raise ModelError(f"{file.name} holds no Inception: {broken[0] if broken else 'it'} is empty or not finite")
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise ModelError(f"{file.name} does not hold exactly Inception's tensors: {' '.join(lines)[:500]}") from error


def _batch_pixels(pair: ComparedPair, view: Any) -> int:
    """Return how many pixels of a view make a batch, so that after resizing to 299^2 it has BATCH_PIXELS."""
    axis = VIEWS.index(view)
    pixels = pair.hr.size // pair.hr.shape[axis]
    return max(1, BATCH_PIXELS // 299**2) * pixels
