"""Where a result lies while it is computed: in main memory, or in mapped files on the disk where that is too small."""

import shutil
from dataclasses import dataclass, field, replace
from mmap import mmap
from pathlib import Path
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from SuperResolution3DLib.advice import SMALLER_REGION
from SuperResolution3DLib.errors import OutputError, ResourceError
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import FREE_SHARE, GIB, size_text
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.box import Shape, tiles, whole
from SuperResolution3DLib.volumes.geometry import Orientation
from SuperResolution3DLib.volumes.mapped_array import mapped_zeros, mapping_of, release
from SuperResolution3DLib.volumes.volume import cast_like

CUBE: Shape = (128, 128, 128)  # voxels that are cast at once where a result is mapped: few pages in any axis order


@dataclass(frozen=True)
class ResultMemory:
    """Makes the arrays that are as large as a result."""

    scratch: Path | None = None
    """folder on whose disk they may lie where main memory does not hold them; None: nowhere"""
    disk_bytes: int = 0
    """that they take there at most, the files to be written included"""
    is_mapped: bool = False
    """they lie there"""
    _mappings: WeakSet[mmap] = field(default_factory=WeakSet, repr=False)

    def mapped(self, monitor: Monitor) -> "ResultMemory":
        """Return the memory of the same results on the disk.

        Raises:
            OutputError: the disk has too little room.
            ValueError: no folder may take them.
        """
        if self.scratch is None:
            raise ValueError("There is no folder for results that main memory does not hold")
        free = shutil.disk_usage(self.scratch).free
        if self.disk_bytes > free:
            values = {"needed": size_text(self.disk_bytes), "free": size_text(free), "folder": str(self.scratch)}
            raise OutputError(Sentence("output-scratch", values))
        monitor.tell(f"main memory is too small: the result takes up to {size_text(self.disk_bytes)} in {self.scratch}")
        return replace(self, is_mapped=True)

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> np.ndarray:
        """Return an array of any content.

        Raises:
            OutputError: the disk, on which it shall lie, refuses.
        """
        if not self.is_mapped or self.scratch is None:
            return np.empty(shape, dtype)
        try:
            array = mapped_zeros(shape, dtype, self.scratch)
        except OSError as error:
            values = {"path": str(self.scratch), "reason": error.strerror or str(error)}
            raise OutputError(Sentence("output-failed", values)) from error
        mapping = mapping_of(array)
        if mapping is not None:
            self._mappings.add(mapping)
        return array

    def features(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a tensor of any content of another one's type and on its device; raises what ``empty`` raises."""
        if not self.is_mapped or like.device.type != "cpu":
            return like.new_empty(shape)
        numbers = self.empty((*shape, like.element_size()), np.uint8)
        return torch.from_numpy(numbers).view(like.dtype).squeeze(-1)

    def release(self) -> None:
        """Let all that lies on the disk leave the process's memory until it is asked for again."""
        for mapping in self._mappings:
            release(mapping)

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return zeros in float32; raises what ``empty`` raises."""
        return self.empty(shape) if self.is_mapped else np.zeros(shape, np.float32)

    def in_file(self, array: np.ndarray, dtype: np.dtype, offset: int | float, turn: Orientation) -> np.ndarray:
        """Return a canonical array (D, H, W) in a file's axis order and type, see ``volume.cast_like``."""
        if not self.is_mapped:
            return turn.from_canonical(cast_like(array, dtype, offset))
        turned = turn.from_canonical(array)  # a view, whose planes may be scattered over all of its file
        result = self.empty(turned.shape, dtype)
        for box in tiles(whole(turned.shape), CUBE):
            result[box] = cast_like(turned[box], dtype, offset)
            self.release()
        return result


def choose_memory(
    needed: int,
    beside: int,
    settings: EngineSettings,
    monitor: Monitor,
    *,
    on_cpu: bool,
    advice: Sentence = SMALLER_REGION,
) -> ResultMemory:
    """Choose main memory if it holds the result, else the disk if the settings name a folder on it.

    Args:
        needed: bytes that the result takes until it is written.
        beside: bytes that there are on the disk, too: the files to be written, uncompressed, and features.
        settings: folder and limit.
        monitor: is told of the disk.
        on_cpu: the network runs there, so the limit is one of main memory.
        advice: what helps if neither will do.

    Raises:
        ResourceError: main memory is too small, and there is no folder.
        OutputError: the disk has too little room.
    """
    memory = ResultMemory(settings.scratch, needed + beside)
    free = FREE_SHARE * free_memory()
    limit = settings.memory_limit if on_cpu else None
    if needed <= free and (limit is None or needed <= limit * GIB):
        return memory
    if settings.scratch is not None:
        return memory.mapped(monitor)
    if needed > free:
        values = {"needed": f"{needed / GIB:.2f}", "allowed": f"{free / GIB:.2f}", "advice": advice}
        raise ResourceError(Sentence("memory-result", values))
    return memory
