"""Frechet distance and kernel distance between the slices of all SR and of all HR volumes, one volume after another.

FID is the Frechet distance of Inception's features (Heusel et al. 2017), KID their kernel distance (Binkowski et al.
2018). What is kept does not grow with the number of volumes, and nothing is lost by it:

    covariance   C = A^T A / (n - 1), A the centred features (n, F), or the triangle R (F, F) with R^T R = A^T A
    Frechet      |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)
    its root     the eigenvalues of C1 C2 are the squared singular values of A1 A2^T / (n - 1), so that the trace is
                 the sum of the singular values (the nuclear norm), exact also with fewer slices than features
"""

from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.errors import VolumeError

KERNEL_SLICES = 4096  # slices that the kernel distance keeps at most


@dataclass(frozen=True)
class SliceFeatures:
    """A network's features of the same slices of an SR and its HR."""

    frechet: str
    """what their Frechet distance is called"""
    kernel: str | None
    """what their kernel distance is called; None: it is not wanted"""
    sr: np.ndarray
    """(N, F)"""
    hr: np.ndarray
    """(N, F)"""
    doubt: str | None = None
    """why no table may be made of them: what the network's weights are, if not the original ones"""


class FeatureStatistics:
    """Mean and covariance of features, and a random part of them."""

    def __init__(self, num_features: int) -> None:
        self.count = 0
        self.mean = np.zeros(num_features)
        self.root = np.zeros((0, num_features))
        """(rows, F): root^T root is the sum of the centred features' outer products"""
        self.kept = np.zeros((0, num_features), np.float32)
        """(at most 4096, F), those of the lowest ranks"""
        self.ranks = np.zeros(0)

    def add(self, features: np.ndarray, ranks: np.ndarray) -> None:
        """Take in the features of some slices.

        Args:
            features: (N, F).
            ranks: (N,) random numbers; the slices of the lowest ones are kept. The same for SR and HR.

        Raises:
            ValueError: shapes that do not fit.
            VolumeError: features that are not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean) or ranks.shape != features.shape[:1]:
            raise ValueError(
                f"Features have shape {features.shape} and ranks {ranks.shape}, wanted (N, {len(self.mean)}) and (N,)"
            )
        if not np.isfinite(features).all():
            raise VolumeError(f"{np.count_nonzero(~np.isfinite(features))} of {features.size} features are not finite")
        if len(features):
            mean = features.mean(axis=0, dtype=np.float64)
            self._merge(len(features), mean, features - mean, features.astype(np.float32), ranks)

    def merge(self, other: "FeatureStatistics") -> None:
        """Take in what other statistics have seen, such as another fold's."""
        if other.count:
            self._merge(other.count, other.mean, other.root, other.kept, other.ranks)

    def _merge(self, count: int, mean: np.ndarray, root: np.ndarray, kept: np.ndarray, ranks: np.ndarray) -> None:
        total = self.count + count
        between = np.sqrt(self.count * count / total) * (mean - self.mean)  # Chan, Golub and LeVeque 1983
        self.root = np.concatenate([self.root, root, between[None]])
        if len(self.root) > 2 * len(self.mean):
            self.root = _triangle(self.root)
        self.mean = self.mean + count / total * (mean - self.mean)
        self.count = total
        lowest = np.argsort(np.concatenate([self.ranks, ranks]), kind="stable")[:KERNEL_SLICES]
        self.ranks = np.concatenate([self.ranks, ranks])[lowest]
        self.kept = np.concatenate([self.kept, kept])[lowest]


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Return the Frechet distance of two Gaussians with the statistics' means and sample covariances.

    Raises:
        VolumeError: fewer than 2 slices on a side.
    """
    _check(first, second)
    one, other = (_triangle(statistics.root) / np.sqrt(statistics.count - 1) for statistics in (first, second))
    traces = np.vdot(one, one) + np.vdot(other, other)
    root_trace = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    difference = first.mean - second.mean
    return max(0.0, float(difference @ difference + traces - 2 * root_trace))  # rounding may leave it below 0


def kernel_distance(first: FeatureStatistics, second: FeatureStatistics) -> float:
    """Return the unbiased squared maximum mean discrepancy under the kernel (x y / F + 1)^3, from the kept slices.

    It is what the mean over random subsets in other implementations converges to, and may fall below 0.

    Raises:
        VolumeError: fewer than 2 slices on a side.
    """
    _check(first, second)
    one, other = first.kept.astype(np.float64), second.kept.astype(np.float64)
    return _mean_kernel(one) + _mean_kernel(other) - 2 * float(_kernel(one, other).mean())


def _triangle(root: np.ndarray) -> np.ndarray:
    """Return at most F rows (rows, F) with the same root^T root, and so with the same singular values of products."""
    return np.asarray(np.linalg.qr(root, mode="r")) if len(root) > root.shape[1] else root


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one @ other.T / one.shape[1] + 1) ** 3


def _mean_kernel(rows: np.ndarray) -> float:
    """Return the mean over all pairs of different slices."""
    kernel, count = _kernel(rows, rows), len(rows)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def _check(first: FeatureStatistics, second: FeatureStatistics) -> None:
    if min(first.count, second.count) < 2:
        raise VolumeError(
            f"A distance between sets of slices needs 2 or more in each, got {first.count} and {second.count}"
        )
