"""What a data set tells about its files."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.volumes.volume import Volume
from Training.data.index import Split


@dataclass(frozen=True)
class Candidate:
    """A file that should hold a volume; nobody has opened it yet."""

    subject: str
    file: str
    """Path below the root"""
    modality: str
    split: Split | None = None
    orientation: str = ""
    """Where the axes I, J and K run to, for files that do not say it themselves"""


def nothing_to_check(volume: Volume) -> str:
    """Accept every volume that can be read."""
    return ""


@dataclass(frozen=True)
class DataSet:
    """How the files of a data set are found and checked."""

    name: str
    page: str
    """The publisher's page"""
    patterns: tuple[str, ...]
    """What is looked for below the root"""
    find: Callable[[Path], list[Candidate]]
    check: Callable[[Volume], str] = nothing_to_check
    """Says what is wrong with a volume of this set, or nothing"""
    takes_table: bool = False
    """Whether a table may name the files instead"""

    def candidates(self, root: Path) -> list[Candidate]:
        """Return the files below the root, in order of their names.

        Raises:
            InputError: there is no such folder, or nothing in it fits the patterns.
        """
        self.check_root(root)
        found = self.find(root)
        if not found:
            wanted = " or ".join(self.patterns)
            raise InputError(f"{root} holds nothing of {self.name}: looked for {wanted} (see {self.page})")
        return sorted(found, key=lambda candidate: candidate.file)

    def check_root(self, root: Path) -> None:
        """Refuse a root that is not there.

        Raises:
            InputError: there is no such folder.
        """
        try:
            is_folder = root.is_dir() and os.access(root, os.R_OK | os.X_OK)
        except OSError as error:
            raise InputError(f"{root} cannot be entered ({error.strerror}); give the root of {self.name}") from error
        if not is_folder and root.exists():
            raise InputError(f"{root} is no folder that may be entered; give the root of {self.name} with --root")
        if not is_folder:
            raise InputError(f"There is no folder {root}; give the root of {self.name} with --root")
