"""All figures of one SR volume against its HR, and the features from which the figures of a whole method follow."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import GeometryError, ModelError, VolumeError
from SuperResolution3DLib.forward.kspace import residual
from SuperResolution3DLib.metrics import fourier_shell, scanning_rings
from SuperResolution3DLib.metrics.evaluation_protocols import (
    PROTOCOLS,
    ComparedPair,
    Protocol,
    Reference,
    check_pair,
    describe,
    reference,
)
from SuperResolution3DLib.metrics.fourier_shell import THRESHOLDS, ShellCorrelation, shell_correlation
from SuperResolution3DLib.metrics.metrics import added_detail, psnr, ssim, ssim_slices, ssim_uniform
from SuperResolution3DLib.metrics.scanning_rings import can_be_scanned, scan_rings, suspicious
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.evaluation import tissue
from Training.evaluation.frechet import SliceFeatures
from Training.evaluation.inception import Inception
from Training.evaluation.perceptual_metrics import SMALLEST_SLICE, Lpips, Net
from Training.evaluation.slice_pictures import VIEWS, SliceChoice, slice_shape
from Training.evaluation.tissue import tissue_agreement


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured."""

    protocols: tuple[Protocol, ...] = ("paper", "foreground")
    """under each of them: PSNR, SSIM, LPIPS and the features of the slices"""
    lpips: Net | None = "alex"
    """backbone of LPIPS; None leaves it out, and with it the Frechet distance of its features"""
    stride: int = 1
    """LPIPS looks at every so many slices of each view"""
    inception: Path | None = None
    """weights of the original FID Inception; without them there is no FID and no KID"""
    fourier_shell: bool = True
    """measure up to which frequency SR and HR agree"""
    checks: bool = True
    """look for patches whose detail is not the HR's, and compare what a simple analysis finds"""
    device: str = "cpu"
    """where the networks run"""

    def __post_init__(self) -> None:
        unknown = [protocol for protocol in self.protocols if protocol not in PROTOCOLS]
        if unknown or not self.protocols or len(set(self.protocols)) < len(self.protocols):
            raise ValueError(f"Protocols are some of {', '.join(PROTOCOLS)}, each once, got {self.protocols}")


@dataclass(frozen=True)
class Measured:
    """The LR that an SR was computed from."""

    lr: np.ndarray
    """(D, H, W), canonical, in the unit of the SR"""
    scale: Scale
    grid: Grid = "center"
    padded: tuple[np.ndarray, np.ndarray] | None = None
    """SR and HR (D, H, W) with the padding that they are scored without; None: there is none"""
    modality: str = ""
    """of the HR, such as MR T1w"""


@dataclass(frozen=True)
class VolumeScores:
    """What was measured on one SR volume."""

    figures: dict[str, float]
    """by name: ``paper/psnr``, ``foreground/lpips_axial``, ``fsc_0.5`` ..."""
    features: list[SliceFeatures]
    """for ``PictureSets.add``, which turns them into figures of the whole method"""
    shells: ShellCorrelation | None
    notes: tuple[str, ...] = ()
    """which figures are left out, and why"""


class Evaluation:
    """Measures SR volumes; the networks are loaded once."""

    def __init__(self, config: EvaluationConfig | None = None) -> None:
        """Load the networks.

        Raises:
            ModelError: weights that are missing or damaged; the message says what to download and where it goes.
            InputError: Inception is wanted, and torch-fidelity is not installed.
        """
        self.config = config or EvaluationConfig()
        self._lpips: Lpips | None = None
        if self.config.lpips is not None:
            try:
                self._lpips = Lpips(
                    self.config.lpips, stride=self.config.stride, central_share=1.0, device=self.config.device
                )
            except ModelError as error:
                raise ModelError(f"{error}; --lpips none does without") from error
        self._inception: Inception | None = None
        if self.config.inception is not None:
            self._inception = Inception(self.config.inception, device=self.config.device)
        self._hr: np.ndarray | None = None
        self._references: dict[Protocol, Reference] = {}

    def score(
        self,
        sr: np.ndarray,
        hr: np.ndarray,
        spacing: tuple[float, float, float],
        measured: Measured | None = None,
    ) -> VolumeScores:
        """Measure one SR volume.

        Args:
            sr: (D, H, W), canonical, on the HR's grid.
            hr: (D, H, W), canonical, in the unit of the SR.
            spacing: of both, mm (D, H, W).
            measured: the LR; with it, data consistency, added detail and wrong patches are measured too.

        Raises:
            GeometryError: shapes that do not fit, or an axis shorter than a window of SSIM.
            VolumeError: voxels that are not finite, a constant HR, or nothing left to score.
        """
        check_pair(sr, hr)
        figures: dict[str, float] = {}
        features: list[SliceFeatures] = []
        notes: list[str] = []
        for protocol in self.config.protocols:
            values, found = self._score_pair(self._reference(hr, protocol).pair(sr))
            figures |= {f"{protocol}/{name}": value for name, value in values.items()}
            features += [_under(protocol, item) for item in found]
        shells = None
        if self.config.fourier_shell:
            shells = shell_correlation(sr, hr, spacing)
            for threshold in THRESHOLDS:
                cutoff = shells.cutoff(threshold)
                # Never below: the highest frequency that the grid holds is a lower bound.
                figures[f"fsc_{threshold:g}"] = float(shells.frequency[-1]) if cutoff is None else cutoff
        if measured is not None:
            whole_sr, whole_hr = measured.padded or (sr, hr)
            figures["residual_percent"] = residual_percent(whole_sr, measured)
            try:
                figures["added_detail"] = added_detail(whole_sr, whole_hr, measured.scale)
            except VolumeError as error:  # an HR without detail is no reason to give up the others
                notes.append(f"added detail is left out: {error}")
        if self.config.checks:
            checked, left_out = _checks(sr, hr, measured)
            figures |= checked
            notes += left_out
        return VolumeScores(figures, features, shells, tuple(notes))

    def describe(self) -> list[str]:
        """Return the lines that stand above or below every table of these figures."""
        lines = [describe(protocol) for protocol in self.config.protocols]
        if self._lpips is not None:
            lines += [self._lpips.describe(protocol) for protocol in self.config.protocols]
        if self._inception is not None:
            lines.append(self._inception.describe())
        else:
            lines.append("FID and KID are left out: no weights of Inception were given")
        if self.config.fourier_shell:
            lines.append(fourier_shell.describe())
        if self.config.checks:
            lines += [scanning_rings.describe(), tissue.describe()]
        lines.append(
            "Data consistency: rms of degrade(SR) - LR below the LR's Nyquist frequency, in percent of the LR's range "
            "(0.5 to 99.5 percentile), padding included; detail above it leaves no residual, whether true or invented"
        )
        lines.append(
            "Added detail: spectral energy of the SR above the LR's Nyquist frequency, as a share of the HR's, padding "
            "included"
        )
        return lines

    def _reference(self, hr: np.ndarray, protocol: Protocol) -> Reference:
        """Return the HR's part, found once while one method after another is compared with the same HR."""
        if hr is not self._hr:
            self._hr, self._references = hr, {}
        if protocol not in self._references:
            self._references[protocol] = reference(hr, protocol)
        return self._references[protocol]

    def _score_pair(self, pair: ComparedPair) -> tuple[dict[str, float], list[SliceFeatures]]:
        figures = {
            "psnr": psnr(pair.sr, pair.hr, pair.data_range, pair.mask),
            "ssim": ssim(pair.sr, pair.hr, pair.data_range, pair.mask),
        }
        if pair.protocol == "paper":
            figures["ssim_uniform"] = ssim_uniform(pair.sr, pair.hr, pair.data_range)
            views = ssim_slices(pair.sr, pair.hr, pair.data_range)
            figures["ssim_slices"] = sum(views) / len(views)
            figures |= {f"ssim_{view}": value for view, value in zip(VIEWS, views, strict=True)}
        features: list[SliceFeatures] = []
        if self._lpips is not None:
            figures |= self._perceptual(self._lpips, pair, features)
        if self._inception is not None:
            features += self._inception.features(pair)
        return figures, features

    def _perceptual(self, lpips: Lpips, pair: ComparedPair, features: list[SliceFeatures]) -> dict[str, float]:
        if all(min(slice_shape(pair, view)) < SMALLEST_SLICE for view in VIEWS):
            choice: SliceChoice = lpips.choice
            return {"lpips_slices": 0, "lpips_skipped": sum(len(choice.numbers(size)) for size in pair.hr.shape)}
        scores, found = lpips.compare(pair, keep_hr=True)
        features.append(found)
        views = {f"lpips_{view}": getattr(scores, view) for view in VIEWS if getattr(scores, view) is not None}
        return {
            "lpips": scores.mean,
            **views,
            "lpips_slices": scores.num_slices,
            "lpips_skipped": scores.num_skipped,
        }


def _checks(sr: np.ndarray, hr: np.ndarray, measured: Measured | None) -> tuple[dict[str, float], list[str]]:
    """Return the figures of the scan for wrong detail and of the simple analysis, and which are left out and why."""
    figures: dict[str, float] = {}
    patches = scan_rings(sr, hr, measured.modality) if measured is not None and can_be_scanned(hr.shape) else []
    if measured is not None and patches:
        figures["ring_patches"] = float(len(patches))
        figures["ring_boxes"] = float(len(suspicious(patches, measured.scale)))
        figures["ring_crossing"] = float(np.median([patch.crossing for patch in patches]))
    try:
        return figures | tissue_agreement(sr, hr), []
    except VolumeError as error:
        return figures, [f"tissue classes are left out: {error}"]


def residual_percent(sr: np.ndarray, measured: Measured) -> float:
    """Return the rms of ``degrade(sr) - lr`` in percent of the LR's range (0.5 to 99.5 percentile).

    Raises:
        GeometryError: the SR is not as many times larger than the LR as the scale says.
        VolumeError: a constant LR.
    """
    wanted = tuple(size * factor for size, factor in zip(measured.lr.shape, measured.scale, strict=True))
    if sr.shape != wanted:
        raise GeometryError(
            f"The SR is {sr.shape} voxels, its LR of {measured.lr.shape} at scale {measured.scale} makes {wanted} "
            "(head-foot, front-back, left-right)"
        )
    intensity = IntensityPolicy().fit(measured.lr)  # the range of the library's own report
    difference = residual(sr.astype(np.float32), measured.lr.astype(np.float32), measured.scale, measured.grid)
    return float(100 * np.sqrt(np.mean(difference.astype(np.float64) ** 2)) / intensity.width)


def _under(protocol: Protocol, features: SliceFeatures) -> SliceFeatures:
    """Name features after their protocol."""
    kernel = None if features.kernel is None else f"{protocol}/{features.kernel}"
    return replace(features, frechet=f"{protocol}/{features.frechet}", kernel=kernel)
