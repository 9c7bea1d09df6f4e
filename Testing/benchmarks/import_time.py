"""Time the imports of the extension's own process, each in a fresh interpreter, against an empty one."""

import argparse
import statistics
import subprocess
import sys
import time

WANTED = "from SuperResolution3DLib import errors, geometry, job"
ALL = WANTED + ", memory_plan, model_card"
CHECK = "; import sys; assert 'torch' not in sys.modules"
RUNS = 7


def seconds(statement: str) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    empty = seconds("pass")
    print(f"median of {RUNS} fresh interpreters; an empty one takes {empty:.3f} s; torch is not imported")
    for name, statement in (("library, job, errors, geometry", WANTED), ("and model_card, memory_plan", ALL)):
        print(f"{seconds(statement + CHECK) - empty:.3f} s  {name}")
