"""The index keeps what it is told, and notices files that are no longer what they were."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from data_sets import a_volume_array, an_entry, an_index, write_analyze, write_nifti

from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.models.model_card import file_sha256
from Training.data.index import check_unchanged, content_sha256, read_entry, read_index, write_index
from Training.data.survey import inspect
from Training.datasets.data_set import Candidate, nothing_to_check


def an_index_of_files(folder, *names):
    entries = [inspect(folder, Candidate(name.split(".")[0], name, "MR"), nothing_to_check) for name in names]
    return an_index(*entries, root=folder)


def test_an_index_survives_writing_and_reading(tmp_path):
    index = an_index(an_entry("b", split="train", problem="is bad"), an_entry("a", orientation="ASL"), root=tmp_path)
    write_index(tmp_path / "index.json", index)
    assert read_index(tmp_path / "index.json") == index
    assert list(tmp_path.glob(".*")) == []  # nothing temporary


def test_an_index_beside_its_volumes_can_be_moved_with_them(tmp_path):
    (tmp_path / "here" / "volumes").mkdir(parents=True)
    write_index(tmp_path / "here" / "index.json", an_index(an_entry("a"), root=tmp_path / "here" / "volumes"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert read_index(tmp_path / "there" / "index.json").root == tmp_path / "there" / "volumes"
    write_index(tmp_path / "index.json", an_index(an_entry("a"), root=tmp_path.parent))
    assert read_index(tmp_path / "index.json").root == tmp_path.parent  # elsewhere: absolute


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is no JSON file"),
        ("[]", "is no index of version 1"),
        ('{"kind": "splits", "version": 1}', r"is no index of version 1 \(it says splits, 1\)"),
        ('{"kind": "index", "version": 1}', "is no index of Training/prepare.py"),
    ],
)
def test_a_file_that_is_no_index_is_refused(tmp_path, text, message):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_index(tmp_path / "index.json")


def test_an_unknown_split_in_an_index_is_refused(tmp_path):
    write_index(tmp_path / "index.json", an_index(an_entry("a", split="train"), root=tmp_path))
    content = json.loads((tmp_path / "index.json").read_text())
    content["entries"][0]["split"] = "val"
    (tmp_path / "index.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="split 'val'"):
        read_index(tmp_path / "index.json")


def test_a_missing_index_and_a_missing_folder_are_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_index(tmp_path / "index.json")
    with pytest.raises(OutputError, match="cannot be written"):
        write_index(tmp_path / "no" / "index.json", an_index(an_entry("a"), root=tmp_path))


def test_an_entry_tells_the_canonical_grid_and_the_content(tmp_path):
    path = write_nifti(tmp_path / "one.nii.gz", spacing=(0.5, 0.75, 2.0))
    [entry] = an_index_of_files(tmp_path, "one.nii.gz").entries
    assert (entry.spacing, entry.shape, entry.dtype) == ((2.0, 0.75, 0.5), (9, 11, 7), "int16")
    assert entry.sha256 == file_sha256(path)
    assert entry.intensity_range == (a_volume_array(0).min(), a_volume_array(0).max())
    np.testing.assert_array_equal(read_entry(tmp_path, entry).array, a_volume_array(0))


def test_changed_and_missing_files_are_listed_at_once_by_subject(tmp_path):
    for seed, name in enumerate(("same", "touched", "longer", "other", "gone")):
        write_nifti(tmp_path / f"{name}.nii", seed)
    index = an_index_of_files(tmp_path, *(f"{name}.nii" for name in ("same", "touched", "longer", "other", "gone")))
    check_unchanged(index, index.entries)
    os.utime(tmp_path / "touched.nii", (1, 1))  # as copying does: the content decides
    check_unchanged(index, index.entries)
    write_nifti(tmp_path / "longer.nii", 1, shape=(9, 11, 8))
    write_nifti(tmp_path / "other.nii", 77)
    (tmp_path / "gone.nii").unlink()
    with pytest.raises(InputError) as refusal:
        check_unchanged(index, index.entries)
    lines = str(refusal.value).splitlines()
    assert lines[0].startswith("3 volumes changed since the index was made; run Training/prepare.py again")
    assert lines[1] == "  gone: gone.nii: cannot be read (No such file or directory)"
    assert lines[2].startswith("  longer: longer.nii: has ")
    assert lines[3] == "  other: other.nii: has other content (sha256)"


def test_both_files_of_an_analyze_pair_count(tmp_path):
    write_analyze(tmp_path / "pair.hdr", a_volume_array(0))
    entry = inspect(tmp_path, Candidate("s", "pair.hdr", "MR", orientation="ASL"), nothing_to_check)
    assert entry.num_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    write_analyze(tmp_path / "pair.hdr", a_volume_array(1))
    assert content_sha256(tmp_path / "pair.hdr") != entry.sha256
    with pytest.raises(InputError, match="other content"):
        check_unchanged(an_index(entry, root=tmp_path), [replace(entry, modified_ns=0)])


def test_an_empty_dicom_folder_is_told_as_one(tmp_path):
    (tmp_path / "empty").mkdir()
    entry = inspect(tmp_path, Candidate("s", "empty", "MR"), nothing_to_check)
    assert "the folder has no files" in entry.problem
