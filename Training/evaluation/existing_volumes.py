"""SR volumes that were made elsewhere, as a row of the table: found by their names, refused by their grids."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import GeometryError, InputError, readable
from SuperResolution3DLib.volumes.box import Box, intersection, relative, whole
from SuperResolution3DLib.volumes.geometry import Grid, contained_box
from SuperResolution3DLib.volumes.volume import read_volume
from Training.data.index import IndexEntry
from Training.evaluation.held_out import HeldOutVolume, named
from Training.evaluation.methods import Enlarged
from Training.evaluation.plan import ScoringPlan


@dataclass(frozen=True)
class ExistingVolumes:
    """A method of which only the results are at hand."""

    name: str
    files: dict[str, Path]
    """SR volumes by the HR's file, as the index names it"""

    @property
    def grid(self) -> Grid:
        return "center"  # of no account: nobody degrades for it

    @property
    def description(self) -> str:
        return "SR volumes made elsewhere, of LR volumes and subjects of training that are not known"

    @cached_property
    def identity(self) -> dict[str, Any]:
        facts = {file: path.stat() for file, path in self.files.items()}
        return {"existing": {file: [found.st_size, found.st_mtime_ns] for file, found in facts.items()}}

    def region(self, volume: HeldOutVolume) -> Box:
        """Return what of the scored HR (D, H, W) the SR volume has.

        Raises:
            VolumeError: it cannot be used.
            GeometryError: the HR does not contain its grid, both are printed; or the two share nothing that is scored.
        """
        return self._read(volume)[1]

    def enlarge(self, volume: HeldOutVolume) -> Enlarged:
        """Read the SR volume in canonical orientation; outside of its region it is as dark as its darkest voxel.

        Raises:
            VolumeError, GeometryError: see ``region``.
        """
        array, region = self._read(volume)
        enlarged = np.full(volume.hr.shape, array.min(), np.float32)
        volume.without_padding(enlarged)[region] = array
        return Enlarged(enlarged, from_lr=False)

    def _read(self, volume: HeldOutVolume) -> tuple[np.ndarray, Box]:
        """Return the SR (D, H, W), cut to what is scored of the HR, and where that lies in it."""
        sr = read_volume(self.files[volume.file]).canonical()
        source = volume.source or (volume.scored_affine, volume.scored.shape)
        place = contained_box(*source, sr.affine, sr.shape)
        scored = contained_box(*source, volume.scored_affine, volume.scored.shape)
        shared = intersection(place, scored)
        if shared is None:
            raise GeometryError(f"{self.files[volume.file].name} has no voxel of the HR that is scored")
        return sr.array[relative(shared, place)], relative(shared, scored)


def common_regions(plan: ScoringPlan) -> dict[str, Box]:
    """Return what every method can be scored on, of the HR volumes of which some SR volume does not have all.

    Raises:
        VolumeError, GeometryError: an SR volume cannot be used; before the first volume is scored.
    """
    regions: dict[str, Box] = {}
    existing = [method for method in plan.methods if isinstance(method, ExistingVolumes)]
    for entry in plan.entries if existing else ():
        with named(entry):
            volume = plan.volume(entry)
            region = whole(volume.scored.shape)
            for method in existing:
                shared = intersection(region, method.region(volume))
                if shared is None:
                    raise GeometryError("the SR volumes have no voxel in common; they cannot be compared")
                region = shared
        if region != whole(volume.scored.shape):
            regions[entry.file] = region
    return regions


def existing_volumes(chosen: str, entries: Sequence[IndexEntry]) -> ExistingVolumes:
    """Find the SR volume of every HR volume in a folder: under the same path, or else by the name without extension.

    Args:
        chosen: LABEL=FOLDER.
        entries: of the HR volumes.

    Raises:
        InputError: no label, or volumes of which there is no SR volume, or several.
    """
    label, _, folder = chosen.partition("=")
    if not (label and folder and Path(folder).is_dir()):
        raise InputError(f"--sr wants LABEL=FOLDER, a folder of SR volumes, got {chosen!r}")
    stems = [_stem(Path(entry.file)) for entry in entries]
    files: dict[str, Path] = {}
    for entry, stem in zip(entries, stems, strict=True):
        same_path = Path(folder) / entry.file
        found = [path for path in sorted(Path(folder).iterdir()) if _stem(path) == stem]
        if same_path.is_file():
            found = [same_path]
        elif stems.count(stem) > 1:
            raise InputError(f"--sr: several volumes are called {stem}; give that of {entry.file} the same path")
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise InputError(f"--sr: {entry.file} needs one volume {stem} in {folder}, found {names}")
        files[entry.file] = found[0]
    return ExistingVolumes(readable(label), files)


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem
