"""PSNR, the two protocols and added detail, held against scikit-image and against plain sums."""

import numpy as np
import pytest

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.metrics.evaluation_protocols import Protocol, compared_pair
from SuperResolution3DLib.metrics.foreground import foreground_box, measured_mask
from SuperResolution3DLib.metrics.metrics import PROTOCOLS, added_detail, describe, psnr, score, ssim
from Training.evaluation.slice_pictures import SliceChoice, slice_batches

SHAPE = (23, 31, 27)
BOX = (slice(4, 19), slice(5, 28), slice(3, 22))


@pytest.fixture
def a_pair() -> tuple[np.ndarray, np.ndarray]:
    """Return an SR and its HR (23, 31, 27) float32: a textured box of about 100 in noisy air."""
    random = np.random.default_rng(3)
    hr = np.abs(3 * random.standard_normal(SHAPE))
    hr[BOX] += 80 + 30 * random.random((15, 23, 19))
    sr = hr + 6 * random.standard_normal(SHAPE)
    return sr.astype(np.float32), hr.astype(np.float32)


def reference_ssim(sr: np.ndarray, hr: np.ndarray, data_range: float, **options) -> float:
    """Return scikit-image's SSIM in float64, with its own defaults."""
    similarity = pytest.importorskip("skimage.metrics").structural_similarity
    return similarity(hr.astype(np.float64), sr.astype(np.float64), data_range=data_range, **options)


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def test_psnr_of_a_constant_error_is_known(a_pair) -> None:
    _, hr = a_pair
    assert psnr(hr + 1, hr, data_range=100) == pytest.approx(40, abs=1e-4)


def test_psnr_of_equal_volumes_is_infinite(a_pair) -> None:
    assert psnr(a_pair[1], a_pair[1], data_range=1) == np.inf


def test_psnr_of_unsigned_integers_does_not_wrap_around() -> None:
    hr = np.full((3, 4, 5), 3, dtype=np.uint8)
    assert psnr(hr - 2, hr, data_range=2) == pytest.approx(0)
    assert psnr(hr + 2, hr, data_range=2) == pytest.approx(0)


def test_psnr_counts_only_voxels_in_the_mask(a_pair) -> None:
    sr, hr = a_pair
    mask = np.zeros(SHAPE, dtype=bool)
    mask[BOX] = True
    assert psnr(sr, hr, 100, mask) == pytest.approx(psnr(sr[BOX], hr[BOX], 100))


def test_foreground_protocol_crops_masks_and_takes_the_percentile_as_range(a_pair) -> None:
    sr, hr = a_pair
    hr[:8, 20:, :] = 0  # defaced
    hr[10, 10, 10] = 5000  # one hot voxel
    box, mask = foreground_box(hr), measured_mask(hr)
    assert not mask.all()
    data_range = np.percentile(hr, 99.9)
    scores = score(sr, hr, "foreground")
    assert scores.psnr == pytest.approx(psnr(sr[box], hr[box], data_range, mask[box]))
    assert scores.ssim == pytest.approx(ssim(sr[box], hr[box], data_range, mask[box]))


def test_foreground_protocol_ignores_what_stands_in_a_defaced_block(a_pair) -> None:
    sr, hr = a_pair
    hr[:8, 20:, :] = 0
    expected = score(sr, hr, "foreground").psnr
    sr[:8, 20:, :] = 1000
    assert score(sr, hr, "foreground").psnr == expected


def test_a_foreground_smaller_than_the_ssim_window_is_widened_to_it() -> None:
    hr = np.zeros((12, 15, 40))
    hr[9:12, 2:6, 30:35] = np.random.default_rng(0).random((3, 4, 5)) + 1
    assert score(hr, hr, "foreground").ssim == pytest.approx(1)


def test_paper_protocol_clips_the_sr_to_the_range_of_the_hr(a_pair) -> None:
    sr, hr = a_pair
    sr[0, 0, 0], sr[0, 0, 1] = -1e6, 1e6
    clipped, data_range = np.clip(sr, hr.min(), hr.max()), float(hr.max() - hr.min())
    scores = score(sr, hr, "paper")
    assert scores.psnr == pytest.approx(psnr(clipped, hr, data_range))
    assert scores.ssim == pytest.approx(reference_ssim(clipped, hr, data_range, **GAUSSIAN), abs=1e-6)
    assert scores.ssim_uniform == pytest.approx(reference_ssim(clipped, hr, data_range), abs=1e-6)
    views = [
        np.mean(
            [
                reference_ssim(clipped.take(number, axis), hr.take(number, axis), data_range, **GAUSSIAN)
                for number in range(hr.shape[axis])
            ]
        )
        for axis in range(3)
    ]
    assert scores.ssim_slices == pytest.approx(np.mean(views), abs=1e-6)


def test_other_windows_are_only_of_the_paper_protocol(a_pair) -> None:
    scores = score(*a_pair, "foreground")
    assert (scores.ssim_uniform, scores.ssim_slices) == (None, None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_do_not_depend_on_the_axes_order(a_pair, protocol: Protocol) -> None:
    sr, hr = a_pair
    turned = score(sr.transpose(2, 0, 1)[::-1], hr.transpose(2, 0, 1)[::-1], protocol)
    expected = score(sr, hr, protocol)
    assert (turned.psnr, turned.ssim) == (pytest.approx(expected.psnr), pytest.approx(expected.ssim))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_description_of_a_protocol_is_one_line_with_its_name(protocol: Protocol) -> None:
    assert protocol in describe(protocol)
    assert "\n" not in describe(protocol)


def test_added_detail_of_the_hr_is_one_and_of_its_low_frequencies_zero(a_pair) -> None:
    _, hr = a_pair
    spectrum = np.fft.fftn(hr)
    frequencies = np.meshgrid(*(np.fft.fftfreq(size) for size in SHAPE), indexing="ij")
    outside = (abs(frequencies[0]) > 1 / 4) | (abs(frequencies[1]) > 1 / 8) | (abs(frequencies[2]) > 1 / 6)
    low = np.fft.ifftn(np.where(outside, 0, spectrum)).real
    assert added_detail(hr, hr, (2, 4, 3)) == 1
    assert added_detail(low, hr, (2, 4, 3)) == pytest.approx(0, abs=1e-12)


def test_added_detail_is_the_energy_outside_the_box_of_the_full_spectrum(a_pair) -> None:
    sr, hr = a_pair
    energies = []
    for volume in (sr, hr):
        energy = np.fft.fftshift(abs(np.fft.fftn(volume)) ** 2)
        centre = tuple(
            slice(n // 2 - n // (2 * s), n // 2 + n // (2 * s) + 1) for n, s in zip(SHAPE, (2, 4, 3), strict=True)
        )
        energies.append(energy.sum() - energy[centre].sum())
    assert added_detail(sr, hr, (2, 4, 3)) == pytest.approx(energies[0] / energies[1], rel=1e-6)


@pytest.mark.parametrize("grid", ["center", "corner"])
def test_zero_filling_adds_no_detail(grid) -> None:
    kspace = pytest.importorskip("SuperResolution3DLib.forward.kspace")
    hr = np.random.default_rng(5).random((24, 20, 12))
    scale = (4, 2, 1)
    zero_filled = kspace.zero_fill(kspace.degrade(hr, scale, grid), scale, grid)
    assert added_detail(zero_filled, hr, scale) == pytest.approx(0, abs=1e-20)


def test_a_wave_above_the_nyquist_of_one_axis_counts_as_added() -> None:
    wave = np.cos(2 * np.pi * 5 * np.arange(16) / 16)
    hr = np.ones((12, 16, 10)) + wave[None, :, None]
    assert added_detail(1 + (hr - 1) / 2, hr, (1, 2, 1)) == pytest.approx(0.25)
    with pytest.raises(VolumeError, match=r"no detail above .* \(2, 1, 2\)"):
        added_detail(hr, hr, (2, 1, 2))


def test_shapes_that_differ_are_refused_with_both(a_pair) -> None:
    sr, hr = a_pair
    for function in (lambda: score(sr[1:], hr, "paper"), lambda: psnr(sr[1:], hr, 1), lambda: ssim(sr[1:], hr, 1)):
        with pytest.raises(GeometryError, match=r"\(22, 31, 27\) voxels, its HR \(23, 31, 27\)"):
            function()
    with pytest.raises(GeometryError, match=r"mask is \(22, 31, 27\)"):
        psnr(sr, hr, 1, np.ones((22, 31, 27), dtype=bool))


def test_voxels_that_are_not_finite_are_refused(a_pair) -> None:
    sr, hr = a_pair
    sr[1, 2, 3] = np.nan
    with pytest.raises(VolumeError, match="The SR has 1 of 19251 voxels that are not finite"):
        score(sr, hr, "foreground")
    with pytest.raises(VolumeError, match="The HR has 1 of 19251"):
        added_detail(hr, sr, (2, 2, 2))


def test_a_constant_hr_is_refused(a_pair) -> None:
    with pytest.raises(VolumeError, match=r"The HR is constant \(3 everywhere\)"):
        score(a_pair[0], np.full(SHAPE, 3.0), "paper")


def test_what_lies_below_zero_in_a_ct_counts_under_the_foreground_protocol(a_pair) -> None:
    sr, hr = (20 * volume - 1000 for volume in a_pair)  # HU: soft tissue in air
    hr[6:10, 8:20, 6:12] = -850  # lung
    hr[0, 0, 0] = -30000  # one cold voxel
    box, (low, high) = foreground_box(hr), (np.percentile(hr, percent) for percent in (0.1, 99.9))
    assert -1100 < low < -900
    assert score(sr, hr, "foreground").psnr == pytest.approx(psnr(sr[box], hr[box], high - low))
    assert compared_pair(sr, hr, "foreground").low == low
    noisy_lung = np.where(hr < -300, np.random.default_rng(4).uniform(-1000, -300, SHAPE), hr)
    pictures = [
        next(slice_batches(compared_pair(volume, hr, "foreground"), "axial", SliceChoice()))[0]
        for volume in (hr, noisy_lung)
    ]
    assert (pictures[0] - pictures[1]).abs().max() > 0.1  # what LPIPS sees


def test_an_mr_without_negative_voxels_is_measured_from_zero_to_the_very_percentile(a_pair) -> None:
    pair = compared_pair(*a_pair, "foreground")
    assert a_pair[1].min() > 0
    assert (pair.low, pair.high) == (0, float(np.percentile(a_pair[1], 99.9)))  # every digit


def test_an_hr_that_is_one_value_but_for_hot_voxels_is_refused_under_the_foreground_protocol(a_pair) -> None:
    hr = np.zeros(SHAPE)
    hr[4, 5, 6] = 7
    with pytest.raises(VolumeError, match=r"0\.1 percentile is 0 and its 99\.9 percentile 0"):
        score(hr, hr, "foreground")


def test_volumes_smaller_than_the_ssim_window_are_refused(a_pair) -> None:
    sr, hr = (volume[:10] for volume in a_pair)
    for protocol in PROTOCOLS:
        with pytest.raises(GeometryError, match="11 voxels along every axis"):
            score(sr, hr, protocol)


def test_an_empty_mask_is_refused(a_pair) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    with pytest.raises(VolumeError, match="None of the 19251 voxels"):
        psnr(*a_pair, 1, mask)
    mask[0] = True
    with pytest.raises(VolumeError, match="None of the voxels that lie 5 or more from the border"):
        ssim(*a_pair, 1, mask)


def test_an_unknown_protocol_is_refused(a_pair) -> None:
    with pytest.raises(ValueError, match="foreground, paper, got 'best'"):
        score(*a_pair, "best")
