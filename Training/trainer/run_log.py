"""What a run leaves for those who watch it: one JSON line a step, and TensorBoard."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from SuperResolution3DLib.errors import OutputError

LOG_FILE = "log.jsonl"


class RunLog:
    """The files ``log.jsonl`` and ``tensorboard/`` of a run; processes other than the first write nothing.

    Every method raises OutputError when it cannot write.
    """

    def __init__(self, run: Path, step: int, *, active: bool, validates_again: bool = False) -> None:
        """Open the log at a step; what a killed run may have left of later steps is dropped.

        Args:
            run: the run's folder.
            step: the last that counts.
            active: False writes nothing.
            validates_again: the validation of that step does not count.
        """
        self.active, self.path = active, run / LOG_FILE
        if active:
            with self._writing():
                self._drop_lines_after(step, validates_again)
                self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, **values: Any) -> None:
        """Write one line; numbers go to TensorBoard too."""
        if not self.active:
            return
        with self._writing():
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
            for name, value in values.items():
                if isinstance(value, float):
                    self.board.add_scalar(name, value, step)

    def histogram(self, name: str, values: Tensor, step: int) -> None:
        """Write a histogram to TensorBoard."""
        if self.active:
            with self._writing():
                self.board.add_histogram(name, values.float().cpu(), step)

    def picture(self, name: str, volumes: list[np.ndarray], step: int) -> None:
        """Write the middle axial slices of volumes (D, H, W) of one shape side by side, [0, 1] from black to white."""
        if not self.active:
            return
        slices = [volume[len(volume) // 2, ::-1, ::-1] for volume in volumes]  # A up, R left
        image = np.concatenate(slices, axis=1).clip(0, 1).astype(np.float32)
        with self._writing():
            self.board.add_image(name, torch.from_numpy(image)[None], step)

    def close(self) -> None:
        if self.active:
            with self._writing():
                self.board.close()

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
        except OSError as error:  # of TensorBoard's thread too, which tells it at the next call
            raise OutputError(
                f"The log of {self.path.parent} could not be written ({error.strerror or error}); free some space "
                "there, and start the same command again"
            ) from error
