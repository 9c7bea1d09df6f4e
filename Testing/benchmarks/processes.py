"""Patches a second of two training processes against one, with the same number of threads each.

    python Testing/benchmarks/processes.py --config mr-brain-x4 --data.index INDEX

Both run side by side in time, one after the other, three times; the median is printed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--minutes", type=float, default=0.5, help="of a run; its first third is not counted")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    parser.add_argument("--repeat", type=int, default=3)
    options, rest = parser.parse_known_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.repeat):
        for processes, found in rates.items():
            found.append(patches_per_second(processes, options, rest))
            print(f"{processes} process(es): {found[-1]:.3f} patches/s", flush=True)
    one, two = (statistics.median(found) for found in rates.values())
    print(f"median: {one:.3f} and {two:.3f} patches/s, ratio {two / one:.2f}")


def patches_per_second(processes: int, options: argparse.Namespace, rest: list[str]) -> float:
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    with tempfile.TemporaryDirectory() as folder:
        fields = {
            "out": folder,
            "data.batch_size": 1,
            "optimisation.steps": 10**6,
            "loop.validate_every": 10**6,
            "loop.threads": options.threads,
            "loop.lpips": "false",
            "loop.best": "psnr",
            "loop.time_limit": options.minutes,
        }
        command = [*launcher, ROOT / "Training" / "train.py", *rest, *(f"--{k}={v}" for k, v in fields.items())]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if not (Path(folder) / "checkpoints").is_dir():  # the time limit itself ends with an exit code
            sys.exit(done.stderr)
        lines = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    seconds = [line["step_seconds"] for line in lines]
    return processes / statistics.median(seconds[len(seconds) // 3 :])  # one patch a step and process


if __name__ == "__main__":
    main()
