"""The processes that share an evaluation: one, or those that torchrun or SLURM's srun started."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from lightning.fabric import Fabric
from torch import distributed

from Training.trainer import distributed as together

Result = TypeVar("Result")


@dataclass(frozen=True)
class Processes:
    """What the processes of an evaluation do with one another."""

    fabric: Fabric | None = None
    """their connection; None: there is one process"""

    @property
    def size(self) -> int:
        return self.fabric.world_size if self.fabric else 1

    @property
    def rank(self) -> int:
        return self.fabric.global_rank if self.fabric else 0

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def device(self, name: str) -> str:
        """Return which GPU of its machine this process takes, where the name of a device leaves that open."""
        if self.fabric is None or name not in ("auto", "cuda") or not torch.cuda.is_available():
            return name
        return f"cuda:{self.fabric.local_rank % torch.cuda.device_count()}"

    def together(self, action: Callable[[], Result]) -> Result:
        """Run an action in every process; where it fails in some, all end (see ``Training.trainer.distributed``)."""
        return together.together(self.fabric, action) if self.fabric else action()

    def first(self, action: Callable[[], Result]) -> Result:
        """Run an action in the first process; return what it returns in every process."""
        result = self.together(lambda: action() if self.is_first else None)
        if self.fabric is None:
            return result  # type: ignore[return-value]
        box = [result]
        distributed.broadcast_object_list(box, src=0)
        return box[0]  # type: ignore[return-value]

    def gathered(self, items: list[Result]) -> list[Result]:
        """Return the items of all processes, in their order, in the first one, and nothing in the others."""
        if self.fabric is None:
            return items
        lists: list[Any] | None = [None] * self.size if self.is_first else None
        distributed.gather_object(items, lists, dst=0)
        return [item for own in lists or [] for item in own]


@contextmanager
def connected() -> Iterator[Processes]:
    """Connect this process with the others of its evaluation, over the CPU's network; end it with the block.

    Raises:
        InputError: the processes do not fit together.
    """
    if number_of_processes() == 1:
        yield Processes()
        return
    from Training.config import LoopConfig
    from Training.trainer.launch import make_fabric

    fabric = make_fabric(LoopConfig(accelerator="cpu", precision="32-true"))
    fabric.launch()
    with together.connection(fabric):
        yield Processes(fabric)


def number_of_processes() -> int:
    """Return how many processes torchrun or srun started; a batch script of SLURM alone is one, whatever its tasks."""
    return int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_STEP_NUM_TASKS") or 1)
