"""The command line as a person uses it: what it prints, what it writes, what it refuses and how."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from models import a_tiny_card, a_tiny_model_file

from SuperResolution3DLib import __version__
from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.cli import worker
from SuperResolution3DLib.cli.super_resolve_job import Job
from SuperResolution3DLib.errors import ExitCode
from SuperResolution3DLib.models import installed_models
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def a_folder(tmp_path, a_phantom, monkeypatch) -> Path:
    """Return the working folder: an LR volume, a model that is the only one installed, and nothing else."""
    models = tmp_path / "models"
    models.mkdir()
    a_tiny_model_file(models)
    monkeypatch.setattr(installed_models, "model_folders", lambda: [models])
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_volume(Volume(a_phantom.array[:9, :11, :], a_phantom.affine), folder / "lr.nii.gz")
    return folder


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def run(line: str) -> int:
    """Run a command line whose words hold no spaces."""
    return main(line.split())


def refused(line: str, capsys) -> str:
    """Run what must be refused with one sentence; return it."""
    assert run(line) == ExitCode.BAD_INPUT
    told = ("super-resolving ", "For ")  # what is going to be done, and with which model
    errors = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(told)]
    assert len(errors) == 1, errors
    assert errors[0].startswith("error: ")
    return errors[0]


# --- super-resolve ---------------------------------------------------------------------------------------------------


def test_super_resolve_takes_the_model_that_fits_and_says_which_and_why(a_folder, a_phantom, capsys):
    models = a_folder.parent / "models"
    a_tiny_model_file(models, name="a-finer-one", spacing_range=(0.1, 0.5), rank=9)
    a_tiny_model_file(models, name="brain", subject="T1 brain", rank=1)
    assert run("super-resolve lr.nii.gz sr.nii.gz --device cpu --report r.json") == 0
    assert files(a_folder) == {"lr.nii.gz", "sr.nii.gz", "r.json"}
    assert read_volume("sr.nii.gz").shape == (18, 22, 22)
    told = capsys.readouterr().err.splitlines()
    assert told[1] == "For T1 brain: axial slices of 0.8 x 1.1 x 1.7 mm -> 0.4 x 0.55 x 0.85 mm with brain"
    report = json.loads(Path("r.json").read_text())
    assert (report["model"], report["model_file"]) == ("brain", str(models / "brain.safetensors"))


def test_a_volume_that_no_model_fits_is_refused_unless_one_is_named(a_folder, capsys):
    a_tiny_model_file(a_folder.parent / "models", name="tiny", spacing_range=(2.0, 3.0))
    wanted = "consistent interpolation only (tiny is for 2 to 3 mm each way); name a model with --model"
    assert f"No model fits axial slices of 0.8 x 1.1 x 1.7 mm: {wanted}" in refused(
        "super-resolve lr.nii.gz sr.nii.gz --device cpu", capsys
    )
    assert "No model is for CT: " in refused("super-resolve lr.nii.gz sr.nii.gz --modality CT", capsys)
    assert run("super-resolve lr.nii.gz sr.nii.gz --device cpu --model tiny") == 0


def test_two_models_of_one_rank_ask_for_a_choice(a_folder, capsys):
    a_tiny_model_file(a_folder.parent / "models", name="other")
    assert "other and tiny fit equally well: choose one; name a model" in refused(
        "super-resolve lr.nii.gz sr.nii.gz", capsys
    )


def test_every_option_of_super_resolve_reaches_the_job(monkeypatch):
    seen: list[Job] = []
    monkeypatch.setattr(worker, "run_process", lambda job: seen.append(job) or ExitCode.OK)
    line = (
        "super-resolve in.nrrd out.nrrd --model tiny --device cuda:1 --precision bf16 --memory-limit 3.5 --window 24 "
        "--overlap 0.5 --data-consistency off --zero-filled zf.nrrd --region 0:4,1:5,2:6 --series 1.2 "
        "--modality CT --report r.json --events --overwrite --echo 2 --time-point 3 --stack 4 --ensemble"
    )
    assert run(line) == 0
    assert seen == [
        Job(
            Path("in.nrrd"), Path("out.nrrd"), "tiny", "cuda:1", "bf16", 3.5, 24, 0.5, "off", Path("zf.nrrd"),
            np.s_[0:4, 1:5, 2:6], "1.2", "CT", Path("r.json"), True, True, 2, 3, 4, True,
        )
    ]  # fmt: skip


def a_file(folder: Path, kind: str) -> Path:
    """Write an input of a kind that must be refused and return its path."""
    array = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    if kind in ("nan", "infinite", "constant", "thin", "2d", "4d"):
        values = {
            "nan": np.where(array > 0.9, np.nan, array),
            "infinite": np.where(array > 0.9, np.inf, array),
            "constant": np.full_like(array, 3),
            "thin": array[:3],
            "2d": array[0],
            "4d": np.stack([array, array]),
        }[kind]
        sitk.WriteImage(sitk.GetImageFromArray(values, isVector=False), str(folder / "in.nrrd"))
        return folder / "in.nrrd"
    if kind == "rgb":
        image = sitk.GetImageFromArray((np.stack([array] * 3, -1) * 255).astype(np.uint8), isVector=True)
        sitk.WriteImage(image, str(folder / "in.nrrd"))
        return folder / "in.nrrd"
    path = folder / "in.nii.gz"
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    write_volume(Volume(array, affine), path)
    header = bytearray(gzip.decompress(path.read_bytes()))
    if kind in ("sheared", "zero affine"):
        header[252:256] = b"\0\0\1\0"  # qform_code 0, sform_code 1
        affine = affine @ np.array([[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        rows = affine[:3] if kind == "sheared" else np.zeros((3, 4))
        header[280:328] = rows.astype("<f4").tobytes()
        path.write_bytes(gzip.compress(bytes(header)))
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    elif kind == "text":
        path = folder / "in.txt"
        path.write_text("no image")
    elif kind == "empty folder":
        path = folder / "dicom"
        path.mkdir()
    elif kind == "missing":
        path = folder / "missing.nii.gz"
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no file or folder"),
        ("text", "not a volume of a known kind"),
        ("empty folder", "DICOM"),
        ("truncated", "cut short"),
        ("sheared", "sheared"),
        ("zero affine", "header"),
        ("2d", "2 axes"),
        ("4d", "4 axes"),
        ("rgb", "3 component"),
        ("thin", "too small"),
        ("nan", "NaN"),
        ("infinite", "infinite"),
        ("constant", "All 8 x 7 x 6 voxels"),
    ],
)
def test_an_input_that_cannot_be_used_gets_one_sentence_and_nothing_is_written(a_folder, capsys, kind, message):
    path = a_file(a_folder, kind)
    before = files(a_folder)
    assert message in refused(f"super-resolve {path.name} sr.nii.gz --report report.json", capsys)
    assert files(a_folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sr.nii.gz --device cuda:99", "GPU"),
        ("sr.nii.gz --model other", "No model is called 'other'; installed: tiny"),
        ("sr.nii.gz --model lr.nii.gz", "not a model file"),
        ("sr.nii.gz --series 1.2.3", "--series chooses among the DICOM series of a folder"),
        ("sr.nii.gz --region 0:4,0:4,8:12", "whose shape is 9,11,11"),
        ("lr.nii.gz", "exists already; use --overwrite"),
        ("nowhere/sr.nii.gz", "no folder nowhere"),
        ("sr.png", "no extension that can be written"),
    ],
)
def test_what_no_run_can_do_gets_one_sentence_and_nothing_is_written(a_folder, capsys, arguments, message):
    assert message in refused(f"super-resolve lr.nii.gz {arguments}", capsys)
    assert files(a_folder) == {"lr.nii.gz"}


def test_a_model_whose_network_has_another_scale_than_its_card_is_refused(a_folder, capsys):
    path = a_tiny_model_file(a_folder, config=a_tiny_card((4, 2, 2)).config)
    assert "the card says scale" in refused(f"super-resolve lr.nii.gz sr.nii.gz --model {path.name}", capsys)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "required: COMMAND"),
        ("enlarge lr.nii.gz sr.nii.gz", "invalid choice"),
        ("super-resolve lr.nii.gz", "Give one INPUT and one OUTPUT"),
        ("super-resolve lr.nii.gz sr.nii.gz --over", "unrecognized arguments: --over"),
        ("super-resolve lr.nii.gz sr.nii.gz --window", "--window: expected one argument"),
        ("super-resolve lr.nii.gz sr.nii.gz --window large", "invalid int value: 'large'"),
        ("super-resolve lr.nii.gz sr.nii.gz --window 0", "at least 4 LR voxels, not 0"),
        ("super-resolve lr.nii.gz sr.nii.gz --window 24 --overlap 1", "from 0 to below 1, not 1"),
        ("super-resolve lr.nii.gz sr.nii.gz --overlap 0.5", "--overlap belongs to --window"),
        ("super-resolve lr.nii.gz sr.nii.gz --memory-limit -1", "above 0, not -1"),
        ("super-resolve lr.nii.gz sr.nii.gz --precision fp64", "auto, fp32 or bf16, not 'fp64'"),
        ("super-resolve lr.nii.gz sr.nii.gz --region 1:2,3:4", "K0:K1,J0:J1,I0:I1 in whole numbers, not '1:2,3:4'"),
        ("degrade lr.nii.gz out.nii.gz --scale 5", "product of 2s and 3s, got 5"),
        ("degrade lr.nii.gz out.nii.gz --scale 1", "enlarges no axis"),
        ("degrade lr.nii.gz out.nii.gz --scale 2,2", "not '2,2'"),
        ("degrade lr.nii.gz out.nii.gz --scale 0", "not '0'"),
        ("degrade lr.nii.gz out.nii.gz --grid edge", "invalid choice: 'edge'"),
        ("interpolate lr.nii.gz out.nii.gz", "required: --method"),
        ("compare --lr lr.nii.gz out.png", "required: --sr"),
    ],
)
def test_usage_errors_say_what_is_wrong(a_folder, capsys, line, message):
    with pytest.raises(SystemExit) as end:
        run(line)
    assert end.value.code == ExitCode.BAD_INPUT
    assert message in capsys.readouterr().err
    assert files(a_folder) == {"lr.nii.gz"}


@pytest.mark.parametrize("command", ["super-resolve", "degrade", "interpolate", "compare", "models"])
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as end:
        run(f"{command} --help")
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "exit codes: 0 ok, 1 bug, 2 bad input or usage, 3 out of memory, 4 cancelled" in out
    assert command == "models" or f"superres3d {command} " in out


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        run("--version")
    assert capsys.readouterr().out == f"superres3d {__version__}\n"


# --- degrade, interpolate --------------------------------------------------------------------------------------------


def test_degrade_writes_the_lr_volume_and_the_hr_voxels_that_it_stands_for(a_folder, a_phantom, capsys):
    write_volume(Volume(a_phantom.array, a_phantom.affine), "hr.nrrd")
    assert run("degrade hr.nrrd out.nrrd --scale 3,2,1 --grid corner --hr-out cropped.nrrd") == 0
    out, cropped = read_volume("out.nrrd"), read_volume("cropped.nrrd")
    assert out.shape == (4, 8, 11)
    assert cropped.shape == (12, 16, 11)
    np.testing.assert_allclose(np.array(out.spacing) / cropped.spacing, (3, 2, 1))
    text = capsys.readouterr().out
    assert (
        "wrote out.nrrd: 11 x 8 x 4 voxels of 0.8 x 2.2 x 5.1 mm (left-right, front-back, through-plane), corner"
        in text
    )
    assert "cropped from 11 x 17 x 13 voxels" in text


@pytest.mark.parametrize("method", ["zero-fill", "cubic", "trilinear"])
def test_interpolate_writes_a_volume_on_the_finer_grid(a_folder, method):
    assert run(f"interpolate lr.nii.gz out.nrrd --method {method} --scale 1,2,3") == 0
    assert read_volume("out.nrrd").shape == (9, 22, 33)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("degrade lr.nii.gz lr.nii.gz", "exists already"),
        ("degrade lr.nii.gz out.nii.gz --scale 8", "too small to degrade"),
        ("degrade lr.nii.gz out.nii.gz --hr-out nowhere/hr.nrrd", "no folder nowhere"),
        ("degrade lr.nii.gz out.nii.gz --hr-out out.nii.gz", "also another result"),
        ("degrade missing.nii.gz out.nii.gz", "no file or folder"),
        ("interpolate lr.nii.gz lr.nii.gz --method cubic --overwrite", "also an input"),
        ("interpolate lr.nii.gz out.txt --method cubic", "no extension that can be written"),
        ("compare --lr lr.nii.gz --sr lr.nii.gz out.jpg", "does not end in .png"),
        ("compare --lr lr.nii.gz --sr missing.nii.gz out.png", "no file or folder"),
        ("compare --lr lr.nii.gz --sr lr.nii.gz nowhere/out.png", "no folder nowhere"),
    ],
)
def test_other_commands_refuse_in_one_sentence_and_write_nothing(a_folder, capsys, line, message):
    before = (a_folder / "lr.nii.gz").read_bytes()
    assert message in refused(line, capsys)
    assert files(a_folder) == {"lr.nii.gz"}
    assert (a_folder / "lr.nii.gz").read_bytes() == before


# --- compare ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def a_comparison(a_folder, capsys) -> Path:
    """Add hr.nrrd (voxels to spare on every side), lr.nrrd and sr.nrrd, a cubic interpolation, on the corner grid."""
    place = np.indices((29, 26, 31)).astype(float)
    wave = 100 + 40 * np.sin(place[0] / 3) * np.cos(place[1] / 4 + place[2] / 5) + place.sum(axis=0)
    affine = np.array([[0, -0.5, 0, 3], [0.75, 0, 0, 4], [0, 0, 1, 5], [0, 0, 0, 1.0]])
    write_volume(Volume(wave.astype(np.float32), affine), a_folder / "hr.nrrd")
    assert run("degrade hr.nrrd lr.nrrd --scale 2,1,2 --grid corner") == 0
    assert run("interpolate lr.nrrd sr.nrrd --scale 2,1,2 --grid corner --method cubic") == 0
    capsys.readouterr()
    return a_folder


def test_compare_draws_and_scores_against_an_hr_that_it_crops(a_comparison, capsys):
    assert run("compare --lr lr.nrrd --sr sr.nrrd --hr hr.nrrd out.png") == 0
    out = capsys.readouterr().out
    assert "(left-right, front-back, through-plane), 2x front-back, 2x head-foot, corner grid" in out
    assert "SR: 26 x 30 x 28 voxels of 0.5 x 0.75 x 1 mm (left-right, front-back, through-plane), 2x" in out
    assert "HR: cropped from 26 x 31 x 29 voxels (left-right, front-back, through-plane) to the SR's" in out
    assert re.search(r"zero-filled k-space +\d\d\.\d\d +0\.\d{4}\nSR +\d\d\.\d\d +0\.\d{4}\nProtocol foreground: ", out)
    assert (a_comparison / "out.png").read_bytes().startswith(b"\x89PNG")
    assert not [name for name in files(a_comparison) if name.startswith(".")]


def test_compare_without_an_hr_draws_only(a_comparison, capsys):
    assert run("compare --lr lr.nrrd --sr sr.nrrd out.png") == 0
    out = capsys.readouterr().out
    assert "PSNR" not in out
    assert out.endswith("wrote out.png\n")


def test_compare_scores_zero_filling_of_a_region_on_the_regions_voxels(a_comparison, capsys):
    interpolation = "interpolate lr.nrrd zf.nrrd --scale 2,1,2 --grid corner --method zero-fill"
    assert run(interpolation) == 0
    whole = read_volume("zf.nrrd")
    affine = whole.affine.copy()
    affine[:, 3] = whole.affine @ [4, 5, 6, 1]
    write_volume(Volume(whole.array[6:24, 5:21, 4:24], affine), "part.nrrd")
    assert run("compare --lr lr.nrrd --sr part.nrrd --hr hr.nrrd out.png") == 0
    scores = re.findall(r"^(?:zero-filled k-space|SR) +(\S+) +(\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert len(scores) == 2
    assert scores[0] == scores[1]


def test_compare_refuses_volumes_whose_grids_do_not_belong_together(a_comparison, capsys):
    sr = read_volume("sr.nrrd")
    shifted = sr.affine.copy()
    shifted[0, 3] += 0.1
    write_volume(sr.with_array(sr.array, shifted), "shifted.nrrd")
    message = refused("compare --lr lr.nrrd --sr shifted.nrrd out.png", capsys)
    assert "neither on the center nor on the corner grid of the LR at 2x front-back, 2x head-foot" in message
    assert "LR 26 x 15 x 14 voxels of 0.5 x 1.5 x 2 mm (left-right, front-back, through-plane) from" in message
    assert "SR 26 x 30 x 28 voxels" in message
    message = refused("compare --lr lr.nrrd --sr sr.nrrd --hr shifted.nrrd out.png", capsys)
    assert "grids do not coincide" in message
    write_volume(sr.with_array(sr.array, sr.affine @ np.diag([1.3, 1, 1, 1])), "odd.nrrd")
    assert "not a whole multiple" in refused("compare --lr lr.nrrd --sr odd.nrrd out.png", capsys)
    assert "out.png" not in files(a_comparison)


# --- models ----------------------------------------------------------------------------------------------------------


def test_models_tells_each_model_in_one_line_and_the_highest_rank_first(a_folder, capsys):
    models = a_folder.parent / "models"
    thick = {"description": "Faithful.", "subject": "T1 brain", "rank": 3}
    a_tiny_model_file(models, (4, 1, 1), name="z-thick", **thick)
    (models / "broken.safetensors").write_bytes(b"broken")
    assert run("models") == 0
    first, second, broken = capsys.readouterr().out.splitlines()
    assert first == "z-thick  T1 brain. Faithful. 4x head-foot, from voxels of 0.5 to 5 mm."
    assert second == "tiny     MR. 2x along each axis, from voxels of 0.5 to 5 mm."
    assert broken.startswith(f"cannot be used: {models / 'broken.safetensors'}: broken.safetensors is not a model file")


def test_models_verbose_tells_file_licence_and_figures(a_folder, capsys):
    models = a_folder.parent / "models"
    metrics = {"validation": {"SR": {"psnr": 31.23456, "ssim": 0.91}, "volumes": 4}}
    performance = {"cpu_seconds_per_million_voxels": 2.5, "trunk_halo": 12}
    a_tiny_model_file(models, (4, 2, 1), name="thick", grid="corner", metrics=metrics, performance=performance)
    assert run("models --verbose") == 0
    out = capsys.readouterr().out
    assert "thick  MR. 2x front-back, 4x head-foot, from voxels of 0.5 to 5 mm.\n" in out
    for line in (
        f"file: {models / 'thick.safetensors'}",
        *("for: MR", "grid: corner", "licence: Apache-2.0", "rank: 0", "measured validation: volumes 4"),
        "measured validation SR: psnr 31.23, ssim 0.91",
        "speed: cpu_seconds_per_million_voxels 2.5, trunk_halo 12",
    ):
        assert f"    {line}\n" in out


def test_models_says_where_to_put_one_when_there_is_none(capsys, monkeypatch):
    monkeypatch.setattr(installed_models, "model_folders", list)
    assert run("models") == 0
    out = capsys.readouterr().out
    assert out.startswith("No model is installed. Put a model file")
    assert str(installed_models.user_model_folder()) in out
    assert "$SUPERRES3D_MODELS" in out


def test_models_and_help_work_without_torch(a_folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "SUPERRES3D_MODELS": str(tmp_path / "models")}
    for arguments, wanted in (["models"], "tiny"), (["--help"], "super-resolve"):
        command = [sys.executable, "-m", "SuperResolution3DLib", *arguments]
        process = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        assert wanted in process.stdout


def test_a_report_can_be_read_by_others(a_folder):
    assert run("super-resolve lr.nii.gz sr.nrrd --device cpu --report r.json") == 0
    report = json.loads(Path("r.json").read_text())
    assert (report["scale"], report["grid"], report["output_shape"]) == ([2, 2, 2], "center", [18, 22, 22])
