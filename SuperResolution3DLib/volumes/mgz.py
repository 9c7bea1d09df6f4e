"""Volumes of FreeSurfer (.mgz, .mgh), through nibabel."""

from pathlib import Path
from types import ModuleType

import numpy as np

from SuperResolution3DLib.errors import OutputError, VolumeError
from SuperResolution3DLib.volumes.intensity import large_offset
from SuperResolution3DLib.volumes.itk_image import reason_of
from SuperResolution3DLib.volumes.truncation import check_gzip

EXTENSIONS = (".mgz", ".mgh")
STORED_TYPES = {
    "uint8": "uint8",
    "int16": "int16",
    "int32": "int32",
    "float32": "float32",
    "int8": "int16",
    "uint16": "int32",
    "float64": "float32",
}


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the voxels (D, H, W) and the affine to RAS mm.

    Raises:
        VolumeError: nibabel missing, no such image, cut short or damaged, several frames.
    """
    nibabel = _nibabel(path, VolumeError)
    check_gzip(path)
    try:
        image = nibabel.MGHImage.from_filename(path)
        array = np.asanyarray(image.dataobj)
    except (OSError, ValueError, TypeError, EOFError, KeyError, nibabel.filebasedimages.ImageFileError) as error:
        raise VolumeError(
            f"{path} cannot be read as an MGH image ({reason_of(error)}); check that it is complete and of its kind"
        ) from error
    if array.ndim > 3 and set(array.shape[3:]) == {1}:
        array = array[:, :, :, 0]
    if array.ndim != 3:
        shape = " x ".join(map(str, array.shape))
        raise VolumeError(f"{path} has {array.ndim} axes ({shape}) and a volume has 3; extract one frame first")
    native = array.dtype.newbyteorder("=")
    return np.ascontiguousarray(array.T, dtype=native), np.asarray(image.affine, dtype=np.float64)


def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write voxels (D, H, W) in the nearest type that the format has; float64 loses digits.

    Raises:
        OutputError: nibabel missing, or voxels that the format cannot hold.
    """
    nibabel = _nibabel(path, OutputError)
    check_voxels(array)
    stored = array.astype(STORED_TYPES[array.dtype.name], copy=False)
    nibabel.MGHImage(stored.T, affine).to_filename(path)


def check_voxels(array: np.ndarray) -> None:
    """Refuse voxels (D, H, W) that the format cannot hold.

    Raises:
        OutputError: another type, or a contrast on an offset that float32 would drown.
    """
    if array.dtype.name not in STORED_TYPES:
        raise OutputError(f"An MGH file cannot hold {array.dtype} voxels; write .nii.gz or .nrrd instead")
    offset = large_offset(array) if array.dtype == np.float64 else 0
    if offset:
        raise OutputError(
            f"An MGH file holds float32, in which the small contrast of float64 voxels around {offset:.10g} is lost; "
            "write .nii.gz or .nrrd instead"
        )


def _nibabel(path: Path, error_class: type[VolumeError] | type[OutputError]) -> ModuleType:
    try:
        import nibabel
    except ImportError as error:
        raise error_class(
            f"{path.name} needs the Python package nibabel; install it (pip install nibabel) or convert to .nii.gz"
        ) from error
    return nibabel
