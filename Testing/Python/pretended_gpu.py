"""A GPU that is none: tensors that are sent to it stay on the CPU, and its second stream copies when a test wants."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

NEVER = 7e7  # what memory holds that no copy has reached, or that has been given back


@dataclass
class Copied:
    """The event after a copy; with it come the copies before, too."""

    stream: "PretendedStream"
    number: int

    def synchronize(self) -> None:
        self.stream.complete(self.number)


class PretendedStream:
    """A ``CopyStream`` whose copies are done as early, or as late, as its events allow."""

    def __init__(self, *, early: bool = False, piece: int = 2**16, fault: float = 0) -> None:
        self.buffers = tuple(torch.full((piece,), NEVER) for _ in range(2))
        self.early, self.fault = early, fault
        self.num_computed = self._done = 0
        self.copies: list[tuple[np.ndarray, int, int]] = []
        """of each copy: what it reads, the event that it waits for, and how many tiles had been computed by then"""
        self._queued: list[tuple[np.ndarray, torch.Tensor]] = []

    def computed(self) -> int:
        self.num_computed += 1
        return self.num_computed

    def copy(self, piece: torch.Tensor, buffer: torch.Tensor, computed: int) -> Copied:
        if not piece.is_contiguous():
            raise ValueError("Such a piece is first copied on the GPU")
        source = piece.numpy()
        self.copies.append((source, computed, self.num_computed))
        self._queued.append((source, buffer))
        if self.early:
            self.complete(len(self._queued))
        return Copied(self, len(self._queued))

    def complete(self, number: int) -> None:
        for source, buffer in self._queued[self._done : number]:
            buffer.numpy()[:] = source + np.float32(self.fault)
        self._done = max(self._done, number)


def a_tile_of_the_gpu(values: np.ndarray) -> torch.Tensor:
    """Return a tile in memory that is used for something else as soon as nobody holds the tile."""
    memory = values.copy()
    tile = torch.from_numpy(memory)
    weakref.finalize(tile, memory.fill, NEVER)
    return tile


class PretendedGpu(TorchFunctionMode):
    """Computes on the CPU what is sent to a CUDA GPU."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        here = [_on_cpu(value) for value in args]
        return func(*here, **{name: _on_cpu(value) for name, value in (kwargs or {}).items()})


def pretend_a_gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] = (8, 0)) -> list[str]:
    """Let PyTorch find a GPU, for whoever is in a ``PretendedGpu``; return the list of what it is asked for."""
    asked: list[str] = []
    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "get_device_name": lambda _: "Pretended GPU",
        "get_device_capability": lambda _: capability,
        "mem_get_info": lambda _: (2**34, 2**34),
        "memory_reserved": lambda _: 0,
        "memory_allocated": lambda _: 0,
        "empty_cache": lambda: asked.append("empty cache"),
        "synchronize": lambda _: asked.append("synchronize"),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    return asked


def _on_cpu(value: Any) -> Any:
    return torch.device("cpu") if isinstance(value, torch.device) and value.type == "cuda" else value
