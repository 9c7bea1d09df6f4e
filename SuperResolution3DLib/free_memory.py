"""The main memory that can still be taken: of the machine, and within the limits of the control groups around us."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

Names = tuple[tuple[str, ...], str, str]
# limits, what is taken, and what of that is page cache that the kernel gives up without a loss
_VERSION_2: Names = ("memory.max", "memory.high"), "memory.current", "inactive_file"
_VERSION_1: Names = ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"


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
    for folder, top, (limits, usage, cache) in _groups(process):
        for group in (folder, *folder.parents):
            limit = min((_number(group / name) for name in limits), default=None, key=lambda value: value or 2**63)
            used = _number(group / usage)
            if limit is not None and used is not None:
                yield limit - used + min(_statistic(group / "memory.stat", cache), used)
            if group == top:
                break


def _groups(process: Path) -> Iterator[tuple[Path, Path, Names]]:
    """Yield the folder of each hierarchy that limits memory, the top of what is mounted of it, and its files' names.

    /proc/self/cgroup     0::/slurm/job_7/step_0              where the process is in the hierarchy
    /proc/self/mountinfo  ... /slurm /sys/fs/cgroup ...       which part of the hierarchy is mounted where
                                              -> /sys/fs/cgroup/job_7/step_0
    """
    try:
        lines = [line.split(":", 2) for line in (process / "cgroup").read_text().splitlines()]
        mounts = [line.split(" ") for line in (process / "mountinfo").read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (line for line in lines if len(line) == 3):
        for mount in mounts:
            kind, options = mount[mount.index("-") + 1], mount[-1].split(",")
            if not controllers and kind == "cgroup2":
                files = _VERSION_2
            elif "memory" in controllers.split(",") and kind == "cgroup" and "memory" in options:
                files = _VERSION_1
            else:
                continue
            top = Path(mount[4])
            try:
                yield top / PurePosixPath(path).relative_to(mount[3]), top, files
            except ValueError:  # the process is outside of what this container sees
                yield top, top, files


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
