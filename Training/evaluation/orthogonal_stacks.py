"""Real thick slices: what one stack of a patient lacks through plane, another stack measured in plane.

The stacks of one patient are registered rigidly (SimpleITK, mutual information). What a method computes of one stack is
then looked at as the other stack would have measured it: at the centres of its voxels, averaged over its own slice
thickness. Two correlations over the voxels that both stacks cover say how well it agrees:

    intensity   of the intensities
    detail      of what a blur along the first stack's slice axis, as wide as its slices are apart, takes from both:
                detail that the first stack could not measure and the second could

A pair of parallel stacks of one scan, thick and thin, gives PSNR besides. A pair whose linear interpolation correlates
with the other stack by less than 0.7 counts as not registered (organs move): it is said and left out.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter1d, map_coordinates

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_SHAPE
from SuperResolution3DLib.inference.slice_stack import SliceStack, slice_stack
from SuperResolution3DLib.metrics.foreground import otsu_threshold
from SuperResolution3DLib.volumes.volume import Volume
from Training.evaluation.slice_methods import SliceMethod, linear_interpolation

log = logging.getLogger(__name__)

WIDTH_TO_SIGMA = 1 / 2.3548  # of a Gaussian's full width at half maximum
LARGEST_SHIFT = 20.0  # mm, and degrees: beyond, the registration is not believed
SAMPLED = (0.3, 0.2, 0.05)  # share of the voxels that the registration looks at, coarse to fine
FEWEST_VOXELS = 1000  # that two stacks share
THICKNESS_SAMPLES = 5  # across the second stack's slices
PARALLEL = 0.9  # cosine between slice axes
LEAST_AGREEMENT = 0.7  # correlation of intensities, of linear interpolation, that a registration has to reach


@dataclass(frozen=True)
class StackScore:
    """One method on one stack of a set, seen by another stack."""

    set: str
    first: str
    """the stack that was computed from"""
    second: str
    """the stack that it is compared with"""
    method: str
    intensity: float
    detail: float
    psnr: float | None
    """dB, for parallel stacks of one scan; None for others"""
    voxels: int
    """that were compared"""
    shift: float
    """mm by which the registration moved the second stack's centre"""

    def row(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Stack:
    """A stack and its name."""

    name: str
    volume: Volume


def score_set(name: str, stacks: Sequence[Stack], methods: Sequence[SliceMethod]) -> Iterator[StackScore]:
    """Score methods on each stack of a patient by each other one.

    Args:
        name: of the set.
        stacks: two or more.
        methods: to be scored.

    Raises:
        VolumeError: two stacks do not overlap, or cannot be registered.
    """
    for first in stacks:
        slices = slice_stack(first.volume)
        linear, *computed = between(first.volume, slices, [SliceMethod("linear", linear_interpolation), *methods])
        results = [(method.name, result) for method, result in zip(methods, computed, strict=True)]
        for second in stacks:
            if second is first:
                continue
            parallel = _are_parallel(first.volume, second.volume)
            if parallel and slices.spacing <= max(second.volume.spacing):
                continue  # a thin stack learns nothing of a thick one
            moved, shift = registered(second.volume, linear)
            comparison = _Comparison(first.volume, slices, moved)
            agreement = comparison.intensity(comparison.sampled(linear))
            if agreement < LEAST_AGREEMENT:
                log.warning(
                    "%s: %s and %s are left out: after registration they correlate by %.2f only",
                    *(name, first.name, second.name, agreement),
                )
                continue
            for method, result in results:
                sampled = comparison.sampled(result)
                yield StackScore(
                    set=name,
                    first=first.name,
                    second=second.name,
                    method=method,
                    intensity=comparison.intensity(sampled),
                    detail=comparison.detail(sampled),
                    psnr=comparison.psnr(sampled) if parallel else None,
                    voxels=int(comparison.counted.sum()),
                    shift=shift,
                )


def between(volume: Volume, stack: SliceStack, methods: Sequence[SliceMethod]) -> list[Volume]:
    """Return what methods compute between the slices of a stack, in the file's axis order, float32."""
    axis = stack.axis.axis
    profile = stack.profile(stack.target_spacing(), DEFAULT_SHAPE)
    lr = np.moveaxis(volume.array, axis, 0).astype(np.float32)
    pixel = float(np.mean(stack.axis.in_plane))
    affine = np.array(volume.affine)
    column = affine[:3, 2 - axis] / np.linalg.norm(affine[:3, 2 - axis])
    affine[:3, 2 - axis] = column * profile.hr_spacing
    affine[:3, 3] += column * (profile.hr_spacing - profile.spacing) / 2
    results = (np.moveaxis(method.compute(lr, profile, pixel), 0, axis) for method in methods)
    return [Volume(np.ascontiguousarray(result, np.float32), affine) for result in results]


def registered(moving: Volume, fixed: Volume) -> tuple[Volume, float]:
    """Move a stack onto another rigidly; return it with its new affine, and by how many mm its centre moved.

    Both start where their headers say, so only what the patient moved is looked for.

    Raises:
        VolumeError: the registration fails, or moves farther than a patient does between two stacks.
    """
    target, source = (_image(volume) for volume in (fixed, moving))
    centre = target.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in target.GetSize()])
    start = sitk.Euler3DTransform()
    start.SetCenter(centre)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentagePerLevel(SAMPLED, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 100)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(start, inPlace=False)
    try:
        found = sitk.Euler3DTransform(method.Execute(target, source).GetBackTransform())
    except RuntimeError as error:
        raise VolumeError(f"The stacks cannot be registered: {str(error).strip().splitlines()[-1]}") from error
    shift = float(np.linalg.norm(found.GetTranslation()))
    turn = float(np.degrees(np.abs([found.GetAngleX(), found.GetAngleY(), found.GetAngleZ()]).max()))
    if max(shift, turn) > LARGEST_SHIFT:
        raise VolumeError(f"The registration moves a stack by {shift:.1f} mm, {turn:.1f} degrees: not believed")
    return _moved(moving, found), shift


def _moved(volume: Volume, transform: sitk.Euler3DTransform) -> Volume:
    """Return a volume moved by the inverse of a transform that maps fixed points (LPS mm) to its own."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, translation = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    matrix[:3, 3] = translation + centre - matrix[:3, :3] @ centre
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    return Volume(volume.array, to_lps @ np.linalg.inv(matrix) @ to_lps @ volume.affine)


class _Comparison:
    """A result on one stack, seen as another one measured, over the voxels of the latter."""

    def __init__(self, first: Volume, slices: SliceStack, moved: Volume) -> None:
        """Find what both cover.

        Raises:
            VolumeError: hardly anything.
        """
        self._points, self._offsets = _voxel_points(moved), _thickness_offsets(moved)
        self._seen = moved.array.astype(np.float64)
        self.counted = _inside(self._points, first) & (self._seen > otsu_threshold(moved.array) / 2)
        if self.counted.sum() < FEWEST_VOXELS:
            raise VolumeError(f"Two stacks share only {self.counted.sum()} voxels of tissue")
        self._axis, self._sigma = _axis_and_sigma(moved, first, slices)

    def sampled(self, result: Volume) -> np.ndarray:
        """Return a result at the voxels of the other stack, averaged over its slices' thickness."""
        total = np.zeros(self._seen.shape)
        for offset in self._offsets:
            total += _sample(result, self._points + offset)
        return total / len(self._offsets)

    def intensity(self, sampled: np.ndarray) -> float:
        return _correlation(sampled[self.counted], self._seen[self.counted])

    def detail(self, sampled: np.ndarray) -> float:
        return _correlation(self._high(sampled)[self.counted], self._high(self._seen)[self.counted])

    def psnr(self, sampled: np.ndarray) -> float:
        """Return the PSNR in dB, its range from 0 or the 0.1 percentile (CT) to the 99.9 percentile."""
        seen = self._seen[self.counted]
        low, high = min(0.0, float(np.percentile(seen, 0.1))), float(np.percentile(seen, 99.9))
        return float(10 * np.log10((high - low) ** 2 / np.mean(np.square(sampled[self.counted] - seen))))

    def _high(self, volume: np.ndarray) -> np.ndarray:
        return volume - gaussian_filter1d(volume, self._sigma, axis=self._axis, mode="nearest")


def _image(volume: Volume) -> sitk.Image:
    """Return a SimpleITK image of a volume, whose space is LPS."""
    image = sitk.GetImageFromArray(volume.array.astype(np.float32))
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    flip = np.diag([-1.0, -1.0, 1.0])
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((flip @ volume.affine[:3, 3]).tolist())
    image.SetDirection((flip @ (volume.affine[:3, :3] / spacing)).ravel().tolist())
    return image


def _voxel_points(volume: Volume) -> np.ndarray:
    """Return the centres of all voxels, (D, H, W, 3) RAS mm."""
    k, j, i = np.indices(volume.shape)
    return np.stack([i, j, k], axis=-1) @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def _thickness_offsets(volume: Volume) -> np.ndarray:
    """Return the places (N, 3) in mm around a voxel's centre that its slice is averaged over."""
    axis = int(np.argmax(volume.spacing))
    column = volume.affine[:3, 2 - axis]
    shares = (np.arange(THICKNESS_SAMPLES) + 0.5) / THICKNESS_SAMPLES - 0.5
    return shares[:, None] * column


def _inside(points: np.ndarray, volume: Volume) -> np.ndarray:
    """Tell which points (D, H, W, 3) lie in a volume's field of view."""
    index = _index(volume, points)
    return np.all([(index[axis] > -0.5) & (index[axis] < size - 0.5) for axis, size in enumerate(volume.shape)], axis=0)


def _sample(volume: Volume, points: np.ndarray) -> np.ndarray:
    return map_coordinates(volume.array, _index(volume, points), output=np.float64, order=1, mode="nearest")


def _index(volume: Volume, points: np.ndarray) -> np.ndarray:
    """Return points (D, H, W, 3) RAS mm in voxels of a volume, (3, D, H, W) in its array order."""
    inverse = np.linalg.inv(volume.affine)
    ijk = points @ inverse[:3, :3].T + inverse[:3, 3]
    return np.moveaxis(ijk[..., ::-1], -1, 0)


def _axis_and_sigma(moved: Volume, first: Volume, slices: SliceStack) -> tuple[int, float]:
    """Return the second stack's array axis nearest to the first one's slice axis, and the blur along it in voxels."""
    normal = first.affine[:3, 2 - slices.axis.axis]
    cosines = [
        abs(float(normal @ moved.affine[:3, 2 - axis])) / np.linalg.norm(normal) / moved.spacing[axis]
        for axis in range(3)
    ]
    axis = int(np.argmax(cosines))
    return axis, slices.spacing * WIDTH_TO_SIGMA / moved.spacing[axis]


def _are_parallel(first: Volume, second: Volume) -> bool:
    normals = [
        volume.affine[:3, 2 - axis] / volume.spacing[axis]
        for volume, axis in ((first, slice_stack(first).axis.axis), (second, int(np.argmax(second.spacing))))
    ]
    return abs(float(normals[0] @ normals[1])) > PARALLEL


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])
