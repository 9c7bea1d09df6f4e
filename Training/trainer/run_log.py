"""What a run leaves for those who watch it: one JSON line a step, and one of Lightning's loggers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from lightning.fabric.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor

from SuperResolution3DLib.errors import InputError, OutputError
from Training.config import LoggerName

LOG_FILE = "log.jsonl"


def make_logger(name: LoggerName, run: Path, step: int = 0) -> Logger:
    """Return a logger of a run that goes on at a step; it writes nothing before its first figure.

    Raises:
        InputError: wandb is not installed.
    """
    if name == "tensorboard":
        return TensorBoardLogger(run, name="tensorboard", version="", purge_step=step + 1)
    if name == "csv":  # it begins a new file at each start
        return CSVLogger(run, name="csv", version=f"from-step-{step}", flush_logs_every_n_steps=1)
    from lightning.pytorch.loggers import WandbLogger

    try:
        return WandbLogger(f"{run.name} from step {step}", save_dir=run, project="SuperResolution3D", group=run.name)
    except ModuleNotFoundError as error:
        raise InputError(
            "loop.logger is wandb, which is not installed: pip install wandb, or set loop.logger to tensorboard or csv"
        ) from error


class RunLog:
    """The file ``log.jsonl`` of a run, and what its logger keeps; processes other than the first write nothing.

    Every method raises OutputError when it cannot write.
    """

    def __init__(
        self, run: Path, step: int, logger: LoggerName = "tensorboard", *, active: bool, validates_again: bool = False
    ) -> None:
        """Open the log at a step; what a killed run may have left of later steps is dropped.

        Args:
            run: the run's folder.
            step: the last that counts.
            logger: see ``LoopConfig``.
            active: False writes nothing.
            validates_again: the validation of that step does not count.
        """
        self.active, self.path = active, run / LOG_FILE
        if active:
            with self._writing():
                self._drop_lines_after(step, validates_again)
                self.logger = make_logger(logger, run, step)

    def write(self, step: int, **values: Any) -> None:
        """Write one line; numbers go to the logger too."""
        if not self.active:
            return
        with self._writing():
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
            self.logger.log_metrics({name: value for name, value in values.items() if isinstance(value, float)}, step)

    def histogram(self, name: str, values: Tensor, step: int) -> None:
        """Show a histogram, where the logger can."""
        if self.active:
            with self._writing():
                numbers = values.float().cpu().numpy()
                if isinstance(self.logger, TensorBoardLogger):
                    self.logger.experiment.add_histogram(name, numbers, step)
                elif not isinstance(self.logger, CSVLogger):
                    from wandb import Histogram

                    self.logger.log_metrics({name: Histogram(numbers)}, step)

    def picture(self, name: str, volumes: list[np.ndarray], step: int) -> None:
        """Show the middle axial slices of volumes (D, H, W) of one shape side by side, [0, 1] from black to white."""
        if not self.active:
            return
        slices = [volume[len(volume) // 2, ::-1, ::-1] for volume in volumes]  # A up, R left
        image = np.rint(255 * np.concatenate(slices, axis=1).clip(0, 1)).astype(np.uint8)
        with self._writing():
            if isinstance(self.logger, TensorBoardLogger):
                self.logger.experiment.add_image(name, image, step, dataformats="HW")
            elif not isinstance(self.logger, CSVLogger):
                self.logger.log_image(name, [image], step)

    def close(self) -> None:
        if self.active:
            with self._writing():
                self.logger.finalize("success")

    def _drop_lines_after(self, step: int, validates_again: bool) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text().splitlines():
            try:
                found = json.loads(line)
                if found["step"] < step or (found["step"] == step and not (validates_again and "validation" in found)):
                    kept.append(line + "\n")
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # the line that was being written when the run was killed
        temporary = self.path.with_suffix(".tmp")
        try:
            temporary.write_text("".join(kept))
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # of TensorBoard's thread too, which tells it at the next call
            cause = error.__cause__ or error  # Lightning wraps it
            if not isinstance(cause, OSError):
                raise
            raise OutputError(
                f"The log of {self.path.parent} could not be written ({cause.strerror or cause}); free some space "
                "there, and start the same command again"
            ) from error
