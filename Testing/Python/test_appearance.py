"""Random contrast, shading and noise: of the HR before it is degraded, so that LR and HR show the same anatomy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prepared_volumes import SCALE, an_index_of, prepared

from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.volumes.box import whole
from Training.data.appearance import KNOTS, Appearance, AppearanceConfig, draw_appearance
from Training.data.data_config import DataConfig
from Training.data.patches import PatchDataset, SampleOrder

ALL = AppearanceConfig(tone_curves=True, bias_field=0.3)
CONFIG = DataConfig(index=Path(), patch_size=5, grid_shifts=3, flips=False, intensity_jitter=0.0)
NOISY = replace(CONFIG, appearance=AppearanceConfig(noise=0.05))


@pytest.fixture
def a_small_index(tmp_path):
    return an_index_of(tmp_path / "volumes", (13, 15, 14))


@pytest.fixture
def a_changed_volume(a_small_index):
    return prepared(a_small_index, appearance=ALL, num_shifts=8)[0]


@pytest.fixture
def an_array():
    return (900 * np.random.default_rng(0).random((21, 22, 23)) ** 2 + 40).astype(np.int16)


def test_each_copy_is_degraded_from_the_changed_volume(a_changed_volume):
    for degraded in a_changed_volume.degraded:
        box = tuple(slice(s, s + n * f) for s, n, f in zip(degraded.start, degraded.lr.shape, SCALE, strict=True))
        hr = a_changed_volume.hr_patch(degraded, box)
        lr = degrade(hr.astype(np.float64), SCALE)
        np.testing.assert_allclose(degraded.lr * degraded.width + degraded.offset, lr, atol=1e-4 * degraded.width)


def test_the_first_copy_shows_the_volume_as_it_is_and_the_others_do_not(a_changed_volume):
    first, *others = a_changed_volume.degraded
    box = whole(a_changed_volume.hr.shape)
    np.testing.assert_array_equal(a_changed_volume.hr_patch(first, box), a_changed_volume.hr, strict=True)
    assert len({degraded.appearance for degraded in others}) == len(others) == 7
    for degraded in others:
        assert np.abs(a_changed_volume.hr_patch(degraded, box) - a_changed_volume.hr).max() > 0.01 * degraded.width


def test_a_part_is_changed_as_in_the_whole_volume(an_array):
    appearance = draw_appearance(an_array, ALL, np.random.default_rng(3))
    box = (slice(3, 17), slice(0, 9), slice(11, 23))
    changed = appearance.apply(an_array, whole(an_array.shape), an_array.shape)
    np.testing.assert_allclose(appearance.apply(an_array[box], box, an_array.shape), changed[box], rtol=1e-6)


def test_a_tone_curve_goes_through_its_knots_and_on_beyond_them():
    curve = (0.0, 0.05, 0.9, 0.4, 0.7, 0.6)
    appearance = Appearance(0.0, 1000.0, curve)
    knots = (1000 * KNOTS).astype(np.float32).reshape(1, 1, -1)
    changed = appearance.apply(knots, whole(knots.shape), knots.shape)[0, 0]
    np.testing.assert_allclose(changed, 1000 * np.array(curve), atol=1)
    brightest = np.array([1000, 1100, 1200], np.float32).reshape(1, 1, 3)
    beyond = appearance.apply(brightest, whole(brightest.shape), brightest.shape)[0, 0]
    assert np.abs(np.diff(beyond)).min() > 25  # what is brighter than the percentile is not made one value


def test_air_stays_dark_in_every_contrast_and_some_contrasts_fall(an_array):
    random = np.random.default_rng(1)
    drawn = [draw_appearance(an_array, AppearanceConfig(tone_curves=True), random) for _ in range(60)]
    curves = np.array([appearance.curve for appearance in drawn if appearance.curve])
    assert 20 < len(curves) < 60
    assert curves[:, 0].max() == 0 and curves[:, 1].max() <= 0.1 <= curves[:, 2:].min()
    falls = (np.diff(curves, axis=1) < 0).any(axis=1)
    assert 0 < falls.sum() < len(curves)


def test_a_bias_field_is_smooth_positive_and_within_its_limit(an_array):
    appearance = draw_appearance(an_array, AppearanceConfig(bias_field=0.3), np.random.default_rng(2))
    ones = np.ones((40, 42, 44), np.float32)
    field = appearance.apply(ones, whole(ones.shape), ones.shape)
    assert np.abs(np.log(field)).max() <= 0.3 + 1e-6
    assert 0 < max(np.abs(np.diff(field, axis=axis)).max() for axis in range(3)) < 0.02


def test_noise_is_in_the_lr_and_its_zero_filled_volume_and_not_in_the_hr(a_small_index):
    order, volumes = SampleOrder(first=0, num_batches=4), prepared(a_small_index)
    plain = PatchDataset(volumes, SCALE, CONFIG, 4, order)[1]
    noisy, again = (PatchDataset(volumes, SCALE, NOISY, 4, order)[1] for _ in range(2))
    np.testing.assert_array_equal(noisy.lr, again.lr)
    first_noisy, first_plain = noisy.hr[0].numpy(), plain.hr[0].numpy()
    np.testing.assert_array_equal(first_noisy, first_plain)
    for noisy_part, plain_part in ((noisy.lr, plain.lr), (noisy.interpolated, plain.interpolated)):
        assert 1e-5 < (noisy_part[0] - plain_part[0]).numpy().std() < 0.08


def test_the_zero_filled_patch_is_that_of_the_noisy_volume(a_small_index):
    volume = prepared(a_small_index, num_shifts=1)[0]
    size = min(volume.degraded[0].lr.shape)  # the patch is the whole of a cube
    cube = np.asarray(volume.degraded[0].lr)[:size, :size, :size]
    degraded = replace(volume.degraded[0], lr=cube, foreground=np.zeros((1, 3), np.int16))
    dataset = PatchDataset(
        [replace(volume, degraded=(degraded,))], SCALE, replace(NOISY, patch_size=size), 0, SampleOrder(0, 1)
    )
    patches = dataset[0]
    assert np.abs(patches.lr[0, 0].numpy() - cube).max() > 1e-5
    wanted = zero_fill(patches.lr[0, 0].double().numpy(), SCALE)
    np.testing.assert_allclose(patches.interpolated[0, 0].numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("values", [{"bias_field": -0.1}, {"noise": 2.0}, {"noise": float("nan")}])
def test_impossible_changes_are_refused_by_name(values):
    with pytest.raises(ValueError, match=f"data.appearance.{next(iter(values))} must be between 0 and 1"):
        AppearanceConfig(**values)
