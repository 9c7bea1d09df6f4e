"""Several inputs with --output-dir: one process and one loading of the model, a line a failure, a report each."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from models import a_tiny_model_file

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.cli import batch
from SuperResolution3DLib.errors import CancelledError, ExitCode
from SuperResolution3DLib.models import checkpoint, installed_models
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume


@pytest.fixture
def a_cohort(tmp_path, a_phantom, monkeypatch) -> Path:
    """Return the working folder with three volumes in subjects/, of which the second is cut short, and one model."""
    models = tmp_path / "models"
    models.mkdir()
    a_tiny_model_file(models)
    monkeypatch.setattr(installed_models, "model_folders", lambda: [models])
    monkeypatch.chdir(tmp_path)
    subjects = tmp_path / "subjects"
    subjects.mkdir()
    for name in ("a.nii.gz", "b.nrrd", "c.nrrd"):
        write_volume(Volume(a_phantom.array[:9, :11, :].astype(np.float32), a_phantom.affine), subjects / name)
    (subjects / "b.nrrd").write_bytes((subjects / "b.nrrd").read_bytes()[:-50])
    (subjects / "notes.txt").write_text("no volume")
    return tmp_path


def run(line: str) -> int:
    return main(line.split())


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_folder_is_run_with_one_loaded_model_and_a_failure_stops_no_other(a_cohort, capsys, monkeypatch):
    loads: list[Path] = []
    load = checkpoint.load_model
    monkeypatch.setattr(checkpoint, "load_model", lambda path: loads.append(path) or load(path))
    assert run("super-resolve subjects --output-dir new/results --device cpu") == batch.FAILED + 1
    assert names("new/results") == ["a-sr.json", "a-sr.nii.gz", "b-sr.json", "c-sr.json", "c-sr.nrrd"]
    assert len(loads) == 1
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {Path('subjects/b.nrrd')} is cut short: ")
    assert lines[-1] == "2 of 3 volumes super-resolved"
    report = json.loads(Path("new/results/c-sr.json").read_text())
    assert (report["input"], report["output"]) == (str(Path("subjects/c.nrrd")), str(Path("new/results/c-sr.nrrd")))
    assert read_volume("new/results/a-sr.nii.gz").shape == (18, 22, 22)


def test_results_beside_their_inputs_are_no_inputs_of_the_next_run(a_cohort, capsys):
    assert run("super-resolve subjects --output-dir subjects --device cpu") == batch.FAILED + 1
    Path("subjects/b.nrrd").unlink()
    Path("subjects/other-sr.nrrd").write_bytes(Path("subjects/c.nrrd").read_bytes())
    assert run("super-resolve subjects --output-dir subjects --device cpu --overwrite") == ExitCode.OK
    assert capsys.readouterr().err.splitlines()[-1] == "3 of 3 volumes super-resolved"
    assert {"a-sr.nii.gz", "c-sr.nrrd", "other-sr-sr.nrrd"} <= set(names("subjects"))


def test_a_failure_names_its_volume_once(a_cohort, capsys):
    Path("subjects/b.nrrd").rename("o")  # one letter of the sentences
    assert run("super-resolve o subjects/a.nii.gz --output-dir out --model nosuch --device cpu") == batch.FAILED + 2
    assert run("super-resolve o --output-dir out --device cpu") == batch.FAILED + 1
    unnamed, nor_this, named = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert unnamed.startswith("error: o: No model is called 'nosuch'")
    assert nor_this.startswith(f"error: {Path('subjects/a.nii.gz')}: No model is called 'nosuch'")
    assert named.startswith("error: o is not a volume of a known kind")


def test_every_run_has_a_report_and_a_later_success_takes_the_place_of_a_failure(a_cohort, a_phantom):
    line = "super-resolve subjects/b.nrrd --output-dir out --device cpu"
    assert run(line) == batch.FAILED + 1
    told = json.loads(Path("out/b-sr.json").read_text())
    assert told.pop("message").startswith(f"{Path('subjects/b.nrrd')} is cut short: it holds ")
    assert set(told.pop("values")) == {"path", "count", "wanted"}
    assert told == {
        "status": "failed",
        "input": str(Path("subjects/b.nrrd")),
        "exit_status": ExitCode.BAD_INPUT,
        "code": "volume-cut-short",
    }
    assert run(line) == batch.FAILED + 1  # nothing of the first run stands in the way
    write_volume(Volume(a_phantom.array[:9], a_phantom.affine), "subjects/b.nrrd", overwrite=True)
    assert run(line) == 0
    report = Path("out/b-sr.json").read_text()
    assert json.loads(report)["status"] == "done"
    assert run(line) == batch.FAILED + 1  # the result is there already
    assert Path("out/b-sr.json").read_text() == report


def test_the_report_of_a_bug_says_so(a_cohort, monkeypatch):
    def oversight(*arguments: object) -> None:
        raise KeyError("oversight")

    monkeypatch.setattr(batch, "run_job", oversight)
    assert run("super-resolve subjects/a.nii.gz --output-dir out") == batch.FAILED + 1
    told = json.loads(Path("out/a-sr.json").read_text())
    assert (told["code"], told["exit_status"]) == ("bug", ExitCode.BUG)


def test_files_from_anywhere_end_with_zero_when_none_failed(a_cohort):
    assert run("super-resolve subjects/a.nii.gz subjects/c.nrrd --output-dir out --device cpu --model tiny") == 0
    assert names("out") == ["a-sr.json", "a-sr.nii.gz", "c-sr.json", "c-sr.nrrd"]
    assert run("super-resolve subjects/a.nii.gz subjects/c.nrrd --output-dir out --device cpu") == batch.FAILED + 2
    assert run("super-resolve subjects/a.nii.gz --output-dir out --device cpu --overwrite") == 0


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("super-resolve subjects/a.nii.gz", "Give one INPUT and one OUTPUT, or any number of inputs with --output-dir"),
        ("super-resolve a b c", "Give one INPUT and one OUTPUT"),
        ("super-resolve subjects --output-dir out --events", "--events is for one volume: omit it"),
        ("super-resolve subjects --output-dir out --zero-filled z.nrrd", "--zero-filled is for one volume"),
        ("super-resolve subjects --output-dir out --trust-map t.nrrd", "--trust-map is for one volume"),
        ("super-resolve subjects subjects/a.nii.gz --output-dir out", "2 inputs are called a: give each of them an"),
        ("super-resolve nowhere --output-dir out", "nowhere cannot be read (No such file or directory)"),
    ],
)
def test_what_cannot_be_several_is_refused_before_anything_is_written(a_cohort, capsys, line, sentence):
    with pytest.raises(SystemExit) as end:
        run(line)
    assert end.value.code == ExitCode.BAD_INPUT
    assert sentence in capsys.readouterr().err
    assert not Path("out").exists()


def test_an_output_folder_that_cannot_be_made_is_one_sentence(a_cohort, capsys):
    assert run("super-resolve subjects --output-dir subjects/notes.txt --device cpu") == ExitCode.BAD_INPUT
    assert "cannot be made (" in capsys.readouterr().err


def test_a_cancel_ends_all(a_cohort, monkeypatch):
    def run_and_cancel(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise CancelledError("Cancelled; nothing was written")

    monkeypatch.setattr(batch, "run_job", run_and_cancel)
    assert run("super-resolve subjects --output-dir out") == ExitCode.CANCELLED
    assert names("out") == []
