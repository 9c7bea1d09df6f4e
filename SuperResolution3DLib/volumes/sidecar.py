"""What a BIDS sidecar, a JSON file beside a volume file, tells of its slices: most formats have no field for it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

SMALLEST_MM, LARGEST_MM = 0.01, 1e3  # what is no size of a slice counts as not told
THICKNESS, SPACING = "SliceThickness", "SpacingBetweenSlices"  # as BIDS and DICOM call them
POSITIONS = "SlicePositions"  # no key of BIDS: mm of each slice (K) from the first one, where they are uneven


def read_slice_sizes(path: Path) -> tuple[float | None, float | None]:
    """Return slice thickness and spacing between slices (mm) as the sidecar of a volume file tells them, or None."""
    told = _told(path)
    thickness, spacing = (as_slice_size(told.get(key)) for key in (THICKNESS, SPACING))
    return thickness, spacing


def read_slice_positions(path: Path, count: int) -> tuple[float, ...] | None:
    """Return where so many uneven slices lie, in mm from the first one, as ``write_slice_sizes`` wrote it, or None."""
    told = _told(path).get(POSITIONS)
    if not isinstance(told, list) or len(told) != count or told[0] != 0:
        return None
    if not all(isinstance(place, int | float) for place in told):
        return None
    are_rising = all(as_slice_size(above - below) is not None for below, above in pairwise(told))
    return tuple(map(float, told)) if are_rising else None


def write_slice_sizes(
    path: Path, thickness: float | None, spacing: float | None, positions: tuple[float, ...] | None = None
) -> None:
    """Write the sidecar of a volume file with the sizes and uneven positions (mm) that are known; none without any.

    Raises:
        OSError: it cannot be written.
    """
    if text := slice_sizes_text(thickness, spacing, positions):
        sidecar_of(path).write_text(text, "utf-8")


def slice_sizes_text(thickness: float | None, spacing: float | None, positions: tuple[float, ...] | None = None) -> str:
    """Return what a sidecar holds of the sizes and uneven positions (mm) that are known; "" without any."""
    values = {THICKNESS: thickness, SPACING: spacing, POSITIONS: positions}
    known = {key: value for key, value in values.items() if value is not None}
    return json.dumps(known) if known else ""


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(sidecar_of(path).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def sidecar_of(path: Path) -> Path:
    """Return the name of a volume file's sidecar: ``head.json`` beside ``head.nii.gz``."""
    return path.with_name(f"{Path(path.name.removesuffix('.gz')).stem}.json")


def as_slice_size(value: object) -> float | None:
    """Return a length in mm if it can be that of a slice."""
    is_number = isinstance(value, int | float) and value is not True
    return float(value) if is_number and SMALLEST_MM < value < LARGEST_MM else None  # type: ignore[arg-type, operator]
