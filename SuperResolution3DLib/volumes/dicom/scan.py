"""One look at each file of a folder: the DICOM images by series, and the files that are damaged."""

import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from SuperResolution3DLib.errors import VolumeError

if TYPE_CHECKING:
    from pydicom import Dataset

TAGS: Final = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription", "SeriesInstanceUID", "ImageType",
    "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "SliceThickness", "SpacingBetweenSlices", "EchoNumbers", "EchoTime", "TemporalPositionIdentifier",
    "AcquisitionNumber", "TriggerTime", "DiffusionBValue", "DiffusionGradientOrientation", "AcquisitionTime",
    "ContentTime", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
PREAMBLE_BYTES = 128
PIXEL_GROUP = 0x7FE0
UNDEFINED_LENGTH = 0xFFFFFFFF
DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
PARTIAL_ENDINGS = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp")  # of copies under way
NOTES = ("README", "LICENSE", "LICENCE", "VERSION", "CHANGES", "DICOMDIR")


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A file with pixels."""

    path: Path
    header: "Dataset"
    """the tags above"""
    flaw: str
    """what is wrong with the file; empty if nothing is"""

    @property
    def series(self) -> str:
        return str(self.header.get("SeriesInstanceUID") or "")

    @property
    def num_frames(self) -> int:
        return whole_number(self.header, "NumberOfFrames") or 1

    @property
    def is_mosaic(self) -> bool:
        """Whether all slices stand side by side in one picture, as old Siemens scanners write time series."""
        return "MOSAIC" in image_type(self.header)


@dataclass(frozen=True)
class UnknownFile:
    """A file that cannot be read as DICOM."""

    path: Path
    is_dicom: bool
    """as its first bytes say"""
    flaw: str


def scan(folder: Path) -> dict[str, list[ImageFile]]:
    """Return the images in a folder by SeriesInstanceUID, each file opened once and read up to its pixels.

    Objects without pixels (reports, structure sets, plans, directories) and what is no image of the patient (dose,
    segmentations) are passed over.

    Raises:
        VolumeError: pydicom is missing, or a file that may be a slice and cannot be read: a volume without it would be
            shorter than the patient.
    """
    images: list[ImageFile] = []
    unknown: list[UnknownFile] = []
    with quiet():
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or (path.exists() and not path.is_file()):
                continue
            found = look_at(path)
            if isinstance(found, UnknownFile):
                unknown.append(found)
            elif found is not None:
                images.append(found)
    _check_unknown(unknown, [image.path.name for image in images])
    by_series: dict[str, list[ImageFile]] = {}
    for image in images:
        by_series.setdefault(image.series, []).append(image)
    return by_series


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's remarks on odd values off stderr; what matters in them is checked here.

    Raises:
        VolumeError: pydicom is not installed.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise VolumeError(
            f"DICOM is read by the Python package pydicom and that cannot be imported ({error}); install it with "
            "'pip install pydicom', or convert the series to NIfTI first, for example with dcm2niix"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def damaged(path: Path, flaw: str) -> VolumeError:
    return VolumeError(
        f"The DICOM file {path} cannot be read, it is damaged or cut short ({flaw}); copy or export it again, or move "
        "it out of the folder"
    )


def whole_number(source: "Dataset", keyword: str) -> int | None:
    try:
        return int(source.get(keyword))
    except (TypeError, ValueError, OverflowError):
        return None


def image_type(source: "Dataset", keyword: str = "ImageType") -> tuple[str, ...]:
    value = source.get(keyword) or ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)


def look_at(path: Path) -> ImageFile | UnknownFile | None:
    """Read the header of a file; None for DICOM that is no image."""
    import pydicom

    is_dicom = False
    try:
        with path.open("rb") as file:
            start = file.read(PREAMBLE_BYTES + 4)
            is_dicom = start[PREAMBLE_BYTES:] == b"DICM"
            if not is_dicom and not _starts_with_a_tag(start):
                return UnknownFile(path, is_dicom, "it has no DICOM header" if start else "it is empty")
            file.seek(0)
            header = pydicom.dcmread(file, stop_before_pixels=True, force=not is_dicom, specific_tags=list(TAGS))
            flaw = _flaw(file, header)
            if flaw and "Rows" not in header and not _is_whole_without_pixels(header):
                return UnknownFile(path, is_dicom, "its header ends early")
            return ImageFile(path, header, flaw) if _is_image(header) else None
    except OSError as error:
        return UnknownFile(path, is_dicom, error.strerror or str(error))
    except Exception as error:  # pydicom meets damage with whatever its parts raise: zlib, struct, KeyError ...
        return UnknownFile(path, is_dicom, f"{type(error).__name__} in its header")


def _starts_with_a_tag(start: bytes) -> bool:
    """Whether a file without the preamble starts as a DICOM file of old does: with a tag of group 2 or 8."""
    if len(start) < 8:
        return False
    tags = [struct.unpack(f"{order}HH", start[:4]) for order in "<>"]
    return any(group in (2, 8) and element < 0x100 for group, element in tags)


def _class_of(header: "Dataset") -> str:
    """Return the UID of what kind of object a file holds; a directory tells it only in the part before its data."""
    return str(getattr(header.file_meta, "MediaStorageSOPClassUID", None) or header.get("SOPClassUID") or "")


def _is_whole_without_pixels(header: "Dataset") -> bool:
    """Whether a file without size and pixels is another object, of a known or private kind, and no image cut short."""
    from pydicom.uid import UID

    name = UID(_class_of(header)).name
    return "Image Storage" not in name and (name.endswith("Storage") or "SeriesInstanceUID" in header)


def _is_image(header: "Dataset") -> bool:
    from pydicom.uid import UID

    name = UID(_class_of(header)).name
    if name.endswith("Storage"):
        return "Image Storage" in name
    return "Rows" in header and header.get("Modality") not in ("RTDOSE", "SEG")


def _flaw(file: BinaryIO, header: "Dataset") -> str:
    """Tell what the file lacks, which pydicom left right before the tag of its pixels."""
    if getattr(header.file_meta, "TransferSyntaxUID", "") == "1.2.840.10008.1.2.1.99":  # deflated: all read by now
        return "" if "Rows" in header else "its header ends early"
    order = "<" if header.original_encoding[1] else ">"
    start, size = file.tell(), os.fstat(file.fileno()).st_size
    head = file.read(12)
    if len(head) < 12 or struct.unpack(f"{order}H", head[:2])[0] != PIXEL_GROUP:
        return "it ends before its pixels"
    if not head[4:6].isalpha():  # without a type, whatever the transfer syntax says
        head = head[:8]
    length = struct.unpack(f"{order}I", head[-4:])[0]
    missing = start + len(head) + length - size
    if length != UNDEFINED_LENGTH and missing > 0:
        return f"{missing} of the {length} bytes of its pixels are missing"
    return ""


def _check_unknown(unknown: list[UnknownFile], names: list[str]) -> None:
    """Refuse a file that is DICOM, or is named as DICOM files or the slices are, and cannot be read: a broken copy."""
    patterns = {_pattern(name) for name in names}
    endings = {_ending(name) for name in names}
    for file in unknown:
        name = file.path.name
        for ending in PARTIAL_ENDINGS:
            name = name.removesuffix(ending)
        named_so = name.lower().endswith(DICOM_ENDINGS) or _pattern(name) in patterns
        is_note = file.path.stem.upper() in NOTES or _is_text(file.path)
        if file.is_dicom or named_so or (_ending(name) in endings and not is_note):
            raise damaged(file.path, file.flaw)


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name.lower())


def _ending(name: str) -> str:
    """Return the extension; numbers, as in IM.0001 and in names that are UIDs, count as one."""
    return re.sub(r"\d+", "#", Path(name).suffix.lower())


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return False
    return bool(start) and not any(byte < 9 or 13 < byte < 32 for byte in start)
