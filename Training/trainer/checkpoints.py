"""The checkpoints of a run: written whole or not at all, the newest kept, never unpickled."""

import os
import pickle
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.models.model_card import SUFFIX

FORMAT_VERSION = 1
LAST_MODEL, BEST_MODEL = MODELS = ("last.safetensors", "best.safetensors")  # beside the folder of the checkpoints
MODEL_SHARE = 8  # a model file has 2 bytes for a weight, a checkpoint 16: weights, two moments of Adam, moving average
PATTERN = re.compile(r"step-(\d{8})\.pt")


class Checkpoints:
    """The folder ``checkpoints`` of a run."""

    def __init__(self, run: Path, keep: int) -> None:
        self.folder, self.keep = run / "checkpoints", keep

    def check_space(self, size: int) -> None:
        """Refuse a run whose checkpoints and model files do not fit on the disk beside those that are there already.

        Args:
            size: bytes of one checkpoint, about.

        Raises:
            OutputError: too little space, or a folder that cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be made ({error.strerror}); choose another --out") from error
        model = size // MODEL_SHARE
        wanted = (self.keep + 1) * size + (len(MODELS) + 1) * model
        models = [path for path in (self.folder.parent / name for name in MODELS) if path.is_file()]
        missing = wanted - sum(_num_bytes(path) for path in (*self._all(), *self._leftovers(), *models))
        missing = max(missing, size + model)  # a file is written before the one that it replaces goes
        free = shutil.disk_usage(self.folder).free
        if free < missing:
            raise OutputError(
                f"The model files and {self.keep + 1} checkpoints take {missing / 1e9:.2f} GB more, and "
                f"{free / 1e9:.2f} GB are free in {self.folder}: free some space, choose another run folder, or lower "
                "loop.keep"
            )

    def remove_leftovers(self) -> None:
        """Delete what processes that were killed while they saved have left, of checkpoints and of model files."""
        for temporary in self._leftovers():
            temporary.unlink(missing_ok=True)

    def newest(self) -> Path | None:
        """Return the checkpoint with the most steps."""
        return max(self._all(), default=None)

    def save(self, step: int, content: dict[str, Any]) -> Path:
        """Write a checkpoint under a temporary name, rename it, and drop those that are too old.

        Raises:
            OutputError: it could not be written; earlier checkpoints are kept.
        """
        path = self.folder / f"step-{step:08d}.pt"
        temporary = self.folder / f".{path.name}.{os.getpid()}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                torch.save(content | {"format": FORMAT_VERSION}, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, RuntimeError) as error:
            cause = error if isinstance(error, OSError) else error.__context__  # PyTorch's own words hide a full disk
            reason = cause.strerror if isinstance(cause, OSError) else error
            raise OutputError(
                f"Checkpoint {path} could not be written ({reason}), earlier ones are kept; free some space there, and "
                "start the same command again"
            ) from error
        finally:
            with suppress(OSError):  # of a folder that is none
                temporary.unlink(missing_ok=True)
        for old in sorted(self._all())[: -self.keep]:
            old.unlink()
        return path

    def load(self, path: Path, device: torch.device) -> dict[str, Any]:
        """Read a checkpoint.

        Raises:
            InputError: damaged, or of another format version.
        """
        try:
            content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(f"Checkpoint {path} is damaged; delete it to continue from an earlier one") from error
        if content.get("format") != FORMAT_VERSION:
            raise InputError(
                f"Checkpoint {path} has format version {content.get('format')}, this program reads {FORMAT_VERSION}"
            )
        return content

    def _leftovers(self) -> list[Path]:
        return [*self.folder.glob(".step-*.tmp"), *self.folder.parent.glob(f".*{SUFFIX}.*.tmp")]

    def _all(self) -> list[Path]:
        return [path for path in self.folder.glob("step-*.pt") if PATTERN.fullmatch(path.name)]


def _num_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process of the run has deleted a leftover meanwhile
        return 0
