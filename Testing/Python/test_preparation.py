"""Volumes are prepared as the paper has it, degraded whole, and the same from the cache as without it."""

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from data_sets import a_volume_array, an_index, write_nifti
from prepared_volumes import SCALE, SETTINGS, an_index_of, assert_same, prepared
from scipy import ndimage

from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.volume import Volume
from Training.data.appearance import AppearanceConfig
from Training.data.cache import ArrayCache, Arrays, cache_key
from Training.data.degradation import content_generator, prepare_volume
from Training.data.mapped_array import MappedArray
from Training.data.preparation import PreparationConfig, prepare_hr
from Training.data.resampling import resample
from Training.data.survey import inspect
from Training.datasets.data_set import Candidate, nothing_to_check

AFFINE = np.diag([0.7, 0.8, 2.5, 1.0])


@pytest.fixture
def a_small_index(tmp_path):
    return an_index_of(tmp_path / "volumes", (12, 15, 14), (13, 12, 17))


def test_without_preparation_and_cache_volumes_are_those_of_the_files(a_small_index):
    wanted = [
        prepare_volume(
            a_small_index.path(entry), SCALE, "center", IntensityPolicy(), 3, content_generator(entry, SETTINGS["seed"])
        )
        for entry in a_small_index.entries
    ]
    wanted = [replace(volume, subject=f"s{number}") for number, volume in enumerate(wanted)]
    assert_same(prepared(a_small_index), wanted)
    np.testing.assert_array_equal(wanted[1].hr, a_volume_array(1, (13, 12, 17)), strict=True)


def test_the_cache_gives_the_same_arrays_mapped_from_disk(a_small_index, tmp_path):
    plain = prepared(a_small_index)
    written = prepared(a_small_index, cache=tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    read = prepared(a_small_index, cache=tmp_path / "cache")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert_same(plain, written)
    assert_same(plain, read)
    assert isinstance(read[0].hr, MappedArray) and isinstance(read[0].degraded[1].lr, MappedArray)
    assert list((tmp_path / "cache").glob(".*")) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"scale": (2, 1, 1)},
        {"grid": "corner"},
        {"intensity": IntensityPolicy("fixed", -1024, 3000)},
        {"seed": 6},
        {"appearance": AppearanceConfig(tone_curves=True)},
        {"appearance": AppearanceConfig(bias_field=0.3), "seed": 6},
        {"preparation": PreparationConfig(pad_multiple=4)},
        {"preparation": PreparationConfig(floor=30.0)},
        {"preparation": PreparationConfig(crop_foreground=True)},
        {"preparation": PreparationConfig(spacing=(1.0, 1.0, 1.0))},
    ],
)
def test_a_changed_setting_never_takes_the_arrays_of_another(a_small_index, tmp_path, changed):
    prepared(a_small_index, cache=tmp_path / "cache")
    num_shifts = 2 if "scale" in changed else 3
    cached = prepared(a_small_index, cache=tmp_path / "cache", **({"num_shifts": num_shifts} | changed))
    assert_same(cached, prepared(a_small_index, **({"num_shifts": num_shifts} | changed)))


def test_a_changed_file_never_takes_the_arrays_of_the_old_one(tmp_path):
    index = an_index_of(tmp_path / "volumes", (12, 15, 14))
    prepared(index, cache=tmp_path / "cache")
    write_nifti(tmp_path / "volumes" / "0.nii", 9, (12, 15, 14))
    with pytest.raises(InputError, match=r"s0: 0\.nii: has other content"):
        prepared(index, cache=tmp_path / "cache")
    [entry] = index.entries
    renewed = an_index(inspect(index.root, Candidate("s0", "0.nii", "MR"), nothing_to_check), root=index.root)
    np.testing.assert_array_equal(
        np.asarray(prepared(renewed, cache=tmp_path / "cache")[0].hr), a_volume_array(9, (12, 15, 14)), strict=True
    )
    assert renewed.entries[0].sha256 != entry.sha256


def test_damaged_arrays_in_the_cache_are_made_again(a_small_index, tmp_path):
    prepared(a_small_index, cache=tmp_path / "cache")
    for number, path in enumerate((tmp_path / "cache").rglob("*.npy")):
        os.truncate(path, 100 if number % 2 else path.stat().st_size - 1)
    assert_same(prepared(a_small_index, cache=tmp_path / "cache"), prepared(a_small_index))


def _store(folder):
    rows = np.arange(40_000).reshape(200, 200)
    loaded = ArrayCache(folder).store(cache_key(a=1), Arrays({"rows": rows}, {"b": 2}))
    return loaded.facts["b"] == 2 and np.array_equal(loaded.arrays["rows"], rows)


def test_several_processes_may_write_the_same_key(tmp_path):
    with ProcessPoolExecutor(3) as pool:
        assert all(pool.map(_store, [tmp_path / "cache"] * 9))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cache_key(a=1)]


def test_a_full_disk_is_told_before_anything_is_computed(a_small_index, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match=r"take .* GiB and .* GiB are free .*data\.cache"):
        prepared(a_small_index, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_space_that_is_asked_for_bounds_what_is_written(a_small_index, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(ArrayCache, "check_space", lambda cache, num_bytes: asked.append(num_bytes))
    prepared(a_small_index, cache=tmp_path / "cache")
    written = sum(np.load(path).nbytes for path in (tmp_path / "cache").rglob("*.npy"))
    assert written <= asked[0] <= 2 * written
    prepared(a_small_index, cache=tmp_path / "cache")
    assert asked[-1] < asked[0] / 4  # nearly nothing is missing then


def test_a_cache_that_cannot_be_made_is_refused(a_small_index, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(OutputError, match=r"The cache .* cannot be made"):
        prepared(a_small_index, cache=tmp_path / "cache")


@pytest.mark.parametrize("preparation", [PreparationConfig(), PreparationConfig(crop_foreground=True)])
def test_too_small_volumes_are_listed_at_once_by_subject(tmp_path, preparation):
    index = an_index_of(tmp_path, (12, 15, 14), (40, 40, 40), (9, 30, 30))
    smallest = 6 if preparation.keeps_shape else 20
    with pytest.raises(InputError, match=f"cannot be used, {smallest} LR voxels") as refusal:
        prepared(index, preparation, smallest_lr=smallest)
    subjects = {line.split(":")[0].strip() for line in str(refusal.value).splitlines()[1:]}
    assert subjects >= {"s0", "s2"}
    if preparation.keeps_shape:
        assert subjects == {"s0", "s2"}
        assert "s2: 2.nii: has an axis of 4 LR voxels at scale (2, 2, 2)" in str(refusal.value)


def test_unusable_volumes_are_listed_at_once_by_subject(tmp_path):
    index = an_index_of(tmp_path, (12, 15, 14), (12, 15, 14))
    for entry in index.entries:  # emptied in secret since the index was made
        path = index.path(entry)
        path.write_bytes(path.read_bytes()[:352] + bytes(entry.num_bytes - 352))
        os.utime(path, ns=(entry.modified_ns, entry.modified_ns))
    with pytest.raises(InputError, match="2 volumes cannot be used") as refusal:
        prepared(index)
    assert [line.split(": ")[:2] for line in str(refusal.value).splitlines()[1:]] == [
        ["  s0", "0.nii"],
        ["  s1", "1.nii"],
    ]


def test_more_grid_positions_than_the_scale_has_are_refused(a_small_index):
    with pytest.raises(ValueError, match=r"\(2, 2, 2\) has 8 positions of the LR grid, 9 were asked for"):
        prepared(a_small_index, num_shifts=9)


def test_cropping_keeps_the_subject_and_its_margin():
    array = np.zeros((30, 28, 26), np.int16)
    array[8:20, 5:21, 10:22] = a_volume_array(0, (12, 16, 12)) + 500
    cropped = prepare_hr(Volume(array, AFFINE), PreparationConfig(crop_foreground=True))
    np.testing.assert_array_equal(cropped.hr, array[8:20, 5:21, 10:22])
    wider = prepare_hr(Volume(array, AFFINE), PreparationConfig(crop_foreground=True, margin=7))
    np.testing.assert_array_equal(wider.hr, array[1:27, 0:28, 3:26])
    assert wider.measured.shape == wider.hr.shape


def test_resampling_agrees_with_linear_interpolation_at_the_new_voxels():
    array = a_volume_array(0, (13, 21, 17))
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    spacing, wanted = (2.5, 0.8, 0.7), (1.25, 0.785, 0.785)  # (D, H, W); the paper's CT
    volume = prepare_hr(Volume(array, turned @ AFFINE), PreparationConfig(spacing=(0.785, 0.785, 1.25)))
    assert volume.spacing == wanted
    assert volume.hr.shape == (25, 21, 15)
    positions = [np.arange(n) * new / old for n, new, old in zip(volume.hr.shape, wanted, spacing, strict=True)]
    grid = np.meshgrid(*positions, indexing="ij")
    expected = ndimage.map_coordinates(array.astype(np.float64), grid, order=1, mode="nearest")
    np.testing.assert_allclose(volume.hr, expected, atol=0.01)  # of 500


def test_masks_stay_masks_when_resampled():
    mask = np.zeros((9, 9, 9), bool)
    mask[:, :, 4:] = True
    finer = resample(mask, np.eye(4), (1.0, 1.0, 0.5), "nearest")
    assert finer.dtype == bool
    assert finer.shape == (9, 9, 17)
    assert not finer[:, :, :7].any() and finer[:, :, 8:].all()


def test_padding_is_at_the_end_and_counts_as_not_measured():
    array = a_volume_array(0, (9, 16, 13))
    padded = prepare_hr(Volume(array, AFFINE), PreparationConfig(pad_multiple=8, pad_smallest=10))
    assert padded.hr.shape == (16, 16, 16)
    np.testing.assert_array_equal(padded.hr[:9, :16, :13], array)
    assert (padded.hr[9:] == array.min()).all()
    assert padded.measured[:9, :, :13].all() and not padded.measured[9:].any() and not padded.measured[:, :, 13:].any()


def test_the_floor_raises_what_lies_outside_a_ct_scanners_circle():
    array = a_volume_array(0) - np.int16(1100)
    array[:2] = -3024
    raised = prepare_hr(Volume(array, AFFINE), PreparationConfig(floor=-1024))
    assert raised.hr.dtype == np.int16
    np.testing.assert_array_equal(raised.hr, np.maximum(array, -1024))
    unsigned = prepare_hr(Volume(a_volume_array(0).astype(np.uint16), AFFINE), PreparationConfig(floor=-1024))
    np.testing.assert_array_equal(unsigned.hr, a_volume_array(0).astype(np.uint16), strict=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing must be positive"),
        ({"margin": -1}, "margin must be at least 0"),
        ({"margin": 2}, "margin does nothing without"),
        ({"pad_multiple": 0}, "pad_multiple must be at least 1"),
    ],
)
def test_contradictory_preparation_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        PreparationConfig(**fields)
