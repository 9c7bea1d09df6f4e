"""The volumes inside one series: its frames by orientation, echo, kind of image and time point."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.choice import Choice
from SuperResolution3DLib.volumes.dicom.frames import DIRECTION_TOLERANCE, Frame

LONGEST_LIST = 12
SAME_PLACE = 1e-3  # mm
SAME_ECHO = 0.02  # of the echo time
COMPONENTS = {"M", "P", "R", "I", "MAGNITUDE", "PHASE", "PHASE MAP", "REAL", "IMAGINARY"}


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames that belong to one volume."""

    frames: list[Frame]
    orientation: int
    """which of the series, from 1"""
    echo: int
    kind: tuple[str, ...]
    """the image type: magnitude, phase, original, derived ..."""
    time_point: int
    """from 1"""

    @property
    def plane(self) -> str:
        normal = np.abs(np.cross(*self.frames[0].directions.T))
        name = ("sagittal", "coronal", "axial")[int(normal.argmax())]
        return name if normal.max() > 1 - DIRECTION_TOLERANCE else f"oblique {name}"


def stacks_of(frames: list[Frame]) -> list[Stack]:
    """Sort the frames of a series into volumes, in the order of orientation, echo, kind and time point."""
    stacks = []
    echo_of = _echo_numbering(frames)
    for orientation, parallel in enumerate(_parallel_groups(frames), 1):
        for echo, of_echo in _grouped(parallel, echo_of):
            for of_kind in _kinds(of_echo):
                stacks += [
                    Stack(at_time, orientation, echo, of_kind[0].image_type, time_point)
                    for time_point, at_time in enumerate(_time_points(of_kind), 1)
                ]
    return stacks


def choose(stacks: list[Stack], choice: Choice, series: str, folder: Path) -> Stack:
    """Return the one stack that fits the choice.

    Raises:
        VolumeError: none or several; the message lists what is there.
    """
    fitting = [
        stack
        for number, stack in enumerate(stacks, 1)
        if choice.echo in (None, stack.echo)
        and choice.time_point in (None, stack.time_point)
        and choice.stack in (None, number)
    ]
    if len(fitting) == 1:
        return fitting[0]
    asked = " ".join(replace(choice, series=None).options())
    listed = _listed(stacks, fitting or stacks)
    if not fitting:
        raise VolumeError(
            f"The DICOM series {series} in {folder} holds no volume for {asked}, choose one of these: {listed}"
        )
    echoes = {stack.echo for stack in fitting}
    points = {stack.time_point for stack in fitting}
    differences = {
        "are not parallel": len({stack.orientation for stack in fitting}) > 1,
        "differ in echo": len(echoes) > 1,
        "differ in kind": len({stack.kind for stack in fitting}) > 1,
        "differ in time point": len(points) > 1,
    }
    options = ["--echo N"] * (len(echoes) > 1) + ["--time-point N"] * (len(points) > 1)
    if len({(stack.echo, stack.time_point) for stack in fitting}) < len(fitting):
        options.append("--stack N")
    differ = " and ".join(text for text, is_so in differences.items() if is_so)
    raise VolumeError(
        f"The DICOM series {series} in {folder} holds {len(fitting)} volumes whose slices {differ}, choose one with "
        f"{' '.join(options)}: {listed}"
    )


def _listed(stacks: list[Stack], shown: list[Stack]) -> str:
    texts: list[str] = []
    for number, stack in enumerate(stacks, 1):
        if stack not in shown or len(texts) == LONGEST_LIST:
            continue
        first = stack.frames[0]
        time = "" if first.echo_time is None else f" ({first.echo_time:g} ms)"
        parts = [f"echo {stack.echo}{time}", f"time point {stack.time_point}", stack.plane, "/".join(stack.kind)]
        count = len(stack.frames)
        parts.append(f"{count} slice{'s' if count > 1 else ''}")
        texts.append(f"stack {number}: {', '.join(part for part in parts if part)}")
    more = len(shown) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def _parallel_groups(frames: list[Frame]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            if np.abs(frame.directions - group[0].directions).max() <= DIRECTION_TOLERANCE:
                group.append(frame)
                break
        else:
            groups.append([frame])
    return groups


def _echo_numbering(frames: list[Frame]) -> Callable[[Frame], int]:
    """Return what numbers the echo of a frame: its own number where the numbers tell the times apart, else the rank."""
    ranks: dict[float, int] = {}
    last = -1.0
    for time in sorted({frame.echo_time or 0.0 for frame in frames}):
        ranks[time] = len(set(ranks.values())) + (time > last * (1 + SAME_ECHO))
        last = time
    numbers = {frame.echo_number for frame in frames}
    pairs = {(frame.echo_number, ranks[frame.echo_time or 0.0]) for frame in frames}
    if None not in numbers and len(numbers) == len(pairs):
        return lambda frame: frame.echo_number or 0
    return lambda frame: ranks[frame.echo_time or 0.0]


def _kinds(frames: list[Frame]) -> list[list[Frame]]:
    """Split original from derived and magnitude from phase; by the rest of the image type only if slices share a place.

    Scanners also write remarks on single slices into it.
    """
    kinds = []
    for _, group in _grouped(
        frames, lambda frame: (*frame.image_type[:1], *sorted(COMPONENTS.intersection(frame.image_type)))
    ):
        is_mixed = _has_doubles(group)
        kinds += [part for _, part in _grouped(group, lambda frame: frame.image_type)] if is_mixed else [group]
    return kinds


def _time_points(frames: list[Frame]) -> list[list[Frame]]:
    """Split by what tells volumes apart; by what may also differ from slice to slice only if slices share a place."""
    points = []
    for _, group in _grouped(frames, lambda frame: tuple(_sortable(text) for text in frame.volume_keys)):
        points += _without_doubles(group)
    return points


def _without_doubles(frames: list[Frame]) -> list[list[Frame]]:
    if not _has_doubles(frames):
        return [frames]
    for key in range(len(frames[0].slice_keys)):
        parts = [part for _, part in _grouped(frames, lambda frame: _sortable(frame.slice_keys[key]))]  # noqa: B023
        if len(parts) > 1 and not any(len(part) < 2 or _has_doubles(part) for part in parts):
            return parts
    return [frames]


def _has_doubles(frames: list[Frame]) -> bool:
    places = {tuple(np.round(frame.position / SAME_PLACE).astype(int)) for frame in frames}
    return len(places) < len(frames)


def _grouped(frames: list[Frame], key: Callable[[Frame], Any]) -> list[tuple[Any, list[Frame]]]:
    groups: dict[Any, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    return sorted(groups.items(), key=lambda item: item[0])


def _sortable(text: str) -> tuple[float, str]:
    """Return a key that sorts numbers by value and other texts after each other."""
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text
