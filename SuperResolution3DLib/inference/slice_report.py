"""What is told of thick slices and of what was made of them."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from SuperResolution3DLib.forward.slice_profile import ProfileShape

ThicknessSource = Literal["given", "file", "assumed"]
AxisSource = Literal["given", "found"]


@dataclass(frozen=True)
class SliceReport:
    """What was taken for the slices and what was made of them; lengths in mm."""

    axis: str
    plane: str
    num_slices: int
    slice_spacing_mm: float
    slice_thickness_mm: float
    thickness_source: ThicknessSource
    in_plane_spacing_mm: tuple[float, float]
    wanted_spacing_mm: float
    result_spacing_mm: float
    result_size: int
    field_of_view_mm: float
    profile: ProfileShape
    noise: float
    residual_rms_percent: float | None
    axis_source: AxisSource = "found"
    unevenness_percent: float = 0.0
    """by which the distance of two neighbours is off the mean at most; each slice was taken where it lies"""
    profile_width_mm: float | None = None
    """full width at half maximum that was computed with: the thickness, but narrower where that was assumed"""
    left_percent: float | None = None
    """RMS in % of the range by which the slices still differ after a projection that cannot be exact: slices that
    overlap; None where it is exact, or nothing was projected"""
    is_part: bool = False
    """the result is that of a region: its size and field of view are the region's"""

    def to_dict(self) -> dict[str, Any]:
        """Return this report as it is written to JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @property
    def sentence(self) -> str:
        """The report for a person, in one sentence."""
        sizes = " x ".join(f"{value:.3g}" for value in (*self.in_plane_spacing_mm, self.slice_spacing_mm))
        wanted = f", {self.wanted_spacing_mm:.4g} mm were wanted"
        adjusted = wanted if abs(self.wanted_spacing_mm - self.result_spacing_mm) > 5e-4 else ""
        source = {"given": "as given", "file": "from the file", "assumed": "assumed to be the spacing"}
        narrower = self.profile_width_mm is not None and self.profile_width_mm < self.slice_thickness_mm * (1 - 1e-6)
        width = f", computed with a profile {self.profile_width_mm:.3g} mm wide" if narrower else ""
        axis = {"given": "as given", "found": "found"}[self.axis_source]
        uneven = f", uneven by up to {self.unevenness_percent:.2g} %" if self.unevenness_percent > 0 else ""
        result = f"{self.result_spacing_mm:.4g} mm between slices{adjusted}"
        left = "" if self.left_percent is None else f", put back to within {self.left_percent:.2g} % as they overlap"
        factor = self.slice_spacing_mm / self.result_spacing_mm
        return (
            f"{self.plane} slices of {sizes} mm{uneven}, thickness {self.slice_thickness_mm:.3g} mm "
            f"({source[self.thickness_source]}){width}: {result}, through-plane x{factor:.3g}, field of view "
            f"{self.field_of_view_mm:.2f} mm {'of the region' if self.is_part else 'kept'}, slice axis {axis}{left}"
        )
