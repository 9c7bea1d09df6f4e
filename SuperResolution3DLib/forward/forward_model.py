"""The forward model of a scan: one linear operator per axis, to degrade, to interpolate and to keep consistent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.forward.axis_operator import (
    AxisOperator,
    Identity,
    KSpaceCrop,
    Slices,
    operator_from_dict,
    operator_to_dict,
)
from SuperResolution3DLib.forward.axis_product import Array, multiply_axes
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DLib.volumes.geometry import Grid, Scale

BLOCK_VOXELS = 2**24  # HR voxels that NumPy handles at once where an axis allows it: 64 MiB in float32


@dataclass(frozen=True)
class ForwardModel:
    """How an LR volume came about from the HR volume, along each axis (D, H, W)."""

    axes: tuple[AxisOperator, AxisOperator, AxisOperator]

    @classmethod
    def k_space(cls, scale: Scale, grid: Grid = "center") -> "ForwardModel":
        """Return the paper's forward model (paper 4.3, linear) for a factor per axis (D, H, W)."""
        depth, height, width = (Identity() if factor == 1 else KSpaceCrop(factor, grid) for factor in scale)
        return cls((depth, height, width))

    @classmethod
    def slices(cls, profile: SliceProfile, noise: float = 0.0, axis: int = 0) -> "ForwardModel":
        """Return the forward model of slices along one array axis: 0, 1 or 2 for D, H or W."""
        depth, height, width = (Slices(profile, noise) if axis == index else Identity() for index in range(3))
        return cls((depth, height, width))

    def lr_shape(self, hr_shape: tuple[int, ...]) -> Shape:
        """Return the LR's (D, H, W); raise ValueError where an axis does not fit."""
        depth, height, width = (axis.lr_size(size) for axis, size in zip(self.axes, hr_shape[-3:], strict=True))
        return depth, height, width

    def hr_shape(self, lr_shape: tuple[int, ...]) -> Shape:
        """Return the HR's (D, H, W); raise ValueError where an axis does not fit."""
        depth, height, width = (axis.hr_size(size) for axis, size in zip(self.axes, lr_shape[-3:], strict=True))
        return depth, height, width

    def degrade(self, hr: Array) -> Array:
        """Return the LR volume that the scan would have measured.

        Args:
            hr: (..., D, H, W) NumPy or torch, any unit; computed in its precision, integers in float64.

        Returns:
            (..., D', H', W') of ``lr_shape``, in the same unit.

        Raises:
            ValueError: an axis does not fit.
        """
        return multiply_axes(hr, self._matrices(hr.shape, lambda axis, size: axis.degradation(size)))

    def interpolate(self, lr: Array) -> Array:
        """Return the interpolation without a network that agrees with the measured LR: zero-filled k-space, or a spline
        through the slices that is corrected for their profile.

        Args:
            lr: (..., D, H, W) NumPy or torch, any unit.

        Returns:
            (..., D', H', W') of ``hr_shape``, in the same unit.

        Raises:
            ValueError: an axis does not fit.
        """
        return multiply_axes(lr, self._matrices(lr.shape, lambda axis, size: axis.interpolation(size)))

    def residual(self, hr: Array, lr: Array) -> Array:
        """Return ``degrade(hr) - lr``, (..., D, H, W) on the LR grid, in the unit of the volumes.

        It says whether the HR agrees with what was measured; detail that the scan cannot see leaves no residual.
        """
        self._check(hr, lr)
        return self.degrade(hr) - lr

    def project(self, hr: Array, lr: Array) -> Array:
        """Return the volume nearest to the HR that the scan would have measured as the LR.

        ``hr + A^T (A A^T + eps I)^-1 (lr - A hr)``. Exact where ``regularisation`` is 0; else the residual shrinks
        without vanishing, so ``residual`` says what is left.

        Args:
            hr: (..., D', H', W') NumPy or torch.
            lr: (..., D, H, W) of the same kind, in the same unit.

        Raises:
            ValueError: shapes that do not belong together.
        """
        self._check(hr, lr)
        matrices = self._matrices(lr.shape, lambda axis, size: axis.back_projection(size))
        if not isinstance(hr, np.ndarray):
            return hr - multiply_axes(self.degrade(hr) - lr, matrices)
        projected = np.array(hr, dtype=np.float32 if hr.dtype == np.float32 else np.float64)
        for block in self.blocks(hr.shape):
            projected[block] -= multiply_axes(self.degrade(hr[block]) - lr[block], matrices)
        return projected

    def regularisation(self) -> float:
        """Return the largest eps of the three axes; 0 says that ``project`` leaves no residual."""
        return max(axis.regularisation() for axis in self.axes)

    def to_dict(self) -> dict[str, Any]:
        """Return this model as it is written to JSON."""
        return {"axes": [operator_to_dict(axis) for axis in self.axes]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ForwardModel":
        """Return the model that ``to_dict`` wrote.

        Raises:
            ModelError: not three axes, or an axis that cannot be used.
        """
        axes = values.get("axes")
        if not isinstance(axes, list) or len(axes) != 3 or not all(isinstance(axis, dict) for axis in axes):
            raise ModelError(f"A forward model has three axes (D, H, W), not {values}")
        depth, height, width = (operator_from_dict(axis) for axis in axes)
        return cls((depth, height, width))

    def blocks(self, shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
        """Cut volumes of an HR shape (..., D, H, W) along the first axis that no operator touches, to bound the memory.

        A block indexes HR and LR alike, because they are the same along that axis.
        """
        untouched = next((index for index, axis in enumerate(self.axes) if isinstance(axis, Identity)), None)
        if untouched is None:
            yield (...,)
            return
        size = shape[untouched - 3]
        step = max(BLOCK_VOXELS * size // max(int(np.prod(shape)), 1), 1)
        for start in range(0, size, step):
            yield (..., slice(start, start + step), *(slice(None),) * (2 - untouched))

    def _matrices(
        self, shape: tuple[int, ...], matrix: Callable[[AxisOperator, int], np.ndarray]
    ) -> list[np.ndarray | None]:
        """Return the matrix of each axis of a volume, None for an axis that is left alone."""
        return [
            None if isinstance(axis, Identity) else matrix(axis, size)
            for axis, size in zip(self.axes, shape[-3:], strict=True)
        ]

    def _check(self, hr: Array, lr: Array) -> None:
        expected = (*hr.shape[:-3], *self.lr_shape(hr.shape))
        if tuple(lr.shape) != expected:
            raise ValueError(f"An HR of shape {tuple(hr.shape)} has an LR of {expected}, not {tuple(lr.shape)}")
