"""Real thick slices: what one stack of a patient lacks through plane, another stack measured in plane.

The stacks of one patient are registered rigidly (SimpleITK, mutual information), interpolated linearly and each blurred
as the other one's slices blur it: stacks that are blurred along different axes match best a little beside where they
belong. What a method computes of one stack is then looked at as the other stack would have measured it: at the centres
of its voxels, averaged over its own slice thickness. Two correlations over the voxels that both stacks cover say how
well it agrees:

    intensity   of the intensities
    detail      of what a blur along the first stack's slice axis, as wide as its slices are apart, takes from both:
                detail that the first stack could not measure and the second could

A pair of parallel stacks of one scan, thick and thin, gives PSNR and the profile of edges across the slices besides. It
shares the frame of its headers, which are believed where the registration would move a stack by less than a voxel. Of
the others a pair whose linear interpolation correlates with the other stack by less than 0.7 counts as not registered
(organs move): it is said and left out.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_SHAPE
from SuperResolution3DLib.inference.slice_stack import SliceStack, slice_stack
from SuperResolution3DLib.volumes.body_axes import is_isotropic
from SuperResolution3DLib.volumes.volume import Volume
from Training.evaluation.edge_profile import EdgeProfile
from Training.evaluation.slice_blur import blurred, slice_step
from Training.evaluation.slice_methods import SliceMethod, linear_interpolation
from Training.evaluation.stack_comparison import Comparison
from Training.evaluation.stack_registration import registered

log = logging.getLogger(__name__)

PARALLEL = 0.9  # cosine between slice axes
LEAST_AGREEMENT = 0.7  # correlation of intensities, of linear interpolation, that a registration has to reach
LINEAR = SliceMethod("linear", linear_interpolation)


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
    """mm by which the registration moves the second stack's centre"""
    rise: float | None
    """mm in which the mean edge across the slices rises from 10 to 90 %, for parallel stacks of one scan"""

    def row(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class StackPair:
    """A stack, seen by another one."""

    set: str
    first: str
    second: str
    shift: float
    """mm by which the registration moves the second stack's centre"""
    was_moved: bool
    """False: the headers of parallel stacks were believed"""
    scores: list[StackScore] = field(default_factory=list)
    views: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """of each method, and of the second stack under its own name: middle views (H, W), the first one's slice axis up"""
    view_sizes: tuple[tuple[float, float], ...] = ()
    """mm of each view's pixels (H, W)"""
    edges: dict[str, EdgeProfile] = field(default_factory=dict)
    """of each method, and of the second stack; empty where there are too few edges, or the stacks are not parallel"""


@dataclass(frozen=True)
class Stack:
    """A stack and its name."""

    name: str
    volume: Volume


def score_set(name: str, stacks: Sequence[Stack], methods: Sequence[SliceMethod]) -> Iterator[StackPair]:
    """Score methods on each stack of a patient by each other one; pairs that do not overlap or cannot be registered are
    named and left out.

    Args:
        name: of the set.
        stacks: two or more.
        methods: to be scored.

    Raises:
        GeometryError: a stack without a unique slice axis.
    """
    for first in stacks:
        others = [stack for stack in stacks if stack is not first and _learns(first.volume, stack.volume)]
        if not others:
            continue
        slices = slice_stack(first.volume)
        linear, *computed = between(first.volume, slices, [LINEAR, *methods])
        results = [(method.name, result) for method, result in zip(methods, computed, strict=True)]
        for second in others:
            parallel = _are_parallel(first.volume, second.volume)
            seen = second.volume
            fine = seen if is_isotropic(seen.spacing) else between(seen, slice_stack(seen), [LINEAR])[0]
            step = slice_step(first.volume, slices.axis.axis)
            try:
                motion, shift = registered(blurred(fine, step), blurred(linear, slice_step(seen)))
                was_moved = not parallel or shift > max(seen.spacing)
                comparison = Comparison(
                    first.volume, slices, Volume(seen.array, motion @ seen.affine) if was_moved else seen
                )
            except VolumeError as error:
                log.warning("%s: %s and %s are left out: %s", name, first.name, second.name, error)
                continue
            agreement = comparison.intensity(comparison.sampled(linear))
            if was_moved and agreement < LEAST_AGREEMENT:
                log.warning(
                    "%s: %s and %s are left out: after registration they correlate by %.2f only",
                    *(name, first.name, second.name, agreement),
                )
                continue
            pair = StackPair(name, first.name, second.name, shift, was_moved, view_sizes=comparison.view_sizes)
            edges = comparison.edges() if parallel else None
            for method, result in results:
                sampled = comparison.sampled(result)
                pair.views[method] = comparison.views(sampled)
                if edges is not None:
                    pair.edges[method] = comparison.edge_profile(sampled, edges)
                score = StackScore(
                    set=name,
                    first=first.name,
                    second=second.name,
                    method=method,
                    intensity=comparison.intensity(sampled),
                    detail=comparison.detail(sampled),
                    psnr=comparison.psnr(sampled) if parallel else None,
                    voxels=int(comparison.counted.sum()),
                    shift=shift,
                    rise=pair.edges[method].rise if method in pair.edges else None,
                )
                pair.scores.append(score)
            pair.views[second.name] = comparison.views(comparison.seen)
            if edges is not None:
                pair.edges[second.name] = comparison.edge_profile(comparison.seen, edges)
            yield pair


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


def _learns(first: Volume, second: Volume) -> bool:
    """Tell whether a stack has slices, and the second one measured what lies between them."""
    if is_isotropic(first.spacing):
        return False
    return not _are_parallel(first, second) or slice_stack(first).spacing > max(second.spacing)


def _are_parallel(first: Volume, second: Volume) -> bool:
    one, other = slice_step(first, slice_stack(first).axis.axis), slice_step(second)
    return abs(float(one @ other)) > PARALLEL * float(np.linalg.norm(one) * np.linalg.norm(other))
