"""Calibration from its command line to the card: ranges of the training's volumes, and a trust mask that is used."""

from pathlib import Path

import numpy as np
import pytest
from models import a_through_plane_file, a_tiny_model_file
from scipy.ndimage import gaussian_filter
from training_runs import index_of, write_blobs

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.super_resolve import Settings, super_resolve
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.input_ranges import InputRanges
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training import calibrate, publish
from Training.calibration.trust import TrustStudy, middle
from Training.calibration.trust_samples import TrustSamples, errors_around
from Training.data.index import read_index
from Training.evaluation.held_out import HeldOutVolume
from Training.evaluation.methods import model_method

COMMON = ("--device", "cpu", "--precision", "fp32", "--threads", "1")


@pytest.fixture
def an_index_file(tmp_path: Path) -> Path:
    """Two subjects for training and one for validation, of other sizes."""
    for name, shape in (("train/a", (20, 24, 20)), ("train/b", (28, 20, 22)), ("validation/c", (40, 40, 40))):
        write_blobs(tmp_path, name, shape)
    return index_of(tmp_path)


def contents(index: Path, split: str) -> list[str]:
    return [entry.sha256 for entry in read_index(index).entries if entry.split == split]


def test_the_card_gets_the_ranges_of_the_volumes_that_the_model_was_trained_on(tmp_path, an_index_file):
    model = a_tiny_model_file(tmp_path, training={"train": contents(an_index_file, "train")})
    before = load_model(model)
    options = ["--index", str(an_index_file), "--model", str(model), "--out", str(tmp_path / "out"), *COMMON]
    assert calibrate.main(options) == 0
    after = load_model(tmp_path / "out" / "tiny.safetensors")
    ranges = InputRanges.from_card(after.card.input_ranges)
    assert ranges.volumes == 2
    assert ranges.spacing == ((2, 2),) * 3
    assert max(high for _, high in ranges.extent) <= 28  # not the 40 of the validation
    for name, tensor in before.network.state_dict().items():
        assert (after.network.state_dict()[name] - tensor).abs().max() < 1e-3  # stored in fp16


SLICES = {"slices": {"num_slices": 3, "spacing": [2.0, 4.0], "zoom": 1.5}, "appearance": {"noise": 0.2}, "flips": True}


def test_a_model_for_thick_slices_gets_the_ranges_of_the_stacks_that_its_training_made(tmp_path, an_index_file):
    training = {"train": contents(an_index_file, "train"), "recipe": {"data": SLICES}}
    model = a_through_plane_file(tmp_path, training=training, spacing_range=(0.7, 1.0))
    options = ["--index", str(an_index_file), "--out", str(tmp_path / "out")]
    assert calibrate.main([*options, "--model", str(model), *COMMON]) == 0
    ranges = InputRanges.from_card(load_model(tmp_path / "out" / "between.safetensors").card.input_ranges)
    assert ranges.volumes == 2
    assert ranges.spacing == ((2.0, 8.0), (0.7, 1.0), (0.7, 1.0))
    assert ranges.noise[1] > 0.15  # that was drawn
    assert ranges.extent[1:] == (ranges.extent[1],) * 2  # rows and columns are alike
    assert max(high for _, high in ranges.extent) <= 28


def test_publishing_with_the_index_writes_the_same_ranges(tmp_path, an_index_file):
    training = {"train": contents(an_index_file, "train"), "recipe": {"data": SLICES}}
    (tmp_path / "published").mkdir()
    for make in (a_through_plane_file, a_tiny_model_file):
        model = make(tmp_path, training=training)
        options = ["--index", str(an_index_file)]
        assert calibrate.main([*options, "--model", str(model), "--out", str(tmp_path / "calibrated"), *COMMON]) == 0
        assert publish.main([str(model), str(tmp_path / "published"), *options]) == 0
        found = [read_card(tmp_path / part / model.name).input_ranges for part in ("calibrated", "published")]
        assert found[0] == found[1] != {}


def test_a_model_for_thick_slices_has_no_trust_mask(tmp_path, an_index_file, capsys):
    model = a_through_plane_file(tmp_path, training={"train": contents(an_index_file, "train")})
    options = ["--index", str(an_index_file), "--model", str(model), "--companion", str(model)]
    assert calibrate.main([*options, "--out", str(tmp_path / "out"), *COMMON]) == 2
    assert "between is for thick slices, for which there is no trust mask: omit --companion" in capsys.readouterr().err


def test_an_index_without_the_volumes_of_the_training_is_refused(tmp_path, an_index_file, capsys):
    model = a_tiny_model_file(tmp_path, training={"train": ["00" * 32]})
    assert calibrate.main(["--index", str(an_index_file), "--model", str(model), "--out", str(tmp_path), *COMMON]) == 2
    assert (
        "None of the 3 volumes of the index is one that tiny was trained on (1 in its card)" in capsys.readouterr().err
    )


def many_subjects(folder: Path, held_back: int) -> Path:
    """Write volumes of one subject each: two for training, two for the test, and those that are held back."""
    parts = {"train": 2, "validation": held_back, "test": 2}
    for seed, (part, number) in enumerate((part, number) for part, count in parts.items() for number in range(count)):
        smooth = gaussian_filter(np.random.default_rng(seed).random((16, 20, 18)), 2)
        inside = np.zeros(smooth.shape, bool)
        inside[3:-3, 3:-3, 3:-3] = True
        path = folder / "data" / part / f"{part}{number}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        array = (np.where(inside, 300 + 300 * (smooth > smooth.mean()), 0)).astype(np.int16)
        write_volume(Volume(array, np.eye(4)), path, overwrite=True)
    return index_of(folder)


def calibrated(folder: Path, held_back: int, *options: str) -> int:
    index = folder / "index.json"
    if not index.exists():
        many_subjects(folder, held_back)
    training = {"train": contents(index, "train")}
    model, companion = (a_tiny_model_file(folder, name=name, training=training) for name in ("tiny", "second"))
    files = ["--index", str(index), "--model", str(model), "--companion", str(companion), "--out", str(folder / "out")]
    return calibrate.main([*files, "--bound", "0.4", *COMMON, *options])


def test_a_mask_is_calibrated_on_unseen_volumes_checked_on_the_test_and_used(tmp_path, capsys):
    assert calibrated(tmp_path, 9, "--edge", "14") == 0
    printed = capsys.readouterr().out
    assert "weighed on 2 volumes of the training, calibrated on 9 that no model has seen" in printed
    assert "test/test0.nii.gz" in printed
    assert "coverage " in printed
    model, companion = (load_model(tmp_path / "out" / f"{name}.safetensors") for name in ("tiny", "second"))
    calibration = TrustCalibration.from_card(model.card.trust)
    assert (calibration.companion, calibration.companion_sha256) == ("second", companion.sha256)
    assert (calibration.volumes, calibration.bound, calibration.alpha) == (9, 0.4, 0.1)
    figures = model.card.metrics["trust mask, test"]
    assert figures["volumes"] == 2
    assert figures["coverage"] == pytest.approx(1 - figures["outside_off"], abs=1e-3)
    lr = Volume(np.random.default_rng(0).random((9, 8, 7)).astype(np.float32), np.diag([2, 2, 2, 1.0]))
    assert super_resolve(lr, model, Settings("cpu", "fp32"), companion=companion).trust_map is not None
    # the second time nothing is measured again
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "measured").iterdir()}
    assert len(kept) == 13
    assert calibrated(tmp_path, 9, "--edge", "14") == 0
    assert capsys.readouterr().out == printed[printed.rindex("wrote", 0, printed.index("second.safetensors")) :]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "measured").iterdir()} == kept


def test_too_few_unseen_volumes_give_no_mask(tmp_path, capsys):
    assert calibrated(tmp_path, 8) == 2
    assert "needs at least 9 volumes that no model was trained on; there are 8" in capsys.readouterr().err
    assert not (tmp_path / "out" / "tiny.safetensors").exists()


def test_volumes_of_the_training_that_are_held_back_are_named(tmp_path, capsys):
    index = many_subjects(tmp_path, 9)
    content = index.read_text().replace('"split": "validation"', '"split": "train"', 2)
    index.write_text(content)
    training = {"train": [one.sha256 for one in read_index(index).entries if one.file.startswith("train")]}
    other = load_model(a_tiny_model_file(tmp_path, name="second", training=training))
    method = model_method(str(a_tiny_model_file(tmp_path, training=training)), EngineSettings("cpu", "fp32"))

    def held_back(*names: str) -> list[str]:
        return [entry.file for entry in TrustStudy(read_index(index), method, other, hold_back=names).entries()[1]]

    assert len(held_back()) == 9
    assert held_back("validation/validation1.nii.gz") == [f"validation/validation{n}.nii.gz" for n in range(1, 9)]
    for name, reason in {
        "train/train0.nii.gz": "a model was trained on it",
        "test/test0.nii.gz": "it belongs to the test",
        "other.nii.gz": "the index has no file of that name",
    }.items():
        with pytest.raises(InputError, match=f"{name} cannot be held back: {reason}"):
            held_back(name)
    # one that was read from another file shows a subject of the training all the same
    index.write_text(content.replace('"subject": "validation0"', '"subject": "train0"'))
    with pytest.raises(InputError, match="a model was trained on another volume of its subject"):
        held_back("validation/validation0.nii.gz")
    study = TrustStudy(read_index(index), method, other, "CT", hold_back=("validation/validation1.nii.gz",))
    with pytest.raises(InputError, match="or --modality leaves it out"):
        study.entries()


def test_what_lies_beside_a_cut_is_not_scored():
    hr = np.arange(24 * 30 * 16, dtype=np.float32).reshape(24, 30, 16)
    volume = HeldOutVolume(hr, np.eye(4), (1.0, 1.0, 1.0), (2, 2, 2))
    cut = middle(volume, 16)
    assert cut.hr.shape == (16, 16, 16)
    np.testing.assert_array_equal(cut.scored, hr[8:16, 11:19, :])  # nothing is cut along W
    np.testing.assert_array_equal(cut.affine[:3, 3], (0, 7, 4))
    assert middle(volume, 0) is volume


def test_the_errors_around_a_voxel_leave_out_its_own():
    rng = np.random.default_rng(0)
    errors = rng.random((20, 21, 22)).astype(np.float32)
    around = errors_around(errors, (4, 4, 2))
    changed = errors.copy()
    changed[10, 9, 8] = 5
    again = errors_around(changed, (4, 4, 2))
    assert again[10, 9, 8] == pytest.approx(around[10, 9, 8], rel=1e-4)
    assert again[10, 9, 9] > 1.05 * around[10, 9, 9]
    np.testing.assert_allclose(errors_around(np.full((12, 12, 12), 0.3, np.float32), (4, 4, 4)), 0.3, rtol=1e-3)


def test_random_errors_bound_the_rank_correlation():
    rng = np.random.default_rng(0)
    scale = np.exp(rng.normal(0, 0.5, 20_000))
    errors = np.abs(rng.normal(0, scale))
    samples = TrustSamples("a", np.ones((20_000, 5)), errors, scale)
    assert samples.rank_correlation_around(scale) == pytest.approx(1)
    assert samples.reachable == samples.rank_correlation(scale)
    assert 0.3 < samples.reachable < 0.6


def test_a_bound_is_a_share(tmp_path):
    with pytest.raises(SystemExit):
        calibrated(tmp_path, 1, "--bound", "20")
