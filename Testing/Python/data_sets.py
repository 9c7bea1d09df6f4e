"""Small volume files, and miniature trees of the data sets as their publishers distribute them."""

import json
from pathlib import Path

import nibabel
import numpy as np

from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training.data.index import Index, IndexEntry

SHAPE = (9, 11, 7)  # (D, H, W), canonical


def a_volume_array(seed: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Return a blob in noise, (D, H, W) int16, another one for each seed."""
    position = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2
    blob = 500 * np.exp(-(position**2).sum(axis=0) / 8)
    return (blob + np.random.default_rng(seed).uniform(1, 50, shape)).astype(np.int16)


def write_nifti(
    path: Path,
    seed: int = 0,
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    offset: int = 0,
) -> Path:
    """Write a volume (D, H, W) with spacing (I, J, K) in mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(a_volume_array(seed, shape) + np.int16(offset), np.diag([*spacing, 1.0])), path, overwrite=True)
    return path


def write_analyze(header: Path, array_ijk: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
    """Write an ANALYZE pair as OASIS-1 has it: big-endian int16 with a fourth axis of length 1."""
    header.parent.mkdir(parents=True, exist_ok=True)
    fields = nibabel.AnalyzeHeader(endianness=">")
    fields.set_data_dtype(np.dtype(">i2"))
    array = array_ijk[..., None] if array_ijk.ndim == 3 else array_ijk
    image = nibabel.AnalyzeImage(array.astype(np.int16), None, fields)
    image.header["pixdim"][1:4] = spacing
    nibabel.save(image, header.with_suffix(".img"))


def write_oasis1(root: Path, session: str, seed: int, num_scans: int = 4) -> Path:
    """Write one session; return its header."""
    name = f"{session}_mpr_n{num_scans}_anon_sbj_111.hdr"
    header = root / session / "PROCESSED" / "MPRAGE" / "SUBJ_111" / name
    write_analyze(header, a_volume_array(seed))
    write_analyze(root / session / "RAW" / f"{session}_mpr-1_anon.hdr", a_volume_array(seed + 100))
    return header


def write_msd(root: Path, name: str = "Lung", modality: str = "CT", num_images: int = 2) -> Path:
    """Write Task06_Lung; return its folder."""
    folder = root / "Task06_Lung"
    names = [f"lung_{number:03}.nii.gz" for number in range(1, num_images + 1)]
    for number, image in enumerate(names):
        write_nifti(folder / "imagesTr" / image, number, spacing=(0.8, 0.8, 1.25), offset=-1024)
    write_nifti(folder / "imagesTs" / "lung_900.nii.gz", 90)
    content = {
        "name": name,
        "modality": {"0": modality},
        "numTraining": num_images,
        "training": [{"image": f"./imagesTr/{image}", "label": f"./labelsTr/{image}"} for image in names],
        "test": ["./imagesTs/lung_900.nii.gz"],
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def an_entry(subject: str, file: str = "", **fields: object) -> IndexEntry:
    """Return an entry of a volume that nobody opens."""
    values: dict[str, object] = {"sha256": file or subject, "modality": "MR T1w"} | fields
    entry = IndexEntry(subject, file or f"{subject}.nii.gz", "", (1.0, 1.0, 1.0), SHAPE)
    return IndexEntry(**{**entry.__dict__, **values})


def an_index(*entries: IndexEntry, root: Path = Path()) -> Index:
    return Index("folder", root, entries)
