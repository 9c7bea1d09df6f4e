"""NIfTI-1 files, read and written byte for byte, so that the affine is exact to the float32 that they store.

SimpleITK replaces NaN by 0 and fills a truncated file with zeros, without a word; it takes spacing from one field and
directions from another, and straightens a slight shear when it writes. So here it is only asked which of two
orientations it would show.
"""

import gzip
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from SuperResolution3DLib import itk_image
from SuperResolution3DLib.errors import GeometryError, OutputError, VolumeError
from SuperResolution3DLib.file_data import GZIP_MAGIC, check_gzip, cut_short
from SuperResolution3DLib.geometry import check_affine
from SuperResolution3DLib.intensity import LARGEST_OFFSET

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
MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}  # lowest three bits of xyzt_units: metre, mm, micrometre
HEADER_BYTES = 348
DATA_OFFSET = 352
LONGEST_AXIS = 32767
SCANNER_COORDINATES = 1
TOLERANCE_VOXELS = 1e-3
COMPRESSION_LEVEL = 1  # the higher ones take several times longer for a few percent

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Orientations:
    """The one or two affines to RAS mm that a header tells, (4, 4) float64."""

    sform: np.ndarray | None
    qform: np.ndarray | None


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the voxels (D, H, W) and the affine to RAS mm.

    Voxels with a slope become float. Where a header tells two orientations, the one that SimpleITK, and so 3D Slicer,
    shows is taken. One without any is read with its voxel sizes alone, and a warning is logged.

    Raises:
        VolumeError: no NIfTI-1, cut short or damaged, not scalar 3D.
        GeometryError: sheared or degenerate axes, or a spacing that contradicts them.
    """
    num_bytes = check_gzip(path)
    header = _read_header(path)
    orientations = _orientations(header)
    for affine in (orientations.sform, orientations.qform):
        if affine is not None:
            check_affine(affine)
    itk_affine = itk_image.affine_to_ras(itk_image.read_header(path))
    array = _read_voxels(path, header, num_bytes)
    if orientations.sform is None and orientations.qform is None:
        logger.warning("%s tells no orientation (sform and qform codes are 0); only its voxel sizes are used", path)
        return array, itk_affine
    for affine in (orientations.sform, orientations.qform):
        if affine is not None and _same_grid(affine, itk_affine):
            return array, affine
    sizes = " x ".join(f"{size:g}" for size in header["pixdim"][1:4])
    raise GeometryError(
        f"The header of {path} contradicts itself: its voxel sizes {sizes} mm (pixdim) do not fit its orientation; "
        "repair the header"
    )


def write(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write voxels (D, H, W) with the affine to RAS mm as sform, rounded to float32, and the nearest qform.

    A path that ends in .gz is compressed.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
        OutputError: a data type or an axis that NIfTI-1 cannot hold.
    """
    header = _new_header(array, affine)
    extension = b"\0" * (DATA_OFFSET - HEADER_BYTES)
    with path.open("wb") as file:
        stream = gzip.GzipFile("", "wb", COMPRESSION_LEVEL, file, mtime=0) if path.suffix == ".gz" else file
        stream.write(header.tobytes() + extension)
        for plane in array.astype(array.dtype.newbyteorder("<"), copy=False):
            stream.write(np.ascontiguousarray(plane).data)
        if stream is not file:
            stream.close()


def _new_header(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    codes = {name: code for code, name in DATATYPES.items()}
    if array.dtype.name not in codes or max(array.shape) > LONGEST_AXIS:
        size = " x ".join(map(str, array.shape))
        raise OutputError(
            f"A NIfTI-1 file cannot hold {size} voxels (K, J, I) of type {array.dtype}: {LONGEST_AXIS} a side is the "
            "most, integers and float32 or float64 are the types; write .nrrd instead"
        )
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
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
    header["qform_code"] = header["sform_code"] = SCANNER_COORDINATES
    header["quatern"] = _quaternion(rotation * (1, 1, handedness))
    header["qoffset"] = affine[:3, 3]
    header["srow"] = affine[:3]
    header["magic"] = b"n+1"
    return header


def _read_header(path: Path) -> np.ndarray:
    """Read the first 348 bytes in either byte order.

    Raises:
        VolumeError: no NIfTI-1, sizes below 1, or voxels that are no real numbers of up to 64 bits.
    """
    with _open(path) as stream:
        data = stream.read(HEADER_BYTES)
    if data[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        raise VolumeError(f"{path} is a NIfTI-2 file and NIfTI-1 is needed; convert it, for example with nibabel")
    stored = HEADER.newbyteorder("<") if data[:4] == HEADER_BYTES.to_bytes(4, "little") else HEADER.newbyteorder(">")
    header = np.frombuffer(data.ljust(HEADER_BYTES, b"\0"), stored)[0]
    if len(data) < HEADER_BYTES or header["sizeof_hdr"] != HEADER_BYTES or header["magic"] != b"n+1":
        raise VolumeError(
            f"{path} is not a NIfTI-1 image (its first {HEADER_BYTES} bytes are no such header); check the file"
        )
    num_axes, code = int(header["dim"][0]), int(header["datatype"])
    if not 1 <= num_axes <= 7 or header["dim"][1 : num_axes + 1].min() < 1:
        sizes = " ".join(map(str, header["dim"]))
        raise VolumeError(f"The header of {path} tells impossible sizes ({sizes}); repair the header")
    if code not in DATATYPES:
        raise VolumeError(
            f"{path} holds {OTHER_DATATYPES.get(code, 'unknown')} voxels (type {code}) and one real number is needed; "
            "extract one component or the magnitude first"
        )
    return header


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
    offset, voxel_bytes = _data_offset(path, header), math.prod(shape) * stored.itemsize
    if file_bytes < offset + voxel_bytes:
        raise cut_short(path, file_bytes, offset + voxel_bytes)
    with _open(path) as stream:
        stream.seek(offset)
        array = np.frombuffer(stream.read(voxel_bytes), stored).reshape(shape).astype(native)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or (slope, intercept) == (1, 0) or not np.isfinite((slope, intercept)).all():
        return array  # no scaling, as the standard and nibabel have it
    contrast = abs(slope) * (float(array.max()) - float(array.min()))
    finest = np.float64 if abs(intercept) > LARGEST_OFFSET * contrast else np.float32
    floating = array.astype(np.result_type(array.dtype, finest), copy=False)
    return floating * floating.dtype.type(slope) + floating.dtype.type(intercept)


def _data_offset(path: Path, header: np.ndarray) -> int:
    """Return where the voxels begin: the header and its extension flag come first, whatever a smaller number says.

    Raises:
        VolumeError: an offset that is no finite number.
    """
    offset = float(header["vox_offset"])
    if not math.isfinite(offset):
        raise VolumeError(f"The header of {path} says that the voxels begin at byte {offset}; repair its vox_offset")
    return max(DATA_OFFSET, int(offset))


def _open(path: Path) -> BinaryIO:
    """Open a file that may be compressed, whatever its name says."""
    with path.open("rb") as file:
        compressed = file.read(2) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def _orientations(header: np.ndarray) -> Orientations:
    """Return the affines that the header tells, in float64."""
    mm = np.diag([*[MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)] * 3, 1.0])
    sform = qform = None
    if header["sform_code"] > 0:
        sform = mm @ np.vstack([header["srow"].astype(np.float64), (0, 0, 0, 1)])
    if header["qform_code"] > 0:
        handedness = -1.0 if header["pixdim"][0] < 0 else 1.0
        qform = np.eye(4)
        qform[:3, :3] = _rotation(header["quatern"].astype(np.float64)) * (1, 1, handedness)
        qform[:3, :3] *= header["pixdim"][1:4].astype(np.float64)
        qform[:3, 3] = header["qoffset"]
        qform = mm @ qform
    return Orientations(sform, qform)


def _same_grid(affine: np.ndarray, itk_affine: np.ndarray) -> bool:
    """Tell whether one step along each axis, and the first voxel, agree to a thousandth of a voxel."""
    difference = np.linalg.inv(affine) @ itk_affine - np.eye(4)
    return bool(np.abs(difference).max() < TOLERANCE_VOXELS)


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """Return b, c, d of the unit quaternion a + bi + cj + dk, a >= 0, of a proper (3, 3) rotation.

    The quaternion is the eigenvector, for its largest eigenvalue, of a symmetric matrix (Bar-Itzhack 2000), which is
    stable for every angle.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    quaternion = np.linalg.eigh(symmetric)[1][:, -1]
    return quaternion[1:] * (1 if quaternion[0] >= 0 else -1)


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    """Return the (3, 3) rotation of the unit quaternion a + bi + cj + dk with the given b, c, d and a >= 0."""
    b, c, d = quaternion / max(1.0, float(np.linalg.norm(quaternion)))
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
