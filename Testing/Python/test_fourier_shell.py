"""Fourier shell correlation on volumes whose agreement is known at every frequency, with voxels that are no cubes."""

import numpy as np
import pytest

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.metrics import fourier_shell
from SuperResolution3DLib.metrics.fourier_shell import ShellCorrelation, shell_correlation

SHAPE = (24, 33, 40)
SPACING = (2.0, 0.9, 0.5)


@pytest.fixture
def an_hr() -> np.ndarray:
    """Return white noise: it has energy at every frequency."""
    return np.random.default_rng(8).standard_normal(SHAPE)


@pytest.fixture
def no_taper(monkeypatch) -> None:
    monkeypatch.setattr(fourier_shell, "TAPER_SHARE", 0.0)


def radius(shape, spacing) -> np.ndarray:
    """Return |k| in cycles/mm of every coefficient of the full transform."""
    axes = [np.fft.fftfreq(size, step) for size, step in zip(shape, spacing, strict=True)]
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))


def filtered(volume: np.ndarray, keep: np.ndarray) -> np.ndarray:
    return np.fft.ifftn(np.fft.fftn(volume) * keep).real


@pytest.mark.parametrize("shape", [(24, 33, 40), (15, 16, 21)])
def test_correlation_equals_the_sum_over_the_full_transform(no_taper, shape) -> None:
    random = np.random.default_rng(1)
    hr = random.standard_normal(shape)
    sr = hr + random.standard_normal(shape)
    found = shell_correlation(sr, hr, SPACING)
    width = max(1 / (size * step) for size, step in zip(shape, SPACING, strict=True))
    first, second, k = np.fft.fftn(sr), np.fft.fftn(hr), radius(shape, SPACING)
    for number, frequency in enumerate(found.frequency, start=1):
        assert frequency == pytest.approx(number * width)
        shell = (k > (number - 0.5) * width + 1e-9) & (k <= (number + 0.5) * width + 1e-9)
        assert found.num_coefficients[number - 1] == shell.sum()
        cross = (first[shell] * second[shell].conj()).sum().real
        wanted = cross / np.sqrt((abs(first[shell]) ** 2).sum() * (abs(second[shell]) ** 2).sum())
        assert found.correlation[number - 1] == pytest.approx(wanted, abs=1e-12)


def test_a_volume_agrees_with_itself_whatever_its_scale_and_offset(an_hr) -> None:
    found = shell_correlation(3 * an_hr + 100, an_hr, SPACING)
    assert found.correlation == pytest.approx(1)
    assert found.cutoff(0.5) is None
    assert found.frequency[-1] == pytest.approx(1 / (2 * 0.5), rel=0.1)  # Nyquist of the finest axis


@pytest.mark.parametrize("size", [36, 37])
def test_no_shell_lies_beyond_the_nyquist_frequency(size: int) -> None:
    hr = np.random.default_rng(0).random((size, size + 2, size + 4))
    last = shell_correlation(hr, hr, (1.0, 1.0, 1.0)).frequency[-1]
    assert last == pytest.approx(np.fft.rfftfreq(size)[-1])


@pytest.mark.parametrize("cut", [0.2, 0.45])
def test_the_cutoff_is_where_the_detail_ends_in_cycles_per_mm(an_hr, no_taper, cut: float) -> None:
    sr = filtered(an_hr, radius(SHAPE, SPACING) <= cut)
    found = shell_correlation(sr, an_hr, SPACING)
    width = found.frequency[0]
    assert found.cutoff(0.5) == pytest.approx(cut, abs=width)
    assert found.cutoff(0.143) == pytest.approx(cut, abs=width)
    assert found.cutoff(0.143) >= found.cutoff(0.5)


def test_the_taper_hardly_moves_the_cutoff(an_hr) -> None:
    found = shell_correlation(filtered(an_hr, radius(SHAPE, SPACING) <= 0.4), an_hr, SPACING)
    assert found.cutoff(0.5) == pytest.approx(0.4, abs=2 * found.frequency[0])


def test_the_frequency_scales_with_the_voxels(an_hr) -> None:
    sr = filtered(an_hr, radius(SHAPE, SPACING) <= 0.4)
    halved = shell_correlation(sr, an_hr, tuple(step / 2 for step in SPACING))
    assert halved.cutoff(0.5) == pytest.approx(2 * shell_correlation(sr, an_hr, SPACING).cutoff(0.5))


def test_swapping_axes_with_their_spacing_changes_nothing(an_hr) -> None:
    sr = an_hr + np.random.default_rng(2).standard_normal(SHAPE)
    expected = shell_correlation(sr, an_hr, SPACING)
    turned = shell_correlation(sr.transpose(2, 0, 1), an_hr.transpose(2, 0, 1), (SPACING[2], SPACING[0], SPACING[1]))
    assert turned.correlation == pytest.approx(expected.correlation)


def test_zero_filling_is_trusted_up_to_the_nyquist_frequency_of_the_lr() -> None:
    random = np.random.default_rng(0)
    hr = np.zeros((48, 48, 48))
    hr[6:-6, 6:-6, 6:-6] = random.standard_normal((36, 36, 36))  # air at the border: the taper cuts nothing
    sr = zero_fill(degrade(hr, (4, 4, 4)), (4, 4, 4))
    found = shell_correlation(sr, hr, (1.0, 1.0, 1.0))
    assert found.correlation[found.frequency < 0.115] == pytest.approx(1, abs=0.01)
    assert 1 / 8 < found.cutoff(0.5) < np.sqrt(3) / 8  # the LR's k-space is a box: shells leave it by and by
    assert abs(found.correlation[found.frequency > np.sqrt(3) / 8 + 0.02]).max() < 0.15


def test_the_jump_across_the_border_does_not_pass_for_agreement(monkeypatch) -> None:
    ramp = np.linspace(0, 20, 40)[:, None, None] * np.ones((1, 40, 40))
    random = np.random.default_rng(5)
    sr, hr = (ramp + random.standard_normal((40, 40, 40)) for _ in range(2))  # only the ramp is common
    tapered = shell_correlation(sr, hr, (1.0, 1.0, 1.0)).cutoff(0.5)
    monkeypatch.setattr(fourier_shell, "TAPER_SHARE", 0.0)
    assert tapered < shell_correlation(sr, hr, (1.0, 1.0, 1.0)).cutoff(0.5) / 1.5


def test_a_constant_sr_agrees_with_nothing(an_hr) -> None:
    found = shell_correlation(np.full(SHAPE, 5.0), an_hr, SPACING)
    assert not found.correlation.any()
    assert found.cutoff(0.5) == pytest.approx(found.frequency[0] / 2)


def test_the_cutoff_is_interpolated_between_shells() -> None:
    curve = ShellCorrelation(np.array([0.1, 0.2, 0.3]), np.array([0.9, 0.7, 0.3]), np.array([1, 1, 1]))
    assert curve.cutoff(0.5) == pytest.approx(0.25)
    assert curve.cutoff(0.95) == pytest.approx(0.05)
    assert curve.cutoff(0.143) is None
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        curve.cutoff(1)


def test_what_cannot_be_compared_is_refused(an_hr) -> None:
    with pytest.raises(GeometryError, match=r"\(23, 33, 40\) voxels, its HR \(24, 33, 40\)"):
        shell_correlation(an_hr[1:], an_hr, SPACING)
    with pytest.raises(VolumeError, match="HR is constant"):
        shell_correlation(an_hr, np.ones(SHAPE), SPACING)
    with pytest.raises(VolumeError, match="SR has 1 of"):
        shell_correlation(np.where(an_hr == an_hr.max(), np.nan, an_hr), an_hr, SPACING)
    with pytest.raises(ValueError, match="above 0 mm"):
        shell_correlation(an_hr, an_hr, (1.0, 0.0, 1.0))
