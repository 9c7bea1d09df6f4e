"""Scoring: every method on every held-out volume, each result written when it is finished and not computed again.

Several processes share the volumes, one each at a time. The first one writes what they found, in the order of the
volumes: the slices' statistics, which depend on it in their last digits, are those of a single process.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import InputError, ModelError, OutputError, SuperResolutionError
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS
from SuperResolution3DLib.metrics.fourier_shell import ShellCorrelation
from SuperResolution3DLib.volumes.box import box_shape
from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training.data.index import IndexEntry
from Training.evaluation.frechet import SliceFeatures
from Training.evaluation.held_out import OF_A_VOLUME, HeldOutVolume, named, shape_text
from Training.evaluation.methods import Method
from Training.evaluation.perceptual_metrics import SMALLEST_SLICE
from Training.evaluation.picture_sets import PictureSets
from Training.evaluation.plan import ScoringPlan
from Training.evaluation.processes import Processes
from Training.evaluation.progress import ScoringProgress
from Training.evaluation.results import (
    CORRELATION,
    FREQUENCY,
    MethodResult,
    VolumeResult,
    kept_path,
    method_path,
    read_result,
    read_results,
    write_method_result,
    write_result,
)
from Training.evaluation.slice_pictures import VIEWS
from Training.evaluation.volume_scores import Evaluation, Measured, VolumeScores
from Training.whole_file import whole_file

log = logging.getLogger(__name__)

LEFT_OUT = "all slices are too small for LPIPS, and for the distance between sets of slices by its features"


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What scoring one method on one volume, or preparing a volume, came to."""

    entry: IndexEntry
    result: VolumeResult | None = None
    features: Sequence[SliceFeatures] = ()
    error: SuperResolutionError | None = None
    """why there is no result"""


class Scoring:
    """Goes through the volumes one by one, and through the methods within each."""

    def __init__(self, plan: ScoringPlan, processes: Processes | None = None) -> None:
        """Load the networks that measure, and what was finished before.

        Raises:
            ModelError: weights that are missing or damaged.
            InputError: the folder holds results of other volumes, or damaged ones.
            OutputError: the folder cannot be made.
        """
        self.plan, self.processes = plan, processes or Processes()
        self.sets: dict[str, PictureSets] = {}
        """of the first process, which writes them"""
        self.processes.first(self._open)
        self.evaluation = self.processes.together(lambda: Evaluation(plan.measures))

    def run(self) -> None:
        """Score whatever is not finished.

        Raises:
            InputError: volumes that cannot be scored, all of them by subject, when the others are finished.
            ModelError: features of a network whose weights are not the original ones.
            OutputError: a result cannot be written.
        """
        pending = self.processes.first(self._pending)
        size, rank = self.processes.size, self.processes.rank
        progress = ScoringProgress(sum(len(names) for _, names in pending))
        for start in range(0, len(pending), size):
            share = pending[start : start + size][rank : rank + 1]
            outcomes = (outcome for number, names in share for outcome in self._score_volume(number, names))
            if size == 1:  # each is written at once
                self._write(outcomes, progress)
            else:
                found: list[_Outcome] = self.processes.gathered(self.processes.together(partial(list, outcomes)))
                self.processes.together(partial(self._write, found, progress))
        self.processes.first(lambda: self._finish(progress))

    def _open(self) -> None:
        _make_folder(self.plan.out)
        self._refuse_other_volumes()
        self.sets = {method.name: self._open_sets(method) for method in self.plan.methods}

    def _pending(self) -> list[tuple[int, list[str]]]:
        """Return the numbers of the volumes that are not finished, each with the names of the methods left."""
        pending = []
        for number, entry in enumerate(self.plan.entries):
            done = [method for method in self.plan.methods if self._is_done(method, entry)]
            for method in done:
                self._rename(method, entry)
            if len(done) < len(self.plan.methods):
                pending.append((number, [method.name for method in self.plan.methods if method not in done]))
        finished = len(self.plan.entries) * len(self.plan.methods) - sum(len(names) for _, names in pending)
        if finished:
            log.info("%d results were finished before", finished)
        return pending

    def _score_volume(self, number: int, names: Sequence[str]) -> Iterator[_Outcome]:
        """Score methods on a volume; one that cannot be scored is told, and no reason to leave out others."""
        entry = self.plan.entries[number]
        try:
            with named(entry):
                volume = self.plan.volume(entry)
        except OF_A_VOLUME as error:
            yield _Outcome(entry, error=error)
            return
        hr = self._in_region(entry, volume.scored)
        for method in self.plan.methods:
            if method.name not in names:
                continue
            try:
                with named(entry):
                    outcome = self._score(method, entry, volume, hr)
            except OF_A_VOLUME as error:
                outcome = _Outcome(entry, error=error)
            yield outcome

    def _score(self, method: Method, entry: IndexEntry, volume: HeldOutVolume, hr: np.ndarray) -> _Outcome:
        """Score a method on the region of an HR volume (D, H, W) that every method has."""
        plan, started = self.plan, time.monotonic()
        enlarged = method.enlarge(volume)
        seconds = time.monotonic() - started
        measured = None
        if enlarged.from_lr:
            lr = volume.lr(method.grid)
            measured = Measured(lr, plan.scale, method.grid, (enlarged.sr, volume.hr), entry.modality)
        sr = volume.without_padding(enlarged.sr)
        scores = self.evaluation.score(self._in_region(entry, sr), hr, volume.spacing, measured)
        doubts = {item.doubt for item in scores.features if item.doubt is not None}
        if doubts:
            raise ModelError(f"No table is made of these features: {'; '.join(sorted(doubts))}")
        notes = [*volume.notes, *self._region_note(entry, volume), *enlarged.notes, *scores.notes, *_left_out(scores)]
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
        return _Outcome(entry, result, scores.features)

    def _write(self, outcomes: Iterable[_Outcome], progress: ScoringProgress) -> None:
        for outcome in outcomes:
            if outcome.error is not None:
                progress.tell_problem(outcome.entry, outcome.error)
            if outcome.result is None:
                continue
            self._add_slices(outcome.result.method, outcome.entry, outcome.features)
            write_result(self.plan.out, outcome.result)
            progress.tell(outcome.result)

    def _in_region(self, entry: IndexEntry, volume: np.ndarray) -> np.ndarray:
        """Cut a volume on the scored HR's grid (D, H, W) to what every method is scored on."""
        return volume[self.plan.regions[entry.file]] if entry.file in self.plan.regions else volume

    def _region_note(self, entry: IndexEntry, volume: HeldOutVolume) -> list[str]:
        if entry.file not in self.plan.regions:
            return []
        before, after = (shape_text(shape) for shape in (volume.scored.shape, box_shape(self.plan.regions[entry.file])))
        return [f"HR cropped from {before} to the {after} voxels (S, A, R) that every SR has"]

    def _add_slices(self, method: str, entry: IndexEntry, features: Sequence[SliceFeatures]) -> None:
        """Take the slices into the method's sets, which are written before the result is."""
        sets = self.sets[method]
        if not self._measures_slices or entry.sha256 in sets.volumes:  # written, and ended before its result was
            return
        sets.add(entry.sha256, features)
        sets.write(method_path(self.plan.out, method, ".npz"))

    def _open_sets(self, method: Method) -> PictureSets:
        """Return the slices of volumes that were finished before, if they are some of those wanted now."""
        path, key = method_path(self.plan.out, method.name, ".npz"), self.plan.key(method)
        if path.is_file():
            try:
                sets = PictureSets.read(path)
                if sets.key == key and sets.volumes <= {entry.sha256 for entry in self.plan.entries}:
                    return sets
            except InputError as error:
                log.warning("%s; its volumes are scored again", error)
            path.unlink()
        return PictureSets(key=key)

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
            _make_folder(path.parent)
            write_volume(Volume(sr, volume.scored_affine), path, overwrite=True)
        if entry == self.plan.figure_entry:
            keep_for_figure(self.plan.figure_path(method), sr)

    def _finish(self, progress: ScoringProgress) -> None:
        progress.refuse_problems()
        for method in self.plan.methods:
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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error


def keep_for_figure(path: Path, sr: np.ndarray) -> None:
    """Write an SR volume (D, H, W) so that Figure 2 need not compute it again.

    Raises:
        OutputError: the file cannot be written.
    """
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, sr.astype(np.float32, copy=False))


def _left_out(scores: VolumeScores) -> list[str]:
    """Return what a reader must know of the protocols under which LPIPS saw not all slices."""
    notes = []
    for protocol in PROTOCOLS:
        seen, skipped = (scores.figures.get(f"{protocol}/lpips_{kind}") for kind in ("slices", "skipped"))
        if seen == 0:
            notes.append(f"protocol {protocol}: {LEFT_OUT}")
        elif skipped:
            views = ", ".join(view for view in VIEWS if f"{protocol}/lpips_{view}" in scores.figures)
            notes.append(
                f"protocol {protocol}: {skipped:.0f} slices of fewer than {SMALLEST_SLICE} pixels along an axis are "
                f"skipped by LPIPS, which is of {seen:.0f} slices ({views})"
            )
    return notes


def _curves(shells: ShellCorrelation | None) -> dict[str, list[float]]:
    if shells is None:
        return {}
    return {
        FREQUENCY: [round(float(value), 5) for value in shells.frequency],
        CORRELATION: [round(float(value), 5) for value in shells.correlation],
    }
