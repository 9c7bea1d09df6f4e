"""The index of a data set: which volume is whose, what it looks like, and whether it can be used."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from SuperResolution3DLib.errors import InputError, OutputError, readable
from SuperResolution3DLib.volumes.volume import Volume, read_volume
from Training.data.analyze import EXTENSIONS as ANALYZE_EXTENSIONS
from Training.data.analyze import analyze_pair, read_analyze

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

FORMAT_VERSION = 1
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class IndexEntry:
    """One volume of a data set."""

    subject: str
    """Whom it shows; a subject may have several volumes"""
    file: str
    """Path below the index's root"""
    modality: str
    """For example MR T1w; empty when unknown"""
    spacing: tuple[float, float, float]
    """Voxel spacing (D, H, W) in mm of the canonical RAS orientation; zeros when the file cannot be read"""
    shape: tuple[int, int, int]
    """Voxels (D, H, W) of the canonical RAS orientation; zeros when the file cannot be read"""
    split: Split | None = None
    """The part that the data set itself puts it in"""
    problem: str = ""
    """Why the volume cannot be used; empty when it can"""
    orientation: str = ""
    """Where the axes I, J and K run to, for example ASL, for files that do not say it themselves"""
    dtype: str = ""
    """Data type of the voxels in the file"""
    intensity_range: tuple[float, float] = (0.0, 0.0)
    """Smallest and largest voxel"""
    sha256: str = ""
    """Of the file's bytes; of header and image together for an ANALYZE pair, of all files for a DICOM folder"""
    num_bytes: int = 0
    """Size of the file or files"""
    modified_ns: int = 0
    """When the file was changed last; a file of the same size and time is taken to be the same"""


@dataclass(frozen=True)
class Index:
    """The volumes of a data set, in order of their files."""

    dataset: str
    """Name of the data set"""
    root: Path
    """Folder that the entries' files lie below"""
    entries: tuple[IndexEntry, ...]

    def path(self, entry: IndexEntry) -> Path:
        """Return where an entry's file lies."""
        return self.root / entry.file


def read_entry(root: Path, entry: IndexEntry) -> Volume:
    """Read the volume of an entry, as its file stores it.

    Raises:
        VolumeError, GeometryError: the file cannot be used.
    """
    path = root / entry.file
    if path.suffix.lower() in ANALYZE_EXTENSIONS:
        return read_analyze(path, entry.orientation)
    return read_volume(path)


def check_unchanged(index: Index, entries: Iterable[IndexEntry]) -> None:
    """Make sure that the files are still those that the index describes.

    Raises:
        InputError: files are missing or have other content, all of them listed by subject.
    """
    problems = [(entry, _change(index.root, entry)) for entry in entries]
    refuse_problems(
        [(entry, problem) for entry, problem in problems if problem],
        "changed since the index was made; run Training/prepare.py again",
    )


def refuse_problems(problems: list[tuple[IndexEntry, str]], what: str) -> None:
    """Refuse volumes, all of them at once, by subject.

    Raises:
        InputError: there is at least one problem.
    """
    if problems:
        lines = [
            f"  {readable(f'{entry.subject}: {entry.file}: {problem}')}"
            for entry, problem in sorted(problems, key=_by_subject)
        ]
        volumes = "volume" if len(problems) == 1 else "volumes"
        raise InputError("\n".join([f"{len(problems)} {volumes} {what}:", *lines]))


def fingerprint(path: Path) -> tuple[int, int]:
    """Return size in bytes and time of the last change (ns) of a volume's file or files.

    Raises:
        OSError: a file is not there, or a folder has none.
    """
    states = [file.stat() for file in _files(path)]
    if not states:
        raise FileNotFoundError(errno.ENOENT, "the folder has no files", str(path))
    return sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)


def content_sha256(path: Path) -> str:
    """Return the sha256 of a volume's file or files.

    Raises:
        OSError: a file is not there or may not be read.
    """
    digest = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def read_index(path: Path) -> Index:
    """Read an index file; a relative root starts at the folder of the file.

    Raises:
        InputError: no such file, or no index of this version.
    """
    content = read_json(path, "index")
    try:
        entries = tuple(_entry(values) for values in content["entries"])
        return Index(content["dataset"], path.parent / content["root"], entries)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no index of Training/prepare.py ({error}); make it anew") from error


def write_index(path: Path, index: Index) -> None:
    """Write an index file; a root in or below the file's folder is written relative to it, so both can be moved.

    Raises:
        OutputError: the file cannot be written.
    """
    root, folder = index.root.resolve(), path.parent.resolve()
    content = {
        "dataset": index.dataset,
        "root": root.relative_to(folder).as_posix() if root.is_relative_to(folder) else str(root),
        "entries": [asdict(entry) for entry in index.entries],
    }
    write_json(path, "index", content)


def read_json(path: Path, kind: str) -> dict[str, Any]:
    """Read a JSON file of ours.

    Raises:
        InputError: no such file, no JSON, another kind or version.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make it with Training/prepare.py") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON file ({error}); make it with Training/prepare.py") from error
    found = (content.get("kind"), content.get("version")) if isinstance(content, dict) else (None, None)
    if found != (kind, FORMAT_VERSION):
        raise InputError(
            f"{path} is no {kind} of version {FORMAT_VERSION} (it says {found[0]}, {found[1]}); "
            "make it with Training/prepare.py"
        )
    return dict(content)


def write_json(path: Path, kind: str, content: dict[str, Any]) -> None:
    """Write a JSON file of ours under a temporary name and rename it.

    Raises:
        OutputError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps({"kind": kind, "version": FORMAT_VERSION, **content}, indent=1) + "\n", "utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def _entry(values: dict[str, Any]) -> IndexEntry:
    for name in ("spacing", "shape", "intensity_range"):
        values[name] = tuple(values[name])
    if values["split"] is not None and values["split"] not in SPLITS:
        raise ValueError(f"split {values['split']!r}")
    return IndexEntry(**values)


def _change(root: Path, entry: IndexEntry) -> str:
    path = root / entry.file
    try:
        num_bytes, modified_ns = fingerprint(path)
        if (num_bytes, modified_ns) == (entry.num_bytes, entry.modified_ns):
            return ""
        if num_bytes != entry.num_bytes:
            return f"has {num_bytes} bytes instead of {entry.num_bytes}"
        return "" if content_sha256(path) == entry.sha256 else "has other content (sha256)"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    return list(analyze_pair(path)) if path.suffix.lower() in ANALYZE_EXTENSIONS else [path]


def _by_subject(problem: tuple[IndexEntry, str]) -> tuple[str, str]:
    return problem[0].subject, problem[0].file
