"""How far a scoring is, and the volumes that could not be scored."""

import logging
import time

from SuperResolution3DLib.errors import InputError, ResourceError, SuperResolutionError
from Training.data.index import IndexEntry, refuse_problems
from Training.evaluation.results import VolumeResult

log = logging.getLogger(__name__)

SHOWN = ("psnr", "ssim", "lpips")


class Countdown:
    """Tells each thing that is done, and how long the others will take at that pace."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.started = total, 0, time.monotonic()

    def tell(self, text: str) -> None:
        self.done += 1
        remaining = (time.monotonic() - self.started) * (self.total - self.done) / self.done
        log.info("[%d/%d] %s; %s left", self.done, self.total, text, _duration(remaining))


class ScoringProgress:
    """Tells each result, and at the end what there is none of."""

    def __init__(self, total: int) -> None:
        self.countdown = Countdown(total)
        self.problems: list[tuple[IndexEntry, SuperResolutionError]] = []

    def tell(self, result: VolumeResult) -> None:
        self.countdown.tell(_line(result))

    def tell_problem(self, entry: IndexEntry, error: SuperResolutionError) -> None:
        log.error("%s", error)
        self.problems.append((entry, error))

    def refuse_problems(self) -> None:
        """Refuse volumes that could not be scored, all of them at once.

        Raises:
            InputError: there are some; ResourceError if it was for want of memory alone.
        """
        try:
            named = [(entry, str(error).removeprefix(f"{entry.file}: ")) for entry, error in self.problems]
            refuse_problems(list(dict.fromkeys(named)), "cannot be scored; the results of the others are kept")
        except InputError as error:
            if all(isinstance(problem, ResourceError) for _, problem in self.problems):
                raise ResourceError(str(error)) from error
            raise


def _line(result: VolumeResult) -> str:
    protocol = next(name.split("/")[0] for name in result.metrics if "/" in name)
    figures = [
        f"{name.upper()} {result.metrics[f'{protocol}/{name}']:.{2 if name == 'psnr' else 3}f}"
        for name in SHOWN
        if f"{protocol}/{name}" in result.metrics
    ]
    return f"{result.file}, {result.method}: {', '.join(figures)} ({protocol}), {result.seconds:.1f} s"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
