"""When a run has to stop before its end: a signal of the scheduler, or the time limit."""

import logging
import signal
import time
from types import FrameType, TracebackType

import torch
from lightning.fabric import Fabric

log = logging.getLogger(__name__)

SIGNALS = ("SIGTERM", "SIGUSR1")  # what schedulers send some time before the end; Windows has no SIGUSR1


class StopRequest:
    """A context in which signals ask for a stop instead of ending the process."""

    def __init__(self, fabric: Fabric, time_limit: float) -> None:
        """Prepare the context.

        Args:
            fabric: whose processes stop together.
            time_limit: minutes from now, 0 for none.
        """
        self.fabric = fabric
        self.end = time.monotonic() + 60 * time_limit if time_limit else None
        self.signalled = False

    def __enter__(self) -> "StopRequest":
        names = [name for name in SIGNALS if hasattr(signal, name)]
        self.earlier = {name: signal.signal(getattr(signal, name), self._take) for name in names}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, handler in self.earlier.items():
            signal.signal(getattr(signal, name), handler)

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
