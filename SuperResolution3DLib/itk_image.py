"""Images of SimpleITK: NRRD and MetaImage files, and the one place where LPS and RAS meet."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SuperResolution3DLib.errors import GeometryError, InputError, VolumeError
from SuperResolution3DLib.file_data import check_complete, find_data

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the voxels (D, H, W) and the affine to RAS mm of a scalar 3D image; trailing axes of length 1 are dropped.

    Raises:
        VolumeError: no image, not 3D, not scalar, cut short or damaged.
        GeometryError: axes that SimpleITK refuses.
    """
    block = find_data(path)
    reader = read_header(path)
    if block is not None:
        voxel_bytes = sitk.GetArrayViewFromImage(sitk.Image([1, 1, 1], reader.GetPixelID())).itemsize
        check_complete(block, math.prod(reader.GetSize()) * voxel_bytes)
    with warnings_off():
        try:
            array = sitk.GetArrayFromImage(reader.Execute())
        except RuntimeError as error:
            raise reading_error(path, error) from error
    return array.reshape(array.shape[-3:]), affine_to_ras(reader)


def read_header(path: Path) -> sitk.ImageFileReader:
    """Return a reader that knows size, type and place of a scalar 3D image and has not read its voxels.

    Raises:
        VolumeError: no image, not 3D or not scalar.
        GeometryError: axes that SimpleITK refuses.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with warnings_off():
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise reading_error(path, error) from error
    size, num_components = reader.GetSize(), reader.GetNumberOfComponents()
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if num_components != 1 or "complex" in kind:
        raise VolumeError(
            f"{path} holds {num_components} component(s) a voxel ({kind}) and one real number is needed; "
            "extract one component or the magnitude first"
        )
    if len(size) < 3 or set(size[3:]) - {1}:
        shape = " x ".join(map(str, size))
        raise VolumeError(f"{path} has {len(size)} axes ({shape}) and a volume has 3; extract one 3D volume first")
    return reader


def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write voxels (D, H, W) and an affine to RAS mm uncompressed and make sure that all of it reached the disk.

    Raises:
        RuntimeError: SimpleITK's own, or fewer bytes than voxels.
    """
    image = sitk.GetImageFromArray(array.astype(array.dtype.newbyteorder("="), copy=False))
    to_lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((to_lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(to_lps[:3, 3].tolist())
    with warnings_off():
        sitk.WriteImage(image, str(path), False)
    block = find_data(path)
    if block is not None:
        check_complete(block, array.nbytes)


def affine_to_ras(image: sitk.Image | sitk.ImageFileReader) -> np.ndarray:
    """Return the (4, 4) affine of the first three axes of an image, or of the one that a reader is about to read."""
    num_axes = image.GetDimension()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (num_axes, num_axes))[:3, :3] * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    return LPS_TO_RAS @ affine


@contextmanager
def warnings_off() -> Iterator[None]:
    """Keep SimpleITK's C++ warnings off stderr; what matters in them is checked here."""
    before = sitk.ProcessObject_GetGlobalWarningDisplay()
    sitk.ProcessObject_SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject_SetGlobalWarningDisplay(before)


def reading_error(path: Path, error: RuntimeError) -> InputError:
    """Tell in one sentence why SimpleITK refuses a file."""
    text = str(error)
    if any(word in text for word in ("orthonormal", "determinant", "Zero-valued spacing", "degenerate")):
        return GeometryError(
            f"The header of {path} describes axes that are sheared, of zero length or in one plane, so its affine "
            "cannot be used; repair the header or resample the volume to perpendicular axes"
        )
    return VolumeError(
        f"{path} cannot be read as an image ({reason_of(error)}); check that it is complete and of its kind"
    )


def reason_of(error: Exception) -> str:
    """Return the last line of an error's text, where SimpleITK says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].removeprefix("ITK ERROR:").removeprefix("sitk::ERROR:").strip()
