"""A training step on this machine: seconds of CPU time, of this checkout and of another one beside it in one run.

    python Testing/benchmarks/training_step.py --config PRESET --data.index INDEX --data.cache FOLDER
    python Testing/benchmarks/training_step.py --against CHECKOUT --config PRESET --data.patch_size 10 ...

Any field of the configuration can be set as for Training/train.py. Each checkout trains from the same weights on the
same patches in a process of its own, one after the other and again, so that other work on the machine meets both.
Prints the CPU time of a step (median over the rounds; of all threads, with patches and logs), and the mean loss.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--steps", type=int, default=40, help="counted steps")
    parser.add_argument("--warm-up", type=int, default=10, help="steps before")
    parser.add_argument("--rounds", type=int, default=3, help="how often each checkout runs")
    parser.add_argument("--against", type=Path, help="another checkout of this project")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.measure:
        measure(options.steps, options.warm_up, rest)
        return
    checkouts = {"this checkout": HERE} | ({"the other": options.against.resolve()} if options.against else {})
    found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    counts = [f"--steps={options.steps}", f"--warm-up={options.warm_up}"]
    for _ in range(options.rounds):
        for name, folder in checkouts.items():
            command = [sys.executable, str(Path(__file__).resolve()), "--measure", *counts, *rest]
            environment = os.environ | {"PYTHONPATH": str(folder)}
            output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name].append(json.loads(output.splitlines()[-1]))
    print("| | user, ms | system, ms | CPU, ms | peak, MiB | mean loss |\n| --- | --- | --- | --- | --- | --- |")
    totals = {}
    for name, rounds in found.items():
        values = {key: median(result[key] for result in rounds) for key in rounds[0]}
        totals[name] = median(result["user"] + result["system"] for result in rounds)
        times = " | ".join(f"{1000 * value:.1f}" for value in (values["user"], values["system"], totals[name]))
        print(f"| {name} | {times} | {values['peak']:.0f} | {values['loss']:.7f} |")
    if options.against:
        print(f"\n{totals['the other'] / totals['this checkout']:.2f} x as fast")


def measure(steps: int, warm_up: int, arguments: list[str]) -> None:
    """Train a little with the checkout that is imported; print one line of JSON."""
    from tqdm import tqdm

    from SuperResolution3DLib.kept_memory import keep_freed_memory
    from Training import train
    from Training.trainer.trainer import Trainer

    def fit(trainer: Any, _: object) -> bool:
        batches, losses = trainer._batches(), []
        write = trainer.log.write
        trainer.log.write = lambda step, **values: (losses.append(values["loss"]), write(step, **values))
        with tqdm(file=sys.stderr) as bar:
            for number in range(warm_up + steps):
                if number == warm_up:
                    before = resource.getrusage(resource.RUSAGE_SELF)
                trainer._train(batches, bar, time.monotonic())
        after = resource.getrusage(resource.RUSAGE_SELF)
        user, system = ((getattr(after, name) - getattr(before, name)) / steps for name in ("ru_utime", "ru_stime"))
        loss, peak = sum(losses[warm_up:]) / steps, after.ru_maxrss / 1024
        print(json.dumps({"user": user, "system": system, "peak": peak, "loss": loss}))
        return True

    Trainer.fit = fit  # type: ignore[method-assign]
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        code = train.main([*arguments, f"--out={folder}", "--loop.lpips=false", "--loop.best=psnr"])
    if code:
        sys.exit(code)


if __name__ == "__main__":
    main()
