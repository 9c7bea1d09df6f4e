"""Evaluation on thick slices: simulated ones with known answers, and real ones made up of one object."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from models import a_through_plane_file, a_tiny_model_file
from scipy.ndimage import gaussian_filter
from training_runs import index_of, write_blobs

from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.inference.thick_slices import degrade_slices
from SuperResolution3DLib.metrics.evaluation_protocols import reference
from SuperResolution3DLib.metrics.metrics import psnr
from SuperResolution3DLib.metrics.ssim import ssim
from SuperResolution3DLib.volumes.geometry import Orientation
from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training.data.index import read_index
from Training.evaluate import main
from Training.evaluation.orthogonal_stacks import between
from Training.evaluation.simulated_slices import SliceScan, axis_cutoff, score_volume, simulated
from Training.evaluation.slice_blur import blurred, slice_step
from Training.evaluation.slice_methods import SliceMethod, interpolation_methods, model_methods
from Training.evaluation.stack_registration import registered
from Training.reporting.slice_figure import draw_slices
from Training.reporting.slice_tables import simulated_tables

SCAN = SliceScan("axial", 4.0, 0.2)
CUBIC, CONSISTENT = interpolation_methods()[-2:]


def an_object(shape=(48, 44, 40), seed=0) -> np.ndarray:
    smooth = gaussian_filter(np.random.default_rng(seed).random(shape), 2)
    inside = (
        np.linalg.norm([(i - n / 2 + 0.5) / n for i, n in zip(np.indices(shape), shape, strict=True)], axis=0) < 0.42
    )
    return (400 * (smooth - smooth.min()) / np.ptp(smooth) + 200).astype(np.float32) * inside


def a_volume(seed=0, affine=None) -> Volume:
    return Volume(an_object(seed=seed), np.eye(4) if affine is None else affine)


def the_truth(case) -> SliceMethod:
    return SliceMethod("truth", lambda lr, profile, pixel: case.hr)


# --- Simulated -------------------------------------------------------------------------------------------------------


def test_the_hr_itself_is_perfect_and_leaves_no_residual():
    case = simulated(a_volume(), SCAN)
    (score,) = score_volume(a_volume(), "a", "MR", [SCAN], [the_truth(case)], None)
    assert score.psnr == np.inf and score.ssim == pytest.approx(1) and score.residual < 1e-3
    assert score.cutoff == 0.5  # the Nyquist frequency of voxels of 1 mm


def test_voxels_that_hold_a_slices_centre_do_not_count():
    case = simulated(a_volume(), SCAN)
    wrong = case.hr.copy()
    holds = (np.array(case.told.centres) / case.told.hr_spacing).astype(int)
    wrong[holds] += 1000
    method = SliceMethod("wrong where measured", lambda *_: wrong)
    (score,) = score_volume(a_volume(), "a", "MR", [SCAN], [method], None)
    assert score.psnr == np.inf and score.residual > 1


def test_ssim_is_that_around_the_other_voxels():
    case = simulated(a_volume(), SCAN)
    holds = (np.array(case.told.centres) / case.told.hr_spacing).astype(int)
    repeated = gaussian_filter(case.hr, (3, 0, 0))
    repeated[holds] = case.hr[holds]
    (score,) = score_volume(a_volume(), "a", "MR", [SCAN], [SliceMethod("repeated", lambda *_: repeated)], None)
    wanted = reference(case.hr, "foreground")
    pair = wanted.pair(repeated)
    between = np.ones(len(case.hr), bool)
    between[holds] = False
    masks = [np.broadcast_to(kind[wanted.box[0], None, None], pair.hr.shape) for kind in (between, ~between)]
    own, measured = (ssim(pair.sr, pair.hr, pair.data_range, mask) for mask in masks)
    assert score.ssim == pytest.approx(own) and abs(measured - own) > 0.01


def test_psnr_is_that_of_the_other_voxels():
    case = simulated(a_volume(), SliceScan("axial", 4.0, 0.0))
    (cubic,) = [m for m in interpolation_methods() if m.name == "cubic"]
    (score,) = score_volume(a_volume(), "a", "MR", [SliceScan("axial", 4.0, 0.0)], [cubic], None)
    sr = cubic.compute(case.lr, case.told, 1.0)
    assert len(sr) == 48  # twelve slices every 4 voxels: their centres lie between voxels 1 and 2 of each
    counted = np.ones(48, bool)
    counted[2::4] = False
    everywhere = psnr(sr[counted], case.hr[counted], float(np.percentile(case.hr, 99.9)))
    inside = case.hr > 0
    box = tuple(slice(index.min(), index.max() + 1) for index in np.nonzero(inside))
    assert score.psnr < everywhere  # cropped to the foreground
    assert score.psnr == pytest.approx(everywhere + 10 * np.log10(np.prod(case.hr[box].shape) / case.hr.size), abs=0.6)


@pytest.mark.parametrize(("plane", "axis"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
def test_slices_are_those_of_the_command_degrade(plane, axis):
    turned = np.array([[0, -1, 0, 3], [0, 0, 1.0, -2], [1, 0, 0, 5], [0, 0, 0, 1]])  # another order, a mirrored axis
    volume = a_volume(affine=turned)
    case = simulated(volume, SliceScan(plane, 4.0, 0.2))
    letter = "KJI"[Orientation.of(turned).order[axis]]
    stack, cropped, _ = degrade_slices(volume, 4.0, 3.2, letter)
    np.testing.assert_allclose(np.moveaxis(stack.canonical().array, axis, 0), case.lr, atol=1e-3)
    np.testing.assert_allclose(np.moveaxis(cropped.canonical().array, axis, 0), case.hr)


def test_better_methods_come_out_better():
    scores = {s.method: s for s in score_volume(a_volume(), "a", "MR", [SCAN], interpolation_methods(), None)}
    assert scores["nearest"].psnr < scores["linear"].psnr < scores["cubic"].psnr < scores["consistent"].psnr
    assert scores["consistent"].residual < scores["cubic"].residual


def test_the_cutoff_is_where_the_detail_ends():
    hr = np.random.default_rng(1).normal(size=(64, 20, 20))
    spectrum = np.fft.rfft(hr, axis=0)
    spectrum[17:] = np.fft.rfft(np.random.default_rng(2).normal(size=hr.shape), axis=0)[17:]
    sr = np.fft.irfft(spectrum, n=64, axis=0)
    assert axis_cutoff(sr, hr, 2.0) == pytest.approx(17 / 128, abs=1.5 / 128)  # cycles/mm of 64 voxels of 2 mm


def test_wrong_detail_is_counted_and_tissue_compared():
    volume = Volume(an_object((60, 64, 62)), np.eye(4))
    case = simulated(volume, SCAN)
    wrong = case.hr + gaussian_filter(np.random.default_rng(1).normal(0, 1500, case.hr.shape), 2)
    invented = SliceMethod("wrong", lambda lr, profile, pixel: wrong.astype(np.float32))
    scores = list(score_volume(volume, "a", "MR", [SCAN], [the_truth(case), CUBIC, CONSISTENT, invented], None))
    truth, *_, other = scores
    assert truth.ring_patches == other.ring_patches > 5
    assert truth.ring_boxes == 0 and truth.tissue_dice == 1
    assert other.ring_boxes > other.ring_patches / 2 and other.tissue_dice < 0.9
    (row,) = re.findall(r"\| truth \|.*\| ([\d.]+) \| ([\d.]+) \|", simulated_tables(scores, "command"))
    assert row == ("0.0", "1.000")
    (small,) = score_volume(a_volume(), "a", "MR", [SCAN], [CUBIC], None)
    assert small.ring_patches == 0


# --- Real ------------------------------------------------------------------------------------------------------------


def test_a_stack_moved_by_the_patient_is_moved_back():
    fixed = a_volume()
    angle = np.deg2rad(4)
    motion = np.eye(4)
    motion[:3, :3] = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    motion[:3, 3] = 3, -2, 1
    moving = Volume(fixed.array, motion)
    found, _ = registered(moving, fixed)
    corners = np.array([[i, j, k, 1] for i in (5, 35) for j in (5, 39) for k in (5, 43)], float)
    assert np.abs((found @ moving.affine - fixed.affine) @ corners.T).max() < 0.5  # mm; 3.7 mm and more before


def test_stacks_blurred_alike_are_moved_back_more_exactly():
    """Two stacks lie where they belong: whatever the registration moves them by is its error."""
    hr = Volume(an_object((60, 60, 60)), np.eye(4))
    (linear,) = [method for method in interpolation_methods() if method.name == "linear"]
    stacks = [degrade_slices(hr, 4.0, axis=axis)[0] for axis in "KI"]
    fine = [between(stack, slice_stack(stack), [linear])[0] for stack in stacks]
    corners = np.array([[i, j, k, 1] for i in (10, 50) for j in (10, 50) for k in (10, 50)], float).T

    def error(moving: Volume, fixed: Volume) -> float:
        motion, _ = registered(moving, fixed)
        return np.abs(motion @ corners - corners).max()

    alike = error(blurred(fine[1], slice_step(stacks[0])), blurred(fine[0], slice_step(stacks[1])))
    assert alike < 0.1 and alike < error(stacks[1], fine[0]) / 2


def test_a_blur_is_as_wide_as_the_slices_along_their_axis_alone():
    point = np.zeros((41, 5, 5), np.float32)
    point[20, 2, 2] = 1
    turned = np.array([[2.0, 0, 0, 0], [0, 0, 0.5, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])  # K runs along y, 0.5 mm a voxel
    found = blurred(Volume(point, turned), np.array([0.2, 4.0, 0.1])).array
    line = found[:, 2, 2]
    assert found.sum() == pytest.approx(line.sum(), rel=1e-6)
    assert (line > line.max() / 2).sum() == pytest.approx(4.0 / 0.5, abs=1)


def test_what_is_computed_lies_where_the_stack_lies():
    ramp = np.indices((48, 44, 40))[1].astype(np.float32)
    affine = np.array([[0.8, 0, 0, -10], [0, 0.6, -0.5, 4], [0, 0.6, 0.7, 9], [0, 0, 0, 1.0]])
    affine[:3, 1:3] /= np.linalg.norm(affine[:3, 1:3], axis=0)
    stack, _, _ = degrade_slices(Volume(ramp, affine), 4.0, axis="J")
    (linear,) = [m for m in interpolation_methods() if m.name == "linear"]
    (result,) = between(stack, slice_stack(stack, axis="J"), [linear])
    inside = result.array[:, 8:-8]  # beyond the outermost centres slices are repeated
    k, j, i = (index + offset for index, offset in zip(np.indices(inside.shape), (0, 8, 0), strict=True))
    points = np.stack([i, j, k, np.ones_like(i)]).reshape(4, -1)
    height = (np.linalg.inv(affine) @ result.affine @ points)[1].reshape(inside.shape)
    np.testing.assert_allclose(inside, height, atol=0.02)


# --- The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def an_index(tmp_path) -> Path:
    for name in ("train/a", "validation/b", "test/c"):
        write_blobs(tmp_path, name, (36, 34, 38))
    return index_of(tmp_path)


def simulate(index: Path, out: Path, *words: object) -> list[str]:
    """Return the command line of an evaluation on simulated slices."""
    given = ["--forward", "slice-profile", "--index", index, "--out", out, "--device", "cpu", "--lpips", "none", *words]
    return [str(word) for word in given]


def test_the_command_writes_scores_table_and_picture(an_index, tmp_path, capsys):
    model = f"ours={a_through_plane_file(tmp_path)}"
    options = ["--slice-spacing", "3,4.5", "--slice-gap", "0,0.3", "--threads", 1]
    assert main(simulate(an_index, tmp_path / "out", "--model", model, *options)) == 0
    with (tmp_path / "out" / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4 * 6
    assert {row["method"] for row in rows} >= {"cubic", "consistent", "ours", "ours, projected"}
    projected = [float(row["residual"]) for row in rows if row["method"] == "ours, projected"]
    assert max(projected) < 1e-3
    table = (tmp_path / "out" / "table.md").read_text()
    assert "Slices every 4.5 mm, gap 30%" in table and "over consistent / dB" in table
    assert table in capsys.readouterr().out
    assert (tmp_path / "out" / "figure.png").stat().st_size > 1000


def test_the_mean_over_mirror_images_is_a_row_of_its_own(an_index, tmp_path):
    model, out = f"ours={a_through_plane_file(tmp_path)}", tmp_path / "out"
    options = ["--slice-spacing", "4.5", "--slice-gap", "0", "--ensemble", "--precision", "fp32"]
    assert main(simulate(an_index, out, "--model", model, *options)) == 0
    with (out / "results.csv").open() as stream:
        psnr = {row["method"]: float(row["psnr"]) for row in csv.DictReader(stream)}
    assert list(psnr)[-3:] == ["ours", "ours, projected", "ours, ensemble"]
    assert psnr["ours, ensemble"] != psnr["ours"]
    assert "\n| ours, ensemble |" in (out / "table.md").read_text()


def test_a_volume_too_short_for_two_slices_does_not_end_the_evaluation(tmp_path, caplog):
    for name, size in (("train/a", 36), ("validation/b", 36), ("test/c", 12), ("test/d", 36)):
        write_blobs(tmp_path, name, (size, 34, 38))
    assert main(simulate(index_of(tmp_path), tmp_path / "out", "--slice-spacing", "3,9", "--slice-gap", "0")) == 0
    assert "c.nii.gz is too short for axial slices every 9 mm" in caplog.text
    with (tmp_path / "out" / "results.csv").open() as stream:
        scans = {(Path(row["file"]).name, float(row["spacing"])) for row in csv.DictReader(stream)}
    assert scans == {("c.nii.gz", 3), ("d.nii.gz", 3), ("d.nii.gz", 9)}


def test_stacks_of_one_patient_are_compared(tmp_path, caplog):
    hr = Volume(an_object((60, 60, 60)), np.eye(4))
    lines = ["set\tfile"]
    for axis in "KI":
        write_volume(degrade_slices(hr, 4.0, axis=axis)[0], tmp_path / f"{axis}.nii.gz")
        lines.append(f"patient\t{axis}.nii.gz")
    write_volume(Volume(an_object((15, 60, 60), seed=9), np.diag([1, 1, 4, 1])), tmp_path / "other.nii.gz")
    (tmp_path / "stacks.tsv").write_text("\n".join(lines))
    words = ["--orthogonal", tmp_path / "stacks.tsv", "--out", tmp_path / "out", "--device", "cpu", "--ensemble"]
    assert main([str(word) for word in [*words, "--model", a_through_plane_file(tmp_path)]]) == 0
    with (tmp_path / "out" / "results.csv").open() as stream:
        rows = {(row["first"], row["method"]): row for row in csv.DictReader(stream)}
    for first in ("K.nii.gz", "I.nii.gz"):
        details = [float(rows[first, method]["detail"]) for method in ("nearest", "linear", "cubic", "consistent")]
        assert details == sorted(details) and details[-1] > details[1] + 0.02
        assert float(rows[first, "cubic"]["intensity"]) > 0.9
        assert rows[first, "between, ensemble"]["intensity"] != rows[first, "between"]["intensity"]
    assert rows["K.nii.gz", "cubic"]["psnr"] == rows["K.nii.gz", "cubic"]["rise"] == ""
    assert (tmp_path / "out" / "figure-2.png").stat().st_size > 1000


@pytest.mark.parametrize("pixel", [1.0, 0.7])
def test_a_thick_and_a_thin_stack_of_one_scan_are_compared_where_they_lie(tmp_path, capsys, pixel):
    layers = np.repeat(np.random.default_rng(1).choice([200.0, 900.0], 6), 20)[:, None, None]
    array = (gaussian_filter(np.broadcast_to(layers, (120, 40, 44)), (0.7, 0, 0)) + an_object((120, 40, 44))) / 2
    thin = Volume(array.astype(np.float32), np.diag([pixel, -pixel, 1.0, 1.0]))
    write_volume(thin, tmp_path / "thin.nii.gz")
    write_volume(degrade_slices(thin, 5.0, axis="K")[0], tmp_path / "thick.nii.gz")
    (tmp_path / "stacks.tsv").write_text("set\tfile\nscan\tthick.nii.gz\nscan\tthin.nii.gz")
    assert main(["--orthogonal", str(tmp_path / "stacks.tsv"), "--device", "cpu", "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["method"] for row in rows] == ["nearest", "linear", "cubic", "consistent"]  # of the thick one alone
    scores = {row["method"]: row for row in rows}
    assert float(scores["linear"]["psnr"]) < float(scores["cubic"]["psnr"]) < float(scores["consistent"]["psnr"])
    assert 3 < float(scores["consistent"]["rise"]) < float(scores["cubic"]["rise"]) < 8
    told = capsys.readouterr().out
    assert re.search(
        r"thick.nii.gz seen by thin.nii.gz, where the headers say; a registration would move it by 0\.\d", told
    )
    (own,) = re.findall(r"\| thin.nii.gz \| +\| +\| +\| ([\d.]+) \|", told)
    assert float(own) < 2.5
    assert (tmp_path / "out" / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--forward", "slice-profile"], "needs the --index"),
        (["--orthogonal", "stacks.tsv", "--forward", "slice-profile"], "Give either"),
        (["--orthogonal", "none.tsv"], "cannot be read"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--out", "out"]) == 2
    assert message in capsys.readouterr().err


def test_a_model_that_enlarges_all_axes_is_refused(an_index, tmp_path, capsys):
    model = str(a_tiny_model_file(tmp_path))
    assert main(simulate(an_index, tmp_path / "out", "--model", model)) == 2
    assert "tiny is not for thick slices" in capsys.readouterr().err


def test_a_model_is_not_scored_on_what_it_was_trained_on(an_index, tmp_path, capsys):
    entry = next(entry for entry in read_index(an_index).entries if entry.split == "test")
    model = str(a_through_plane_file(tmp_path, training={"train": [entry.sha256]}))
    assert main(simulate(an_index, tmp_path / "out", "--model", model)) == 2
    assert "was trained on test/c.nii.gz" in capsys.readouterr().err


def test_a_row_of_mirror_images_is_what_users_get(tmp_path):
    settings = EngineSettings("cpu", "fp32")
    stack = degrade_slices(a_volume(), 4.0, 3.2, "K")[0]
    alone, _, mean = model_methods(str(a_through_plane_file(tmp_path)), settings, with_ensemble=True)
    assert (mean.name, mean.variant) == ("between, ensemble", "ensemble")
    (row, other) = between(stack, slice_stack(stack), [mean, alone])
    wanted = super_resolve(stack, mean.model, Settings("cpu", "fp32", ensemble=True)).volume
    np.testing.assert_allclose(row.array, wanted.array, atol=0.01)  # of 600
    np.testing.assert_allclose(row.affine, wanted.affine, atol=1e-9)
    assert np.abs(other.array - row.array).max() > 0.5


def test_worst_patches_are_drawn_of_a_models_own_result_alone(tmp_path):
    volume = Volume(an_object((60, 64, 62)), np.eye(4))
    rows = model_methods(str(a_through_plane_file(tmp_path)), EngineSettings("cpu", "fp32"), with_ensemble=True)
    draw_slices(tmp_path / "figure.png", volume, SCAN, [CONSISTENT, *rows], "MR")
    assert [path.name for path in tmp_path.glob("failures-*")] == ["failures-between.png"]


def test_a_model_is_scored_on_the_interpolation_that_its_card_names(tmp_path):
    """What it adds to is regularised as in use, where the card tells, not as the default is."""
    case, found = simulated(a_volume(), SCAN), []
    for noise in (0.0, 1.0):
        path = a_through_plane_file(tmp_path, forward={"shape": "gaussian", "noise": noise})
        model, _ = model_methods(str(path), EngineSettings("cpu", "fp32"))
        model.model.network.silence()
        found.append(model.compute(case.lr, case.told, case.pixel))
    wanted = [Slices(case.told, noise).interpolation(case.told.lr_size) for noise in (0.0, 1.0)]
    for result, matrix in zip(found, wanted, strict=True):
        np.testing.assert_allclose(result, np.tensordot(matrix, case.lr, 1), atol=0.5)  # of 600
    assert np.abs(found[0] - found[1]).max() > 5


def test_the_profile_told_is_gaussian_whatever_was_measured():
    case = simulated(a_volume(), SliceScan("axial", 4.0, 0.0, "rectangular"))
    assert isinstance(case.told, SliceProfile) and case.told.shape == "gaussian"
    boxes = case.hr.reshape(12, 4, *case.hr.shape[1:]).mean(1)
    np.testing.assert_allclose(case.lr, boxes, atol=1e-3)


def test_the_other_evaluation_refuses_a_model_for_slices(an_index, tmp_path, capsys):
    model = str(a_through_plane_file(tmp_path))
    assert main(["--index", str(an_index), "--model", model, "--out", str(tmp_path / "out"), "--lpips", "none"]) == 2
    assert "between is for thick slices: score it with --forward slice-profile" in capsys.readouterr().err
