"""Mouse brains by MR histology, 25 um, 512 x 720 x 304 voxels: https://arxiv.org/abs/2402.04171

The paper describes the set and nobody distributes it; its authors' public file list has 10 of the 11 volumes, two
groups of animals:

    AD_P522R/AD_P522R_{F2_145,F3_147,F4_149,F5_153}/MRI_25um/mag_sos_wn_corrected.nii
    B6_P522R/WT_P522R_{F1_158,F2_151,F3_138,F4_141,F5_143,F6_156}/MRI_25um/mag_sos_wn_corrected.nii

So a volume is <group>/<animal>/MRI_25um/mag_sos_wn_corrected.nii (or .nii.gz); other names are given by --table.
Volumes whose header does not tell 25 um are listed with a problem.
"""

from pathlib import Path

from SuperResolution3DLib.volumes.volume import Volume
from Training.datasets.data_set import Candidate, DataSet
from Training.datasets.tree import match

MODALITY = "MRH"
PATTERNS = ("*/*/MRI_25um/mag_sos_wn_corrected.nii", "*/*/MRI_25um/mag_sos_wn_corrected.nii.gz")
SPACING_MM = 0.025
TOLERANCE = 0.05


def find(root: Path) -> list[Candidate]:
    """Return one volume for each animal below the root."""
    files = [file.relative_to(root) for file in match(root, *PATTERNS)]
    return [Candidate(file.parts[:2][-1], file.as_posix(), MODALITY) for file in files]


def check(volume: Volume) -> str:
    """Say when the voxels are not those of a 25 um scan."""
    if all(abs(size / SPACING_MM - 1) < TOLERANCE for size in volume.spacing):
        return ""
    sizes = " x ".join(f"{size:g}" for size in volume.spacing)
    return (
        f"has voxels of {sizes} mm (head-foot, front-back, left-right) in its header instead of {SPACING_MM:g} mm; "
        "repair the header"
    )


DATA_SET = DataSet("mouse-mrh", "https://arxiv.org/abs/2402.04171", PATTERNS, find, check, takes_table=True)
