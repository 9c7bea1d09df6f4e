"""The folder of a run, with voxels in it: locked while the run is on, and swept at the next start after a crash."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

PREFIX = "SuperResolution3D-"
LOCK_NAME = "SuperResolution3D.lock"
CONTENT = b"The voxels of a run of SuperResolution3D; locked while it is on.\n"

if os.name == "nt":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class RunFolder:
    """A new folder whose lock the system takes away when this process ends, however it ends."""

    def __init__(self, parent: Path) -> None:
        """Make it.

        Raises:
            OSError: the parent cannot be written to.
        """
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._file = (self.path / LOCK_NAME).open("xb")
        try:
            _lock(self._file)
        except OSError:
            # A file system without locks: the file stays empty, and nobody takes the folder for a stale one.
            return
        self._file.write(CONTENT)
        self._file.flush()

    def remove(self) -> None:
        """Remove it; what a worker still holds keeps the lock's file beside it, and is removed at a later start."""
        _empty(self.path)
        self._file.close()
        _remove_if_empty(self.path)


def sweep(parent: Path) -> list[Path]:
    """Remove the folders of runs whose Slicer has ended without doing so, and return them.

    Left alone: folders without the lock's file, which are not ours; those of a Slicer that runs; those of other users.
    """
    stale = [folder for folder in sorted(parent.glob(f"{PREFIX}*")) if _is_stale(folder)]
    for folder in stale:
        _empty(folder)
        _remove_if_empty(folder)
    return stale


def _is_stale(folder: Path) -> bool:
    """Tell whether a folder is of a run, and nobody's any more."""
    lock_file = folder / LOCK_NAME
    try:
        if folder.is_symlink() or lock_file.is_symlink():
            return False
        with lock_file.open("r+b") as file:
            _lock(file)
            file.seek(0)
            return file.read() == CONTENT  # empty: made a moment ago and about to be locked
    except OSError:  # not ours, locked, or not to be opened
        return False


def _empty(folder: Path) -> None:
    """Remove what a run left, the lock's file last: without it nobody would know whose the rest is."""
    for path in _contents(folder):
        if path.name == LOCK_NAME:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            _unlink(path)


def _remove_if_empty(folder: Path) -> None:
    if [path.name for path in _contents(folder)] == [LOCK_NAME]:
        _unlink(folder / LOCK_NAME)
        shutil.rmtree(folder, ignore_errors=True)


def _contents(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing where somebody who cleaned the temporary folder has taken it away."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # a killed worker may still hold it
        return
