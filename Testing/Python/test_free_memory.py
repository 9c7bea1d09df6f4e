"""Free memory: the machine's, and the limits of all control groups around the process, page cache not counted."""

import pytest
from machines import MIB, Machine

from SuperResolution3DLib.free_memory import free_memory

UNLIMITED = 2**63 - 4096


class MachineWithMemory(Machine):
    def free(self) -> float:
        return free_memory(self.proc) / MIB


@pytest.fixture
def a_machine(tmp_path) -> MachineWithMemory:
    return MachineWithMemory(tmp_path)


def test_free_memory_is_a_plausible_number():
    assert 1e7 < free_memory() < 1e14


def test_a_machine_without_limits_has_what_is_available(a_machine):
    assert a_machine.free() == 1024
    a_machine.write("", max="max", current=5 * MIB)
    assert a_machine.free() == 1024


def test_the_tightest_limit_on_the_way_to_the_root_counts(a_machine):
    a_machine.put_in("0::/slurm/job_7/step_0", "cgroup2 cgroup rw")
    a_machine.write("", max=900 * MIB, current=100 * MIB)
    a_machine.write("slurm", max="max", current=90 * MIB)
    a_machine.write("slurm/job_7", max=512 * MIB, current=80 * MIB)
    a_machine.write("slurm/job_7/step_0", max="max", current=70 * MIB)
    assert a_machine.free() == 432
    a_machine.write("slurm/job_7/step_0", high=100 * MIB)  # beyond it systemd slows a process down to a halt
    assert a_machine.free() == 30
    a_machine.write("slurm/job_7/step_0", high="max")
    a_machine.write("slurm/other", max=MIB, current=MIB)
    assert a_machine.free() == 432


def test_page_cache_does_not_count_as_taken(a_machine):
    a_machine.write("", max=512 * MIB, current=500 * MIB, stat=f"anon {50 * MIB}\ninactive_file {400 * MIB}")
    assert a_machine.free() == 412


def test_a_group_beyond_its_limit_has_nothing_left(a_machine):
    a_machine.write("", max=512 * MIB, current=600 * MIB)
    assert a_machine.free() == 0


def test_limits_of_the_first_version_are_seen(a_machine):
    a_machine.put_in("4:memory,hugetlb:/job", "cgroup cgroup rw,memory,hugetlb")
    a_machine.write("", limit_in_bytes=UNLIMITED, usage_in_bytes=700 * MIB)
    a_machine.write("job", limit_in_bytes=UNLIMITED, usage_in_bytes=600 * MIB)
    assert a_machine.free() == 1024
    stat = f"inactive_file 7\ntotal_inactive_file {100 * MIB}"
    a_machine.write("job", limit_in_bytes=800 * MIB, stat=stat)
    assert a_machine.free() == 300


@pytest.mark.parametrize("path", ["/docker/abc/inner", "/../outside"])
def test_a_container_sees_its_own_part_of_the_hierarchy(a_machine, path):
    a_machine.put_in(f"0::{path}", "cgroup2 cgroup rw", root="/docker/abc")
    a_machine.write("", max=256 * MIB, current=56 * MIB)
    assert a_machine.free() == 200


def test_a_system_that_does_not_tell_is_taken_to_have_half_its_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 4096)
    assert free_memory(tmp_path / "nowhere") == 4096 * 4096 // 2
