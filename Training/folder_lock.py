"""One process at a time in a folder, also among those of other nodes on a shared file system.

The lock is the operating system's: it ends with the process that holds it, however that ends, and leaves nothing that
could block the next one. The file stays, and says who held it last.
"""

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from SuperResolution3DLib.errors import InputError, OutputError

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"
CONTENTION = (errno.EACCES, errno.EAGAIN)
_held: set[int] = set()  # file descriptors of this process

if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 30  # the byte that is locked: nobody can read it, and who holds the folder shall be read

    def _lock(descriptor: int, *, wait: bool) -> None:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return
            except OSError as error:
                if not wait or error.errno not in (*CONTENTION, errno.EDEADLOCK):
                    raise

else:
    import fcntl

    def _lock(descriptor: int, *, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def _let_go() -> None:
        """Leave the folders to the parent: a loader that outlives a killed training for a moment does not hold them."""
        for descriptor in _held:
            os.close(descriptor)
        _held.clear()

    os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[tuple[int, ...]]:
    """Hold a folder, which is made if need be.

    Args:
        folder: that nobody else shall work in.
        wait: for another process that holds it; else that is an error.

    Yields:
        File descriptors: a child that inherits them holds the folder too, until it ends.

    Raises:
        InputError: another process holds the folder, and nobody waits for it.
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another --out") from error
    _held.add(descriptor)
    try:
        yield (descriptor,) if _is_locked(descriptor, folder, wait=wait) else ()
    finally:
        _held.discard(descriptor)
        os.close(descriptor)  # which unlocks it when no child holds it


def _is_locked(descriptor: int, folder: Path, *, wait: bool) -> bool:
    """Return whether the folder is held: there may be no locks here."""
    try:
        try:
            _lock(descriptor, wait=False)
        except OSError as error:
            if error.errno not in CONTENTION:
                raise
            if not wait:
                raise InputError(
                    f"{folder}: {_holder(descriptor)} works in this folder: wait for its end, stop it, or choose "
                    "another --out"
                ) from error
            log.info("%s: waiting for %s, which works there", folder, _holder(descriptor))
            _lock(descriptor, wait=True)
    except OSError as error:
        log.warning("%s: no locks on this file system (%s); start nothing twice at a time", folder, error.strerror)
        return False
    _sign(descriptor)
    return True


def _holder(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 200).decode(errors="replace").strip() or "another process"


def _sign(descriptor: int) -> None:
    """Write down who holds the folder; where the disk is full nobody does."""
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError as error:
        log.debug("%s", error)
