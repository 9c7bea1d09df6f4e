"""NIfTI-1 files, read and written byte for byte, so that the affine is exact to the float32 that they store.

SimpleITK replaces NaN by 0 and fills a truncated file with zeros, without a word; it takes spacing from one field and
directions from another, and straightens a slight shear when it writes. So it is not asked here.
"""

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import readable
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.intensity import LARGEST_OFFSET
from SuperResolution3DLib.volumes.mapped_array import planes
from SuperResolution3DLib.volumes.nifti_forms import Forms, orientation_of
from SuperResolution3DLib.volumes.nifti_header import (
    DATA_OFFSET,
    DATATYPES,
    HEADER_BYTES,
    data_offset,
    new_header,
    open_nifti,
    read_header,
)
from SuperResolution3DLib.volumes.truncation import check_gzip, cut_short

EXTENSIONS = (".nii", ".nii.gz")
COMPRESSION_LEVEL = 1  # the higher ones take several times longer for a few percent


@dataclass(frozen=True, eq=False)
class NiftiImage:
    """What a file holds."""

    array: np.ndarray
    """(D, H, W); float where the header has a slope"""
    affine: np.ndarray
    """(4, 4) to RAS mm"""
    forms: Forms | None
    warnings: tuple[Warned, ...]


def read(path: Path) -> NiftiImage:
    """Read a file.

    Raises:
        VolumeError: no NIfTI-1, cut short or damaged, not scalar 3D.
        GeometryError: see ``orientation_of``.
    """
    num_bytes = check_gzip(path)
    header = read_header(path)
    affine, forms, warnings = orientation_of(header, readable(path.name))
    bits, told = 8 * np.dtype(DATATYPES[int(header["datatype"])]).itemsize, int(header["bitpix"])
    if told not in (0, bits):
        values = {"name": readable(path.name), "told": told, "bits": bits}
        warnings = (*warnings, Warned("file-bits", values))
    return NiftiImage(_read_voxels(path, header, num_bytes), affine, forms, warnings)


def write(path: Path, array: np.ndarray, affine: np.ndarray, forms: Forms | None = None) -> None:
    """Write voxels (D, H, W) with the affine to RAS mm as sform, rounded to float32, and the nearest qform.

    A path that ends in .gz is compressed. Two orientations of the input stay two, each with its own code.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
        OutputError: a data type or an axis that NIfTI-1 cannot hold.
    """
    header = new_header(array, affine, forms)
    extension = b"\0" * (DATA_OFFSET - HEADER_BYTES)
    with path.open("wb") as file:
        stream = gzip.GzipFile("", "wb", COMPRESSION_LEVEL, file, mtime=0) if path.suffix == ".gz" else file
        stream.write(header.tobytes() + extension)
        for (plane,) in planes(array.astype(array.dtype.newbyteorder("<"), copy=False)):
            stream.write(np.ascontiguousarray(plane).data)
        if stream is not file:
            stream.close()


def _read_voxels(path: Path, header: np.ndarray, file_bytes: int) -> np.ndarray:
    """Read (D, H, W) in native byte order; trailing axes of length 1 are dropped.

    Args:
        path: the file.
        header: its header.
        file_bytes: its size, decompressed.

    Raises:
        VolumeError: fewer voxels than announced.
    """
    shape = tuple(int(size) for size in header["dim"][3:0:-1])
    native = np.dtype(DATATYPES[int(header["datatype"])])
    stored = native.newbyteorder(header["dim"].dtype.byteorder)
    offset, voxel_bytes = data_offset(path, header), math.prod(shape) * stored.itemsize
    if file_bytes < offset + voxel_bytes:
        raise cut_short(path, file_bytes, offset + voxel_bytes)
    with open_nifti(path) as stream:
        stream.seek(offset)
        array = np.frombuffer(stream.read(voxel_bytes), stored).reshape(shape).astype(native)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or (slope, intercept) == (1, 0) or not np.isfinite((slope, intercept)).all():
        return array  # no scaling, as the standard and nibabel have it
    contrast = abs(slope) * (float(array.max()) - float(array.min()))
    largest = abs(slope) * max(abs(float(array.max())), abs(float(array.min()))) + abs(intercept)
    needs_float64 = abs(intercept) > LARGEST_OFFSET * contrast or largest > float(np.finfo(np.float32).max)
    floating = array.astype(np.result_type(array.dtype, np.float64 if needs_float64 else np.float32), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):  # told by whoever looks at the voxels
        return floating * floating.dtype.type(slope) + floating.dtype.type(intercept)
