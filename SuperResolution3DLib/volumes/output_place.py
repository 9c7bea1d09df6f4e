"""Where results are put: what stands there, temporary names beside it, and the publishing under the final name."""

import os
import re
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.sentence import Sentence

NAME_BYTES = 100  # of the final name that a temporary one keeps; file systems take 255, encrypting ones 143


def status(path: Path, kind: type[InputError] = InputError) -> os.stat_result | None:
    """Return what stands at a path, links followed; None where nothing does.

    Raises:
        InputError: it may not be looked at, the name is too long or no name, links run in a circle; of the kind given.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        values = {"path": str(path), "reason": error.strerror or str(error)}
        raise kind(Sentence("path-unseen", values)) from error
    except ValueError as error:  # a NUL in the name
        raise kind(Sentence("path-no-name", {"path": repr(str(path)), "reason": str(error)})) from error


def check_utf8(path: Path, kind: type[InputError]) -> None:
    """Refuse a name that the readers and writers beneath, which are written in C++, would end the process for.

    Raises:
        InputError: the name is no UTF-8; of the kind given.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise kind(Sentence("path-not-utf8", {"path": str(path)})) from error


def is_file(path: Path, kind: type[InputError] = InputError) -> bool:
    """Tell whether a regular file stands at a path, links followed; raises what ``status`` raises."""
    found = status(path, kind)
    return found is not None and stat.S_ISREG(found.st_mode)


def check_place(path: Path, *, overwrite: bool = False) -> None:
    """Make sure that a file of any kind can be put where it shall be.

    Symbolic links are followed; into devices and pipes is written, which replaces nothing.

    Raises:
        OutputError: the name of a folder, of a disk or socket, a file of that name, folder missing or not writable.
    """
    found = status(path, OutputError)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise OutputError(Sentence("output-folder", {"path": str(path)}))
    if found is not None and (stat.S_ISBLK(found.st_mode) or stat.S_ISSOCK(found.st_mode)):
        raise OutputError(Sentence("output-device", {"path": str(path)}))
    if is_stream(path):
        if not os.access(path, os.W_OK):
            raise OutputError(Sentence("output-closed", {"path": str(path)}))
        return
    if found is not None and not overwrite:
        raise OutputError(Sentence("output-exists", {"path": str(path)}))
    folder = place_of(path).parent
    parent = status(folder, OutputError)
    if parent is None or not stat.S_ISDIR(parent.st_mode):
        raise OutputError(Sentence("output-no-folder", {"folder": str(folder), "name": path.name}))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(Sentence("output-forbidden", {"folder": str(folder)}))
    try:
        os.lstat(place_of(path))
    except FileNotFoundError:
        pass
    except OSError as error:  # the name is longer than this file system takes
        raise OutputError(Sentence("output-no-file", {"path": str(path), "reason": error.strerror})) from error


def is_stream(path: Path) -> bool:
    """Tell whether a path is a device, a pipe or a stream that this process has open: written into, never replaced."""
    if str(path) in ("/dev/stdout", "/dev/stderr") or re.fullmatch(r"/proc/\d+/fd", os.path.realpath(path.parent)):
        return True
    found = status(path, OutputError)
    return found is not None and (stat.S_ISCHR(found.st_mode) or stat.S_ISFIFO(found.st_mode))


def place_of(path: Path) -> Path:
    """Return where a file of this name comes to stand: a symbolic link stays, and what it points to is written."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def temporary_folder(path: Path) -> Path:
    """Return the folder of what is unfinished: that of the final file, or the system's for devices and pipes."""
    return Path(tempfile.gettempdir()) if is_stream(path) else place_of(path).parent


def temporary_name(path: Path, extension: str = "") -> Path:
    """Return a name of its own for the unfinished file: in the final folder, short, and in ASCII for any reader.

    It is new each time, so that what a killed run left behind stands in nobody's way.
    """
    kept = path.name.encode("ascii", "ignore")[:NAME_BYTES].decode()
    return temporary_folder(path) / f".{kept}.{os.getpid()}-{secrets.token_hex(4)}.tmp{extension}"


def publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give a complete file its final name, or copy it into the device or pipe that stands there.

    Raises:
        FileExistsError: something stands there that may not be replaced; it may have come a moment ago.
        OSError: the name is refused.
    """
    if is_stream(path):
        number = os.open(path, os.O_WRONLY | os.O_APPEND)
        with temporary.open("rb") as source, os.fdopen(number, "wb") as target:
            shutil.copyfileobj(source, target)
    elif overwrite:
        os.replace(temporary, place_of(path))
    else:
        _publish_new(temporary, place_of(path))
    temporary.unlink(missing_ok=True)


def _publish_new(temporary: Path, path: Path) -> None:
    """Link, as only a link is refused where something stands; file systems without links get an empty file first."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(temporary, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
