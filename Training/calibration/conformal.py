"""From errors to a mask: how signals are weighed, and from which caution on a voxel is marked.

The threshold comes from conformal risk control (Angelopoulos, Bates, Fisch, Lei and Schuster 2024, theorem 1): the risk
is the share of the voxels outside the mask whose error exceeds the bound, and never counts as more than ``CAP``: what a
single unknown volume can do at worst decides how many volumes it takes. If the next volume is drawn like the n that
were measured, its risk is at most alpha on average over such draws. Nothing is said of a single volume, and nothing of
volumes unlike those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.optimize import nnls

from SuperResolution3DLib.errors import InputError

CAP = 0.3  # a volume with more such voxels counts as if it had so many
USELESS = 0.98  # of the subject: a mask that marks more says nothing
STEPS = 1000  # thresholds that are tried
ERROR_FLOOR = 1e-2  # of the intensity range: below it, an error's logarithm is of no interest


@dataclass(frozen=True)
class Threshold:
    """From which caution on a voxel is marked, and what that came to on the volumes of the calibration."""

    caution: float
    risk: float
    """mean share of the voxels outside the mask that are off by more than the bound, capped for each volume"""
    mask_share: float
    """mean share of the subject's voxels that are marked"""


def fit_caution(signals: np.ndarray, errors: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """Return factor and exponents by which the product of the signals predicts the errors best, in logarithms.

    Args:
        signals: (N, S) above 0.
        errors: (N,) 0 or more.

    Returns:
        A factor above 0, and S exponents of which none is negative: a stronger signal never makes less caution.
    """
    logarithms = np.log(signals.astype(np.float64))
    ones = np.ones((len(signals), 1))
    solution, _ = nnls(np.hstack([logarithms, ones, -ones]), np.log(errors.astype(np.float64) + ERROR_FLOOR))
    *exponents, up, down = (float(value) for value in solution)
    return float(np.exp(up - down)), tuple(exponents)


def weighed(signals: np.ndarray, factor: float, exponents: Sequence[float]) -> np.ndarray:
    """Return the caution (N,) of signals (N, S)."""
    return factor * np.exp(np.log(signals) @ np.asarray(exponents))


def outside_risk(caution: np.ndarray, exceeds: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each threshold (T,) the risk of one volume, and the share of its voxels that are marked.

    Args:
        caution: (N,) of the voxels.
        exceeds: (N,) bool, their error is larger than the bound.
        thresholds: (T,) increasing; a voxel of that caution or more is marked.

    Returns:
        Two arrays (T,); where all is marked the risk is 0.
    """
    order = np.argsort(caution)
    missed = np.concatenate([[0], np.cumsum(exceeds[order])])
    outside = np.searchsorted(caution[order], thresholds, side="left")
    return missed[outside] / np.maximum(outside, 1), 1 - outside / len(caution)


def check_count(count: int, alpha: float) -> None:
    """Refuse a number of volumes that is too small for any threshold.

    Raises:
        InputError: it is.
    """
    least = ceil(1 / alpha - 1 - 1e-9)
    if count < least:
        raise InputError(
            f"A trust mask at alpha {alpha:g} needs at least {least} volumes that no model was trained on; there are "
            f"{count}: hold back more, or omit --companion"
        )


def conformal_threshold(
    cautions: Sequence[np.ndarray], errors: Sequence[np.ndarray], bound: float, alpha: float
) -> Threshold:
    """Return the highest threshold whose risk is controlled.

    Args:
        cautions: (N,) of each volume's voxels.
        errors: (N,) of each volume's voxels.
        bound: error that is too large.
        alpha: risk that is allowed, in (0, 1).

    Raises:
        InputError: fewer volumes than any threshold needs, or none that is controlled but one that marks everything.
    """
    count = len(cautions)
    check_count(count, alpha)
    pooled = np.concatenate(cautions)
    thresholds = np.unique(np.append(np.quantile(pooled, np.linspace(0, 1, STEPS)), np.nextafter(pooled.max(), np.inf)))
    pairs = [outside_risk(c, e > bound, thresholds) for c, e in zip(cautions, errors, strict=True)]
    risks = np.mean([np.minimum(risk, CAP) for risk, _ in pairs], axis=0)
    shares = np.mean([share for _, share in pairs], axis=0)
    # The theorem wants a risk that falls as more is marked; the largest one of any lower threshold does.
    largest = np.maximum.accumulate(risks)
    controlled = np.flatnonzero((count * largest + CAP) / (count + 1) <= alpha + 1e-12)
    if not len(controlled) or shares[controlled[-1]] > USELESS:
        raise InputError(
            f"No threshold keeps the voxels that are off by more than {bound:.0%} below {alpha:.0%} outside the mask "
            f"with {count} volumes: allow a larger --bound, or hold back more volumes"
        )
    best = int(controlled[-1])
    return Threshold(float(thresholds[best]), float(risks[best]), float(shares[best]))
