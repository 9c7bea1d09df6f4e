"""Threads sleep while they wait for each other, so that a busy neighbour does not make them spin."""

import os
import subprocess
import sys

import pytest
from training_runs import ROOT

from SuperResolution3DLib.waiting_threads import CHOSEN_BY_HAND

PROGRAM = "from SuperResolution3DLib.__main__ import main; main(['models']); import torch"


def spins_before_sleep(**variables: str) -> list[int]:
    """Return how often a thread looks before it sleeps, when the command line has started and PyTorch is loaded."""
    kept = {name: value for name, value in os.environ.items() if name not in CHOSEN_BY_HAND}
    environment = kept | {"OMP_DISPLAY_ENV": "verbose", "PYTHONPATH": str(ROOT)} | variables
    found = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return [int(line.split("=")[1].strip(" '")) for line in found.stderr.splitlines() if "GOMP_SPINCOUNT" in line]


@pytest.mark.skipif(sys.platform != "linux", reason="only OpenMP of Linux is asked what it does")
def test_threads_of_the_command_line_wait_asleep_unless_somebody_chose_otherwise():
    assert spins_before_sleep() == [0]
    assert spins_before_sleep(OMP_WAIT_POLICY="active")[0] > 0
    assert spins_before_sleep(GOMP_SPINCOUNT="1000") == [1000]
