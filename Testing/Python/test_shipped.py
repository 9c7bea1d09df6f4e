"""What the repository ships: models that load and help, a sample that is what its note says."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import degrade_volume, interpolate_volume, super_resolve
from SuperResolution3DLib.inference.thick_slices import degrade_slices, interpolate_slices
from SuperResolution3DLib.metrics.metrics import psnr
from SuperResolution3DLib.models.card_privacy import private_texts
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.choice import Scan, choose
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import file_sha256, read_card
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.volumes.volume import read_volume

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
MODELS = sorted((RESOURCES / "Models").glob("*.safetensors"))
NOT_INSTALLED = sorted((RESOURCES / "OtherModels").glob("*.safetensors"))
SAMPLE = RESOURCES / "SampleData" / "t1-brain-niimath-crop.nii.gz"


def test_a_model_is_shipped():
    assert MODELS


@pytest.mark.parametrize("path", [*MODELS, *NOT_INSTALLED], ids=lambda path: path.stem)
def test_a_shipped_model_is_small_and_tells_where_it_comes_from(path):
    card = read_card(path)
    assert path.stat().st_size <= 10_000_000
    assert card.name == path.stem
    assert card.licence
    blend = card.training.get("blend")
    for training in [blend[part]["training"] for part in ("first", "second")] if blend else [card.training]:
        assert training["command"].startswith("python Training/train.py")
        assert training["train"] and training["validation"]
        assert not set(training["train"]) & set(training["validation"])
        assert all(len(sha256) == 64 for sha256 in training["train"])
        assert sum(training["volumes"]["train"].values()) == len(training["train"])
    assert private_texts(json.loads(card.to_json())) == []
    assert card.metrics["validation"]
    assert card.performance["trunk_halo"] > 0
    assert card.performance["cpu_seconds_per_million_voxels"] > 0


@pytest.mark.parametrize("path", NOT_INSTALLED, ids=lambda path: path.stem)
def test_a_model_under_another_licence_is_not_installed_and_lies_beside_its_text(path):
    licence = read_card(path).licence.removesuffix("-only")
    assert (path.parent / f"{licence}.txt").read_text().lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert all(read_card(model).licence == "Apache-2.0" for model in MODELS)


ISOTROPIC = [path for path in MODELS if not read_card(path).enlarges_slices_only]
FOR_SLICES = [path for path in MODELS if path not in ISOTROPIC and "MR" in read_card(path).dicom_modalities]


@pytest.mark.parametrize("path", FOR_SLICES, ids=lambda path: path.stem)
@pytest.mark.parametrize("axis", ["K", "J", "I"])
def test_a_shipped_model_for_slices_beats_their_interpolation_on_the_sample(path, axis):
    sample = read_volume(SAMPLE)
    spacing = sample.spacing["KJI".index(axis)]
    part = sample.with_array(sample.array[24:104, 24:104, 24:104])
    stack, hr, _ = degrade_slices(part, 4 * spacing, 3.6 * spacing, axis)
    settings = Settings(device="cpu", precision="fp32", target_spacing=spacing)
    result = super_resolve(stack, load_model(path), settings).volume
    interpolated, _ = interpolate_slices(stack, target_spacing=spacing)
    np.testing.assert_allclose(result.affine, hr.affine, atol=1e-3)
    data_range = float(np.percentile(hr.array, 99.9))
    scores = [psnr(volume.array, hr.array, data_range) for volume in (result, interpolated)]
    assert scores[0] > scores[1] + 0.3


FOR_THE_SAMPLE = [path for path in ISOTROPIC if "MR" in read_card(path).dicom_modalities]


@pytest.mark.parametrize("path", FOR_THE_SAMPLE, ids=lambda path: path.stem)
def test_a_shipped_model_beats_zero_filling_on_the_sample(path):
    model = load_model(path)
    sample = read_volume(SAMPLE)
    hr = sample.with_array(sample.array[32:96, 32:96, 32:96].astype(np.float32))
    lr, hr = degrade_volume(hr, (4, 4, 4), "center")
    sr = super_resolve(lr, model, Settings(device="cpu", precision="fp32")).volume
    zero_filled = interpolate_volume(lr, (4, 4, 4), "center", "zero-fill")
    inside = (slice(8, -8),) * 3
    data_range = float(np.percentile(hr.array, 99.9))
    scores = [psnr(volume.array[inside], hr.array[inside], data_range) for volume in (sr, zero_filled)]
    assert scores[0] > scores[1]
    np.testing.assert_allclose(sr.affine, hr.affine, atol=1e-6)


def test_the_shipped_model_for_the_samples_lr_is_the_faithful_one():
    lr = read_volume(RESOURCES / "SampleData" / "t1-brain-niimath-crop-lr-x4.nii.gz")
    choice = choose(Scan(lr.affine), [InstalledModel(path, read_card(path)) for path in MODELS])
    assert str(choice.sentence) == "For MR brain: 3.2 mm -> 0.8 mm with mr-brain-x4"
    assert choice.best.card.summary == "MR brain. Faithful."


def test_the_shipped_pair_has_a_trust_mask_which_is_bound_to_the_very_file_of_its_companion():
    card = read_card(RESOURCES / "Models" / "mr-brain-x4.safetensors")
    calibration = TrustCalibration.required(card.trust, card.name)
    assert calibration.companion == "mr-brain-x4-gan"
    assert calibration.companion_sha256 == file_sha256(RESOURCES / "Models" / "mr-brain-x4-gan.safetensors")
    assert calibration.volumes >= 9
    assert card.metrics["trust mask, test"]["coverage"] >= 0.85


def test_the_sample_is_the_one_that_its_note_describes():
    note = (RESOURCES / "SampleData" / "README.md").read_text()
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() in note
    assert "CC0" in note
    assert SAMPLE.stat().st_size < 2_000_000
