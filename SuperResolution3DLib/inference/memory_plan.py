"""Sizes, bytes and seconds of a run, from the model's card and the volume's shape alone (no torch)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from SuperResolution3DLib.advice import SMALLER_REGION
from SuperResolution3DLib.errors import ResourceError
from SuperResolution3DLib.inference.sliding_window import WindowGrid
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.box import Box, Shape, box_shape, expand, padded_shape, sr_shape

GIB = 1024**3
MIB = 1024**2
FREE_SHARE = 0.8  # of the free memory that a run may take by default
DEFAULT_TRUNK_HALO = 16  # LR voxels, when the card has not measured one and the trunk sees farther than is worth it
LARGEST_TAIL_TILE = 32  # LR voxels per axis; larger ones gain nothing and leave the caches
LARGEST_TAIL_TILE_ON_GPU = 48  # where halos cost more than caches; still fewer numbers than 32 bits count
SMALLEST_TILE = 8  # LR voxels per axis
NETWORKS_OVERLAP = 0.5  # of the windows of a network that needs them; every voxel lies in the middle half of one
WORKSPACE = 1.3  # of the activations: reordered copies that convolution libraries make
# Likewise on the CPU, as measured by Testing/benchmarks/inference.py: the C library cuts what it aligns a little too
# short for the next tensor of the same size, so some of what is freed lies unused until the stage ends.
_TRUNK_ON_CPU = {4: 1.22, 2: 1.38}  # by the bytes of a number
_FIRST_TILE_ON_CPU, _TILES_ON_CPU = 1.1, 1.5  # of the tail
_WINDOWS_ON_CPU = 1.2


@dataclass(frozen=True)
class TilePlan:
    """How a volume is cut: tile sizes in LR voxels (D, H, W), without their halos."""

    trunk_tile: Shape
    trunk_halo: int
    tail_tile: Shape
    tail_halo: Shape
    peak_bytes: int
    """on the device, estimated"""

    def halved(self) -> "TilePlan | None":
        """Return the plan with half the tile in each part along its longest axis, or None at the smallest tile."""
        if max(self.trunk_tile) <= SMALLEST_TILE and max(self.tail_tile) <= SMALLEST_TILE:
            return None
        return TilePlan(
            halve(self.trunk_tile), self.trunk_halo, halve(self.tail_tile), self.tail_halo, self.peak_bytes // 2
        )


@dataclass(frozen=True)
class Run:
    """What is computed; the engine plans by it, and whoever forecasts a run."""

    card: ModelCard
    shape: Shape
    """(D, H, W) of the LR volume"""
    region: Box
    """LR voxels (D, H, W) whose result is wanted"""
    window: int | None = None
    """edge of the windows that were asked for, LR voxels"""
    on_disk: bool = False
    """the result does not lie in main memory"""
    results_beside: int = 0
    """how many of the result's size there are beside it, in fp32: in an ensemble the mean so far"""

    @property
    def edge(self) -> int | None:
        """Return the edge of the windows that it runs in, asked for or not."""
        windows = chosen_windows(self.card, self.window, 0)
        return None if windows is None else windows[0]

    @property
    def result_voxels(self) -> int:
        return math.prod(sr_shape(box_shape(self.region), self.card.scale))

    @property
    def result_bytes(self) -> int:
        """Return the main memory of the result in fp32, as the network gives it."""
        return 0 if self.on_disk else 4 * self.result_voxels

    @property
    def bytes_beside(self) -> int:
        """Return the main memory of the results beside it."""
        return self.results_beside * self.result_bytes

    @property
    def feature_bytes(self) -> int:
        """Return what the features of the trunk take in fp32; windows keep none."""
        return 0 if self.edge is not None else 4 * math.prod(self.needed) * self.card.footprint().features

    @property
    def needed(self) -> Shape:
        """Return the shape (D, H, W) of the LR voxels whose features the tail sees."""
        return box_shape(expand(self.region, tail_halo(self.card), self.shape))


def host_bytes(
    run: "Run",
    itemsize: int,
    *,
    with_zero_filled: bool = False,
    ensemble: bool = False,
    with_trust_map: bool = False,
) -> int:
    """Return the main memory that the result takes: in fp32 while it is computed, and in the file's type.

    In windows there is the sum of their weights in fp32, too, and in an ensemble the mean of the results so far, but
    only until the result gets the file's type. For a trust map there are up to seven volumes in fp32 (two models'
    results, the spread, and what the signals are made of) until it becomes one byte a voxel.
    """
    second = max(itemsize, 4 * ((run.edge is not None) + ensemble))
    held = max(4 + second, 4 * 7) + 1 if with_trust_map else 4 + second
    return run.result_voxels * (held + (itemsize if with_zero_filled else 0))


def tail_halo(card: ModelCard) -> Shape:
    """Return the LR voxels per axis that the tail sees beyond a tile: exact, from its convolutions."""
    return card.footprint().tail_halo


def trunk_halo(card: ModelCard) -> int:
    """Return the LR voxels around a trunk tile: as measured for a relative error of 1e-3, else all that it sees."""
    reach = card.footprint().trunk_reach
    return int(card.performance.get("trunk_halo", DEFAULT_TRUNK_HALO if reach is None else reach))


def trunk_is_exact(card: ModelCard, halo: int) -> bool:
    """Tell whether a trunk that is tiled with this halo computes the same as the whole trunk."""
    reach = card.footprint().trunk_reach
    return reach is not None and halo >= reach


def chosen_windows(card: ModelCard, window: int | None, overlap: float) -> tuple[int, float] | None:
    """Return edge (LR voxels) and overlap of the windows of a run: those asked for, else those that the network needs.

    None: the network runs whole or in tiles.
    """
    if window is not None:
        return window, overlap
    needed = card.footprint().window
    return None if needed is None else (needed, NETWORKS_OVERLAP)


def window_voxels(shape: Shape, region: Box, edge: int, overlap: float) -> int:
    """Return the LR voxels that pass through the network in windows, those in several windows every time.

    Args:
        shape: (D, H, W) of the LR volume, over which the windows are laid.
        region: the LR voxels whose result is wanted; windows beside it are left out.
        edge: of a window, LR voxels.
        overlap: of neighbouring windows, in [0, 1).
    """
    grid = WindowGrid(shape, edge, overlap)
    return grid.count(region) * math.prod(grid.window)


def plan_tiles(run: Run, itemsize: int, device_bytes: float, *, on_cpu: bool) -> TilePlan:
    """Choose the largest tiles that fit: all at once through the trunk if possible; windows are taken as they are.

    Args:
        run: what is computed.
        itemsize: bytes of a number on the device, 2 or 4.
        device_bytes: what the run may take on the device.
        on_cpu: whether the result shares that memory.

    Raises:
        ResourceError: not even the smallest tiles fit.
    """
    if run.edge is not None:
        return _plan_windows(run, run.edge, itemsize, device_bytes, on_cpu=on_cpu)
    card, shape, size = run.card, run.shape, run.card.footprint()
    needed = expand(run.region, size.tail_halo, shape)
    halo = trunk_halo(card)
    volume = 4 * math.prod(shape) + (run.bytes_beside if on_cpu else 0)
    features = math.prod(box_shape(needed)) * size.features * itemsize
    held = volume + (run.result_bytes if on_cpu else 0)  # while the tail runs, beside the features

    def kept(tile: Shape) -> int:  # of the features
        return 0 if on_cpu and run.on_disk and tile != box_shape(needed) else features

    def trunk_bytes(tile: Shape) -> float:
        is_whole = tile == box_shape(needed)
        workspace = _TRUNK_ON_CPU[itemsize] if on_cpu else WORKSPACE
        padded = padded_shape(needed, tile, (halo,) * 3, shape)
        beside = 0 if is_whole and on_cpu else kept(tile)  # a whole trunk's last activations become the features
        return volume + beside + tile_bytes(padded, size.trunk_channels * itemsize, workspace)

    def tail_bytes(tile: Shape) -> float:
        padded = padded_shape(run.region, tile, size.tail_halo, shape)
        if not on_cpu:
            beside = 2 * 4 * math.prod(sr_shape(padded, card.scale))  # its interpolation, and the tile before
            return held + kept(trunk_tile) + beside + tile_bytes(padded, size.tail_channels * itemsize)
        workspace = _FIRST_TILE_ON_CPU if padded == box_shape(needed) else _TILES_ON_CPU
        channels = size.tail_channels_on_cpu or size.tail_channels
        return held + kept(trunk_tile) + tile_bytes(padded, channels * itemsize, workspace)

    trunk_tile = fitting(box_shape(needed), trunk_bytes, device_bytes)
    edge = LARGEST_TAIL_TILE if on_cpu else LARGEST_TAIL_TILE_ON_GPU
    tail_tile = fitting(limited(box_shape(needed), (edge,) * 3), tail_bytes, device_bytes)
    peak = max(trunk_bytes(trunk_tile), tail_bytes(tail_tile))
    check_peak(peak, device_bytes, SMALLER_REGION)
    return TilePlan(trunk_tile, halo, tail_tile, size.tail_halo, int(peak))


def _plan_windows(run: Run, edge: int, itemsize: int, device_bytes: float, *, on_cpu: bool) -> TilePlan:
    """Plan windows, which are the tiles: they are neither widened nor halved, and their weights are summed, too."""
    size = run.card.footprint()
    channels = (size.tail_channels_on_cpu if on_cpu else None) or size.tail_channels
    window = limited(run.shape, (edge,) * 3)
    workspace = _WINDOWS_ON_CPU if on_cpu else WORKSPACE
    peak = (
        4 * math.prod(run.shape)
        + (2 * run.result_bytes + run.bytes_beside if on_cpu else 0)
        + tile_bytes(window, max(channels, size.trunk_channels) * itemsize, workspace)
    )
    check_peak(peak, device_bytes, SMALLER_REGION)
    return TilePlan(window, 0, window, (0, 0, 0), int(peak))


def size_text(num_bytes: int) -> str:
    """Return a size as a person reads it: ``12 MiB``, ``3.4 GiB``."""
    return f"{num_bytes / GIB:.1f} GiB" if num_bytes >= GIB else f"{max(num_bytes / MIB, 1):.0f} MiB"


def tile_bytes(padded: Shape, bytes_per_voxel: int, workspace: float = WORKSPACE) -> float:
    """Return the bytes that a tile takes with its halo, and with what convolution libraries take beside it."""
    return workspace * math.prod(padded) * bytes_per_voxel


def limited(shape: Shape, most: Shape) -> Shape:
    """Return a shape that is nowhere larger than ``most``."""
    depth, height, width = (min(size, edge) for size, edge in zip(shape, most, strict=True))
    return depth, height, width


def fitting(tile: Shape, needed: Callable[[Shape], float], allowed: float, smallest: int = SMALLEST_TILE) -> Shape:
    """Halve a tile along its longest axis until the bytes that it needs are allowed, or it is as small as may be."""
    while needed(tile) > allowed and max(tile) > smallest:
        tile = halve(tile)
    return tile


def check_peak(peak: float, allowed: float, advice: Sentence) -> None:
    """Refuse a run whose smallest tiles do not fit; both in bytes.

    Raises:
        ResourceError: the peak is larger than what is allowed.
    """
    if peak > allowed:
        raise ResourceError(
            Sentence(
                "memory-needed",
                {"needed": f"{peak / GIB:.2f}", "allowed": f"{allowed / GIB:.2f}", "advice": advice},
            )
        )


def halve(tile: Shape) -> Shape:
    """Halve the longest axis, never below the smallest tile."""
    longest = max(range(3), key=lambda axis: tile[axis])
    sizes = list(tile)
    sizes[longest] = max(math.ceil(sizes[longest] / 2), min(SMALLEST_TILE, sizes[longest]))
    return sizes[0], sizes[1], sizes[2]
