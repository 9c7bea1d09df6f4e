"""Frechet and kernel distance: against the definition, against torch-fidelity, and independent of the order."""

import time

import numpy as np
import pytest
from scipy import linalg

from SuperResolution3DLib.errors import VolumeError
from Training.evaluation import frechet
from Training.evaluation.frechet import FeatureStatistics, frechet_distance, kernel_distance


def rows(count: int, num_features: int, seed: int) -> np.ndarray:
    """Return correlated features (count, num_features) float32 that are nowhere below 0, as after a ReLU."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((num_features, num_features)) / np.sqrt(num_features)
    values = random.standard_normal((count, num_features)) * (1 + 0.2 * seed) @ mixing + 0.3 * seed
    return np.maximum(values, 0).astype(np.float32)


def statistics(features: np.ndarray, *, batch: int | None = None) -> FeatureStatistics:
    found = FeatureStatistics(features.shape[1])
    ranks = np.random.default_rng(0).random(len(features))
    for start in range(0, len(features), batch or len(features)):
        part = slice(start, start + (batch or len(features)))
        found.add(features[part], ranks[part])
    return found


def by_definition(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Frechet distance with the matrix square root of the product of the covariances."""
    means = [features.astype(np.float64).mean(axis=0) for features in (first, second)]
    covariances = [np.cov(features.astype(np.float64), rowvar=False) for features in (first, second)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root))


@pytest.mark.parametrize("batch", [None, 7, 1])
def test_frechet_distance_equals_the_definition_with_more_slices_than_features(batch) -> None:
    first, second = rows(150, 12, 1), rows(110, 12, 2)
    found = frechet_distance(statistics(first, batch=batch), statistics(second, batch=batch))
    assert found == pytest.approx(by_definition(first, second), rel=1e-8)


def test_frechet_distance_with_fewer_slices_than_features_is_exact() -> None:
    first, second = rows(20, 60, 1), rows(25, 60, 2)
    # The product's eigenvalues that are not zero, from the small Gram matrix: another road than the singular values.
    one, other = ((f - f.mean(axis=0, dtype=float)) / np.sqrt(len(f) - 1) for f in (first, second))
    eigenvalues = np.linalg.eigvals(one.T @ one @ other.T @ other)
    difference = first.mean(axis=0, dtype=float) - second.mean(axis=0, dtype=float)
    wanted = difference @ difference + (one**2).sum() + (other**2).sum()
    wanted -= 2 * np.sqrt(np.maximum(eigenvalues.real, 0)).sum()
    assert frechet_distance(statistics(first), statistics(second)) == pytest.approx(wanted, rel=1e-5)


def test_the_singular_values_are_those_of_a_matrix_no_larger_than_features_squared(monkeypatch) -> None:
    first, second = statistics(rows(20, 12, 1)), statistics(rows(22, 12, 2))  # fewer than twice the features
    shapes = []
    svd = np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda matrix, **how: (shapes.append(matrix.shape), svd(matrix, **how))[1])
    assert frechet_distance(first, second) == pytest.approx(by_definition(rows(20, 12, 1), rows(22, 12, 2)), rel=1e-8)
    assert shapes == [(12, 12)]


def test_frechet_distance_of_two_gaussians_is_known() -> None:
    # Two points a side: mean 0 and variance 2 a^2; here of standard deviations sqrt(2) and 3 sqrt(2), means 5 apart.
    first = np.array([[-1.0, 0.0], [1.0, 0.0]])
    second = np.array([[-3.0, 5.0], [3.0, 5.0]])
    assert frechet_distance(statistics(first), statistics(second)) == pytest.approx(25 + (3 - 1) ** 2 * 2)


@pytest.mark.parametrize(("count", "num_features"), [(30, 8), (10, 40)])
def test_equal_sets_have_no_distance(count: int, num_features: int) -> None:
    features = rows(count, num_features, 1)
    same, turned = statistics(features), statistics(features[::-1], batch=3)
    assert frechet_distance(same, turned) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_agrees_with_torch_fidelity() -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    torch = pytest.importorskip("torch")
    first, second = rows(150, 12, 1), rows(110, 12, 2)
    given = [fid.fid_features_to_statistics(torch.from_numpy(features)) for features in (first, second)]
    wanted = fid.fid_statistics_to_metric(*given, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(statistics(first), statistics(second)) == pytest.approx(wanted, rel=1e-6)


def test_kernel_distance_agrees_with_torch_fidelity_over_one_subset_of_everything() -> None:
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    torch = pytest.importorskip("torch")
    first, second = (torch.from_numpy(rows(60, 12, seed)) for seed in (1, 2))
    options = {"kid_subsets": 1, "kid_subset_size": 60, "verbose": False, "rng_seed": 1}
    options |= {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None}
    wanted = kid.kid_features_to_metric(first, second, kid_kernel_poly_coef0=1, **options)
    found = kernel_distance(statistics(first.numpy()), statistics(second.numpy()))
    assert found == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-4)


def test_kernel_distance_of_two_halves_of_one_set_is_about_zero() -> None:
    features = rows(2000, 10, 1)
    halves = kernel_distance(statistics(features[::2]), statistics(features[1::2]))
    assert abs(halves) < 0.02 * kernel_distance(statistics(features), statistics(rows(2000, 10, 2)))


def test_merged_statistics_equal_those_of_all_slices() -> None:
    features = rows(90, 20, 3)
    ranks = np.random.default_rng(1).random(90)
    whole, first, second = (FeatureStatistics(20) for _ in range(3))
    whole.add(features, ranks)
    first.add(features[:25], ranks[:25])
    second.add(features[25:], ranks[25:])
    second.merge(first)
    second.merge(FeatureStatistics(20))  # of nothing
    assert second.count == 90
    assert second.mean == pytest.approx(whole.mean)
    assert second.root.T @ second.root == pytest.approx(whole.root.T @ whole.root)
    assert (second.kept == whole.kept).all()


def test_memory_does_not_grow_with_the_number_of_slices(monkeypatch) -> None:
    monkeypatch.setattr(frechet, "KERNEL_SLICES", 32)
    found = FeatureStatistics(8)
    for seed in range(40):
        found.add(rows(25, 8, seed), np.random.default_rng(seed).random(25))
        assert len(found.root) <= 16 + 1 + 25
        assert len(found.kept) == min(32, 25 * (seed + 1))
    assert found.count == 1000


def test_the_kept_slices_are_those_of_the_lowest_ranks(monkeypatch) -> None:
    monkeypatch.setattr(frechet, "KERNEL_SLICES", 3)
    found = FeatureStatistics(1)
    found.add(np.array([[1.0], [2.0], [3.0]]), np.array([0.9, 0.1, 0.5]))
    found.add(np.array([[4.0], [5.0]]), np.array([0.3, 0.95]))
    assert found.kept.ravel().tolist() == [2, 4, 3]


def test_few_slices_of_many_features_take_no_time() -> None:
    first, second = (statistics(np.random.default_rng(seed).random((100, 2048), np.float32)) for seed in (1, 2))
    start = time.process_time()
    frechet_distance(first, second)
    assert time.process_time() - start < 1  # the root of a 2048^2 matrix takes fifteen times as long


def test_what_makes_no_set_is_refused() -> None:
    one, two = statistics(rows(1, 4, 1)), statistics(rows(2, 4, 1))
    for distance in (frechet_distance, kernel_distance):
        with pytest.raises(VolumeError, match="2 or more in each, got 1 and 2"):
            distance(one, two)
    with pytest.raises(ValueError, match=r"shape \(2, 3\) and ranks \(2,\), wanted \(N, 4\)"):
        one.add(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(VolumeError, match="1 of 8 features are not finite"):
        one.add(np.array([[np.nan, 0, 0, 0], [0, 0, 0, 0]]), np.zeros(2))
