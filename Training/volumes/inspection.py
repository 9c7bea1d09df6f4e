"""Opens the files of a data set once and writes down what is in them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.volume import Volume
from Training.datasets.data_set import Candidate
from Training.volumes.index import IndexEntry, content_sha256, fingerprint, read_entry

Check = Callable[[Volume], str]


def inspect_all(root: Path, candidates: list[Candidate], check: Check, num_workers: int) -> Iterator[IndexEntry]:
    """Inspect files in their order, several at a time in processes of their own when there are workers."""
    job = partial(inspect, root, check=check)
    if num_workers < 2:
        yield from map(job, candidates)
        return
    with ProcessPoolExecutor(num_workers) as pool:
        yield from pool.map(job, candidates)


def inspect(root: Path, candidate: Candidate, check: Check) -> IndexEntry:
    """Read a file to its end and describe it; what is wrong with it goes into the entry.

    Args:
        root: folder that the candidate's file lies below.
        candidate: the file.
        check: says what is wrong with a volume of this data set, or nothing.
    """
    entry = IndexEntry(
        candidate.subject,
        candidate.file,
        candidate.modality,
        (0.0, 0.0, 0.0),
        (0, 0, 0),
        candidate.split,
        orientation=candidate.orientation,
    )
    path = root / candidate.file
    if not path.exists():
        return replace(entry, problem="is missing")
    try:
        num_bytes, modified_ns = fingerprint(path)
        entry = replace(entry, sha256=content_sha256(path), num_bytes=num_bytes, modified_ns=modified_ns)
        volume = read_entry(root, entry).canonical()
    except OSError as error:
        return replace(entry, problem=f"cannot be read ({error.strerror or error})")
    except InputError as error:
        return replace(entry, problem=str(error).replace(f"{root}/", ""))
    low, high = float(volume.array.min()), float(volume.array.max())
    return replace(
        entry,
        spacing=volume.spacing,
        shape=volume.shape,
        dtype=volume.array.dtype.name,
        intensity_range=(low, high),
        problem="is constant" if low == high else check(volume),
    )
