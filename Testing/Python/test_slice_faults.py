"""Movement and gain of slices: how they are drawn and applied, and that patches have them in the slices alone."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter
from test_slice_patches import PLAIN, SLICES, a_dataset, a_volume

from SuperResolution3DLib.errors import VolumeError
from Training.data.slice_faults import SliceFaults, draw_faults, movement_margin

RANDOM = np.random.default_rng(4)


def a_slice_stack(size=40) -> np.ndarray:
    return gaussian_filter(RANDOM.random((5, size, size + 3)), (0, 1.5, 1.5)).astype(np.float32)


def drawn(number=400, num_slices=8, **config) -> list[SliceFaults]:
    random = np.random.default_rng(0)
    return [draw_faults(replace(SLICES, **config), num_slices, random) for _ in range(number)]


def test_slices_are_moved_as_simpleitk_moves_them():
    stack, shifts = a_slice_stack(), RANDOM.uniform(-2, 2, (5, 2))
    moved = SliceFaults(shifts, np.ones(5)).apply(stack)
    assert moved.shape == stack.shape and moved.dtype == np.float32
    for part, offset, found in zip(stack, shifts, moved, strict=True):
        image = sitk.GetImageFromArray(part)
        back = sitk.TranslationTransform(2, (-offset[::-1]).tolist())  # from a place of the result to its source
        wanted = sitk.GetArrayFromImage(sitk.Resample(image, image, back, sitk.sitkBSpline, 0.0, sitk.sitkFloat32))
        inside = (slice(8, -8), slice(8, -8))  # away from the border, which either treats its own way
        np.testing.assert_allclose(found[inside], wanted[inside], atol=2e-4)
        assert np.abs(found - part)[inside].max() > 0.01


def test_each_slice_is_scaled_by_its_own_gain():
    stack, gains = a_slice_stack(), np.array([0.9, 1, 1.1, 1.02, 0.97])
    found = SliceFaults(np.zeros((5, 2)), gains).apply(stack)
    np.testing.assert_allclose(found, np.einsum("dhw,d->dhw", stack, gains), rtol=1e-6)


def test_half_of_the_stacks_move_never_farther_than_the_largest_and_not_as_a_whole():
    shifts = [faults.shifts for faults in drawn(movement=1.5)]
    moving = [shift for shift in shifts if shift.any()]
    assert 160 < len(moving) < 240
    assert 1.2 < max(np.abs(shift).max() for shift in moving) <= 1.5
    assert max(np.abs(shift.mean(0)).max() for shift in moving) < 0.1
    assert min(np.abs(shift).max() for shift in moving) < 0.2


def test_in_half_of_the_moving_stacks_odd_slices_move_against_even_ones():
    moving = [faults.shifts for faults in drawn(movement=1.5) if faults.shifts.any()]
    interleaved = [
        shift for shift in moving if np.allclose(shift[::2], shift[0]) and np.allclose(shift[1::2], -shift[0])
    ]
    assert 0.4 < len(interleaved) / len(moving) < 0.6


def test_gains_stay_within_their_share_around_one():
    gains = np.array([faults.gains for faults in drawn(gain=0.05)])
    assert 160 < (gains != 1).any(axis=1).sum() < 240
    assert 1 / 1.05 <= gains.min() < 0.97 and 1.03 < gains.max() <= 1.05
    assert all(not faults.shifts.any() for faults in drawn(gain=0.05))


def test_gains_are_in_the_slices_and_their_interpolation_alone():
    scaled = replace(PLAIN, slices=replace(SLICES, gain=0.5))
    changed = 0
    for faulty, plain in zip(a_dataset(a_volume(), scaled), a_dataset(a_volume()), strict=True):
        for same in ("measured", "query"):
            torch.testing.assert_close(getattr(faulty, same), getattr(plain, same))
        torch.testing.assert_close(faulty.hr, plain.hr)
        ratio = (faulty.lr / plain.lr)[0, 0].flatten(1)
        torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-4, atol=0)  # one factor a slice
        changed += not torch.allclose(faulty.lr, plain.lr)
        assert torch.allclose(faulty.lr, plain.lr) == torch.allclose(faulty.interpolated, plain.interpolated)
    assert 10 < changed < 30


def test_moved_slices_show_what_lies_beside_the_patch_and_the_hr_stays():
    """On a slope each slice differs from the HR at its centre by slope times shift, up to the very border."""
    slope = np.indices((48, 44, 40)).sum(0).astype(np.float32)
    config = replace(PLAIN, slices=replace(SLICES, width=(1.0, 1.0), movement=2.0))
    found = []
    for patches in a_dataset(a_volume(hr=slope), config):
        assert patches.lr.shape == (1, 1, 4, 12, 12)
        assert patches.hr.shape == patches.interpolated.shape == patches.measured.shape
        lr, hr = patches.lr[0, 0].numpy(), patches.hr[0, 0].numpy()
        at_centres = np.apply_along_axis(partial(np.interp, [1, 2], patches.query.positions), 0, hr)
        pixels = (lr[1:3] - at_centres) * (44 + 40 + 36)  # the range is that of every fourth voxel
        np.testing.assert_allclose(pixels, np.broadcast_to(pixels[:, :1, :1], pixels.shape), atol=0.05)
        found.append(np.abs(pixels[:, 0, 0]).max())
    assert 10 < np.count_nonzero(np.array(found) < 0.05) < 30 and 0.5 < max(found) <= 4


def test_a_volume_has_to_hold_the_patch_and_its_margin():
    config = replace(PLAIN, slices=replace(SLICES, movement=1.5))
    assert movement_margin(config.slices) == 4 and movement_margin(SLICES) == 0
    with pytest.raises(VolumeError, match="are fewer than a patch needs, 20 within the plane"):
        a_dataset(a_volume((48, 19, 18)), config)
