"""What a run leaves for those who watch it: one JSON line a step, and TensorBoard."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

LOG_FILE = "log.jsonl"


class RunLog:
    """The files ``log.jsonl`` and ``tensorboard/`` of a run; processes other than the first write nothing."""

    def __init__(self, run: Path, step: int, *, active: bool) -> None:
        """Open the log at a step; lines of later steps, which a killed run may have left, are dropped."""
        self.active, self.path = active, run / LOG_FILE
        if active:
            self._drop_lines_after(step)
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, **values: Any) -> None:
        """Write one line; numbers go to TensorBoard too."""
        if not self.active:
            return
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            if isinstance(value, float):
                self.board.add_scalar(name, value, step)

    def histogram(self, name: str, values: Tensor, step: int) -> None:
        """Write a histogram to TensorBoard."""
        if self.active:
            self.board.add_histogram(name, values.float().cpu(), step)

    def picture(self, name: str, volumes: list[np.ndarray], step: int) -> None:
        """Write the middle axial slices of volumes (D, H, W) of one shape side by side, [0, 1] from black to white."""
        if not self.active:
            return
        slices = [volume[len(volume) // 2, ::-1, ::-1] for volume in volumes]  # A up, R left
        image = np.concatenate(slices, axis=1).clip(0, 1).astype(np.float32)
        self.board.add_image(name, torch.from_numpy(image)[None], step)

    def close(self) -> None:
        if self.active:
            self.board.close()

    def _drop_lines_after(self, step: int) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # the line that was being written when the run was killed
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("".join(kept))
        temporary.replace(self.path)
