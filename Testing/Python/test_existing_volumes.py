"""SR volumes that were made elsewhere: found, scored on their own grid, refused on any other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_sets import an_entry
from scipy.ndimage import gaussian_filter

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.metrics.metrics import score
from SuperResolution3DLib.volumes.geometry import crop_affine
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume
from Training import evaluate
from Training.evaluation.existing_volumes import existing_volumes
from Training.evaluation.results import kept_path, read_results
from Training.prepare import main as prepare

#                    I to the left      K to anterior    J to superior
AFFINE = np.array([[-1.0, 0, 0, 30], [0, 0, 2, -5], [0, 1.5, 0, 7], [0, 0, 0, 1]])
FILES = ("a.nii.gz", "b.nii.gz")
Run = Callable[..., int]


@pytest.fixture
def an_index_file(tmp_path: Path) -> Path:
    """Return the index of two HR volumes; beside it lies the folder of their SR volumes, smoothed HR volumes."""
    for number, file in enumerate(FILES):
        smooth = gaussian_filter(np.random.default_rng(number).random((16, 18, 20)), 2)  # (K, J, I)
        hr = Volume((1e4 * smooth).astype(np.float32), AFFINE)
        for folder, volume in (("data/test", hr), ("sr", hr.with_array(gaussian_filter(hr.array, 1)))):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            write_volume(volume, tmp_path / folder / file)
    index = tmp_path / "index.json"
    options = ["--dataset", "folder", "--root", str(tmp_path / "data"), "--out", str(index), "--modality", "MR"]
    assert prepare([*options, "--folds", "0"]) == 0
    return index


@pytest.fixture
def evaluated(tmp_path: Path, an_index_file: Path) -> Run:
    def run(*options: str) -> int:
        common = ["--index", str(an_index_file), "--out", str(tmp_path / "out"), "--scale", "2,2,2", "--lpips", "none"]
        return evaluate.main([*common, "--interpolations", "cubic", *options])

    return run


def test_sr_volumes_are_scored_in_canonical_orientation(evaluated: Run, tmp_path: Path) -> None:
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == 0
    results = [result for result in read_results(tmp_path / "out") if result.method == "theirs"]
    assert [result.file for result in results] == [f"test/{file}" for file in FILES]
    for result, file in zip(results, FILES, strict=True):
        sr, hr = (read_volume(tmp_path / folder / file).canonical().array for folder in ("sr", "data/test"))
        assert result.metrics["paper/psnr"] == pytest.approx(score(sr, hr, "paper").psnr)
        assert "residual_percent" not in result.metrics  # nobody knows its LR
        assert result.notes == ()
    assert "- theirs: SR volumes made elsewhere" in (tmp_path / "out" / "table.md").read_text()
    assert (tmp_path / "out" / "figure2-folder.png").exists()


def cut(path: Path, start: tuple[int, int, int], stop: tuple[int, int, int]) -> None:
    """Cut a volume file to a box of its canonical voxels (D, H, W)."""
    volume = read_volume(path).canonical()
    box = tuple(slice(*ends) for ends in zip(start, stop, strict=True))
    write_volume(Volume(volume.array[box], crop_affine(volume.affine, start)), path, overwrite=True)


def test_an_hr_that_contains_the_grid_of_the_sr_is_cropped_for_every_method(evaluated: Run, tmp_path: Path) -> None:
    """Else the table would compare figures of different regions."""
    assert evaluated() == 0
    (whole, _) = read_results(tmp_path / "out")
    sr = read_volume(tmp_path / "sr" / "a.nii.gz").canonical().array
    cut(tmp_path / "sr" / "a.nii.gz", (2, 0, 3), (18, 16, 19))
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}", "--figures", "--keep-volumes") == 0
    cubic, untouched, theirs, _ = read_results(tmp_path / "out")
    assert untouched.notes == ()
    said = "HR cropped from 18 x 16 x 20 to the 16 x 16 x 16 voxels (S, A, R) that every SR has"
    assert cubic.notes == theirs.notes == (said,)
    assert f"- test/a.nii.gz: {said}" in (tmp_path / "out" / "table.md").read_text()
    hr = read_volume(tmp_path / "data/test/a.nii.gz").canonical().array[2:, :, 3:-1]
    enlarged = read_volume(kept_path(tmp_path / "out", "cubic", "test/a.nii.gz")).array
    for result, array in ((theirs, sr), (cubic, enlarged)):
        assert result.metrics["paper/psnr"] == pytest.approx(score(array[2:, :, 3:-1], hr, "paper").psnr)
    assert cubic.metrics["paper/psnr"] != whole.metrics["paper/psnr"]
    assert cubic.metrics["residual_percent"] == whole.metrics["residual_percent"]  # degraded whole


def test_an_sr_of_the_whole_hr_is_cropped_to_what_is_scored_of_it(evaluated: Run, tmp_path: Path) -> None:
    """The scale leaves half of an odd size's rest away, at either end."""
    for folder in ("data/test", "sr"):
        cut(tmp_path / folder / "a.nii.gz", (1, 0, 0), (18, 16, 19))
    options = ["--dataset", "folder", "--root", str(tmp_path / "data"), "--out", str(tmp_path / "index.json")]
    assert prepare([*options, "--modality", "MR", "--folds", "0", "--overwrite"]) == 0
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == 0
    result = next(result for result in read_results(tmp_path / "out") if result.method == "theirs")
    assert result.notes == ("HR cropped from 17 x 16 x 19 to 16 x 16 x 18 voxels (head-foot, front-back, left-right)",)
    sr, hr = (read_volume(tmp_path / folder / "a.nii.gz").array[:16, :, :18] for folder in ("sr", "data/test"))
    assert result.metrics["paper/psnr"] == pytest.approx(score(sr, hr, "paper").psnr)


def test_an_sr_that_reaches_beyond_the_hr_is_refused_before_anything_is_scored(
    evaluated: Run, tmp_path: Path, capsys
) -> None:
    sr = read_volume(tmp_path / "sr" / "b.nii.gz")
    write_volume(
        sr.with_array(np.pad(sr.array, ((0, 1), (0, 0), (0, 0)))), tmp_path / "sr" / "b.nii.gz", overwrite=True
    )
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == InputError.exit_code
    error = capsys.readouterr().err
    assert error.startswith("test/b.nii.gz: The first grid reaches beyond the second")
    assert not (tmp_path / "out").exists()


def test_sr_volumes_without_a_common_voxel_are_refused(evaluated: Run, tmp_path: Path, capsys) -> None:
    shutil.copytree(tmp_path / "sr", tmp_path / "others")
    cut(tmp_path / "sr" / "a.nii.gz", (0, 0, 0), (6, 16, 20))
    cut(tmp_path / "others" / "a.nii.gz", (6, 0, 0), (18, 16, 20))
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}", f"others={tmp_path / 'others'}") == InputError.exit_code
    assert "have no voxel in common" in capsys.readouterr().err


def test_names_of_columns_and_of_other_methods_are_refused(evaluated: Run, tmp_path: Path, capsys) -> None:
    assert evaluated("--sr", f"HR={tmp_path / 'sr'}") == InputError.exit_code
    assert "call HR something else" in capsys.readouterr().err
    assert evaluated("--sr", f"cubic={tmp_path / 'sr'}") == InputError.exit_code
    assert "Methods of the same name: cubic" in capsys.readouterr().err


def test_another_grid_is_refused_with_both_printed(evaluated: Run, tmp_path: Path, capsys) -> None:
    sr = read_volume(tmp_path / "sr" / "b.nii.gz")
    moved = sr.affine + np.array([[0, 0, 0, 0.5]] + 3 * [[0, 0, 0, 0]])
    write_volume(Volume(sr.array, moved), tmp_path / "sr" / "b.nii.gz", overwrite=True)
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == InputError.exit_code
    error = capsys.readouterr().err
    assert error.startswith("test/b.nii.gz: The two grids do not coincide: 18 x 16 x 20 voxels of")
    assert "against 18 x 16 x 20 voxels" in error


def test_an_sr_that_was_made_anew_is_scored_anew(evaluated: Run, tmp_path: Path) -> None:
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == 0
    before = [result.metrics for result in read_results(tmp_path / "out")]
    path = tmp_path / "sr" / "a.nii.gz"
    sr = read_volume(path)
    write_volume(sr.with_array(0.9 * sr.array), path, overwrite=True)
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == 0
    after = [result.metrics for result in read_results(tmp_path / "out")]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True]


@pytest.mark.parametrize("chosen", ["{sr}", "=sr", "theirs=nowhere"])
def test_what_names_no_folder_is_refused(evaluated: Run, tmp_path: Path, chosen: str, capsys) -> None:
    assert evaluated("--sr", chosen) == InputError.exit_code
    assert "--sr wants LABEL=FOLDER" in capsys.readouterr().err


def test_each_hr_needs_one_sr(evaluated: Run, tmp_path: Path, capsys) -> None:
    path = tmp_path / "sr" / "a.nii.gz"
    write_volume(read_volume(path), tmp_path / "sr" / "a.nrrd")
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == InputError.exit_code
    error = capsys.readouterr().err
    assert "test/a.nii.gz needs one volume a in" in error and "found a.nii.gz, a.nrrd" in error
    for name in ("a.nii.gz", "a.nrrd"):
        (tmp_path / "sr" / name).unlink()
    assert evaluated("--sr", f"theirs={tmp_path / 'sr'}") == InputError.exit_code
    assert "found none" in capsys.readouterr().err


def test_hr_volumes_of_one_name_need_sr_volumes_of_the_same_path(tmp_path: Path) -> None:
    entries = [an_entry("1", "1/T1w.nii.gz"), an_entry("2", "2/T1w.nii.gz")]
    (tmp_path / "T1w.nii.gz").touch()
    with pytest.raises(InputError, match=r"several volumes are called T1w; give that of 1/T1w\.nii\.gz the same path"):
        existing_volumes(f"theirs={tmp_path}", entries)
    for entry in entries:
        (tmp_path / entry.subject).mkdir()
        (tmp_path / entry.file).touch()
    assert existing_volumes(f"theirs={tmp_path}", entries).files == {e.file: tmp_path / e.file for e in entries}
