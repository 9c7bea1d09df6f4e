"""Data sets are found as their publishers distribute them, and what does not fit is said."""

import importlib
import json

import numpy as np
import pytest
from data_sets import a_volume_array, write_analyze, write_msd, write_nifti, write_oasis1

from SuperResolution3DLib.errors import InputError, VolumeError
from Training.data.analyze import read_analyze
from Training.data.survey import inspect, inspect_all
from Training.datasets.data_set import Candidate, DataSet
from Training.datasets.folder import read_table
from Training.datasets.table import DATA_SETS


def a_data_set(name) -> DataSet:
    return importlib.import_module(DATA_SETS[name]).DATA_SET


def found(name, root) -> list[tuple[str, str]]:
    return [(candidate.subject, candidate.file) for candidate in a_data_set(name).candidates(root)]


def test_oasis1_takes_the_average_in_the_subjects_own_space(tmp_path):
    write_oasis1(tmp_path / "disc1", "OAS1_0001_MR1", 1)
    write_oasis1(tmp_path / "disc1", "OAS1_0061_MR1", 2, num_scans=3)
    write_oasis1(tmp_path / "disc2", "OAS1_0061_MR2", 3)
    subjects = [subject for subject, _ in found("oasis", tmp_path)]
    assert subjects == ["OAS1_0001", "OAS1_0061", "OAS1_0061"]
    file = "OAS1_0001_MR1/PROCESSED/MPRAGE/SUBJ_111/OAS1_0001_MR1_mpr_n4_anon_sbj_111.hdr"
    assert found("oasis", tmp_path / "disc1")[0] == ("OAS1_0001", file)  # all discs unpacked into one folder


def test_oasis1_volumes_come_out_in_ras(tmp_path):
    """Anterior, superior and left (I, J, K) become D = S, H = A, W = R: -K is right."""
    array = a_volume_array(0)  # here (I, J, K)
    header = tmp_path / "OAS1_0001_MR1/PROCESSED/MPRAGE/SUBJ_111/OAS1_0001_MR1_mpr_n4_anon_sbj_111.hdr"
    write_analyze(header, array, spacing=(1.0, 1.1, 1.25))
    [candidate] = a_data_set("oasis").candidates(tmp_path)
    volume = read_analyze(header, candidate.orientation)
    # The rows of FreeSurfer's affine of an OASIS-1 session, up to the origin: R = -K, A = I, S = J.
    np.testing.assert_array_equal(volume.affine[:3, :3], [[0, 0, -1.25], [1, 0, 0], [0, np.float32(1.1), 0]])
    np.testing.assert_array_equal(volume.canonical().array, array.transpose(1, 0, 2)[:, :, ::-1])
    assert volume.array.dtype == np.int16
    entry = inspect(tmp_path, candidate, lambda volume: "")
    assert (entry.problem, entry.shape, entry.orientation) == ("", (11, 9, 7), "ASL")
    np.testing.assert_allclose(entry.spacing, (1.1, 1.0, 1.25))


def test_both_layouts_of_oasis3_are_read(tmp_path):
    name = "sub-OAS30001_ses-d0129_run-01_T1w.nii.gz"
    write_nifti(tmp_path / "bids" / "sub-OAS30001" / "ses-d0129" / "anat" / name)
    write_nifti(tmp_path / "bids" / "sub-OAS30001" / "ses-d0129" / "anat" / name.replace("T1w", "T2w"))
    write_nifti(tmp_path / "xnat" / "OAS30001_MR_d0129" / "anat2" / name)
    write_nifti(tmp_path / "xnat" / "OAS30002_MR_d0653" / "anat1" / "NIFTI" / "sub-OAS30002_ses-d0653_T1w.nii.gz")
    assert found("oasis", tmp_path / "bids") == [("OAS30001", f"sub-OAS30001/ses-d0129/anat/{name}")]
    assert [subject for subject, _ in found("oasis", tmp_path / "xnat")] == ["OAS30001", "OAS30002"]


def test_hcp1200_takes_the_t2w_volume_of_each_subject(tmp_path):
    write_nifti(tmp_path / "100307" / "T1w" / "T2w_acpc_dc_restore.nii.gz")
    write_nifti(tmp_path / "100307" / "T1w" / "T1w_acpc_dc_restore.nii.gz")
    write_nifti(tmp_path / "100408" / "T1w" / "T1w_acpc_dc_restore.nii.gz")  # a subject without a T2w scan
    data_set = a_data_set("hcp1200")
    candidates = data_set.candidates(tmp_path)
    assert [candidate.subject for candidate in candidates] == ["100307", "100408"]
    assert candidates[0].file == "100307/T1w/T2w_acpc_dc_restore.nii.gz"
    problems = [entry.problem for entry in inspect_all(tmp_path, candidates, data_set.check, num_workers=1)]
    assert problems == ["", "is missing"]


def test_msd_takes_the_training_images_of_dataset_json(tmp_path):
    folder = write_msd(tmp_path)
    assert found("msd-task06", folder) == [
        ("lung_001", "imagesTr/lung_001.nii.gz"),
        ("lung_002", "imagesTr/lung_002.nii.gz"),
    ]
    assert found("msd-task06", tmp_path)[0] == ("lung_001", "Task06_Lung/imagesTr/lung_001.nii.gz")


def test_msd_volumes_that_are_not_in_hu_are_told(tmp_path):
    folder = write_msd(tmp_path)
    write_nifti(folder / "imagesTr" / "lung_002.nii.gz", 1)
    data_set = a_data_set("msd-task06")
    entries = list(inspect_all(folder, data_set.candidates(folder), data_set.check, num_workers=1))
    assert entries[0].problem == ""
    assert entries[0].intensity_range[0] < -900
    assert entries[1].problem == "has no air: its smallest voxel is 2, so it is not in HU"


def test_another_task_of_the_decathlon_is_refused(tmp_path):
    folder = write_msd(tmp_path, name="BRATS", modality="FLAIR")
    with pytest.raises(InputError, match=r"describes BRATS \(FLAIR\), not Lung \(CT\)"):
        found("msd-task06", folder)
    (folder / "dataset.json").write_text(json.dumps({"name": "Lung"}))
    with pytest.raises(InputError, match=r"is no dataset\.json of the Decathlon"):
        found("msd-task06", folder)


def test_mouse_mrh_takes_one_volume_an_animal_and_checks_its_spacing(tmp_path):
    mm = (0.025,) * 3
    write_nifti(tmp_path / "AD_P522R/AD_P522R_F2_145/MRI_25um/mag_sos_wn_corrected.nii", 1, spacing=mm)
    write_nifti(tmp_path / "AD_P522R/AD_P522R_F2_145/MRI_25um/mask_wop1.nii", 2, spacing=mm)
    write_nifti(tmp_path / "B6_P522R/WT_P522R_F1_158/MRI_25um/mag_sos_wn_corrected.nii", 3)
    data_set = a_data_set("mouse-mrh")
    entries = list(inspect_all(tmp_path, data_set.candidates(tmp_path), data_set.check, num_workers=1))
    assert [entry.subject for entry in entries] == ["AD_P522R_F2_145", "WT_P522R_F1_158"]
    assert entries[0].problem == ""
    assert (
        "has voxels of 1 x 1 x 1 mm (head-foot, front-back, left-right) in its header instead of 0.025 mm"
        in entries[1].problem
    )


def test_a_folder_without_a_table_keeps_subjects_together(tmp_path):
    for file in (
        "train/one.nii.gz",
        "train/.hidden.nii.gz",
        "validation/two.nrrd",
        "sub-03/ses-1/sub-03_T1w.nii",
        "site/a/b.mha",
        "site/c.mgz",
    ):
        write_nifti(tmp_path / "x.nii.gz").rename(_with_parent(tmp_path / file))
    (tmp_path / "notes.txt").touch()
    candidates = {c.file: (c.subject, c.split) for c in a_data_set("folder").candidates(tmp_path)}
    assert candidates == {
        "train/one.nii.gz": ("one", "train"),
        "validation/two.nrrd": ("two", "validation"),
        "sub-03/ses-1/sub-03_T1w.nii": ("sub-03", None),
        "site/a/b.mha": ("site", None),
        "site/c.mgz": ("site", None),
    }


def _with_parent(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize(("suffix", "tab"), [(".tsv", "\t"), (".csv", ",")])
def test_a_table_may_have_other_columns(tmp_path, suffix, tab):
    table = tmp_path / f"table{suffix}"
    lines = [["notes", "file", "modality", "subject", "split"], ['"a ""b"""', "x.nii", "MR T1w", "one", "train"]]
    table.write_text("\n".join(tab.join(line) for line in lines) + "\n")
    assert read_table(table) == [Candidate("one", "x.nii", "MR T1w", "train")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,subject\na,b\n", "missing: modality"),
        ("file,subject,modality\n", "at least one row is needed"),
        ("file,subject,modality\na,,MR\n", "no subject or no file in line 2"),
        ("file,subject,modality\na,b,MR\na,c,MR\n", "names a file more than once: a"),
        ("file,subject,modality,split\na,b,MR,val\n", "has the split val; it is one of train, validation, test"),
        ("file,subject,modality,split\na,b,MR,train\nc,d,MR,\n", "1 of 2 rows without a split"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, message):
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(table)
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("oasis", "disc*/OAS1_*_MR*/PROCESSED/MPRAGE/SUBJ_111/"),
        ("hcp1200", "<subject of six digits>/T1w/T2w_acpc_dc_restore.nii.gz"),
        ("msd-task06", "Task06_Lung/dataset.json"),
        ("mouse-mrh", "*/*/MRI_25um/mag_sos_wn_corrected.nii"),
        ("folder", "**/*.nii"),
    ],
)
def test_a_tree_that_does_not_match_says_what_was_looked_for(tmp_path, name, pattern):
    (tmp_path / "something").mkdir()
    with pytest.raises(InputError) as refusal:
        found(name, tmp_path)
    assert pattern in str(refusal.value)
    assert a_data_set(name).page in str(refusal.value)
    with pytest.raises(InputError, match="There is no folder"):
        found(name, tmp_path / "nowhere")


def test_damaged_files_become_problems_of_their_entries(tmp_path):
    good = write_nifti(tmp_path / "good.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes(good.read_bytes()[:-60])
    header = tmp_path / "pair.hdr"
    write_analyze(header, a_volume_array(0))
    header.with_suffix(".img").write_bytes(b"\0" * 100)
    names = ["good.nii.gz", "cut.nii.gz", "pair.hdr", "gone.nii.gz"]
    candidates = [Candidate("s", name, "MR", orientation="RAS" if name.endswith("hdr") else "") for name in names]
    entries = list(inspect_all(tmp_path, candidates, lambda volume: "", num_workers=1))
    assert entries[0].problem == ""
    assert entries[0].shape == (9, 11, 7)
    assert entries[1].problem.startswith("cut.nii.gz is")
    assert entries[2].problem.startswith("pair.hdr and .img cannot be read")
    assert entries[3].problem == "is missing"


def test_an_analyze_pair_without_a_known_orientation_is_refused(tmp_path):
    header = tmp_path / "pair.hdr"
    write_analyze(header, a_volume_array(0))
    with pytest.raises(VolumeError, match="does not say its orientation"):
        read_analyze(header, "")
    with pytest.raises(ValueError, match="one each of R/L, A/P and S/I, not 'ASP'"):
        read_analyze(header, "ASP")
    write_analyze(header, a_volume_array(0))
    damaged = bytearray(header.read_bytes())
    damaged[84:88] = bytes(4)  # pixdim[2]; nibabel by itself would make it 1
    header.write_bytes(damaged)
    with pytest.raises(VolumeError, match=r"has voxels of 1 x 0 x 1 mm; repair the header"):
        read_analyze(header, "ASL")
    write_analyze(header, np.zeros((4, 4, 4, 2)))
    with pytest.raises(VolumeError, match="a scalar 3D volume is needed"):
        read_analyze(header, "ASL")
