"""Means over subjects and paired tests, against values worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from Training.evaluation.results import VolumeResult
from Training.evaluation.subject_statistics import compare, holm, signed_rank_p, subject_means, summarise

PSNR = "paper/psnr"


def results(method: str, values: list[float], dataset: str = "brains") -> list[VolumeResult]:
    return [VolumeResult(dataset, f"s{i}", f"{i}.nii", method, {PSNR: value}) for i, value in enumerate(values)]


def test_a_subject_with_several_volumes_counts_once() -> None:
    volumes = [
        VolumeResult("brains", subject, f"{number}.nii", "m", {PSNR: value})
        for number, (subject, value) in enumerate([("a", 20.0), ("a", 30.0), ("b", 35.0)])
    ]
    assert subject_means(volumes, PSNR) == {"a": 25.0, "b": 35.0}
    (summary,) = summarise(volumes, PSNR)
    assert (summary.mean, summary.num_subjects, summary.num_volumes) == (30.0, 2, 3)
    assert summary.sd == pytest.approx(math.sqrt(50))  # of 25 and 35, with n - 1


def test_one_subject_has_no_spread_and_a_metric_that_nobody_has_no_summary() -> None:
    (summary,) = summarise(results("m", [20.0]), PSNR)
    assert (summary.mean, summary.sd) == (20.0, None)
    assert summarise(results("m", [20.0]), "paper/lpips") == []


def test_an_infinite_value_leaves_no_spread_and_no_test() -> None:
    (summary,) = summarise(results("m", [math.inf, 20.0]), PSNR)
    assert (summary.mean, summary.sd) == (math.inf, None)
    perfect, same = results("perfect", [math.inf] * 6), results("same", [math.inf] * 6)
    (comparison,) = compare([*perfect, *results("m", [20.0] * 6)], PSNR, "perfect")
    assert (comparison.difference, comparison.p, comparison.verdict) == (-math.inf, None, "-")
    (comparison,) = compare([*perfect, *same], PSNR, "perfect")
    assert (comparison.difference, comparison.p) == (0.0, 1.0)


def test_below_six_subjects_there_is_a_difference_and_no_p_value() -> None:
    (comparison,) = compare([*results("a", [21.0] * 5), *results("b", [20.0] * 5)], PSNR, "b")
    assert (comparison.difference, comparison.num_subjects, comparison.p) == (1.0, 5, None)
    assert comparison.verdict == "n < 6"


def test_six_subjects_that_agree_reach_the_smallest_possible_p_value() -> None:
    differences = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert signed_rank_p(differences) == pytest.approx(2 / 2**6)
    assert signed_rank_p(-differences) == pytest.approx(2 / 2**6)
    assert signed_rank_p(np.zeros(6)) == 1.0
    mixed = np.array([0.3, -0.1, 0.8, -0.5, 0.9, 0.2, 0.7, -0.4])
    # By hand: of the ranks 3, 1, 7, 5, 8, 2, 6, 4 the negative ones sum to 1 + 5 + 4 = 10.
    smaller = sum(sum(rank for bit, rank in enumerate(range(1, 9)) if signs >> bit & 1) <= 10 for signs in range(2**8))
    assert signed_rank_p(mixed) == pytest.approx(2 * smaller / 2**8)


def test_holm_steps_down_and_never_decreases() -> None:
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, then 0.04 * 1 raised to the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_methods_are_corrected_within_one_data_set_and_paired_by_subject() -> None:
    random = np.random.default_rng(0)
    base = random.normal(30, 5, 8)  # subjects differ far more than methods do
    values = {"a": base + random.normal(0.5, 0.3, 8), "b": base + random.normal(0.2, 0.3, 8), "base": base}
    one = [result for name, own in values.items() for result in results(name, list(own))]
    other = [*results("a", [1.0] * 3, "livers"), *results("base", [2.0] * 3, "livers")]
    found = compare([*one, *other], PSNR, "base")
    assert [(c.dataset, c.method) for c in found] == [("brains", "a"), ("brains", "b"), ("livers", "a")]
    p_values = [float(stats.wilcoxon(values[name], base).pvalue) for name in ("a", "b")]
    assert [c.p for c in found[:2]] == pytest.approx(p_values)
    small, large = sorted(p_values)
    corrected = {small: 2 * small, large: max(2 * small, large)}  # of two methods, not of three
    assert [c.p_holm for c in found[:2]] == pytest.approx([corrected[p] for p in p_values])
    assert found[2].verdict == "n < 6"


def test_only_subjects_that_both_methods_have_are_compared() -> None:
    volumes = [*results("a", [1.0, 2.0, 3.0]), *results("base", [0.0, 0.0])]
    (comparison,) = compare(volumes, PSNR, "base")
    assert (comparison.difference, comparison.num_subjects) == (1.5, 2)


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="'z' is none of a"):
        compare(results("a", [1.0]), PSNR, "z")
