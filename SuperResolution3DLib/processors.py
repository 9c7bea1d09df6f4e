"""The processors that a process may use: of the machine, and within the shares that control groups give it."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from SuperResolution3DLib.control_groups import groups_around


def num_processors(proc: Path = Path("/proc")) -> int:
    """Return the processors that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = processor_share(proc)
    return usable if share is None else min(usable, share)


def processor_share(proc: Path = Path("/proc")) -> int | None:
    """Return how many processors' time a container or a job gets, rounded up; None where that is not limited.

    More threads than that are all halted for most of the time once they have used it up.
    """
    shares = [math.ceil(quota / period) for quota, period in _quotas(proc / "self") if quota > 0 and period > 0]
    return min(shares, default=None)


def _quotas(process: Path) -> Iterator[tuple[int, int]]:
    """Yield the microseconds of processor time in each period, and the period, of each group around the process."""
    for folder, version in groups_around(process, "cpu"):
        names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        try:
            quota, period = " ".join((folder / name).read_text() for name in names).split()
            yield int(quota), int(period)
        except (OSError, ValueError):  # the root has no such file, and a group without a limit says "max"
            continue
