"""Inference between thick slices: the trunk on the slices, the decoder streamed over the result tile by tile.

As for the other networks (see ``engine``), nothing changes by the cutting but where the trunk is tiled for want of
memory. Tiles are boxes of (slices, rows, columns) for the trunk and of (result voxels, rows, columns) for the decoder,
rows and columns counted in the trunk's voxels, which are a few pixels wide.
"""

import numpy as np
import torch
from torch import Tensor, nn

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.inference.devices import DTYPES
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.host_copies import HostCopies, copy_stream
from SuperResolution3DLib.inference.memory_plan import TilePlan
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.precision import is_accurate
from SuperResolution3DLib.inference.slice_plan import SliceGrid, SliceRun, in_trunk_voxels, plan_slices
from SuperResolution3DLib.kept_memory import give_back_memory
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.networks.hooks import before_each
from SuperResolution3DLib.networks.through_plane import SliceQuery, ThroughPlaneNet, slice_query
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.box import Box, Shape, box_shape, equal_tiles, expand, relative, whole
from SuperResolution3DLib.volumes.geometry import Orientation


class SliceEngine(Engine):
    """Runs one through-plane model on one device, for slices of any spacing and thickness."""

    def __init__(
        self, model: Model, grid: SliceGrid, settings: EngineSettings | None = None, monitor: Monitor | None = None
    ) -> None:
        """Choose the device; the rest follows when the slices are there.

        Raises:
            InputError: a device that is not there or cannot compute, or an unknown precision.
            ResourceError: a GPU without any memory left.
        """
        super().__init__(model, settings, monitor)
        self.slices = grid
        self.fold = check_through_plane(model).in_plane[1]

    def run(self, lr: np.ndarray, region: Box | None = None) -> np.ndarray:
        """Compute what lies between slices.

        Args:
            lr: (D, H, W) float32 in network units, D slices of any even or odd number of pixels.
            region: the slices and pixels whose result is wanted; all by default.

        Returns:
            (M, H, W) float32 of the region, M result voxels along the slice axis, in network units.

        Raises:
            ResourceError: not even the smallest tiles fit.
            InputError: the GPU that was asked for fails.
            CancelledError: the monitor said so.
        """
        region = region or whole(lr.shape)
        padded = np.pad(lr, ((0, 0), *((0, -size % self.fold) for size in lr.shape[1:])), mode="edge")
        rows, columns = (in_trunk_voxels(part, self.fold) for part in region[1:])
        found = super().run(padded, (region[0], rows, columns))
        inside = tuple(
            slice(part.start - outer.start * self.fold, part.stop - outer.start * self.fold)
            for part, outer in zip(region[1:], (rows, columns), strict=True)
        )
        return found[(slice(None), *inside)]

    def run_mirrored(self, lr: np.ndarray, flip: Orientation, region: Box) -> np.ndarray:
        """As ``Engine.run_mirrored``; seen from their other end, uneven slices lie elsewhere."""
        grid = self.slices
        self.slices = grid.mirrored() if flip.flips[0] else grid
        try:
            return super().run_mirrored(lr, flip, region)
        finally:
            self.slices = grid

    def _run_planned(self, volume: Tensor, region: Box, plan: TilePlan) -> np.ndarray:
        convolutions = [module for module in self.network.modules() if isinstance(module, nn.Conv3d)]
        with (
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            before_each(convolutions, self._check_cancelled),
        ):
            return self._run_slices(volume, region, plan)

    def _run_slices(self, volume: Tensor, region: Box, plan: TilePlan) -> np.ndarray:
        """Run the trunk into one block of features, over all slices, and the decoder out of it, tile by tile."""
        network, profile = self._through_plane(), self.slices.profile
        shape = self._trunk_shape(volume)
        halo = (0, *plan.tail_halo[1:])
        needed = expand((slice(0, shape[0]), *region[1:]), halo, shape)
        features = self._run_trunk(volume, needed, plan)
        give_back_memory()  # as in ``Engine``: the decoder asks for other sizes
        wanted = self.slices.result_voxels(region[0])
        result: Box = (wanted, *region[1:])
        result_shape = (profile.hr_size, *shape[1:])
        interpolation = Slices(profile, self.slices.noise).interpolation(profile.lr_size)
        rows, columns = ((part.stop - part.start) * self.fold for part in region[1:])
        out = self.memory.empty((wanted.stop - wanted.start, rows, columns))
        boxes = equal_tiles(result, plan.tail_tile, plan.tail_halo, result_shape)
        self.report.tail_tiles = len(boxes)
        copies = HostCopies(out, copy_stream(self.device))

        def decoded(box: Box, padded: Box) -> Tensor:  # a function, so that the next tile finds its memory free
            # What comes from the host waits until a GPU has done what it was given: so all of it before the tail.
            query = slice_query(profile, self.slices.pixel, padded[0].start, padded[0].stop)
            around, query = query.counted_from_slices_around(shape[0])
            query = SliceQuery(*(part.to(self.device) for part in query))
            measured = volume[self._pixels((slice(0, shape[0]), *box[1:]))].to(self.device)
            matrix = torch.from_numpy(interpolation[box[0]]).float().to(self.device)
            inner = relative((around, *padded[1:]), needed)
            block = features[(..., *inner)].contiguous(memory_format=torch.channels_last_3d)
            detail = network.tail(block, query)[0, 0][self._pixels(relative(box, padded))].float()
            return detail.add_((matrix @ measured.flatten(1)).view_as(detail))

        for number, (box, padded) in enumerate(boxes):
            self._step("tail", number, len(boxes))
            copies.put(self._pixels(relative(box, result)), decoded(box, padded))
            self.memory.release()
        copies.finish()
        self._step("tail", len(boxes), len(boxes))
        return out

    def _run_trunk(self, volume: Tensor, needed: Box, plan: TilePlan) -> Tensor:
        """Return the features of a box, (1, F, D, rows, columns) on the device."""
        network, shape = self._through_plane(), self._trunk_shape(volume)
        boxes = equal_tiles(needed, plan.trunk_tile, (plan.trunk_halo,) * 3, shape)
        self.report.trunk_tiles = len(boxes)
        self.report.trunk_saw_whole_volume = len(boxes) == 1 and needed == whole(shape)
        convolutions = network.trunk_convolutions()
        total = len(boxes) * len(convolutions)
        features: Tensor | None = None
        for number, (box, padded) in enumerate(boxes):
            done = iter(range(number * len(convolutions), (number + 1) * len(convolutions)))
            with before_each(convolutions, lambda done=done: self._step("trunk", next(done), total)):  # type: ignore[misc]
                tile = network.trunk(self._to_device(volume[self._pixels(padded)]))[(..., *relative(box, padded))]
            if len(boxes) == 1:
                features = tile
                break
            if features is None:
                features = self.memory.features((1, tile.shape[1], *box_shape(needed)), tile)
            features[(..., *relative(box, needed))] = tile
            del tile  # before the next one is computed
            self.memory.release()
        self._step("trunk", total, total)
        if features is None:
            raise ValueError(f"The region {needed} holds no voxel")
        return features

    def _plan(self, volume: Tensor, region: Box, allowed: float) -> TilePlan:
        shape, on_disk = self._trunk_shape(volume), self.memory.is_mapped
        run = SliceRun(self.model.card, self.slices, shape, region, on_disk, self.results_beside)
        return plan_slices(run, DTYPES[self.precision].itemsize, allowed, on_cpu=self.device.type == "cpu")

    def _is_accurate(self, dtype: torch.dtype, volume: Tensor) -> bool:
        query = slice_query(self.slices.profile, self.slices.pixel)

        def compute(network: object, tile: Tensor) -> Tensor:
            if not isinstance(network, ThroughPlaneNet):
                raise TypeError(f"{type(network).__name__} is no through-plane network")
            last = tile.shape[2] - 1
            inside = query.part(0, int((query.positions <= last).sum()))
            return network.tail(network.trunk(tile), SliceQuery(*(part.to(self.device) for part in inside)))

        return is_accurate(self.model.network, self.device, dtype, volume, compute)

    def _through_plane(self) -> ThroughPlaneNet:
        if not isinstance(self.network, ThroughPlaneNet):
            raise TypeError(f"{self.model.card.name} is no through-plane network")
        return self.network

    def _trunk_shape(self, volume: Tensor) -> Shape:
        depth, height, width = volume.shape
        return depth, height // self.fold, width // self.fold

    def _pixels(self, box: Box) -> Box:
        """Return a box of slices or result voxels, rows and columns in pixels."""
        along, rows, columns = box
        return along, _times(rows, self.fold), _times(columns, self.fold)


def check_through_plane(model: Model) -> ThroughPlaneNet:
    """Return the network of a model for thick slices.

    Raises:
        ModelError: it is another one.
    """
    if not isinstance(model.network, ThroughPlaneNet):
        raise ModelError(Sentence("model-not-for-slices", {"model": model.card.name}))
    return model.network


def _times(part: slice, factor: int) -> slice:
    return slice(part.start * factor, part.stop * factor)
