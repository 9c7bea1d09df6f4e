"""The two orientations that a NIfTI header may tell, sform and qform: one is used, both are kept."""

from dataclasses import dataclass, replace

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.geometry import check_affine

MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # lowest three bits of xyzt_units: none, metre, mm, micrometre
SPACING_TOLERANCE = 1e-3  # by which a sform's voxel sizes may differ from pixdim
LONGEST_QUATERNION = 1.001  # 1 but for the rounding of float32 and of text that it came from
SAME_VOXELS = 1e-3  # orientations that differ by less, in voxels, are one


@dataclass(frozen=True, eq=False)
class Forms:
    """What a header told beside the affine that is used, so that every reader shows a result on its input."""

    codes: tuple[int, int]
    """of sform and qform; that of an orientation that could not be used is the other's"""
    uses_sform: bool
    other: np.ndarray | None
    """(4, 4) to RAS mm, the orientation that is not used; None where it is the same, missing or cannot be used"""

    def moved(self, before: np.ndarray, after: np.ndarray) -> "Forms":
        """Return the forms of a grid with another affine that shows the same anatomy: both orientations go along."""
        return self if self.other is None else replace(self, other=self.other @ np.linalg.inv(before) @ after)

    def affines(self, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sform and qform, (4, 4) each, of a grid whose used affine is given."""
        other = used if self.other is None else self.other
        return (used, other) if self.uses_sform else (other, used)


def orientation_of(header: np.ndarray, name: str) -> tuple[np.ndarray, Forms | None, tuple[Warned, ...]]:
    """Return the affine (4, 4) to RAS mm that is used, what else the header told, and what a person should know of it.

    The sform is used where it is valid, as by nibabel, else the qform, else the voxel sizes alone, as by ITK.

    Args:
        header: of the file.
        name: of the file, for messages.

    Raises:
        GeometryError: sheared or degenerate axes, or a sform that contradicts the voxel sizes, and no other
            orientation.
    """
    unit = int(header["xyzt_units"]) & 7
    warnings = [] if unit in MM_PER_UNIT else [Warned("file-unit", {"name": name, "unit": unit})]
    mm = np.diag([*[MM_PER_UNIT.get(unit, 1.0)] * 3, 1.0])
    codes = int(header["sform_code"]), int(header["qform_code"])
    with np.errstate(all="ignore"):  # fields that are no numbers are told below
        sform = mm @ np.vstack([header["srow"].astype(np.float64), (0, 0, 0, 1)]) if codes[0] > 0 else None
        qform = mm @ _qform(header) if codes[1] > 0 else None
    if sform is None and qform is None:
        warnings.append(Warned("file-no-orientation", {"name": name}))
        sizes = np.abs(header["pixdim"][1:4].astype(np.float64))
        return mm @ np.diag([-sizes[0], -sizes[1], sizes[2], 1]), None, tuple(warnings)
    sizes = mm[0, 0] * np.abs(header["pixdim"][1:4].astype(np.float64))
    problems = [_problem(sform, sizes), _problem_of_fields(header) or _problem(qform, sizes) if codes[1] > 0 else ""]
    usable = [form is not None and not problem for form, problem in zip((sform, qform), problems, strict=True)]
    if not any(usable):
        raise GeometryError(f"{name}: {problems[0] or problems[1]}")
    uses_sform = usable[0]
    used, other = (sform, qform) if uses_sform else (qform, sform)
    used = np.asarray(used)
    for form, problem, other_form in (("sform", problems[0], "qform"), ("qform", problems[1], "sform")):
        if problem:
            values = {"form": form, "name": name, "other_form": other_form, "problem": problem}
            warnings.append(Warned("file-form", values))
    if not all(usable) or other is None or _voxels_apart(used, other) < SAME_VOXELS:
        code = codes[0] if uses_sform else codes[1]
        return used, Forms(codes if all(usable) else (code, code), uses_sform, None), tuple(warnings)
    apart = _largest_distance(used, other, header)
    warnings.append(Warned("file-two-forms", {"name": name, "apart": apart}))
    return used, Forms(codes, uses_sform, other), tuple(warnings)


def _problem(form: np.ndarray | None, sizes: np.ndarray) -> str:
    """Say why an orientation cannot be used, or nothing."""
    if form is None:
        return ""
    try:
        check_affine(form)
    except GeometryError as error:
        return str(error)
    lengths = np.linalg.norm(form[:3, :3], axis=0)
    if (sizes > 0).all() and np.abs(lengths / sizes - 1).max() > SPACING_TOLERANCE:
        told, found = (" x ".join(f"{size:.4g}" for size in values) for values in (sizes, lengths))
        return (
            f"the header contradicts itself: its voxel sizes {told} mm (pixdim) do not fit its orientation, "
            f"{found} mm; repair the header"
        )
    return ""


def _problem_of_fields(header: np.ndarray) -> str:
    """Say which fields of a qform cannot be meant, or nothing."""
    if (header["pixdim"][1:4] < 0).any():
        sizes = " x ".join(f"{size:.4g}" for size in header["pixdim"][1:4])
        return f"its voxel sizes {sizes} (pixdim) must be above 0; repair the header"
    length = float(np.linalg.norm(header["quatern"].astype(np.float64)))
    if length > LONGEST_QUATERNION:  # not so where it is no number, which the affine shows
        return f"its quaternion (b, c, d) has the length {length:.4g}, and 1 is the most; repair the header"
    return ""


def _voxels_apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return by how many voxels one step along each axis, or the first voxel, differ."""
    return float(np.abs(np.linalg.inv(one) @ other - np.eye(4)).max())


def _largest_distance(one: np.ndarray, other: np.ndarray, header: np.ndarray) -> float:
    """Return the largest distance (mm) between the two places of a corner voxel."""
    ends = [(0, int(size) - 1) for size in header["dim"][1:4]]
    corners = np.array([(i, j, k, 1) for i in ends[0] for j in ends[1] for k in ends[2]], np.float64).T
    return float(np.linalg.norm(((one - other) @ corners)[:3], axis=0).max())


def _qform(header: np.ndarray) -> np.ndarray:
    """Return the affine (4, 4) of the qform, in the file's unit."""
    affine = np.eye(4)
    affine[:3, :3] = _rotation(header["quatern"].astype(np.float64))
    affine[:3, :3] *= header["pixdim"][1:4].astype(np.float64) * (1, 1, -1 if header["pixdim"][0] < 0 else 1)
    affine[:3, 3] = header["qoffset"]
    return affine


def quaternion_of(rotation: np.ndarray) -> np.ndarray:
    """Return b, c, d of the unit quaternion a + bi + cj + dk, a >= 0, of a proper (3, 3) rotation.

    The quaternion is the eigenvector, for its largest eigenvalue, of a symmetric matrix (Bar-Itzhack 2000), which is
    stable for every angle.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    quaternion = np.linalg.eigh(symmetric)[1][:, -1]
    return quaternion[1:] * (1 if quaternion[0] >= 0 else -1)


def _rotation(quaternion: np.ndarray) -> np.ndarray:
    """Return the (3, 3) rotation of the unit quaternion a + bi + cj + dk with the given b, c, d and a >= 0."""
    b, c, d = quaternion / max(1.0, float(np.linalg.norm(quaternion)))
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
