"""Compressed pixels: run lengths by pydicom, JPEG of all kinds by GDCM, which reads more of them, else by pydicom."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.scan import damaged, whole_number
from SuperResolution3DLib.volumes.itk_image import itk_calls

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

PIXEL_TAGS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")


def decode(path: Path, dataset: "Dataset", indices: list[int], dtype: np.dtype) -> Iterator[np.ndarray]:
    """Yield frames (H, W) of a file as they were stored before they were compressed.

    Each frame is put alone into a small file of our own for GDCM: it sees neither the name of the original nor tags
    that would make it change values.

    Raises:
        VolumeError: pixels that end early or that no decoder reads.
    """
    from pydicom.encaps import generate_frames
    from pydicom.uid import RLELossless

    num_frames = whole_number(dataset, "NumberOfFrames") or 1
    shape = (whole_number(dataset, "Rows"), whole_number(dataset, "Columns"))
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        packed = list(generate_frames(dataset.PixelData, number_of_frames=num_frames))
    except Exception as error:  # whatever damage makes it raise
        raise damaged(path, "its compressed pixels end early") from error
    if len(packed) < num_frames:
        raise damaged(path, f"{len(packed)} of its {num_frames} frames are there")
    with tempfile.TemporaryDirectory(prefix="superres3d-") as folder:
        for index in indices:
            plane = None if syntax == RLELossless else _by_gdcm(Path(folder) / "frame.dcm", packed[index], dataset)
            if plane is None or plane.shape != shape:
                plane = _by_pydicom(path, dataset, index, syntax)
            if plane.shape != shape:
                raise damaged(path, f"frame {index + 1} has {plane.shape} pixels where the header says {shape}")
            yield plane.astype(dtype, copy=False)


def _by_gdcm(path: Path, packed: bytes, dataset: "Dataset") -> np.ndarray | None:
    """Return the frame, or None where GDCM does not read it."""
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

    single = Dataset()
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    single.SOPClassUID = single.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    single.SOPInstanceUID = single.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    single.SamplesPerPixel = 1
    single.PhotometricInterpretation = "MONOCHROME2"
    for keyword in PIXEL_TAGS:
        if keyword in dataset:
            setattr(single, keyword, dataset.get(keyword))
    single.PixelData = encapsulate([packed])
    single["PixelData"].is_undefined_length = True
    dcmwrite(path, single, enforce_file_format=True)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        with itk_calls(), _silent_stderr():
            array = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        return None
    return array[0] if array.ndim == 3 else None


def _by_pydicom(path: Path, dataset: "Dataset", index: int, syntax: "UID") -> np.ndarray:
    from pydicom.pixels import pixel_array

    try:
        with _silent_stderr():
            return np.asarray(pixel_array(dataset, index=index, raw=True))
    except Exception as error:  # each of its decoders has its own
        raise VolumeError(
            f"The pixels of the DICOM file {path} are compressed ({syntax.name}) and cannot be decoded, they are "
            "damaged or of a kind that is not supported; export the series uncompressed, or convert it to NIfTI first"
        ) from error


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep what decoders in C print to stderr (a line for each try) away from the person."""
    try:
        sys.stderr.flush()
        before = os.dup(2)
    except (AttributeError, OSError, ValueError):  # closed, or none at all: there is nothing to be kept
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
