"""How many threads compute, and how they wait for each other.

By default PyTorch starts as many as the machine has cores, also in a container that gets the time of a few; the system
then halts all of them for most of the time. While they wait they spin, which is a little faster while every one of them
has a core to itself. Where another program takes one of the cores, the others spin for as long as that program
computes, at each of the thousands of barriers of a run.
"""

import os

from SuperResolution3DLib.processors import num_processors, processor_share

WAITING_CHOSEN_BY_HAND = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
NUMBER = "OMP_NUM_THREADS"


def prepare_threads(number: int | None = None) -> None:
    """Let threads sleep while they wait, and be no more than there are processors for; until PyTorch is imported.

    Args:
        number: of threads. By default what the environment says (launchers of several processes say it) stays, and so
            does PyTorch's choice where the time of processors is not limited.
    """
    if not any(name in os.environ for name in WAITING_CHOSEN_BY_HAND):
        os.environ["OMP_WAIT_POLICY"] = "passive"
    if number is not None:
        os.environ[NUMBER] = str(number)
    elif NUMBER not in os.environ and processor_share() is not None:
        os.environ[NUMBER] = str(num_processors())


def num_threads() -> int:
    """Return how many threads shall compute beside each other where PyTorch does not."""
    chosen = os.environ.get(NUMBER, "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else num_processors()
