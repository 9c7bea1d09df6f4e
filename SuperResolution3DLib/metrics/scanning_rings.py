"""Where in a volume the detail is not the HR's: Fourier ring correlation of small patches, scanned over slices.

The correlation of both spectra over rings of equal |k| (Saxton and Baumeister 1982), scanned over patches as in sFRC
(Kc et al., DIDSR), each patch under a Hann window so that its borders do not count as detail. The frequency where it
first falls below a threshold tells up to which detail the patch can be trusted; where that lies clearly below the LR's
Nyquist frequency, even what was measured has come out as something else: lost, moved or invented.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.metrics.evaluation_protocols import check_pair
from SuperResolution3DLib.metrics.foreground import otsu_threshold

EDGE = 48  # voxels
STEP = EDGE // 2  # between patches, and between slices
THRESHOLDS = {"CT": 0.5, "MR": 0.75}
LOWEST = 0.8  # of the LR's Nyquist frequency: a patch whose detail ends below it is one to look at
SUBJECT = 0.5  # of a patch, at least, shows the subject
VIEWS = ("axial", "coronal", "sagittal")  # slices along D, H, W


@dataclass(frozen=True)
class RingPatch:
    """One patch of a slice."""

    view: str
    number: int
    """of the slice, along the view's axis"""
    corner: tuple[int, int]
    """first voxel along the slice's two axes, in the order (D, H, W)"""
    crossing: float
    """where the correlation first falls below the threshold, as a share of the grid's Nyquist frequency; 1: nowhere"""


def scan_rings(sr: np.ndarray, hr: np.ndarray, modality: str = "MR") -> list[RingPatch]:
    """Correlate all patches that show the subject, in every 24th slice of each view.

    Args:
        sr: (D, H, W), canonical, on the HR's grid.
        hr: (D, H, W), canonical.
        modality: one that begins with CT has another threshold.

    Raises:
        GeometryError: the shapes differ.
        VolumeError: voxels that are not finite, a constant HR, or fewer than 48 voxels along two axes.
    """
    check_pair(sr, hr)
    if not can_be_scanned(hr.shape):
        raise VolumeError(
            f"Patches take {EDGE} voxels along two axes, the volume has {hr.shape} (head-foot, front-back, left-right)"
        )
    threshold, subject = ring_threshold(modality), hr > otsu_threshold(hr)
    return [patch for axis in range(3) for patch in _scan_view(sr, hr, subject, axis, threshold)]


def can_be_scanned(shape: tuple[int, ...]) -> bool:
    """Tell whether a volume (D, H, W) has slices that hold a patch."""
    return sorted(shape)[1] >= EDGE


def suspicious(patches: list[RingPatch], scale: Sequence[float]) -> list[RingPatch]:
    """Return the patches whose detail ends clearly below the LR's Nyquist frequency; scale: HR voxels per LR voxel."""
    return [patch for patch in patches if patch.crossing < LOWEST / max(scale)]


def ring_threshold(modality: str) -> float:
    """Return the correlation below which detail counts as another one's."""
    return THRESHOLDS["CT" if modality.startswith("CT") else "MR"]


def describe() -> str:
    """Return the line that stands with these figures."""
    return (
        f"Scanning Fourier ring correlation: Hann-windowed patches of {EDGE}^2 voxels, half overlapping, every "
        f"{STEP}th slice of three views, at least half subject; crossing = first frequency where it falls below "
        f"{THRESHOLDS['MR']:g} (CT: {THRESHOLDS['CT']:g}), as a share of the HR's Nyquist frequency; a box marks a "
        f"patch whose crossing lies below {LOWEST:g} of the LR's"
    )


def _scan_view(sr: np.ndarray, hr: np.ndarray, subject: np.ndarray, axis: int, threshold: float) -> Iterator[RingPatch]:
    for number in range(STEP // 2, hr.shape[axis], STEP):
        planes = [np.take(volume, number, axis) for volume in (sr, hr, subject)]
        rows, columns = (range(0, size - EDGE + 1, STEP) for size in planes[1].shape)
        corners = [(row, column) for row in rows for column in columns]
        corners = [at for at in corners if _patch(planes[2], at).mean() >= SUBJECT]
        if corners:
            first, second = (np.stack([_patch(plane, at) for at in corners]) for plane in planes[:2])
            for corner, crossing in zip(corners, ring_crossings(first, second, threshold), strict=True):
                yield RingPatch(VIEWS[axis], number, corner, float(crossing))


def _patch(plane: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    return plane[corner[0] : corner[0] + EDGE, corner[1] : corner[1] + EDGE]


def ring_crossings(sr: np.ndarray, hr: np.ndarray, threshold: float) -> np.ndarray:
    """Return where the ring correlation of square patches (P, E, E) first falls below a threshold.

    Returns:
        (P,) shares of the Nyquist frequency, interpolated between rings; 1 where it never does.
    """
    edge = hr.shape[-1]
    window = np.outer(np.hanning(edge + 2)[1:-1], np.hanning(edge + 2)[1:-1])
    one, other = (
        np.fft.fft2((part - part.mean(axis=(1, 2), keepdims=True)).astype(np.float64) * window) for part in (sr, hr)
    )
    frequency = np.fft.fftfreq(edge) * edge
    ring = np.rint(np.hypot(*np.meshgrid(frequency, frequency, indexing="ij"))).astype(int)
    rings = np.arange(1, edge // 2 + 1)
    in_ring = (ring.ravel() == rings[:, None]).astype(np.float64)  # (R, E * E)

    def summed(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), -1) @ in_ring.T  # (P, R)

    energy = np.sqrt(summed(np.abs(one) ** 2) * summed(np.abs(other) ** 2))
    cross = summed((one * other.conj()).real)
    correlation = np.divide(cross, energy, out=np.zeros_like(cross), where=energy > 0)
    crossings = np.ones(len(correlation))
    for patch, values in enumerate(correlation):
        below = np.flatnonzero(values < threshold)
        if len(below):
            at = int(below[0])
            before = values[at - 1] if at else 1.0
            share = (before - threshold) / (before - values[at])
            crossings[patch] = (at + share) / rings[-1]  # ring ``at`` has the number at + 1; before it lies ring ``at``
    return crossings
