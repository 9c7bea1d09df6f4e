"""Compare the panel's forecast with what runs of five sizes take on this machine, in seconds of CPU time.

    python Testing/benchmarks/forecast.py --model mr-brain-x4
    python Testing/benchmarks/forecast.py --model through-plane-mr

The tile that the panel's button times is run first, then one volume of noise of each size by the command line, as the
panel does it. Prints a Markdown table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from machine import processor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "SuperResolution3D")]

from Testing.Slicer import double  # noqa: E402

double.install()

from SuperResolution3DSlicer.forecast.speed import SpeedMeter  # noqa: E402
from SuperResolution3DSlicer.forecast.speed_probe import TimedTile  # noqa: E402

from SuperResolution3DLib.cli.super_resolve_job import decode  # noqa: E402
from SuperResolution3DLib.models.installed_models import find_model  # noqa: E402
from SuperResolution3DLib.models.model_card import read_card  # noqa: E402

VOLUMES = "24,32,32:32,40,40:40,48,48:48,56,56:48,64,64"
STACKS = "6,96,96:10,128,128:12,160,160:16,192,192:20,256,256"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="name or file")
    parser.add_argument("--shapes", help=f"inputs K,J,I; {VOLUMES}, or {STACKS} for slices")
    options = parser.parse_args()
    path = find_model(options.model)
    card = read_card(path)
    tile = TimedTile(path, card, "cpu")
    meter, _ = time_run(tile)
    speed = meter.speed(tile.work)
    if speed is None:
        raise SystemExit("The tile has no speed")
    print(f"{card.name}: {processor()}, {torch.get_num_threads()} thread(s), PyTorch {torch.__version__}\n")
    print("| input | forecast, s | taken, s | error |\n| --- | --- | --- | --- |")
    for shape in (options.shapes or (STACKS if card.enlarges_slices_only else VOLUMES)).split(":"):
        depth, height, width = (int(size) for size in shape.split(","))
        task = TimedTile(path, card, "cpu", (depth, height, width))
        expected, (_, taken) = speed.seconds(task.work), time_run(task)
        print(
            f"| {depth} x {height} x {width} | {expected:.1f} | {taken:.1f} | {expected / taken - 1:+.0%} |", flush=True
        )


def time_run(task: TimedTile) -> tuple[SpeedMeter, float]:
    """Run the worker as the panel does; return what its events tell, and its CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "SuperResolution3DLib", *task.prepare(Path(folder))]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)
        seconds = 0.0  # of the process, which began with none
        meter = SpeedMeter(lambda: seconds)
        for line in process.stdout or ():
            seconds = cpu_seconds(process.pid)
            event = decode(line)
            if event is not None:
                meter.hear(event)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"super-resolve ended with {os.waitstatus_to_exitcode(status)}")
    seconds = usage.ru_utime + usage.ru_stime
    meter.end()
    return meter, seconds


def cpu_seconds(process: int) -> float:
    """Return the seconds of CPU time of a running process (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main()
