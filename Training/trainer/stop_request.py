"""When a run has to stop before its end: a signal of the scheduler, or the time limit."""

import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

import torch
from lightning.fabric import Fabric

log = logging.getLogger(__name__)

SIGNALS = ("SIGTERM", "SIGUSR1")  # what schedulers send some time before the end; Windows has no SIGUSR1


class StopRequest:
    """A context in which signals ask a run to stop: at once while there is nothing to save, else after saving."""

    def __init__(self, code: int, time_limit: float = 0.0) -> None:
        """Prepare the context; the time limit begins to count.

        Args:
            code: with which the process exits while there is nothing to save.
            time_limit: minutes, 0 for none.
        """
        self.code = code
        self.end = time.monotonic() + 60 * time_limit if time_limit else None
        self.signalled = False
        self.deferred = False

    def __enter__(self) -> "StopRequest":
        self.earlier = {number: signal.signal(number, self._take) for number in _signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.earlier.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """From now on signals are only remembered: the run asks, saves and ends by itself."""
        self.deferred = True

    @property
    def wanted(self) -> bool:
        """Whether this process was asked to stop."""
        return self.signalled or (self.end is not None and time.monotonic() > self.end)

    def due(self, fabric: Fabric) -> bool:
        """Say whether any process was asked to stop; all processes call it after the same step."""
        if fabric.world_size == 1:
            return self.wanted
        flag = torch.tensor(float(self.wanted), device=fabric.device)
        return bool(fabric.all_reduce(flag, reduce_op="sum") > 0)

    def _take(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not self.deferred:
            log.info("%s: stopping before the first step", name)
            sys.exit(self.code)
        log.info("%s: saving and stopping", name)
        self.signalled = True


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Start processes that no signal to the group ends before the run: they inherit the mask."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows, which has no groups
        yield
        return
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, [*_signals(), signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _signals() -> list[signal.Signals]:
    return [signal.Signals[name] for name in SIGNALS if hasattr(signal, name)]
