"""Result files that appear under their final names together, at the end, or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import numpy as np

from SuperResolution3DLib.errors import OutputError
from SuperResolution3DLib.volume import Volume, check_place, check_writable, write_volume


class ResultFiles:
    """Writes files under temporary names beside their final ones and renames them once all are complete.

    Used in a ``with`` block, at whose end nothing temporary is left. Without ``place`` nothing else is left either.
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
        self._staged: dict[Path, Path] = {}
        for path in self._volumes:
            check_writable(path, 0, overwrite=overwrite)
        for path in self._others:
            check_place(path, overwrite=overwrite)
        taken = {path.resolve(): "an input" for path in inputs if path is not None}
        for path in (*self._volumes, *self._others):
            if path.resolve() in taken:
                raise OutputError(f"{path} is also {taken[path.resolve()]}; choose another name for the result")
            taken[path.resolve()] = "another result"

    def __enter__(self) -> "ResultFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for path in (*self._volumes, *self._others):
            _staging_name(path).unlink(missing_ok=True)

    def try_volumes(self, like: Volume, num_bytes: int) -> None:
        """Make sure that volumes of this data type can be written and that the disk has room for all of them.

        Args:
            like: has the data type and the affine.
            num_bytes: of one volume's voxels.

        Raises:
            OutputError: the format cannot hold the data type, the folder refuses, or the disk is too small.
        """
        sample = like.with_array(np.zeros((2, 2, 2), like.array.dtype))
        for path in self._volumes:
            device = path.parent.stat().st_dev
            on_one_disk = sum(other.parent.stat().st_dev == device for other in self._volumes)
            check_writable(path, num_bytes * on_one_disk, overwrite=True)
            self.write_volume(path, sample)
            self._staged.pop(path).unlink()

    def write_volume(self, path: Path, volume: Volume) -> None:
        """Write a volume under its temporary name.

        Raises:
            OutputError: it cannot be written.
        """
        staged = self.stage(path)
        try:
            write_volume(volume, staged, overwrite=True)
        except OutputError as error:
            raise OutputError(str(error).replace(str(staged), str(path))) from error

    def write_text(self, path: Path, text: str) -> None:
        """Write a text under its temporary name.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.stage(path).write_text(text, "utf-8")
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}); write to another folder") from error

    def stage(self, path: Path) -> Path:
        """Return the temporary name, in the same folder and with the same extension, for others to write to."""
        return self._staged.setdefault(path, _staging_name(path))

    def place(self) -> None:
        """Give all files their final names.

        Raises:
            OutputError: a name is refused; no result stands under its final name then.
        """
        placed: list[Path] = []
        try:
            for path, staged in self._staged.items():
                os.replace(staged, path)
                placed.append(path)
        except BaseException as error:
            for path in placed:
                path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise OutputError(f"{path} cannot be written ({error.strerror}); write to another folder") from error
            raise


def _staging_name(path: Path) -> Path:
    return path.with_name(f".{os.getpid()}.part.{path.name}")
