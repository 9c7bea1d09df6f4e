"""Self-ensemble: the mean of a network's results on the mirror images of a volume (Lim et al. 2017, section 3.4).

A network has no reason to treat left and right alike, so its results on mirror images, mirrored back, differ by errors
that partly cancel in their mean. Each result is taken into the mean as soon as it is there and then dropped, so memory
does not grow with their number.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.box import Box, whole
from SuperResolution3DLib.volumes.geometry import Orientation
from SuperResolution3DLib.volumes.mapped_array import planes

FLIPS: tuple[Orientation, ...] = tuple(
    Orientation((0, 1, 2), (depth, height, width)) for depth, height, width in product((False, True), repeat=3)
)
TRUNK_SHARE = 0.59  # of the time of trunk and tail together, as the forecast of the time left weighs them
STEPS = 1000  # in which the progress of all members together is told


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What the results of all members have in common, and how far they lie apart."""

    mean: np.ndarray
    """(D*s, H*s, W*s) float32, network units"""
    spread: np.ndarray | None
    """their standard deviation, same shape and unit; None: was not asked for"""


def check_ensemble(card: ModelCard) -> None:
    """Refuse a model whose grid looks different in a mirror.

    Raises:
        InputError: its LR voxels do not lie in the middle of the HR voxels that they stand for.
    """
    if card.grid != "center":
        raise InputError(Sentence("input-mirror", {"model": card.name, "grid": card.grid}))


def run_ensemble(engine: Engine, lr: np.ndarray, region: Box | None = None, *, with_spread: bool = False) -> Ensemble:
    """Super-resolve the eight mirror images of a volume; of the engine's warnings each is told once.

    Args:
        engine: of a model for thick slices, or one that ``check_ensemble`` accepts; its report then counts the members.
        lr: (D, H, W) float32 in network units, the whole volume.
        region: the LR voxels (D, H, W) whose result is wanted; all by default.
        with_spread: keep account of the standard deviation, too (Welford 1962): one more volume of the result's size.

    Raises:
        ResourceError, InputError, CancelledError: as ``Engine.run``.
    """
    region = region or whole(lr.shape)
    followed = engine.monitor
    engine.monitor = together = _Together(followed, len(FLIPS))
    engine.results_beside = 1 + with_spread  # from the first member on, so that all run in the same tiles
    mean = squares = np.empty(0, np.float32)
    try:
        for number, flip in enumerate(FLIPS):
            together.number = number
            if number == 0:  # nothing is flipped: the engine's own array
                mean = engine.run(lr, region)
                squares = np.zeros_like(mean if with_spread else squares)
            else:  # the result has no name here: it must be gone when the next one is made
                _take_in(engine.run_mirrored(lr, flip, region), number + 1, mean, squares)
    finally:
        engine.monitor, engine.results_beside = followed, 0
    engine.report.ensemble = len(FLIPS)
    engine.report.warnings = list(dict.fromkeys(engine.report.warnings))
    return Ensemble(mean, np.sqrt(squares / (len(FLIPS) - 1), out=squares) if with_spread else None)


def _take_in(sr: np.ndarray, count: int, mean: np.ndarray, squares: np.ndarray) -> None:
    """Update the mean, and the sum of squared distances from it if that is kept, with the result of one more member."""
    for index, (plane, _) in enumerate(planes(sr, mean)):  # no copies of the whole result
        distance = plane - mean[index]
        mean[index] += distance / count
        if squares.size:
            squares[index] += distance * (plane - mean[index])


class _Together(Monitor):
    """Shows the runs of all members as one: stages once, warnings once."""

    def __init__(self, monitor: Monitor, count: int) -> None:
        self.number = 0
        self._monitor, self._count = monitor, count
        self._has_trunk = False
        self._told: list[Warned] = []

    def progress(self, stage: str, done: int, total: int) -> None:
        part = done / total if total else 1.0
        self._has_trunk |= stage == "trunk"
        if stage == "trunk":
            part *= TRUNK_SHARE
        elif self._has_trunk:  # windows have none
            part = TRUNK_SHARE + (1 - TRUNK_SHARE) * part
        behind = (self.number + part) / self._count
        if behind < TRUNK_SHARE:
            self._monitor.progress("trunk", round(STEPS * behind / TRUNK_SHARE), STEPS)
        else:
            self._monitor.progress("tail", round(STEPS * (behind - TRUNK_SHARE) / (1 - TRUNK_SHARE)), STEPS)

    def warn(self, warned: Warned) -> None:
        if warned not in self._told:
            self._told.append(warned)
            self._monitor.warn(warned)

    def is_cancelled(self) -> bool:
        return self._monitor.is_cancelled()
