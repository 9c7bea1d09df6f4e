"""Compare what runs between thick slices add to the memory of a process with what their plans say of it.

    python Testing/benchmarks/slice_memory.py --threads 1
    python Testing/benchmarks/slice_memory.py --stacks 20,256,256 --precisions fp32 --memory-limit 0.4

Prints a Markdown table, MiB, each cell measured in a process of its own (Linux) and in brackets planned. The stacks are
noise; their result, in fp32, is counted, and nothing of what reading and writing a file takes.
"""

import argparse
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from machine import processor, used_by
from watched_plan import WatchedPlan

from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import MIB
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.volumes.volume import Volume

STACKS = "10,128,128:12,160,160:16,192,192:20,256,256:24,320,320"
SMALL = (8, 16, 16)  # run first, to load what every run needs
SPACING, PIXEL = 5.0, 0.5  # of the slices and within them, mm


class WatchedEngine(WatchedPlan, SliceEngine):
    """A slice engine whose plan is remembered."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="through-plane-mr", help="name or file")
    parser.add_argument("--stacks", default=STACKS, help="slices,rows,columns with : between them")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--memory-limit", type=float, help="GiB")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    stacks = [tuple(int(size) for size in stack.split(",")) for stack in options.stacks.split(":")]
    print(f"{options.model}: {processor()}, {options.threads} thread(s), PyTorch {torch.__version__}\n")
    print(f"| | {' | '.join(' x '.join(map(str, stack)) for stack in stacks)} |\n{'| --- ' * (len(stacks) + 1)}|")
    for precision in options.precisions.split(","):
        print(f"| {precision} |", end="", flush=True)
        settings = EngineSettings("cpu", precision, memory_limit=options.memory_limit)
        for stack in stacks:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                peak, planned = pool.submit(measure, options.model, stack, settings, options.threads).result()
            print(f" {peak:.0f} ({planned:.0f}) |", end="", flush=True)
        print()


def measure(model_name: str, stack: tuple[int, ...], settings: EngineSettings, threads: int) -> tuple[float, float]:
    """Return what a run adds to the memory of this process, and what was planned; MiB."""
    torch.set_num_threads(threads)
    model = load_model(find_model(model_name))
    WatchedEngine(model, a_grid(SMALL[0]), settings).run(np.zeros(SMALL, np.float32))
    lr, engine = np.random.default_rng(0).random(stack, np.float32), WatchedEngine(model, a_grid(stack[0]), settings)
    _, usage = used_by(lambda: engine.run(lr), torch.device("cpu"))
    planned = math.nan if engine.plan is None else engine.plan.peak_bytes / MIB
    return math.nan if usage.peak_mib is None else usage.peak_mib, planned


def a_grid(count: int) -> SliceGrid:
    """Return so many slices, and result voxels as thin as their pixels are wide."""
    voxels = np.zeros((count, *SMALL[1:]), np.float32)
    stack = slice_stack(Volume(voxels, np.diag([PIXEL, PIXEL, SPACING, 1.0])))
    return SliceGrid(stack.profile(stack.target_spacing(None)), PIXEL)


if __name__ == "__main__":
    main()
