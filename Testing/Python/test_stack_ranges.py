"""Stacks of thick slices unlike those of the training: what is measured of them, and what is told."""

from dataclasses import replace

import numpy as np
import pytest
from models import a_through_plane_file, a_through_plane_model
from scipy import ndimage

from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.inference.trust.range_check import slice_warnings, stack_warnings
from SuperResolution3DLib.models.input_ranges import InputRanges
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from SuperResolution3DLib.volumes.volume import Volume, read_volume
from Training.calibration.slice_stacks import DrawnSlices, slice_stacks
from Training.data.appearance import AppearanceConfig
from Training.data.slices_config import SlicesConfig

DRAWN = DrawnSlices(SlicesConfig(6, (2.0, 10.0), zoom=1.8, blur=0.7), AppearanceConfig(noise=0.05))
TRAIN = (
    *("flair-brain-cstar-01", "flair-brain-openms-p07", "t1-brain-ds002748-01", "t1-brain-fnndscsag-01"),
    "t2-spine-sct-01",
)
STACKS = (
    *("validation/flair-brainthick-openms-l12", "validation/t2-prostatethick-px0000-cor"),
    *("validation/t2-prostatethick-px0000-sag", "validation/t2-prostatethick-px0000-tra"),
    *("test/flair-brainthick-openms-l04", "test/mt0-spinethick-sct-01", "test/t2-abdomenthick-lihc-01"),
    *("test/t2-brainthick-openms-l04", "test/t2-brainthick-torchio-01", "test/t2-fetalthick-mialsrtk-r1"),
    *("test/t2-fetalthick-mialsrtk-r3", "test/t2-fetalthick-mialsrtk-r5", "test/t2-prostatethick-px0001-cor"),
    *("test/t2-prostatethick-px0001-sag", "test/t2-prostatethick-px0001-tra", "test/t2star-spinethick-unf03"),
)


def a_stack_of_noise(sigma: float, shape=(9, 40, 44)) -> np.ndarray:
    """Smooth slices that have nothing to do with each other, and noise."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), (0, 6, 6))
    noise = np.random.default_rng(1).normal(0, sigma, shape)
    return (0.5 + smooth / np.ptp(smooth) + noise).astype(np.float32)


def in_network_units(stack: np.ndarray) -> np.ndarray:
    return IntensityPolicy().fit(stack).to_network(stack)


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.1])
def test_the_noise_of_thick_slices_is_found_within_their_plane(sigma) -> None:
    stack = a_stack_of_noise(sigma)
    assert measure_input(stack, (5, 1, 1), thick_slices=True).noise == pytest.approx(sigma, rel=0.1)
    assert measure_input(stack[:2], (5, 1, 1), thick_slices=True).noise == pytest.approx(sigma, rel=0.2)


def test_turned_measures_are_those_of_the_turned_stack() -> None:
    stack = a_stack_of_noise(0.05)
    stack[:, :10] = 0
    turned = measure_input(stack, (5, 1, 2), thick_slices=True).turned()
    again = measure_input(stack.transpose(0, 2, 1), (5, 2, 1), thick_slices=True)
    assert (turned.spacing, turned.extent) == (again.spacing, again.extent)
    assert turned.high_band == pytest.approx(again.high_band)


def test_stacks_are_made_along_each_axis_that_is_long_enough() -> None:
    hr = np.random.default_rng(0).random((40, 30, 16)).astype(np.float32)
    drawn = DrawnSlices(SlicesConfig(6, (2.0, 4.0)), AppearanceConfig(noise=0.1))
    sizes = [(stack.shape, spacing) for stack, spacing in slice_stacks(hr, (1.0, 1.5, 2.0), IntensityPolicy(), drawn)]
    assert [shape for shape, _ in sizes] == [(10, 30, 16), (14, 30, 16), (14, 30, 16)] + [(10, 40, 16)] + [
        (12, 40, 16)
    ] * 2
    assert sizes[0][1] == (4.0, 1.5, 2.0)
    assert sizes[3][1] == pytest.approx((3.0 * 1.5, 1.0, 2.0))
    finer = list(
        slice_stacks(
            hr, (1.0, 1.5, 2.0), IntensityPolicy(), replace(drawn, slices=SlicesConfig(6, (2.0, 4.0), zoom=2.0))
        )
    )
    assert finer[2][0].shape == (14, 59, 31)
    assert finer[2][1][1:] == (0.75, 1.0)


def test_a_run_tells_what_a_stack_has_and_the_training_had_not(tmp_path) -> None:
    told = []

    class Listener(Monitor):
        def warn(self, warned):
            told.append(warned)

    usual = measure_input(in_network_units(a_stack_of_noise(0.01)), (5, 1, 1), thick_slices=True)
    ranges = InputRanges.of([usual, usual.turned()]).to_card()
    model = a_through_plane_model(tmp_path, input_ranges=ranges, spacing_range=(0.5, 2.0))
    affine = np.diag([1.0, 1.0, 5.0, 1.0])[:, [0, 2, 1, 3]]  # J runs along S
    for sigma, kinds in ((0.01, []), (0.1, ["noise"])):
        told.clear()
        volume = Volume(a_stack_of_noise(sigma).transpose(1, 0, 2), affine)
        report = super_resolve(volume, model, Settings("cpu", "fp32"), Listener()).report
        assert [warned.kind for warned in told] == kinds
        assert [warned.kind for warned in report.warnings] == kinds
    assert "Changes from voxel to voxel make 1" in told[0].message


@pytest.fixture(scope="module")
def a_card_of_stacks(tmp_path_factory):
    from conftest import SHARED

    if not (SHARED / "data").is_dir():
        pytest.skip("needs the shared folder of real volumes beside the repository (shared/data)")
    measures = []
    for name in TRAIN:
        volume = read_volume(SHARED / "data" / "train" / f"{name}.nii.gz").canonical()
        stacks = slice_stacks(volume.array.astype(np.float32), volume.spacing, IntensityPolicy(), DRAWN)
        measures += [measure_input(stack, spacing, thick_slices=True) for stack, spacing in stacks]
    ranges = InputRanges.of([*measures, *(measure.turned() for measure in measures)]).to_card()
    spacings = {"spacing_range": (0.37, 1.6), "slice_spacing_range": (1.33, 13.33)}
    return read_card(a_through_plane_file(tmp_path_factory.mktemp("stacks"), input_ranges=ranges, **spacings))


def kinds_of(volume, card, change=lambda stack: stack, factor=1.0) -> list[str]:
    """Return what is told of a stack whose slices (D, H, W) were changed, and have become ``factor`` times as many."""
    axis = slice_stack(volume).axis
    turn = axis.to_slices_first
    stack = change(turn.to_canonical(volume.array).astype(np.float32))
    depth, height, width = voxel_spacing(turn.canonical_affine(volume.affine, volume.shape))
    found = stack_warnings(in_network_units(stack), (depth / factor, height, width), axis, card)
    return [warned.kind for warned in (*slice_warnings(volume, card, axis), *found)]


@pytest.mark.parametrize("name", STACKS)
def test_it_is_quiet_on_real_stacks(shared_data, a_card_of_stacks, name) -> None:
    assert kinds_of(read_volume(shared_data / f"{name}.nii.gz"), a_card_of_stacks) == []


def noisy(stack):
    low, high = np.percentile(stack, [0.5, 99.5])
    return stack + np.random.default_rng(0).normal(0, 0.1 * (high - low), stack.shape)


@pytest.mark.parametrize(
    ("change", "factor", "kind"),
    [
        (noisy, 1, "noise"),
        (lambda stack: ndimage.zoom(stack, (2, 1, 1), order=1), 2, "interpolated"),
        (lambda stack: ndimage.zoom(stack, (2, 1, 1), order=3), 2, "interpolated"),
        (lambda stack: ndimage.zoom(stack, (1.5, 1, 1), order=3), 1.5, "interpolated"),
        (lambda stack: stack[:, 60:90, 60:90], 1, "extent"),
        (lambda stack: stack.max() - stack, 1, "histogram"),
    ],
    ids=["noise", "linear", "cubic", "by 1.5", "cut", "inverted"],
)
def test_it_tells_what_is_unlike_the_stacks_of_the_training(
    shared_data, a_card_of_stacks, change, factor, kind
) -> None:
    volume = read_volume(shared_data / "test" / "flair-brainthick-openms-l04.nii.gz")
    assert kind in kinds_of(volume, a_card_of_stacks, change, factor)


def test_ct_given_to_a_model_for_mr_is_told(shared_data, a_card_of_stacks) -> None:
    phantom = read_volume(shared_data / "test" / "ct-skullphantom-5mm-01.nii.gz")
    abdomen = read_volume(shared_data / "test" / "ct-abdomen5mm-cptacpda-01.nii.gz")
    assert "modality" in kinds_of(phantom, a_card_of_stacks)  # by its air
    for modality in ("", "CT"):  # by its fat and soft tissue, or by its DICOM header
        assert kinds_of(replace(abdomen, modality=modality), a_card_of_stacks)[0] == "modality"
