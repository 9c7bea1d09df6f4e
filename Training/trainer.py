"""The training loop: patches in, model file and resume file out."""

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from SuperResolution3DLib.checkpoint import Model, build_network, save_model
from SuperResolution3DLib.engine import Engine, EngineSettings
from SuperResolution3DLib.metrics import score
from SuperResolution3DLib.model_card import ModelCard
from Training.config import TrainConfig
from Training.data import PatchDataset, Patches, TrainingVolume

log = logging.getLogger(__name__)

RESUME_FILE = "resume.pt"
LOG_FILE = "log.jsonl"
LAST_MODEL = "last.safetensors"
BEST_MODEL = "best.safetensors"


@dataclass
class TrainingState:
    """What a resume file holds besides the weights."""

    step: int = 0
    seconds: float = 0.0
    best_psnr: float = -np.inf


class Trainer:
    """Fits one generator with the pixel loss (paper 4.2, MAE), its moving average validated and saved."""

    def __init__(
        self,
        config: TrainConfig,
        card: ModelCard,
        train: list[TrainingVolume],
        validation: list[TrainingVolume],
        fabric: Fabric,
    ) -> None:
        self.config, self.card, self.train, self.validation, self.fabric = config, card, train, validation, fabric
        torch.manual_seed(config.seed)
        network = build_network(card.network, card.config)
        if config.model.skip == "zero-filled":  # begin where zero-filled stands: nothing added yet
            network.silence()
        network = network.to(memory_format=torch.channels_last_3d)
        optimiser = torch.optim.Adam(
            network.parameters(), lr=config.optimisation.learning_rate, betas=config.optimisation.betas
        )
        self.network, self.optimiser = fabric.setup(network, optimiser)
        self.average = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        self.state = TrainingState()
        self.config.run.mkdir(parents=True, exist_ok=True)
        if (config.run / RESUME_FILE).exists():
            self._resume()

    def fit(self) -> bool:
        """Run to the last step; return False when the time limit came first."""
        config, loop = self.config, self.config.loop
        started = time.monotonic()
        seconds_before = self.state.seconds
        batches = range(self.state.step, config.optimisation.steps)
        dataset = PatchDataset(self.train, config.network.scale, config.data, config.seed, batches)
        loader = self.fabric.setup_dataloaders(
            DataLoader(dataset, batch_size=None, num_workers=config.data.num_workers)
        )
        progress = tqdm(loader, initial=batches.start, total=batches.stop, unit="step", dynamic_ncols=True)
        losses: list[float] = []
        for patches in progress:
            losses.append(self._step(patches))
            self.state.step += 1
            self.state.seconds = seconds_before + time.monotonic() - started
            step = self.state.step
            if step % 50 == 0:
                progress.set_postfix(loss=f"{np.mean(losses):.4f}")
                self._log(loss=float(np.mean(losses)), learning_rate=self.optimiser.param_groups[0]["lr"])
                losses.clear()
            if step % loop.validate_every == 0 or step == batches.stop:
                self._validate()
            if step % loop.save_every == 0 or step == batches.stop:
                self._save()
            if loop.time_limit and time.monotonic() - started > 60 * loop.time_limit and step < batches.stop:
                self._save()
                return False
        return True

    def _step(self, patches: Patches) -> float:
        """Take one optimiser step; return the loss."""
        optimisation = self.config.optimisation
        for group in self.optimiser.param_groups:
            group["lr"] = optimisation.rate(self.state.step)
        lr, hr, measured = patches.lr, patches.hr, patches.measured
        sr = self.network(lr.contiguous(memory_format=torch.channels_last_3d)).float()
        if self.config.model.skip == "zero-filled":
            sr = sr + patches.zero_filled
        loss = ((sr - hr).abs() * measured).sum() / measured.sum().clamp(min=1)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss.item()} at step {self.state.step}; the files of earlier steps are kept"
            )
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.network, self.optimiser, max_norm=optimisation.gradient_clip)
        self.optimiser.step()
        self._update_average(self.network.state_dict())
        return loss.item()

    @torch.no_grad()
    def _update_average(self, weights: dict[str, Tensor]) -> None:
        # A young average follows faster, so that it does not remember the untrained weights.
        decay = min(self.config.optimisation.ema_decay, (1 + self.state.step) / (10 + self.state.step))
        for name, average in self.average.items():
            average.lerp_(weights[name].to(average.dtype), 1 - decay)

    def _validate(self) -> None:
        """Score the averaged weights on the whole validation volumes and keep the best."""
        network = build_network(self.card.network, self.card.config)
        network.load_state_dict(self.average)
        model = Model(network.eval(), self.card, sha256="")
        engine = Engine(model, EngineSettings(device=str(self.fabric.device)))
        scores = {}
        for volume in self.validation:
            degraded = volume.degraded[0]
            sr = engine.run(degraded.lr) * degraded.width + degraded.offset
            box = tuple(slice(first, first + size) for first, size in zip(degraded.start, sr.shape, strict=True))
            result = score(sr, volume.hr[box], "foreground")
            scores[volume.name] = {"psnr": result.psnr, "ssim": result.ssim}
        psnr = float(np.mean([values["psnr"] for values in scores.values()]))
        ssim = float(np.mean([values["ssim"] for values in scores.values()]))
        self._log(validation_psnr=psnr, validation_ssim=ssim, validation=scores)
        log.info("step %d: validation PSNR %.3f dB, SSIM %.4f", self.state.step, psnr, ssim)
        if psnr > self.state.best_psnr:
            self.state.best_psnr = psnr
            save_model(self.config.run / BEST_MODEL, self.average, self._card(scores))

    def _card(self, scores: dict[str, Any]) -> ModelCard:
        values = asdict(self.card)
        values["training"] |= {"steps": self.state.step, "hours": round(self.state.seconds / 3600, 2)}
        values["metrics"] = {"validation": scores}
        return ModelCard(**values)

    def _log(self, **values: Any) -> None:
        line = {"step": self.state.step, "seconds": round(self.state.seconds, 1), **values}
        with (self.config.run / LOG_FILE).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _save(self) -> None:
        save_model(self.config.run / LAST_MODEL, self.average, self._card({}))
        path = self.config.run / RESUME_FILE
        temporary = path.with_suffix(".tmp")
        content = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "state": asdict(self.state),
        }
        torch.save(content, temporary)
        temporary.replace(path)

    def _resume(self) -> None:
        path: Path = self.config.run / RESUME_FILE
        content = torch.load(path, map_location=self.fabric.device, weights_only=True)
        self.network.load_state_dict(content["network"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.average = content["average"]
        self.state = TrainingState(**content["state"])
        log.info("continuing at step %d", self.state.step)
