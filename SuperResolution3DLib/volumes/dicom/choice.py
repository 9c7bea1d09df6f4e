"""Which of the volumes of a DICOM folder is meant."""

import argparse
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Choice:
    """What a person says of the volume; None where it is left open, which is an error where several would do."""

    series: str | None = None
    """SeriesInstanceUID"""
    echo: int | None = None
    """EchoNumbers, or counted from 1 by echo time where the files have no such numbers"""
    time_point: int | None = None
    """counted from 1, as listed: time points, cardiac phases or diffusion weightings"""
    stack: int | None = None
    """counted from 1, as listed: whatever else differs, such as orientation and kind of image"""

    def options(self) -> list[str]:
        """Return what was chosen as options of the command line."""
        values = {item.name.replace("_", "-"): getattr(self, item.name) for item in fields(self)}
        return [f"--{name} {value}" for name, value in values.items() if value is not None]


def add_choice_arguments(parser: argparse.ArgumentParser, prefix: str = "", of: str = "") -> None:
    """Declare the options of a choice, for an input of a command that reads several under names with a prefix."""

    def add(name: str, **kwargs: Any) -> None:
        parser.add_argument(f"--{prefix}{name}", **kwargs)

    add("series", metavar="UID", help=f"SeriesInstanceUID to read{of}, where a folder holds several")
    add("echo", type=int, metavar="N", help=f"echo to read{of}, where a series holds several")
    add("time-point", type=int, metavar="N", help=f"time point, phase or weighting to read{of}, counted from 1")
    add("stack", type=int, metavar="N", help=f"stack to read{of}, as listed where a series holds several")


def choice_of(options: object, prefix: str = "") -> Choice:
    """Make a choice of parsed arguments, or of a job."""
    return Choice(**{item.name: getattr(options, prefix + item.name) for item in fields(Choice)})
