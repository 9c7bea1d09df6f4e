"""Methods on a held-out volume, against independent implementations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data_sets import an_entry, an_index
from models import a_tiny_card, a_tiny_model_file
from scipy.ndimage import center_of_mass, gaussian_filter
from torch.nn import functional

from SuperResolution3DLib.errors import InputError, ModelError, VolumeError
from SuperResolution3DLib.forward.kspace import degrade
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.models.blend import blend
from SuperResolution3DLib.models.checkpoint import Model, load_model
from SuperResolution3DLib.volumes.geometry import lr_affine
from SuperResolution3DLib.volumes.volume import Volume
from Training.data.preparation import PreparationConfig
from Training.evaluation import methods
from Training.evaluation.held_out import HeldOutVolume
from Training.evaluation.methods import (
    VARIANTS,
    InterpolationMethod,
    ModelMethod,
    check_methods,
    model_method,
    with_variants,
)
from Training.evaluation.provenance import check_unseen, common_preparation, preset_preparation

CPU = EngineSettings("cpu", "fp32")
SCALE = (2, 2, 2)


def a_volume(shape: tuple[int, int, int] = (20, 24, 16), scale: tuple[int, int, int] = SCALE) -> HeldOutVolume:
    smooth = gaussian_filter(np.random.default_rng(0).random(shape), 1)
    hr = (1000 * (smooth - smooth.min())).astype(np.float32)
    return HeldOutVolume(hr, np.diag([1.0, 2.0, 3.0, 1.0]), (3.0, 2.0, 1.0), scale)


@pytest.fixture
def a_model_method(tmp_path: Path) -> ModelMethod:
    return model_method(str(a_tiny_model_file(tmp_path)), CPU)


@pytest.mark.parametrize("shape", [(16, 24, 32), (20, 12, 28)])  # LR sizes even, and odd ones that are padded
def test_the_papers_trilinear_is_its_fft_decimation_and_an_aligned_upsampling(shape: tuple[int, int, int]) -> None:
    volume = a_volume(shape, (4, 4, 4))
    padded = np.pad(volume.hr.astype(np.float64), [(0, -size % 8) for size in shape])
    kept = [np.abs(np.fft.fftfreq(size)) * size <= size / 8 for size in padded.shape]
    low = np.abs(np.fft.ifftn(np.fft.fftn(padded) * np.einsum("i,j,k->ijk", *kept)))[::4, ::4, ::4]
    expected = functional.interpolate(torch.from_numpy(low)[None, None], scale_factor=4, mode="trilinear")[0, 0]
    found = InterpolationMethod("trilinear-paper").enlarge(volume).sr
    np.testing.assert_allclose(found, expected[tuple(slice(size) for size in shape)], rtol=0, atol=1e-3)


@pytest.mark.parametrize(("floor", "zero"), [(None, -1000), (-1024, -1024)])
def test_the_papers_trilinear_of_hounsfield_units_is_that_of_the_signal_above_air(floor, zero: float) -> None:
    signal, method = a_volume((20, 12, 28), (4, 4, 4)), InterpolationMethod("trilinear-paper")
    ct = replace(signal, hr=signal.hr - 1000, floor=floor)  # air at -1000 HU
    wanted = method.enlarge(replace(signal, hr=ct.hr - zero, floor=0)).sr
    np.testing.assert_allclose(method.enlarge(ct).sr, wanted + zero, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("name", "shift"), [("trilinear-paper", 1.5), ("trilinear", 0.0), ("zero-filled", 0.0)])
def test_only_the_papers_trilinear_moves_anatomy(name, shift: float) -> None:
    blob = np.zeros((32, 32, 32), np.float32)
    blob[16, 15, 14] = 1
    volume = HeldOutVolume(gaussian_filter(blob, 4), np.eye(4), (1.0, 1.0, 1.0), (4, 4, 4))
    moved = np.array(center_of_mass(InterpolationMethod(name).enlarge(volume).sr)) - center_of_mass(volume.hr)
    np.testing.assert_allclose(moved, shift, atol=0.05)


def test_aligned_interpolations_come_from_the_center_grid() -> None:
    volume = a_volume()
    lr = degrade(volume.hr.astype(np.float64), SCALE, "center")
    expected = functional.interpolate(torch.from_numpy(lr)[None, None], scale_factor=2, mode="trilinear")[0, 0]
    np.testing.assert_allclose(InterpolationMethod("trilinear").enlarge(volume).sr, expected, rtol=0, atol=1e-3)
    zero_filled = InterpolationMethod("zero-filled").enlarge(volume).sr
    np.testing.assert_allclose(degrade(zero_filled, SCALE, "center"), lr, rtol=0, atol=1e-3)


@pytest.mark.parametrize("grid", ["center", "corner"])
def test_a_model_does_what_it_does_for_users(tmp_path: Path, grid) -> None:
    volume, model = a_volume(), load_model(a_tiny_model_file(tmp_path, grid=grid))
    lr = Volume(volume.lr(grid), lr_affine(volume.affine, SCALE, grid))
    expected = super_resolve(lr, model, Settings("cpu", "fp32")).volume
    found = ModelMethod("m", model, CPU).enlarge(volume)
    np.testing.assert_allclose(found.sr, expected.array, rtol=0, atol=1e-3)
    np.testing.assert_allclose(expected.affine, volume.affine, atol=1e-9)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("variant", "settings"), [("ensemble", {"ensemble": True}), ("projected", {"data_consistency": "project"})]
)
def test_a_variant_does_what_its_option_does_for_users(tmp_path: Path, variant, settings) -> None:
    path, volume = a_tiny_model_file(tmp_path), a_volume()
    plain, method = with_variants(model_method(str(path), CPU), [variant])
    assert (method.name, plain.name) == (f"tiny, {variant}", "tiny")
    assert VARIANTS[variant] in method.description and VARIANTS[variant] not in plain.description
    assert method.identity == plain.identity | {"variant": variant}
    lr = Volume(volume.lr("center"), lr_affine(volume.affine, SCALE, "center"))
    wanted = super_resolve(lr, load_model(path), Settings("cpu", "fp32", **settings)).volume.array
    np.testing.assert_allclose(method.enlarge(volume).sr, wanted, atol=1e-2)
    assert np.abs(plain.enlarge(volume).sr - wanted).max() > 1


def test_a_grid_that_a_mirror_changes_has_no_ensemble(tmp_path: Path) -> None:
    method = model_method(str(a_tiny_model_file(tmp_path, grid="corner")), CPU)
    with pytest.raises(InputError, match="another one in a mirror: omit --ensemble"):
        with_variants(method, ["ensemble"])


def test_a_model_is_scored_with_the_intensity_map_of_its_training_and_another_is_told(tmp_path, caplog) -> None:
    trained_with_hr = a_tiny_model_file(tmp_path, name="hr", intensity_from="hr")
    method = model_method(str(trained_with_hr), CPU)
    assert method.intensity_from == "hr" and "intensity map from the HR;" in method.description
    assert caplog.text == ""
    contradicted = model_method(str(trained_with_hr), CPU, intensity_from="lr")
    assert "intensity map from the LR, not the HR as trained" in contradicted.description
    assert "hr is scored with the intensity map of the LR and was trained with that of the HR" in caplog.text
    assert method.identity != contradicted.identity
    fixed = {"policy": "fixed", "low": -1024.0, "high": 3000.0}
    same = a_tiny_model_file(tmp_path, name="fixed", intensity_from="hr", intensity=fixed)
    assert not model_method(str(same), CPU, intensity_from="lr").contradicts_training


def test_the_intensity_map_can_be_that_of_the_hr(a_model_method: ModelMethod) -> None:
    volume = a_volume()
    from_hr = replace(a_model_method, intensity_source="hr")
    assert from_hr.identity != a_model_method.identity
    assert not np.allclose(from_hr.enlarge(volume).sr, a_model_method.enlarge(volume).sr, atol=1e-4)
    # HR and LR of the same range make the same map.
    same = replace(volume, hr=volume.hr, _lr={"center": volume.hr[:10, :12, :8]})
    as_lr = replace(same, hr=volume.hr[:10, :12, :8])
    np.testing.assert_array_equal(from_hr.enlarge(as_lr).sr, a_model_method.enlarge(as_lr).sr)


def test_the_papers_windows_are_told(a_model_method: ModelMethod) -> None:
    windows = replace(a_model_method, settings=EngineSettings("cpu", "fp32", window=24), paper_windows=True)
    assert "windows of 24 LR voxels, overlap 0.625" in windows.description
    assert windows.identity != a_model_method.identity
    assert windows.enlarge(a_volume()).notes == ()


def test_a_result_depends_on_the_precision_that_auto_comes_to(a_model_method: ModelMethod, monkeypatch) -> None:
    automatic, in_fp32 = replace(a_model_method, settings=EngineSettings()), a_model_method.identity
    monkeypatch.setattr(methods, "choose_device", lambda name: torch.device("cpu"))
    found = []
    for precision in ("fp32", "bf16"):
        monkeypatch.setattr(methods, "choose_precision", lambda name, device, chosen=precision: chosen)
        found.append(automatic.identity)
        assert f"; {precision} on CPU; sha256" in automatic.description
    assert found[0] == in_fp32 != found[1]


def test_voxels_that_are_not_finite_are_refused(a_model_method: ModelMethod) -> None:
    network = a_model_method.model.network
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1e38)
    with pytest.raises(VolumeError, match="tiny produced voxels that are not finite"):
        a_model_method.enlarge(a_volume())


def test_a_model_may_stand_under_another_name(tmp_path: Path) -> None:
    path = a_tiny_model_file(tmp_path)
    method = model_method(f"RRDB-GAN={path}", CPU)
    assert (method.name, method.grid) == ("RRDB-GAN", "center")
    assert "model tiny; center grid" in method.description
    with pytest.raises(ModelError, match="There is no model file"):
        model_method(str(tmp_path / "missing.safetensors"), CPU)


def test_methods_of_one_table_have_different_names_and_one_scale(a_model_method: ModelMethod) -> None:
    trilinear = InterpolationMethod("trilinear")
    assert check_methods([trilinear], None) == (4, 4, 4)
    assert check_methods([trilinear, a_model_method], None) == (2, 2, 2)
    with pytest.raises(InputError, match="nothing to compare"):
        check_methods([], None)
    with pytest.raises(InputError, match="same name: tiny"):
        check_methods([a_model_method, a_model_method], None)
    with pytest.raises(InputError, match=r"One scale a table, \(4, 4, 4\).*tiny \(2, 2, 2\)"):
        check_methods([a_model_method], (4, 4, 4))


def test_an_unknown_interpolation_is_refused() -> None:
    with pytest.raises(InputError, match="not 'linear'"):
        InterpolationMethod("linear")  # type: ignore[arg-type]


# --- What models say of their training -------------------------------------------------------------------------------


def trained(method: ModelMethod, **training: object) -> ModelMethod:
    card = a_tiny_card(training=training)
    return replace(method, model=Model(method.model.network, card, method.model.sha256))


def test_a_model_is_not_scored_on_subjects_of_its_training(a_model_method: ModelMethod) -> None:
    first, second, other = (an_entry(subject, file) for subject, file in (("a", "1"), ("a", "2"), ("b", "3")))
    index = an_index(first, second, other)
    model = trained(a_model_method, train=[first.sha256])
    assert check_unseen([model], index, [other]) == []
    for entry in (first, second):  # another volume of the subject is no better
        with pytest.raises(InputError, match="tiny was trained on 1 of the subjects: a"):
            check_unseen([model], index, [entry, other])
    assert check_unseen([model], index, [first], allowed=True) == ["tiny was trained on 1 of the subjects: a"]


def test_what_a_models_parents_were_trained_on_counts_as_its_own(a_model_method: ModelMethod) -> None:
    first, second = an_entry("a", "1"), an_entry("b", "2")
    index = an_index(first, second)
    parent = trained(a_model_method, train=[first.sha256]).model
    other = trained(a_model_method, train=["else"]).model
    of_parent = {"name": "parent", "sha256": "0", "training": parent.card.training}
    fine_tuned = trained(a_model_method, train=["else"], init_from=of_parent)
    _, card = blend(fine_tuned.model, other, 0.5, "tiny")
    blended = replace(a_model_method, model=Model(a_model_method.model.network, card, "1"))
    for model in (fine_tuned, blended):
        assert check_unseen([model], index, [second]) == []
        with pytest.raises(InputError, match="tiny was trained on 1 of the subjects: a"):
            check_unseen([model], index, [first])
    orphan = trained(a_model_method, train=["else"], init_from={"name": "parent", "sha256": "0"})
    assert check_unseen([orphan], index, [second]) == ["tiny: its file does not say all that it was trained on"]


def test_silence_and_validation_are_told(a_model_method: ModelMethod) -> None:
    entry = an_entry("a", "1")
    index = an_index(entry)
    assert check_unseen([a_model_method], index, [entry]) == ["tiny: its file does not say all that it was trained on"]
    model = trained(a_model_method, train=["else"], validation=[entry.sha256])
    assert check_unseen([model, InterpolationMethod("cubic")], index, [entry]) == [
        "tiny: 1 of 1 volumes validated its training"
    ]


def test_volumes_are_prepared_as_the_models_were_trained(a_model_method: ModelMethod, tmp_path: Path) -> None:
    plain = trained(a_model_method, recipe={"data": {"preparation": {"floor": None}}})
    cropped = trained(a_model_method, recipe={"data": {"preparation": {"crop_foreground": True, "spacing": [1, 1, 2]}}})
    cropped = replace(cropped, name="cropped")
    wanted = PreparationConfig(crop_foreground=True, spacing=(1, 1, 2))
    assert common_preparation([InterpolationMethod("cubic"), a_model_method]) == PreparationConfig()
    assert common_preparation([cropped, a_model_method]) == wanted
    with pytest.raises(InputError, match="prepared in different ways"):
        common_preparation([plain, cropped])
    preset = tmp_path / "preset.yaml"
    preset.write_text("data: {preparation: {pad_multiple: 8}}")
    assert preset_preparation(str(preset)) == PreparationConfig(pad_multiple=8)
    ct = PreparationConfig(floor=-1024, crop_foreground=True, margin=8, spacing=(0.785, 0.785, 1.25))
    assert preset_preparation("msd-task06-recommended") == ct


@pytest.mark.parametrize(
    "text", ["data: {preparation: {crop: true}}", "data: {preparation: {margin: 2}}", "a: [", None]
)
def test_a_preset_that_says_nothing_usable_is_refused(tmp_path: Path, text: str | None) -> None:
    preset = tmp_path / "preset.yaml"
    if text is not None:
        preset.write_text(text)
    with pytest.raises(InputError, match=r"cannot be|no preset"):
        preset_preparation(str(preset))
