"""Tiles on their way into the result on the host: from a CUDA GPU while it computes the next tile."""

import logging

import numpy as np
import torch
from torch import Tensor

from SuperResolution3DLib.volumes.box import Box

log = logging.getLogger(__name__)

PIECE = 2**21  # voxels that a pinned buffer holds, 8 MiB; pinning more takes longer than it saves


class CopyStream:
    """A second stream of a CUDA GPU, with two pinned buffers: its copies run beside what is computed meanwhile."""

    def __init__(self, device: torch.device) -> None:
        """Pin the buffers.

        Raises:
            RuntimeError: the system pins no memory.
        """
        self._device = device
        with torch.cuda.device(device):  # or the pinning wakes the first GPU
            self._stream = torch.cuda.Stream(device)
            self.buffers = tuple(torch.empty(PIECE, dtype=torch.float32, pin_memory=True) for _ in range(2))

    def computed(self) -> torch.cuda.Event:
        """Return an event that comes when all that has been queued for computing so far is done."""
        return torch.cuda.current_stream(self._device).record_event()

    def copy(self, piece: Tensor, buffer: Tensor, computed: torch.cuda.Event) -> torch.cuda.Event:
        """Queue a copy into pinned memory for when ``computed`` has come; return an event that comes after it."""
        self._stream.wait_event(computed)
        with torch.cuda.stream(self._stream):
            buffer.copy_(piece, non_blocking=True)
        return self._stream.record_event()


class HostCopies:
    """Puts tiles into the result; with a ``CopyStream`` each one travels when the one after it has been queued.

        GPU, computing   | tile 0 | tile 1             | tile 2             |
        GPU, copying              | 0 to A, 0 to B, .. | 1 to A, 1 to B, .. |    pieces of a tile, two buffers
        host                          | A, B, ..           | A, B, ..           into the result

    Between two calls a tile waits on the GPU, but no copy is under way: a run that ends early leaves nothing behind.
    """

    def __init__(self, result: np.ndarray, stream: CopyStream | None) -> None:
        """Begin.

        Args:
            result: (D, H, W) float32.
            stream: None copies each tile at once.
        """
        self._result, self._stream = result, stream
        self._waiting: tuple[Box, Tensor, torch.cuda.Event] | None = None
        self._is_proven = False

    def put(self, box: Box, tile: Tensor) -> None:
        """Take a tile (D, H, W) float32 for a box of the result; it must not be changed afterwards."""
        if self._stream is None:
            self._result[box] = tile.cpu().numpy()
            return
        tile = tile.contiguous()
        earlier, self._waiting = self._waiting, (box, tile, self._stream.computed())
        if earlier is not None:
            self._bring(self._stream, *earlier)

    def finish(self) -> None:
        """Bring the tile that still waits; the result is complete then."""
        if self._stream is not None and self._waiting is not None:
            self._bring(self._stream, *self._waiting)
        self._waiting = None

    def _bring(self, stream: CopyStream, box: Box, tile: Tensor, computed: torch.cuda.Event) -> None:
        """Bring a tile through the buffers.

        The first one comes in the plain way, too, and where the two differ, all others do.
        """
        target = self._result[box]
        slices = len(stream.buffers[0]) // tile[0].numel()
        if slices == 0:
            target[:] = tile.cpu().numpy()
            return
        under_way: tuple[slice, Tensor, torch.cuda.Event] | None = None
        for number, start in enumerate(range(0, len(tile), slices)):
            piece = slice(start, min(start + slices, len(tile)))
            # What it held last is in the result by now.
            buffer = stream.buffers[number % 2][: tile[piece].numel()].view(tile[piece].shape)
            copied = stream.copy(tile[piece], buffer, computed)
            if under_way is not None:
                _place(target, *under_way)
            under_way = piece, buffer, copied
        if under_way is not None:
            _place(target, *under_way)
        if not self._is_proven:
            self._prove(target, tile.cpu().numpy())

    def _prove(self, brought: np.ndarray, plain: np.ndarray) -> None:
        self._is_proven = np.array_equal(brought, plain, equal_nan=True)
        if self._is_proven:
            return
        log.warning("Voxels that came from the GPU through pinned memory were wrong: copying them in the plain way")
        brought[:] = plain
        if self._waiting is not None:
            box, tile, _ = self._waiting
            self._result[box] = tile.cpu().numpy()
        self._stream = self._waiting = None


def copy_stream(device: torch.device) -> CopyStream | None:
    """Return what brings tiles from a CUDA GPU while it computes; None for other devices, and where it cannot be."""
    if device.type != "cuda":
        return None
    try:
        return CopyStream(device)
    except RuntimeError as error:
        log.warning("No pinned memory for what comes from the GPU: %s", error)
        return None


def _place(target: np.ndarray, piece: slice, buffer: Tensor, copied: torch.cuda.Event) -> None:
    copied.synchronize()
    target[piece] = buffer.numpy()
