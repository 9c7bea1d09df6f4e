"""Patches: aligned, reproducible, and augmented only where that is exact."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training.data.data_config import DataConfig
from Training.data.degradation import PreparationConfig, prepare_volume, prepare_volumes
from Training.data.index import Index, IndexEntry, content_sha256
from Training.data.patches import PatchDataset, SampleOrder

SCALE = (2, 2, 2)
CONFIG = DataConfig(index=Path(), patch_size=5, grid_shifts=3, flips=False, intensity_jitter=0.0)


def a_volume_file(folder, shape=(19, 22, 24), spacing=(1.0, 1.0, 1.5)) -> Path:
    k, j, i = np.indices(shape)
    array = 100 * np.exp(-((k - 9) ** 2 + (j - 10) ** 2 + (i - 13) ** 2) / 40) + np.random.default_rng(0).random(shape)
    path = folder / "subject.nii.gz"
    write_volume(Volume(array.astype(np.float32), np.diag([*spacing, 1.0])), path, overwrite=True)
    return path


@pytest.fixture
def a_training_volume(tmp_path):
    return prepare_volume(a_volume_file(tmp_path), SCALE, "center", IntensityPolicy(), 3, np.random.default_rng(0))


def a_dataset(volume, config=CONFIG, seed=4) -> PatchDataset:
    return PatchDataset([volume], SCALE, config, seed, SampleOrder(first=0, num_batches=10))


def test_each_degraded_copy_is_the_whole_shifted_volume_degraded(a_training_volume):
    starts = [degraded.start for degraded in a_training_volume.degraded]
    assert starts[0] == (0, 0, 0)
    assert len(set(starts)) == 3
    for degraded in a_training_volume.degraded:
        hr = a_training_volume.hr[tuple(slice(start, None) for start in degraded.start)]
        hr = hr[tuple(slice(0, size // 2 * 2) for size in hr.shape)]
        lr = degrade(hr.astype(np.float64), SCALE, "center")
        np.testing.assert_allclose(degraded.lr * degraded.width + degraded.offset, lr, atol=1e-4)


def test_the_intensity_map_may_be_that_of_the_hr(tmp_path):
    path = a_volume_file(tmp_path)
    facts = {"sha256": content_sha256(path), "num_bytes": path.stat().st_size, "dtype": "float32"}
    entry = IndexEntry("s", path.name, "MR", (1.5, 1, 1), (19, 22, 24), **facts)
    index, policy = Index("set", tmp_path, (entry,)), IntensityPolicy("min-max")
    options = {"scale": SCALE, "grid": "corner", "intensity": policy, "num_shifts": 2, "seed": 0}
    for cache in (None, tmp_path / "cache"):
        by_source = {}
        for source in ("lr", "hr"):
            (volume,) = prepare_volumes(
                index, [entry], PreparationConfig(), **options, cache=cache, intensity_from=source
            )
            by_source[source] = volume.degraded
        for lr, hr in zip(by_source["lr"], by_source["hr"], strict=True):
            box = tuple(slice(s, s + n * 2) for s, n in zip(hr.start, hr.lr.shape, strict=True))
            wanted = policy.fit(volume.hr[box])
            assert (hr.offset, hr.width) == (wanted.offset, wanted.width)
            assert (
                hr.width != lr.width
            )  # by how much depends on the position of the grid, drawn from the file's content
            one, other = (np.asarray(made.lr) * made.width + made.offset for made in (hr, lr))
            np.testing.assert_allclose(one, other, atol=1e-3)


def test_patches_are_aligned_and_cut_from_whole_volumes(a_training_volume):
    patches = a_dataset(a_training_volume)[3]
    assert patches.lr.shape == (2, 1, 5, 5, 5)
    assert patches.hr.shape == patches.interpolated.shape == patches.measured.shape == (2, 1, 10, 10, 10)
    for lr, zero_filled in zip(patches.lr[:, 0], patches.interpolated[:, 0], strict=True):
        homes = [
            (degraded, corner)
            for degraded in a_training_volume.degraded
            for corner in np.argwhere(degraded.lr[: -4 or None, :-4, :-4] == lr[0, 0, 0].item())
        ]
        assert len(homes) == 1
        degraded, corner = homes[0]
        box = tuple(slice(2 * at, 2 * at + 10) for at in corner)
        wanted = zero_fill(degraded.lr, SCALE, "center")[box]
        np.testing.assert_allclose(zero_filled, wanted, atol=1e-5)
        hr_box = tuple(slice(part.start + s, part.stop + s) for part, s in zip(box, degraded.start, strict=True))
        hr = (a_training_volume.hr[hr_box] - degraded.offset) / degraded.width
        number = int((patches.lr[:, 0, 0, 0, 0] == lr[0, 0, 0]).nonzero()[0])
        np.testing.assert_allclose(patches.hr[number, 0], hr, atol=1e-5)


def test_a_batch_depends_on_seed_and_index_alone(a_training_volume):
    first, second = a_dataset(a_training_volume), a_dataset(a_training_volume)
    second[0], second[7]  # whatever was drawn before
    for one, other in zip(first[3][:4], second[3][:4], strict=True):
        assert torch.equal(one, other)
    later = PatchDataset([a_training_volume], SCALE, CONFIG, 4, SampleOrder(first=6, num_batches=7))  # continued
    assert torch.equal(first[3].lr, later[0].lr)
    shared = PatchDataset([a_training_volume], SCALE, CONFIG, 4, SampleOrder(0, 5, process=1, num_processes=2))
    assert torch.equal(first[3].lr, shared[1].lr)
    assert not torch.equal(first[3].lr, a_dataset(a_training_volume, seed=5)[3].lr)


def test_augmented_patches_are_those_of_the_augmented_volume(a_training_volume):
    """A flipped patch equals degrading the flipped HR volume: exact on the center grid."""
    augmented = replace(CONFIG, flips=True)
    plain, flipped = a_dataset(a_training_volume)[0], a_dataset(a_training_volume, augmented)[0]
    for name in ("lr", "hr", "interpolated"):
        for before, after in zip(getattr(plain, name)[:, 0], getattr(flipped, name)[:, 0], strict=True):
            np.testing.assert_allclose(np.sort(before.ravel()), np.sort(after.ravel()), atol=1e-6)
    hr = a_training_volume.hr[:18, :22, :24].astype(np.float64)
    for axes in ((0,), (1, 2)):
        wanted = np.flip(degrade(hr, SCALE, "center"), axes)
        np.testing.assert_allclose(degrade(np.flip(hr, axes), SCALE, "center"), wanted, atol=1e-9)


def test_only_axes_of_equal_spacing_are_swapped(a_training_volume):
    assert set(a_training_volume.axis_orders) == {(0, 1, 2), (0, 2, 1)}  # D is 1.5 mm


def test_jitter_scales_all_patches_alike(a_training_volume):
    jittered = a_dataset(a_training_volume, replace(CONFIG, intensity_jitter=0.5))[0]
    plain = a_dataset(a_training_volume)[0]
    gain = (jittered.hr / plain.hr).flatten(1).median(dim=1).values
    assert ((gain > 1 / 1.5) & (gain < 1.5) & ((gain - 1).abs() > 1e-3)).all()
    torch.testing.assert_close(jittered.lr, plain.lr * gain[:, None, None, None, None], rtol=1e-4, atol=1e-5)


def test_flips_are_refused_on_the_corner_grid():
    with pytest.raises(ValueError, match=r"data\.flips moves LR voxels on the corner grid"):
        DataConfig(index=Path(), grid="corner")


def test_a_volume_smaller_than_the_patch_is_refused(a_training_volume):
    with pytest.raises(VolumeError, match=r"subject.nii.gz: LR shape \(\d+, \d+, \d+\)"):
        a_dataset(a_training_volume, replace(CONFIG, patch_size=12))
