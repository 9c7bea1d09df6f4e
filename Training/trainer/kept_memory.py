"""Memory that a training keeps between its steps instead of asking the system for it again and again.

Each step frees and asks for the same large blocks. The C library of Linux gives such blocks back at once, and the
system fills them with zeros each time, a page at a time: a fifth to a third of a step on the CPU.
"""

import ctypes
import os
import platform
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # mallopt(3)
LARGEST = 2**31 - 1  # bytes, what an int holds
CHOSEN_BY_HAND = ("GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Let the C library keep freed blocks for the next step; return whether it does.

    Only glibc is asked, and only where nobody has chosen how it, or another allocator in its place, handles memory.
    """
    library = _glibc()
    if library is None or any(name in os.environ for name in CHOSEN_BY_HAND):
        return False
    return bool(library.mallopt(M_MMAP_MAX, 0)) and bool(library.mallopt(M_TRIM_THRESHOLD, LARGEST))


def give_back_memory(device: torch.device) -> None:
    """Give back what is kept for later on a device: who plans with its free memory shall find it free."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL(None)
