"""All slices of one method's SR volumes against all slices of the HR volumes: what stands in a table as FID and KID."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from SuperResolution3DLib.errors import InputError, ModelError, VolumeError
from Training.evaluation.frechet import FeatureStatistics, SliceFeatures, frechet_distance, kernel_distance
from Training.whole_file import whole_file

FORMAT = 3
ARRAYS = ("mean", "root", "kept", "ranks")  # of FeatureStatistics
FEWEST_SLICES = 2  # that have a distance to others


@dataclass
class Tap:
    """One layer's features of the slices seen so far."""

    frechet: str
    kernel: str | None
    doubt: str | None
    sr: FeatureStatistics
    hr: FeatureStatistics
    volumes: set[str] = field(default_factory=set)
    """those that have features of it"""


@dataclass
class PictureSets:
    """Distances between a method's and the HR's slices, volume by volume, in memory that does not grow.

    Written to a file after each volume, it lets an interrupted evaluation go on; folds are merged into one.
    """

    taps: dict[str, Tap] = field(default_factory=dict)
    """by the name of the Frechet distance"""
    volumes: set[str] = field(default_factory=set)
    """those that were added, also without features: a small volume may lack some or all taps"""
    key: str = ""
    """what they were made with; sets of another key are not gone on with"""

    def add(self, volume: str, features: Iterable[SliceFeatures]) -> None:
        """Take in the slices of a volume.

        Raises:
            ValueError: a volume that was added before.
            VolumeError: features that are not finite.
        """
        if volume in self.volumes:
            raise ValueError(f"The slices of {volume} were added before")
        for item in features:
            width = item.hr.shape[1]
            tap = self.taps.setdefault(
                item.frechet,
                Tap(item.frechet, item.kernel, item.doubt, FeatureStatistics(width), FeatureStatistics(width)),
            )
            # The same slices are kept of SR and HR, and of every method, in whatever order the volumes come.
            ranks = np.random.default_rng(zlib.crc32(volume.encode())).random(len(item.hr))
            tap.sr.add(item.sr, ranks)
            tap.hr.add(item.hr, ranks)
            tap.volumes.add(volume)
        self.volumes.add(volume)

    def figures(self) -> dict[str, float]:
        """Return the distances by name, and the number of slices that each is from; none of a tap of a single slice.

        Raises:
            ModelError: the network's weights were not the original ones.
        """
        figures: dict[str, float] = {}
        for name, tap in self.taps.items():
            if tap.doubt is not None:
                raise ModelError(f"No table of {name}: {tap.doubt}")
            if tap.hr.count < FEWEST_SLICES:
                continue
            figures[name] = frechet_distance(tap.sr, tap.hr)
            if tap.kernel is not None:
                figures[tap.kernel] = kernel_distance(tap.sr, tap.hr)
            figures[f"{name}: slices"] = tap.hr.count
        return figures

    def describe(self) -> list[str]:
        """Return the lines that stand above or below every table of these figures."""
        return [f"{name}{f', {tap.kernel}' if tap.kernel else ''}: {_amount(tap)}" for name, tap in self.taps.items()]

    def write(self, path: Path) -> None:
        """Write to an .npz file, which has its final name only when it is complete.

        Raises:
            OutputError: the file cannot be written.
        """
        header = {
            "format": FORMAT,
            "key": self.key,
            "volumes": sorted(self.volumes),
            "taps": [
                [tap.frechet, tap.kernel, tap.doubt, sorted(tap.volumes), tap.sr.count, tap.hr.count]
                for tap in self.taps.values()
            ],
        }
        arrays = {"header": np.array(json.dumps(header))}
        for number, tap in enumerate(self.taps.values()):
            for side, statistics in (("sr", tap.sr), ("hr", tap.hr)):
                for name in ARRAYS:
                    arrays[f"{number}.{side}.{name}"] = getattr(statistics, name)
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> "PictureSets":
        """Read what ``write`` wrote.

        Raises:
            InputError: the file is missing, damaged or of another format.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                if header["format"] != FORMAT:
                    raise InputError(f"{path} has format {header['format']}, this program reads {FORMAT}")
                sets = cls(volumes=set(header["volumes"]), key=header["key"])
                for number, (frechet, kernel, doubt, volumes, *counts) in enumerate(header["taps"]):
                    sides = []
                    for side, count in zip(("sr", "hr"), counts, strict=True):
                        statistics = FeatureStatistics(file[f"{number}.{side}.mean"].size)
                        statistics.count = count
                        for name in ARRAYS:
                            setattr(statistics, name, file[f"{number}.{side}.{name}"])
                        sides.append(statistics)
                    sets.taps[frechet] = Tap(frechet, kernel, doubt, sides[0], sides[1], set(volumes))
                return sets
        except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, BadZipFile) as error:
            raise InputError(f"{path} holds no slice statistics: {error}") from error


def _amount(tap: Tap) -> str:
    """Return from how many slices the figures of a tap are."""
    volumes = f"{len(tap.volumes)} volume{'' if len(tap.volumes) == 1 else 's'}"
    if tap.hr.count < FEWEST_SLICES:
        return f"left out, {tap.hr.count} slice of {volumes} is too few for a distance"
    return (
        f"{tap.hr.count} slices of {volumes}, the same of SR and HR, {len(tap.hr.mean)} features"
        + (", fewer slices than features" if tap.hr.count <= len(tap.hr.mean) else "")
        + (f"; {tap.kernel} from {len(tap.hr.kept)} of them" if tap.kernel else "")
    )


def merged(parts: Sequence[PictureSets]) -> PictureSets:
    """Return the sets of several folds as one.

    Raises:
        VolumeError: a volume stands in two of them.
    """
    whole = PictureSets()
    for part in parts:
        twice = sorted(whole.volumes & part.volumes)
        if twice:
            raise VolumeError(f"The slices of {', '.join(twice)} stand in two of the sets that are to be merged")
        for name, tap in part.taps.items():
            width = len(tap.hr.mean)
            own = whole.taps.setdefault(
                name, Tap(name, tap.kernel, tap.doubt, FeatureStatistics(width), FeatureStatistics(width))
            )
            own.doubt = own.doubt or tap.doubt
            own.sr.merge(tap.sr)
            own.hr.merge(tap.hr)
            own.volumes |= tap.volumes
        whole.volumes |= part.volumes
    return whole
