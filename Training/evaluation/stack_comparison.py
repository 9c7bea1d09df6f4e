"""A result on one stack of a patient, seen as another stack measured the same place."""

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.inference.slice_stack import SliceStack
from SuperResolution3DLib.metrics.foreground import otsu_threshold
from SuperResolution3DLib.volumes.body_axes import MARGIN
from SuperResolution3DLib.volumes.volume import Volume
from Training.evaluation.edge_profile import EdgeProfile, Edges, edge_profile, sharpest_edges
from Training.evaluation.slice_blur import axis_and_sigma, slice_step

FEWEST_VOXELS = 1000  # that two stacks share
THICKNESS_SAMPLES = 5  # across the second stack's slices
DARKEST_PERCENT = 0.1  # of the voxels may be darker than air
EDGE_REACH = 1.25  # slice spacings to either side of an edge that its profile shows


class Comparison:
    """A result on one stack, seen as another one measured, over the voxels of the latter."""

    def __init__(self, first: Volume, slices: SliceStack, moved: Volume) -> None:
        """Find what both cover.

        Raises:
            VolumeError: hardly anything.
        """
        self._points, self._offsets = _voxel_points(moved), _thickness_offsets(moved)
        self.seen = moved.array.astype(np.float64)
        self.counted = _inside(self._points, first) & (self.seen > _darkest_tissue(self.seen))
        if self.counted.sum() < FEWEST_VOXELS:
            raise VolumeError(f"Two stacks share only {self.counted.sum()} voxels of tissue")
        step = slice_step(first, slices.axis.axis)
        self._axis, self._sigma = axis_and_sigma(moved, step)
        self._spacing, self._reach = moved.spacing, EDGE_REACH * slices.spacing
        along = slice_step(moved, self._axis) @ step
        self._upwards = slice(None, None, 1 if along > 0 else -1)

    def sampled(self, result: Volume) -> np.ndarray:
        """Return a result at the voxels of the other stack, averaged over its slices' thickness."""
        total = np.zeros(self.seen.shape)
        for offset in self._offsets:
            total += _sample(result, self._points + offset)
        return total / len(self._offsets)

    def intensity(self, sampled: np.ndarray) -> float:
        return _correlation(sampled[self.counted], self.seen[self.counted])

    def detail(self, sampled: np.ndarray) -> float:
        return _correlation(self._high(sampled)[self.counted], self._high(self.seen)[self.counted])

    def psnr(self, sampled: np.ndarray) -> float:
        """Return the PSNR in dB, its range from 0 or the 0.1 percentile (CT) to the 99.9 percentile."""
        seen = self.seen[self.counted]
        low, high = min(0.0, float(np.percentile(seen, DARKEST_PERCENT))), float(np.percentile(seen, 99.9))
        return float(10 * np.log10((high - low) ** 2 / np.mean(np.square(sampled[self.counted] - seen))))

    def edges(self) -> Edges | None:
        """Return the sharpest edges across the slices that the other stack, a parallel thin one, shows."""
        d, h, w = self._order()
        spacing = (self._spacing[d], self._spacing[h], self._spacing[w])
        return sharpest_edges(self.seen.transpose(d, h, w), spacing, self._reach)

    def edge_profile(self, sampled: np.ndarray, edges: Edges) -> EdgeProfile:
        return edge_profile(sampled.transpose(self._order()), edges)

    @property
    def view_sizes(self) -> tuple[tuple[float, float], ...]:
        """Sizes in mm of the pixels (H, W) of each view."""
        return tuple((self._spacing[self._axis], self._spacing[axis]) for axis, _ in self._views())

    def views(self, volume: np.ndarray) -> list[np.ndarray]:
        """Return the middle of a volume on the other stack's grid: views with the first one's slice axis upwards."""
        turned = [np.moveaxis(volume, (self._axis, axis), (0, 1)) for axis, _ in self._views()]
        return [part[self._upwards, :, part.shape[2] // 2].astype(np.float32) for part in turned]

    def _order(self) -> tuple[int, int, int]:
        """Return the other stack's axes, that of the first one's slices first."""
        second, third = (axis for axis in range(3) if axis != self._axis)
        return self._axis, second, third

    def _views(self) -> list[tuple[int, int]]:
        """Return the axis across and the axis that is cut of each view; an axis of thick slices is not shown."""
        _, second, third = self._order()
        pairs = [(second, third), (third, second)]
        return [pair for pair in pairs if self._spacing[pair[0]] < MARGIN * min(self._spacing)] or pairs[:1]

    def _high(self, volume: np.ndarray) -> np.ndarray:
        return volume - gaussian_filter1d(volume, self._sigma, axis=self._axis, mode="nearest")


def _darkest_tissue(seen: np.ndarray) -> float:
    """Return the intensity halfway from air, which is 0 or in CT the lowest there is, to Otsu's threshold."""
    air = min(0.0, float(np.percentile(seen, DARKEST_PERCENT)))
    return (air + otsu_threshold(seen)) / 2


def _voxel_points(volume: Volume) -> np.ndarray:
    """Return the centres of all voxels, (D, H, W, 3) RAS mm."""
    k, j, i = np.indices(volume.shape)
    return np.stack([i, j, k], axis=-1) @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def _thickness_offsets(volume: Volume) -> np.ndarray:
    """Return the places (N, 3) in mm around a voxel's centre that its slice is averaged over."""
    shares = (np.arange(THICKNESS_SAMPLES) + 0.5) / THICKNESS_SAMPLES - 0.5
    return shares[:, None] * slice_step(volume)


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


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])
