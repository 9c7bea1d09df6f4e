"""What all processes of a run succeed or fail in together: one that went on alone would wait for the others."""

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from lightning.fabric import Fabric

from SuperResolution3DLib.errors import ExitCode, SuperResolutionError

Result = TypeVar("Result")


class FailedElsewhereError(SuperResolutionError):
    """Another process of the run says why it failed."""

    code = "failed-elsewhere"
    exit_code = ExitCode.BAD_INPUT


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
