"""k-space: held against NumPy's FFT, on odd and even sizes, both grids, per-axis scales and both precisions."""

import numpy as np
import pytest
import torch

from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade, project, residual, zero_fill

SCALES = [(4, 4, 4), (4, 1, 1), (2, 3, 6), (1, 2, 3)]
LR_SHAPES = [(5, 7, 9), (6, 4, 8), (3, 2, 5)]
GRIDS = ["center", "corner"]
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-5}


def a_volume(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(3), dtype=dtype) * 300 - 20


def degrade_with_fft(hr: np.ndarray, scale: tuple[int, ...], phases: list[float]) -> np.ndarray:
    """The paper's recipe, axis by axis with complex FFTs: crop k-space, shift by the phase ramp, sample."""
    volume = hr.astype(complex)
    for axis, (factor, phase) in enumerate(zip(scale, phases, strict=True)):
        size = volume.shape[axis]
        lr_size = size // factor
        spectrum = np.moveaxis(np.fft.fft(volume, axis=axis), axis, -1)
        frequency = np.fft.fftfreq(size, 1 / size).round().astype(int)
        ramp = np.exp(2j * np.pi * frequency * phase / size)
        kept = np.zeros((*spectrum.shape[:-1], lr_size), complex)
        for index, k in enumerate(frequency):
            if abs(k) <= lr_size / 2 and factor > 1:
                kept[..., k % lr_size] += spectrum[..., index] * ramp[index]
        if factor == 1:
            kept = spectrum
        volume = np.moveaxis(np.fft.ifft(kept, axis=-1) / factor, -1, axis)
    assert np.abs(volume.imag).max() < 1e-9
    return volume.real


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lr_shape", LR_SHAPES)
@pytest.mark.parametrize("grid", GRIDS)
def test_degrade_equals_cropping_the_fft(scale, lr_shape, grid):
    hr = a_volume(tuple(size * factor for size, factor in zip(lr_shape, scale, strict=True))).numpy()
    phases = [(factor - 1) / 2 if grid == "center" else 0.0 for factor in scale]
    np.testing.assert_allclose(degrade(hr, scale, grid), degrade_with_fft(hr, scale, phases), atol=1e-9)


@pytest.mark.parametrize("lr_shape", LR_SHAPES)
def test_zero_fill_on_the_corner_grid_equals_zero_padding_the_fft(lr_shape):
    lr = a_volume(lr_shape).numpy()
    volume = lr.astype(complex)
    for axis, size in enumerate(lr_shape):
        spectrum = np.moveaxis(np.fft.fft(volume, axis=axis), axis, -1)
        padded = np.zeros((*spectrum.shape[:-1], 4 * size), complex)
        for index, k in enumerate(np.fft.fftfreq(size, 1 / size).round().astype(int)):
            if 2 * k == -size:
                padded[..., k] = padded[..., -k] = spectrum[..., index] / 2
            else:
                padded[..., k] = spectrum[..., index]
        volume = np.moveaxis(np.fft.ifft(padded, axis=-1) * 4, -1, axis)
    np.testing.assert_allclose(zero_fill(lr, (4, 4, 4), "corner"), volume.real, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lr_shape", LR_SHAPES)
@pytest.mark.parametrize("grid", GRIDS)
def test_degrading_a_zero_filled_volume_gives_it_back(lr_shape, scale, grid, dtype):
    lr = a_volume(lr_shape, dtype)
    error = (degrade(zero_fill(lr, scale, grid), scale, grid) - lr).abs().max()
    assert error <= TOLERANCE[dtype] * (lr.max() - lr.min())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("lr_shape", LR_SHAPES)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_projected_volume_degrades_to_the_measured_one(lr_shape, grid, dtype):
    scale = (4, 3, 2)
    lr = a_volume(lr_shape, dtype)
    sr = a_volume(tuple(size * factor for size, factor in zip(lr_shape, scale, strict=True)), dtype)
    projected = project(sr, lr, scale, grid)
    assert residual(projected, lr, scale, grid).abs().max() <= TOLERANCE[dtype] * (lr.max() - lr.min())
    again = project(projected, lr, scale, grid)
    assert (again - projected).abs().max() <= TOLERANCE[dtype] * (sr.max() - sr.min())


def test_a_smooth_wave_is_sampled_where_the_grid_says():
    scale, lr_size, cycles = 4, 9, 3
    hr_index = np.arange(lr_size * scale)
    hr = np.broadcast_to(np.cos(2 * np.pi * cycles * hr_index / (lr_size * scale) + 0.4), (4, 4, lr_size * scale))
    for grid, phase in (("center", 1.5), ("corner", 0.0)):
        at = scale * np.arange(lr_size) + phase
        expected = np.cos(2 * np.pi * cycles * at / (lr_size * scale) + 0.4)
        np.testing.assert_allclose(degrade(hr, (1, 1, 4), grid)[0, 0], expected, atol=1e-12)


def test_the_mean_of_the_volume_is_kept():
    hr = a_volume((12, 20, 28)).numpy()
    assert degrade(hr, (4, 4, 4), "center").mean() == pytest.approx(hr.mean())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_and_degrading_commute_on_the_center_grid_only(axis):
    hr = a_volume((8, 12, 20))
    flipped_after = degrade(hr, (4, 4, 4), "center").flip(axis)
    torch.testing.assert_close(degrade(hr.flip(axis), (4, 4, 4), "center"), flipped_after)
    corner = degrade(hr, (4, 4, 4), "corner").flip(axis)
    assert (degrade(hr.flip(axis), (4, 4, 4), "corner") - corner).abs().max() > 1


def test_a_box_of_the_zero_filled_volume_is_cut_from_the_whole():
    lr = a_volume((5, 6, 7))
    box = (slice(3, 11), slice(0, 24), slice(20, 28))
    torch.testing.assert_close(zero_fill(lr, (4, 4, 4), "center", box), zero_fill(lr, (4, 4, 4), "center")[box])
    thin = (slice(3, 11), slice(1, 4), slice(2, 6))
    torch.testing.assert_close(zero_fill(lr, (4, 1, 1), "center", thin), zero_fill(lr, (4, 1, 1), "center")[thin])


def test_batches_and_channels_are_left_alone():
    hr = a_volume((2, 3, 8, 12, 4))
    whole = degrade(hr, (4, 4, 4))
    torch.testing.assert_close(whole[1, 2], degrade(hr[1, 2], (4, 4, 4)))


def test_gradients_flow_through_the_degradation():
    hr = a_volume((8, 8, 8)).requires_grad_()
    degrade(hr, (4, 4, 4)).square().sum().backward()
    assert hr.grad is not None and hr.grad.abs().max() > 0


def test_the_rest_of_an_odd_size_is_dropped_half_at_the_start():
    assert crop_to_multiple((10, 11, 12), (4, 4, 4)) == (slice(1, 9), slice(1, 9), slice(0, 12))
    assert crop_to_multiple((10, 11, 7), (1, 3, 2)) == (slice(0, 10), slice(1, 10), slice(0, 6))


def test_a_size_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match=r"\(9, 8, 8\) is not a multiple of the scale \(4, 4, 4\)"):
        degrade(a_volume((9, 8, 8)), (4, 4, 4))
