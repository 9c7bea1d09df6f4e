"""Validation: whole volumes through the library's own inference path, scored as everywhere else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from SuperResolution3DLib.errors import CancelledError, VolumeError
from SuperResolution3DLib.forward.kspace import zero_fill
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.kept_memory import give_back_memory
from SuperResolution3DLib.metrics.evaluation_protocols import SSIM_WINDOW, reference
from SuperResolution3DLib.metrics.metrics import score
from SuperResolution3DLib.models.checkpoint import Model, build_network
from SuperResolution3DLib.models.model_card import ModelCard
from Training.data.index import IndexEntry, refuse_problems
from Training.data.training_volume import TrainingVolume
from Training.evaluation.perceptual_metrics import SMALLEST_SLICE, Lpips
from Training.trainer.stop_request import StopRequest

METRICS = ("psnr", "ssim", "lpips")
HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "lpips": False}


@dataclass(frozen=True)
class Views:
    """What a volume was made of and into, (D, H, W) each."""

    interpolated: np.ndarray
    """network units"""
    sr: np.ndarray
    """network units"""
    hr: np.ndarray
    """the file's intensities"""
    offset: float
    """network units = (intensity - offset) / width"""
    width: float


@dataclass(frozen=True)
class ValidationResult:
    """Scores of the validation volumes under the protocol ``foreground``."""

    volumes: dict[str, dict[str, float]]
    """by volume, then by metric"""
    pictures: list[np.ndarray]
    """interpolated LR, SR and HR of the first volume, network units, (D, H, W) each"""
    is_complete: bool
    """False: the run was asked to stop before all were scored"""

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

    def check(self, entries: Sequence[IndexEntry]) -> None:
        """Refuse volumes that cannot be scored: told before the first step instead of at the first validation.

        Args:
            entries: of the volumes, in their order.

        Raises:
            InputError: volumes are too thin for a metric, or have no range; all of them are listed by subject.
        """
        failed = torch.zeros(len(self.volumes), device=self.fabric.device)
        for number in tqdm(self._shared(), desc="checking validation volumes", unit="volume", disable=None):
            failed[number] = float(bool(self._problem(self.volumes[number])))
        if self.fabric.world_size > 1:
            self.fabric.all_reduce(failed, reduce_op="sum")
        problems = [
            (entry, self._problem(volume))
            for entry, volume, has_failed in zip(entries, self.volumes, failed.tolist(), strict=True)
            if has_failed
        ]
        refuse_problems(problems, "cannot be scored in validation")

    @torch.no_grad()
    def run(self, weights: dict[str, Tensor], done: dict[str, dict[str, float]], stop: StopRequest) -> ValidationResult:
        """Score the weights of a generator; every process gets all scores.

        Args:
            weights: of the generator.
            done: scores that the same weights had before the run was stopped, by volume.
            stop: a stop that is asked for ends the validation at once; what is scored is returned.
        """
        with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
            network = build_network(self.card.network, self.card.config)
        network.load_state_dict(weights)
        model, settings = Model(network.eval(), self.card, sha256=""), EngineSettings(device=str(self.fabric.device))
        metrics = METRICS if self.lpips else METRICS[:2]
        done = {name: scores for name, scores in done.items() if set(scores) == set(metrics)}
        # a row of scores for each volume, and whether there are any
        table = torch.zeros(len(self.volumes), len(metrics) + 1, dtype=torch.float64)
        pictures: list[np.ndarray] = []
        for number in self._shared(done):
            self._give_back_memory()
            try:
                views = self._super_resolved(self.volumes[number], model, settings, _Stopping(stop))
            except CancelledError:
                break
            if number == 0:
                pictures = [views.interpolated, views.sr, (views.hr - views.offset) / views.width]
            table[number] = torch.tensor([*self._scores(views), 1])
        if self.fabric.world_size > 1:
            table = table.to(self.fabric.device)
            self.fabric.all_reduce(table, reduce_op="sum")
        self._give_back_memory()
        found = done | {
            volume.name: dict(zip(metrics, row, strict=True))
            for volume, (*row, is_scored) in zip(self.volumes, table.tolist(), strict=True)
            if is_scored
        }
        rows = {volume.name: found[volume.name] for volume in self.volumes if volume.name in found}
        return ValidationResult(rows, pictures, is_complete=len(rows) == len(self.volumes))

    def _shared(self, done: Collection[str] = ()) -> list[int]:
        """Return the numbers of the volumes that are this process's, of those that are not done."""
        left = [number for number, volume in enumerate(self.volumes) if volume.name not in done]
        return left[self.fabric.global_rank :: self.fabric.world_size]

    def _give_back_memory(self) -> None:
        """Give back what the training keeps: the engine plans with what is free."""
        if self.fabric.device.type == "cuda":
            torch.cuda.empty_cache()
        else:
            give_back_memory()

    def _hr(self, volume: TrainingVolume) -> np.ndarray:
        """Return the HR (D, H, W) on the grid of the SR that the volume's LR becomes."""
        degraded = volume.degraded[0]
        box = tuple(
            slice(first, first + size * factor)
            for first, size, factor in zip(degraded.start, degraded.lr.shape, self.card.scale, strict=True)
        )
        return np.asarray(volume.hr[box])

    def _problem(self, volume: TrainingVolume) -> str:
        """Say why a volume cannot be scored, or nothing."""
        hr = self._hr(volume)
        if min(hr.shape) < SSIM_WINDOW:
            return f"SSIM needs {SSIM_WINDOW} voxels an axis, the HR has {hr.shape} (head-foot, front-back, left-right)"
        try:
            shape = reference(hr, "foreground").hr.shape
        except VolumeError as error:
            return str(error)
        if self.lpips and sorted(shape)[1] < SMALLEST_SLICE:
            return (
                f"LPIPS needs a view of {SMALLEST_SLICE} x {SMALLEST_SLICE} pixels, the HR's foreground has {shape} "
                "voxels (head-foot, front-back, left-right); turn it off with loop.lpips=false"
            )
        return ""

    def _super_resolved(
        self, volume: TrainingVolume, model: Model, settings: EngineSettings, monitor: Monitor
    ) -> "Views":
        """Super-resolve a volume.

        Raises:
            CancelledError: the monitor said so.
        """
        degraded = volume.degraded[0]
        lr = np.array(degraded.lr)
        sr = Engine(model, settings, monitor).run(lr)
        filled = zero_fill(lr, self.card.scale, "corner" if self.card.grid == "corner" else "center")
        return Views(filled, sr, self._hr(volume), degraded.offset, degraded.width)

    def _scores(self, views: "Views") -> list[float]:
        sr, hr = views.sr * views.width + views.offset, views.hr
        result = score(sr, hr, "foreground")
        return [result.psnr, result.ssim] + ([self.lpips.score(sr, hr).mean] if self.lpips else [])


def drawn(entries: Sequence[IndexEntry], count: int, seed: int) -> tuple[IndexEntry, ...]:
    """Return ``count`` of the volumes in their order, always the same; all for 0 or where there are no more."""
    if not 0 < count < len(entries):
        return tuple(entries)
    chosen = np.random.default_rng(seed).choice(len(entries), count, replace=False)
    return tuple(entries[number] for number in sorted(chosen))


class _Stopping(Monitor):
    """Ends a volume's inference when the run is asked to stop."""

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop

    def is_cancelled(self) -> bool:
        return self.stop.wanted


def better(metric: str, new: float, old: float | None) -> bool:
    """Say whether a score is better than the best one so far."""
    return old is None or (new > old if HIGHER_IS_BETTER[metric] else new < old)
