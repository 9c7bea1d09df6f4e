"""LR-space inference: the trunk once over the whole LR volume, the tail streamed tile by tile with its exact halo.

Almost all of the generator works at LR resolution, so the trunk runs on the whole volume where memory allows. Only the
tail, which works at HR resolution, is cut into tiles; each gets the LR voxels around it that it can see, so nothing
changes by the cutting. Where memory is short the trunk is tiled too, with a halo that keeps the relative error below
the figure in the model's card.
"""

from contextlib import suppress

import numpy as np
import torch
from torch import Tensor, nn

from SuperResolution3DLib.advice import OTHER_DEVICE, SMALLER_REGION
from SuperResolution3DLib.errors import CancelledError, ResourceError
from SuperResolution3DLib.forward.kspace import zero_fill
from SuperResolution3DLib.inference.devices import (
    DTYPES,
    allowed_bytes,
    choose_precision,
    device_name,
    reason_to_go_on,
    synchronize,
    usable_device,
)
from SuperResolution3DLib.inference.engine_settings import EngineReport, EngineSettings
from SuperResolution3DLib.inference.host_copies import HostCopies, copy_stream
from SuperResolution3DLib.inference.memory_plan import Run, TilePlan, chosen_windows, plan_tiles, trunk_is_exact
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.precision import converted, has_overflowed, is_accurate
from SuperResolution3DLib.inference.result_memory import ResultMemory
from SuperResolution3DLib.inference.sliding_window import WindowGrid
from SuperResolution3DLib.kept_memory import give_back_memory, kept_memory
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.networks.hooks import before_each
from SuperResolution3DLib.networks.trilinear import trilinear
from SuperResolution3DLib.sentence import Sentence, Warned
from SuperResolution3DLib.volumes.box import (
    Box,
    Shape,
    box_shape,
    equal_tiles,
    expand,
    intersection,
    relative,
    scaled,
    sr_shape,
    tiles,
    whole,
)
from SuperResolution3DLib.volumes.geometry import Grid, Orientation

SKIP_SLAB = 8  # LR slices whose zero-filled volume is added at once
QUEUED = 16  # of the trunk's convolutions that a GPU is given at once: a run shall end soon after it is cancelled


class Engine:
    """Runs one model on one device.

    A network that pools over its whole input runs in windows of the size that it was trained on, the others in windows
    only if the settings say so.
    """

    def __init__(self, model: Model, settings: EngineSettings | None = None, monitor: Monitor | None = None) -> None:
        """Choose the device; the precision is chosen when the first volume is there to test it on.

        Raises:
            InputError: a device that is not there or cannot compute, or an unknown precision.
            ResourceError: a GPU without any memory left.
        """
        self.model = model
        self.settings = settings or EngineSettings()
        self.monitor = monitor or Monitor()
        self.memory = ResultMemory(self.settings.scratch)
        self.report, self.results_beside = EngineReport(), 0  # those that whoever runs it keeps meanwhile
        self.scale = model.card.scale
        self.grid: Grid = "center" if model.card.grid == "center" else "corner"
        self.device, reason = usable_device(self.settings.device)
        if reason:
            self._warn("device-gpu", reason=reason)
        self.precision = choose_precision(self.settings.precision, self.device)
        self.network = model.network
        windows = chosen_windows(model.card, self.settings.window, self.settings.overlap)
        self.window, self.overlap = windows or (self.settings.window, self.settings.overlap)

    @torch.inference_mode()
    @kept_memory()
    def run(self, lr: np.ndarray, region: Box | None = None) -> np.ndarray:
        """Super-resolve a volume.

        Args:
            lr: (D, H, W) float32 in network units, the whole volume.
            region: the LR voxels (D, H, W) whose result is wanted; all by default.

        Returns:
            (D*s, H*s, W*s) float32 of the region, in network units.

        Raises:
            ResourceError: not even the smallest tiles fit.
            InputError: the GPU that was asked for fails.
            CancelledError: the monitor said so.
        """
        region = region or whole(lr.shape)
        volume = torch.from_numpy(np.ascontiguousarray(lr, dtype=np.float32))
        if self.network.window not in (None, self.window):
            self._warn("window", size=self.window, made_for=self.network.window)
        plan: TilePlan | None = None
        while True:
            try:
                if plan is None:
                    plan = self._prepare(volume, region)
                    give_back_memory()  # the trial of a number format leaves some
                result = self._run_planned(volume, region, plan)
                if not has_overflowed(result, DTYPES[self.precision]):
                    return result
                self._compute_in_fp32()
                del result  # before there is another
                plan = None
                continue
            except (MemoryError, RuntimeError, ResourceError) as error:  # which holds memory until it is left
                reason = reason_to_go_on(error, self.device, may_choose=self.settings.device == "auto")
            plan = self._after_failure(reason, plan)

    def run_mirrored(self, lr: np.ndarray, flip: Orientation, region: Box) -> np.ndarray:
        """Run on a mirror image of a volume (D, H, W); return the result of the volume's region, mirrored back."""
        return flip.from_canonical(self.run(flip.to_canonical(lr), flip.box_to_canonical(region, lr.shape)))

    def _run_planned(self, volume: Tensor, region: Box, plan: TilePlan) -> np.ndarray:
        kinds = (nn.Conv3d, nn.ConvTranspose3d)
        convolutions = [module for module in self.network.modules() if isinstance(module, kinds)]
        # fp32 means fp32: no TF32 convolutions behind the caller's back
        with (
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            before_each(convolutions, self._check_cancelled),  # one window or tile may take long
        ):
            if self.window is not None:
                return self._run_windows(volume, region, self.window)
            return self._run_whole(volume, region, plan)

    def _run_whole(self, volume: Tensor, region: Box, plan: TilePlan) -> np.ndarray:
        """Run the trunk into one block of features and the tail out of it, tile by tile.

        LR   |   [    [=== region ===]    ]   |      [ ]  region and what the tail sees: the block of features
             |[ [    trunk tile    ] ]        |           each trunk tile is computed with the trunk's halo
        """
        shape = _shape(volume)
        needed = expand(region, plan.tail_halo, shape)
        features = self._run_trunk(volume, needed, plan)
        give_back_memory()  # the tail asks for other sizes and would take them besides what the trunk has left
        out = self.memory.empty(sr_shape(box_shape(region), self.scale))
        boxes = equal_tiles(region, plan.tail_tile, plan.tail_halo, shape)
        self.report.tail_tiles = len(boxes)
        lr, copies = volume.to(self.device), HostCopies(out, copy_stream(self.device))
        for number, (box, padded) in enumerate(boxes):
            self._step("tail", number, len(boxes))
            skip = self._skip(lr, box)  # its matrices wait until a GPU has done what it was given: so before the tail
            block = features[(..., *relative(padded, needed))].contiguous(memory_format=torch.channels_last_3d)
            detail = self.network.tail(block)[0, 0][scaled(relative(box, padded), self.scale)].float()
            copies.put(scaled(relative(box, region), self.scale), detail if skip is None else detail + skip)
            self.memory.release()
        copies.finish()
        self._step("tail", len(boxes), len(boxes))
        return out

    def _run_trunk(self, volume: Tensor, needed: Box, plan: TilePlan) -> Tensor:
        """Return the features of a box of the volume, (1, F, D, H, W) on the device."""
        boxes = equal_tiles(needed, plan.trunk_tile, (plan.trunk_halo,) * 3, _shape(volume))
        self.report.trunk_tiles = len(boxes)
        is_exact = trunk_is_exact(self.model.card, plan.trunk_halo)
        self.report.trunk_saw_whole_volume = (len(boxes) == 1 and needed == whole(volume.shape)) or is_exact
        convolutions = self.network.trunk_convolutions()
        total = len(boxes) * len(convolutions)
        features: Tensor | None = None
        for number, (box, padded) in enumerate(boxes):
            done = iter(range(number * len(convolutions), (number + 1) * len(convolutions)))
            with before_each(convolutions, lambda done=done: self._step("trunk", next(done), total)):  # type: ignore[misc]
                tile = self.network.trunk(self._to_device(volume[padded]))[(..., *relative(box, padded))]
            if len(boxes) == 1:
                features = tile
                break
            if features is None:
                features = self.memory.features((1, tile.shape[1], *box_shape(needed)), tile)
            features[(..., *relative(box, needed))] = tile
            del tile  # before the next one is computed
            self.memory.release()
        if convolutions:
            self._step("trunk", total, total)
        if features is None:
            raise ValueError(f"The region {needed} holds no voxel")
        return features

    def _run_windows(self, volume: Tensor, region: Box, size: int) -> np.ndarray:
        """Run the published sliding window (paper 5.1); sums and weights in fp32."""
        grid = WindowGrid(_shape(volume), size, self.overlap)
        boxes = [(box, inside) for box in grid.boxes() if (inside := intersection(box, region))]
        self.report.windows = len(boxes)
        sums = [self.memory.zeros(sr_shape(box_shape(region), self.scale)) for _ in range(2)]
        total, weight_sum = (torch.from_numpy(array) for array in sums)
        weights = torch.from_numpy(grid.weights(self.scale, on_hr=self.network.enlarges_input))
        lr = volume[None, None].to(self.device)
        for number, (box, inside) in enumerate(boxes):
            self._step("tail", number, len(boxes))
            window = self.network.in_window(lr, box)[0, 0].float().cpu()
            target, source = (scaled(relative(inside, outer), self.scale) for outer in (region, box))
            total[target] += window[source] * weights[source]
            weight_sum[target] += weights[source]
            self.memory.release()
        for box in tiles(region, (SKIP_SLAB, *box_shape(region)[1:])):
            part, skip = scaled(relative(box, region), self.scale), self._skip(lr[0, 0], box)
            total[part] /= weight_sum[part]
            if skip is not None:
                total[part] += skip.cpu()
            self.memory.release()
        self._step("tail", len(boxes), len(boxes))
        return sums[0]

    def _skip(self, lr: Tensor, box: Box) -> Tensor | None:
        """Return what the tail leaves out: the interpolation of the whole volume (D, H, W), cut to the box."""
        part = scaled(box, self.scale)
        skip = trilinear(lr, self.scale, self.grid, part) if self.network.adds_trilinear else None
        if self.model.card.skip == "none":
            return skip
        filled = zero_fill(lr, self.scale, self.grid, part)
        return filled if skip is None else skip + filled

    def _prepare(self, volume: Tensor, region: Box) -> TilePlan:
        """Move the network to the device in a number format that a tile of this volume proves, and plan the tiles."""
        self._check_cancelled()
        if self.precision != "fp32" and not self._is_accurate(DTYPES[self.precision], volume):
            self._compute_in_fp32()
        self.network = converted(self.model.network, self.device, DTYPES[self.precision])
        self.report.device, self.report.precision = device_name(self.device), self.precision
        allowed = allowed_bytes(self.device, self.settings.memory_limit)
        try:
            return self._plan(volume, region, allowed)
        except ResourceError:
            if self.device.type != "cpu" or self.memory.is_mapped or self.memory.scratch is None:
                raise
            self.memory = self.memory.mapped(self.monitor)
            return self._plan(volume, region, allowed)

    def _compute_in_fp32(self) -> None:
        self._warn("precision", precision=self.precision, device=device_name(self.device))
        self.precision = "fp32"

    def _plan(self, volume: Tensor, region: Box, allowed: float) -> TilePlan:
        """Choose tiles that fit into the bytes that the device allows."""
        run = Run(self.model.card, _shape(volume), region, self.window, self.memory.is_mapped, self.results_beside)
        return plan_tiles(run, DTYPES[self.precision].itemsize, allowed, on_cpu=self.device.type == "cpu")

    def _is_accurate(self, dtype: torch.dtype, volume: Tensor) -> bool:
        return is_accurate(self.model.network, self.device, dtype, volume)

    def _after_failure(self, reason: str, plan: TilePlan | None) -> TilePlan | None:
        """Return a smaller plan, or None to plan anew on the CPU where the GPU was nobody's wish."""
        name = device_name(self.device)
        if self.device.type == "cuda":
            with suppress(RuntimeError):  # a GPU that has failed may refuse this, too
                torch.cuda.empty_cache()
        smaller = plan.halved() if plan is not None and self.window is None and not reason else None
        if smaller is not None:
            self._warn("memory-halved", device=name)
            return smaller
        if self.device.type == "cpu":
            raise ResourceError(Sentence("memory-on-cpu", {"advice": SMALLER_REGION}))
        if self.settings.device != "auto":
            values = {"device": name, "advice": SMALLER_REGION, "other": OTHER_DEVICE}
            raise ResourceError(Sentence("memory-gpu", values))
        if reason:
            self._warn("device", device=name, reason=reason)
        else:
            self._warn("memory-cpu", device=name)
        self.device = torch.device("cpu")
        self.precision = choose_precision(self.settings.precision, self.device)
        return None

    def _to_device(self, tile: Tensor) -> Tensor:
        tile = tile[None, None].to(self.device, DTYPES[self.precision])
        return tile.contiguous(memory_format=torch.channels_last_3d)

    def _step(self, stage: str, done: int, total: int) -> None:
        self._check_cancelled()
        if done in (0, total) or (stage == "trunk" and done % QUEUED == 0):
            synchronize(self.device)  # whoever hears of it takes the time
        self.monitor.progress(stage, done, total)

    def _check_cancelled(self) -> None:
        if self.monitor.is_cancelled():
            raise CancelledError(Sentence("cancelled"))

    def _warn(self, code: str, **values: object) -> None:
        warned = Warned(code, values)
        self.report.warnings.append(warned)
        self.monitor.warn(warned)


def _shape(volume: Tensor) -> Shape:
    depth, height, width = volume.shape
    return depth, height, width
