"""The processes and the device of a run: one process, or those that torchrun or SLURM's srun started."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy

from SuperResolution3DLib.errors import InputError, SuperResolutionError
from SuperResolution3DLib.inference.devices import usable_device
from Training.config import LoopConfig
from Training.trainer.distributed import FailedElsewhereError
from Training.trainer.precision import fitting_precision

LONGEST_PREPARATION = timedelta(hours=12)  # the other processes wait while one of them degrades the volumes
INTERACTIVE = ("bash", "interactive")  # names of jobs in which SLURM's numbers are a shell's


def fitted(loop: LoopConfig) -> LoopConfig:
    """Return the settings of a run with what this machine offers in place of auto.

    Raises:
        InputError, ResourceError, FailedElsewhereError: see ``make_fabric``; or the GPU cannot be used.
    """
    with _told_by_the_first():
        devices, nodes = number_of_processes(loop.devices, os.environ)
        local_rank = _number(os.environ, "LOCAL_RANK", "SLURM_LOCALID")
        accelerator = _accelerator(loop, devices, local_rank)
        precision = loop.precision
        if precision == "auto":
            device = torch.device("cpu") if accelerator == "cpu" else torch.device("cuda", local_rank)
            precision = fitting_precision(device, alone=devices * nodes == 1)
    return replace(loop, accelerator=accelerator, precision=precision)


def make_fabric(loop: LoopConfig) -> Fabric:
    """Return the processes that a run is made of, not yet connected.

    Args:
        loop: without auto, see ``fitted``.

    Raises:
        InputError: the processes that were started do not fit together.
        FailedElsewhereError: the same in a process that is not the first.
    """
    with _told_by_the_first():
        devices, nodes = number_of_processes(loop.devices, os.environ)
    # The spectral norm's vectors are computed alike by every process, and batch statistics shared after each step.
    strategy = DDPStrategy(broadcast_buffers=False, timeout=LONGEST_PREPARATION) if devices * nodes > 1 else "auto"
    return Fabric(
        accelerator=loop.accelerator, devices=devices, num_nodes=nodes, strategy=strategy, precision=loop.precision
    )


def number_of_processes(devices: int, variables: Mapping[str, str]) -> tuple[int, int]:
    """Return the processes of each node, and the nodes.

    Args:
        devices: ``loop.devices``; 1, its default, leaves it to who started the processes.
        variables: of the environment, where torchrun and SLURM say what they started.

    Raises:
        InputError: what was started cannot be one run: its processes would wait for others that never come.
    """
    if "LOCAL_WORLD_SIZE" in variables:
        local, world = (int(variables[name]) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
        if world % local:
            raise InputError(f"torchrun started {local} of {world} processes here: start as many on every node")
        return _agreed(devices, local, "torchrun", "--nproc-per-node"), world // local
    tasks = int(variables.get("SLURM_NTASKS") or 0)
    if not tasks or variables.get("SLURM_JOB_NAME") in INTERACTIVE:
        return devices, 1
    if tasks == 1:
        return _agreed(devices, 1, "SLURM", "--ntasks-per-node"), 1
    if "SLURM_STEP_NUM_TASKS" not in variables:  # the batch script itself, or a shell of salloc
        raise InputError(
            f"SLURM gave this job {tasks} tasks and the training was started once: start it with srun, or with "
            "srun --ntasks=1 if it shall be one process"
        )
    nodes = int(variables.get("SLURM_STEP_NUM_NODES") or variables.get("SLURM_NNODES") or 1)
    per_node = variables.get("SLURM_NTASKS_PER_NODE")
    if per_node is None or int(per_node) * nodes != tasks:
        was = "missing" if per_node is None else per_node
        advice = f"--nodes={nodes} --ntasks-per-node={max(tasks // nodes, 1)}"
        raise InputError(
            f"SLURM started {tasks} tasks on {nodes} nodes and --ntasks-per-node is {was}: ask for {advice} in place "
            "of --ntasks"
        )
    return _agreed(devices, int(per_node), "SLURM", "--ntasks-per-node"), nodes


def _agreed(devices: int, started: int, who: str, option: str) -> int:
    if devices not in (1, started):
        raise InputError(
            f"loop.devices is {devices}, and {who} started {started} on this node: leave loop.devices out, or start "
            f"with {option}={devices}"
        )
    return started


@contextmanager
def _told_by_the_first() -> Iterator[None]:
    """Turn an error of the block into a silent one in all processes but the first: it is the same in each."""
    try:
        yield
    except SuperResolutionError as error:
        rank = _number(os.environ, "RANK", "SLURM_PROCID")
        if rank:
            raise FailedElsewhereError(f"Process {rank}: {error}") from error
        raise


def _accelerator(loop: LoopConfig, devices: int, local_rank: int) -> Literal["cpu", "cuda"]:
    """Return cpu or cuda, after a convolution on the GPU.

    Raises:
        InputError: no GPU where one was asked for, fewer than processes, or one that this PyTorch cannot compute on.
        ResourceError: a GPU without any memory left.
    """
    if loop.accelerator == "cuda" and not torch.cuda.is_available():
        raise InputError("loop.accelerator is cuda, but PyTorch finds no CUDA device here")
    if loop.accelerator == "cpu" or not torch.cuda.is_available():
        return "cpu"
    found = torch.cuda.device_count()
    if devices > found:
        raise InputError(
            f"{devices} processes on this node need a GPU each, and PyTorch finds {found}; CUDA_VISIBLE_DEVICES may "
            "hide others"
        )
    try:
        usable_device(f"cuda:{local_rank}")
    except SuperResolutionError as error:
        problem = str(error).rpartition(": ")[0]  # its advice is another command's
        raise type(error)(f"{problem}: train on another machine, or set loop.accelerator to cpu") from error
    return "cuda"


def _number(variables: Mapping[str, str], *names: str) -> int:
    return next((int(variables[name]) for name in names if name in variables), 0)
