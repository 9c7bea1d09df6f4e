"""How far a run is, and the seconds that it still takes."""

import time
from collections.abc import Callable

STAGES = ("read", "trunk", "tail", "consistency", "write")
WEIGHTS = {"read": 4.0, "trunk": 52.0, "tail": 36.0, "consistency": 3.0, "write": 5.0}  # percent of a usual run
FORECAST_FROM = ("trunk", "tail")  # reading tells nothing about computing
SMALLEST_PART = 0.02  # of a stage, before its pace is believed
SMOOTHING = 0.3  # of the difference between the old and the new end that is taken over


class TimeLeft:
    """Forecasts the seconds that a run still takes, from how long its steps took.

    The current stage is extended at its own pace. Stages to come are taken in proportion to the stages measured so far,
    by the weights above. The forecast end moves smoothly, so that the display does not jump.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._total = self._done = 0
        self._started = 0.0
        self._measured: dict[str, float] = {}  # seconds of the stages that are over
        self._end: float | None = None
        self.share = 0.0
        """of the run that is behind, 0 to 1, never falling"""

    def update(self, stage: str, done: int, total: int) -> float | None:
        """Take a step into account and return the seconds left, None while nothing is known."""
        now = self._clock()
        if stage != self._stage:
            if self._stage in FORECAST_FROM:
                self._measured[self._stage] = now - self._started
            self._stage, self._started = stage, now
        elif done < self._done or total != self._total:  # it began again with other tiles
            self._started = now
        self._done, self._total = done, total
        part = done / total if total else 1.0
        self.share = max(self.share, self._share_of(stage, part))
        forecast = self._forecast(stage, part, now)
        if forecast is not None:
            end = now + forecast
            self._end = end if self._end is None else self._end + SMOOTHING * (end - self._end)
        if self._end is None:
            return None
        return 0.0 if self.share >= 1 else round(max(self._end - now, 0.0), 1)

    def _share_of(self, stage: str, part: float) -> float:
        weights = [WEIGHTS[name] for name in STAGES]
        before = sum(weights[: STAGES.index(stage)])
        return (before + part * WEIGHTS[stage]) / sum(weights)

    def _forecast(self, stage: str, part: float, now: float) -> float | None:
        measured = dict(self._measured)
        left_here = 0.0
        if stage in FORECAST_FROM and part >= SMALLEST_PART and now > self._started:
            measured[stage] = (now - self._started) / part
            left_here = measured[stage] * (1 - part)
        elif not measured:
            return None
        pace = sum(measured.values()) / sum(WEIGHTS[name] for name in measured)
        if stage not in measured:
            left_here = WEIGHTS[stage] * pace * (1 - part)
        return left_here + pace * sum(WEIGHTS[name] for name in STAGES[STAGES.index(stage) + 1 :])
