"""The main memory that can still be taken: of the machine, and within the limits of the control groups around us."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from SuperResolution3DLib.control_groups import groups_around

# limits, what is taken, and what of that is page cache that the kernel gives up without a loss
_NAMES: dict[int, tuple[tuple[str, ...], str, str]] = {
    1: (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
    2: (("memory.max", "memory.high"), "memory.current", "inactive_file"),
}


def free_memory(proc: Path = Path("/proc")) -> int:
    """Return the main memory (bytes) that can be taken without swapping, within the containers' and jobs' limits."""
    if sys.platform == "win32":
        return _free_memory_windows()
    try:
        values = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
        free = int(values["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):  # macOS tells the total only
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return max(min([free, *_free_in_groups(proc / "self")]), 0)


def _free_in_groups(process: Path) -> Iterator[int]:
    """Yield what is free in each control group that the process is in, from its own to the root (SLURM, systemd)."""
    for group, version in groups_around(process, "memory"):
        limits, usage, cache = _NAMES[version]
        limit = min((_number(group / name) for name in limits), default=None, key=lambda value: value or 2**63)
        used = _number(group / usage)
        if limit is not None and used is not None:
            yield limit - used + min(_statistic(group / "memory.stat", cache), used)


def _number(path: Path) -> int | None:
    """Return the number in a file; None where there is none, as for "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _statistic(path: Path, name: str) -> int:
    try:
        return int(dict(line.split() for line in path.read_text().splitlines())[name])
    except (OSError, ValueError, KeyError):
        return 0


def _free_memory_windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "page_total", "page_free", "virtual_total", "virtual_free", "extended")
        ]

    status = Status()
    status.length = ctypes.sizeof(Status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined, unused-ignore]
    return int(status.free)
