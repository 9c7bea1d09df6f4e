"""Calibrates a trust mask: weighs the signals, finds the threshold, and checks it on the test volumes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.trust.range_check import EXTENT_SLACK
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.models.input_ranges import InputRanges
from SuperResolution3DLib.models.model_card import SPACING_SLACK
from SuperResolution3DLib.models.trust_calibration import SIGNALS, TrustCalibration
from SuperResolution3DLib.volumes.box import box_start
from SuperResolution3DLib.volumes.geometry import crop_affine
from Training.calibration.conformal import CAP, check_count, conformal_threshold, fit_caution, outside_risk, weighed
from Training.calibration.ranges import training_entries
from Training.calibration.trust_samples import TrustSamples, trust_samples
from Training.data.index import Index, IndexEntry
from Training.data.preparation import PreparationConfig
from Training.evaluation.held_out import HeldOutVolume, held_out_volume, named
from Training.evaluation.methods import ModelMethod
from Training.evaluation.progress import Countdown
from Training.evaluation.results import result_key
from Training.evaluation.seen_volumes import contents
from Training.whole_file import whole_file

FITTED = 6  # volumes of the training from which the signals are weighed
OTHER_BOUNDS = (0.1, 0.12, 0.14, 0.17, 0.2)  # that are printed beside the one that was asked for
COARSER = 1.6  # times the coarsest voxels of the training that a volume may have and still count
FIT_VOXELS = 20_000  # of each
CUT_MARGIN = 2  # LR voxels beside a cut: degrading wraps around there, which no use does
HEADING = "\ntest" + " " * 40 + "  marked  outside, off  inside, off  caught  rank (reachable)  around"
VERSION = 3  # of what is measured; another one makes old files invalid


@dataclass(frozen=True, eq=False)
class TrustStudy:
    """Which models and volumes a calibration is about."""

    index: Index
    method: ModelMethod
    companion: Model
    modality: str = ""
    """only volumes whose modality begins so"""
    edge: int = 0
    """HR voxels along each axis that are cut from the middle of a volume; 0: all"""
    hold_back: tuple[str, ...] = ()
    """files of the training's part of the index that no model was trained on; (): all that there are"""
    folder: Path | None = None
    """keeps what was measured of each volume, so that a run can go on after a stop"""

    def entries(self) -> tuple[list[IndexEntry], list[IndexEntry], list[IndexEntry]]:
        """Return volumes of the training, volumes that no model was trained on, and those of the test.

        Raises:
            InputError: no volume of the index is one of the training, or one that shall be held back cannot be.
        """
        seen = self.method.trained_on() | contents(self.companion.card.training)
        subjects = {entry.subject for entry in self.index.entries if entry.sha256 in seen}
        wanted = [entry for entry in self.index.entries if self._is_for_the_model(entry)]
        unseen = [entry for entry in wanted if entry.subject not in subjects]
        trained = [entry for entry in training_entries(self.index, self.method) if entry in wanted]
        places = np.unique(np.linspace(0, max(len(trained) - 1, 0), FITTED).round().astype(int))
        held_back = [entry for entry in unseen if entry.split != "test"]
        if self.hold_back:
            files = {entry.file for entry in held_back}
            for file in self.hold_back:
                if file not in files:
                    raise InputError(f"{file} cannot be held back: {self._reason(file, seen, subjects)}")
            held_back = [one for one in held_back if one.split == "validation" or one.file in self.hold_back]
        test = [entry for entry in unseen if entry.split == "test"]
        return [trained[place] for place in places] if trained else [], held_back, test

    def _reason(self, file: str, seen: set[str], subjects: set[str]) -> str:
        for entry in self.index.entries:
            if entry.file == file and entry.split == "test":
                return "it belongs to the test"
            if entry.file == file and entry.subject in subjects:
                return f"a model was trained on {'it' if entry.sha256 in seen else 'another volume of its subject'}"
            if entry.file == file:
                return "its modality, voxels or size are not those of the training, or --modality leaves it out"
        return "the index has no file of that name"

    def _is_for_the_model(self, entry: IndexEntry) -> bool:
        """Tell whether a volume has the modality, about the voxel sizes and at least the size of the model's own.

        Coarser voxels are taken up to a point: they are harder, and so make the calibration more careful.
        """
        card = self.method.model.card
        ranges = InputRanges.from_card(card.input_ranges)
        lr = [step * factor for step, factor in zip(entry.spacing, card.scale, strict=True)]
        low, high = card.spacing_range
        is_near = min(lr) * SPACING_SLACK >= low and max(lr) <= high * COARSER
        sizes = [step * count for step, count in zip(entry.spacing, entry.shape, strict=True)]
        if entry.problem or not entry.modality.startswith(self.modality) or not is_near:
            return False
        return ranges is None or all(
            size * EXTENT_SLACK >= low for size, (low, _) in zip(sizes, ranges.extent, strict=True)
        )

    def samples(self, entry: IndexEntry) -> TrustSamples:
        """Return what is known of a volume, measured once.

        Raises:
            VolumeError: the volume cannot be used.
        """
        card = self.method.model.card
        preparation = self.method.preparation or PreparationConfig()
        parts = {"model": self.method.identity, "companion": self.companion.sha256, "edge": self.edge}
        key = result_key(version=VERSION, file=entry.sha256, preparation=str(preparation), **parts)
        kept = None if self.folder is None else self.folder / f"{key[:24]}.npz"
        if kept is not None and kept.exists():
            with np.load(kept) as stored:
                return TrustSamples(entry.file, stored["signals"], stored["errors"], stored["around"])
        with named(entry):
            volume = held_out_volume(self.index, entry, preparation, card.scale)
            samples = trust_samples(middle(volume, self.edge), self.method, self.companion)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(kept) as temporary, temporary.open("wb") as file:
                np.savez(file, signals=samples.signals, errors=samples.errors, around=samples.around)
        return samples


def middle(volume: HeldOutVolume, edge: int) -> HeldOutVolume:
    """Cut a volume to the middle of what is scored; 0 leaves it as it is.

    The part is degraded by itself, and what lies beside a cut is not scored.
    """
    if not edge:
        return volume
    hr, start = volume.scored, (0, 0, 0) if volume.content is None else box_start(volume.content)
    parts, kept = [], []
    for size, factor, offset in zip(hr.shape, volume.scale, start, strict=True):
        length = min(edge, size) // factor * factor
        begin, margin = (size - length) // 2, CUT_MARGIN * factor
        parts.append(slice(begin + offset, begin + offset + length))
        kept.append(slice(margin if begin else 0, length - margin if begin + length < size else length))
    box, content = (parts[0], parts[1], parts[2]), (kept[0], kept[1], kept[2])
    cut = np.ascontiguousarray(volume.hr[box])
    affine = crop_affine(volume.affine, box_start(box))
    return replace(volume, hr=cut, affine=affine, content=content, source=None, _lr={})


def calibrate_trust(study: TrustStudy, bound: float, alpha: float) -> tuple[TrustCalibration, dict[str, Any]]:
    """Calibrate a trust mask and print what it comes to.

    Returns:
        The calibration, and the figures of the test volumes for the card; {} where there are none.

    Raises:
        InputError: too few volumes, or no threshold that is controlled.
    """
    trained, held_back, test = study.entries()
    print(f"weighed on {len(trained)} volumes of the training, calibrated on {len(held_back)} that no model has seen")
    check_count(len(held_back), alpha)
    countdown = Countdown(len(trained) + len(held_back) + len(test))
    fitted, samples, tested = (_measured(study, entries, countdown) for entries in (trained, held_back, test))
    factor, exponents = fit_caution(
        np.concatenate([one.signals[:FIT_VOXELS] for one in fitted]),
        np.concatenate([one.errors[:FIT_VOXELS] for one in fitted]),
    )
    print(f"caution = {factor:.3g} * " + " * ".join(f"{n}^{e:.2f}" for n, e in zip(SIGNALS, exponents, strict=True)))
    cautions = [weighed(one.signals, factor, exponents) for one in samples]
    errors = [one.errors for one in samples]
    threshold = conformal_threshold(cautions, errors, bound, alpha)
    card = study.companion.card
    calibration = TrustCalibration(
        companion=card.name,
        companion_sha256=study.companion.sha256,
        factor=factor,
        exponents=exponents,
        threshold=threshold.caution,
        bound=bound,
        alpha=alpha,
        cap=CAP,
        volumes=len(samples),
    )
    _print_bounds(cautions, errors, alpha)
    print(
        f"threshold {threshold.caution:.4g} at {bound:.0%}: marks {threshold.mask_share:.0%} of the subject, outside "
        f"it {threshold.risk:.2%} of the voxels are off by more"
    )
    return calibration, check_coverage(tested, calibration)


def _measured(study: TrustStudy, entries: Sequence[IndexEntry], countdown: Countdown) -> list[TrustSamples]:
    found = []
    for entry in entries:
        found.append(study.samples(entry))
        countdown.tell(f"measured {entry.file}")
    return found


def check_coverage(samples: Sequence[TrustSamples], calibration: TrustCalibration) -> dict[str, Any]:
    """Print what the mask does on volumes that had no part in it, and return their means; {} without volumes."""
    rows = []
    print(HEADING)
    for one in samples:
        caution = weighed(one.signals, calibration.factor, calibration.exponents)
        exceeds, marked = one.errors > calibration.bound, caution >= calibration.threshold
        (risk,), (share,) = outside_risk(caution, exceeds, np.array([calibration.threshold]))
        ranks = (one.rank_correlation(caution), one.reachable, one.rank_correlation_around(caution))
        inside = float(exceeds[marked].mean()) if marked.any() else 0.0
        caught = float(marked[exceeds].mean()) if exceeds.any() else 1.0
        rows.append((float(share), float(risk), inside, caught, *ranks))
        print(_row(one.file, rows[-1]))
    if not rows:
        return {}
    means = tuple(float(value) for value in np.mean(rows, axis=0))
    print(_row(f"mean of {len(rows)}", means))
    print(f"coverage {1 - means[1]:.3f}: voxels outside the mask that are off by no more than the bound; wanted: 0.900")
    ranks_of = ("rank_correlation", "rank_correlation_reachable", "rank_correlation_around")
    names = ("marked", "outside_off", "inside_off", "caught", *ranks_of)
    figures = {name: round(value, 4) for name, value in zip(names, means, strict=True)}
    return {"volumes": len(rows), "coverage": round(1 - means[1], 4), **figures}


def _row(name: str, values: Sequence[float]) -> str:
    marked, outside, inside, caught, rank, reachable, around = values
    shares = f"{name:44}{marked:8.0%}{outside:14.2%}{inside:13.1%}{caught:8.0%}"
    return f"{shares}{rank:6.2f}{reachable:12.2f}{around:8.2f}"


def _print_bounds(cautions: Sequence[np.ndarray], errors: Sequence[np.ndarray], alpha: float) -> None:
    print(f"{'bound':>6}{'marked':>9}{'off without a mask':>20}")
    for bound in OTHER_BOUNDS:
        without = float(np.mean([np.mean(error > bound) for error in errors]))
        try:
            marked = f"{conformal_threshold(cautions, errors, bound, alpha).mask_share:.0%}"
        except InputError:
            marked = "all"
        print(f"{bound:6.0%}{marked:>9}{without:20.1%}")
