"""SR volumes that were made elsewhere, as a row of the table: found by their names, cropped HR or refused by grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.geometry import Grid, contained_box
from SuperResolution3DLib.volume import Volume, read_volume
from Training.scoring.evaluation import on_one_grid
from Training.scoring.held_out import HeldOutVolume
from Training.scoring.methods import Enlarged
from Training.volumes.index import IndexEntry


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

    def enlarge(self, volume: HeldOutVolume) -> Enlarged:
        """Read the SR volume, in canonical orientation; the HR that does not end with it is cropped, and that is said.

        Raises:
            VolumeError: it cannot be used.
            GeometryError: the HR does not contain its grid; both are printed.
        """
        sr, hr = read_volume(self.files[volume.file]).canonical(), Volume(volume.scored, volume.scored_affine)
        _, sentence = on_one_grid(sr, hr)
        box = contained_box(hr.affine, hr.shape, sr.affine, sr.shape)
        enlarged = np.full(volume.hr.shape, sr.array.min(), np.float32)
        volume.without_padding(enlarged)[box] = sr.array
        return Enlarged(enlarged, () if sentence is None else (sentence,), box)


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
    return ExistingVolumes(label, files)


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem
