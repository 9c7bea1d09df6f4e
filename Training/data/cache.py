"""Arrays kept on disk between runs, and mapped when they are used: prepared HR volumes and their degraded copies."""

import hashlib
import json
import logging
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import OutputError
from SuperResolution3DLib.volumes.volume import GIB
from Training.data.mapped_array import MappedArray, describe, write

log = logging.getLogger(__name__)

FORMAT_VERSION = 1  # raise it whenever the same settings would make other arrays
FACTS_FILE = "facts.json"


@dataclass(frozen=True)
class Arrays:
    """A few arrays that belong together, with what has to be known about them."""

    arrays: dict[str, np.ndarray | MappedArray]
    facts: dict[str, Any] = field(default_factory=dict)
    """Numbers and lists, as JSON has them"""


def cache_key(**settings: Any) -> str:
    """Return the name under which the arrays of some settings are kept: another setting has another name."""
    text = json.dumps({"version": FORMAT_VERSION, **settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class ArrayCache:
    """A folder with one folder for each key, complete from the moment it is there; several processes may use it."""

    def __init__(self, folder: Path) -> None:
        """Open the cache; its folder is made if need be.

        Raises:
            OutputError: the folder cannot be made or written to.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"The cache {folder} cannot be made ({error.strerror}); choose another folder") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"The cache {folder} may not be written to; choose another folder")

    def __contains__(self, key: str) -> bool:
        return (self.folder / key / FACTS_FILE).exists()

    def load(self, key: str) -> Arrays | None:
        """Return the arrays of a key, or None. Damaged ones are removed and count as not there.

        Raises:
            OutputError: they cannot be read, which says nothing about what is in them.
        """
        folder = self.folder / key
        if not folder.exists():
            return None
        try:
            content = json.loads((folder / FACTS_FILE).read_text("utf-8"))
            arrays: dict[str, np.ndarray | MappedArray] = {
                name: describe(folder / f"{name}.npy") for name in content["arrays"]
            }
            return Arrays(arrays, content["facts"])
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            log.warning("%s in the cache is damaged and is made again (%s)", folder, error)
            shutil.rmtree(folder, ignore_errors=True)
            return None
        except OSError as error:
            raise OutputError(
                f"{folder} in the cache cannot be read ({error.strerror or error}); mend that, or choose another "
                "folder with data.cache"
            ) from error

    def store(self, key: str, arrays: Arrays) -> Arrays:
        """Write the arrays of a key under a temporary name, rename it, and return them as they lie there.

        Raises:
            OutputError: the disk is full, or the folder cannot be written to.
        """
        self.check_space(sum(np.asarray(array).nbytes for array in arrays.arrays.values()))
        temporary = self.folder / f".{key}.{uuid.uuid4().hex}.tmp"
        try:
            temporary.mkdir()
            for name, array in arrays.arrays.items():
                write(temporary / f"{name}.npy", np.asarray(array))
            facts = {"arrays": list(arrays.arrays), "facts": arrays.facts}
            (temporary / FACTS_FILE).write_text(json.dumps(facts), "utf-8")
            self._place(temporary, self.folder / key)
        except OSError as error:
            raise OutputError(
                f"The cache {self.folder} cannot be written ({error.strerror or error}); free some space or use "
                "another folder"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        loaded = self.load(key)
        if loaded is None:
            raise OutputError(f"{self.folder / key} was damaged while it was written; check the disk")
        return loaded

    def check_space(self, num_bytes: int) -> None:
        """Make sure that the disk has room.

        Raises:
            OutputError: it has not.
        """
        free = shutil.disk_usage(self.folder).free
        if num_bytes > free:
            raise OutputError(
                f"The degraded volumes take {num_bytes / GIB:.3g} GiB and {free / GIB:.3g} GiB are free in "
                f"{self.folder}; free some space, or choose another folder with data.cache"
            )

    def _place(self, temporary: Path, final: Path) -> None:
        try:
            temporary.rename(final)
        except OSError:
            if not (final / FACTS_FILE).exists():  # else another process was faster, with the same arrays
                raise
