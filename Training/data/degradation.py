"""Volumes made ready for training: prepared, and degraded whole (paper 4.3), in memory or in a cache on disk."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.forward.kspace import crop_to_multiple, degrade
from SuperResolution3DLib.metrics.foreground import otsu_threshold
from SuperResolution3DLib.volumes.box import whole
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.appearance import Appearance, AppearanceConfig, draw_appearance
from Training.data.cache import ArrayCache, Arrays, cache_key
from Training.data.index import Index, IndexEntry, check_unchanged, read_entry, refuse_problems
from Training.data.mapped_array import MappedArray
from Training.data.preparation import PreparationConfig as PreparationConfig
from Training.data.preparation import PreparedVolume, prepare_hr
from Training.data.training_volume import DegradedVolume, Start, TrainingVolume, axis_orders
from Training.data.worker_pool import pool_size, run_all

BYTES_PER_VOXEL = 40  # of an HR volume while it is prepared and degraded: float64, twice, and what surrounds it
WORTH_A_POOL = 400_000_000  # HR voxels to degrade: less is done before each process has imported the tensor library


def prepare_volumes(
    index: Index,
    entries: Sequence[IndexEntry],
    preparation: PreparationConfig,
    *,
    scale: Scale,
    grid: Grid,
    intensity: IntensityPolicy,
    intensity_from: str = "lr",
    num_shifts: int,
    seed: int,
    cache: Path | None = None,
    smallest_lr: int = 1,
    num_workers: int = 0,
    appearance: AppearanceConfig | None = None,
) -> list[TrainingVolume]:
    """Read the volumes of an index and degrade each whole, once for each of ``num_shifts`` positions of the LR grid.

    Args:
        index: the data set.
        entries: the volumes wanted.
        preparation: what is done before degrading.
        scale: factor per axis (D, H, W); for (1, 1, 1) no volume is degraded, thick slices are made patch by patch.
        grid: where LR voxels lie among HR voxels.
        intensity: what of the LR volume becomes 0 and 1 in network units.
        intensity_from: "hr" takes it of the HR volume instead.
        num_shifts: the first position is the one that ``crop_to_multiple`` gives, the others are drawn.
        seed: of the positions, which follow from it and the file's content: other volumes and folds change nothing.
        cache: folder where the arrays are kept and mapped from; None holds them in memory.
        smallest_lr: voxels that each axis of each LR volume must have.
        num_workers: processes; 0 for as many as are worth it, and as there are processors and memory for.
        appearance: how the HR volume is changed before each degraded copy but the first; None: not at all.

    Raises:
        InputError: files are missing, changed or unusable, or volumes are too small; all of them are listed by subject.
        OutputError: the cache cannot be written or read, or the disk is too small for it.
        ResourceError: a process was killed.
        ValueError: more positions than the scale has.
    """
    check_unchanged(index, entries)
    jobs = [
        _Job(
            index.root,
            entry,
            preparation,
            scale,
            grid,
            intensity,
            shifts,
            intensity_from,
            appearance or AppearanceConfig(),
            seed,
        )
        for entry in entries
        for shifts in [draw_shifts(scale, num_shifts, content_generator(entry, seed))]
    ]
    if preparation.keeps_shape:  # told before anything is computed
        _refuse_small(jobs, [preparation.padded(job.entry.shape) for job in jobs], smallest_lr)
    store = None if cache is None else ArrayCache(cache)
    if store is not None:
        store.check_space(sum(job.bytes_missing(store) for job in jobs))
    volumes: list[TrainingVolume] = []
    problems: list[tuple[IndexEntry, str]] = []
    results = run_all(partial(_volume_or_problem, store), jobs, _num_workers(num_workers, jobs, store))
    for job, result in zip(
        jobs, tqdm(results, total=len(jobs), desc="degrading volumes", unit="volume", disable=None), strict=True
    ):
        if isinstance(result, TrainingVolume):
            volumes.append(result)
        else:
            problems.append((job.entry, result))
    refuse_problems(problems, "cannot be used")
    _refuse_small(jobs, [volume.hr.shape for volume in volumes], smallest_lr)
    return volumes


def prepare_volume(
    path: Path, scale: Scale, grid: Grid, intensity: IntensityPolicy, num_shifts: int, generator: np.random.Generator
) -> TrainingVolume:
    """Read one volume and degrade it, without index, preparation and cache (see ``prepare_volumes``).

    Raises:
        VolumeError, GeometryError: the file cannot be used.
    """
    entry = IndexEntry(path.name, path.name, "", (0, 0, 0), (0, 0, 0))
    shifts = draw_shifts(scale, num_shifts, generator)
    return _Job(path.parent, entry, PreparationConfig(), scale, grid, intensity, shifts).volume(None)


def content_generator(entry: IndexEntry, *seeds: int) -> np.random.Generator:
    """Return a generator that depends on seeds and the content of a volume's file alone."""
    digest = hashlib.sha256(" ".join([*map(str, seeds), entry.sha256]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest))


def draw_shifts(scale: Scale, num_shifts: int, generator: np.random.Generator) -> tuple[Start, ...]:
    """Draw all positions of the LR grid but the first: HR voxels (D, H, W) to drop.

    Raises:
        ValueError: more positions than the scale has.
    """
    shifts = list(product(*(range(factor) for factor in scale)))
    if not 1 <= num_shifts <= len(shifts):
        raise ValueError(f"The scale {scale} has {len(shifts)} positions of the LR grid, {num_shifts} were asked for")
    chosen = generator.permutation(len(shifts) - 1)[: num_shifts - 1] + 1
    return tuple((shifts[i][0], shifts[i][1], shifts[i][2]) for i in chosen)


@dataclass(frozen=True)
class _Job:
    """One volume and all that its arrays depend on."""

    root: Path
    entry: IndexEntry
    preparation: PreparationConfig
    scale: Scale
    grid: Grid
    intensity: IntensityPolicy
    shifts: tuple[Start, ...]
    intensity_from: str = "lr"
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)
    seed: int = 0

    def volume(self, cache: ArrayCache | None) -> TrainingVolume:
        prepared = self._prepared(cache)
        starts = self._starts(prepared.hr.shape)
        degraded = tuple(self._degraded(prepared.hr, start, number, cache) for number, start in enumerate(starts))
        orders = axis_orders(prepared.spacing, self.scale)
        entry = self.entry
        return TrainingVolume(
            entry.file, prepared.hr, prepared.measured, prepared.spacing, degraded, orders, entry.subject
        )

    def smallest_axis(self, hr_shape: tuple[int, ...]) -> int:
        """Return the voxels of the shortest axis of all LR volumes."""
        starts = self._starts(hr_shape)
        lr_sizes = (
            (n - first) // s for start in starts for n, first, s in zip(hr_shape, start, self.scale, strict=True)
        )
        return min(*hr_shape, *lr_sizes)

    def bytes_missing(self, cache: ArrayCache) -> int:
        """Estimate what the cache will grow by: an upper bound but for resampling to a finer spacing than told."""
        voxels = self.voxels
        hr_bytes = np.dtype(self.entry.dtype).itemsize if self.preparation.spacing is None else 4
        lr_voxels = voxels // math.prod(self.scale)
        missing = sum(key not in cache for key in self._shifted_keys()) + 1
        return (0 if self._hr_key() in cache else voxels * (hr_bytes + 1)) + missing * lr_voxels * (4 + 3)

    def is_in(self, cache: ArrayCache) -> bool:
        """Whether a cache has all but perhaps the first degraded copy, whose position the prepared shape tells."""
        return self._hr_key() in cache and all(key in cache for key in self._shifted_keys())

    @property
    def voxels(self) -> int:
        """Estimate the HR voxels after preparation."""
        voxels = math.prod(self.preparation.padded(self.entry.shape))
        if self.preparation.spacing is None:
            return voxels
        return int(voxels * math.prod(self.entry.spacing) / math.prod(self.preparation.spacing))

    def _starts(self, hr_shape: tuple[int, ...]) -> tuple[Start, ...]:
        if math.prod(self.scale) == 1:
            return ()
        base = crop_to_multiple(hr_shape, self.scale)
        return ((base[0].start, base[1].start, base[2].start), *self.shifts)

    def _hr_key(self) -> str:
        entry = self.entry
        return cache_key(content=entry.sha256, orientation=entry.orientation, preparation=asdict(self.preparation))

    def _shifted_keys(self) -> list[str]:
        return [self._degraded_key(start, number) for number, start in enumerate(self.shifts, start=1)]

    def _degraded_key(self, start: Start, number: int) -> str:
        intensity = asdict(self.intensity)
        if self.intensity_from == "hr":
            intensity["from"] = "hr"
        if number and self.appearance.changes_hr:
            intensity["appearance"] = {**self.appearance.of_hr, "seed": self.seed, "number": number}
        return cache_key(hr=self._hr_key(), scale=self.scale, grid=self.grid, intensity=intensity, start=start)

    def _prepared(self, cache: ArrayCache | None) -> PreparedVolume:
        if cache is not None and (kept := cache.load(self._hr_key())) is not None:
            depth, height, width = kept.facts["spacing"]
            return PreparedVolume(kept.arrays["hr"], kept.arrays["measured"], (depth, height, width))
        prepared = prepare_hr(read_entry(self.root, self.entry), self.preparation)
        if cache is None:
            return prepared
        arrays = {"hr": prepared.hr, "measured": prepared.measured}
        kept = cache.store(self._hr_key(), Arrays(arrays, {"spacing": prepared.spacing}))
        return replace(prepared, hr=kept.arrays["hr"], measured=kept.arrays["measured"])

    def _appearance(self, hr: np.ndarray | MappedArray, number: int) -> Appearance | None:
        """Return how the HR is changed before a copy is made of it; the first copy shows it as it is."""
        if not number or not self.appearance.changes_hr:
            return None
        return draw_appearance(hr, self.appearance, content_generator(self.entry, self.seed, number))

    def _degraded(
        self, hr: np.ndarray | MappedArray, start: Start, number: int, cache: ArrayCache | None
    ) -> DegradedVolume:
        appearance, key = self._appearance(hr, number), self._degraded_key(start, number)
        kept = None if cache is None else cache.load(key)
        if kept is None:
            changed = hr if appearance is None else appearance.apply(hr[:], whole(hr.shape), hr.shape)
            made = replace(_degrade_from(changed, start, self), appearance=appearance)
            if cache is None:
                return made
            facts = {"offset": made.offset, "width": made.width}
            arrays = Arrays({"lr": made.lr, "foreground": made.foreground}, facts)
            kept = cache.store(key, arrays)
        lr, foreground = kept.arrays["lr"], kept.arrays["foreground"]
        return DegradedVolume(lr, start, kept.facts["offset"], kept.facts["width"], foreground, appearance)


def _volume_or_problem(cache: ArrayCache | None, job: _Job) -> TrainingVolume | str:
    """Return a volume, or what is wrong with its file."""
    try:
        return job.volume(cache)
    except OutputError:
        raise
    except InputError as error:
        return str(error)
    except MemoryError:
        return f"does not fit into memory, {job.entry.shape} voxels (head-foot, front-back, left-right)"


def _num_workers(wanted: int, jobs: list[_Job], cache: ArrayCache | None) -> int:
    missing = [job for job in jobs if cache is None or not job.is_in(cache)]
    if not wanted and sum(job.voxels * (1 + len(job.shifts)) for job in missing) < WORTH_A_POOL:
        return 1
    return pool_size(wanted, len(missing), BYTES_PER_VOXEL * max((job.voxels for job in missing), default=0))


def _degrade_from(hr: np.ndarray | MappedArray, start: Start, job: _Job) -> DegradedVolume:
    box = tuple(
        slice(first, first + (size - first) // factor * factor)
        for first, size, factor in zip(start, hr.shape, job.scale, strict=True)
    )
    lr = degrade(hr[box].astype(np.float64), job.scale, job.grid)
    to_network = job.intensity.fit(hr[box] if job.intensity_from == "hr" else lr)
    foreground = np.argwhere(lr > otsu_threshold(lr)).astype(np.int16)
    return DegradedVolume(to_network.to_network(lr), start, to_network.offset, to_network.width, foreground)


def _refuse_small(jobs: list[_Job], hr_shapes: Sequence[tuple[int, ...]], smallest_lr: int) -> None:
    sizes = [job.smallest_axis(shape) for job, shape in zip(jobs, hr_shapes, strict=True)]
    small = [
        (job.entry, f"has an axis of {size} LR voxels at scale {job.scale} (head-foot, front-back, left-right)")
        for job, size in zip(jobs, sizes, strict=True)
        if size < smallest_lr
    ]
    refuse_problems(small, f"cannot be used, {smallest_lr} LR voxels an axis are needed; use a smaller data.patch_size")
