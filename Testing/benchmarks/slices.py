"""Super-resolve between thick slices by the command line: CPU time, memory of the whole process, share of the limit.

    python Testing/benchmarks/slices.py --threads 1                       # 30 slices of 512 x 512, ten times as many
    python Testing/benchmarks/slices.py --stack 12,256,256 --spacing 5 --pixel 1 --precision fp32

Prints a row of a Markdown table. The stack is noise of 16 bits; reading and writing are in it. "limit" is the share of
the machine's fastest product in that number format (see ``machine.py``), for the trunk with its halos and the decoder
together; "decoder" is that of the decoder alone, on one tile.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from machine import fastest_product, processor
from torch import nn

from SuperResolution3DLib.inference.devices import DTYPES
from SuperResolution3DLib.inference.precision import converted
from SuperResolution3DLib.inference.slice_plan import LARGEST_TAIL_TILE
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.networks.through_plane import SliceQuery, ThroughPlaneNet
from SuperResolution3DLib.volumes.volume import Volume, write_volume

TRIALS = 5
COLUMNS = ("result", "precision", "user, s", "system, s", "Mvox/s", "limit", "decoder", "peak of the process, MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="through-plane-mr", help="name or file")
    parser.add_argument("--stack", default="30,512,512", help="slices, rows, columns")
    parser.add_argument("--spacing", type=float, default=5.0, help="of the slices, mm")
    parser.add_argument("--pixel", type=float, default=0.5, help="mm, also the result's voxels")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network = load_model(find_model(options.model)).network
    if not isinstance(network, ThroughPlaneNet):
        raise SystemExit(f"{options.model} is no model for thick slices")
    shape = tuple(int(size) for size in options.stack.split(","))
    user, system, peak, result = super_resolve(options, shape)
    limit = fastest_product(DTYPES[options.precision], torch.device("cpu"))
    count = trunk_multiplications(network) * math.prod(shape) + decoder_multiplications(network) * math.prod(result)
    print(f"{options.model}: {processor()}, {options.threads} thread(s), PyTorch {torch.__version__}\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|")
    cells = [
        " x ".join(map(str, result)),
        options.precision,
        f"{user:.1f}",
        f"{system:.2f}",
        f"{math.prod(result) / 1e6 / (user + system):.2f}",
        f"{count / (user + system) / limit:.0%}",
        f"{decoder_rate(network, options.precision) / limit:.0%}",
        f"{peak:.0f}",
    ]
    print(f"| {' | '.join(cells)} |")


def super_resolve(options: argparse.Namespace, shape: tuple[int, ...]) -> tuple[float, float, float, list[int]]:
    """Return user and system seconds and peak MiB of a process of its own, and the shape of its result."""
    with tempfile.TemporaryDirectory() as folder:
        stack, sr, report = (Path(folder) / name for name in ("stack.nrrd", "sr.nrrd", "report.json"))
        voxels = np.random.default_rng(0).normal(500, 100, shape).astype(np.int16)
        write_volume(Volume(voxels, np.diag([options.pixel, options.pixel, options.spacing, 1.0])), stack)
        command = [sys.executable, "-m", "SuperResolution3DLib", "super-resolve", str(stack), str(sr)]
        command += [f"--model={options.model}", f"--precision={options.precision}", f"--report={report}"]
        command += ["--device=cpu", f"--target-spacing={options.pixel}"]
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        process = subprocess.Popen(command, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"super-resolve ended with {os.waitstatus_to_exitcode(status)}")
        result = json.loads(report.read_text())["output_shape"]
    return usage.ru_utime, usage.ru_stime, usage.ru_maxrss / 1024, result


def trunk_multiplications(network: ThroughPlaneNet) -> float:
    """Return the multiplications for one pixel of the slices; what is computed once per slice for the decoder too."""
    parts = [*network.trunk_convolutions(), network.below, network.above]
    return sum(_weights(part) for part in parts) / math.prod(network.in_plane)


def decoder_multiplications(network: ThroughPlaneNet) -> float:
    """Return the multiplications for one voxel of the result."""
    folded = _weights(network.conv_mixed) + _weights(network.conv_unfolded)
    return folded / math.prod(network.in_plane) + _weights(network.conv_last)


def decoder_rate(network: ThroughPlaneNet, precision: str) -> float:
    """Return the multiplications per second of CPU time that the rewritten decoder does on one tile."""
    dtype, device = DTYPES[precision], torch.device("cpu")
    depth, rows, columns = LARGEST_TAIL_TILE
    slices = 8
    rewritten = converted(network, device, dtype)
    features = torch.randn(1, network.conv_body.out_channels, slices, rows, columns).to(dtype)
    features = features.contiguous(memory_format=torch.channels_last_3d)
    query = SliceQuery(torch.linspace(0, slices - 1, depth), torch.tensor([[10.0], [1.0]]).expand(2, depth))
    pixels = rows * columns * math.prod(network.in_plane)
    count = decoder_multiplications(network) * depth * pixels
    count += (_weights(network.below) + _weights(network.above)) * slices * rows * columns
    seconds = []
    with torch.inference_mode():
        for _ in range(TRIALS):
            began = time.process_time()
            rewritten.tail(features, query)  # type: ignore[call-arg]
            seconds.append(time.process_time() - began)
    return count / min(seconds)


def _weights(part: nn.Module) -> int:
    weight = part.weight
    if not isinstance(weight, torch.Tensor):
        raise TypeError(f"{part} has no weights")
    return weight.numel()


if __name__ == "__main__":
    main()
