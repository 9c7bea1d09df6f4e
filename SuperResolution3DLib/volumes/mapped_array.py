"""Arrays that lie in a temporary file without a name instead of main memory, and how little of them stays in it."""

import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

HELD_BYTES = 2**25  # of arrays in files that may stay in memory while planes are gone through
BLOCK = bytes(2**20)


def mapped_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike, folder: Path) -> np.ndarray:
    """Return zeros (D, H, W) in a file that is gone with the array, or with the process, however that ends.

    Its space on the disk is taken at once: a disk that is full later would end the process.

    Raises:
        OSError: the disk is full, or the folder refuses.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile(dir=folder) as file:
        _reserve(file, size)
        return np.ndarray(shape, dtype, buffer=mmap.mmap(file.fileno(), size))


def release_pages(*arrays: np.ndarray) -> None:
    """Let what was read and written of arrays in files leave the process's memory; for others do nothing.

    What was written is kept: the system brings it to the disk when it needs the memory.
    """
    for array in arrays:
        mapping = mapping_of(array)
        if mapping is not None:
            release(mapping)


def release(mapping: mmap.mmap) -> None:
    """Let the pages of a mapped file leave the process's memory."""
    if hasattr(mapping, "madvise"):  # Windows trims by itself
        mapping.madvise(mmap.MADV_DONTNEED)


def mapping_of(array: np.ndarray) -> mmap.mmap | None:
    """Return the mapped file in which an array or a view of it lies; None: in main memory."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def planes(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Go through arrays (D, H, W) of one depth plane by plane; of those in files little stays in memory."""
    held = 0
    for parts in zip(*arrays, strict=True):
        yield parts
        held += sum(part.nbytes for part in parts)
        if held >= HELD_BYTES:
            release_pages(*arrays)
            held = 0
    release_pages(*arrays)


def _reserve(file: BinaryIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, len(BLOCK)):
        file.write(BLOCK[: size - start])
    file.flush()
