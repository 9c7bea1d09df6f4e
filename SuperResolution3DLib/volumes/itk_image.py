"""Images of SimpleITK: NRRD and MetaImage files, and the one place where LPS and RAS meet."""

import locale
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SuperResolution3DLib.errors import GeometryError, InputError, VolumeError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.truncation import NRRD_EXTENSIONS, check_complete, find_data, read_fields

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MILLIMETRES = {  # what NRRD files call their unit of length; no unit, or an unknown one, is taken as ITK takes it
    **dict.fromkeys(("", "?", "???", "mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre"), 1e-3),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1000.0),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1e-6),
    **dict.fromkeys(("in", "inch", "inches"), 25.4),
}


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the voxels (D, H, W) and the affine to RAS mm of a scalar 3D image; trailing axes of length 1 are dropped.

    Raises:
        VolumeError: no image, not 3D, not scalar, cut short or damaged.
        GeometryError: axes that SimpleITK refuses, or whose unit is no length.
    """
    block = find_data(path)
    reader = read_header(path)
    if block is not None:
        voxel_bytes = sitk.GetArrayViewFromImage(sitk.Image([1, 1, 1], reader.GetPixelID())).itemsize
        check_complete(block, math.prod(reader.GetSize()) * voxel_bytes)
    with itk_calls():
        try:
            array = sitk.GetArrayFromImage(reader.Execute())
        except RuntimeError as error:
            raise reading_error(path, error) from error
    affine = affine_to_ras(reader)
    if path.suffix.lower() in NRRD_EXTENSIONS:
        affine = _in_millimetres(affine, path)
    return array.reshape(array.shape[-3:]), affine


def read_header(path: Path) -> sitk.ImageFileReader:
    """Return a reader that knows size, type and place of a scalar 3D image and has not read its voxels.

    Raises:
        VolumeError: no image, not 3D or not scalar.
        GeometryError: axes that SimpleITK refuses.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with itk_calls():
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise reading_error(path, error) from error
    size, num_components = reader.GetSize(), reader.GetNumberOfComponents()
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if num_components != 1 or "complex" in kind:
        values = {"path": str(path), "count": num_components, "kind": kind}
        raise VolumeError(Sentence("volume-components", values))
    if len(size) < 3 or set(size[3:]) - {1}:
        shape = " x ".join(map(str, size))
        raise VolumeError(Sentence("volume-axes", {"path": str(path), "count": len(size), "shape": shape}))
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
    with itk_calls():
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
def itk_calls() -> Iterator[None]:
    """Surround all reading and writing by SimpleITK: numbers have a point, and C++ warnings stay off stderr.

    The C++ readers follow the locale of the process: under one with a decimal comma they take 2.75 for 2. The locale
    is one for all threads, so none of them should format numbers by it meanwhile. What matters in the warnings is
    checked here.
    """
    displayed, numeric = sitk.ProcessObject_GetGlobalWarningDisplay(), locale.setlocale(locale.LC_NUMERIC)
    sitk.ProcessObject_SetGlobalWarningDisplay(False)
    locale.setlocale(locale.LC_NUMERIC, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, numeric)
        sitk.ProcessObject_SetGlobalWarningDisplay(displayed)


def _in_millimetres(affine: np.ndarray, path: Path) -> np.ndarray:
    """Bring an NRRD file's affine (4, 4) to mm: ``space units`` tell the unit of each axis of space, else ``units``
    that of each axis of the array; ITK reads neither.
    """
    fields, _ = read_fields(path)
    of_space, of_axes = (re.findall(r'"([^"]*)"', fields.get(name, "")) for name in ("spaceunits", "units"))
    units = [unit.strip().lower() for unit in of_space or of_axes][:3]
    unknown = sorted({unit for unit in units if unit not in MILLIMETRES})
    if unknown:
        raise GeometryError(
            f"The header of {path} gives its axes in {', '.join(unknown)}, and lengths (mm, um, cm, m, inch) are "
            "needed; correct its units"
        )
    factors = np.array([MILLIMETRES[unit] for unit in units] + [1.0] * (4 - len(units)))
    return factors[:, None] * affine if of_space else affine * factors


def reading_error(path: Path, error: RuntimeError) -> InputError:
    """Tell in one sentence why SimpleITK refuses a file."""
    text = str(error)
    if any(word in text for word in ("orthonormal", "determinant", "Zero-valued spacing", "degenerate")):
        return GeometryError(Sentence("geometry-header", {"path": str(path)}))
    return VolumeError(Sentence("volume-no-image", {"path": str(path), "reason": reason_of(error)}))


def reason_of(error: Exception) -> str:
    """Return what went wrong: the system's reason, or the last line of the text, where SimpleITK says it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1].removeprefix("ITK ERROR:").removeprefix("sitk::ERROR:").strip()
