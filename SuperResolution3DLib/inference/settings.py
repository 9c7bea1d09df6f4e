"""What a run of super-resolution is told, and what it gives."""

from dataclasses import dataclass

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.computation import Computation
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.volumes.box import Box, box_text, whole
from SuperResolution3DLib.volumes.geometry import Orientation
from SuperResolution3DLib.volumes.volume import Volume

CONSISTENCY = ("off", "check", "project")


@dataclass(frozen=True)
class Settings(EngineSettings):
    """How a volume is super-resolved: where and how the network runs, and what is done besides."""

    data_consistency: str = "check"
    """off, check (report the residual) or project (put the measured low frequencies back)"""
    region: Box | None = None
    """LR voxels whose result is wanted, in the file's order (K, J, I); None is all"""
    ensemble: bool = False
    """average the results on the eight mirror images of the volume"""
    slice_thickness: float | None = None
    """mm, for a model for thick slices; None: what the file says, else the slice spacing"""
    target_spacing: float | None = None
    """mm along the slice axis, for a model for thick slices; None: the pixel size, but 0.4 mm at least"""
    slice_axis: str | None = None
    """K, J or I, for a model for thick slices; None: the axis of the largest spacing"""

    @property
    def tells_of_slices(self) -> bool:
        """Whether anything is said that only a model for thick slices uses."""
        return any(said is not None for said in (self.slice_thickness, self.target_spacing, self.slice_axis))

    def __post_init__(self) -> None:
        if self.data_consistency not in CONSISTENCY:
            raise InputError(f"Data consistency is one of {', '.join(CONSISTENCY)}, got {self.data_consistency!r}")
        if self.region is not None and self.data_consistency == "project":
            raise InputError("Data consistency can only be projected on the whole volume, not on a region")


@dataclass(frozen=True)
class Result:
    """A super-resolved volume and how it came about."""

    volume: Volume
    report: Computation
    zero_filled: Volume | None = None
    """the interpolation without a network on the same grid, when it was asked for"""
    trust_map: Volume | None = None
    """uint8 on the same grid, when it was asked for: 100 and above is where the estimate may be off"""


def canonical_region(volume: Volume, orientation: Orientation, region: Box | None) -> Box:
    """Return the voxels (D, H, W) of a region in the order that an orientation gives a volume; None stands for all.

    Raises:
        InputError: the region is empty or reaches beyond the volume.
    """
    if region is None:
        return whole(orientation.to_canonical(volume.array).shape)
    for part, size in zip(region, volume.shape, strict=True):
        if not 0 <= part.start < part.stop <= size:
            shape = " x ".join(map(str, volume.shape))
            raise InputError(
                f"Region {box_text(region)} does not lie in the volume of {shape} voxels (slices, rows, columns)"
            )
    return orientation.box_to_canonical(region, volume.shape)
