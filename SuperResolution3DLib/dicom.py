"""DICOM series: a folder of slices becomes one volume, if the slices are evenly stacked along their normal."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.itk_image import LPS_TO_RAS, reading_error, warnings_off

SERIES_DESCRIPTION = "0008|103e"
MODALITY = "0008|0060"
IMAGE_POSITION = "0020|0032"
IMAGE_ORIENTATION = "0020|0037"
PIXEL_SPACING = "0028|0030"
RESCALE_INTERCEPT = "0028|1052"
RESCALE_SLOPE = "0028|1053"

PREAMBLE_BYTES = 128
SPACING_TOLERANCE = 0.01  # of the distance between two slices
DRIFT_TOLERANCE = 0.1  # of a pixel, over the whole stack: what is left of a position that is rounded to 0.01 mm
DIRECTION_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Slice:
    """What one file of a series says about itself; positions are in LPS mm."""

    path: Path
    position: np.ndarray
    """(3,) centre of the first pixel"""

    directions: np.ndarray
    """(3, 2) unit vectors along a row and along a column"""

    pixel_spacing: tuple[float, float]
    """mm between neighbours along a row and along a column (DICOM tells them the other way round)"""

    size: tuple[int, int]
    """pixels in a row and in a column"""

    rescale: tuple[str, str]
    """slope and intercept"""

    modality: str


def read_series(folder: Path, series: str | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Read the voxels (D, H, W), the affine to RAS mm and the modality of one series of a folder.

    Slices are sorted by their position along the normal. Voxels are rescaled as their tags say (CT: HU).

    Args:
        folder: holds the slices itself, not in folders below it.
        series: SeriesInstanceUID; may be None if the folder holds one series.

    Raises:
        VolumeError: no DICOM, several series and none chosen, a chosen one that is not there, fewer than two slices,
            colour, multi-frame, slices of different size, without a position, twice at one position, or damaged.
        GeometryError: slices missing, unevenly spaced, not parallel, or stacked aslant (gantry tilt).
    """
    with warnings_off():
        uid = _choose_series(folder, series)
        paths = [Path(name) for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)]
        if len(paths) < 2:
            raise VolumeError(
                f"The DICOM series {uid} in {folder} has {len(paths)} slice and a volume needs 2 at least"
            )
        slices = [_read_slice(path) for path in paths]
        _check_alike(slices)
        normal = np.cross(slices[0].directions[:, 0], slices[0].directions[:, 1])
        slices.sort(key=lambda item: float(item.position @ normal))
        affine = _stack_affine(slices, normal)
        array = _read_pixels(slices)
    return array, affine, slices[0].modality


def _choose_series(folder: Path, series: str | None) -> str:
    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    _check_all_readable(folder, uids)
    if not uids:
        raise VolumeError(
            f"The folder {folder} holds no DICOM slices; give the folder in which the slices themselves are"
        )
    if series is None and len(uids) == 1:
        return uids[0]
    if series is not None and series in uids:
        return series
    listed = "; ".join(_describe_series(folder, uid) for uid in uids)
    if series is None:
        raise VolumeError(f"{folder} holds {len(uids)} DICOM series, choose one with --series UID: {listed}")
    raise VolumeError(f"{folder} holds no DICOM series {series}, choose one of these with --series UID: {listed}")


def _check_all_readable(folder: Path, uids: tuple[str, ...]) -> None:
    """Refuse a folder with a damaged slice: GDCM leaves it out, which at the end of a stack nobody would notice."""
    listed = {
        Path(name).name for uid in uids for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    }
    for path in sorted(folder.iterdir()):
        if path.name in listed or path.name.upper() == "DICOMDIR" or not path.is_file():
            continue
        with path.open("rb") as file:
            if file.read(PREAMBLE_BYTES + 4)[PREAMBLE_BYTES:] == b"DICM":
                raise VolumeError(
                    f"The DICOM file {path} cannot be read, it is damaged or cut short; copy or export it again, or "
                    "move it out of the folder"
                )


def _describe_series(folder: Path, uid: str) -> str:
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    description = _tag(_read_header(Path(names[0])), SERIES_DESCRIPTION) or "without description"
    return f"{uid} ({description}, {len(names)} slice{'s' if len(names) > 1 else ''})"


def _read_header(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise reading_error(path, error) from error
    return reader


def _tag(reader: sitk.ImageFileReader, tag: str) -> str:
    return reader.GetMetaData(tag).strip().strip("\0") if reader.HasMetaDataKey(tag) else ""


def _read_slice(path: Path) -> Slice:
    reader = _read_header(path)
    if reader.GetNumberOfComponents() != 1:
        raise VolumeError(
            f"The DICOM slice {path} holds {reader.GetNumberOfComponents()} components a pixel and one is needed; "
            "choose a series without colour"
        )
    size = reader.GetSize()
    if len(size) > 2 and size[2] != 1:
        raise VolumeError(
            f"{path} is a DICOM file with {size[2]} frames and one slice a file is needed; convert it to NIfTI first, "
            "for example with dcm2niix"
        )
    position = _numbers(reader, IMAGE_POSITION, 3, path)
    row_and_column = _numbers(reader, IMAGE_ORIENTATION, 6, path).reshape(2, 3)
    between_rows, between_columns = _numbers(reader, PIXEL_SPACING, 2, path)
    products = row_and_column @ row_and_column.T
    if not np.abs(products - np.eye(2)).max() <= DIRECTION_TOLERANCE:
        (row, cosine), (_, column) = products
        raise GeometryError(
            f"The DICOM slice {path} has row and column directions that are no perpendicular unit vectors (squared "
            f"lengths {row:.4g} and {column:.4g}, product {cosine:.4g}); export the series again"
        )
    return Slice(
        path=path,
        position=position,
        directions=(row_and_column / np.linalg.norm(row_and_column, axis=1, keepdims=True)).T,
        pixel_spacing=(float(between_columns), float(between_rows)),
        size=(size[0], size[1]),
        rescale=(_tag(reader, RESCALE_SLOPE), _tag(reader, RESCALE_INTERCEPT)),
        modality=_tag(reader, MODALITY),
    )


def _numbers(reader: sitk.ImageFileReader, tag: str, count: int, path: Path) -> np.ndarray:
    text = _tag(reader, tag)
    try:
        numbers = np.array([float(part) for part in text.split("\\")])
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) != count:
        raise VolumeError(
            f"The DICOM slice {path} has {text!r} in tag ({tag.replace('|', ',')}) where {count} numbers are needed; "
            "choose a series of slices with a position"
        )
    return numbers


def _check_alike(slices: list[Slice]) -> None:
    """Refuse slices that do not belong to one stack of equal and parallel slices."""
    first = slices[0]
    for other in slices[1:]:
        if other.size != first.size or not np.allclose(
            other.pixel_spacing, first.pixel_spacing, rtol=SPACING_TOLERANCE
        ):
            raise VolumeError(
                f"The DICOM slices {first.path.name} ({_grid(first)}) and {other.path.name} ({_grid(other)}) in "
                f"{first.path.parent} differ in size; remove the slices that do not belong to the volume"
            )
        deviation = float(np.abs(other.directions - first.directions).max())
        if deviation > DIRECTION_TOLERANCE:
            raise GeometryError(
                f"The DICOM slices {first.path.name} and {other.path.name} in {first.path.parent} are not parallel "
                f"(direction cosines differ by {deviation:.3g}); choose a series of parallel slices"
            )


def _grid(item: Slice) -> str:
    (width, height), (across, down) = item.size, item.pixel_spacing
    return f"{width} x {height} pixels of {across:g} x {down:g} mm"


def _stack_affine(slices: list[Slice], normal: np.ndarray) -> np.ndarray:
    """Return the affine to RAS mm of slices that are sorted along their normal.

    Raises:
        VolumeError: two slices at one position.
        GeometryError: a gap that differs from the others, or a stack that is not perpendicular to its slices.
    """
    positions = np.array([item.position for item in slices])
    heights = positions @ normal
    _check_gaps(slices, heights)
    from_first = positions - positions[0]
    sideways = np.linalg.norm(from_first - np.outer(from_first @ normal, normal), axis=1)
    if sideways.max() > DRIFT_TOLERANCE * min(slices[0].pixel_spacing):
        angle = float(np.degrees(np.arctan2(sideways[-1], heights[-1] - heights[0])))
        raise GeometryError(
            f"The DICOM slices in {slices[0].path.parent} are stacked aslant (gantry tilt of {angle:.2f} degrees, they "
            f"shift sideways by up to {sideways.max():.3g} mm); resample the series to an upright stack first"
        )
    to_lps = np.eye(4)
    to_lps[:3, :2] = slices[0].directions * slices[0].pixel_spacing
    to_lps[:3, 2] = normal * (heights[-1] - heights[0]) / (len(slices) - 1)
    to_lps[:3, 3] = positions[0]
    return LPS_TO_RAS @ to_lps


def _check_gaps(slices: list[Slice], heights: np.ndarray) -> None:
    """Refuse slices, at sorted heights (mm along the normal), that are doubled, missing or unevenly spaced."""
    folder = slices[0].path.parent
    gaps = np.diff(heights)
    spacing = float(np.median(gaps))
    narrow, wide, odd = int(gaps.argmin()), int(gaps.argmax()), int(np.abs(gaps - spacing).argmax())
    if gaps[narrow] <= SPACING_TOLERANCE * spacing:
        raise VolumeError(
            f"Two of the {len(slices)} DICOM slices in {folder} are at one position, {_pair(slices, narrow)} at "
            f"{heights[narrow]:.6g} mm along the normal; keep one slice for each position (one echo, one time point)"
        )
    if gaps[wide] > 1.5 * spacing:
        missing = round(float(gaps[wide]) / spacing) - 1
        raise GeometryError(
            f"About {missing} of the DICOM slices in {folder} are missing: {_pair(slices, wide)} are "
            f"{gaps[wide]:.6g} mm apart where the others are {spacing:.6g} mm; find the missing files"
        )
    if abs(gaps[odd] - spacing) > SPACING_TOLERANCE * spacing:
        raise GeometryError(
            f"The DICOM slices in {folder} are unevenly spaced: {_pair(slices, odd)} are {gaps[odd]:.6g} mm apart and "
            f"the others are {spacing:.6g} mm, more than {SPACING_TOLERANCE:.0%} off; resample the series evenly first"
        )


def _pair(slices: list[Slice], index: int) -> str:
    return f"{slices[index].path.name} and {slices[index + 1].path.name}"


def _read_pixels(slices: list[Slice]) -> np.ndarray:
    """Read (D, H, W) in the type of the rescaled pixels; float32 where each slice is rescaled in its own way."""
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(item.path) for item in slices])
    if len({item.rescale for item in slices}) > 1:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise reading_error(slices[0].path.parent, error) from error
