"""What a BIDS sidecar, a JSON file beside a volume file, tells of its slices: most formats have no field for it."""

import json
from pathlib import Path

SMALLEST_MM, LARGEST_MM = 0.01, 1e3  # what is no size of a slice counts as not told
THICKNESS, SPACING = "SliceThickness", "SpacingBetweenSlices"  # as BIDS and DICOM call them


def read_slice_sizes(path: Path) -> tuple[float | None, float | None]:
    """Return slice thickness and spacing between slices (mm) as the sidecar of a volume file tells them, or None."""
    try:
        told = json.loads(sidecar_of(path).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None, None
    if not isinstance(told, dict):
        return None, None
    thickness, spacing = (as_slice_size(told.get(key)) for key in (THICKNESS, SPACING))
    return thickness, spacing


def write_slice_sizes(path: Path, thickness: float | None, spacing: float | None) -> None:
    """Write the sidecar of a volume file with the sizes (mm) that are known; none without any.

    Raises:
        OSError: it cannot be written.
    """
    known = {key: size for key, size in ((THICKNESS, thickness), (SPACING, spacing)) if size is not None}
    if known:
        sidecar_of(path).write_text(json.dumps(known), "utf-8")


def sidecar_of(path: Path) -> Path:
    """Return the name of a volume file's sidecar: ``head.json`` beside ``head.nii.gz``."""
    return path.with_name(f"{Path(path.name.removesuffix('.gz')).stem}.json")


def as_slice_size(value: object) -> float | None:
    """Return a length in mm if it can be that of a slice."""
    is_number = isinstance(value, int | float) and value is not True
    return float(value) if is_number and SMALLEST_MM < value < LARGEST_MM else None  # type: ignore[arg-type, operator]
