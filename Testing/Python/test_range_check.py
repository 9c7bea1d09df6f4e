"""Volumes unlike those of the training: what is measured of them, and the sentence that each gets."""

import re
from dataclasses import replace

import numpy as np
import pytest
from models import a_tiny_card, a_tiny_model
from scipy import ndimage

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade, zero_fill
from SuperResolution3DLib.forward.slice_axis import find_slice_axis
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.inference.trust.range_check import compare, range_warnings, slice_warnings
from SuperResolution3DLib.models.input_ranges import InputRanges
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.geometry import Scale
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.volume import Volume, read_volume

SCALE: Scale = (4, 4, 4)
TRAIN = (
    *("t1-brain-ds002748-01", "t1-brain-ds002748-44", "t1-brain-fnndscsag-01", "t1-brain-seg3d-01"),
    *("t1-brain-studyforrest-01", "t1-head-ds000011-01", "t1-head-ds000011-06", "t2-brain-arc-m2208"),
)
TEST = (
    *("t1-brain-ds002748-29", "t1-brain-ds002748-55", "t1-brain-niimath-01", "t1-head-ds000011-10"),
    "t2-brain-clinical-01",
)


def a_ball(shape=(30, 34, 32), radius=12.0) -> np.ndarray:
    """A ball of 0.8 in air of 0, its surface smooth enough to leave the highest frequencies to the noise."""
    centre = [(size - 1) / 2 for size in shape]
    axes = np.meshgrid(*(np.arange(size) - middle for size, middle in zip(shape, centre, strict=True)), indexing="ij")
    distance = np.sqrt(sum(axis**2 for axis in axes))
    return (0.8 / (1 + np.exp(distance - radius))).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.1])
def test_the_noise_is_found_in_a_volume_with_edges(sigma):
    noise = np.random.default_rng(0).normal(0, sigma, (30, 34, 32))
    measured = measure_input((a_ball() + noise).astype(np.float32), (3, 3, 3))
    assert measured.noise == pytest.approx(sigma, rel=0.15)


def test_the_extent_is_that_of_the_subject_in_mm():
    lr = np.zeros((20, 24, 22), np.float32)
    lr[4:14, 6:20, 5:17] = 1
    lr[9, 12, 10] = 0.9
    assert measure_input(lr, (3, 2, 1.5)).extent == (30, 28, 18)


def test_the_quantiles_are_those_of_the_subject():
    lr = np.zeros((20, 24, 22), np.float32)
    lr[4:14, 6:20, 5:17] = np.linspace(0.6, 1, 10)[:, None, None]
    np.testing.assert_allclose(
        measure_input(lr, (3, 3, 3)).quantiles,
        np.quantile(np.linspace(0.6, 1, 10), (0.1, 0.25, 0.5, 0.75, 0.9)),
        atol=0.05,
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_high_band_is_full_in_white_noise_and_empty_along_an_interpolated_axis(axis):
    noise = np.random.default_rng(0).normal(size=(24, 28, 26)).astype(np.float32)
    factors = [1.0, 1.0, 1.0]
    factors[axis] = 2.0
    measured = measure_input(ndimage.zoom(noise, factors, order=1), (3, 3, 3)).high_band
    assert measured[axis] < 0.35
    assert min(value for other, value in enumerate(measured) if other != axis) > 0.9


@pytest.fixture
def known_measures():
    lr = (a_ball() + np.random.default_rng(0).normal(0, 0.02, (30, 34, 32))).astype(np.float32)
    return measure_input(lr, (3, 3.5, 4))


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({}, None, ""),
        ({"spacing": (3, 3.5, 8)}, "spacing", "Voxels measure 8 mm left-right, tiny was trained on 4 to 4 mm there"),
        ({"extent": (7, 80, 90)}, "extent", "What the volume shows measures 7 mm head-foot, tiny was trained on "),
        ({"noise": 0.1}, "noise", "Changes from voxel to voxel make 10 % of the intensity range, tiny was trained on "),
        (
            {"quantiles": (0.1,) * 5},
            "histogram",
            "of the subject's voxels lie below 0.10 of the intensity range, tiny ",
        ),
        ({"high_band": (0.9, 0.01, 0.9)}, "interpolated", "The front-back spectrum is nearly empty .*0.01 of the band"),
    ],
)
def test_each_measurement_outside_its_range_gets_one_sentence_with_the_number(known_measures, change, code, message):
    found = compare(replace(known_measures, **change), InputRanges.of([known_measures]), "tiny")
    assert [warned.kind for warned in found] == ([code] if code else [])
    if code:
        assert re.search(message, found[0].message)


def test_ranges_survive_the_way_through_a_card(known_measures):
    ranges = InputRanges.of([known_measures, replace(known_measures, noise=0.5)])
    card = a_tiny_card(input_ranges=ranges.to_card())
    read = InputRanges.from_card(ModelCard.from_json(card.to_json(), "tiny").input_ranges)
    assert read.volumes == 2
    assert read.noise == pytest.approx(ranges.noise, rel=1e-3)
    np.testing.assert_allclose(read.high_band, ranges.high_band, rtol=1e-3)
    assert InputRanges.from_card({}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": [2, 1]}, "something else than ranges of two increasing numbers"),
        ({"extent": [[1, 2]]}, "holds 1 ranges of extent, wanted 3"),
        ({"volumes": None}, "something else"),
    ],
)
def test_a_card_with_damaged_ranges_is_refused(known_measures, change, message):
    card = a_tiny_card(input_ranges=InputRanges.of([known_measures]).to_card() | change)
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(card.to_json(), "tiny")
    del card.input_ranges["noise"]
    with pytest.raises(ModelError, match="input_ranges lacks"):
        ModelCard.from_json(card.to_json(), "tiny")


def test_nothing_can_be_said_without_a_volume():
    with pytest.raises(ValueError, match="no volume to take the ranges of"):
        InputRanges.of([])


@pytest.mark.parametrize("modality", ["", "MR"])
def test_a_volume_of_hounsfield_units_given_to_an_mr_model_is_told(modality):
    array = np.where(a_ball() > 0.1, 40 + 300 * a_ball(), -1000).astype(np.int16)
    volume = Volume(array, np.diag([3, 3, 3, 1.0]), modality=modality)
    lr = IntensityPolicy().fit(array).to_network(array)
    found = [warned.message for warned in range_warnings(volume, a_tiny_card(), lr, volume.shape, 2)]
    air = f"{np.mean(array == -1000):.0%} of its voxels lie near -1000 HU"
    assert found == ([] if modality else [f"The volume looks like CT ({air}), tiny was trained on MR"])
    assert range_warnings(volume, a_tiny_card(modality="CT, MR"), lr, volume.shape, 2) == []


def test_a_volume_unlike_ct_is_told_where_the_model_is_for_ct():
    array = np.round(300 * a_ball()).astype(np.int16)
    lr = IntensityPolicy().fit(array).to_network(array)

    def told(modality: str) -> list[str]:
        volume = Volume(array, np.diag([3, 3, 3, 1.0]), modality=modality)
        return [warned.message for warned in range_warnings(volume, a_tiny_card(modality="CT"), lr, volume.shape, 2)]

    assert told("") == ["The volume does not look like CT in HU, tiny was trained on CT"]
    assert told("CT") == []


def test_a_cut_of_a_ct_without_air_is_told_by_its_fat_and_soft_tissue():
    kinds = np.arange(30 * 34 * 32).reshape(30, 34, 32) % 10
    array = np.select([kinds < 2, kinds < 6], [-90, 55], 300).astype(np.int16)
    lr = IntensityPolicy().fit(array).to_network(array)

    def told(voxels: np.ndarray) -> list[str]:
        volume = Volume(voxels, np.diag([3, 3, 3, 1.0]))
        return [warned.message for warned in range_warnings(volume, a_tiny_card(), lr, voxels.shape, 2)]

    (sentence,) = told(array)
    assert "20% of its voxels lie where fat does, -150 to -70 HU, and 40% where soft tissue does" in sentence
    assert told(array + 90) == [] and told(np.where(array == 55, 300, array)) == []


@pytest.mark.parametrize("name", ["test/ct-abdomen5mm-cptacpda-01", "train/ct-abdomen-pancreascb-01"])
def test_real_abdomens_in_ct_without_air_are_told(shared_data, name):
    volume = read_volume(shared_data / f"{name}.nii.gz")
    axis = find_slice_axis(volume.affine, "K")
    assert [warned.code for warned in slice_warnings(volume, a_tiny_card(), axis)][:1] == ["modality-like-ct-tissue"]


def test_a_run_tells_what_lies_outside_and_reports_it(tmp_path, known_measures):
    codes = []

    class Listener(Monitor):
        def warn(self, warned):
            codes.append(warned.kind)

    model = a_tiny_model(tmp_path, input_ranges=InputRanges.of([known_measures]).to_card())
    noisy = (a_ball() + np.random.default_rng(0).normal(0, 0.1, (30, 34, 32))).astype(np.float32)
    result = super_resolve(Volume(noisy, np.diag([4, 3.5, 3, 1.0])), model, Settings("cpu", "fp32"), Listener())
    assert "noise" in codes
    assert [warned.kind for warned in result.report.warnings] == codes


@pytest.fixture(scope="module")
def measured_in(request):
    """Return what measures a real volume, degraded: of the LR, changed by a function."""

    def measure(path, change=lambda lr: lr, factor=1.0):
        volume = read_volume(path).canonical()
        hr = volume.array[crop_to_multiple(volume.shape, SCALE)].astype(np.float32)
        lr = change(degrade(hr, SCALE).astype(np.float32))
        depth, height, width = (4 * step * factor for step in volume.spacing)
        return measure_input(IntensityPolicy().fit(lr).to_network(lr), (depth, height, width))

    return measure


@pytest.fixture(scope="module")
def ranges_of_brains(measured_in):
    from conftest import SHARED

    if not (SHARED / "data").is_dir():
        pytest.skip("needs the shared folder of real volumes beside the repository (shared/data)")
    return InputRanges.of([measured_in(SHARED / "data" / "train" / f"{name}.nii.gz") for name in TRAIN])


@pytest.mark.parametrize("name", TEST)
def test_it_is_quiet_on_the_brains_of_the_test(shared_data, ranges_of_brains, measured_in, name):
    assert compare(measured_in(shared_data / "test" / f"{name}.nii.gz"), ranges_of_brains, "brains") == []


@pytest.mark.parametrize(
    ("change", "factor", "code"),
    [
        (lambda lr: lr + np.random.default_rng(0).normal(0, 0.1 * lr.max(), lr.shape), 1, "noise"),
        (lambda lr: ndimage.zoom(lr, 2, order=1), 0.8, "interpolated"),
        (lambda lr: ndimage.zoom(lr, 1.5, order=3), 0.9, "interpolated"),
        (lambda lr: zero_fill(lr, (2, 2, 2)), 0.8, "interpolated"),
        (lambda lr: lr, 0.09, "spacing"),  # 0.3 mm
    ],
    ids=["noisy", "linear", "cubic", "sinc", "0.3 mm"],
)
def test_it_tells_what_is_unlike_the_brains_of_the_training(
    shared_data, ranges_of_brains, measured_in, change, factor, code
):
    measured = measured_in(
        shared_data / "test" / "t1-brain-niimath-01.nii.gz", lambda lr: change(lr).astype(np.float32), factor
    )
    assert code in [warned.kind for warned in compare(measured, ranges_of_brains, "brains")]
