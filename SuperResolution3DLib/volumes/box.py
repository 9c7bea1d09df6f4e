"""Boxes of voxels: cutting a volume into tiles, widening them, placing one inside another. All are (D, H, W)."""

from itertools import product

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
