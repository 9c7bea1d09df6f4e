"""An array on disk that is mapped into memory when it is used: thousands of them, a few open files."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import OutputError

MOST_OPEN = 64  # maps of a process; each holds a file descriptor, of which a login often grants 1024, some systems 256


@dataclass(frozen=True)
class MappedArray:
    """An array in a .npy file, read-only; it goes to other processes as its file's name."""

    path: Path
    offset: int
    """Bytes before the first voxel"""
    dtype: str
    shape: tuple[int, ...]
    identity: tuple[int, int]
    """Of the file: a file that was made again under the same name is another array"""

    def __getitem__(self, box: Any) -> np.ndarray:
        return np.asarray(_mapped(self)[box])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = np.asarray(_mapped(self), dtype)
        return array.copy() if copy else array

    def __len__(self) -> int:
        return self.shape[0]


def describe(path: Path) -> MappedArray:
    """Return the array of a .npy file without keeping the file open.

    Raises:
        ValueError: it is no whole file of this kind.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{path.name} is no .npy file of version 1.0")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        offset = stream.tell()
    state = path.stat()
    wanted = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if state.st_size != wanted:
        raise ValueError(f"{path.name} has {state.st_size} bytes instead of {wanted}")
    return MappedArray(path, offset, dtype.str, tuple(shape), (state.st_ino, state.st_mtime_ns))


def write(path: Path, array: np.ndarray) -> None:
    """Write an array in C order as a .npy file; unlike NumPy's own way, a full disk is told also by the last byte.

    Raises:
        OSError: it cannot be written.
    """
    array = np.ascontiguousarray(array)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(array.tobytes() if array.size == 0 else array.data)


@lru_cache(maxsize=MOST_OPEN)
def _mapped(array: MappedArray) -> np.memmap:
    try:
        return np.memmap(array.path, np.dtype(array.dtype), "r", array.offset, array.shape)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{array.path} in the cache can no longer be read ({reason}); start again") from error
