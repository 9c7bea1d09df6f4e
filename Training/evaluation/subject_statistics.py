"""What can be said of methods from a few subjects: means, spread, and paired tests over the means of each subject.

A subject with several volumes counts once. Wilcoxon's signed-rank test, two-sided, of each method against one
reference; Holm's correction over the methods of one metric and data set. With fewer than 6 subjects no result of the
test can fall below 0.05 (the smallest is 2 / 2^n), so there is no p-value then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from Training.evaluation.results import VolumeResult

FEWEST_SUBJECTS = 6  # for a test


@dataclass(frozen=True)
class Summary:
    """One metric of one method on one data set."""

    dataset: str
    method: str
    metric: str
    mean: float
    """over subjects"""
    sd: float | None
    """sample standard deviation over subjects; None for one subject, or where a value is infinite"""
    num_subjects: int
    num_volumes: int


@dataclass(frozen=True)
class Comparison:
    """One method against the reference in one metric on one data set."""

    dataset: str
    method: str
    reference: str
    metric: str
    difference: float
    """mean over subjects of method - reference"""
    num_subjects: int
    """that both have"""
    p: float | None
    """of the test alone; None: too few subjects"""
    p_holm: float | None = None
    """corrected for the number of methods"""

    @property
    def verdict(self) -> str:
        """The p-value as it is printed."""
        if self.p_holm is None:
            return f"n < {FEWEST_SUBJECTS}" if self.num_subjects < FEWEST_SUBJECTS else "-"
        return "p < 0.001" if self.p_holm < 0.001 else f"p = {self.p_holm:.3f}"


def subject_means(results: Iterable[VolumeResult], metric: str) -> dict[str, float]:
    """Return the mean over the volumes of each subject; those without the metric are left out.

    Args:
        results: of one method on one data set.
        metric: name of the figure.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if metric in result.metrics:
            values[result.subject].append(result.metrics[metric])
    return {subject: float(np.mean(values[subject])) for subject in sorted(values)}


def summarise(results: Sequence[VolumeResult], metric: str) -> list[Summary]:
    """Return mean and spread of a metric for each method, data set by data set, in the order in which they come."""
    summaries = []
    for (dataset, method), own in _grouped(results).items():
        means = list(subject_means(own, metric).values())
        if means:
            spread = len(means) > 1 and bool(np.isfinite(means).all())
            sd = float(np.std(means, ddof=1)) if spread else None
            count = sum(metric in result.metrics for result in own)
            summaries.append(Summary(dataset, method, metric, float(np.mean(means)), sd, len(means), count))
    return summaries


def compare(results: Sequence[VolumeResult], metric: str, reference: str) -> list[Comparison]:
    """Compare each method with the reference, data set by data set, over the subjects that both have.

    Raises:
        ValueError: the reference is none of the methods.
    """
    groups = _grouped(results)
    if reference not in {method for _, method in groups}:
        raise ValueError(f"The reference {reference!r} is none of {', '.join(sorted({m for _, m in groups}))}")
    comparisons = []
    for dataset in dict.fromkeys(dataset for dataset, _ in groups):
        base = subject_means(groups.get((dataset, reference), []), metric)
        own = []
        for (where, method), theirs in groups.items():
            means = subject_means(theirs, metric)
            common = sorted(base.keys() & means.keys())
            if where == dataset and method != reference and common:
                differences = np.array([_difference(means[subject], base[subject]) for subject in common])
                p = signed_rank_p(differences)
                own.append(Comparison(dataset, method, reference, metric, float(differences.mean()), len(common), p))
        corrected = holm([comparison.p for comparison in own if comparison.p is not None])
        comparisons += [
            comparison if comparison.p is None else replace(comparison, p_holm=corrected.pop(0)) for comparison in own
        ]
    return comparisons


def signed_rank_p(differences: np.ndarray) -> float | None:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; None with too few subjects or infinite values.

    Args:
        differences: (subjects,).
    """
    if len(differences) < FEWEST_SUBJECTS or not np.isfinite(differences).all():
        return None
    if not differences.any():
        return 1.0  # scipy gives NaN
    return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down method (1979), in the same order."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _difference(value: float, base: float) -> float:
    return 0.0 if value == base else value - base  # infinite PSNR on both sides is no difference


def _grouped(results: Sequence[VolumeResult]) -> dict[tuple[str, str], list[VolumeResult]]:
    groups: dict[tuple[str, str], list[VolumeResult]] = defaultdict(list)
    for result in results:
        groups[result.dataset, result.method].append(result)
    return groups
