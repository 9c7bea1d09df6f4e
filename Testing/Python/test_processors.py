"""Processors: those that the process may run on, and no more than the time that its control groups give it."""

import os

import pytest
from machines import Machine

from SuperResolution3DLib.processors import num_processors, processor_share


@pytest.fixture
def a_machine(tmp_path, monkeypatch) -> Machine:
    """Of 64 processors, on which the process may run."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    return Machine(tmp_path)


def test_without_limits_all_processors_count_that_the_process_may_run_on(a_machine):
    assert num_processors(a_machine.proc) == 64
    a_machine.write("", "cpu", max="max 100000")
    assert processor_share(a_machine.proc) is None
    assert num_processors(a_machine.proc) == 64


def test_a_machine_without_proc_has_its_processors(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert num_processors(tmp_path / "nowhere") == 6


@pytest.mark.parametrize(("limit", "share"), [("400000 100000", 4), ("150000 100000", 2), ("5000 100000", 1)])
def test_the_time_of_a_container_bounds_the_processors(a_machine, limit, share):
    a_machine.write("", "cpu", max=limit)
    assert num_processors(a_machine.proc) == share


def test_a_container_never_gets_more_processors_than_there_are(a_machine):
    a_machine.write("", "cpu", max="9600000 100000")
    assert num_processors(a_machine.proc) == 64


def test_the_tightest_share_on_the_way_to_the_root_counts(a_machine):
    a_machine.put_in("0::/slurm/job_7/step_0", "cgroup2 cgroup rw")
    a_machine.write("slurm", "cpu", max="3200000 100000")
    a_machine.write("slurm/job_7", "cpu", max="160000 20000")
    a_machine.write("slurm/job_7/step_0", "cpu", max="max 100000")
    a_machine.write("slurm/other", "cpu", max="100000 100000")
    assert num_processors(a_machine.proc) == 8


def test_shares_of_the_first_version_are_seen(a_machine):
    a_machine.put_in("4:cpu,cpuacct:/job", "cgroup cgroup rw,cpu,cpuacct")
    a_machine.write("", "cpu", cfs_quota_us=-1, cfs_period_us=100000)
    assert num_processors(a_machine.proc) == 64
    a_machine.write("job", "cpu", cfs_quota_us=300000, cfs_period_us=100000)
    assert num_processors(a_machine.proc) == 3
