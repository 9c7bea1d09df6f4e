"""Thick and thin stacks of one scan: Hounsfield units, layers that change quickly, and real reconstructions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.thick_slices import degrade_slices
from SuperResolution3DLib.volumes.geometry import crop_affine
from SuperResolution3DLib.volumes.volume import Volume, read_volume
from Training.evaluation.orthogonal_stacks import LEAST_AGREEMENT, Stack, between, score_set
from Training.evaluation.slice_methods import interpolation_methods
from Training.evaluation.stack_comparison import Comparison

CUBIC, CONSISTENT = (method for method in interpolation_methods() if method.name in ("cubic", "consistent"))


def a_thin_stack(layer: int) -> Volume:
    """Air around a block of layers (mm) along S, of two intensities by turns that vary a little within the plane."""
    generator = np.random.default_rng(3)
    array = np.zeros((70, 40, 44))
    block = 500 + 300 * (-1.0) ** (np.arange(60)[:, None, None] // layer) + generator.normal(0, 20, (60, 30, 34))
    array[5:65, 5:35, 5:39] = block
    return Volume(gaussian_filter(array, (0.5, 1, 1)).astype(np.float32), np.diag([0.8, 0.8, 1.0, 1.0]))


def test_hounsfield_units_are_compared_as_the_same_intensities_from_0_upwards():
    thin = a_thin_stack(10)
    thick = degrade_slices(thin, 5.0)[0]
    found = []
    for air in (0, -1000):
        one, other = (replace(volume, array=volume.array + np.float32(air)) for volume in (thick, thin))
        comparison = Comparison(one, slice_stack(one), other)
        (result,) = between(one, slice_stack(one), [CUBIC])
        sampled = comparison.sampled(result)
        found.append((comparison.counted.sum(), comparison.intensity(sampled), comparison.detail(sampled)))
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_a_pair_of_one_scan_counts_however_little_linear_interpolation_agrees():
    """It lies where its headers say, so what agrees badly is the interpolation and not a registration."""
    thin = a_thin_stack(3)
    thick = degrade_slices(thin, 5.0)[0]
    (pair,) = score_set("scan", [Stack("thick", thick), Stack("thin", thin)], [CUBIC, CONSISTENT])
    assert not pair.was_moved and [score.method for score in pair.scores] == ["cubic", "consistent"]
    assert pair.scores[0].intensity < LEAST_AGREEMENT
    assert pair.scores[0].psnr < pair.scores[1].psnr


def test_two_reconstructions_of_one_real_scan_give_psnr_and_the_profile_of_edges(shared_data):
    stacks = []
    for name in ("5mm", "1mm"):
        whole = read_volume(shared_data / "test" / f"ct-skullphantom-{name}-01.nii.gz")
        part = np.ascontiguousarray(whole.array[:, 60:100, 60:100])
        stacks.append(Stack(name, Volume(part, crop_affine(whole.affine, (0, 60, 60)))))
    (pair,) = score_set("phantom", stacks, [CUBIC, CONSISTENT])
    cubic, consistent = pair.scores
    assert pair.first == "5mm" and not pair.was_moved
    assert consistent.psnr > cubic.psnr > 10
    assert pair.edges["1mm"].rise < consistent.rise < cubic.rise


def test_a_pair_that_cannot_be_registered_costs_no_other_pair(monkeypatch, caplog):
    """Organs move: that one stack of a patient does not fit is no reason to lose the others."""
    thin = a_thin_stack(10)
    stacks = [Stack(axis, degrade_slices(thin, 4.0, axis=axis)[0]) for axis in "KJI"]
    calls = iter(range(6))

    def fails(moving: Volume, fixed: Volume) -> tuple[np.ndarray, float]:
        if next(calls) in (0, 3):
            raise VolumeError("The registration moves a stack by 25.0 mm, 1.0 degrees: not believed")
        return np.eye(4), 0.0

    monkeypatch.setattr("Training.evaluation.orthogonal_stacks.registered", fails)
    pairs = list(score_set("patient", stacks, [CUBIC]))
    assert [(pair.first, pair.second) for pair in pairs] == [("K", "I"), ("J", "K"), ("I", "K"), ("I", "J")]
    assert "patient: K and J are left out: The registration moves a stack by 25.0 mm" in caplog.text
