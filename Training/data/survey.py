"""Opens the files of a data set once and writes down what is in them."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.volumes.volume import Volume
from Training.data.index import IndexEntry, content_sha256, fingerprint, read_entry
from Training.data.worker_pool import ignore_interrupts
from Training.datasets.data_set import Candidate

Check = Callable[[Volume], str]


def inspect_all(root: Path, candidates: list[Candidate], check: Check, num_workers: int) -> Iterator[IndexEntry]:
    """Inspect files in their order, several at a time in processes of their own when there are workers.

    Then a file that ends its reader's process is a problem of that file alone.

    Args:
        root: folder that the candidates' files lie below.
        candidates: the files.
        check: says what is wrong with a volume of this data set, or nothing.
        num_workers: files that are read at a time; one is read by this process.
    """
    if num_workers < 2:
        yield from (inspect(root, candidate, check) for candidate in candidates)
        return
    left, now = list(candidates), num_workers
    while left:
        pool = ProcessPoolExecutor(now, multiprocessing.get_context("spawn"), ignore_interrupts)
        results = [pool.submit(inspect, root, candidate, check) for candidate in left]
        try:
            for result in results:
                yield result.result()
                del left[0]
        except BrokenProcessPool:
            if now == 1:  # it was this file
                yield _entry(left.pop(0), "ended the process that read it: damaged, or too large for the memory")
                now = num_workers
            else:  # which one, reading one at a time tells
                now = 1
        finally:
            pool.shutdown(cancel_futures=True)


def inspect(root: Path, candidate: Candidate, check: Check) -> IndexEntry:
    """Read a file to its end and describe it; what is wrong with it goes into the entry.

    Args:
        root: folder that the candidate's file lies below.
        candidate: the file.
        check: says what is wrong with a volume of this data set, or nothing.
    """
    entry = _entry(candidate)
    path = root / candidate.file
    if not _is_utf8(str(path)):  # readers in C++ end the process
        return replace(entry, problem="has a name that is not UTF-8, or lies in such a folder; rename it")
    try:
        if not path.exists():
            return replace(entry, problem="is missing")
        num_bytes, modified_ns = fingerprint(path)
        entry = replace(entry, sha256=content_sha256(path), num_bytes=num_bytes, modified_ns=modified_ns)
        return _described(entry, read_entry(root, entry).canonical(), check)
    except OSError as error:
        return replace(entry, problem=f"cannot be read ({error.strerror or error})")
    except SuperResolutionError as error:
        return replace(entry, problem=str(error).replace(f"{root}/", ""))
    except MemoryError:
        return replace(entry, problem=f"does not fit into memory ({entry.num_bytes} bytes)")
    except Exception as error:  # of a reader that a damaged header has led astray: the other files are none the worse
        return replace(entry, problem=f"cannot be read ({type(error).__name__}: {error})")


def _described(entry: IndexEntry, volume: Volume, check: Check) -> IndexEntry:
    low, high = float(volume.array.min()), float(volume.array.max())
    return replace(
        entry,
        spacing=volume.spacing,
        shape=volume.shape,
        dtype=volume.array.dtype.name,
        intensity_range=(low, high),
        problem="is constant" if low == high else check(volume),
    )


def _entry(candidate: Candidate, problem: str = "") -> IndexEntry:
    return IndexEntry(
        candidate.subject,
        candidate.file,
        candidate.modality,
        (0.0, 0.0, 0.0),
        (0, 0, 0),
        candidate.split,
        problem,
        candidate.orientation,
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
