"""Work on many volumes, shared among processes: as many as there are processors and memory for."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from SuperResolution3DLib.errors import ResourceError
from SuperResolution3DLib.free_memory import free_memory
from SuperResolution3DLib.processors import num_processors

PROCESS_BYTES = 500_000_000  # of a process that has imported all it needs and has read nothing
THREADS_OF_A_PROCESS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Job = TypeVar("Job")
Result = TypeVar("Result")


def pool_size(wanted: int, num_jobs: int, bytes_per_job: int) -> int:
    """Return the number of processes for some jobs, at least 1.

    Args:
        wanted: the most; 0 for as many as there are processors.
        num_jobs: what there is to do.
        bytes_per_job: memory that each job takes at a time.
    """
    fitting = free_memory() // (bytes_per_job + PROCESS_BYTES)
    return max(1, min(wanted or num_processors(), num_jobs, fitting))


def run_all(action: Callable[[Job], Result], jobs: Sequence[Job], num_workers: int) -> Iterator[Result]:
    """Yield the results in the order of the jobs; one worker is this process.

    Raises:
        ResourceError: a process was killed, most likely for its memory.
    """
    if num_workers < 2:
        yield from map(action, jobs)
        return
    # Started afresh: copies of this process would share its threads, locks, connections and CUDA context.
    context = multiprocessing.get_context("spawn")
    try:
        with _single_threads(), ProcessPoolExecutor(num_workers, context, ignore_interrupts) as pool:
            yield from pool.map(action, jobs)
    except BrokenProcessPool as error:
        raise ResourceError(
            f"One of {num_workers} processes that prepare volumes was killed, most likely for want of memory; use "
            "fewer with data.preparation_workers"
        ) from error


@contextmanager
def _single_threads() -> Iterator[None]:
    """Let processes that start within compute in one thread each: together they fill the processors."""
    earlier = {name: os.environ.get(name) for name in THREADS_OF_A_PROCESS}
    os.environ.update(dict.fromkeys(THREADS_OF_A_PROCESS, "1"))
    try:
        yield
    finally:
        for name, value in earlier.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def ignore_interrupts() -> None:
    """Leave it to the parent to end at Ctrl+C, with its own words."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
