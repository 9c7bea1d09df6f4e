"""The forward model: what k-space does already, data consistency on odd sizes in both precisions, NumPy and torch."""

import json

import numpy as np
import pytest
import torch

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.forward import forward_model, kspace
from SuperResolution3DLib.forward.axis_operator import Identity, KSpaceCrop, Slices
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE
from SuperResolution3DLib.forward.forward_model import ForwardModel
from SuperResolution3DLib.forward.slice_profile import SliceProfile

UNEVEN = (1.6, 4.7, 7.9, 10.8, 14.1, 17.2, 20.4)
TOLERANCE = {np.float64: 1e-9, np.float32: 1e-5}


def a_volume(shape: tuple[int, ...], dtype=np.float64) -> np.ndarray:
    return (np.random.default_rng(5).random(shape) * 300 - 20).astype(dtype)


def a_profile(thickness=3.1, shape="gaussian", target=0.75) -> SliceProfile:
    return SliceProfile.over_slices(shape, thickness, UNEVEN, target)


def a_mixed_model() -> ForwardModel:
    return ForwardModel((KSpaceCrop(3, "corner"), Identity(), Slices(a_profile(), DEFAULT_NOISE)))


@pytest.mark.parametrize("scale", [(4, 4, 4), (4, 1, 1), (1, 2, 3)])
@pytest.mark.parametrize("grid", ["center", "corner"])
@pytest.mark.parametrize("lr_shape", [(5, 7, 9), (6, 4, 8)])
def test_a_k_space_model_does_what_k_space_does(scale, grid, lr_shape):
    model, lr = ForwardModel.k_space(scale, grid), a_volume(lr_shape)
    hr = a_volume(model.hr_shape(lr_shape))
    assert model.lr_shape(hr.shape) == lr_shape
    np.testing.assert_allclose(model.degrade(hr), kspace.degrade(hr, scale, grid), atol=1e-9)
    np.testing.assert_allclose(model.interpolate(lr), kspace.zero_fill(lr, scale, grid), atol=1e-9)
    np.testing.assert_allclose(model.residual(hr, lr), kspace.residual(hr, lr, scale, grid), atol=1e-9)
    np.testing.assert_allclose(model.project(hr, lr), kspace.project(hr, lr, scale, grid), atol=1e-9)


@pytest.mark.parametrize("lr_size", [5, 6])
@pytest.mark.parametrize("grid", ["center", "corner"])
def test_zero_filling_is_the_pseudoinverse_of_the_k_space_crop(lr_size, grid):
    axis = KSpaceCrop(4, grid)
    expected = np.linalg.pinv(axis.degradation(4 * lr_size))
    np.testing.assert_allclose(axis.back_projection(lr_size), expected, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
def test_slices_are_the_dense_matrix_along_their_axis_alone(axis, shape):
    profile = a_profile(shape=shape)
    model = ForwardModel.slices(profile, axis=axis)
    hr = a_volume(tuple(profile.hr_size if index == axis else size for index, size in enumerate((5, 6, 7))))
    expected = np.moveaxis(np.tensordot(profile.matrix(), hr, (1, axis)), 0, axis)
    np.testing.assert_allclose(model.degrade(hr), expected, atol=1e-9)
    assert model.degrade(hr).shape == model.lr_shape(hr.shape)
    assert model.interpolate(expected).shape == hr.shape


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
@pytest.mark.parametrize("thickness", [0.9, 2.4, 3.1])
@pytest.mark.parametrize("target", [0.39, 0.75, 1.5])
def test_a_projected_volume_degrades_to_the_measured_slices(dtype, shape, thickness, target):
    profile = a_profile(thickness, shape, target)
    model = ForwardModel.slices(profile, DEFAULT_NOISE)
    lr, hr = a_volume((7, 9, 5), dtype), a_volume((profile.hr_size, 9, 5), dtype)
    projected = model.project(hr, lr)
    assert projected.dtype == dtype
    assert model.regularisation() == 0
    assert np.abs(model.residual(projected, lr)).max() < TOLERANCE[dtype] * np.ptp(lr)
    assert np.abs(model.project(projected, lr) - projected).max() < TOLERANCE[dtype] * np.ptp(lr)


def test_projecting_changes_a_volume_as_little_as_it_can():
    profile = a_profile()
    model, hr, lr = ForwardModel.slices(profile), a_volume((profile.hr_size, 3, 2)), a_volume((7, 3, 2))
    matrix = profile.matrix()
    least = np.linalg.lstsq(matrix, (lr - model.degrade(hr)).reshape(7, -1), rcond=None)[0]
    np.testing.assert_allclose(model.project(hr, lr) - hr, least.reshape(hr.shape), atol=1e-9)


@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
def test_overlapping_slices_leave_a_smaller_residual_and_say_so(shape):
    profile = SliceProfile.over_slices(shape, 6.0, tuple(3.0 * np.arange(21)), 0.75)
    model, lr = ForwardModel.slices(profile), a_volume((21, 3, 2))
    hr = a_volume((profile.hr_size, 3, 2))
    before, after = model.residual(hr, lr), model.residual(model.project(hr, lr), lr)
    assert model.regularisation() > 0
    assert 0 < np.linalg.norm(after) < 0.5 * np.linalg.norm(before)


@pytest.mark.parametrize("method", ["degrade", "interpolate", "residual", "project"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_torch_and_numpy_agree_with_leading_axes_too(method, dtype):
    model = a_mixed_model()
    lr = a_volume((2, 1, 5, 6, 7), dtype)
    hr = a_volume((2, 1, *model.hr_shape(lr.shape)), dtype)
    given = {"degrade": (hr,), "interpolate": (lr,), "residual": (hr, lr), "project": (hr, lr)}[method]
    expected = getattr(model, method)(*given)
    result = getattr(model, method)(*(torch.from_numpy(array) for array in given))
    assert result.dtype == torch.from_numpy(expected).dtype == torch.from_numpy(lr).dtype
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-9 if dtype == np.float64 else 1e-3)


def test_gradients_flow_through_a_projection():
    model = a_mixed_model()
    lr = torch.from_numpy(a_volume((4, 3, 7)))
    hr = torch.from_numpy(a_volume(model.hr_shape(lr.shape))).requires_grad_()
    model.project(hr, lr).square().sum().backward()
    assert hr.grad is not None
    assert hr.grad.abs().max() > 0


def test_a_projection_in_blocks_is_that_of_the_whole(monkeypatch):
    model = a_mixed_model()
    lr = a_volume((2, 5, 6, 7), np.float32)
    hr = a_volume((2, *model.hr_shape(lr.shape)), np.float32)
    whole, given = model.project(hr, lr), hr.copy()
    monkeypatch.setattr(forward_model, "BLOCK_VOXELS", 1000)
    assert len(list(model.blocks(hr.shape))) > 1
    np.testing.assert_allclose(model.project(hr, lr), whole, atol=1e-4)
    np.testing.assert_array_equal(hr, given)


def test_integers_are_degraded_in_double_precision():
    hr = a_volume((a_profile().hr_size, 3, 2)).astype(np.int16)
    model = ForwardModel.slices(a_profile())
    assert model.degrade(hr).dtype == np.float64
    np.testing.assert_array_equal(model.degrade(hr), model.degrade(hr.astype(np.float64)))


def test_a_model_survives_json():
    model = a_mixed_model()
    assert ForwardModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "three axes"),
        ({"axes": [{"kind": "identity"}] * 2}, "three axes"),
        ({"axes": [{"kind": "blur"}] * 3}, "one of the kinds identity, k-space, slice-profile, not 'blur'"),
        ({"axes": [{"kind": "k-space"}] * 3}, "cannot be used: .*factor"),
        ({"axes": [{"kind": "k-space", "factor": 0}] * 3}, "at least 1, not 0"),
        ({"axes": [{"kind": "slice-profile", "shape": "gaussian"}] * 3}, "centres"),
        ({"axes": [{**a_mixed_model().to_dict()["axes"][2], "noise": -1}] * 3}, "0 or more, not -1"),
    ],
)
def test_an_unusable_model_is_refused(values, message):
    with pytest.raises(ModelError, match=message):
        ForwardModel.from_dict(values)


def test_shapes_that_do_not_fit_are_refused():
    model = ForwardModel((Identity(), KSpaceCrop(2), Slices(a_profile())))
    hr_size = a_profile().hr_size
    with pytest.raises(ValueError, match="5 HR voxels is not a multiple of the factor 2"):
        model.degrade(np.zeros((3, 5, hr_size)))
    with pytest.raises(ValueError, match=f"has 9 HR voxels, its forward model {hr_size}"):
        model.degrade(np.zeros((3, 4, 9)))
    with pytest.raises(ValueError, match="has 6 slices, its forward model 7"):
        model.interpolate(np.zeros((3, 4, 6)))
    with pytest.raises(ValueError, match=r"has an LR of \(3, 2, 7\), not \(3, 3, 7\)"):
        model.project(np.zeros((3, 4, hr_size)), np.zeros((3, 3, 7)))
