"""Jobs as command lines, events as lines, and the forecast of the time left."""

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_reports import a_report

from SuperResolution3DLib.advice import SMALLER_REGION
from SuperResolution3DLib.cli.super_resolve_job import (
    Done,
    Failed,
    Job,
    Progress,
    Started,
    add_job_arguments,
    decode,
    encode,
    job_of,
)
from SuperResolution3DLib.cli.time_left import STAGES, WEIGHTS, TimeLeft
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.sentence import Warned

A_JOB = Job(Path("in.nrrd"), Path("out.nrrd"))
A_FULL_JOB = Job(
    Path("a folder/-in.nii.gz"),
    Path("-out.nrrd"),
    model="-odd name",
    device="cuda:1",
    precision="bf16",
    memory_limit=2.75,
    window=24,
    overlap=0.1,
    data_consistency="off",
    ensemble=True,
    zero_filled=Path("zero filled.nrrd"),
    region=np.s_[0:4, 2:9, 13:200],
    series="1.2.840.10008",
    modality="CT",
    report=Path("report.json"),
    events=True,
    overwrite=True,
    echo=2,
    time_point=3,
    stack=4,
)
EVENTS = [
    (Started(12), {"event": "started", "version": 1, "pid": 12}),
    (
        Progress("tail", 3, 8, None),
        {"event": "progress", "stage": "tail", "done": 3, "total": 8, "seconds_left": None},
    ),
    (
        Warned("memory-halved", {"device": "CPU"}),
        {
            "event": "warning",
            "code": "memory-halved",
            "values": {"device": "CPU"},
            "message": "Out of memory on CPU: halving the tiles",
        },
    ),
    (Done("out.nrrd", None), {"event": "done", "output": "out.nrrd", "report": None}),
    (
        Done("out.nrrd", a_report()),
        {"event": "done", "output": "out.nrrd", "report": json.loads(a_report().to_json())},
    ),
    (
        Failed("volume", {}, "Größe\n2"),
        {"event": "error", "code": "volume", "values": {}, "message": "Größe\n2"},
    ),
    (
        Failed("memory-full", {"advice": SMALLER_REGION}),
        {
            "event": "error",
            "code": "memory-full",
            "values": {"advice": {"code": "advice-region", "values": {}, "message": str(SMALLER_REGION)}},
            "message": "Out of memory: choose a smaller region with --region, or close other programs",
        },
    ),
]


def parsed(arguments: list[str]) -> Job:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_job_arguments(parser.add_subparsers().add_parser("super-resolve"))
    return job_of(parser.parse_args(arguments))


@pytest.mark.parametrize("job", [A_JOB, A_FULL_JOB, replace(A_JOB, trust_map=Path("a map.nrrd"))])
def test_a_job_survives_the_way_through_its_command_line(job):
    assert parsed(job.to_arguments()) == job


def test_a_jobs_command_line_names_only_what_is_not_the_default():
    job = Job(Path("in.nrrd"), Path("out.nrrd"), device="cpu", events=True)
    assert job.to_arguments() == ["super-resolve", "--device=cpu", "--events", "--", "in.nrrd", "out.nrrd"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"device": "gpu"}, "--device is auto, cpu, cuda, cuda:N or mps, not 'gpu'"),
        ({"device": "cuda:x"}, "not 'cuda:x'"),
        ({"precision": "fp64"}, "--precision is auto, fp32 or bf16, not 'fp64'"),
        ({"data_consistency": "yes"}, "--data-consistency is off, check or project, not 'yes'"),
        ({"memory_limit": 0.0}, "--memory-limit is a number of GiB above 0, not 0"),
        ({"memory_limit": float("nan")}, "not nan"),
        ({"memory_limit": float("inf")}, "not inf"),
        ({"window": 3}, "--window is an edge of at least 4 LR voxels, not 3"),
        ({"window": 24, "overlap": 1.0}, "--overlap is a share of the window from 0 to below 1, not 1"),
        ({"window": 24, "overlap": -0.1}, "not -0.1"),
        ({"modality": "MR T1w"}, "--modality is a DICOM modality such as MR or CT, not 'MR T1w'"),
        ({"modality": ""}, "such as MR or CT, not ''"),
        ({"overlap": 0.5}, "--overlap belongs to --window"),
        ({"region": np.s_[0:4, 0:4, 0:4], "data_consistency": "project"}, "works on the whole volume"),
        ({"region": np.s_[0:4, 0:4, 0:4], "trust_map": Path("t.nrrd")}, "--trust-map works on the whole volume"),
    ],
)
def test_a_job_that_no_run_can_do_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        Job(Path("in.nrrd"), Path("out.nrrd"), **values)


@pytest.mark.parametrize(("event", "values"), EVENTS)
def test_an_event_is_one_line_of_json_and_comes_back(event, values):
    line = encode(event)
    assert "\n" not in line
    assert json.loads(line) == values
    assert decode(line) == event


@pytest.mark.parametrize(
    "line",
    [
        *("", "libgomp: a warning", "[1, 2]", '{"event": "later"}', '{"event": "started"}', '{"stage": "tail"}'),
        '{"event": "done", "output": "out.nrrd", "report": {"model": "tiny"}}',
        '{"event": "warning", "code": "later"}',
        '{"event": "error", "code": "volume", "values": 3, "message": "cut short"}',
    ],
)
def test_a_reader_ignores_what_it_does_not_know(line):
    assert decode(line) is None


def test_a_reader_ignores_members_that_it_does_not_know():
    assert decode('{"event": "started", "version": 1, "pid": 7, "host": "x"}') == Started(7)


def test_a_report_that_is_no_json_is_a_bug():
    with pytest.raises(ValueError, match="JSON"):
        encode(Done("out.nrrd", a_report(seconds=float("nan"))))


def test_a_plain_monitor_neither_objects_nor_cancels():
    monitor = Monitor()
    monitor.progress("tail", 0, 1)
    monitor.warn(Warned("spacing", {}, "coarse"))
    assert not monitor.is_cancelled()


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def forecasts(clock: Clock, time_left: TimeLeft, stage: str, total: int, seconds: float) -> list[float | None]:
    """Run a stage of equal steps and return the forecast after each."""
    found = []
    for done in range(total + 1):
        found.append(time_left.update(stage, done, total))
        clock.now += seconds / total if done < total else 0
    return found


def test_nothing_is_forecast_before_the_network_has_computed():
    clock = Clock()
    time_left = TimeLeft(clock)
    assert forecasts(clock, time_left, "read", 2, 30.0) == [None] * 3
    assert forecasts(clock, time_left, "trunk", 100, 60.0)[0] is None


def test_the_forecast_falls_to_zero_where_stages_take_their_usual_share():
    clock = Clock()
    time_left = TimeLeft(clock)
    found = []
    for stage in STAGES:
        found += forecasts(clock, time_left, stage, 20, WEIGHTS[stage])
    found = [seconds for seconds in found if seconds is not None]
    assert found[0] == pytest.approx(100 - WEIGHTS["read"], rel=0.1)
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0


@pytest.mark.parametrize("tail_seconds", [5.0, 300.0])
def test_the_forecast_finds_the_pace_of_an_unusual_stage_without_jumps(tail_seconds):
    clock = Clock()
    time_left = TimeLeft(clock)
    forecasts(clock, time_left, "trunk", 50, 50.0)
    found = forecasts(clock, time_left, "tail", 100, tail_seconds)
    pace = (50 + tail_seconds) / (WEIGHTS["trunk"] + WEIGHTS["tail"])
    rest = (WEIGHTS["consistency"] + WEIGHTS["write"]) * pace
    assert found[50] == pytest.approx(tail_seconds / 2 + rest, rel=0.15)
    largest = max(abs(after - before) for before, after in itertools.pairwise(found[2:]))
    assert largest < 0.3 * (tail_seconds + 50)


def test_a_stage_that_begins_again_with_smaller_tiles_is_timed_anew():
    clock = Clock()
    time_left = TimeLeft(clock)
    forecasts(clock, time_left, "trunk", 4, 400.0)
    found = forecasts(clock, time_left, "trunk", 50, 10.0)
    assert found[-1] < 60
    assert time_left.share <= 1


def test_the_share_behind_never_falls():
    time_left = TimeLeft(Clock())
    steps = [("read", 2, 2), ("trunk", 5, 10), ("trunk", 0, 40), ("tail", 1, 2), ("write", 3, 3)]
    shares = []
    for step in steps:
        time_left.update(*step)
        shares.append(time_left.share)
    assert shares == sorted(shares)
    assert shares[-1] == 1
