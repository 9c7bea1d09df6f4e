"""What each frame of a series says about itself, in classic files of one slice and in enhanced ones of many."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.volumes.dicom.scan import ImageFile, image_type, whole_number

if TYPE_CHECKING:
    from pydicom import Dataset

DIRECTION_TOLERANCE = 1e-3
FRAME_TYPES: Final = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence")

# Sequence of an enhanced file (or none) and keyword. The first differ only between volumes; the others also from slice
# to slice, and tell volumes apart only where slices lie at one position.
VOLUME_KEYS: Final = (
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("", "TemporalPositionIdentifier"),
    ("MRDiffusionSequence", "DiffusionBValue"),
)
SLICE_KEYS: Final = (
    ("MRDiffusionSequence", "DiffusionGradientOrientation"),
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("", "TriggerTime"),
    ("FrameContentSequence", "FrameAcquisitionNumber"),
    ("", "AcquisitionNumber"),
    ("FrameContentSequence", "FrameAcquisitionDateTime"),
    ("", "AcquisitionTime"),
    ("", "ContentTime"),
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice; positions are in LPS mm."""

    path: Path
    index: int
    """of the frame in its file, from 0"""
    position: np.ndarray
    """(3,) centre of the first pixel"""
    directions: np.ndarray
    """(3, 2) unit vectors along a row and along a column"""
    pixel_spacing: tuple[float, float]
    """mm between neighbours along a row and along a column (DICOM tells them the other way round)"""
    size: tuple[int, int]
    """pixels in a row and in a column"""
    rescale: tuple[float, float]
    """slope and intercept"""
    thickness: float | None
    """mm"""
    slice_spacing: float | None
    """mm between the centres of neighbours, as the file says; the positions decide"""
    echo_number: int | None
    echo_time: float | None
    """ms"""
    image_type: tuple[str, ...]
    volume_keys: tuple[str, ...]
    slice_keys: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.name if self.index == 0 else f"{self.path.name} (frame {self.index + 1})"


@dataclass(frozen=True, eq=False)
class Source:
    """Where the tags of one frame stand: its own functional groups, those of all frames, the file itself."""

    path: Path
    groups: "tuple[Dataset, ...]"
    top: "Dataset"

    def holder(self, sequence: str, keyword: str) -> "Dataset":
        for group in self.groups if sequence else ():
            items = group.get(sequence)
            if items and keyword in items[0]:
                return items[0]
            if keyword == "DiffusionGradientOrientation" and items and "DiffusionGradientDirectionSequence" in items[0]:
                return items[0].DiffusionGradientDirectionSequence[0]
        return self.top

    def text(self, sequence: str, keyword: str) -> str:
        holder = self.holder(sequence, keyword)
        try:
            value = holder.get(keyword)
        except (ValueError, TypeError, OverflowError):  # a text that is no number
            value = holder.get_item(keyword).value
        if isinstance(value, bytes):
            value = value.decode("ascii", "replace")
        if value is None or isinstance(value, str | float | int):
            return "" if value is None else str(value).strip(" \0")
        return "\\".join(str(part) for part in value)

    def numbers(self, sequence: str, keyword: str, count: int) -> np.ndarray:
        """Return as many numbers as needed.

        Raises:
            VolumeError: others are there.
        """
        text = self.text(sequence, keyword)
        values = _floats(text)
        if len(values) != count or not np.isfinite(values).all():
            from pydicom.datadict import tag_for_keyword

            tag = tag_for_keyword(keyword) or 0
            raise VolumeError(
                f"The DICOM slice {self.path} has {text!r} in tag ({tag >> 16:04x},{tag & 0xFFFF:04x}) where {count} "
                f"number{'s are' if count > 1 else ' is'} needed; choose a series of slices with a position"
            )
        return np.array(values)

    def number(self, sequence: str, keyword: str) -> float | None:
        """Return a number; None if it is not there."""
        values = _floats(self.text(sequence, keyword))
        return values[0] if len(values) == 1 and math.isfinite(values[0]) else None


def frames_of(image: ImageFile) -> list[Frame]:
    """Return the frames of a file.

    Raises:
        VolumeError: colour, frames without a place of their own, tags that are missing or no numbers.
        GeometryError: directions that are not perpendicular unit vectors.
    """
    header, path = image.header, image.path
    components = whole_number(header, "SamplesPerPixel") or 1
    if components != 1:
        raise VolumeError(
            f"The DICOM slice {path} holds {components} components a pixel and one is needed; choose a series without "
            "colour"
        )
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":  # one number a pixel, which means nothing by itself
        raise VolumeError(
            f"The DICOM slice {path} holds numbers of colours in a palette and no intensities; choose a series without "
            "colour"
        )
    if "ModalityLUTSequence" in header and "RescaleSlope" not in header:
        raise VolumeError(
            f"The DICOM slice {path} rescales its pixels by a table and not by a slope; export it with a rescale slope"
        )
    groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    if image.num_frames > 1 and len(groups) != image.num_frames:
        raise VolumeError(
            f"{path} is a DICOM file with {image.num_frames} frames and gives the position of {len(groups)} of them; "
            "convert it to NIfTI first, for example with dcm2niix"
        )
    return [
        _frame(Source(path, (*groups[index : index + 1], *shared), header), index) for index in range(image.num_frames)
    ]


def shared_sizes(image: ImageFile) -> tuple[float | None, float | None]:
    """Return slice thickness and slice spacing (mm) where the groups of all frames, or the file itself, say them."""
    shared = list(image.header.get("SharedFunctionalGroupsSequence") or [])[:1]
    source = Source(image.path, tuple(shared), image.header)
    return _length(source, "SliceThickness"), _length(source, "SpacingBetweenSlices")


def _frame(source: Source, index: int) -> Frame:
    position = source.numbers("PlanePositionSequence", "ImagePositionPatient", 3)
    row_and_column = source.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6).reshape(2, 3)
    between_rows, between_columns = source.numbers("PixelMeasuresSequence", "PixelSpacing", 2)
    if not min(between_rows, between_columns) > 0:
        raise GeometryError(
            f"The DICOM slice {source.path} has pixels of {between_columns:g} x {between_rows:g} mm; export the series "
            "again"
        )
    products = row_and_column @ row_and_column.T
    if not np.abs(products - np.eye(2)).max() <= DIRECTION_TOLERANCE:
        (row, cosine), (_, column) = products
        raise GeometryError(
            f"The DICOM slice {source.path} has row and column directions that are not perpendicular unit vectors "
            f"(squared lengths {row:.4g} and {column:.4g}, product {cosine:.4g}); export the series again"
        )
    width, height = whole_number(source.top, "Columns"), whole_number(source.top, "Rows")
    if not width or not height:
        raise VolumeError(f"The DICOM slice {source.path} has {width} x {height} pixels; export the series again")
    echo_time = source.number("MREchoSequence", "EffectiveEchoTime")
    return Frame(
        path=source.path,
        index=index,
        position=position,
        directions=(row_and_column / np.linalg.norm(row_and_column, axis=1, keepdims=True)).T,
        pixel_spacing=(float(between_columns), float(between_rows)),
        size=(width, height),
        rescale=(_rescale(source, "RescaleSlope", 1.0), _rescale(source, "RescaleIntercept", 0.0)),
        thickness=_length(source, "SliceThickness"),
        slice_spacing=_length(source, "SpacingBetweenSlices"),
        echo_number=whole_number(source.top, "EchoNumbers"),
        echo_time=source.number("", "EchoTime") if echo_time is None else echo_time,
        image_type=_frame_type(source),
        volume_keys=tuple(source.text(*key) for key in VOLUME_KEYS),
        slice_keys=tuple(source.text(*key) for key in SLICE_KEYS),
    )


def _rescale(source: Source, keyword: str, default: float) -> float:
    if not source.text("PixelValueTransformationSequence", keyword):
        return default
    value = float(source.numbers("PixelValueTransformationSequence", keyword, 1)[0])
    if keyword == "RescaleSlope" and value == 0:
        raise VolumeError(f"The DICOM slice {source.path} has a rescale slope of 0; export the series again")
    return value


def _length(source: Source, keyword: str) -> float | None:
    value = source.number("PixelMeasuresSequence", keyword)
    return value if value is not None and value > 0 else None


def _frame_type(source: Source) -> tuple[str, ...]:
    for sequence in FRAME_TYPES:
        holder = source.holder(sequence, "FrameType")
        if "FrameType" in holder:
            component = str(holder.get("ComplexImageComponent") or "")
            return (*image_type(holder, "FrameType"), *([component] if component else []))
    return image_type(source.top)


def _floats(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split("\\")]
    except ValueError:
        return []
