"""The row of the comparison picture that marks where a result may be off, from its trust map and its report."""

from pathlib import Path

import numpy as np

from SuperResolution3DLib.cli.figure import FigureRow
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.volumes.geometry import contained_box
from SuperResolution3DLib.volumes.volume import Volume, read_volume

LABEL = "Trust mask"


def trust_row(map_file: Path, report_file: Path | None, sr: Volume) -> FigureRow:
    """Return the SR with the voxels marked that belong to the mask, and what the mark means.

    Args:
        map_file: the trust map, whole.
        report_file: of the run that wrote the map; it says by how much the estimate may be off.
        sr: canonical, the map's result or a box of it.

    Raises:
        InputError: no report, one that is none, or that of a run without a trust map or with another one.
        VolumeError, GeometryError: an unusable map, or one that does not hold the SR's voxels.
    """
    bound, share = _told(map_file, report_file)
    trust_map = read_volume(map_file).canonical()

    from SuperResolution3DLib.inference.trust.caution import OF_THRESHOLD

    mask = trust_map.array >= OF_THRESHOLD
    if not np.isclose(mask.mean(), share, rtol=0, atol=1e-6):
        raise InputError(
            f"{map_file} marks {mask.mean():.2%} of its voxels and the map of {report_file} {share:.2%}: give the "
            "report of the run that wrote it"
        )
    try:
        box = contained_box(trust_map.affine, trust_map.shape, sr.affine, sr.shape)
    except GeometryError as error:
        raise GeometryError(f"{map_file} is not the trust map of this SR: {error}") from error
    meaning = (
        f"where the estimate\nmay be off by more\nthan {100 * bound:.3g} % of the range\n({share:.0%} of the voxels)"
    )
    return FigureRow(LABEL, sr.array, sr.affine, meaning, mask[box])


def _told(map_file: Path, report_file: Path | None) -> tuple[float, float]:
    """Return the bound (share of the intensity range) and the mask's share of the voxels as the report has them."""
    if report_file is None:
        raise InputError(
            f"--trust-map needs --report: the report of the run that wrote {map_file} says what its mask means"
        )
    try:
        text = report_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The report {report_file} cannot be read: {error}; check the path") from error
    trust = Report.from_json(text, str(report_file)).trust
    values = {} if trust is None else trust.values
    try:
        return float(values["bound"]), float(values["share"])  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{report_file} is the report of a run without a trust map; give that of the run that wrote {map_file}"
        ) from None
