"""Fourier shell correlation of an SR volume with its HR: up to which spatial frequency the SR can be trusted.

The correlation of both spectra over shells of equal |k| (Harauz and van Heel 1986), in cycles/mm, so that voxels of any
shape count as they lie in space. 1: the detail of that size is the HR's; 0: it has nothing to do with it. Both volumes
are tapered towards the border after their means were taken off: the jump from one border to the opposite one, which
the Fourier transform sees, is common to SR and HR and would pass for agreement at all frequencies.
"""

from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.metrics.evaluation_protocols import check_pair

THRESHOLDS = (0.5, 0.143)  # half; van Heel and Schatz 2005 discuss, Rosenthal and Henderson 2003 derive 0.143
TAPER_SHARE = 0.1  # of an axis, at either end


@dataclass(frozen=True)
class ShellCorrelation:
    """The correlation in each shell, from the lowest frequency upwards."""

    frequency: np.ndarray
    """(S,) cycles/mm, the middle of each shell"""
    correlation: np.ndarray
    """(S,) -1 to 1; 0 where either volume has no energy"""
    num_coefficients: np.ndarray
    """(S,) Fourier coefficients that were compared"""

    def cutoff(self, threshold: float) -> float | None:
        """Return the frequency (cycles/mm) where the correlation first falls below a threshold; None: it never does.

        It is interpolated between shells; at frequency 0 the correlation is 1.

        Raises:
            ValueError: a threshold outside (0, 1).
        """
        if not 0 < threshold < 1:
            raise ValueError(f"A threshold lies between 0 and 1, got {threshold}")
        below = np.flatnonzero(self.correlation < threshold)
        if not len(below):
            return None
        frequency, correlation = np.append(0.0, self.frequency), np.append(1.0, self.correlation)
        before, after = int(below[0]), int(below[0]) + 1
        share = (correlation[before] - threshold) / (correlation[before] - correlation[after])
        return float(frequency[before] + share * (frequency[after] - frequency[before]))


def shell_correlation(sr: np.ndarray, hr: np.ndarray, spacing: tuple[float, float, float]) -> ShellCorrelation:
    """Correlate the spectra of an SR and its HR shell by shell, up to the highest Nyquist frequency of an axis.

    Shells are as wide as the coarsest step of k along an axis.

    Args:
        sr: (D, H, W), canonical, on the HR's grid.
        hr: (D, H, W), canonical.
        spacing: of the HR, mm (D, H, W).

    Raises:
        GeometryError: the shapes differ.
        VolumeError: voxels that are not finite, or a constant HR.
        ValueError: a spacing that is not above 0.
    """
    if not all(0 < step < np.inf for step in spacing):
        raise ValueError(f"A spacing is above 0 mm, got {spacing}")
    check_pair(sr, hr)
    axes = [np.fft.fftfreq(size, step) for size, step in zip(hr.shape, spacing, strict=True)]
    axes[2] = np.fft.rfftfreq(hr.shape[2], spacing[2])
    width = max(1 / (size * step) for size, step in zip(hr.shape, spacing, strict=True))
    # Whole shells up to the Nyquist frequency, and that of frequency 0; 0.5 / 0.125 must not depend on the last bit.
    count = int(0.5 / min(spacing) / width + 1e-9) + 1
    weight = np.full(len(axes[2]), 2.0)  # of a coefficient and its mirror image, which rfftn leaves out
    weight[0] = 1
    if hr.shape[2] % 2 == 0:
        weight[-1] = 1

    sr_spectrum, hr_spectrum = _spectrum(sr), _spectrum(hr)
    in_plane = axes[1][:, None] ** 2 + axes[2][None, :] ** 2  # (H, W / 2 + 1)
    weights = np.broadcast_to(weight, in_plane.shape)
    sums = np.zeros((4, count))  # cross energy, SR's energy, HR's energy, coefficients
    for plane, along_depth in enumerate(axes[0]):
        shell = np.minimum(np.rint(np.sqrt(in_plane + along_depth**2) / width - 1e-9).astype(np.intp), count)
        first, second = sr_spectrum[plane], hr_spectrum[plane]
        terms = (
            first.real * second.real + first.imag * second.imag,
            first.real**2 + first.imag**2,
            second.real**2 + second.imag**2,
            1.0,
        )
        for row, term in zip(sums, terms, strict=True):
            row += np.bincount(shell.ravel(), (weights * term).ravel(), count + 1)[:count]  # the last: the corners
    cross, sr_energy, hr_energy, coefficients = sums[:, 1:]
    energy = np.sqrt(sr_energy * hr_energy)
    correlation = np.divide(cross, energy, out=np.zeros_like(cross), where=energy > 0)
    return ShellCorrelation(width * np.arange(1, count), correlation, coefficients.astype(np.int64))


def describe() -> str:
    """Return the line that stands above or below every table of these figures."""
    return (
        "Fourier shell correlation of SR with HR: whole volume, means removed, border tapered (10 % of each axis at "
        "either end); cut-off = frequency in cycles/mm where it first falls below 0.5 or 0.143"
    )


def _spectrum(volume: np.ndarray) -> np.ndarray:
    """Return the tapered volume's Fourier transform (D, H, W / 2 + 1)."""
    tapered = volume.astype(np.float64)
    tapered -= tapered.mean()
    for axis, size in enumerate(volume.shape):
        shape = [1, 1, 1]
        shape[axis] = size
        tapered *= _taper(size).reshape(shape)
    return np.fft.rfftn(tapered)


def _taper(size: int) -> np.ndarray:
    """Return weights that rise from near 0 to 1 as a cosine over a share of an axis, and fall again."""
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5  # voxels from the border
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(distance / max(TAPER_SHARE * size, 0.5), 1))
