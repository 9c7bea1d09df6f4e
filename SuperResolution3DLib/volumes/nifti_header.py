"""The header of a NIfTI-1 file: read in either byte order, with no field taken at its word, and made anew."""

import gzip
import math
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from SuperResolution3DLib.errors import OutputError, VolumeError
from SuperResolution3DLib.volumes.nifti_forms import Forms, quaternion_of
from SuperResolution3DLib.volumes.truncation import GZIP_MAGIC

HEADER = np.dtype(
    [
        ("sizeof_hdr", "i4"),
        ("unused", "S35"),
        ("dim_info", "u1"),
        ("dim", "i2", 8),
        ("intent_p", "f4", 3),
        ("intent_code", "i2"),
        ("datatype", "i2"),
        ("bitpix", "i2"),
        ("slice_start", "i2"),
        ("pixdim", "f4", 8),
        ("vox_offset", "f4"),
        ("scl_slope", "f4"),
        ("scl_inter", "f4"),
        ("slice_end", "i2"),
        ("slice_code", "u1"),
        ("xyzt_units", "u1"),
        ("display", "f4", 4),
        ("gl", "i4", 2),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "i2"),
        ("sform_code", "i2"),
        ("quatern", "f4", 3),
        ("qoffset", "f4", 3),
        ("srow", "f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
    ]
)
DATATYPES = {
    2: "uint8",
    4: "int16",
    8: "int32",
    16: "float32",
    64: "float64",
    256: "int8",
    512: "uint16",
    768: "uint32",
    1024: "int64",
    1280: "uint64",
}
OTHER_DATATYPES = {32: "complex", 128: "RGB", 1792: "complex", 2048: "complex", 2304: "RGBA"}
HEADER_BYTES = 348
DATA_OFFSET = 352
LONGEST_AXIS = 32767
SCANNER_COORDINATES = 1
VECTORS = 1007  # the intent of a file with several components a voxel


def read_header(path: Path) -> np.ndarray:
    """Read the first 348 bytes in either byte order.

    Raises:
        VolumeError: no NIfTI-1, sizes below 1, not 3D, or voxels that are no real numbers of up to 64 bits.
    """
    with open_nifti(path) as stream:
        data = stream.read(HEADER_BYTES)
    if data[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        raise VolumeError(f"{path} is a NIfTI-2 file and NIfTI-1 is needed; convert it, for example with nibabel")
    stored = HEADER.newbyteorder("<") if data[:4] == HEADER_BYTES.to_bytes(4, "little") else HEADER.newbyteorder(">")
    header = np.frombuffer(data.ljust(HEADER_BYTES, b"\0"), stored)[0]
    if len(data) < HEADER_BYTES or header["sizeof_hdr"] != HEADER_BYTES or header["magic"] != b"n+1":
        raise VolumeError(
            f"{path} is not a NIfTI-1 image (its first {HEADER_BYTES} bytes are not its header); check the file"
        )
    num_axes, code = int(header["dim"][0]), int(header["datatype"])
    if not 1 <= num_axes <= 7 or header["dim"][1 : num_axes + 1].min() < 1:
        sizes = " ".join(map(str, header["dim"]))
        raise VolumeError(f"The header of {path} contains invalid sizes ({sizes}); repair the header")
    if num_axes >= 5 and header["intent_code"] == VECTORS:
        raise VolumeError(
            f"{path} holds {header['dim'][5]} component(s) a voxel and one real number is needed; extract one "
            "component or the magnitude first"
        )
    if num_axes < 3 or header["dim"][4 : num_axes + 1].max(initial=1) > 1:
        shape = " x ".join(map(str, header["dim"][1 : num_axes + 1]))
        raise VolumeError(f"{path} has {num_axes} axes ({shape}) and a volume has 3; extract one 3D volume first")
    if code not in DATATYPES:
        raise VolumeError(
            f"{path} holds {OTHER_DATATYPES.get(code, 'unknown')} voxels (type {code}) and one real number is needed; "
            "extract one component or the magnitude first"
        )
    return header


def data_offset(path: Path, header: np.ndarray) -> int:
    """Return where the voxels begin: the header and its extension flag come first, whatever a smaller number says.

    Raises:
        VolumeError: an offset that is no finite number, or lies inside a byte.
    """
    offset = float(header["vox_offset"])
    if not math.isfinite(offset) or (offset > DATA_OFFSET and offset != int(offset)):
        raise VolumeError(f"The header of {path} says that the voxels begin at byte {offset}; repair its vox_offset")
    return max(DATA_OFFSET, int(offset))


def open_nifti(path: Path) -> BinaryIO:
    """Open a file that may be compressed, whatever its name says."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def new_header(array: np.ndarray, affine: np.ndarray, forms: Forms | None) -> np.ndarray:
    """Return the header of an array (D, H, W) with its affine to RAS mm, or with the two orientations that it has.

    Raises:
        OutputError: a data type or an axis that NIfTI-1 cannot hold.
    """
    codes = {name: code for code, name in DATATYPES.items()}
    if array.dtype.name not in codes or max(array.shape) > LONGEST_AXIS:
        size = " x ".join(map(str, array.shape))
        raise OutputError(
            f"A NIfTI-1 file cannot hold {size} voxels (slices, rows, columns) of type {array.dtype}: "
            f"{LONGEST_AXIS} a side is the most, integers and float32 or float64 are the types; write .nrrd instead"
        )
    sform, qform = forms.affines(affine) if forms else (affine, affine)
    spacing = np.linalg.norm(qform[:3, :3], axis=0)
    left, _, right = np.linalg.svd(qform[:3, :3] / spacing)
    rotation = left @ right  # the nearest matrix with perpendicular axes
    handedness = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    header = np.zeros((), HEADER.newbyteorder("<"))
    header["sizeof_hdr"] = HEADER_BYTES
    header["dim"] = (3, *reversed(array.shape), 1, 1, 1, 1)
    header["datatype"] = codes[array.dtype.name]
    header["bitpix"] = array.dtype.itemsize * 8
    header["pixdim"] = (handedness, *spacing, 0, 0, 0, 0)
    header["vox_offset"] = DATA_OFFSET
    header["scl_slope"] = 1
    header["xyzt_units"] = 2
    codes_of_forms = forms.codes if forms else (SCANNER_COORDINATES, SCANNER_COORDINATES)
    header["sform_code"], header["qform_code"] = codes_of_forms
    header["quatern"] = quaternion_of(rotation * (1, 1, handedness))
    header["qoffset"] = qform[:3, 3]
    header["srow"] = sform[:3]
    header["magic"] = b"n+1"
    return header
