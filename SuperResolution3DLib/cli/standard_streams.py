"""Stdout and stderr that never end the work: closed, full, a broken pipe, or of an encoding without the letters."""

import io
import os
import sys
from types import TracebackType
from typing import Any, TextIO


class _TellIfPossible(io.FileIO):
    """A file that takes everything; what cannot be written is lost."""

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        try:
            return super().write(data) or size  # None: a pipe that would have to be waited for
        except OSError:
            return size


def never_fail() -> None:
    """Make the process's streams such that no message can end it.

    Descriptors that are closed are opened to nowhere, as the next file that is opened, a result perhaps, would get
    their numbers and with them what libraries print. Streams that somebody else put in the place of the process's own
    are left alone. Where Ctrl-C ends the process, a line says so in the place of a traceback.
    """
    sys.excepthook = _tell
    for number in range(3):
        _open_if_closed(number)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _tolerant(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _tolerant(sys.stderr, 2)


def tolerant_stream(number: int, *, closes: bool, encoding: str = "utf-8") -> TextIO:
    """Return a text stream to a descriptor, written line by line, that loses what cannot be told.

    Args:
        number: of the descriptor.
        closes: whether closing the stream closes the descriptor.
        encoding: of the text; letters that it lacks are written as escapes.
    """
    file = io.BufferedWriter(_TellIfPossible(number, "wb", closefd=closes))
    return io.TextIOWrapper(file, encoding, "backslashreplace", line_buffering=True)


def _tell(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, at)


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)


def _tolerant(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:  # it was closed when Python started
        return tolerant_stream(number, closes=False)
    if sys.platform == "win32" and stream.isatty():  # a console writes in its own way; it is neither full nor broken
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        return stream
    return tolerant_stream(number, closes=False, encoding=stream.encoding)
