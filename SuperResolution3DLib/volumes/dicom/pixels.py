"""The pixels of a stack: decoded, and rescaled as the tags of each slice say."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.compressed import decode
from SuperResolution3DLib.volumes.dicom.frames import Frame
from SuperResolution3DLib.volumes.dicom.scan import damaged, whole_number

if TYPE_CHECKING:
    from pydicom import Dataset


def read_pixels(frames: list[Frame]) -> np.ndarray:
    """Read (D, H, W) in the order of the frames, each file once.

    Whole numbers stay whole numbers of the smallest type that holds them. Others become float32, or float64 where
    float32 would not tell neighbouring stored values apart.

    Raises:
        VolumeError: a file whose pixels are damaged, cut short or of a kind that cannot be decoded.
    """
    slots: dict[Path, list[int]] = {}
    for slot, frame in enumerate(frames):
        slots.setdefault(frame.path, []).append(slot)
    planes: dict[int, np.ndarray] = {}
    for path, wanted in slots.items():
        for slot, plane in zip(wanted, _planes(path, [frames[slot].index for slot in wanted]), strict=True):
            planes[slot] = plane
    return _rescaled([planes.pop(slot) for slot in range(len(frames))], [frame.rescale for frame in frames])


def _planes(path: Path, indices: list[int]) -> Iterator[np.ndarray]:
    """Yield frames (H, W) of a file as they are stored."""
    import pydicom

    try:
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, force=True)  # the scan has seen that it is DICOM
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except Exception as error:  # pydicom meets damage with whatever its parts raise: zlib, struct, KeyError ...
        raise damaged(path, f"{type(error).__name__} in its pixels") from error
    if "PixelData" not in dataset:
        if not any(keyword in dataset for keyword in ("FloatPixelData", "DoubleFloatPixelData")):
            raise damaged(path, "its pixels have no end")  # pydicom drops compressed ones that are cut short
        raise VolumeError(f"The DICOM file {path} does not hold whole numbers as pixels; convert it to NIfTI first")
    allocated = whole_number(dataset, "BitsAllocated") or 0
    stored = whole_number(dataset, "BitsStored") or allocated
    highest = whole_number(dataset, "HighBit")
    highest = stored - 1 if highest is None else highest
    if allocated not in (8, 16, 32) or not 0 < stored <= highest + 1 <= allocated:
        raise VolumeError(
            f"The DICOM file {path} has {stored} of {allocated} bits a pixel, the highest is bit {highest}, and whole "
            "bytes are needed; convert it to NIfTI first, for example with dcm2niix"
        )
    kind = "i" if whole_number(dataset, "PixelRepresentation") == 1 else "u"
    dtype = np.dtype(f"{kind}{allocated // 8}")
    shape = (whole_number(dataset, "Rows") or 0, whole_number(dataset, "Columns") or 0)
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_encapsulated:
        yield from decode(path, dataset, indices, dtype)
        return
    for plane in _native(path, dataset, indices, shape, dtype):
        yield _significant(plane, stored, highest)


def _native(
    path: Path, dataset: "Dataset", indices: list[int], shape: tuple[int, int], dtype: np.dtype
) -> Iterator[np.ndarray]:
    data = dataset.PixelData
    _, little = dataset.original_encoding
    count = shape[0] * shape[1]
    expected = count * dtype.itemsize * (whole_number(dataset, "NumberOfFrames") or 1)
    if len(data) < expected:
        raise damaged(path, f"{expected - len(data)} of the {expected} bytes of its pixels are missing")
    for index in indices:
        plane = np.frombuffer(data, dtype.newbyteorder("<" if little else ">"), count, index * count * dtype.itemsize)
        yield plane.reshape(shape).astype(dtype)


def _significant(plane: np.ndarray, stored: int, highest: int) -> np.ndarray:
    """Keep the bits that are the value's: others may hold overlays. Shifts of signed numbers bring their sign along.

    allocated 16:  0 0 0 0 v v v v v v v v v v v v   stored 12, highest 11
    """
    allocated = 8 * plane.itemsize
    if stored == allocated:
        return plane
    return (plane << (allocated - 1 - highest)) >> (allocated - stored)


def _rescaled(planes: list[np.ndarray], rescales: list[tuple[float, float]]) -> np.ndarray:
    """Return slope * stored + intercept (D, H, W)."""
    if set(rescales) == {(1.0, 0.0)}:
        return np.stack(planes)
    ends = []
    for plane, (slope, intercept) in zip(planes, rescales, strict=True):
        ends += [slope * float(plane.min()) + intercept, slope * float(plane.max()) + intercept]
    largest = max(abs(min(ends)), abs(max(ends)))
    if all(value.is_integer() for pair in rescales for value in pair) and largest < 2**53:
        dtype: np.dtype = next(
            np.dtype(name)
            for name in ("int16", "int32", "int64")
            if np.iinfo(name).min <= min(ends) and max(ends) <= np.iinfo(name).max
        )
    else:
        finest = min(abs(slope) for slope, _ in rescales)
        dtype = np.dtype(np.float32 if largest <= finest * 2**24 else np.float64)
    result = np.empty((len(planes), *planes[0].shape), dtype)
    for target, plane, (slope, intercept) in zip(result, planes, rescales, strict=True):
        target[...] = plane * np.float64(slope) + intercept
    return result
