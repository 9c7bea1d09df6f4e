"""The training loop: patches in; model files, checkpoints and logs out."""

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.checkpoint import save_model
from SuperResolution3DLib.models.model_card import ModelCard
from Training.config import TrainConfig
from Training.data.patches import Patches, SampleOrder
from Training.data.training_volume import TrainingVolume
from Training.trainer.adversary import Adversary, adam, clip_gradients
from Training.trainer.batch_statistics import share_batch_statistics
from Training.trainer.checkpoints import BEST_MODEL, LAST_MODEL, Checkpoints
from Training.trainer.divergence import check_finite
from Training.trainer.initial_generator import initial_generator
from Training.trainer.learning_rate import rate_factor
from Training.trainer.moving_average import moving_average
from Training.trainer.objective import Objective
from Training.trainer.patch_dataset import patch_dataset
from Training.trainer.perceptual_loss import PerceptualLoss
from Training.trainer.progress import Progress
from Training.trainer.resumption import differences, identity, with_stretch
from Training.trainer.run_log import RunLog
from Training.trainer.stop_request import StopRequest, signals_blocked
from Training.trainer.validation import Validation, ValidationResult, better

log = logging.getLogger(__name__)

BYTES_PER_PARAMETER = 4 * 4  # weights, two moments of Adam, moving average


class Trainer:
    """Fits a generator to pixels, to VGG19's features and against a discriminator (paper 4.2)."""

    def __init__(
        self,
        config: TrainConfig,
        card: ModelCard,
        train: list[TrainingVolume],
        validation: Validation,
        perceptual: PerceptualLoss | None,
        fabric: Fabric,
    ) -> None:
        self.config, self.card, self.train, self.validation, self.fabric = config, card, train, validation, fabric
        torch.manual_seed(config.seed)
        network = initial_generator(config, card)
        self.average = moving_average(fabric.to_device(network), config.optimisation.ema_decay)
        optimiser = adam(network, config.optimisation.learning_rate, config.optimisation)
        self.network, self.optimiser = fabric.setup(network, optimiser)
        self.adversary = (
            Adversary(fabric, config.discriminator, config.optimisation) if config.loss.adversarial_weight else None
        )
        self.objective = Objective(config, fabric, self.network, perceptual, self.adversary)
        self.progress = Progress()
        self.checkpoints = Checkpoints(config.out, config.loop.keep)
        self.checkpoints.check_space(BYTES_PER_PARAMETER * self._num_parameters())
        if fabric.is_global_zero:
            self.checkpoints.remove_leftovers()
        self._resume()
        self.progress.history = with_stretch(
            self.progress.history, self.progress.step, config, processes=fabric.world_size
        )
        self.log = RunLog(
            config.out,
            self.progress.step,
            config.loop.logger,
            active=fabric.is_global_zero,
            validates_again=self._owes_validation,
        )

    def fit(self, stop: StopRequest) -> bool:
        """Run to the last step and its validation; return False when the run was asked to stop before."""
        progress, steps = self.progress, self.config.optimisation.steps
        began = time.monotonic() - progress.seconds
        stop.defer()
        batches = self._batches()
        bar = tqdm(
            initial=progress.step,
            total=steps,
            unit="step",
            dynamic_ncols=True,
            disable=not self.fabric.is_global_zero,
        )
        with bar:
            while self._owes_validation or progress.step < steps:
                if self._owes_validation:
                    self._validate(stop)
                    saves = True
                else:
                    self._train(batches, bar, began)
                    # Before a validation too, which may take longer than what is left of the allocation.
                    saves = progress.step % self.config.loop.save_every == 0 or self._owes_validation
                due = stop.due(self.fabric)
                if saves or due:
                    self._save()
                if due:
                    break
        self.log.close()
        return progress.step == steps and not self._owes_validation

    @property
    def _owes_validation(self) -> bool:
        step = self.progress.step
        at_end = step == self.config.optimisation.steps
        return (at_end or (step > 0 and step % self.config.loop.validate_every == 0)) and self.progress.validated < step

    def _train(self, batches: Iterator[Patches], bar: "tqdm[None]", began: float) -> None:
        """Take a step, and say so in log and bar; the run, with all its parts, counts as begun at a time."""
        earlier = time.monotonic()
        values = self.step(batches)
        now = time.monotonic()
        seconds, self.progress.seconds = now - earlier, now - began
        self.log.write(self.progress.step, **values, step_seconds=seconds, seconds=round(self.progress.seconds, 1))
        self._show(bar, values, seconds)

    def step(self, batches: Iterator[Patches]) -> dict[str, float]:
        """Take one optimiser step of each network; return the losses and the seconds spent waiting for patches.

        Raises:
            DivergedError: a loss or a gradient is not finite.
        """
        optimisation = self.config.optimisation
        factor = rate_factor(optimisation, self.progress.step)
        rate = optimisation.learning_rate * factor
        sums: dict[str, Tensor] = {}
        waited = 0.0
        taken: list[Patches] = []
        for number in range(optimisation.accumulate):
            began = time.monotonic()
            patches = next(batches)
            waited += time.monotonic() - began
            taken.append(patches)
            for name, value in self.objective.backward(patches, self.progress.step, number).items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value / optimisation.accumulate
        sums["gradient_norm"] = clip_gradients(self.fabric, self.network, self.optimiser, optimisation)
        adversary = self.adversary if self.objective.is_complete(self.progress.step) else None
        if adversary:
            sums["discriminator_gradient_norm"] = adversary.clip()
        check_finite(self.config.out, self.fabric.global_rank, self.progress.step, taken, sums)
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if adversary:
            adversary.step(factor)
        share_batch_statistics(self.fabric, self.network)
        self.average.update_parameters(self.network)
        self.progress.step += 1
        self.progress.scored = {}  # of other weights
        self.progress.samples += optimisation.accumulate * self.config.data.batch_size * self.fabric.world_size
        return {name: value.item() for name, value in sums.items()} | {"learning_rate": rate, "data_seconds": waited}

    def _batches(self) -> Iterator[Patches]:
        """Yield the patches of this process from the sample where the run stands."""
        data, optimisation = self.config.data, self.config.optimisation
        order = SampleOrder(
            first=self.progress.samples,
            num_batches=(optimisation.steps - self.progress.step) * optimisation.accumulate,
            process=self.fabric.global_rank,
            num_processes=self.fabric.world_size,
        )
        dataset = patch_dataset(self.config, self.train, order)
        loader = DataLoader(
            dataset,
            batch_size=None,
            num_workers=data.num_workers,
            pin_memory=self._is_on_gpu,
            generator=torch.Generator(),  # else the loader draws from the one that the checkpoint holds
        )
        batches = iter(self.fabric.setup_dataloaders(loader, use_distributed_sampler=False))
        with signals_blocked():
            first = next(batches)  # now the loader's processes are started
        yield first
        yield from batches

    def _validate(self, stop: StopRequest) -> None:
        """Score the averaged weights on the whole validation volumes and keep the best, if nothing stops it."""
        loop, progress = self.config.loop, self.progress
        result = self.validation.run(self.average.module.state_dict(), progress.scored, stop)
        if not result.is_complete:
            progress.scored = result.volumes
            log.info(
                "step %d: %d volumes are validated, the others when the run goes on", progress.step, len(result.volumes)
            )
            return
        progress.scored, progress.validated = {}, progress.step
        means = result.means
        self.log.write(
            progress.step, **{f"validation_{name}": value for name, value in means.items()}, validation=result.volumes
        )
        if result.pictures:
            self.log.picture("interpolated LR, SR, HR", result.pictures, progress.step)
        if self.adversary:
            for name, logits in self.adversary.logits.items():
                self.log.histogram(f"logits_{name}", logits, progress.step)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
        log.info("step %d: validation %s", progress.step, shown)
        if better(loop.best, means[loop.best], progress.best):
            progress.best = means[loop.best]
            if self.fabric.is_global_zero:
                save_model(self.config.out / BEST_MODEL, self.average.module.state_dict(), self._card(result))

    def _card(self, result: ValidationResult | None = None) -> ModelCard:
        values = asdict(self.card)
        values["training"] |= {
            "steps": self.progress.step,
            "samples": self.progress.samples,
            "hours": round(self.progress.seconds / 3600, 2),
            "history": self.progress.history,
        }
        if result:
            figures = {name: round(value, 4) for name, value in result.means.items()}
            values["metrics"] = {
                "validation": {"protocol": "foreground", "volumes": len(result.volumes), self.card.name: figures}
            }
        return ModelCard(**values)

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            self.checkpoints.save(self.progress.step, self._state())
            save_model(self.config.out / LAST_MODEL, self.average.module.state_dict(), self._card())
        self.fabric.barrier()

    def _state(self) -> dict[str, Any]:
        return {
            "identity": identity(self.config, self.card),
            "progress": asdict(self.progress),
            "best_by": self._best_by,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.module.state_dict(),
            "adversary": self.adversary.state() if self.adversary else None,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.fabric.device) if self._is_on_gpu else None,
        }

    def _resume(self) -> None:
        path = self.checkpoints.newest()
        if path is None:
            return
        content = self.checkpoints.load(path, self.fabric.device)
        changes = differences(content["identity"], identity(self.config, self.card))
        if changes:
            raise InputError(
                f"Checkpoint {path} was made with {'; '.join(changes)}: continue with the same settings or choose "
                "another run folder"
            )
        self.network.load_state_dict(content["network"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.average.module.load_state_dict(content["average"])
        self.average.n_averaged += content["progress"]["step"]
        if self.adversary:
            self.adversary.load(content["adversary"])
        torch.set_rng_state(content["random"].cpu())
        if content["random_cuda"] is not None and self._is_on_gpu:
            torch.cuda.set_rng_state(content["random_cuda"].cpu(), self.fabric.device)
        self.progress = Progress(**content["progress"])
        if content["best_by"] != self._best_by:  # scores of another kind, or of other volumes, are not compared
            self.progress.best = None
        if self.progress.step > self.config.optimisation.steps:
            raise InputError(
                f"optimisation.steps is {self.config.optimisation.steps}, and checkpoint {path} already has "
                f"{self.progress.step}: ask for more steps or choose another run folder"
            )
        log.info("continuing at step %d", self.progress.step)

    @property
    def _best_by(self) -> str:
        loop = self.config.loop
        return f"{loop.best} of {loop.validate_volumes}" if loop.validate_volumes else loop.best

    @property
    def _is_on_gpu(self) -> bool:
        on_gpu: bool = self.fabric.device.type == "cuda"
        return on_gpu

    def _num_parameters(self) -> int:
        networks = [self.network, *([self.adversary.network] if self.adversary else [])]
        return sum(parameter.numel() for network in networks for parameter in network.parameters())

    def _show(self, bar: "tqdm[None]", values: dict[str, float], seconds: float) -> None:
        shown: dict[str, str] = {
            name: f"{values[name]:.4f}" for name in ("pixel", "perceptual", "adversarial") if name in values
        }
        if "discriminator_real" in values:
            shown["discriminator"] = f"{values['discriminator_real'] + values['discriminator_fake']:.3f}"
        patches = self.config.optimisation.accumulate * self.config.data.batch_size * self.fabric.world_size
        bar.set_postfix(shown | {"patches/s": f"{patches / seconds:.1f}"}, refresh=False)
        bar.update()
