"""ANALYZE 7.5 pairs (.hdr, .img): voxels and spacing, with an orientation that the reader of the data set knows."""

from pathlib import Path

import nibabel
import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.volume import Volume

EXTENSIONS = (".hdr", ".img")
DIRECTIONS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}  # RAS axis and sign


def read_analyze(path: Path, orientation: str) -> Volume:
    """Read an ANALYZE pair, whose header has no field for its place in space.

    Args:
        path: either file of the pair.
        orientation: where the axes I, J and K run to, for example ASL: anterior, superior, left.

    Returns:
        The volume with its centre at 0 mm; voxels (D, H, W) = (K, J, I) in the file's data type.

    Raises:
        VolumeError: a file is missing, damaged or cut short, not scalar 3D, or no orientation is known.
    """
    header, image = analyze_pair(path)
    if not orientation:
        raise VolumeError(f"{path} is an ANALYZE file, which does not say its orientation; convert it to NIfTI")
    try:
        loaded = nibabel.AnalyzeImage.from_filename(str(image))
        array = np.asanyarray(loaded.dataobj)
        with header.open("rb") as stream:  # unchecked: nibabel would make 1 of 0 and go on
            spacing = nibabel.AnalyzeHeader.from_fileobj(stream, check=False)["pixdim"][1:4].astype(np.float64)
    except (OSError, ValueError, nibabel.filebasedimages.ImageFileError) as error:
        raise VolumeError(f"{header.with_suffix('')}.hdr and .img cannot be read ({error})") from error
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 or min(array.shape) < 2:
        raise VolumeError(f"{image} has the shape {array.shape} (I, J, K, ...) and a scalar 3D volume is needed")
    if not (np.isfinite(spacing).all() and spacing.min() > 0):
        raise VolumeError(f"{header} has voxels of {' x '.join(f'{size:g}' for size in spacing)} mm; repair the header")
    native = np.ascontiguousarray(array.transpose(2, 1, 0), dtype=array.dtype.newbyteorder("="))
    return Volume(native, _affine(orientation, array.shape, spacing))


def analyze_pair(path: Path) -> tuple[Path, Path]:
    """Return header and image of the pair that a path belongs to; their extensions are of one case."""
    upper = path.suffix.isupper()
    return path.with_suffix(".HDR" if upper else ".hdr"), path.with_suffix(".IMG" if upper else ".img")


def _affine(orientation: str, shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    """Return the (4, 4) map from voxel (I, J, K, 1) to RAS mm that puts the volume's centre at 0.

    Args:
        orientation: three letters, one of each pair R/L, A/P, S/I.
        shape: voxels (I, J, K).
        spacing: mm (I, J, K).

    Raises:
        ValueError: no such orientation.
    """
    axes = [DIRECTIONS.get(letter) for letter in orientation]
    known = [axis for axis in axes if axis is not None]
    if sorted(axis for axis, _ in known) != [0, 1, 2] or len(axes) != 3:
        raise ValueError(f"An orientation is three letters, one each of R/L, A/P and S/I, not {orientation!r}")
    affine = np.eye(4)
    affine[:3, :3] = 0
    for column, (axis, sign) in enumerate(known):
        affine[axis, column] = sign * spacing[column]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine
