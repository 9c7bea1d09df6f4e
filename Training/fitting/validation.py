"""Validation: whole volumes through the library's own inference path, scored as everywhere else."""

from dataclasses import dataclass

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from SuperResolution3DLib.checkpoint import Model, build_network
from SuperResolution3DLib.engine import Engine, EngineSettings
from SuperResolution3DLib.kspace import zero_fill
from SuperResolution3DLib.metrics import score
from SuperResolution3DLib.model_card import ModelCard
from Training.scoring.perceptual_metrics import Lpips
from Training.volumes.preparation import TrainingVolume

METRICS = ("psnr", "ssim", "lpips")
HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "lpips": False}


@dataclass(frozen=True)
class ValidationResult:
    """Scores of the validation volumes under the protocol ``foreground``."""

    volumes: dict[str, dict[str, float]]
    """by volume, then by metric"""
    pictures: list[np.ndarray]
    """zero-filled LR, SR and HR of the first volume, network units, (D, H, W) each"""

    def mean(self, metric: str) -> float:
        return float(np.mean([scores[metric] for scores in self.volumes.values()]))

    @property
    def means(self) -> dict[str, float]:
        metrics = next(iter(self.volumes.values()))
        return {metric: self.mean(metric) for metric in metrics}


class Validation:
    """Scores weights on the validation volumes, which the processes share among them."""

    def __init__(self, volumes: list[TrainingVolume], card: ModelCard, fabric: Fabric, lpips: Lpips | None) -> None:
        self.volumes, self.card, self.fabric, self.lpips = volumes, card, fabric, lpips

    @torch.no_grad()
    def run(self, weights: dict[str, Tensor]) -> ValidationResult:
        """Score the weights of a generator; every process gets all scores."""
        network = build_network(self.card.network, self.card.config)
        network.load_state_dict(weights)
        engine = Engine(Model(network.eval(), self.card, sha256=""), EngineSettings(device=str(self.fabric.device)))
        metrics = METRICS if self.lpips else METRICS[:2]
        table = torch.zeros(len(self.volumes), len(metrics), dtype=torch.float64, device=self.fabric.device)
        pictures: list[np.ndarray] = []
        for number in range(self.fabric.global_rank, len(self.volumes), self.fabric.world_size):
            volume = self.volumes[number]
            degraded = volume.degraded[0]
            lr = np.asarray(degraded.lr)
            sr = engine.run(lr)
            box = tuple(slice(first, first + size) for first, size in zip(degraded.start, sr.shape, strict=True))
            hr = np.asarray(volume.hr[box])
            if number == 0:
                filled = zero_fill(lr, self.card.scale, "corner" if self.card.grid == "corner" else "center")
                pictures = [filled, sr, (hr - degraded.offset) / degraded.width]
            table[number] = torch.tensor(self._scores(sr * degraded.width + degraded.offset, hr))
        if self.fabric.world_size > 1:
            self.fabric.all_reduce(table, reduce_op="sum")
        rows = {
            volume.name: dict(zip(metrics, row, strict=True))
            for volume, row in zip(self.volumes, table.tolist(), strict=True)
        }
        return ValidationResult(rows, pictures)

    def _scores(self, sr: np.ndarray, hr: np.ndarray) -> list[float]:
        result = score(sr, hr, "foreground")
        return [result.psnr, result.ssim] + ([self.lpips.score(sr, hr).mean] if self.lpips else [])


def better(metric: str, new: float, old: float | None) -> bool:
    """Say whether a score is better than the best one so far."""
    return old is None or (new > old if HIGHER_IS_BETTER[metric] else new < old)
