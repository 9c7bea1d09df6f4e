"""The evaluation from its command line to its files, on phantoms; LPIPS needs weights, so features are made up."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_sets import an_entry, an_index
from made_up_features import FRECHET, SlicesEvaluation, measure_slices
from models import a_tiny_model_file
from scipy.ndimage import gaussian_filter
from training_runs import make_index

from SuperResolution3DLib.errors import InputError, ModelError, OutputError, VolumeError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.metrics.metrics import score
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume
from Training import evaluate
from Training.config_file import write_config
from Training.data.index import read_index, write_index
from Training.data.preparation import PreparationConfig, prepare_hr
from Training.evaluation import method_scores as scoring
from Training.evaluation.held_out import held_out_volume
from Training.evaluation.methods import InterpolationMethod
from Training.evaluation.picture_sets import PictureSets
from Training.evaluation.request import EvaluationRequest, read_request
from Training.evaluation.results import (
    kept_path,
    method_path,
    read_method_results,
    read_record,
    read_results,
    result_path,
)
from Training.evaluation.volume_scores import VolumeScores
from Training.evaluation.zoom_box import ZoomBox
from Training.prepare import main as prepare

Run = Callable[..., int]


@pytest.fixture
def an_index_file(tmp_path: Path) -> Path:
    return make_index(tmp_path)


@pytest.fixture
def evaluated(tmp_path: Path, an_index_file: Path) -> Run:
    """Return the command line on the training part of the phantoms, with what most tests have in common."""

    def run(*options: str) -> int:
        common = ["--index", str(an_index_file), "--out", str(tmp_path / "out"), "--scale", "2,2,2"]
        quick = ["--split", "train", "--lpips", "none", "--device", "cpu", "--precision", "fp32", "--threads", "1"]
        return evaluate.main([*common, *quick, "--no-figures", *options])

    return run


@pytest.fixture
def with_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_slices(monkeypatch)


@pytest.fixture
def enlarged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the methods that were computed, one for each volume."""
    names: list[str] = []
    original = InterpolationMethod.enlarge

    def enlarge(self, volume):
        names.append(self.name)
        return original(self, volume)

    monkeypatch.setattr(InterpolationMethod, "enlarge", enlarge)
    return names


def test_one_command_gives_every_file(evaluated: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model = a_tiny_model_file(tmp_path)
    assert evaluated("--interpolations", "all", "--model", f"RRDB={model}", "--figures", "--dataset", "Phantoms 1") == 0
    out = tmp_path / "out"
    names = ["trilinear-paper", "trilinear", "cubic", "zero-filled", "RRDB"]
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [name for name in names for _ in range(2)]
    assert {row["dataset"] for row in rows} == {"Phantoms 1"}
    table = (out / "table.md").read_text()
    assert all(f"\n| {name} |" in table for name in names)
    assert "### Phantoms 1, protocol paper, 2 volumes of 2 subjects" in table
    assert "difference to RRDB" in table
    assert capsys.readouterr().out.strip() == table.strip()
    assert (out / "figure2-Phantoms-1.png").read_bytes().startswith(b"\x89PNG")
    report = (out / "report.html").read_text()
    assert "data:image/png;base64" in report
    assert "Protocol paper: range = HR maximum - minimum" in report
    record = read_record(out)
    assert list(record.methods) == names
    assert record.part == "train, 2 volumes of 2 subjects"
    assert record.command.startswith("python Training/evaluate.py --index")
    json.dumps(record.config)
    for name in ("evaluation.json", "report.html", "table.md", "table.tex", "results.csv"):  # nobody's folders
        text = (out / name).read_text("utf-8")
        assert str(tmp_path) not in text and tmp_path.name not in text, name


def test_ensemble_and_projection_are_rows_beside_the_model(evaluated: Run, tmp_path: Path) -> None:
    options = ["--interpolations", "zero-filled", "--model", f"RRDB={a_tiny_model_file(tmp_path)}"]
    assert evaluated(*options, "--ensemble", "--projected") == 0
    assert list(read_record(tmp_path / "out").methods) == ["zero-filled", "RRDB", "RRDB, ensemble", "RRDB, projected"]
    assert "\n| RRDB, ensemble |" in (tmp_path / "out" / "table.md").read_text()


def test_the_figures_in_the_table_are_those_of_the_library(evaluated: Run, tmp_path: Path, an_index_file: Path) -> None:
    assert evaluated("--interpolations", "cubic") == 0
    index = read_index(an_index_file)
    for result in read_results(tmp_path / "out"):
        entry = next(entry for entry in index.entries if entry.file == result.file)
        volume = held_out_volume(index, entry, PreparationConfig(), (2, 2, 2))
        sr = InterpolationMethod("cubic").enlarge(volume).sr
        assert result.metrics["foreground/psnr"] == pytest.approx(score(sr, volume.hr, "foreground").psnr, abs=1e-9)
        assert result.metrics["paper/ssim_uniform"] == pytest.approx(score(sr, volume.hr, "paper").ssim_uniform)
        assert len(result.curves["fsc_frequency"]) == len(result.curves["fsc_correlation"]) == 10


def test_padding_is_degraded_but_neither_scored_nor_drawn(evaluated: Run, tmp_path: Path, an_index_file: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("data: {preparation: {pad_multiple: 8}}")
    options = ["--interpolations", "zero-filled", "--preparation", str(preset), "--figures", "--keep-volumes"]
    assert evaluated(*options) == 0
    index = read_index(an_index_file)
    for result in read_results(tmp_path / "out"):
        hr = read_volume(index.root / result.file).array
        padded = np.pad(hr, [(0, 4)] * 3, constant_values=hr.min()).astype(np.float64)
        sr = zero_fill(degrade(padded, (2, 2, 2)), (2, 2, 2))[:20, :20, :20].astype(np.float32)
        kept = read_volume(kept_path(tmp_path / "out", "zero-filled", result.file))
        np.testing.assert_allclose(kept.array, sr, atol=1e-3)
        assert result.metrics["paper/psnr"] == pytest.approx(score(sr, hr, "paper").psnr, abs=1e-6)
        # The LR is that of the padded HR, so what zero-filling leaves alone is known of the padded SR.
        assert result.metrics["residual_percent"] < 1e-4
        assert result.metrics["added_detail"] < 1e-6
        assert result.notes == (
            (
                "HR padded from 20 x 20 x 20 to 24 x 24 x 24 voxels (head-foot, front-back, left-right); the padding "
                "is not scored"
            ),
        )
    assert {np.load(path).shape for path in (tmp_path / "out" / "figure2").iterdir()} == {(20, 20, 20)}


def test_a_volume_of_which_only_padding_is_left_is_refused(tmp_path: Path) -> None:
    volume = Volume(np.random.default_rng(0).random((2, 20, 20)).astype(np.float32), np.eye(4))
    write_volume(volume, tmp_path / "thin.nii.gz")
    entry = an_entry("thin")
    preparation = PreparationConfig(pad_smallest=29)  # of 29 voxels two are dropped at the start, three at the end
    with pytest.raises(VolumeError, match=r"thin\.nii\.gz: padding is all that is left of \(29, 29, 29\)"):
        held_out_volume(an_index(entry, root=tmp_path), entry, preparation, (6, 6, 6))


def test_what_is_finished_is_not_computed_again(evaluated: Run, tmp_path: Path, enlarged: list[str]) -> None:
    assert evaluated("--interpolations", "trilinear") == 0
    assert enlarged == ["trilinear"] * 2
    assert evaluated("--interpolations", "trilinear", "cubic") == 0
    assert enlarged == ["trilinear"] * 2 + ["cubic"] * 2
    next((tmp_path / "out" / "results").glob("trilinear*/*.json")).unlink()
    assert evaluated("--interpolations", "trilinear", "cubic") == 0
    assert enlarged == ["trilinear"] * 2 + ["cubic"] * 2 + ["trilinear"]


def test_what_is_finished_takes_the_names_that_are_given_now(
    evaluated: Run, tmp_path: Path, an_index_file: Path, enlarged: list[str]
) -> None:
    assert evaluated("--interpolations", "trilinear") == 0
    index = read_index(an_index_file)
    renamed = tuple(replace(entry, subject=f"{entry.subject}-1") for entry in index.entries)
    write_index(an_index_file, replace(index, entries=renamed))
    assert evaluated("--interpolations", "trilinear", "--dataset", "Phantoms") == 0
    assert enlarged == ["trilinear"] * 2
    names = {(result.dataset, result.subject, result.file) for result in read_results(tmp_path / "out")}
    assert names == {("Phantoms", entry.subject, entry.file) for entry in renamed if entry.split == "train"}
    assert "### Phantoms, protocol paper, 2 volumes of 2 subjects" in (tmp_path / "out" / "table.md").read_text()


def test_other_settings_make_old_results_invalid(evaluated: Run, enlarged: list[str]) -> None:
    assert evaluated("--interpolations", "trilinear", "--protocol", "paper") == 0
    assert evaluated("--interpolations", "trilinear", "--protocol", "foreground") == 0
    assert enlarged == ["trilinear"] * 4


@pytest.mark.usefixtures("with_slices")
def test_an_evaluation_that_was_killed_anywhere_ends_with_the_same_figures(
    evaluated: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluated("--interpolations", "trilinear", "cubic") == 0
    wanted = [(result.method, result.metrics) for result in read_method_results(tmp_path / "out")]
    assert set(wanted[0][1]) == {FRECHET, f"{FRECHET}: slices"}
    (tmp_path / "out").rename(tmp_path / "whole")

    written = scoring.write_result
    left: list[int] = []

    def killed(*arguments) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        written(*arguments)

    monkeypatch.setattr(scoring, "write_result", killed)
    for survivors in range(4):  # each run is killed between the slices of its second volume and their result
        left.append(1)
        if survivors < 3:
            with pytest.raises(KeyboardInterrupt):
                evaluated("--interpolations", "trilinear", "cubic")
        else:
            assert evaluated("--interpolations", "trilinear", "cubic") == 0
        assert len(read_results(tmp_path / "out")) == survivors + 1
    found = [(result.method, result.metrics) for result in read_method_results(tmp_path / "out")]
    assert found == [(method, pytest.approx(metrics)) for method, metrics in wanted]


@pytest.mark.usefixtures("with_slices")
def test_lost_slice_statistics_are_gathered_again(evaluated: Run, tmp_path: Path, enlarged: list[str]) -> None:
    assert evaluated("--interpolations", "trilinear") == 0
    path = method_path(tmp_path / "out", "trilinear", ".npz")
    assert len(PictureSets.read(path).volumes) == 2
    for number, damage in enumerate((path.unlink, lambda: path.write_bytes(path.read_bytes()[:100])), start=2):
        damage()
        assert evaluated("--interpolations", "trilinear") == 0
        assert enlarged == ["trilinear"] * 2 * number
        assert len(PictureSets.read(path).volumes) == 2


@pytest.mark.usefixtures("with_slices")
def test_a_volume_too_small_for_some_slices_counts_for_the_others_and_says_so(
    evaluated: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enlarged: list[str]
) -> None:
    original = SlicesEvaluation.score

    def score_small(self, sr, hr, spacing, measured=None) -> VolumeScores:
        scores = original(self, sr, hr, spacing, measured)
        features = [] if len(enlarged) == 1 else scores.features  # the first volume is the small one
        return replace(scores, features=features, figures=scores.figures | {"paper/lpips_slices": len(features)})

    monkeypatch.setattr(SlicesEvaluation, "score", score_small)
    for _ in range(2):
        assert evaluated("--interpolations", "trilinear") == 0
        assert enlarged == ["trilinear"] * 2  # the second time from what was kept
    small, whole = read_results(tmp_path / "out")
    assert whole.notes == ()
    assert small.notes == (f"protocol paper: {scoring.LEFT_OUT}",)
    (result,) = read_method_results(tmp_path / "out")
    assert result.notes[0].startswith("paper/Frechet distance, test: 20 slices of 1 volume, ")


@pytest.mark.usefixtures("with_slices")
def test_slices_that_lpips_skips_are_said_with_the_table(
    evaluated: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SlicesEvaluation.score

    def score_thin(self, sr, hr, spacing, measured=None) -> VolumeScores:
        scores = original(self, sr, hr, spacing, measured)
        seen = {"paper/lpips": 0.2, "paper/lpips_axial": 0.2, "paper/lpips_slices": 12, "paper/lpips_skipped": 84}
        return replace(scores, figures=scores.figures | seen)

    monkeypatch.setattr(SlicesEvaluation, "score", score_thin)
    assert evaluated("--interpolations", "trilinear") == 0
    assert (
        "protocol paper: 84 slices of fewer than 31 pixels along an axis are skipped by LPIPS, which is of 12 slices "
        "(axial)"
    ) in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.usefixtures("with_slices")
def test_a_folder_that_cannot_be_made_is_told_before_anything_is_scored(
    evaluated: Run, tmp_path: Path, enlarged: list[str], capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "out").touch()
    assert evaluated("--interpolations", "trilinear") == OutputError.exit_code
    assert "cannot be written" in capsys.readouterr().err
    assert not enlarged


@pytest.mark.usefixtures("with_slices")
def test_features_of_doubtful_weights_make_no_table(
    evaluated: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(SlicesEvaluation, "doubt", "random weights")
    assert evaluated("--interpolations", "trilinear") == ModelError.exit_code
    assert "No table is made of these features: random weights" in capsys.readouterr().err
    assert not (tmp_path / "out" / "table.md").exists()


def test_kept_volumes_lie_where_their_hr_lies(tmp_path: Path) -> None:
    #                    I to the left      K to anterior    J to superior
    affine = np.array([[-1.0, 0, 0, 30], [0, 0, 2, -5], [0, 1.5, 0, 7], [0, 0, 0, 1]])
    for number in range(2):
        smooth = gaussian_filter(np.random.default_rng(number).random((17, 19, 20)), 2)  # (K, J, I)
        path = tmp_path / "data" / f"{number}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        write_volume(Volume((1e4 * smooth).astype(np.int16), affine), path)
    index = tmp_path / "index.json"
    options = ["--dataset", "folder", "--root", str(tmp_path / "data"), "--out", str(index), "--modality", "MR"]
    assert prepare([*options, "--folds", "2"]) == 0
    options = ["--index", str(index), "--out", str(tmp_path / "out"), "--scale", "2,2,2", "--lpips", "none"]
    options += ["--interpolations", "zero-filled", "--fold", "0", "--no-figures", "--keep-volumes"]
    assert evaluate.main(options) == 0
    (result,) = read_results(tmp_path / "out")
    assert result.notes == ("HR cropped from 19 x 17 x 20 to 18 x 16 x 20 voxels (head-foot, front-back, left-right)",)
    hr = read_volume(tmp_path / "data" / result.file).canonical()
    (kept,) = (read_volume(path) for path in (tmp_path / "out" / "volumes").glob("*/*.nii.gz"))
    assert (kept.array.dtype, kept.shape) == (np.float32, (18, 16, 20))
    np.testing.assert_allclose(kept.affine, hr.affine, atol=1e-5)  # the voxels that were dropped stood at the end
    assert np.corrcoef(kept.array.ravel(), hr.array[:18, :16].ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    "preparation",
    [
        PreparationConfig(crop_foreground=True, margin=1),
        PreparationConfig(spacing=(1.5, 2.0, 1.0)),
        PreparationConfig(),
    ],
)
def test_a_prepared_volume_knows_where_it_lies(preparation: PreparationConfig) -> None:
    # Intensities tell the position in mm, R + 10 A + 100 S, inside a box that the foreground is cropped to.
    k, j, i = np.indices((24, 22, 26))
    affine = np.diag([0.5, 2.0, 1.0, 1.0]) + np.array([[0, 0, 0, 20.0], [0, 0, 0, 5], [0, 0, 0, 7], [0, 0, 0, 0]])
    ramp = 0.5 * i + 20 + 10 * (2 * j + 5) + 100 * (k + 7)
    inside = (abs(k - 12) < 8) & (abs(j - 10) < 7) & (abs(i - 14) < 9)
    array = np.where(inside, ramp, 0) if preparation.crop_foreground else ramp
    prepared = prepare_hr(Volume(array.astype(np.float32), affine), preparation)
    middle = np.array(prepared.hr.shape) // 2
    right, anterior, superior, _ = prepared.affine @ [*middle[::-1], 1]
    assert prepared.hr[tuple(middle)] == pytest.approx(right + 10 * anterior + 100 * superior, abs=0.05)
    assert voxel_spacing(prepared.affine) == pytest.approx(prepared.spacing)


def test_a_model_is_not_scored_on_its_own_training_data(
    evaluated: Run, tmp_path: Path, an_index_file: Path, capsys
) -> None:
    seen = [entry.sha256 for entry in read_index(an_index_file).entries if entry.split == "validation"]
    model = a_tiny_model_file(tmp_path, training={"train": seen})
    assert evaluated("--model", str(model), "--split", "validation") == InputError.exit_code
    assert "tiny was trained on 1 of the subjects" in capsys.readouterr().err


def test_the_split_of_the_training_does_not_let_a_fold_leak(
    evaluated: Run, tmp_path: Path, an_index_file: Path, capsys: pytest.CaptureFixture
) -> None:
    seen = [entry.sha256 for entry in read_index(an_index_file).entries]
    model = a_tiny_model_file(tmp_path, training={"train": seen})
    assert evaluated("--model", str(model), "--split", "train", "--fold", "0") == InputError.exit_code
    assert "tiny was trained on" in capsys.readouterr().err


@pytest.mark.parametrize("scale", ["0,4,4", "4,-4,4", "4,4", "2.5,4,4", "four,4,4", "4,4,4,4"])
def test_a_scale_that_is_none_is_refused(evaluated: Run, scale: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        evaluated("--interpolations", "cubic", f"--scale={scale}")
    assert f"wanted three whole numbers above 0 (D,H,W), such as 4,4,4, got '{scale}'" in capsys.readouterr().err


def test_a_request_is_read_from_its_file_as_it_was(tmp_path: Path) -> None:
    request = EvaluationRequest(
        *(Path("index.json"), tmp_path, "validation"),
        model=("A=a.safetensors", "b"),
        scale=(4, 1, 1),
        preparation=PreparationConfig(crop_foreground=True, spacing=(1, 1, 2.5)),
        inception=Path("inception.pth"),
        figures=False,
        box=ZoomBox((1, -2.5, 3), 40),
    )
    write_config(tmp_path / "request.yaml", request)
    assert read_request(tmp_path / "request.yaml") == request


@pytest.mark.parametrize(
    "text", [None, "a: [", "- a", "{index: i.json, out: o, protocol: mine}", "{out: o}", "index: 3"]
)
def test_a_file_that_is_no_request_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "request.yaml").write_text(text)
    assert evaluate.main([f"--config={tmp_path / 'request.yaml'}"]) == InputError.exit_code


def test_an_index_and_a_folder_are_required(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(["--interpolations", "cubic"])
    assert "the following arguments are required: --index, --out" in capsys.readouterr().err


def test_results_of_other_volumes_are_not_mixed_in(evaluated: Run, capsys: pytest.CaptureFixture) -> None:
    assert evaluated("--interpolations", "trilinear") == 0
    assert evaluated("--interpolations", "trilinear", "--split", "validation") == InputError.exit_code
    assert "holds results of 2 volumes that are not asked for now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interpolations", "none"], "nothing to compare"),
        (["--interpolations", "cubic", "--reference", "rcan"], "--reference rcan is none of the methods cubic"),
        (["--interpolations", "cubic", "--modality", "CT"], "no volume of modality 'CT' in the part 'train'"),
        (["--interpolations", "cubic", "--fold", "7"], "There is no fold 7"),
        (["--interpolations", "cubic", "--figures", "--figure-volume", "x.nii"], "--figure-volume x.nii is none of"),
        (["--interpolations", "cubic", "--figures", "--box", "1000,0,0,5"], "reaches beyond the HR"),
        (["--interpolations", "cubic", "--scale", "8,8,8"], "too few"),
        (["--interpolations", "cubic", "--lpips-stride", "0"], "--lpips-stride must be 1 or more"),
        (["--model", "missing.safetensors"], "There is no model file"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_a_sentence(
    evaluated: Run, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert evaluated(*options) == InputError.exit_code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "results").exists()


def test_what_goes_wrong_with_a_volume_begins_with_its_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    index = make_index(tmp_path, size=10)  # voxels, fewer than SSIM's window has
    options = ["--index", str(index), "--out", str(tmp_path / "out"), "--scale", "2,2,2", "--lpips", "none"]
    assert evaluate.main([*options, "--split", "validation", "--interpolations", "cubic"]) == InputError.exit_code
    error = capsys.readouterr().err
    assert error.startswith("1 volume cannot be scored")
    assert error.splitlines()[1].startswith("  c: validation/c.nii.gz: SSIM needs 11 voxels")


def test_a_changed_file_is_refused(evaluated: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "data" / "train" / "a.nii.gz"
    volume = read_volume(path)
    write_volume(volume.with_array(volume.array + 1), path, overwrite=True)
    assert evaluated("--interpolations", "cubic") == InputError.exit_code
    assert "changed since the index was made" in capsys.readouterr().err


def test_a_volume_with_a_problem_is_refused(evaluated: Run, an_index_file: Path, capsys) -> None:
    index = read_index(an_index_file)
    write_index(an_index_file, replace(index, entries=tuple(replace(e, problem="is constant") for e in index.entries)))
    assert evaluated("--interpolations", "cubic") == InputError.exit_code
    assert "is constant" in capsys.readouterr().err


def test_names_that_are_no_utf_8_end_no_evaluation(evaluated: Run, tmp_path: Path, an_index_file: Path) -> None:
    index = read_index(an_index_file)
    name = os.fsdecode(b"J\xfcrgen")  # as a folder of that name gives it
    entries = [replace(entry, subject=name) if entry.subject == "a" else entry for entry in index.entries]
    write_index(an_index_file, replace(index, entries=tuple(entries)))
    assert evaluated("--interpolations", "cubic", "--figures", "--dataset", name) == 0
    out = tmp_path / "out"
    for file in ("results.csv", "table.md", "table.tex", "report.html"):
        assert "J\\udcfcrgen" in (out / file).read_text("utf-8").replace("textbackslash{}", ""), file
    assert {result.subject for result in read_results(out)} == {name, "b"}
    assert result_path(out, "cubic", f"{name}.nii") != result_path(out, "cubic", "Jrgen.nii")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_evaluation_whose_table_nobody_reads_ends_with_its_files_and_exit_code(
    tmp_path: Path, an_index_file: Path
) -> None:
    command = [
        sys.executable,
        evaluate.__file__,
        "--index",
        an_index_file,
        "--out",
        tmp_path / "out",
        "--split",
        "train",
    ]
    command += ["--scale", "2,2,2", "--lpips", "none", "--device", "cpu", "--no-figures", "--interpolations", "cubic"]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(list(map(str, command)), stdout=full, stderr=full, cwd=tmp_path)
    assert run.returncode == 0
    assert (tmp_path / "out" / "table.md").exists()


def test_missing_weights_are_named_with_their_place(
    evaluated: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    import torch

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", _no_network)
    pytest.importorskip("lpips")
    assert evaluated("--interpolations", "cubic", "--lpips", "alex") == ModelError.exit_code
    error = capsys.readouterr().err
    assert "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth" in error
    assert "--lpips none does without" in error
    assert str(tmp_path / "hub" / "checkpoints") in error


def test_it_runs_as_a_file_from_anywhere(tmp_path: Path) -> None:
    script = Path(evaluate.__file__)
    run = subprocess.run([sys.executable, str(script), "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "--interpolations" in run.stdout


def _no_network(*arguments: object, **options: object) -> None:
    raise OSError("no network")
