"""How fast a model runs on this computer, measured in a run, or as its card says."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import slicer

from SuperResolution3DLib.cli.super_resolve_job import Event, Progress, Started
from SuperResolution3DLib.cli.time_left import WEIGHTS
from SuperResolution3DLib.errors import ResourceError
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.sentence import Warned

START_SECONDS = 5.0  # until torch is loaded, where nothing is measured
COMPUTING = ("trunk", "tail")


@dataclass(frozen=True)
class Work:
    """What a run has to compute."""

    trunk_voxels: int
    """LR voxels that go through the trunk, halos counted each time"""
    tail_voxels: int
    """SR voxels"""
    in_chosen_windows: bool = False
    """windows that were asked for, which tell nothing of the speed without them"""

    def repeated(self, times: int) -> "Work":
        return replace(self, trunk_voxels=times * self.trunk_voxels, tail_voxels=times * self.tail_voxels)


@dataclass(frozen=True)
class Speed:
    """Seconds of the parts of a run."""

    start: float
    """of what takes as long for every volume: until the network starts, between its parts, and after the last word"""
    trunk: float
    """per million LR voxels"""
    tail: float
    """per million SR voxels"""
    is_measured: bool = True
    """on this computer; else the card's figure"""

    def seconds(self, work: Work) -> float:
        """Forecast the seconds of a whole run."""
        computing = (self.trunk * work.trunk_voxels + self.tail * work.tail_voxels) / 1e6
        return self.start + computing * (1 + _share("consistency", "write") / _share(*COMPUTING))

    @classmethod
    def of_card(cls, card: ModelCard, device: str) -> "Speed | None":
        """Return the card's figure for ``cpu`` or ``cuda``, in which trunk and tail are not told apart."""
        rate = card.performance.get(f"{device}_seconds_per_million_voxels")
        if rate is None:
            return None
        if card.enlarges_slices_only:  # how many result voxels there are for one of the trunk, the scan decides
            return cls(START_SECONDS, 0.0, float(rate), False)
        trunk_share = _share("trunk") / _share(*COMPUTING)
        per_lr_voxel = math.prod(card.scale)
        return cls(START_SECONDS, float(rate) * trunk_share * per_lr_voxel, float(rate) * (1 - trunk_share), False)


class SpeedMeter:
    """Measures a run from when its events come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._created = clock()
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._heard = self._ended = self._created
        self._began_again = False

    def hear(self, event: Event) -> None:
        """Take an event into account."""
        self._heard = self._ended = self._clock()
        if isinstance(event, Started):
            self._first.setdefault("start", self._clock())
        if isinstance(event, Progress):
            self._first.setdefault(event.stage, self._clock())
            self._last[event.stage] = self._clock()
        if isinstance(event, Warned) and event.kind == ResourceError.code:
            self._began_again = True

    def end(self) -> None:
        """Take into account that the process has ended; leaving takes a library as large as PyTorch its time, too."""
        self._ended = self._clock()

    def speed(self, work: Work) -> Speed | None:
        """Return the speed of a run that did this work; None if it tells nothing of the next ones.

        It was not seen from start to end, it ran in windows, in which trunk and tail cannot be told apart, or it ran
        out of memory: then it began again with other tiles, or on another device.
        """
        if "tail" not in self._last or work.tail_voxels < 1 or work.in_chosen_windows or self._began_again:
            return None
        network_starts = min(self._first[stage] for stage in COMPUTING if stage in self._first)
        trunk, tail = (self._last[stage] - self._first[stage] if stage in self._last else 0.0 for stage in COMPUTING)
        between = max(self._first["tail"] - self._last.get("trunk", self._first["tail"]), 0.0)
        start = network_starts - self._created + between + self._ended - self._heard
        return Speed(start, trunk * 1e6 / max(work.trunk_voxels, 1), tail * 1e6 / work.tail_voxels)


def load_speed(card: ModelCard, device: str) -> Speed | None:
    """Return what was measured for a model and a device on this computer before.

    What another version of the program kept in another form counts as not measured.
    """
    text = slicer.app.userSettings().value(_key(card, device))
    try:
        return Speed(**json.loads(text)) if text else None
    except (TypeError, ValueError):
        return None


def save_speed(card: ModelCard, device: str, speed: Speed) -> None:
    """Keep a measurement, for this session and later ones."""
    slicer.app.userSettings().setValue(_key(card, device), json.dumps(asdict(speed)))


def _key(card: ModelCard, device: str) -> str:
    return f"SuperResolution3D/Speed/{card.name}/{device}"


def _share(*stages: str) -> float:
    return sum(WEIGHTS[stage] for stage in stages)
