"""Foreground and measured voxels, on phantoms of a head in noisy air and of a bare brain."""

from pathlib import Path

import numpy as np
import pytest

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.metrics.foreground import foreground_box, measured_mask, otsu_threshold
from SuperResolution3DLib.volumes.volume import read_volume

HEAD_BOX = (slice(6, 27), slice(8, 35), slice(5, 24))


def a_head(air_noise: float = 4.0) -> np.ndarray:
    """Return an ellipsoid of about 100 in air, (33, 41, 29), whose bounding box is HEAD_BOX."""
    indices = np.meshgrid(*(np.arange(size) for size in (33, 41, 29)), indexing="ij")
    radius = sum(((i - c) / r) ** 2 for i, c, r in zip(indices, (16, 21, 14), (10.5, 13.5, 9.5), strict=True))
    random = np.random.default_rng(1)
    tissue = 100 + 10 * random.standard_normal(radius.shape)
    return np.where(radius <= 1, tissue, np.abs(air_noise * random.standard_normal(radius.shape))).astype(np.float32)


def test_otsu_threshold_agrees_with_scikit_image_to_two_bins() -> None:
    filters = pytest.importorskip("skimage.filters")
    random = np.random.default_rng(2)
    two_peaks = np.concatenate([random.normal(20, 10, 7000), random.normal(90, 15, 3000)]).reshape(10, 20, 50)
    low, high = np.percentile(two_peaks, [0.1, 99.9])
    expected = filters.threshold_otsu(two_peaks.clip(low, high))
    assert otsu_threshold(two_peaks) == pytest.approx(expected, abs=2 * (high - low) / 256)


def test_otsu_threshold_parts_two_values_in_the_middle() -> None:
    two_values = np.array([0, 0, 0, 0, 0, 200, 200, 200], dtype=np.int16).reshape(2, 2, 2)
    assert otsu_threshold(two_values) == pytest.approx(100, abs=2)


def test_one_hot_voxel_does_not_move_the_threshold() -> None:
    head = a_head()
    expected = otsu_threshold(head)
    head[3, 4, 5] = 1e6
    assert otsu_threshold(head) == pytest.approx(expected, abs=2)


def test_otsu_threshold_of_a_few_bright_voxels_in_air_lies_between() -> None:
    volume = np.zeros((20, 20, 20), dtype=np.uint8)
    volume[5, 5, 5:8] = 255
    assert 0 < otsu_threshold(volume) < 255


def test_foreground_box_holds_the_head_and_nothing_more() -> None:
    assert foreground_box(a_head()) == HEAD_BOX


def test_specks_in_air_do_not_widen_the_box() -> None:
    head = a_head()
    head[1, 1, 1] = 150
    head[31, 2:5, 3:5] = 150
    head[28:31, 35:38, 24:27] = 150
    assert foreground_box(head) == HEAD_BOX


def test_a_thread_of_noise_widens_the_box_by_no_more_than_one_voxel() -> None:
    head = a_head()
    head[16, 21, 24:] = 150
    assert foreground_box(head) == (HEAD_BOX[0], HEAD_BOX[1], slice(5, 25))


def test_two_large_pieces_lie_both_in_the_box() -> None:
    volume = np.zeros((9, 12, 30), dtype=np.float32)
    volume[2:7, 3:9, 2:12] = volume[2:7, 3:9, 18:26] = 10
    assert foreground_box(volume) == (slice(2, 7), slice(3, 9), slice(2, 26))


def test_a_foreground_thinner_than_a_speck_is_kept() -> None:
    volume = np.zeros((9, 12, 11), dtype=np.float32)
    volume[4, 2:9, 3:8] = 10
    assert foreground_box(volume) == (slice(4, 5), slice(2, 9), slice(3, 8))


def test_blocks_of_zeros_in_a_head_scan_are_not_measured() -> None:
    head = a_head()
    head[:9, 25:, :] = 0
    expected = np.ones(head.shape, dtype=bool)
    expected[:9, 25:, :] = False
    np.testing.assert_array_equal(measured_mask(head), expected)


def test_single_zeros_in_a_head_scan_are_measured() -> None:
    head = np.rint(a_head(air_noise=1.0))
    assert (head == 0).sum() > 5000
    assert measured_mask(head).all()


def test_all_of_a_bare_brain_is_measured() -> None:
    brain = a_head()
    brain[brain < 50] = 0
    assert measured_mask(brain).all()


def test_a_ct_without_zeros_is_all_measured() -> None:
    assert measured_mask(a_head() * 10 - 1000).all()


@pytest.mark.parametrize("function", [otsu_threshold, foreground_box, measured_mask])
def test_constant_and_not_finite_volumes_are_refused(function) -> None:
    with pytest.raises(VolumeError, match=r"constant \(7 everywhere\)"):
        function(np.full((4, 5, 6), 7.0))
    volume = np.arange(120.0).reshape(4, 5, 6)
    volume[1, 2, 3:5] = np.nan
    with pytest.raises(VolumeError, match="2 of 120 voxels that are not finite"):
        function(volume)


@pytest.mark.parametrize(
    ("name", "masked_from", "masked_to"),
    [("test/t1-brain-niimath-01", 0, 0), ("test/t1-head-ds000011-10", 0.1, 0.2), ("train/t1-brain-cstar-01", 0, 0)],
)
def test_only_defaced_heads_have_unmeasured_voxels(
    shared_data: Path, name: str, masked_from: float, masked_to: float
) -> None:
    array = read_volume(shared_data / f"{name}.nii.gz").array
    mask = measured_mask(array)
    assert masked_from <= 1 - mask.mean() <= masked_to
    assert not array[~mask].any()
