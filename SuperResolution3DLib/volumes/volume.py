"""Volumes in files: NIfTI, NRRD, MetaImage, MGZ and DICOM series in, files out, with their exact place in space.

Inside the library a volume is an array (D, H, W) with an affine to RAS mm; the LPS of SimpleITK and DICOM stays in
``itk_image.py`` and ``dicom/``.
"""

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import OutputError, VolumeError
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes import itk_image, mgz, nifti
from SuperResolution3DLib.volumes.body_axes import shape_text
from SuperResolution3DLib.volumes.dicom.choice import Choice
from SuperResolution3DLib.volumes.dicom.series import read_series
from SuperResolution3DLib.volumes.geometry import Orientation, check_affine, voxel_spacing
from SuperResolution3DLib.volumes.intensity import check_intensities
from SuperResolution3DLib.volumes.nifti_forms import Forms
from SuperResolution3DLib.volumes.output_place import check_place, check_utf8, place_of, publish, status, temporary_name
from SuperResolution3DLib.volumes.sidecar import read_slice_positions, read_slice_sizes

log = logging.getLogger(__name__)

READ_EXTENSIONS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".mgh")
WRITE_EXTENSIONS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mgz", ".mgh")
GIB = 2**30


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar 3D image and where it lies in the patient."""

    array: np.ndarray
    """Voxels (D, H, W) = (K, J, I), in the file's data type"""

    affine: np.ndarray
    """(4, 4) float64, maps voxel (I, J, K, 1) to RAS mm"""

    modality: str = ""
    """MR, CT or another, as a DICOM file says; empty when unknown"""

    slice_thickness: float | None = None
    """mm, as a DICOM file or a BIDS sidecar says; None when unknown"""

    slice_spacing: float | None = None
    """mm between the centres of neighbouring slices, as a DICOM file or a BIDS sidecar says; None when unknown"""

    slice_positions: tuple[float, ...] | None = None
    """mm of each slice (K) from the first one along their normal, where a DICOM series has uneven ones: the affine has
    their mean spacing then; None where the affine tells"""

    forms: Forms | None = None
    """sform and qform of a NIfTI file, which results of the same anatomy keep"""

    warnings: tuple[Warned, ...] = ()
    """What a person should know of how the file was read"""

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.affine.shape != (4, 4):
            raise ValueError(
                f"A volume needs an array (D, H, W) and an affine (4, 4), not {self.array.shape} and "
                f"{self.affine.shape}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels (D, H, W)."""
        depth, height, width = self.array.shape
        return depth, height, width

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxels (D, H, W) in mm."""
        return voxel_spacing(self.affine)

    def canonical(self) -> "Volume":
        """Return this volume along the nearest RAS axes, D = S, H = A, W = R; its array is a view."""
        orientation = Orientation.of(self.affine)
        affine = orientation.canonical_affine(self.affine, self.shape)
        return self.with_array(orientation.to_canonical(self.array), affine)

    def with_array(self, array: np.ndarray, affine: np.ndarray | None = None) -> "Volume":
        """Return a volume of the same modality with other voxels (D, H, W), on the same grid unless one is given."""
        if affine is None:
            return replace(self, array=array)
        forms = self.forms and self.forms.moved(self.affine, affine)
        return replace(self, array=array, affine=affine, forms=forms, slice_positions=None)


def read_volume(path: str | Path, series: str | Choice | None = None, *, uneven_slices: bool = False) -> Volume:
    """Read a scalar 3D volume from a file or from a folder with a DICOM series.

    The voxels keep the type that the file stores (rescaled CT is in HU; NIfTI with a slope becomes float). A fourth
    axis of length 1, as in a time series of one time point, is dropped.

    Args:
        path: a .nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, .mgz or .mgh file, or a folder of DICOM slices.
        series: the SeriesInstanceUID to read, where a folder holds several, or a choice that also says which echo.
        uneven_slices: take DICOM slices whose distances are up to 10 % off their mean; otherwise they are refused.

    Raises:
        VolumeError: nothing there, not permitted, no image, cut short or damaged, not scalar 3D, an axis shorter than
            2, voxels that are not finite, beyond 1e30 or all alike; no DICOM series, several, or one with unusable
            slices.
        GeometryError: a sheared or degenerate affine, one that contradicts the voxel sizes, uneven slices, a gantry
            tilt.
    """
    path = Path(path)
    if status(path, VolumeError) is None:
        raise VolumeError(Sentence("volume-missing", {"path": str(path)}))
    choice = series if isinstance(series, Choice) else Choice(series)
    if choice.options() and not path.is_dir():
        option = choice.options()[0].split()[0]
        raise VolumeError(f"{path} is a file and {option} chooses among the DICOM series of a folder; omit it")
    try:
        volume = _read_folder(path, choice, uneven_slices=uneven_slices) if path.is_dir() else _read_file(path)
        if uneven_slices and not path.is_dir():
            volume = replace(volume, slice_positions=read_slice_positions(path, len(volume.array)))
    except OSError as error:
        values = {"path": str(path), "reason": error.strerror or str(error)}
        raise VolumeError(Sentence("volume-unreadable", values)) from error
    check_affine(volume.affine)
    _check_voxels(volume, path)
    for warning in volume.warnings:
        log.warning("%s", warning)
    return volume


def write_volume(volume: Volume, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a volume under a temporary name in the same folder and rename it once it is complete.

    NIfTI and MGZ carry the affine to float32 rounding, NRRD and MHA to float64. Only .nii.gz and .mgz are compressed.

    Raises:
        OutputError: see ``check_writable``, or the writing itself fails.
    """
    path = Path(path)
    check_writable(path, volume.array.nbytes, overwrite=overwrite)
    extension = written_extension(path)
    temporary = temporary_name(path, extension)
    try:
        if extension in (".nii", ".nii.gz"):
            nifti.write(temporary, volume.array, volume.affine, volume.forms)
        elif extension in mgz.EXTENSIONS:
            mgz.write(temporary, volume.array, volume.affine)
        else:
            itk_image.write(temporary, volume.array, volume.affine)
        publish(temporary, path, overwrite=overwrite)
    except (OSError, RuntimeError, VolumeError) as error:
        values = {"path": str(path), "reason": itk_image.reason_of(error)}
        raise OutputError(Sentence("output-failed", values)) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path, num_bytes: int, *, overwrite: bool = False) -> None:
    """Make sure, before anything is computed, that a result can be written.

    Args:
        path: the file to be written.
        num_bytes: size of its voxels, uncompressed.
        overwrite: whether a file of that name may be replaced.

    Raises:
        OutputError: unknown extension, the name of a folder, a file of that name, folder missing or not writable, or
            less space on the disk than the voxels take.
    """
    path = Path(path)
    if not written_extension(path):
        raise OutputError(f"{path.name} has no extension that can be written; use one of {' '.join(WRITE_EXTENSIONS)}")
    check_place(path, overwrite=overwrite)
    check_utf8(place_of(path).parent, OutputError)  # the temporary name in it is ASCII
    try:
        free = shutil.disk_usage(place_of(path).parent).free
    except OSError as error:
        values = {"path": str(path), "reason": error.strerror or str(error)}
        raise OutputError(Sentence("output-refused", values)) from error
    if num_bytes > free:
        needed = {"name": path.name, "needed": num_bytes / GIB, "free": free / GIB, "folder": str(path.parent)}
        raise OutputError(Sentence("output-disk-full", needed))


def written_extension(path: Path) -> str:
    """Return the extension that decides the format of a volume to be written, an empty string if there is none."""
    return _extension(path, WRITE_EXTENSIONS)


def cast_like(array: np.ndarray, dtype: np.dtype | type, offset: int | float = 0) -> np.ndarray:
    """Return (D, H, W) in another data type: integers are rounded and clipped to their range.

    Args:
        array: voxels.
        dtype: of the result.
        offset: is added in float64, or exactly in integers, plane by plane; see ``intensity.large_offset``.

    Raises:
        ValueError: a voxel is NaN or infinite, or so in the other data type.
    """
    dtype = np.dtype(dtype)
    if offset == 0 and (array.dtype == dtype or dtype.kind == "f"):
        with np.errstate(over="ignore"):  # told in one sentence
            result = array.astype(dtype, copy=False)
        _check_finite(result, dtype)
        return result
    result = np.empty(array.shape, dtype)
    bounds = None if dtype.kind == "f" else _integer_bounds(dtype, array.dtype, offset)
    for plane, target in zip(array, result, strict=True):  # plane by plane: an SR volume fills much of the memory
        _check_finite(plane, dtype)
        if bounds is None:
            np.add(plane, offset, out=target, dtype=np.float64, casting="unsafe")
        elif offset == 0:
            target[...] = np.clip(np.rint(plane) if plane.dtype.kind == "f" else plane, *bounds)
        else:
            target[...] = _add_exactly(np.clip(np.rint(plane.astype(np.float64)), *bounds), int(offset), dtype)
    if bounds is None:
        _check_finite(result, dtype)
    return result


def _check_finite(array: np.ndarray, dtype: np.dtype) -> None:
    if not np.isfinite((array.min(), array.max())).all():
        raise ValueError(f"A volume with voxels that are not finite has no {dtype} form")


def _add_exactly(whole: np.ndarray, offset: int, dtype: np.dtype) -> np.ndarray:
    """Add an offset to float64 voxels (H, W) of whole numbers whose sum fits the type; exact beyond 2^53, too."""
    distance, base = np.abs(whole).astype(np.uint64), np.uint64(offset % 2**64)
    return np.where(whole < 0, base - distance, base + distance).astype(
        dtype
    )  # modulo 2^64 until it is cut to the type


def _integer_bounds(dtype: np.dtype, source: np.dtype, offset: int | float = 0) -> tuple[int | float, int | float]:
    """Return the bounds of an integer type, less an offset, as values that the source type can hold."""
    bounds = np.iinfo(dtype)
    if offset:
        lowest, highest = (_towards_zero(bound - int(offset), np.dtype("f8")) for bound in (bounds.min, bounds.max))
        return lowest, highest
    if source.kind != "f":
        return max(bounds.min, np.iinfo(source).min), min(bounds.max, np.iinfo(source).max)
    return float(bounds.min), _towards_zero(bounds.max, source)


def _towards_zero(bound: int, source: np.dtype) -> float:
    """Return an integer in a float type, rounded towards 0."""
    rounded = source.type(bound)
    if abs(int(rounded)) > abs(bound):  # float32 rounds 2147483647 up to 2147483648, which int32 cannot hold
        rounded = np.nextafter(rounded, source.type(0))
    return float(rounded)


def _read_folder(path: Path, choice: Choice, *, uneven_slices: bool) -> Volume:
    found = read_series(path, choice, uneven_slices=uneven_slices)
    sizes = found.slice_thickness, found.slice_spacing
    return Volume(found.array, found.affine, found.modality, *sizes, found.slice_positions)


def _read_file(path: Path) -> Volume:
    extension = _extension(path, READ_EXTENSIONS)
    if not extension:
        raise VolumeError(
            f"{path} is not a volume of a known kind; give a file that ends in one of {' '.join(READ_EXTENSIONS)} "
            "or a folder of DICOM slices"
        )
    if extension in mgz.EXTENSIONS:
        return Volume(*mgz.read(path))
    if extension in nifti.EXTENSIONS:
        image = nifti.read(path)
        return Volume(
            image.array, image.affine, "", *read_slice_sizes(path), forms=image.forms, warnings=image.warnings
        )
    check_utf8(path, VolumeError)  # ITK ends the process
    return Volume(*itk_image.read(path), "", *read_slice_sizes(path))


def _check_voxels(volume: Volume, path: Path) -> None:
    """Refuse volumes that are too thin, constant or not finite."""
    array, shape = volume.array, shape_text(volume.shape, volume.affine)
    if min(array.shape) < 2:
        raise VolumeError(Sentence("volume-thin", {"path": str(path), "shape": shape}))
    check_intensities(array, path)
    lowest, highest = array.min(), array.max()
    if lowest == highest:
        values = {"path": str(path), "shape": shape, "value": float(lowest)}
        raise VolumeError(Sentence("volume-constant", values))


def _extension(path: Path, known: tuple[str, ...]) -> str:
    """Return the extension if it is among the known ones, else an empty string."""
    return max((extension for extension in known if path.name.lower().endswith(extension)), key=len, default="")
