"""What can go wrong through a person's doing, each with the code that events carry and the exit code of the process."""

import errno
from enum import IntEnum

from SuperResolution3DLib.sentence import Sentence


class ExitCode(IntEnum):
    """How the worker's process ended."""

    OK = 0
    BUG = 1
    BAD_INPUT = 2
    OUT_OF_MEMORY = 3
    CANCELLED = 4


class SuperResolutionError(Exception):
    """Base of all errors that are told in one sentence and need no traceback."""

    code = "error"
    exit_code = ExitCode.BAD_INPUT

    @property
    def sentence(self) -> Sentence:
        """The message; plain text has the code of the class."""
        first = self.args[0] if self.args else type(self).__name__
        return first if isinstance(first, Sentence) else Sentence(self.code, {}, str(first))


class InputError(SuperResolutionError):
    """An argument that cannot be used."""

    code = "input"


class VolumeError(InputError):
    """A file that is no usable volume: missing, truncated, not 3D, not finite, constant."""

    code = "volume"


class GeometryError(InputError):
    """A grid that cannot be used: sheared, degenerate, uneven, or not the grid that was asked for."""

    code = "geometry"


class ModelError(InputError):
    """A model file that is missing, damaged, of an unknown version or of the wrong kind."""

    code = "model"


class OutputError(InputError):
    """A result that cannot be written: folder missing, file exists, disk full."""

    code = "output"


class ResourceError(SuperResolutionError):
    """The result does not fit into the memory that may be used."""

    code = "memory"
    exit_code = ExitCode.OUT_OF_MEMORY


class CancelledError(SuperResolutionError):
    """The run was cancelled; nothing was written."""

    code = "cancelled"
    exit_code = ExitCode.CANCELLED


UNREADABLE = "backslashreplace"  # what becomes of the bytes of a file's name that are no UTF-8


def readable(text: str) -> str:
    """Return a text that any stream and any file can hold, with escapes for what is no UTF-8 in the name of a file."""
    return text.encode("utf-8", UNREADABLE).decode()


_NO_MEMORY = (  # how the libraries beneath say it, in small letters
    "out of memory",  # CUDA, cuFFT, MPS, zlib
    "can't allocate memory",  # PyTorch on the CPU
    "cannot allocate memory",  # the operating system
    "not enough memory",  # Windows
    "insufficient memory",
    "failed to allocate",  # ITK
    "unable to allocate",  # NumPy
    "bad_alloc",  # C++ on Linux and macOS
    "bad allocation",  # C++ on Windows
    "status_alloc_failed",  # cuDNN, cuBLAS, cuSPARSE
    "cufft_alloc_failed",
    "failed to map segment",  # the loader of libraries, under a limit of address space
    "cublas_status_not_initialized",  # there was no room for its workspace
    "cudnn_status_not_initialized",
    "unable to find an engine to execute this computation",  # cuDNN, when no workspace fits
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an allocation failed, in Python, in a library beneath it, on the CPU or on a GPU."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError | ImportError) and any(text in str(error).lower() for text in _NO_MEMORY)
