"""What is told of a computed volume: from what, with which model, where, and how far it agrees with the input."""

from dataclasses import dataclass

from SuperResolution3DLib.inference.slice_report import SliceReport
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.box import Shape


@dataclass(frozen=True, kw_only=True)
class DataConsistency:
    """How far the result, degraded again, departs from the measured input below its Nyquist frequency."""

    mode: str
    """off, check or project"""
    residual_rms_percent: float | None
    """of the intensity range, of the network's own output before any projection; None: not computed"""
    projected: bool
    """the measured low frequencies were put back"""
    model_dependent: bool
    """CT, or unlike the volumes of the training: the ideal k-space model says less there"""


@dataclass(frozen=True, kw_only=True)
class Computation:
    """How a super-resolved volume came about; shapes, spacings and scale in the file's order (K, J, I)."""

    program: str
    """version of this program"""
    torch: str
    """version of PyTorch"""
    model: str
    model_sha256: str
    grid: str
    """center or corner"""
    scale: tuple[float, float, float]
    """factor per axis, whole but along the slice axis of thick slices"""
    region: str | None
    """LR voxels that were computed, as K0:K1,J0:J1,I0:I1; None: all"""
    input_shape: Shape
    input_spacing_mm: tuple[float, ...]
    output_shape: Shape
    output_spacing_mm: tuple[float, ...]
    seconds: float
    """of the computation, without reading and writing"""
    data_consistency: DataConsistency
    device: str
    precision: str
    trunk_tiles: int
    trunk_saw_whole_volume: bool
    """or as much of it as it can see"""
    tail_tiles: int
    windows: int
    """0 when none were used"""
    input_grid: str = ""
    """voxels and their size along directions of the body, for a person"""
    output_grid: str = ""
    ensemble: int = 1
    """mirror images whose results were averaged"""
    slices: SliceReport | None = None
    """of thick slices: what was taken for them"""
    trust: Sentence | None = None
    """what the trust mask marks and means; None: was not asked for"""
    warnings: tuple[Warned, ...]
