"""The three windows of SSIM, held against scikit-image."""

import numpy as np
import pytest

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.metrics import ssim as module
from SuperResolution3DLib.metrics.ssim import ssim, ssim_slices, ssim_uniform

SHAPE = (23, 31, 27)


@pytest.fixture
def a_pair() -> tuple[np.ndarray, np.ndarray]:
    """Return an SR and its HR (23, 31, 27) float32: a textured box of about 100 in noisy air."""
    random = np.random.default_rng(3)
    hr = np.abs(3 * random.standard_normal(SHAPE))
    hr[4:19, 5:28, 3:22] += 80 + 30 * random.random((15, 23, 19))
    sr = hr + 6 * random.standard_normal(SHAPE)
    return sr.astype(np.float32), hr.astype(np.float32)


def reference(sr: np.ndarray, hr: np.ndarray, data_range: float, **options):
    similarity = pytest.importorskip("skimage.metrics").structural_similarity
    return similarity(hr.astype(np.float64), sr.astype(np.float64), data_range=data_range, **options)


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


@pytest.mark.parametrize("data_range", [100.0, 7.0])
def test_the_gaussian_window_equals_that_of_scikit_image(a_pair, data_range: float) -> None:
    assert ssim(*a_pair, data_range) == pytest.approx(reference(*a_pair, data_range, **GAUSSIAN), abs=1e-9)


@pytest.mark.parametrize("data_range", [100.0, 7.0])
def test_the_uniform_window_equals_the_default_of_scikit_image(a_pair, data_range: float) -> None:
    assert ssim_uniform(*a_pair, data_range) == pytest.approx(reference(*a_pair, data_range), abs=1e-9)


def test_slices_of_each_view_equal_the_mean_of_scikit_image_over_them(a_pair) -> None:
    sr, hr = a_pair
    wanted = [
        np.mean([reference(sr.take(n, axis), hr.take(n, axis), 100, **GAUSSIAN) for n in range(SHAPE[axis])])
        for axis in range(3)
    ]
    assert ssim_slices(sr, hr, 100) == pytest.approx(wanted, abs=1e-9)


def test_every_window_finds_equal_volumes_equal(a_pair) -> None:
    _, hr = a_pair
    assert [ssim(hr, hr, 9), ssim_uniform(hr, hr, 9), *ssim_slices(hr, hr, 9)] == pytest.approx([1] * 5)


def test_a_large_offset_of_float32_volumes_does_not_cost_precision(a_pair) -> None:
    sr, hr = (volume + np.float32(10000) for volume in a_pair)
    assert ssim(sr, hr, 100) == pytest.approx(reference(sr, hr, 100, **GAUSSIAN), abs=1e-6)
    assert ssim_uniform(sr, hr, 100) == pytest.approx(reference(sr, hr, 100), abs=1e-6)


def test_a_mask_averages_the_map_where_windows_lie_in_the_volume(a_pair) -> None:
    mask = np.random.default_rng(4).random(SHAPE) < 0.3
    similarity = reference(*a_pair, 50, full=True, **GAUSSIAN)[1][5:-5, 5:-5, 5:-5]
    assert ssim(*a_pair, 50, mask) == pytest.approx(similarity[mask[5:-5, 5:-5, 5:-5]].mean(), abs=1e-9)


@pytest.mark.parametrize("slab_depth", [1, 4, 13, 100])
def test_no_window_depends_on_the_slabs_that_it_is_computed_in(a_pair, monkeypatch, slab_depth: int) -> None:
    expected = [ssim(*a_pair, 100), ssim_uniform(*a_pair, 100), *ssim_slices(*a_pair, 100)]
    monkeypatch.setattr(module, "SLAB_DEPTH", slab_depth)
    found = [ssim(*a_pair, 100), ssim_uniform(*a_pair, 100), *ssim_slices(*a_pair, 100)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_slices_need_a_window_only_within_them(a_pair) -> None:
    sr, hr = (volume[:10] for volume in a_pair)
    with pytest.raises(GeometryError, match=r"11 voxels along every axis, the volume is \(10, 31, 27\)"):
        ssim(sr, hr, 100)
    with pytest.raises(GeometryError, match="11 voxels"):
        ssim_slices(sr, hr, 100)  # the coronal and sagittal ones
    assert ssim_uniform(sr, hr, 100) < 1
    with pytest.raises(GeometryError, match="7 voxels along every axis"):
        ssim_uniform(sr[:6], hr[:6], 100)


def test_an_empty_mask_and_other_shapes_are_refused(a_pair) -> None:
    sr, hr = a_pair
    mask = np.zeros(SHAPE, dtype=bool)
    mask[0] = True
    with pytest.raises(VolumeError, match="None of the voxels that lie 5 or more from the border"):
        ssim(sr, hr, 1, mask)
    with pytest.raises(GeometryError, match=r"\(22, 31, 27\) voxels, its HR \(23, 31, 27\)"):
        ssim_uniform(sr[1:], hr, 1)
    with pytest.raises(GeometryError, match=r"mask is \(22, 31, 27\)"):
        ssim(sr, hr, 1, mask[1:])
