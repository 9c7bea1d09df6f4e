"""Scoring: every method on every held-out volume, each result written when it is finished and not computed again."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import GeometryError, InputError, ModelError, OutputError, ResourceError, VolumeError
from SuperResolution3DLib.fourier_shell import ShellCorrelation
from SuperResolution3DLib.geometry import Scale
from SuperResolution3DLib.model_card import file_sha256
from SuperResolution3DLib.volume import Volume, write_volume
from Training.reporting.zoom_box import ZoomBox
from Training.scoring.evaluation import Evaluation, EvaluationConfig, Measured, VolumeScores
from Training.scoring.held_out import HeldOutVolume, held_out_volume
from Training.scoring.methods import Method
from Training.scoring.results import (
    CORRELATION,
    FREQUENCY,
    MethodResult,
    VolumeResult,
    kept_path,
    method_path,
    read_result,
    read_results,
    result_key,
    write_method_result,
    write_result,
)
from Training.scoring.slice_sets import SliceSets
from Training.volumes.hr_preparation import PreparationConfig
from Training.volumes.index import Index, IndexEntry

log = logging.getLogger(__name__)

VERSION = 2  # of what is measured; another one makes old results invalid
LEFT_OUT = "all slices are too small for LPIPS, and for the distance between sets of slices by its features"
LPIPS_SLICES = "/lpips_slices"
SHOWN = ("psnr", "ssim", "lpips")


@dataclass(frozen=True, eq=False)
class ScoringPlan:
    """What is scored, how, and where the results go."""

    index: Index
    dataset: str
    """its name in tables"""
    entries: Sequence[IndexEntry]
    methods: Sequence[Method]
    scale: Scale
    preparation: PreparationConfig
    measures: EvaluationConfig
    out: Path
    figure_entry: IndexEntry | None = None
    """the volume whose SR volumes are kept for Figure 2"""
    box: ZoomBox | None = None
    """what Figure 2 enlarges; None: where the HR has the most detail"""
    keep_volumes: bool = False
    """write all SR volumes"""

    def key(self, method: Method, entry: IndexEntry | None = None) -> str:
        """Return what a result, or the slice statistics of a method, must have been made with."""
        return result_key(
            version=VERSION,
            file=entry and [entry.sha256, entry.orientation],
            method=method.identity,
            scale=self.scale,
            preparation=asdict(self.preparation),
            measures={name: value for name, value in asdict(self.measures).items() if name != "device"},
            inception=self._inception_sha256,
        )

    def volume(self, entry: IndexEntry) -> HeldOutVolume:
        return held_out_volume(self.index, entry, self.preparation, self.scale)

    def figure_path(self, method: Method) -> Path:
        """Return where the SR volume for Figure 2 lies: it depends on volume, method and settings."""
        if self.figure_entry is None:
            raise ValueError("No volume was chosen for the figure")
        return self.out / "figure2" / f"{self.key(method, self.figure_entry)[:24]}.npy"

    @cached_property
    def _inception_sha256(self) -> str | None:
        inception = self.measures.inception
        return file_sha256(inception) if inception is not None and inception.is_file() else None


class Scoring:
    """Goes through the volumes one by one, and through the methods within each."""

    def __init__(self, plan: ScoringPlan) -> None:
        """Load the networks that measure, and what was finished before.

        Raises:
            ModelError: weights that are missing or damaged.
            InputError: the folder holds results of other volumes, or damaged ones.
        """
        self.plan = plan
        self._refuse_other_volumes()
        self.evaluation = Evaluation(plan.measures)
        self.sets = {method.name: self._open_sets(method) for method in plan.methods}

    def run(self) -> None:
        """Score whatever is not finished.

        Raises:
            VolumeError, GeometryError: a volume that cannot be scored.
            ModelError: features of a network whose weights are not the original ones.
            OutputError: a result cannot be written.
        """
        pending = [
            (entry, [method for method in self.plan.methods if not self._is_done(method, entry)])
            for entry in self.plan.entries
        ]
        total, done = sum(len(methods) for _, methods in pending), 0
        finished = len(self.plan.entries) * len(self.plan.methods) - total
        if finished:
            log.info("%d results were finished before", finished)
        started = time.monotonic()
        for entry, methods in pending:
            for method in self.plan.methods:
                if method not in methods:
                    self._rename(method, entry)
            if not methods:
                continue
            with _named(entry):
                volume = self.plan.volume(entry)
            for method in methods:
                with _named(entry):
                    result = self._score(method, entry, volume)
                done += 1
                remaining = (time.monotonic() - started) * (total - done) / done
                log.info("[%d/%d] %s; %s left", done, total, _line(result), _duration(remaining))
        for method in self.plan.methods:
            self._finish(method)

    def _score(self, method: Method, entry: IndexEntry, volume: HeldOutVolume) -> VolumeResult:
        plan, started = self.plan, time.monotonic()
        enlarged = method.enlarge(volume)
        seconds = time.monotonic() - started
        sr, hr = volume.without_padding(enlarged.sr), volume.scored
        if enlarged.box is None:
            measured = Measured(volume.lr(method.grid), plan.scale, method.grid, (enlarged.sr, volume.hr))
            scores = self.evaluation.score(sr, hr, volume.spacing, measured)
        else:
            scores = self.evaluation.score(sr[enlarged.box], hr[enlarged.box], volume.spacing)
        self._add_slices(method, entry, scores)
        notes = [*volume.notes, *enlarged.notes, *scores.notes, *_left_out(scores)]
        self._keep(method, entry, volume, sr)
        result = VolumeResult(
            plan.dataset,
            entry.subject,
            entry.file,
            method.name,
            scores.figures,
            _curves(scores.shells),
            seconds,
            tuple(notes),
            plan.key(method, entry),
        )
        write_result(plan.out, result)
        return result

    def _add_slices(self, method: Method, entry: IndexEntry, scores: VolumeScores) -> None:
        """Take the slices into the method's sets, which are written before the result is."""
        sets = self.sets[method.name]
        doubts = {item.doubt for item in scores.features if item.doubt is not None}
        if doubts:
            raise ModelError(f"No table is made of these features: {'; '.join(sorted(doubts))}")
        if not self._measures_slices or entry.sha256 in sets.volumes:  # written, and ended before its result was
            return
        sets.add(entry.sha256, scores.features)
        path = method_path(self.plan.out, method.name, ".npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".key").write_text(self.plan.key(method))
        sets.write(path)

    def _open_sets(self, method: Method) -> SliceSets:
        """Return the slices of volumes that were finished before, if they are some of those wanted now."""
        path = method_path(self.plan.out, method.name, ".npz")
        key = path.with_suffix(".key")
        if path.exists() and key.exists() and key.read_text() == self.plan.key(method):
            sets = SliceSets.read(path)
            if sets.volumes <= {entry.sha256 for entry in self.plan.entries}:
                return sets
        path.unlink(missing_ok=True)
        return SliceSets()

    def _is_done(self, method: Method, entry: IndexEntry) -> bool:
        result = read_result(self.plan.out, method.name, entry.file)
        if result is None or result.key != self.plan.key(method, entry):
            return False
        if self.plan.keep_volumes and not kept_path(self.plan.out, method.name, entry.file).exists():
            return False
        return entry.sha256 in self.sets[method.name].volumes or not self._measures_slices

    def _rename(self, method: Method, entry: IndexEntry) -> None:
        """Give a result that was finished before the names that its data set and subject have now."""
        result = read_result(self.plan.out, method.name, entry.file)
        if result is not None and (result.dataset, result.subject) != (self.plan.dataset, entry.subject):
            write_result(self.plan.out, replace(result, dataset=self.plan.dataset, subject=entry.subject))

    def _keep(self, method: Method, entry: IndexEntry, volume: HeldOutVolume, sr: np.ndarray) -> None:
        if self.plan.keep_volumes:
            path = kept_path(self.plan.out, method.name, entry.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_volume(Volume(sr, volume.scored_affine), path, overwrite=True)
        if entry == self.plan.figure_entry:
            keep_for_figure(self.plan.figure_path(method), sr)

    def _finish(self, method: Method) -> None:
        sets = self.sets[method.name]
        result = MethodResult(self.plan.dataset, method.name, sets.figures(), tuple(sets.describe()))
        write_method_result(self.plan.out, result)

    def _refuse_other_volumes(self) -> None:
        wanted = {entry.file for entry in self.plan.entries}
        others = sorted({result.file for result in read_results(self.plan.out)} - wanted)
        if others:
            raise InputError(
                f"{self.plan.out} holds results of {len(others)} volumes that are not asked for now "
                f"({', '.join(others[:3])}{' ...' if others[3:] else ''}); choose another --out"
            )

    @property
    def _measures_slices(self) -> bool:
        return self.plan.measures.lpips is not None or self.plan.measures.inception is not None


@contextmanager
def _named(entry: IndexEntry) -> Iterator[None]:
    """Begin what is said of a volume with the name of its file."""
    try:
        yield
    except (VolumeError, GeometryError, ResourceError) as error:
        if entry.file in str(error):
            raise
        raise type(error)(f"{entry.file}: {error}") from error


def keep_for_figure(path: Path, sr: np.ndarray) -> None:
    """Write an SR volume (D, H, W) so that Figure 2 need not compute it again.

    Raises:
        OutputError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.save(file, sr.astype(np.float32, copy=False))
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another folder") from error


def _left_out(scores: VolumeScores) -> list[str]:
    """Return what a reader must know of the protocols under which LPIPS saw no slice."""
    return [
        f"protocol {name.removesuffix(LPIPS_SLICES)}: {LEFT_OUT}"
        for name, number in scores.figures.items()
        if name.endswith(LPIPS_SLICES) and number == 0
    ]


def _curves(shells: ShellCorrelation | None) -> dict[str, list[float]]:
    if shells is None:
        return {}
    return {
        FREQUENCY: [round(float(value), 5) for value in shells.frequency],
        CORRELATION: [round(float(value), 5) for value in shells.correlation],
    }


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
