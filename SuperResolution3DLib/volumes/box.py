"""Boxes of voxels: cutting a volume into tiles, widening them, placing one inside another. All are (D, H, W)."""

import math
from itertools import pairwise, product

from SuperResolution3DLib.volumes.geometry import Scale

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]


def whole(shape: tuple[int, ...]) -> Box:
    """Return the box of a whole volume."""
    depth, height, width = (slice(0, size) for size in shape)
    return depth, height, width


def box_shape(box: Box) -> Shape:
    depth, height, width = (part.stop - part.start for part in box)
    return depth, height, width


def box_start(box: Box) -> Shape:
    depth, height, width = (part.start for part in box)
    return depth, height, width


def box_text(box: Box) -> str:
    """Return a box as the command line and the report write it: ``D0:D1,H0:H1,W0:W1``."""
    return ",".join(f"{part.start}:{part.stop}" for part in box)


def tiles(box: Box, tile: Shape) -> list[Box]:
    """Cut a box into boxes of at most ``tile`` voxels."""
    cuts = [
        [slice(at, min(at + step, part.stop)) for at in range(part.start, part.stop, step)]
        for part, step in zip(box, tile, strict=True)
    ]
    return [(depth, height, width) for depth, height, width in product(*cuts)]


def equal_tiles(box: Box, tile: Shape, halo: Shape, shape: Shape) -> list[tuple[Box, Box]]:
    """Cut a box into tiles which, with the halo around them, all have one shape; return each without and with it.

        volume   |[================ box ================]|
        without  |[           ][            ][          ]|
        with     |[                ]                     |   longer than it needs, as the others
                 |          [                 ]          |
                 |                     [                ]|   moved back to end where the volume ends

    One shape for all lets each tile lie in the memory of the one before.

    Args:
        box: what is wanted of the volume.
        tile: the most voxels of a tile without its halo.
        halo: voxels that a tile needs around it, as far as the volume reaches.
        shape: of the volume.
    """
    cuts = [_equal_cuts(*axis) for axis in zip(box, tile, halo, shape, strict=True)]
    return [
        ((depth[0], height[0], width[0]), (depth[1], height[1], width[1])) for depth, height, width in product(*cuts)
    ]


def padded_shape(box: Box, tile: Shape, halo: Shape, shape: Shape) -> Shape:
    """Return the shape that all of the ``equal_tiles`` have with their halo."""
    cuts = [_equal_cuts(*axis)[0][1] for axis in zip(box, tile, halo, shape, strict=True)]
    return box_shape((cuts[0], cuts[1], cuts[2]))


def _equal_cuts(part: slice, most: int, reach: int, size: int) -> list[tuple[slice, slice]]:
    """Cut one axis, see ``equal_tiles``."""
    length = part.stop - part.start
    count = math.ceil(length / most)
    ends = [part.start + length * number // count for number in range(count + 1)]
    starts = [max(end - reach, 0) for end in ends[:-1]]
    edge = max(min(end + reach, size) - start for start, end in zip(starts, ends[1:], strict=True))
    last = min(part.stop + reach, size) - edge
    padded = [slice(start, start + edge) for start in (min(start, last) for start in starts)]
    return list(zip((slice(*pair) for pair in pairwise(ends)), padded, strict=True))


def expand(box: Box, halo: Shape, shape: Shape) -> Box:
    """Widen a box by a halo, as far as the volume of the given shape reaches."""
    depth, height, width = (
        slice(max(part.start - reach, 0), min(part.stop + reach, size))
        for part, reach, size in zip(box, halo, shape, strict=True)
    )
    return depth, height, width


def relative(box: Box, outer: Box) -> Box:
    """Return the box in the indices of a box that holds it."""
    depth, height, width = (
        slice(part.start - origin.start, part.stop - origin.start) for part, origin in zip(box, outer, strict=True)
    )
    return depth, height, width


def scaled(box: Box, scale: Scale) -> Box:
    """Return the HR voxels of a box of LR voxels."""
    depth, height, width = (
        slice(part.start * factor, part.stop * factor) for part, factor in zip(box, scale, strict=True)
    )
    return depth, height, width


def intersection(first: Box, second: Box) -> Box | None:
    """Return what two boxes share, None if nothing."""
    depth, height, width = (
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first, second, strict=True)
    )
    if any(part.start >= part.stop for part in (depth, height, width)):
        return None
    return depth, height, width


def sr_shape(lr_shape: Shape, scale: Scale) -> Shape:
    """Return the shape (D, H, W) of the result."""
    depth, height, width = (size * factor for size, factor in zip(lr_shape, scale, strict=True))
    return depth, height, width
