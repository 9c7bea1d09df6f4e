"""The control groups around a process: what a container or a job may take of a machine with Linux."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

Version = Literal[1, 2]


def groups_around(process: Path, controller: str) -> Iterator[tuple[Path, Version]]:
    """Yield the folder of each group that the process is in, from its own to the root, and the version of its files.

    Args:
        process: the folder of the process, such as /proc/self.
        controller: memory or cpu.
    """
    for folder, top, version in _hierarchies(process, controller):
        for group in (folder, *folder.parents):
            yield group, version
            if group == top:
                break


def _hierarchies(process: Path, controller: str) -> Iterator[tuple[Path, Path, Version]]:
    """Yield the group of the process in each hierarchy with the controller, and the top of what is mounted of it.

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
            version: Version
            if not controllers and kind == "cgroup2":
                version = 2
            elif controller in controllers.split(",") and kind == "cgroup" and controller in options:
                version = 1
            else:
                continue
            top = Path(mount[4])
            try:
                yield top / PurePosixPath(path).relative_to(mount[3]), top, version
            except ValueError:  # the process is outside of what this container sees
                yield top, top, version
