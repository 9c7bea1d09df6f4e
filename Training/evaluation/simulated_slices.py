"""Simulated thick slices: an isotropic volume is degraded to slices, and what is computed between them is scored.

Scored are the voxels in which no slice has its centre: the slices themselves were measured, and a method that repeats
them would be rewarded for it. Everything is (D, H, W) with the slice axis first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.forward.axis_product import multiply_axes
from SuperResolution3DLib.forward.slice_axis import PLANES
from SuperResolution3DLib.forward.slice_profile import ProfileShape, SliceProfile
from SuperResolution3DLib.metrics.evaluation_protocols import reference
from SuperResolution3DLib.metrics.metrics import psnr
from SuperResolution3DLib.metrics.scanning_rings import can_be_scanned, scan_rings, suspicious
from SuperResolution3DLib.metrics.ssim import ssim
from SuperResolution3DLib.volumes.volume import Volume
from Training.data.slice_patches import LARGEST_ANISOTROPY
from Training.evaluation.perceptual_metrics import Lpips
from Training.evaluation.slice_methods import SliceMethod
from Training.evaluation.tissue import HrTissue

THRESHOLD = 0.5  # of the correlation along the slice axis


@dataclass(frozen=True)
class SliceScan:
    """How slices are simulated."""

    plane: str
    """axial, coronal or sagittal"""
    spacing: float
    """mm between slice centres"""
    gap: float
    """between slices, as a share of the spacing"""
    shape: ProfileShape = "gaussian"
    """what the slices measure; methods are told a Gaussian of the same width"""


@dataclass(frozen=True)
class SliceScore:
    """One method on one scan of one volume."""

    file: str
    modality: str
    plane: str
    spacing: float
    gap: float
    method: str
    psnr: float
    """dB, over voxels without a slice's centre"""
    ssim: float
    """3D Gaussian window around voxels without a slice's centre, over the HR's foreground"""
    lpips: float | None
    """mean of the two views that show the slice axis; None: not wanted, or too small for it"""
    cutoff: float
    """cycles/mm along the slice axis up to which the result's spectrum correlates with the HR's above one half"""
    residual: float
    """% of the range by which the slices, made anew of the result, differ from those measured (RMS)"""
    pixel_ratio: float
    """longer over shorter side of a pixel"""
    ring_patches: int = 0
    """whose Fourier ring correlation with the HR was looked at; 0: too small for it"""
    ring_boxes: int = 0
    """of these, in which even what the slices measured has come out as something else"""
    tissue_dice: float | None = None
    """agreement of classes of intensity with the HR's; None: no subject"""

    @property
    def scan(self) -> tuple[str, str, float, float]:
        """The volume, and how its slices were simulated: plane, spacing in mm and gap."""
        return self.file, self.plane, self.spacing, self.gap

    def row(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class SimulatedScan:
    """The slices of a volume, all with the slice axis first."""

    hr: np.ndarray
    """(D, H, W) float32, the file's intensities"""
    lr: np.ndarray
    """(S, H, W), what the slices measured"""
    told: SliceProfile
    """what a method is told of them; its HR grid is that of ``hr``"""
    pixels: tuple[float, float]
    """mm of a pixel (H, W)"""

    @property
    def pixel(self) -> float:
        """Mean size of a pixel in mm."""
        return sum(self.pixels) / 2


def simulated(volume: Volume, scan: SliceScan) -> SimulatedScan:
    """Degrade a volume to slices.

    Raises:
        GeometryError: they do not fit into it.
    """
    canonical = volume.canonical()
    axis = PLANES.index(scan.plane)
    hr = np.moveaxis(canonical.array, axis, 0).astype(np.float32)
    spacing = canonical.spacing[axis]
    thickness = scan.spacing * (1 - scan.gap)
    true, kept = SliceProfile.over_volume(scan.shape, thickness, scan.spacing, len(hr), spacing)
    told, _ = SliceProfile.over_volume("gaussian", thickness, scan.spacing, len(hr), spacing)
    hr = np.ascontiguousarray(hr[kept])
    height, width = (size for other, size in enumerate(canonical.spacing) if other != axis)
    return SimulatedScan(hr, multiply_axes(hr, [true.matrix(), None, None]), told, (height, width))


def is_fine(spacing: Sequence[float], plane: str) -> bool:
    """Tell whether a volume of a canonical spacing (D, H, W) is fine enough along an axis to cut slices out of it."""
    return spacing[PLANES.index(plane)] <= LARGEST_ANISOTROPY * min(spacing)


def fits(shape: Sequence[int], spacing: Sequence[float], scan: SliceScan) -> bool:
    """Tell whether a volume of a canonical shape and spacing (D, H, W) is long enough for two slices of a scan."""
    axis = PLANES.index(scan.plane)
    try:
        SliceProfile.over_volume(scan.shape, scan.spacing, scan.spacing, shape[axis], spacing[axis])
    except GeometryError:
        return False
    return True


def score_volume(
    volume: Volume,
    name: str,
    modality: str,
    scans: Sequence[SliceScan],
    methods: Sequence[SliceMethod],
    lpips: Lpips | None,
) -> Iterator[SliceScore]:
    """Degrade a volume by each scan and score each method.

    Args:
        volume: fine along the axis of each scan (see ``is_fine``); any orientation.
        name: of its file, in the scores.
        modality: in the scores.
        scans: to be simulated.
        methods: to be scored.
        lpips: None leaves LPIPS out.

    Raises:
        GeometryError: the slices do not fit into the volume.
        VolumeError: a constant volume.
    """
    for scan in scans:
        case = simulated(volume, scan)
        lr, hr, told = case.lr, case.hr, case.told
        wanted = reference(hr, "foreground")
        unmeasured = _unmeasured(told)[wanted.box[0]]
        tissue = _tissue(wanted.hr)
        for method in methods:
            sr = method.compute(lr, told, case.pixel)
            pair = wanted.pair(sr)
            mask = np.broadcast_to(unmeasured[:, None, None], pair.hr.shape)
            if pair.mask is not None:
                mask = mask & pair.mask
            residual = multiply_axes(sr, [told.matrix(), None, None]) - lr
            patches = scan_rings(pair.sr, pair.hr, modality) if can_be_scanned(pair.hr.shape) else []
            yield SliceScore(
                file=name,
                modality=modality,
                plane=scan.plane,
                spacing=scan.spacing,
                gap=scan.gap,
                method=method.name,
                psnr=psnr(pair.sr, pair.hr, pair.data_range, mask),
                ssim=ssim(pair.sr, pair.hr, pair.data_range, mask),
                lpips=None if lpips is None else through_plane_lpips(lpips, sr, hr),
                cutoff=axis_cutoff(pair.sr, pair.hr, told.hr_spacing),
                residual=100 * float(np.sqrt(np.mean(np.square(residual, dtype=np.float64)))) / pair.data_range,
                pixel_ratio=max(case.pixels) / min(case.pixels),
                ring_patches=len(patches),
                ring_boxes=len(suspicious(patches, (told.spacing / told.hr_spacing,))),
                tissue_dice=tissue.agreement(pair.sr)["tissue_dice"] if tissue else None,
            )


def _tissue(hr: np.ndarray) -> HrTissue | None:
    try:
        return HrTissue(hr)
    except VolumeError:
        return None


def through_plane_lpips(lpips: Lpips, sr: np.ndarray, hr: np.ndarray) -> float | None:
    """Return the mean LPIPS of the two views that show the slice axis D; None where both are too small."""
    scores = lpips.score(sr, hr)
    views = [value for value in (scores.coronal, scores.sagittal) if value is not None]  # across H and across W
    return sum(views) / len(views) if views else None


def axis_cutoff(sr: np.ndarray, hr: np.ndarray, spacing: float) -> float:
    """Return up to which frequency along D two volumes agree: where their correlation first falls below one half.

    The Fourier correlation of Harauz and van Heel (1986), of the spectra along D alone, over all lines.

    Args:
        sr: (D, H, W).
        hr: the same shape.
        spacing: along D, mm.

    Returns:
        Cycles/mm; the Nyquist frequency where they agree to the end.
    """
    window = np.hanning(len(hr) + 2)[1:-1, None, None]
    first, second = (np.fft.rfft((part - part.mean(0)) * window, axis=0) for part in (sr, hr))
    common = (first * second.conj()).real.sum((1, 2))
    energy = np.sqrt(np.square(np.abs(first)).sum((1, 2)) * np.square(np.abs(second)).sum((1, 2)))
    correlation = np.divide(common, energy, out=np.zeros_like(common), where=energy > 0)
    frequency = np.fft.rfftfreq(len(hr), spacing)
    below = np.flatnonzero(correlation[1:] < THRESHOLD) + 1
    return float(frequency[below[0]] if len(below) else frequency[-1])


def _unmeasured(profile: SliceProfile) -> np.ndarray:
    """Tell which HR voxels, (D,) bool, hold no slice's centre."""
    holds = np.zeros(profile.hr_size, bool)
    holds[np.clip((np.array(profile.centres) / profile.hr_spacing).astype(int), 0, profile.hr_size - 1)] = True
    return ~holds
