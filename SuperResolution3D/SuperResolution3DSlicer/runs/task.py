"""What a run works on: a worker's command line, and what is done with its result."""

from pathlib import Path
from typing import Protocol

import slicer

from SuperResolution3DLib.cli.report import Report


class Task(Protocol):
    """What is to be done in a run."""

    title: str
    """what it is done to, for the person who waits"""
    notes: list[str]
    """what to tell of a result that was taken over"""

    def watched_nodes(self) -> list[slicer.vtkMRMLNode]:
        """Return the nodes without which the run has no sense."""

    def prepare(self, folder: Path) -> list[str]:
        """Write the worker's input into a folder and return its command line, with names relative to the folder."""

    def finish(self, folder: Path, report: Report | None) -> slicer.vtkMRMLNode | None:
        """Take the result over into the scene, whole or not at all."""
