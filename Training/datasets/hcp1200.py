"""HCP1200: T2-weighted brains of 0.7 mm, https://www.humanconnectome.org/study/hcp-young-adult

The Structural Preprocessed packages (<subject>_3T_Structural_preproc.zip) and the bucket hcp-openaccess/HCP_1200 hold

    100307/T1w/T2w_acpc_dc_restore.nii.gz

a subject of six digits: the T2w volume in the subject's own space, rigidly aligned to the AC-PC line, corrected for
distortion and bias field. (The paper's authors took MNINonLinear/T2w.nii.gz, which is warped to an atlas.) Subjects
whose T1w folder lacks the file are listed with a problem. Many subjects are twins or siblings; who they are is
restricted data of the project, so folds by family need a table (data set ``folder``) with the family as subject.
"""

import fnmatch
import os
from pathlib import Path

from Training.datasets.data_set import Candidate, DataSet
from Training.datasets.tree import match

SUBJECT = "[0-9]" * 6
FILE = "T1w/T2w_acpc_dc_restore.nii.gz"


def find(root: Path) -> list[Candidate]:
    """Return one volume for each subject below the root or below its folders (such as HCP_1200)."""
    folders = match(root, f"{SUBJECT}/T1w", f"*/{SUBJECT}/T1w")
    files = [folder.parent / FILE if folder.name == "T1w" else folder for folder in folders]  # else it is lost
    if not any(os.path.lexists(file) for file in files):
        return []
    return [_candidate(file.relative_to(root)) for file in files]


def _candidate(file: Path) -> Candidate:
    subject = next((part for part in file.parts if fnmatch.fnmatch(part, SUBJECT)), file.name)
    return Candidate(subject, file.as_posix(), "MR T2w")


DATA_SET = DataSet(
    "hcp1200", "https://www.humanconnectome.org/study/hcp-young-adult", (f"<subject of six digits>/{FILE}",), find
)
