"""A machine with Linux and control groups, as folders."""

from pathlib import Path

MIB = 2**20
MEMINFO = "MemTotal: 99999 kB\nMemFree: 10 kB\nMemAvailable: 1048576 kB\n"  # 1024 MiB


class Machine:
    """A folder that looks like /proc, and one like /sys/fs/cgroup."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.groups = folder / "proc", folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(MEMINFO)
        self.put_in("0::/", "cgroup2 cgroup rw")

    def put_in(self, group: str, mounted: str, root: str = "/") -> None:
        (self.proc / "self" / "cgroup").write_text(f"3:net_cls:/elsewhere\n{group}\n")
        mounts = ["23 1 8:1 / / rw shared:1 - ext4 /dev/sda rw", f"31 23 0:28 {root} {self.groups} rw - {mounted}"]
        (self.proc / "self" / "mountinfo").write_text("\n".join(mounts) + "\n")

    def write(self, group: str, controller: str = "memory", **values: object) -> None:
        folder = self.groups / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / f"{controller}.{name}").write_text(f"{value}\n")
