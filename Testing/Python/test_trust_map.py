"""The trust map: what its signals are made of, where it lies, what it says, and when there is none."""

from dataclasses import replace

import numpy as np
import pytest
from models import a_tiny_model, a_tiny_model_file

from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.cli.worker import run_process
from SuperResolution3DLib.errors import ExitCode, InputError, ModelError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.inference.super_resolve import Settings, super_resolve
from SuperResolution3DLib.inference.trust.caution import FLOOR, caution_of, in_percent, signals
from SuperResolution3DLib.inference.trust.ensemble import Ensemble
from SuperResolution3DLib.models.model_card import ModelCard, file_sha256
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.volumes.geometry import Orientation
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

FP32 = Settings(device="cpu", precision="fp32")
CALIBRATION = TrustCalibration("second", "0" * 64, 2.0, (0.5, 0.25, 0.0, 0.25, 0.0), 0.4, 0.2, 0.1, 0.3, 12)


@pytest.fixture
def a_companion(tmp_path):
    """Another model of the same scale: its weights are stored with half the precision."""
    path = a_tiny_model_file(tmp_path, name="second")
    from SuperResolution3DLib.models.checkpoint import load_model, save_model

    model = load_model(path)
    weights = {name: tensor * 1.1 for name, tensor in model.network.state_dict().items()}
    save_model(path, weights, model.card)
    return load_model(path)


@pytest.fixture
def a_model(tmp_path, a_companion):
    calibration = replace(CALIBRATION, companion_sha256=a_companion.sha256, threshold=0.012)
    return a_tiny_model(tmp_path, trust=calibration.to_card())


def test_the_signals_are_zero_for_what_they_do_not_see():
    lr = np.random.default_rng(0).random((6, 7, 5)).astype(np.float32)
    sr = zero_fill(lr, (2, 2, 2))
    *found, _ = signals(Ensemble(sr, np.full_like(sr, 0.25)), sr - 0.5, lr, (2, 2, 2), "center")
    for signal, wanted in zip(found, (0.25, 0.5, 0.0, 0.0), strict=True):
        np.testing.assert_allclose(signal, wanted + FLOOR, atol=1e-3)


def test_detail_that_was_added_shows_in_its_own_signal_and_leaves_no_residual():
    lr = np.random.default_rng(0).random((6, 7, 5)).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 0.2, (12, 14, 10))
    added = (noise - zero_fill(degrade(noise, (2, 2, 2)), (2, 2, 2))).astype(np.float32)
    added[:, :, :5] = 0  # a step along one axis has low frequencies, too
    sr = zero_fill(lr, (2, 2, 2)) + added
    spread, companion, detail, residual, _ = signals(Ensemble(sr, 0 * sr), sr, lr, (2, 2, 2), "center")
    assert detail[:, :, 7:].mean() > 5 * residual.mean()
    assert detail[:, :, 7:].mean() > 2 * detail[:, :, :2].mean()
    assert max(spread.max(), companion.max()) == pytest.approx(FLOOR)


def test_the_gradient_is_that_of_the_result_along_whichever_axis():
    ramp = np.arange(14, dtype=np.float32)[:, None, None] * np.ones((14, 12, 10), np.float32) * 0.05
    for axis in range(3):
        sr = np.moveaxis(ramp, 0, axis).copy()
        lr = degrade(sr, (2, 2, 2)).astype(np.float32)
        *_, gradient = signals(Ensemble(sr, 0 * sr), sr, lr, (2, 2, 2), "center")
        np.testing.assert_allclose(gradient[4:-4, 4:-4, 4:-4], 0.05 + FLOOR, rtol=1e-2)


def test_the_caution_is_the_product_of_the_powers():
    rng = np.random.default_rng(0)
    found = [rng.uniform(0.01, 1, (3, 4, 5)).astype(np.float32) for _ in range(5)]
    wanted = 2 * found[0] ** 0.5 * found[1] ** 0.25 * found[3] ** 0.25
    caution = caution_of(iter([signal.copy() for signal in found]), CALIBRATION.factor, CALIBRATION.exponents)
    np.testing.assert_allclose(caution, wanted, rtol=1e-4)


def test_the_mask_begins_at_100_and_ends_at_255():
    caution = np.array([0.0, 0.39, 0.4001, 0.8, 100.0], np.float32)
    assert in_percent(caution, CALIBRATION).tolist() == [0, 97, 100, 200, 255]


def test_the_map_lies_on_the_result_which_is_that_of_the_ensemble(a_model, a_companion, a_phantom):
    canonical = Volume(a_phantom.array, a_phantom.affine)
    result = super_resolve(canonical, a_model, FP32, companion=a_companion)
    assert result.trust_map.array.dtype == np.uint8
    assert result.trust_map.shape == result.volume.shape == (26, 34, 22)
    np.testing.assert_array_equal(result.trust_map.affine, result.volume.affine)
    wanted = super_resolve(canonical, a_model, replace(FP32, ensemble=True)).volume
    np.testing.assert_allclose(result.volume.array, wanted.array, rtol=1e-5, atol=1e-3)
    share = np.mean(result.trust_map.array >= 100)
    assert 0 < share < 1
    assert str(result.report.trust).startswith(
        f"The trust mask marks {share:.0%} of the voxels: there the estimate may be "
    )
    assert "off by more than 20% of the intensity range" in str(result.report.trust)
    assert "no proof" in str(result.report.trust)
    assert result.report.ensemble == 8
    assert super_resolve(canonical, a_model, FP32).trust_map is None

    orientation = Orientation((2, 0, 1), (True, False, True))
    stored = Volume(
        np.ascontiguousarray(orientation.from_canonical(canonical.canonical().array)),
        orientation.file_affine(canonical.canonical().affine, canonical.canonical().shape),
    )
    turned = super_resolve(stored, a_model, FP32, companion=a_companion).trust_map.canonical()
    difference = np.abs(turned.array.astype(int) - result.trust_map.canonical().array.astype(int))
    assert np.percentile(difference, 99) <= 1


def test_what_the_companion_warns_of_is_reported_too(a_model, a_companion, a_phantom):
    a_companion.network.window = 8
    volume, settings = Volume(a_phantom.array, a_phantom.affine), replace(FP32, window=4)
    warnings = super_resolve(volume, a_model, settings, companion=a_companion).report.warnings
    assert [warned.code for warned in warnings].count("window") == 1


def test_a_volume_unlike_those_of_the_training_gets_a_mask_that_says_so(tmp_path, a_companion, a_phantom):
    trust = replace(CALIBRATION, companion_sha256=a_companion.sha256).to_card()
    model = a_tiny_model(tmp_path, trust=trust, spacing_range=(3.0, 5.0))
    report = super_resolve(Volume(a_phantom.array, a_phantom.affine), model, FP32, companion=a_companion).report
    assert str(report.trust).endswith("This volume is unlike those of the training, so not even that is known")
    assert "unlike" not in str(CALIBRATION.sentence(0.2))


def test_without_a_calibration_no_mask_is_offered(tmp_path, a_companion, a_phantom):
    with pytest.raises(ModelError, match="tiny was not calibrated, so nothing can be said of where it may be off"):
        super_resolve(Volume(a_phantom.array, a_phantom.affine), a_tiny_model(tmp_path), FP32, companion=a_companion)


def test_another_companion_than_that_of_the_calibration_is_refused(tmp_path, a_model, a_phantom):
    other = a_tiny_model(tmp_path, name="third")
    with pytest.raises(ModelError, match=r"tiny was calibrated with another file of second .sha256 "):
        super_resolve(Volume(a_phantom.array, a_phantom.affine), a_model, FP32, companion=other)


def test_models_of_other_units_are_refused(tmp_path, a_phantom):
    other = a_tiny_model(tmp_path, name="second", intensity={"policy": "min-max"})
    trust = replace(CALIBRATION, companion_sha256=other.sha256).to_card()
    with pytest.raises(ModelError, match="tiny and second cannot be compared: their intensity differs"):
        super_resolve(
            Volume(a_phantom.array, a_phantom.affine), a_tiny_model(tmp_path, trust=trust), FP32, companion=other
        )


def test_a_region_has_no_trust_map(a_model, a_companion, a_phantom):
    settings = replace(FP32, region=(slice(0, 4), slice(0, 4), slice(0, 4)))
    with pytest.raises(InputError, match="--trust-map works on the whole volume, not on a --region"):
        super_resolve(Volume(a_phantom.array, a_phantom.affine), a_model, settings, companion=a_companion)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exponents": [1, 1]}, "wanted 5 that are not negative"),
        ({"exponents": [-1, 1, 1, 1, 1]}, "wanted 5 that are not negative"),
        ({"threshold": 0}, "numbers that are not above 0"),
        ({"alpha": 1}, "alpha that is not below 1"),
        ({"factor": "much"}, "something else than a calibration"),
    ],
)
def test_a_card_with_a_damaged_calibration_is_refused(tmp_path, change, message):
    path = a_tiny_model_file(tmp_path)
    from SuperResolution3DLib.models.model_card import read_card

    text = replace(read_card(path), trust=CALIBRATION.to_card() | change).to_json()
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(text, "tiny")
    lacking = {name: value for name, value in CALIBRATION.to_card().items() if name != "bound"}
    with pytest.raises(ModelError, match=r"trust lacks .'bound'"):
        ModelCard.from_json(replace(read_card(path), trust=lacking).to_json(), "tiny")


def test_a_calibration_survives_the_way_through_a_card():
    assert TrustCalibration.from_card(CALIBRATION.to_card()) == CALIBRATION
    assert TrustCalibration.from_card({}) is None


@pytest.fixture
def a_job(tmp_path, a_phantom, monkeypatch):
    """A job with a trust map, whose models are found by their names."""
    models = tmp_path / "models"
    models.mkdir()
    companion = a_tiny_model_file(models, name="second")
    trust = replace(CALIBRATION, companion_sha256=file_sha256(companion)).to_card()
    a_tiny_model_file(models, trust=trust)
    monkeypatch.setenv("SUPERRES3D_MODELS", str(models))
    write_volume(Volume(a_phantom.array, a_phantom.affine), tmp_path / "lr.nrrd")
    return Job(
        tmp_path / "lr.nrrd",
        tmp_path / "sr.nrrd",
        model="tiny",
        device="cpu",
        precision="fp32",
        trust_map=tmp_path / "trust.nrrd",
    )


def test_a_job_writes_the_map_beside_the_result(a_job, capsys):
    assert run_process(a_job) == ExitCode.OK
    trust, sr = read_volume(a_job.trust_map), read_volume(a_job.output)
    assert trust.shape == sr.shape
    np.testing.assert_allclose(trust.affine, sr.affine)
    assert "The trust mask marks" in capsys.readouterr().err


def test_a_job_whose_companion_is_not_installed_writes_nothing(a_job, tmp_path, capsys):
    (tmp_path / "models" / "second.safetensors").unlink()
    assert run_process(a_job) == ExitCode.BAD_INPUT
    assert "second" in capsys.readouterr().err
    assert not a_job.output.exists()
    assert not a_job.trust_map.exists()
