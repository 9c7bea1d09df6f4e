"""An evaluation that several processes share gives what one alone gives; a bad volume is named and spoils no other."""

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from child_processes import PATIENT, Start
from made_up_features import FRECHET
from models import a_tiny_model_file
from training_runs import ROOT, index_of, write_blobs

from SuperResolution3DLib.errors import InputError, ResourceError
from Training import evaluate
from Training.evaluation.methods import InterpolationMethod
from Training.evaluation.picture_sets import PictureSets
from Training.evaluation.processes import number_of_processes
from Training.evaluation.results import method_path, read_results

PROGRAM = """
import sys
sys.path[:0] = {paths!r}
import pytest
from made_up_features import measure_slices
from Training import evaluate
measure_slices(pytest.MonkeyPatch())
sys.exit(evaluate.main(sys.argv[1:]))
"""
QUICK = ["--split", "train", "--scale", "2,2,2", "--lpips", "none", "--no-figures"]
QUICK += ["--device", "cpu", "--threads", "1", "--precision", "fp32"]
NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def an_index_file(tmp_path: Path) -> Path:
    """Five volumes of different sizes."""
    for number, name in enumerate(NAMES):
        write_blobs(tmp_path, f"train/{name}", (18 + 2 * number, 20, 22))
    return index_of(tmp_path)


def evaluated(start: Start, folder: Path, out: str, processes: int, *options: str) -> tuple[int, str]:
    """Run the command line in one or several processes; return exit code and output."""
    program = folder / "program.py"
    program.write_text(PROGRAM.format(paths=[str(ROOT), str(Path(__file__).parent)]))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    launcher = [sys.executable, *(torchrun if processes > 1 else [])]
    command = [*launcher, program, "--index", folder / "index.json", "--out", folder / out]
    process = start([*command, *QUICK, *options])
    output = process.communicate(timeout=PATIENT)[0]
    return process.returncode, output


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_processes_that_share_the_volumes_give_the_table_of_one_to_the_last_digit(
    an_index_file: Path, tmp_path: Path, start: Start
) -> None:
    model = a_tiny_model_file(tmp_path)
    options = ["--interpolations", "trilinear", "zero-filled", "--model", str(model), "--keep-volumes"]
    for out, processes in (("alone", 1), ("shared", 2)):
        code, output = evaluated(start, tmp_path, out, processes, *options)
        assert code == 0, output
        assert output.count("### ") >= 1 and output.count("Results: ") == 1, output  # told by the first alone
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert rows(alone) == rows(shared) and len(rows(alone)) == 3 * len(NAMES)
    for name in ("table.md", "table.tex"):
        assert (alone / name).read_bytes() == (shared / name).read_bytes()
    names = {path.relative_to(alone) for path in alone.rglob("*") if path.is_file()}
    assert names == {path.relative_to(shared) for path in shared.rglob("*") if path.is_file()}
    for method in ("trilinear", "zero-filled", "tiny"):
        one, other = (PictureSets.read(method_path(out, method, ".npz")).taps[FRECHET] for out in (alone, shared))
        for side in ("sr", "hr"):  # whose digits depend on the order of the volumes
            np.testing.assert_array_equal(getattr(one, side).root, getattr(other, side).root)


def test_a_bad_volume_is_named_once_and_the_others_are_scored(
    an_index_file: Path, tmp_path: Path, start: Start
) -> None:
    write_blobs(tmp_path, "train/f", (10, 20, 22))  # fewer voxels than SSIM's window has
    an_index_file.unlink()
    index_of(tmp_path)
    code, output = evaluated(start, tmp_path, "out", 2, "--interpolations", "cubic")
    assert code != 0
    assert output.count("1 volume cannot be scored") == 1, output
    assert "  f: train/f.nii.gz: SSIM needs 11 voxels along every axis" in output
    assert output.count("Traceback") == 1, output  # torchrun's
    assert re.search(r"exitcode\s*: 2 ", output), output
    assert [result.file for result in read_results(tmp_path / "out")] == [f"train/{name}.nii.gz" for name in NAMES]
    assert not (tmp_path / "out" / "table.md").exists()  # of volumes that nobody chose


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (PermissionError(13, "Permission denied"), InputError, "b: train/b.nii.gz: cannot be read (Permission denied)"),
        (MemoryError(), ResourceError, "b: train/b.nii.gz: the memory does not suffice"),
        (RuntimeError("CPU: can't allocate memory"), ResourceError, "b: train/b.nii.gz: the memory does not suffice"),
        (InputError("no such series"), InputError, "b: train/b.nii.gz: no such series"),
    ],
)
def test_whatever_goes_wrong_with_a_volume_is_told_with_its_name(
    an_index_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, error, kind, message
) -> None:
    original = InterpolationMethod.enlarge

    def fail(self, volume):
        if volume.file == "train/b.nii.gz":
            raise error
        return original(self, volume)

    monkeypatch.setattr(InterpolationMethod, "enlarge", fail)
    options = ["--index", str(an_index_file), "--out", str(tmp_path / "out"), *QUICK, "--interpolations", "cubic"]
    assert evaluate.main(options) == kind.exit_code
    assert message in capsys.readouterr().err
    assert len(read_results(tmp_path / "out")) == len(NAMES) - 1


def test_a_bug_says_with_which_volume_it_happened(an_index_file: Path, tmp_path: Path, monkeypatch) -> None:
    def fail(self, volume):
        raise IndexError("of a bug")

    monkeypatch.setattr(InterpolationMethod, "enlarge", fail)
    options = ["--index", str(an_index_file), "--out", str(tmp_path / "out"), *QUICK, "--interpolations", "cubic"]
    with pytest.raises(IndexError) as found:
        evaluate.main(options)
    assert "train/a.nii.gz" in "".join(found.value.__notes__)


@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({}, 1),
        ({"WORLD_SIZE": "3"}, 3),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, 1),  # a batch script, which srun did not start
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4"}, 4),
    ],
)
def test_only_what_started_several_processes_makes_an_evaluation_wait_for_others(monkeypatch, variables, size) -> None:
    for name in ("WORLD_SIZE", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert number_of_processes() == size
