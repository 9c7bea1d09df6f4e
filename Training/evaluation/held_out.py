"""Volumes that methods are tested on: prepared as for training, and degraded whole on the grid that a method wants."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import GeometryError, InputError, ModelError, OutputError, ResourceError, VolumeError
from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade
from SuperResolution3DLib.inference.devices import is_out_of_memory
from SuperResolution3DLib.volumes.box import Box, Shape, box_shape, box_start, intersection, relative
from SuperResolution3DLib.volumes.geometry import Grid, Scale, crop_affine
from Training.data.index import Index, IndexEntry, Split, check_unchanged, read_entry, refuse_problems
from Training.data.preparation import PreparationConfig, prepare_hr
from Training.data.splits import check_leaks, select

OF_A_VOLUME = (VolumeError, GeometryError, ResourceError)  # errors that other volumes need not have
SMALLEST_LR = 4  # voxels of each axis; below, there is no context for a network


@dataclass(frozen=True, eq=False)
class HeldOutVolume:
    """An HR volume, and the LR volumes that it is degraded to."""

    hr: np.ndarray
    """(D, H, W), canonical, the file's intensities, a multiple of the scale; with padding, as it is degraded"""
    affine: np.ndarray
    """(4, 4), voxel (I, J, K) of the HR to RAS mm"""
    spacing: tuple[float, float, float]
    """mm (D, H, W)"""
    scale: Scale
    notes: tuple[str, ...] = ()
    """what was cut off"""
    floor: float | None = None
    """what lower voxels were raised to (CT: -1024 HU); None: nothing was"""
    content: Box | None = None
    """what is no padding (D, H, W), and so is scored and shown; None: all of it"""
    file: str = ""
    """as the index names it"""
    source: tuple[np.ndarray, Shape] | None = None
    """affine and shape (D, H, W) of the canonical file, or of what it was resampled to, before anything was cut off"""
    _lr: dict[Grid, np.ndarray] = field(default_factory=dict)

    @cached_property
    def scored(self) -> np.ndarray:
        """The HR without its padding (D, H, W); the same array for every method."""
        return self.without_padding(self.hr)

    @property
    def scored_affine(self) -> np.ndarray:
        """(4, 4), voxel (I, J, K) of what is scored to RAS mm"""
        return self.affine if self.content is None else crop_affine(self.affine, box_start(self.content))

    def without_padding(self, volume: np.ndarray) -> np.ndarray:
        """Cut a volume on the HR's grid (D, H, W) to what is scored."""
        return volume if self.content is None else volume[self.content]

    def lr(self, grid: Grid) -> np.ndarray:
        """Return the LR volume, (D/s, H/s, W/s) float32 in the HR's unit; computed once for each grid."""
        if grid not in self._lr:
            self._lr[grid] = degrade(self.hr.astype(np.float64), self.scale, grid).astype(np.float32)
        return self._lr[grid]


def held_out_entries(
    index: Index, folder: Path, *, split: Split = "test", fold: int | None = None, modality: str = ""
) -> tuple[IndexEntry, ...]:
    """Return the volumes that methods are tested on, in order of their files.

    Args:
        index: the data set.
        folder: where its ``splits.json`` lies; read only for a fold.
        split: part of the index's own split; left aside if a fold is given.
        fold: the fold that is held out.
        modality: take only volumes whose modality begins so; "" takes all.

    Raises:
        InputError: subjects stand on both sides, nothing is left, files are missing, changed or unusable.
    """
    if fold is not None:
        entries: Sequence[IndexEntry] = select(index, folder, fold, modality).validation
    else:
        check_leaks(index)
        part = [entry for entry in index.entries if entry.split == split]
        entries = sorted((entry for entry in part if entry.modality.startswith(modality)), key=lambda entry: entry.file)
        if not entries:
            known = ", ".join(sorted({entry.modality or "(none)" for entry in part}))
            raise InputError(
                f"There is no volume of modality {modality!r} in the part {split!r} of {index.dataset}, which has "
                f"{known or 'no volumes'}; choose another --split, --fold or --modality"
            )
        bad = [(entry, entry.problem) for entry in entries if entry.problem]
        refuse_problems(bad, "cannot be used; repair them, or leave them out with Training/prepare.py --drop-problems")
    check_unchanged(index, entries)
    return tuple(entries)


def held_out_volume(index: Index, entry: IndexEntry, preparation: PreparationConfig, scale: Scale) -> HeldOutVolume:
    """Read and prepare a volume; voxels that do not fill an LR voxel are dropped, half of them at either end.

    Raises:
        VolumeError: the file cannot be used, or the volume is too small for the scale.
    """
    read = read_entry(index.root, entry).canonical()
    prepared = prepare_hr(read, preparation)
    source = (read.affine, read.shape)
    if preparation.spacing is not None:
        source = (prepared.affine, box_shape(prepared.content))
    shape = prepared.hr.shape
    if any(size < SMALLEST_LR * factor for size, factor in zip(shape, scale, strict=True)):
        raise VolumeError(
            f"{entry.file}: {shape} voxels (head-foot, front-back, left-right) are too few; at scale {scale} each "
            f"axis needs {SMALLEST_LR} LR voxels"
        )
    box = crop_to_multiple(shape, scale)
    hr = np.ascontiguousarray(prepared.hr[box])
    kept = intersection(prepared.content, box)
    if kept is None:
        raise VolumeError(
            f"{entry.file}: padding is all that is left of {shape} voxels (head-foot, front-back, left-right) at "
            f"scale {scale}"
        )
    notes = []
    if shape != (size := box_shape(prepared.content)):
        notes.append(
            f"HR padded from {shape_text(size)} to {shape_text(shape)} voxels (head-foot, front-back, left-right); "
            "the padding is not scored"
        )
    if hr.shape != shape:
        notes.append(
            f"HR cropped from {shape_text(shape)} to {shape_text(hr.shape)} voxels (head-foot, front-back, left-right)"
        )
    affine = crop_affine(prepared.affine, box_start(box))
    content = relative(kept, box)
    return HeldOutVolume(
        hr, affine, prepared.spacing, scale, tuple(notes), preparation.floor, content, entry.file, source
    )


@contextmanager
def named(entry: IndexEntry) -> Iterator[None]:
    """Begin what is said of a volume with the name of its file, whatever goes wrong with it.

    Raises:
        VolumeError, GeometryError, ResourceError: the volume cannot be used.
    """
    try:
        yield
    except OF_A_VOLUME as error:
        if entry.file in str(error):
            raise
        raise type(error)(f"{entry.file}: {error}") from error
    except (ModelError, OutputError):
        raise
    except InputError as error:
        raise VolumeError(f"{entry.file}: {error}") from error
    except OSError as error:
        raise VolumeError(f"{entry.file}: cannot be read ({error.strerror or error})") from error
    except Exception as error:
        if is_out_of_memory(error):
            raise ResourceError(f"{entry.file}: the memory does not suffice ({error or 'MemoryError'})") from error
        error.add_note(f"This happened with the volume {entry.file}")  # a bug, and where to look for it
        raise


def shape_text(shape: tuple[int, ...]) -> str:
    """Return the voxels of each axis as a note has them."""
    return " x ".join(map(str, shape))
