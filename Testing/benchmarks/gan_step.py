"""One GAN step, split into data, generator, perceptual loss and discriminator: seconds, shares and peak memory.

    python Testing/benchmarks/gan_step.py --config mr-brain-x4-gan --vgg19 FILE --data.index INDEX
    python Testing/benchmarks/gan_step.py --config oasis-paper --vgg19 FILE --steps 1 --warm-up 0

Any field of the configuration can be set as for Training/train.py.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from Training import train
from Training.trainer.adversary import Adversary
from Training.trainer.perceptual_loss import PerceptualLoss
from Training.trainer.trainer import Trainer

SECONDS: dict[str, float] = defaultdict(float)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--vgg19", type=Path, required=True, help="file with VGG19's weights")
    parser.add_argument("--steps", type=int, default=5, help="counted steps")
    parser.add_argument("--warm-up", type=int, default=1, help="steps before, which build buffers")
    options, rest = parser.parse_known_args()

    timed(PerceptualLoss, "forward", "perceptual")
    timed(Adversary, "judge", "discriminator")
    timed(Adversary, "backward", "discriminator")
    timed(Adversary, "step", "discriminator")
    Trainer.fit = lambda trainer, began: measure(trainer, options.steps, options.warm_up)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        fixed = [f"--out={folder}", f"--loss.perceptual.weights={options.vgg19}", "--loop.lpips=false"]
        fixed += ["--loop.best=psnr", "--loss.pixel_steps=0"]
        sys.exit(train.main([*rest, *fixed]))


def timed(owner: Any, name: str, part: str) -> None:
    """Add the time that a method takes to a part."""
    method = getattr(owner, name)

    def wrapper(*arguments: Any, **options: Any) -> Any:
        began = now()
        result = method(*arguments, **options)
        SECONDS[part] += now() - began
        return result

    setattr(owner, name, wrapper)


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(trainer: Trainer, steps: int, warm_up: int) -> bool:
    batches = trainer._batches()
    for _ in range(warm_up):
        trainer.step(batches)
    SECONDS.clear()
    whole = 0.0
    for _ in range(steps):
        began = now()
        SECONDS["data"] += trainer.step(batches)["data_seconds"]
        whole += now() - began
    SECONDS["generator"] = whole - sum(SECONDS.values())
    data, network = trainer.config.data, trainer.card.config
    print(f"{trainer.fabric.device}, {torch.get_num_threads()} threads, {trainer.config.loop.precision}")
    print(f"{data.batch_size} patches of {data.patch_size}^3 LR voxels; {network}")
    for part in ("data", "generator", "perceptual", "discriminator"):
        print(f"{part:14}{SECONDS[part] / steps:9.3f} s{SECONDS[part] / whole:8.1%}")
    print(f"{'step':14}{whole / steps:9.3f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of the process {peak:.2f} GiB")
    if trainer.fabric.device.type == "cuda":
        print(f"peak memory of the device {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
    return True


if __name__ == "__main__":
    main()
