"""Patches of thick slices: what they were made of, where they lie, and a run that is trained on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_runs import arguments, index_of, log_lines, write_blobs

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.appearance import AppearanceConfig
from Training.data.data_config import DataConfig
from Training.data.patches import SampleOrder
from Training.data.slice_patches import SlicePatchDataset, draw_scan
from Training.data.slices_config import SlicesConfig
from Training.data.training_volume import TrainingVolume
from Training.train import main as train

SLICES = SlicesConfig(num_slices=4, spacing=(2.0, 5.0), gap=0.3)
PLAIN = DataConfig(
    index=Path(), patch_size=12, batch_size=1, grid_shifts=1, flips=False, intensity_jitter=0.0, slices=SLICES
)


def a_volume(shape=(48, 44, 40), spacing=(1.0, 1.0, 1.0), hr=None) -> TrainingVolume:
    made = np.random.default_rng(0).random(shape).astype(np.float32) if hr is None else hr
    return TrainingVolume("volume", made, np.ones(made.shape, bool), spacing, (), ())


def a_ramp(axis: int, shape=(48, 44, 40)) -> np.ndarray:
    return np.indices(shape)[axis].astype(np.float32)


def a_dataset(volume, config=PLAIN, seed=1) -> SlicePatchDataset:
    return SlicePatchDataset([volume], config, IntensityPolicy("min-max"), seed, SampleOrder(first=0, num_batches=40))


def test_patches_have_the_slices_asked_for_and_the_voxels_between_them():
    for patches in a_dataset(a_volume()):
        assert patches.lr.shape == (1, 1, 4, 12, 12)
        assert patches.hr.shape == patches.interpolated.shape == patches.measured.shape
        positions = patches.query.positions
        assert len(positions) == patches.hr.shape[2]
        assert 0 <= positions.min() < 0.5 and 2.5 < positions.max() <= 3
        step = 1 / patches.query.slices[0, 1:]
        torch.testing.assert_close(positions.diff(), step, atol=1e-5, rtol=0)


def test_positions_name_the_places_of_the_voxels():
    """On a ramp every slice measures the height of its centre, whatever its profile, so position and height agree."""
    config = replace(PLAIN, slices=replace(SLICES, width=(1.0, 1.0)))
    seen = 0
    for patches in a_dataset(a_volume(hr=a_ramp(0)), config):
        lr, hr = (part[0, 0, :, 0, 0] for part in (patches.lr, patches.hr))
        if lr.std() < 1e-6:  # another slice axis
            continue
        wanted = np.interp(patches.query.positions, np.arange(4), lr)
        np.testing.assert_allclose(hr, wanted, atol=2e-3)  # of 1, the whole ramp; the HR voxels are 1/47 apart
        seen += 1
    assert seen > 5


def test_every_axis_is_sliced_and_every_patch_is_another_scan():
    volumes = [a_volume(hr=a_ramp(axis)) for axis in range(3)]
    for volume in volumes:
        varying = [patches.lr[0, 0].std(0).max() > 1e-6 for patches in a_dataset(volume)]
        assert 4 < sum(varying) < 25  # a third of 40
    spacings = {round(float(patches.query.slices[0, 0]), 4) for patches in a_dataset(volumes[0])}
    assert len(spacings) == 40 and min(spacings) >= 2
    shares = [float(patches.query.slices[1, 0]) for patches in a_dataset(volumes[0])]
    assert 10 < sum(share < 0.999 for share in shares) < 30 and min(shares) > 0.7


def test_a_sample_is_a_function_of_seed_and_number():
    config = replace(PLAIN, flips=True, intensity_jitter=0.2, appearance=AppearanceConfig(True, 0.3, 0.02))
    config = replace(config, slices=replace(SLICES, blur=1.0, movement=1.0, gain=0.05))
    one, same, other = (a_dataset(a_volume(), config, seed)[7] for seed in (1, 1, 2))
    for first, second in zip(one[:4], same[:4], strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert one.hr.shape != other.hr.shape or not torch.equal(one.hr, other.hr)


def test_noise_is_in_the_slices_and_their_interpolation_alone():
    noisy_config = replace(PLAIN, appearance=AppearanceConfig(noise=0.5))
    changed = 0
    for noisy, plain in zip(a_dataset(a_volume(), noisy_config), a_dataset(a_volume()), strict=True):
        torch.testing.assert_close(noisy.hr, plain.hr)
        changed += not torch.allclose(noisy.lr, plain.lr)
        assert torch.allclose(noisy.lr, plain.lr) == torch.allclose(noisy.interpolated, plain.interpolated)
    assert changed > 35


def test_the_true_profile_is_not_the_one_that_is_told():
    random = np.random.default_rng(0)
    scans = [draw_scan(SLICES, 100, random) for _ in range(60)]
    widths = np.array([scan.measured.thickness / scan.told.thickness for scan in scans])
    assert widths.min() < 0.8 and widths.max() > 1.2 and ((widths >= 0.7) & (widths <= 1.3)).all()
    assert {scan.measured.shape for scan in scans} == {"gaussian", "rectangular"}
    assert {scan.told.shape for scan in scans} == {"gaussian"}
    assert all(scan.measured.centres == scan.told.centres for scan in scans)
    assert max(scan.told.hr_size for scan in (draw_scan(SLICES, 20, random) for _ in range(20))) <= 20


def test_half_of_the_patches_are_interpolated_finer():
    """On a ramp neighbouring voxels then differ by less; positions still name their places."""
    config = replace(PLAIN, slices=replace(SLICES, width=(1.0, 1.0), zoom=2.0))
    steps = []
    for patches in a_dataset(a_volume(hr=a_ramp(0)), config):
        lr, hr = (part[0, 0, :, 0, 0] for part in (patches.lr, patches.hr))
        if lr.std() > 1e-6:  # along the ramp
            steps.append(abs(float(hr.diff().mean())) * 44)  # the range is that of every fourth voxel
            wanted = np.interp(patches.query.positions, np.arange(4), lr)
            np.testing.assert_allclose(hr, wanted, atol=2e-3)
    assert any(step == pytest.approx(1, abs=1e-3) for step in steps)
    assert 0.5 <= min(steps) < 0.8


def test_volumes_that_cannot_be_sliced_are_refused():
    with pytest.raises(VolumeError, match="no thick slices can be made of voxels of 3 x 1 x 1 mm"):
        a_dataset(a_volume(spacing=(3.0, 1.0, 1.0)))
    with pytest.raises(VolumeError, match="are fewer than a patch needs, 12 within the plane and 16 through it"):
        a_dataset(a_volume((11, 44, 40)[::-1], hr=np.random.default_rng(0).random((11, 11, 40))))
    thin = a_dataset(a_volume((14, 44, 40)))  # along its short axis there is no room for 16 voxels
    assert thin.axes == [[1, 2]]


# --- A run -----------------------------------------------------------------------------------------------------------

NETWORK = '{"num_features": 4, "num_blocks": 1, "growth": 2, "decoder_features": 4, "tail_features": 4}'
OPTIONS = {
    "model.name": "between",
    "model.skip": "consistent",
    "network.name": "through-plane",
    "network.config": NETWORK,
    "data.patch_size": 12,
    "data.batch_size": 1,
    "data.grid_shifts": 1,
    "data.slices.num_slices": 4,
    "data.slices.spacing": "[2.0, 4.0]",
    "loss.pixel_error": "squared",
}


@pytest.fixture(scope="module")
def an_index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    for name in ("train/a", "train/b", "validation/c"):
        write_blobs(folder, name, (36, 32, 34))
    return index_of(folder)


def test_a_run_trains_validates_and_writes_a_model_for_slices(an_index, tmp_path):
    assert train(arguments(an_index, tmp_path, **OPTIONS)) == 0
    model = load_model(tmp_path / "last.safetensors")
    card = model.card
    assert (card.axes, card.skip, card.scale, card.slice_spacing_range) == ("slice", "consistent", (1, 1, 1), (2, 4))
    assert [line["step"] for line in log_lines(tmp_path) if "validation_psnr" in line] == [3, 6]
    assert any(parameter.any() for parameter in (model.network.conv_last.weight,))  # it began with zeros


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(an_index, tmp_path):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert train(arguments(an_index, whole, **OPTIONS)) == 0
    assert train(arguments(an_index, parted, **(OPTIONS | {"optimisation.steps": 4}))) == 0
    assert train(arguments(an_index, parted, **OPTIONS)) == 0
    one, other = (load_model(run / "last.safetensors").network.state_dict() for run in (whole, parted))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=0, atol=0, msg=name)
    assert read_card(whole / "last.safetensors").training["steps"] == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model.skip": "zero-filled"}, "consistent and through-plane belong together"),
        ({"data.batch_size": 2}, "data.batch_size is 1 for through-plane"),
        ({"data.patch_size": 11}, "must be a multiple of network.config.unshuffle"),
        ({"loss.adversarial_weight": 0.1}, "fitted to pixels alone"),
        ({"data.slices.gap": 1.0}, "data.slices.gap must be in"),
        ({"data.slices.movement": -1.0}, "data.slices.movement must be 0 or more, got -1.0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(an_index, tmp_path, changed, message, capsys):
    try:
        code = train(arguments(an_index, tmp_path, **(OPTIONS | changed)))
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err
