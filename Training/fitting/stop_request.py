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
    """A context in which signals ask for a stop instead of ending the process."""

    def __init__(self, fabric: Fabric, time_limit: float, began: float | None = None) -> None:
        """Prepare the context.

        Args:
            fabric: whose processes stop together.
            time_limit: minutes, 0 for none.
            began: when they began (``time.monotonic``); None: now.
        """
        self.fabric = fabric
        self.end = (time.monotonic() if began is None else began) + 60 * time_limit if time_limit else None
        self.signalled = False

    def __enter__(self) -> "StopRequest":
        self.earlier = {number: signal.signal(number, self._take) for number in _signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.earlier.items():
            signal.signal(number, handler)

    def due(self) -> bool:
        """Say whether any process was asked to stop; all processes call it after the same step."""
        wanted = self.signalled or (self.end is not None and time.monotonic() > self.end)
        if self.fabric.world_size == 1:
            return wanted
        flag = torch.tensor(float(wanted), device=self.fabric.device)
        return bool(self.fabric.all_reduce(flag, reduce_op="sum") > 0)

    def _take(self, number: int, frame: FrameType | None) -> None:
        log.info("%s: saving after this step and stopping", signal.Signals(number).name)
        self.signalled = True


@contextmanager
def exit_on_signals(code: int) -> Iterator[None]:
    """End the process with an exit code on the scheduler's signals: there is nothing to save yet."""

    def leave(number: int, frame: FrameType | None) -> None:
        log.info("%s: stopping before the first step", signal.Signals(number).name)
        sys.exit(code)

    earlier = {number: signal.signal(number, leave) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _signals() -> list[signal.Signals]:
    return [signal.Signals[name] for name in SIGNALS if hasattr(signal, name)]
