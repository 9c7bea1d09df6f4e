"""One process at a time in a folder, also among those of other nodes on a shared file system."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from SuperResolution3DLib.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[tuple[int, ...]]:
    """Hold a folder; wait for another process that holds it.

    Yields:
        File descriptors: a child that inherits them holds the folder too, until it ends.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another --out") from error
    try:
        yield (descriptor,) if _wait(descriptor, folder) else ()
    finally:
        os.close(descriptor)  # which unlocks it when no child holds it


def _wait(descriptor: int, folder: Path) -> bool:
    """Return whether the folder is held: there may be no locks here."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("%s: waiting for the process that works there", folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        log.warning("%s: no locks on this file system (%s); start no part twice at a time", folder, error.strerror)
        return False
    return True
