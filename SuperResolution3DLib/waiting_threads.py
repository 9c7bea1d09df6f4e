"""How the threads of PyTorch wait for each other.

By default they spin, which is a little faster while every one of them has a core to itself. Where another program takes
one of the cores, the others spin for as long as that program computes, at each of the thousands of barriers of a run.
"""

import os

CHOSEN_BY_HAND = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def wait_asleep() -> None:
    """Let threads sleep while they wait, unless somebody chose otherwise; works until PyTorch is imported."""
    if not any(name in os.environ for name in CHOSEN_BY_HAND):
        os.environ["OMP_WAIT_POLICY"] = "passive"
