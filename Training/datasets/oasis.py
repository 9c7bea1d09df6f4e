"""OASIS-1 and OASIS-3: T1-weighted brains, https://sites.wustl.edu/oasisbrains/

OASIS-1 (436 sessions of 416 subjects; 20 came twice, MR1 and MR2) is distributed as disc1 to disc12 with ANALYZE pairs:

    disc1/OAS1_0001_MR1/PROCESSED/MPRAGE/SUBJ_111/OAS1_0001_MR1_mpr_n4_anon_sbj_111.hdr and .img

that is the average of the session's 3 or 4 scans in the subject's own space, 256 x 256 x 160 voxels of 1 mm. The scans
in RAW are 1.25 mm thick, and those in T88_111 are warped to an atlas. An ANALYZE header does not hold an orientation:
the axes I, J and K run to anterior, superior and left, as FreeSurfer's conversion and Clinica's ``oasis-to-bids`` have
it (rows of the affine: -K, I, J).

OASIS-3 is distributed as NIfTI, by the project's scripts (github.com/NrgXnat/oasis-scripts) in one of two layouts:

    sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz        BIDS
    OAS30001_MR_d0129/anat2/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz            XNAT, also with NIFTI/ below anat2/

The paper's 1 668 T1 volumes are files of OASIS-3, several of a subject: folds go by subject.
"""

import re
from pathlib import Path

from Training.datasets.data_set import Candidate, DataSet
from Training.datasets.tree import match

MODALITY = "MR T1w"
OASIS1_ORIENTATION = "ASL"
OASIS1 = "OAS1_*_MR*/PROCESSED/MPRAGE/SUBJ_111/OAS1_*_mpr_n*_anon_sbj_111.hdr"
OASIS3 = (
    "sub-OAS3*/ses-d*/anat/sub-OAS3*_T1w.nii.gz",
    "OAS3*_MR_d*/anat*/sub-OAS3*_T1w.nii.gz",
    "OAS3*_MR_d*/anat*/NIFTI/sub-OAS3*_T1w.nii.gz",
)
SUBJECT = re.compile(r"OAS1_\d{4}|OAS3\d{4}")


def find(root: Path) -> list[Candidate]:
    """Return the volumes below a folder of discs, of sessions or of subjects."""
    oasis1, oasis3 = match(root, OASIS1, f"disc*/{OASIS1}"), match(root, *OASIS3)
    return [_candidate(root, file, OASIS1_ORIENTATION) for file in oasis1] + [_candidate(root, file) for file in oasis3]


def _candidate(root: Path, file: Path, orientation: str = "") -> Candidate:
    below = file.relative_to(root).as_posix()
    subject = SUBJECT.search(below)
    name = subject.group() if subject else file.name
    return Candidate(name, below, MODALITY, orientation=orientation)


DATA_SET = DataSet("oasis", "https://sites.wustl.edu/oasisbrains/", (f"disc*/{OASIS1}", OASIS1, *OASIS3), find)
