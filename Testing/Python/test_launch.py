"""What torchrun, SLURM and the GPU offer a training: taken where it fits, else refused before anyone waits."""

import pytest
import torch
from training_runs import arguments

from SuperResolution3DLib.errors import InputError
from Training import train
from Training.train import main
from Training.trainer.launch import number_of_processes


def slurm(**variables):
    return {f"SLURM_{name}": str(value) for name, value in ({"JOB_NAME": "train"} | variables).items()}


def srun(tasks, nodes, **variables):
    return slurm(NTASKS=tasks, NNODES=nodes, STEP_NUM_TASKS=tasks, STEP_NUM_NODES=nodes, **variables)


@pytest.mark.parametrize(
    ("devices", "variables", "wanted"),
    [
        (1, {}, (1, 1)),
        (3, {}, (3, 1)),
        (1, {"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
        (4, {"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "4"}, (4, 1)),
        (1, srun(6, 3, NTASKS_PER_NODE=2), (2, 3)),
        (2, srun(2, 1, NTASKS_PER_NODE=2), (2, 1)),
        (1, srun(1, 1), (1, 1)),
        (1, slurm(NTASKS=1, PROCID=0), (1, 1)),  # a batch script
        (2, slurm(NTASKS=4, JOB_NAME="interactive"), (2, 1)),  # a shell
        (2, slurm(JOB_ID=7), (2, 1)),
    ],
)
def test_the_processes_that_were_started_make_the_run(devices, variables, wanted):
    assert number_of_processes(devices, variables) == wanted


@pytest.mark.parametrize(
    ("devices", "variables", "message"),
    [
        (1, srun(4, 2), "4 tasks on 2 nodes and --ntasks-per-node is missing: ask for --nodes=2 --ntasks-per-node=2"),
        (1, srun(5, 2, NTASKS_PER_NODE=4), "5 tasks on 2 nodes and --ntasks-per-node is 4"),
        (1, slurm(NTASKS=4, PROCID=0, NTASKS_PER_NODE=4), "this job 4 tasks and the training was started once: start"),
        (4, srun(2, 1, NTASKS_PER_NODE=2), "loop.devices is 4, and SLURM started 2 on this node"),
        (2, slurm(NTASKS=1, PROCID=0), "loop.devices is 2, and SLURM started 1 on this node"),
        (2, {"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "4"}, "loop.devices is 2, and torchrun started 4 on this node"),
        (1, {"LOCAL_WORLD_SIZE": "3", "WORLD_SIZE": "5"}, "torchrun started 3 of 5 processes here"),
    ],
)
def test_processes_that_would_wait_for_one_another_for_ever_are_refused(devices, variables, message):
    with pytest.raises(InputError, match=message):
        number_of_processes(devices, variables)


def test_a_forgotten_srun_ends_the_command_and_only_the_first_process_says_so(tmp_path, capsys, monkeypatch):
    for name, value in slurm(NTASKS=2, PROCID=0).items():
        monkeypatch.setenv(name, value)
    assert main(arguments(tmp_path / "absent.json", tmp_path / "run")) == 2
    assert "start it with srun" in capsys.readouterr().err
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert main(arguments(tmp_path / "absent.json", tmp_path / "run")) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("accelerator", ["auto", "cuda"])
def test_a_gpu_without_kernels_of_this_pytorch_is_told_before_anything_is_read(
    tmp_path, capsys, monkeypatch, accelerator
):
    def no_kernels(device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("SuperResolution3DLib.inference.devices._convolve", no_kernels)
    options = {"loop.accelerator": accelerator}
    assert main(arguments(tmp_path / "absent.json", tmp_path / "run", **options)) == 2
    error = capsys.readouterr().err
    assert "no kernel image is available" in error and "set loop.accelerator to cpu" in error and "Compile" not in error
    assert main(arguments(tmp_path / "absent.json", tmp_path / "run", **options, **{"loop.devices": 2})) == 2
    assert "2 processes on this node need a GPU each, and PyTorch finds 1" in capsys.readouterr().err


def test_the_threads_that_were_asked_for_stay_when_several_processes_start(tmp_path, monkeypatch):
    class StartedError(Exception):
        pass

    class Launcher:
        def launch(self):
            torch.set_num_threads(2)  # as Lightning does

    def connection(fabric):
        raise StartedError

    monkeypatch.setattr(train, "make_fabric", lambda loop: Launcher())
    monkeypatch.setattr(train, "connection", connection)
    config = train.read_config([], arguments(tmp_path / "absent.json", tmp_path / "run", **{"loop.threads": 1}))
    with pytest.raises(StartedError):
        train.run(config)
    assert torch.get_num_threads() == 1
