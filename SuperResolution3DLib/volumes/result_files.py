"""Result files that appear under their final names together, at the end, or not at all."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from SuperResolution3DLib.errors import OutputError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes import mgz
from SuperResolution3DLib.volumes.output_place import check_place, is_stream, place_of, publish, temporary_name
from SuperResolution3DLib.volumes.volume import Volume, check_writable, write_volume, written_extension


class ResultFiles:
    """Writes files under temporary names beside their final ones and publishes them once all are complete.

    Symbolic links are followed, devices and pipes are written into, and what came to stand at a name meanwhile is
    replaced only where overwriting is allowed. Used in a ``with`` block, at whose end nothing temporary is left.
    Without ``place`` nothing else is left either.
    """

    def __init__(
        self,
        volumes: Iterable[Path | None],
        others: Iterable[Path | None] = (),
        inputs: Iterable[Path | None] = (),
        *,
        overwrite: bool = False,
    ) -> None:
        """Check what can be known before anything is computed; None stands for a file that is not asked for.

        Raises:
            OutputError: folder missing or not writable, file exists, unknown extension, two results of one name, a
                result in the place of an input.
        """
        self._volumes = [path for path in volumes if path is not None]
        self._others = [path for path in others if path is not None]
        self._overwrite = overwrite
        self._staged: dict[Path, Path] = {}
        self._kept: dict[Path, Path] = {}
        for path in self._volumes:
            check_writable(path, 0, overwrite=overwrite)
        for path in self._others:
            check_place(path, overwrite=overwrite)
        taken = [(path, "an input") for path in inputs if path is not None]
        for path in (*self._volumes, *self._others):
            for other, what in taken:
                if _are_one(path, other):
                    raise OutputError(f"{path} is also {what}; choose another name for the result")
            taken.append((path, "another result"))

    def __enter__(self) -> "ResultFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for path in (*self._staged.values(), *self._kept.values()):
            with suppress(OSError):  # it hinders nobody, and the way the run ended is what counts
                path.unlink(missing_ok=True)

    def try_volumes(self, like: Volume, num_bytes: int) -> None:
        """Make sure that volumes like this can be written and that the disk has room for all of them.

        Args:
            like: has the data type, the offset on which its contrast stands, and the affine.
            num_bytes: of one volume's voxels.

        Raises:
            OutputError: the format cannot hold such voxels, the folder refuses, or the disk is too small.
        """
        sample = like.with_array(np.zeros((2, 2, 2), like.array.dtype))
        for path in self._volumes:
            device = place_of(path).parent.stat().st_dev
            on_one_disk = sum(place_of(other).parent.stat().st_dev == device for other in self._volumes)
            check_writable(path, num_bytes * on_one_disk, overwrite=True)
            if written_extension(path) in mgz.EXTENSIONS:
                mgz.check_voxels(like.array)
            self.write_volume(path, sample)
            self._staged.pop(path).unlink()

    def write_volume(self, path: Path, volume: Volume) -> None:
        """Write a volume under its temporary name.

        Raises:
            OutputError: it cannot be written.
        """
        self.write_with(path, lambda staged: write_volume(volume, staged, overwrite=True))

    def write_with(self, path: Path, write: Callable[[Path], None]) -> None:
        """Let a function write a file under its temporary name; its errors name the final one.

        Raises:
            OutputError: it cannot be written.
        """
        staged = self.stage(path)
        try:
            write(staged)
        except OutputError as error:
            raise OutputError(_renamed(error.sentence, staged, path)) from error

    def write_text(self, path: Path, text: str) -> None:
        """Write a text under its temporary name.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.stage(path).write_text(text, "utf-8")
        except OSError as error:
            raise _refused(path, error) from error

    def stage(self, path: Path) -> Path:
        """Return the temporary name, in the same folder and with the same extension, for others to write to."""
        if path not in self._staged:
            extension = written_extension(path) if path in self._volumes else path.suffix
            self._staged[path] = temporary_name(path, extension)
        return self._staged[path]

    def place(self) -> None:
        """Give all files their final names.

        Raises:
            OutputError: a name is refused, or taken since the run began; no result stands under its final name then,
                and what was replaced is back where links are possible.
        """
        placed: list[Path] = []
        try:
            for path in sorted(self._staged, key=is_stream):  # what is written into a device cannot be taken back
                self._keep(path)
                publish(self._staged[path], path, overwrite=self._overwrite)
                placed.append(path)
        except BaseException as error:
            for done in placed:
                self._take_back(done)
            if isinstance(error, FileExistsError):
                raise OutputError(Sentence("output-taken", {"path": str(path)})) from error
            if isinstance(error, OSError):
                raise _refused(path, error) from error
            raise

    def _keep(self, path: Path) -> None:
        """Give a file that will be replaced a second name for the time being."""
        if self._overwrite and not is_stream(path):
            kept = temporary_name(path)
            with suppress(OSError, NotImplementedError):  # nothing stands there, or no links are possible
                os.link(place_of(path), kept)
                self._kept[path] = kept

    def _take_back(self, path: Path) -> None:
        if is_stream(path):
            return
        if path in self._kept:
            os.replace(self._kept[path], place_of(path))
        else:
            place_of(path).unlink(missing_ok=True)


def _are_one(path: Path, other: Path) -> bool:
    """Tell whether two names are of one file, which head.nii and Head.nii are on most disks of Windows and macOS."""
    try:
        return path.resolve() == other.resolve() or path.samefile(other)
    except OSError:  # one of them is not there yet
        return False


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(Sentence("output-refused", {"path": str(path), "reason": error.strerror}))


def _renamed(sentence: Sentence, staged: Path, path: Path) -> Sentence:
    """Return a sentence on a temporary name as one on the final name."""

    def final(value: str) -> str:
        return value.replace(str(staged), str(path)).replace(staged.name, path.name)

    values = {name: final(value) if isinstance(value, str) else value for name, value in sentence.values.items()}
    return Sentence(sentence.code, values, final(sentence.message))
