"""Nothing below a data set's root is left out in silence, and no file ends the work on the others."""

import os
import signal
import sys
from pathlib import Path

import pytest
from data_sets import write_nifti

from Training.data import survey as inspection
from Training.data.index import read_index
from Training.data.survey import inspect, inspect_all
from Training.datasets import tree
from Training.datasets.data_set import Candidate, nothing_to_check
from Training.datasets.folder import DATA_SET as FOLDER
from Training.datasets.hcp1200 import DATA_SET as HCP1200
from Training.datasets.hcp1200 import FILE
from Training.datasets.oasis import DATA_SET as OASIS
from Training.prepare import main

needs_links = pytest.mark.skipif(os.name == "nt", reason="Windows makes links for administrators alone")


def subjects_and_files(data_set, root):
    return [(candidate.subject, candidate.file) for candidate in data_set.candidates(root)]


@needs_links
def test_linked_subject_folders_count_and_loops_end(tmp_path):
    root = tmp_path / "root"
    write_nifti(root / "sub-01" / "a.nii", 1)
    write_nifti(tmp_path / "elsewhere" / "a.nii", 2)
    (root / "sub-02").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root / "sub-01")
    (root / "sub-01" / "up").symlink_to(root)
    (root / "top").symlink_to(tmp_path)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    assert subjects_and_files(FOLDER, root) == [("sub-01", "sub-01/a.nii"), ("sub-02", "sub-02/a.nii")]


@needs_links
def test_links_that_lead_nowhere_are_listed_as_missing(tmp_path, capsys):
    for name in ("sub-01/a.nii", "sub-02/a.nii"):
        write_nifti(tmp_path / "in" / name, int(name[5]))
    (tmp_path / "in" / "sub-03").mkdir()
    (tmp_path / "in" / "sub-03" / "a.nii").symlink_to("../.git/annex/objects/none")
    (tmp_path / "in" / "sub-04").symlink_to(tmp_path / "gone")
    (tmp_path / "in" / "participants.tsv").symlink_to(tmp_path / "gone")
    arguments = ["--dataset", "folder", "--root", str(tmp_path / "in"), "--out", str(tmp_path / "i.json")]
    assert main([*arguments, "--folds", "2"]) == 0
    problems = {entry.file: entry.problem for entry in read_index(tmp_path / "i.json").entries}
    assert problems == {"sub-01/a.nii": "", "sub-02/a.nii": "", "sub-03/a.nii": "is missing", "sub-04": "is missing"}
    assert "sub-03: sub-03/a.nii: is missing" in capsys.readouterr().out


@needs_links
def test_lost_subject_folders_of_known_layouts_are_listed(tmp_path):
    write_nifti(tmp_path / "hcp" / "100307" / FILE)
    (tmp_path / "hcp" / "100408").symlink_to(tmp_path / "gone")
    assert [subject for subject, _ in subjects_and_files(HCP1200, tmp_path / "hcp")] == ["100307", "100408"]
    (tmp_path / "oasis").mkdir()
    (tmp_path / "oasis" / "OAS30002_MR_d0653").symlink_to(tmp_path / "gone")
    assert subjects_and_files(OASIS, tmp_path / "oasis") == [("OAS30002", "OAS30002_MR_d0653")]


def test_folders_that_may_not_be_entered_are_listed(tmp_path, monkeypatch):
    for number in range(3):
        write_nifti(tmp_path / f"sub-{number}" / "a.nii", number)
    genuine = Path.iterdir

    def closed(folder):
        if folder.name == "sub-1":
            raise PermissionError(13, "Permission denied")
        return genuine(folder)

    monkeypatch.setattr(Path, "iterdir", closed)
    files = [file for _, file in subjects_and_files(FOLDER, tmp_path)]
    assert files == ["sub-0/a.nii", "sub-1", "sub-2/a.nii"]
    entry = inspect(tmp_path, Candidate("sub-1", "sub-1", ""), nothing_to_check)
    assert entry.problem == "cannot be read (Permission denied)"


def test_a_disks_own_folder_is_nobodys_data(tmp_path):
    write_nifti(tmp_path / "lost+found" / "a.nii")
    assert tree.walk(tmp_path).files == []


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are always Unicode")
def test_a_name_that_is_no_utf8_is_listed_and_the_others_are_indexed(tmp_path, capsys):
    write_nifti(tmp_path / "in" / "a.nii", 1)
    write_nifti(tmp_path / "in" / "b.nii", 2)
    (tmp_path / "in" / "b.nii").rename(tmp_path / "in" / os.fsdecode(b"m\xfcller.nii"))
    arguments = ["--dataset", "folder", "--root", str(tmp_path / "in"), "--out", str(tmp_path / "i.json")]
    assert main([*arguments, "--folds", "0"]) == 0
    good, bad = read_index(tmp_path / "i.json").entries
    assert (good.file, good.problem) == ("a.nii", "")
    assert os.fsencode(bad.file) == b"m\xfcller.nii"
    assert "not UTF-8" in bad.problem
    assert "m\\udcfcller.nii: has a name that is not UTF-8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (MemoryError(), "does not fit into memory"),
        (RuntimeError("bad header"), r"cannot be read (RuntimeError: bad header)"),
        (PermissionError(13, "Permission denied"), "cannot be read (Permission denied)"),
    ],
)
def test_what_a_reader_raises_is_a_problem_of_its_file(tmp_path, monkeypatch, error, problem):
    def fail(root, entry):
        raise error

    write_nifti(tmp_path / "a.nii")
    monkeypatch.setattr(inspection, "read_entry", fail)
    assert inspect(tmp_path, Candidate("a", "a.nii", ""), nothing_to_check).problem.startswith(problem)


def _ends_at_large_voxels(volume):
    if volume.spacing[0] > 2:
        os._exit(9)
    return ""


@pytest.mark.parametrize("num_workers", [2, 3])
def test_a_file_that_ends_its_reader_is_listed_and_the_others_are_read(tmp_path, num_workers):
    for number in range(5):
        write_nifti(tmp_path / f"{number}.nii", number, spacing=(3.0, 3.0, 3.0) if number in (1, 2) else (1, 1, 1))
    candidates = [Candidate(f"s{number}", f"{number}.nii", "") for number in range(5)]
    entries = list(inspect_all(tmp_path, candidates, _ends_at_large_voxels, num_workers))
    assert [entry.subject for entry in entries] == ["s0", "s1", "s2", "s3", "s4"]
    assert [bool(entry.problem) for entry in entries] == [False, True, True, False, False]
    assert entries[1].problem.startswith("ended the process that read it")


def _what_an_interrupt_does(volume):
    return str(signal.getsignal(signal.SIGINT))


def test_readers_leave_it_to_the_command_to_end_at_ctrl_c(tmp_path):
    write_nifti(tmp_path / "0.nii")
    entries = list(inspect_all(tmp_path, [Candidate("s", "0.nii", "")], _what_an_interrupt_does, 2))
    assert [entry.problem for entry in entries] == [str(signal.SIG_IGN)]


def test_data_with_a_split_of_their_own_need_no_folds(tmp_path, capsys):
    rows = ["subject,file,modality,split"]
    for number, part in enumerate(("train", "validation")):
        write_nifti(tmp_path / f"{number}.nii", number)
        rows.append(f"s{number},{number}.nii,MR,{part}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    arguments = ["--dataset", "folder", "--root", str(tmp_path), "--out", str(tmp_path / "i.json")]
    assert main([*arguments, "--table", str(tmp_path / "table.csv")]) == 0
    assert not (tmp_path / "splits.json").exists()
    assert main([*arguments, "--overwrite"]) == 2  # without the table: five folds of two subjects
    assert "5 folds of 2 training subjects" in capsys.readouterr().err
