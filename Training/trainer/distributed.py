"""What all processes of a run succeed or fail in together: one that went on alone would wait for the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

import torch
from lightning.fabric import Fabric
from torch import distributed

from SuperResolution3DLib.errors import ExitCode, SuperResolutionError

Result = TypeVar("Result")


class FailedElsewhereError(SuperResolutionError):
    """Another process of the run says why it failed."""

    code = "failed-elsewhere"
    exit_code = ExitCode.BAD_INPUT


@contextmanager
def connection(fabric: Fabric) -> Iterator[None]:
    """End the connection of a run's processes with the block: who exits with it open may abort on its threads."""
    in_order = False
    try:
        yield
        fabric.barrier()  # none leaves while another still needs it
        in_order = True
    finally:
        # NCCL may wait for processes that have failed; the CPU's gloo does not.
        if distributed.is_initialized() and (in_order or distributed.get_backend() == "gloo"):
            distributed.destroy_process_group()


def together(fabric: Fabric, action: Callable[[], Result]) -> Result:
    """Run an action in every process; where it fails in some, the first of them raises its error.

    Raises:
        SuperResolutionError: the action's, in the first process that it failed in.
        FailedElsewhereError: in all other processes.
    """
    error: SuperResolutionError | None = None
    result: Result | None = None
    try:
        result = action()
    except SuperResolutionError as caught:
        error = caught
    if fabric.world_size > 1:
        failed = cast(torch.Tensor, fabric.all_gather(torch.tensor(float(error is not None), device=fabric.device)))
        first = int(failed.argmax())
        if failed[first] and first != fabric.global_rank:
            raise FailedElsewhereError(f"Process {first} failed")
    if error is not None:
        raise error
    return cast(Result, result)


def first_here_then_others(fabric: Fabric, action: Callable[[], Result]) -> Result:
    """Run an action in the first process of each machine, then in the others, who find its files.

    Raises:
        SuperResolutionError: see ``together``.
    """
    is_first = fabric.local_rank == 0
    first = together(fabric, lambda: action() if is_first else None)
    others = together(fabric, lambda: None if is_first else action())
    return cast(Result, first if is_first else others)
