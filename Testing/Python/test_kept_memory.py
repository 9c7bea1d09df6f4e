"""Freed memory is kept between the steps of a training, and given back before a validation plans with what is free."""

import json
import os
import platform
import subprocess
import sys

import pytest
from training_runs import ROOT

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked to keep memory")

STEPS = f"""
import json, resource, sys
sys.path.insert(0, {str(ROOT)!r})
from SuperResolution3DLib import kept_memory
is_kept = kept_memory.keep_freed_memory() if sys.argv[1] == "keep" else False
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
def step():
    bytearray(100_000_000), bytearray(50_000_000)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
held = resident()
kept_memory.give_back_memory()
print(json.dumps([is_kept, faults * resource.getpagesize(), held - resident()]))
"""


def measured(how, **variables):
    """Return whether memory is kept, the bytes that five steps had filled with zeros, and those given back."""
    command = [sys.executable, "-c", STEPS, how]
    return json.loads(subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout)


def test_the_blocks_of_a_step_are_those_of_the_step_before_until_they_are_given_back():
    is_kept, filled, given_back = measured("keep")
    assert is_kept and filled < 50_000_000 and given_back > 90_000_000
    assert measured("leave")[1] > 500_000_000  # else this machine needs none of it


ENGINE = f"""
import json, resource, sys, tempfile
from pathlib import Path
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "Testing" / "Python")!r}]
import numpy as np
from models import a_tiny_model
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
with tempfile.TemporaryDirectory() as folder:
    model = a_tiny_model(Path(folder), (4, 4, 4))
def run(depth):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    Engine(model, EngineSettings("cpu", "fp32")).run(np.zeros((depth, 64, 64), np.float32))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize()
run(4)
print(json.dumps([run(32), run(128)]))
"""


def test_the_tiles_of_a_run_are_computed_in_the_memory_of_the_tiles_before():
    def taken(**variables):
        command = [sys.executable, "-c", ENGINE]
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
        small, large = json.loads(done.stdout)
        return large - small

    features_and_result = (128 - 32) * 64 * 64 * 4 * (4 + 64)  # four channels at LR, one voxel at HR
    assert taken() < 2 * features_and_result
    assert taken(MALLOC_MMAP_MAX_="65536") > 5 * features_and_result  # chosen by hand as it is without us


def test_what_a_person_has_chosen_for_the_allocator_stays():
    assert not measured("keep", MALLOC_MMAP_MAX_="65536")[0]
