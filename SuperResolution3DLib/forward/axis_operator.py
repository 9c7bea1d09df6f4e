"""What a scan does along one axis: nothing, a crop of k-space, or slices; each a matrix and its inverses.

Every operator has the same three matrices, all float64:

    degradation(hr_size)        A    (LR size, HR size)   HR -> LR
    interpolation(lr_size)      B    (HR size, LR size)   LR -> HR without a network, A B = I unless regularised
    back_projection(lr_size)    A^+  (HR size, LR size)   the least change of the HR that changes the LR by one unit
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.forward.consistent_interpolation import (
    back_projection,
    consistent_matrix,
    regularisation,
    spline_matrix,
)
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.volumes.geometry import Grid, grid_phase


class AxisOperator(Protocol):
    """A linear operator along one axis."""

    kind: ClassVar[str]

    def lr_size(self, hr_size: int) -> int:
        """Return the LR size of an HR size; raise ValueError for a size that the operator does not take."""

    def hr_size(self, lr_size: int) -> int:
        """Return the HR size of an LR size; raise ValueError for a size that the operator does not take."""

    def degradation(self, hr_size: int) -> np.ndarray:
        """Return A, (LR size, HR size)."""

    def interpolation(self, lr_size: int) -> np.ndarray:
        """Return B, (HR size, LR size)."""

    def back_projection(self, lr_size: int) -> np.ndarray:
        """Return A^T (A A^T + eps I)^-1, (HR size, LR size)."""

    def regularisation(self) -> float:
        """Return the eps of ``back_projection``; 0 says that projecting is exact."""


@dataclass(frozen=True)
class Identity:
    """An axis that is measured as finely as it is wanted."""

    kind: ClassVar[str] = "identity"

    def lr_size(self, hr_size: int) -> int:
        return hr_size

    def hr_size(self, lr_size: int) -> int:
        return lr_size

    def degradation(self, hr_size: int) -> np.ndarray:
        return np.eye(hr_size)

    def interpolation(self, lr_size: int) -> np.ndarray:
        return np.eye(lr_size)

    def back_projection(self, lr_size: int) -> np.ndarray:
        return np.eye(lr_size)

    def regularisation(self) -> float:
        return 0.0


@dataclass(frozen=True)
class KSpaceCrop:
    """The paper's crop of k-space (paper 4.3): zero-filling is its interpolation and its pseudoinverse as well."""

    factor: int
    """HR voxels per LR voxel"""

    grid: Grid = "center"
    """where LR voxels lie among HR voxels"""

    kind: ClassVar[str] = "k-space"

    def __post_init__(self) -> None:
        grid_phase(self.factor, self.grid)  # refuses an impossible factor or grid

    def lr_size(self, hr_size: int) -> int:
        if hr_size % self.factor:
            raise ValueError(f"An axis of {hr_size} HR voxels is not a multiple of the factor {self.factor}")
        return hr_size // self.factor

    def hr_size(self, lr_size: int) -> int:
        return lr_size * self.factor

    def degradation(self, hr_size: int) -> np.ndarray:
        from SuperResolution3DLib.forward.kspace import degradation_matrix  # brings torch, which slices do without

        return degradation_matrix(self.lr_size(hr_size), self.factor, self.grid)

    def interpolation(self, lr_size: int) -> np.ndarray:
        from SuperResolution3DLib.forward.kspace import zero_filling_matrix

        return zero_filling_matrix(lr_size, self.factor, self.grid)

    def back_projection(self, lr_size: int) -> np.ndarray:
        return self.interpolation(lr_size)

    def regularisation(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Slices:
    """Slices of a given profile, at given places; fits one number of slices and of HR voxels only."""

    profile: SliceProfile
    """what each slice measures"""

    noise: float = 0.0
    """how far ``interpolation`` is regularised: variance of a slice's noise as a share of the detail's"""

    kind: ClassVar[str] = "slice-profile"

    def __post_init__(self) -> None:
        if not 0 <= self.noise < np.inf:
            raise ValueError(f"The noise of a slice is a share of 0 or more, not {self.noise}")

    def lr_size(self, hr_size: int) -> int:
        if hr_size != self.profile.hr_size:
            raise ValueError(f"The slice axis has {hr_size} HR voxels, its forward model {self.profile.hr_size}")
        return self.profile.lr_size

    def hr_size(self, lr_size: int) -> int:
        if lr_size != self.profile.lr_size:
            raise ValueError(f"The slice axis has {lr_size} slices, its forward model {self.profile.lr_size}")
        return self.profile.hr_size

    def degradation(self, hr_size: int) -> np.ndarray:
        self.lr_size(hr_size)
        return self.profile.matrix()

    def interpolation(self, lr_size: int) -> np.ndarray:
        self.hr_size(lr_size)
        spline = spline_matrix(np.array(self.profile.centres), self.profile.hr_centres)
        return consistent_matrix(self.profile.matrix(), spline, self.noise)

    def back_projection(self, lr_size: int) -> np.ndarray:
        self.hr_size(lr_size)
        return back_projection(self.profile.matrix())

    def regularisation(self) -> float:
        return regularisation(self.profile.matrix())


def operator_to_dict(operator: AxisOperator) -> dict[str, Any]:
    """Return an operator as it is written to JSON."""
    if isinstance(operator, Slices):
        fields = {**asdict(operator.profile), "centres": list(operator.profile.centres), "noise": operator.noise}
    elif isinstance(operator, KSpaceCrop):
        fields = asdict(operator)
    else:
        fields = {}
    return {"kind": operator.kind, **fields}


def operator_from_dict(values: dict[str, Any]) -> AxisOperator:
    """Return the operator that ``operator_to_dict`` wrote.

    Raises:
        ModelError: an unknown kind, or fields that are missing, too many or impossible.
    """
    fields = dict(values)
    kind = fields.pop("kind", None)
    try:
        if kind == Identity.kind:
            return Identity(**fields)
        if kind == KSpaceCrop.kind:
            return KSpaceCrop(**fields)
        if kind == Slices.kind:
            noise, centres = fields.pop("noise", 0.0), tuple(fields.pop("centres"))
            return Slices(SliceProfile(centres=centres, **fields), noise)
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"The forward model's axis {values} cannot be used: {error}") from error
    kinds = ", ".join((Identity.kind, KSpaceCrop.kind, Slices.kind))
    raise ModelError(f"A forward model's axis is of one of the kinds {kinds}, not {kind!r}")
