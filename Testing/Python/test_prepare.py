"""The command that makes an index: from any folder, with a summary, and with a sentence when it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest
from data_sets import write_nifti, write_oasis1

from Training.data.index import read_index
from Training.data.splits import FILE_NAME, read_splits, select
from Training.prepare import main

PREPARE = Path(__file__).resolve().parents[2] / "Training" / "prepare.py"


def prepare(root, out, *more, dataset="oasis"):
    return main(["--dataset", dataset, "--root", str(root), "--out", str(out), *more])


@pytest.fixture
def a_small_oasis(tmp_path):
    for number in range(1, 5):
        write_oasis1(tmp_path / "disc1", f"OAS1_000{number}_MR1", number)
    write_oasis1(tmp_path / "disc2", "OAS1_0002_MR2", 9)
    return tmp_path


def test_it_runs_as_a_file_from_any_folder(a_small_oasis, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [
        sys.executable,
        PREPARE,
        "--dataset",
        "oasis",
        "--root",
        a_small_oasis,
        "--out",
        "i.json",
        "--folds",
        "2",
    ]
    run = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "MR T1w    4         5        0         1 to 1" in run.stdout
    assert "folds: 2, 2 subjects (seed 0)" in run.stdout
    index = read_index(elsewhere / "i.json")
    chosen = select(index, elsewhere, 0)
    assert len(chosen.train) + len(chosen.validation) == 5
    assert index.path(chosen.train[0]).exists()


def test_the_help_says_what_is_looked_for(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for part in (
        "--drop-problems",
        "100307/T1w/T2w_acpc_dc_restore.nii.gz",
        "OAS1_0001_MR1_mpr_n4_anon_sbj_111.hdr",
        "http://medicaldecathlon.com",
        "MRI_25um",
        "column",
    ):
        assert part in text


def test_problems_are_listed_and_can_be_left_out(a_small_oasis, tmp_path, capsys):
    next(a_small_oasis.glob("disc1/OAS1_0003*/PROCESSED/MPRAGE/SUBJ_111/*.img")).unlink()
    assert prepare(a_small_oasis, tmp_path / "i.json", "--folds", "2") == 0
    text = capsys.readouterr().out
    assert "1 cannot be used:" in text
    assert "OAS1_0003: disc1/OAS1_0003_MR1" in text
    assert "leave them out with --drop-problems" in text
    assert sum(bool(entry.problem) for entry in read_index(tmp_path / "i.json").entries) == 1
    assert prepare(a_small_oasis, tmp_path / "i.json", "--folds", "2", "--drop-problems", "--overwrite") == 0
    assert "and were left out" in capsys.readouterr().out
    assert [entry.problem for entry in read_index(tmp_path / "i.json").entries] == [""] * 4


def test_an_index_of_nothing_is_not_written(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("a.nii.gz", "b.nrrd"):
        (tmp_path / "in" / name).write_text("no volume")
    arguments = ("--folds", "0", "--drop-problems")
    assert prepare(tmp_path / "in", tmp_path / "i.json", *arguments, dataset="folder") == 2
    error = capsys.readouterr().err
    assert "2 volumes cannot be used, and there are no others:" in error
    assert "a: a.nii.gz: " in error and "b: b.nrrd: " in error
    assert not (tmp_path / "i.json").exists()


def test_several_workers_find_the_same(a_small_oasis, tmp_path):
    assert prepare(a_small_oasis, tmp_path / "one.json", "--folds", "0") == 0
    assert prepare(a_small_oasis, tmp_path / "two.json", "--folds", "0", "--workers", "2") == 0
    assert read_index(tmp_path / "one.json") == read_index(tmp_path / "two.json")
    assert not (tmp_path / FILE_NAME).exists()


def test_a_table_gives_subjects_modalities_and_a_split(tmp_path, capsys):
    rows = ["subject\tfile\tmodality\tsplit\tnotes"]
    for number in range(6):
        write_nifti(tmp_path / f"{number}.nii.gz", number)
        rows.append(f"s{number // 2}\t{number}.nii.gz\tMR T{number % 2 + 1}w\t{'test' if number > 3 else 'train'}\tx")
    (tmp_path / "table.tsv").write_text("\n".join(rows))
    arguments = ("--table", str(tmp_path / "table.tsv"), "--folds", "2")
    assert prepare(tmp_path, tmp_path / "i.json", *arguments, dataset="folder") == 0
    text = capsys.readouterr().out
    assert "split: 4 train, 2 test" in text
    assert "of train" in text
    assert {len(fold) for fold in read_splits(tmp_path / FILE_NAME).folds} == {1}
    index = read_index(tmp_path / "i.json")
    assert [(entry.subject, entry.modality) for entry in index.entries[:2]] == [("s0", "MR T1w"), ("s0", "MR T2w")]


def test_the_shared_volumes_table_is_a_table(shared_data, tmp_path, capsys):
    rows = (shared_data / "MANIFEST.tsv").read_text().splitlines()
    small = [row for row in rows[1:] if "t2-mousebrain" in row and "\ttest\t" not in row][:6]
    (tmp_path / "table.tsv").write_text("\n".join([rows[0], *small]))
    arguments = ("--table", str(tmp_path / "table.tsv"), "--folds", "0")
    assert prepare(shared_data, tmp_path / "i.json", *arguments, dataset="folder") == 0
    entry = read_index(tmp_path / "i.json").entries[0]
    assert entry.problem == ""
    assert entry.sha256 in small[0]  # the manifest tells it too


def test_a_root_that_is_not_there_is_told_instead_of_every_file_of_the_table(tmp_path, capsys):
    (tmp_path / "table.tsv").write_text("subject\tfile\tmodality\na\ta.nii.gz\tMR\n")
    arguments = ("--table", str(tmp_path / "table.tsv"), "--folds", "0")
    assert prepare(tmp_path / "absent", tmp_path / "i.json", *arguments, dataset="folder") == 2
    assert "There is no folder" in capsys.readouterr().err
    assert not (tmp_path / "i.json").exists()


def test_a_modality_can_be_given_to_a_folder_without_a_table(tmp_path):
    for number in range(2):
        write_nifti(tmp_path / "in" / f"{number}.nii.gz", number)
    assert prepare(tmp_path / "in", tmp_path / "i.json", "--modality", "CT", "--folds", "2", dataset="folder") == 0
    assert {entry.modality for entry in read_index(tmp_path / "i.json").entries} == {"CT"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "9"], "9 folds of 4 training subjects"),
        (["--table", "table.tsv"], "oasis needs no table"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(a_small_oasis, tmp_path, capsys, arguments, message):
    assert prepare(a_small_oasis, tmp_path / "i.json", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "i.json").exists()


def test_files_that_exist_are_not_replaced_unasked(a_small_oasis, tmp_path, capsys):
    assert prepare(a_small_oasis, tmp_path / "i.json", "--folds", "2") == 0
    assert prepare(a_small_oasis, tmp_path / "i.json", "--folds", "2") == 2
    assert "exists already; use --overwrite" in capsys.readouterr().err
    assert prepare(a_small_oasis, tmp_path / "other.json", "--folds", "2") == 2  # the folds beside it are another's
    assert prepare(a_small_oasis, tmp_path / FILE_NAME, "--folds", "0", "--overwrite") == 2
    assert "is the name of the folds" in capsys.readouterr().err


def test_the_same_volume_under_two_subjects_is_refused(tmp_path, capsys):
    for name in ("a", "b"):
        write_nifti(tmp_path / "in" / f"{name}.nii.gz", 1)
    assert prepare(tmp_path / "in", tmp_path / "i.json", "--folds", "2", dataset="folder") == 2
    assert "a (a.nii.gz) = b (b.nii.gz)" in capsys.readouterr().err
